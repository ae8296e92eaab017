//! What a training run tells, and how it ends.

use crate::plan::Memory;

/// What a run tells while it goes on; `V` is what an epoch is measured by.
#[derive(Debug)]
pub enum Event<'a, V> {
    /// Before the first step.
    Start {
        /// Parameters of the network.
        parameters: usize,
        /// What a step takes on the device.
        memory: &'a Memory,
        /// Floating-point operations of a step.
        flops: u64,
        /// Steps of an epoch.
        steps: u64,
        /// The first step of this session, from 0.
        from: u64,
    },
    /// After a step.
    Step {
        /// Epoch, from 0.
        epoch: u64,
        /// Steps done of the epoch.
        done: u64,
        /// Optimizer steps done.
        step: u64,
        /// The step's loss.
        loss: f32,
        /// The gradient's norm before clipping.
        norm: f32,
        /// Images a second over the last steps.
        images_per_second: f64,
    },
    /// While an epoch is measured, before the first image and then now and again.
    Validation {
        /// Epoch, from 0.
        epoch: u64,
        /// Images measured.
        done: usize,
        /// Images to measure.
        of: usize,
    },
    /// After an epoch and its validation.
    Epoch {
        /// Epoch, from 0.
        epoch: u64,
        /// Mean loss of its steps.
        loss: f64,
        /// The averaged weights on val.
        val: &'a V,
        /// Whether they are the best so far.
        improved: bool,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All epochs are done.
    Finished,
    /// The figure that is watched had stopped to become better.
    Stopped,
    /// The caller's number of steps is done, or it asked to stop; the run can be resumed.
    Paused,
}
