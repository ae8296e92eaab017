//! A network's calls by kernel and window: where the time goes.

use serde::Serialize;

use super::rows::Row;
use crate::cli::table::table;
use crate::gpu::Peaks;

/// All calls of a kernel with windows of one size.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Kind {
    /// The kernel.
    pub op: String,
    /// Height and width of a convolution's kernel, `3x3`; empty for other ops.
    pub window: String,
    pub calls: usize,
    /// The fastest run of each call, together.
    pub ms: f64,
    pub gflops: f64,
    pub gbps: f64,
    /// Of the device's measured peak: the larger share of both.
    pub percent_of_peak: f64,
    pub percent_of_total: f64,
}

/// The kinds of these calls, that with the most time first.
pub(super) fn kinds(rows: &[Row], peaks: &Peaks) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for row in rows {
        let window = window(&row.op, &row.shape).unwrap_or_default();
        let at = kinds.iter().position(|kind| kind.op == row.op && kind.window == window).unwrap_or_else(|| {
            let op = row.op.clone();
            let none = Kind {
                op,
                window,
                calls: 0,
                ms: 0.0,
                gflops: 0.0,
                gbps: 0.0,
                percent_of_peak: 0.0,
                percent_of_total: 0.0,
            };
            kinds.push(none);
            kinds.len() - 1
        });
        let kind = &mut kinds[at];
        kind.calls += 1;
        kind.ms += row.ms_min;
        // Amounts, until the time is known.
        kind.gflops += row.gflops * row.ms_min;
        kind.gbps += row.gbps * row.ms_min;
    }
    let total: f64 = kinds.iter().map(|kind| kind.ms).sum();
    for kind in &mut kinds {
        let ms = kind.ms.max(f64::MIN_POSITIVE);
        (kind.gflops, kind.gbps) = (kind.gflops / ms, kind.gbps / ms);
        kind.percent_of_peak = peaks.percent(kind.gflops, kind.gbps);
        kind.percent_of_total = kind.ms / total.max(f64::MIN_POSITIVE) * 100.0;
    }
    kinds.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    kinds
}

/// The window of a convolution, by the shapes of its call: a weight is the second input, or what its gradient is.
fn window(op: &str, shape: &str) -> Option<String> {
    let mut shapes = shape.split_whitespace().filter(|word| *word != "->");
    let weight = match op {
        "conv2d.backward_weight" | "conv_transpose2d.backward_weight" => shapes.next_back(),
        _ if op.starts_with("conv") => shapes.nth(1),
        _ => None,
    }?;
    let dimensions: Vec<&str> = weight.split('x').collect();
    (dimensions.len() == 4).then(|| dimensions[2..].join("x"))
}

/// For people.
pub(super) fn text(kinds: &[Kind]) -> String {
    let row = |kind: &Kind| {
        vec![
            kind.op.clone(),
            kind.window.clone(),
            kind.calls.to_string(),
            format!("{:.2}", kind.ms),
            format!("{:.1}", kind.gflops),
            format!("{:.1}", kind.gbps),
            format!("{:.0}", kind.percent_of_peak),
            format!("{:.1}", kind.percent_of_total),
        ]
    };
    let head = ["kernel", "window", "calls", "ms", "GFLOP/s", "GB/s", "% of peak", "% of all"];
    table(&head, &kinds.iter().map(row).collect::<Vec<_>>(), &[2, 3, 4, 5, 6, 7])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_kernel_and_window() {
        let row = |op: &str, shape: &str, ms_min, gflops| Row {
            name: "a".into(),
            op: op.into(),
            version: "b".into(),
            shape: shape.into(),
            dispatches: 1,
            ms_min,
            ms_median: ms_min,
            gflops,
            gbps: 1.0,
            percent_of_peak: 0.0,
            percent_of_total: 0.0,
        };
        let rows = [
            row("conv2d.forward", "1x8x9x9 16x8x3x3 16 -> 1x16x9x9", 1.0, 40.0),
            row("relu.forward", "1x8x9x9 -> 1x8x9x9", 0.5, 0.0),
            row("conv2d.forward", "1x16x9x9 8x16x3x3 -> 1x8x9x9", 3.0, 20.0),
            row("conv2d.forward", "1x16x9x9 8x16x1x1 -> 1x8x9x9", 1.5, 50.0),
            row("conv2d.backward_weight", "1x16x9x9 1x8x9x9 -> 8x16x3x3", 4.0, 5.0),
        ];
        let found = kinds(&rows, &Peaks { gflops: 100.0, gbps: 10.0 });
        let seen: Vec<_> = found.iter().map(|k| (k.op.as_str(), k.window.as_str(), k.calls, k.ms, k.gflops)).collect();
        let expected = [
            ("conv2d.forward", "3x3", 2, 4.0, 25.0),
            ("conv2d.backward_weight", "3x3", 1, 4.0, 5.0),
            ("conv2d.forward", "1x1", 1, 1.5, 50.0),
            ("relu.forward", "", 1, 0.5, 0.0),
        ];
        assert_eq!(seen, expected);
        assert_eq!((found[0].percent_of_peak, found[1].percent_of_peak), (25.0, 10.0));
        assert_eq!(found.iter().map(|kind| kind.percent_of_total).sum::<f64>(), 100.0);
    }
}
