//! Learning rates by step.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A linear warm-up from nearly 0, then a decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// The learning rate after the warm-up.
    pub base: f32,
    /// Steps of the warm-up; 0 for none. Its n-th step has n / `warmup` of `base`.
    #[serde(default)]
    pub warmup: u64,
    /// What follows.
    pub decay: Decay,
}

/// How the learning rate goes on after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decay {
    /// It stays.
    Constant,
    /// Times `factor` after every `every` steps, counted from the end of the warm-up.
    Step {
        /// Steps from one drop to the next.
        every: u64,
        /// What each drop leaves, above 0 and up to 1.
        factor: f32,
    },
    /// Half a cosine from the base at the end of the warm-up to `end` at step `total`, where it stays.
    Cosine {
        /// Steps of the whole run, the warm-up included.
        total: u64,
        /// What is left at the end, as a share of the base.
        #[serde(default)]
        end: f32,
    },
}

impl Schedule {
    /// Always `base`.
    #[must_use]
    pub const fn constant(base: f32) -> Self {
        Self { base, warmup: 0, decay: Decay::Constant }
    }

    /// Warm-up, then a cosine to zero at step `total`.
    #[must_use]
    pub const fn cosine(base: f32, warmup: u64, total: u64) -> Self {
        Self { base, warmup, decay: Decay::Cosine { total, end: 0.0 } }
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`Error::Parameter`] that names the field.
    pub fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::parameter("schedule", message));
        if !(self.base.is_finite() && self.base > 0.0) {
            return refuse(format!("base is {}, expected a positive number", self.base));
        }
        match self.decay {
            Decay::Step { every: 0, .. } => refuse("every is 0, expected at least 1 step".into()),
            Decay::Step { factor, .. } if !(factor > 0.0 && factor <= 1.0) => {
                refuse(format!("factor is {factor}, expected above 0 and up to 1"))
            }
            Decay::Cosine { total, .. } if total <= self.warmup => {
                refuse(format!("total is {total}, expected more than the warm-up's {} steps", self.warmup))
            }
            Decay::Cosine { end, .. } if !(0.0..=1.0).contains(&end) => {
                refuse(format!("end is {end}, expected 0 to 1"))
            }
            _ => Ok(()),
        }
    }

    /// The learning rate of the step before which `step` others were made: 0 is the first.
    #[must_use]
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "steps are far below 2^52")]
    pub fn lr(&self, step: u64) -> f32 {
        let base = f64::from(self.base);
        if step < self.warmup {
            return (base * (step + 1) as f64 / self.warmup as f64) as f32;
        }
        let after = step - self.warmup;
        match self.decay {
            Decay::Constant => self.base,
            Decay::Step { every, factor } => {
                let drops = after / every.max(1);
                (base * f64::from(factor).powf(drops as f64)) as f32
            }
            Decay::Cosine { total, end } => {
                let whole = total.saturating_sub(self.warmup).max(1);
                let done = after.min(whole) as f64 / whole as f64;
                let left = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
                let end = f64::from(end);
                (base * (end + (1.0 - end) * left)) as f32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_then_cosine_by_hand() {
        let schedule = Schedule::cosine(1.0, 4, 12);
        let expected = [0.25, 0.5, 0.75, 1.0, 1.0];
        assert_eq!([0, 1, 2, 3, 4].map(|step| schedule.lr(step)), expected);
        assert!((schedule.lr(8) - 0.5).abs() < 1e-7);
        assert!(schedule.lr(11) > 0.0 && schedule.lr(11) < 0.05);
        assert_eq!([schedule.lr(12), schedule.lr(u64::MAX)], [0.0, 0.0]);
        let end = Schedule { decay: Decay::Cosine { total: 12, end: 0.1 }, ..schedule };
        assert_eq!(end.lr(99), 0.1);
    }

    #[test]
    fn constant_and_step_by_hand() {
        assert_eq!(Schedule::constant(0.3).lr(77), 0.3);
        let step = Schedule { base: 8.0, warmup: 2, decay: Decay::Step { every: 3, factor: 0.5 } };
        let got: Vec<f32> = (0..9).map(|at| step.lr(at)).collect();
        assert_eq!(got, [4.0, 8.0, 8.0, 8.0, 8.0, 4.0, 4.0, 4.0, 2.0]);
        assert_eq!(step.lr(u64::MAX), 0.0);
    }

    #[test]
    fn goes_through_json_and_refuses_unknown_fields() {
        let schedule = Schedule::cosine(1e-3, 200, 5000);
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(text, r#"{"base":0.001,"warmup":200,"decay":{"kind":"cosine","total":5000,"end":0.0}}"#);
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
        assert!(serde_json::from_str::<Schedule>(r#"{"base":1,"decay":{"kind":"constant"},"warm":1}"#).is_err());
    }

    #[test]
    fn each_field_is_checked() {
        let good = Schedule::cosine(1.0, 4, 12);
        assert!(good.check().is_ok());
        let bad = [
            (Schedule { base: 0.0, ..good }, "base"),
            (Schedule { base: f32::NAN, ..good }, "base"),
            (Schedule { warmup: 12, ..good }, "total"),
            (Schedule { decay: Decay::Cosine { total: 12, end: 2.0 }, ..good }, "end"),
            (Schedule { decay: Decay::Step { every: 0, factor: 0.5 }, ..good }, "every"),
            (Schedule { decay: Decay::Step { every: 1, factor: 0.0 }, ..good }, "factor"),
        ];
        for (schedule, field) in bad {
            assert!(schedule.check().unwrap_err().to_string().contains(field), "{schedule:?}");
        }
    }
}
