//! The rows of a bench: calls of kernels, over several runs.

use serde::{Deserialize, Serialize};

use crate::gpu::Peaks;
use crate::plan::CallProfile;

/// One call of a kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// The node's place in the model, or the layer.
    pub name: String,
    /// The kernel.
    pub op: String,
    /// The version that ran, by its shader.
    pub version: String,
    /// Shapes of inputs and outputs.
    pub shape: String,
    pub dispatches: usize,
    pub ms_min: f64,
    pub ms_median: f64,
    /// Of the fastest run.
    pub gflops: f64,
    /// Bytes of inputs and outputs over the time of the fastest run.
    pub gbps: f64,
    /// Of the device's measured peak: the larger share of both.
    pub percent_of_peak: f64,
    pub percent_of_total: f64,
}

/// Calls in the plan's order, each with its times so far.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The fastest of each, and milliseconds.
    calls: Vec<(CallProfile, Vec<f64>)>,
}

/// GFLOP/s and GB/s of a call that takes so many milliseconds.
pub(super) fn rates(call: &CallProfile, ms: f64) -> [f64; 2] {
    [call.flops, call.bytes].map(|amount| if ms > 0.0 { amount as f64 / ms / 1e6 } else { 0.0 })
}

impl Rows {
    /// Adds one run: the same calls in the same order.
    pub(super) fn add(&mut self, run: impl Iterator<Item = CallProfile>) {
        let first = self.calls.is_empty();
        for (at, call) in run.enumerate() {
            let ms = call.nanoseconds() / 1e6;
            if first {
                self.calls.push((call, vec![ms]));
            } else if let Some((fastest, times)) = self.calls.get_mut(at) {
                times.push(ms);
                if call.nanoseconds() < fastest.nanoseconds() {
                    *fastest = call;
                }
            }
        }
    }

    /// The fastest of each call.
    pub(super) fn fastest(&self) -> impl Iterator<Item = &CallProfile> {
        self.calls.iter().map(|(call, _)| call)
    }

    /// The rows in the plan's order.
    pub(super) fn finish(self, peaks: &Peaks) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .calls
            .into_iter()
            .map(|(call, mut times)| {
                let (ms_min, ms_median) = min_median(&mut times);
                let [gflops, gbps] = rates(&call, ms_min);
                Row {
                    name: call.name,
                    op: call.kernel.to_owned(),
                    version: call.version.to_owned(),
                    shape: call.shape,
                    dispatches: call.dispatches.len(),
                    ms_min,
                    ms_median,
                    gflops,
                    gbps,
                    percent_of_peak: peaks.percent(gflops, gbps),
                    percent_of_total: 0.0,
                }
            })
            .collect();
        let total: f64 = rows.iter().map(|row| row.ms_min).sum();
        for row in &mut rows {
            row.percent_of_total = row.ms_min / total.max(f64::MIN_POSITIVE) * 100.0;
        }
        rows
    }
}

/// The smallest value and the median; zeros where there is none.
pub(super) fn min_median(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    (at(0), (at(values.len().saturating_sub(1) / 2) + at(values.len() / 2)) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Timing;

    #[test]
    fn the_median_of_few() {
        assert_eq!(min_median(&mut [3.0, 1.0, 2.0]), (1.0, 2.0));
        assert_eq!(min_median(&mut [4.0, 1.0]), (1.0, 2.5));
        assert_eq!(min_median(&mut []), (0.0, 0.0));
    }

    #[test]
    fn rates_by_hand() {
        let timing = |nanoseconds| Timing { label: "a".into(), shader: "b", start: 0.0, nanoseconds };
        let call = |nanoseconds: f64| CallProfile {
            name: "a".into(),
            kernel: "conv2d.forward",
            version: "conv2d/forward_1_direct",
            shape: "1 -> 1".into(),
            flops: 3_000_000,
            bytes: 500_000,
            dispatches: [0.25, 0.75].map(|share| timing(nanoseconds * share)).to_vec(),
        };
        let mut rows = Rows::default();
        for nanoseconds in [3e6, 1e6, 2e6] {
            rows.add([call(nanoseconds), call(3e6)].into_iter());
        }
        let rows = rows.finish(&Peaks { gflops: 30.0, gbps: 1.0 });
        let row = &rows[0];
        assert_eq!((row.ms_min, row.ms_median, row.gflops, row.gbps), (1.0, 2.0, 3.0, 0.5));
        assert_eq!((row.percent_of_peak, row.percent_of_total), (50.0, 25.0));
    }
}
