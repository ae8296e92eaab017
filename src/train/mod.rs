//! Training: schedules, metrics, early stopping, checkpoints that resume exactly, and the folder a run lives in.

pub mod checkpoint;
pub mod classification;
pub mod classifier;
pub mod classify;
pub mod diagnose;
pub mod early;
pub mod event;
pub mod explain;
pub mod familiar;
pub mod find_lr;
pub mod init;
mod lost;
pub mod metrics;
mod mixup;
pub mod predict;
pub mod rates;
pub mod run_dir;
pub mod schedule;
pub mod segment;
mod session;
pub mod step;
mod table;
pub mod validate;

pub use checkpoint::{Checkpoint, State};
pub use classification::{Bootstrap, ClassificationMeter, ClassificationScores, Interval, Predicted};
pub use classifier::{Classifier, Ways};
pub use early::{EarlyStopping, Goal, Progress};
pub use explain::{Explained, GradCam, grad_cam};
pub use familiar::Familiarity;
pub use init::{Fan, Init, Spread};
pub use metrics::{ImageScores, SegmentationMeter, SegmentationScores};
pub use predict::{Segmenter, WORKING_SIDE, mask_at};
pub use rates::StageRates;
pub use run_dir::RunDir;
pub use schedule::{Decay, Schedule};
pub use table::{MetricsTable, Row};
