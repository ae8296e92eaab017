//! Early stopping: a run ends when its figure has not become better for a number of epochs.

use serde::{Deserialize, Serialize};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// As for an IoU.
    Higher,
    /// As for a loss.
    Lower,
}

/// Watches one figure; as JSON, what a checkpoint keeps of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Which way is better.
    pub goal: Goal,
    /// Epochs without an improvement after which to stop; 0 never stops.
    pub patience: u64,
    /// By how much a value must be better to count.
    pub least: f64,
    /// The best value so far.
    pub best: Option<f64>,
    /// The epoch that had it.
    pub best_epoch: Option<u64>,
    /// Epochs since then.
    pub waited: u64,
}

/// What an epoch's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// It is the best so far.
    pub improved: bool,
    /// Patience is at its end.
    pub stop: bool,
}

impl EarlyStopping {
    /// Nothing seen yet; any improvement counts.
    #[must_use]
    pub const fn new(goal: Goal, patience: u64) -> Self {
        Self { goal, patience, least: 0.0, best: None, best_epoch: None, waited: 0 }
    }

    /// Takes an epoch's value. NaN is never an improvement.
    pub fn observe(&mut self, epoch: u64, value: f64) -> Progress {
        let improved = match (self.best, self.goal) {
            _ if value.is_nan() => false,
            (None, _) => true,
            (Some(best), Goal::Higher) => value > best + self.least,
            (Some(best), Goal::Lower) => value < best - self.least,
        };
        if improved {
            (self.best, self.best_epoch, self.waited) = (Some(value), Some(epoch), 0);
        } else {
            self.waited += 1;
        }
        Progress { improved, stop: self.exhausted() }
    }

    /// Whether patience is at its end.
    #[must_use]
    pub const fn exhausted(&self) -> bool {
        self.patience > 0 && self.waited >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_after_the_patience_counted_from_the_best() {
        let mut early = EarlyStopping::new(Goal::Higher, 2);
        let seen = [0.5, 0.6, 0.6, 0.7, f64::NAN, 0.1].iter().enumerate();
        let seen: Vec<Progress> = seen.map(|(epoch, &value)| early.observe(epoch as u64, value)).collect();
        assert_eq!(seen.iter().map(|p| p.improved).collect::<Vec<_>>(), [true, true, false, true, false, false]);
        assert_eq!(seen.iter().map(|p| p.stop).collect::<Vec<_>>(), [false, false, false, false, false, true]);
        assert_eq!((early.best, early.best_epoch), (Some(0.7), Some(3)));
    }

    #[test]
    fn lower_is_better_and_small_steps_do_not_count() {
        let mut early = EarlyStopping { least: 0.1, ..EarlyStopping::new(Goal::Lower, 1) };
        assert!(early.observe(0, 1.0).improved);
        assert_eq!(early.observe(1, 0.95), Progress { improved: false, stop: true });
        let mut never = EarlyStopping::new(Goal::Lower, 0);
        assert!((0..1000).all(|epoch| !never.observe(epoch, f64::NAN).stop));
    }

    #[test]
    fn goes_on_from_json_as_if_never_stopped() {
        let mut early = EarlyStopping::new(Goal::Higher, 3);
        early.observe(0, 0.1 + 0.2);
        early.observe(1, 0.2);
        let text = serde_json::to_string(&early).unwrap();
        let back: EarlyStopping = serde_json::from_str(&text).unwrap();
        assert_eq!(back, early);
    }
}
