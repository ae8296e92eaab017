//! Training: the step as a graph, schedules, metrics, checkpoints, the loop.

pub mod step;
