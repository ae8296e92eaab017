//! A run's calls as a trace for Perfetto: the Trace Event format's complete events ("X"), in microseconds.

use serde::Serialize;

use super::rows::Row;

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    cat: &'a str,
    ph: &'static str,
    ts: f64,
    dur: f64,
    pid: u32,
    tid: u32,
    args: Arguments<'a>,
}

#[derive(Serialize)]
struct Arguments<'a> {
    version: &'a str,
    shape: &'a str,
    gflops: f64,
    gbps: f64,
}

/// The file's object.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace<'a> {
    trace_events: Vec<Event<'a>>,
    display_time_unit: &'static str,
}

/// The rows one after the other, each as long as its fastest run.
pub(super) fn trace(rows: &[Row]) -> Trace<'_> {
    let mut now = 0.0;
    let events = rows.iter().map(|row| {
        let (start, length) = (now, row.ms_min * 1e3);
        now += length;
        Event {
            name: &row.name,
            cat: &row.op,
            ph: "X",
            ts: start,
            dur: length,
            pid: 1,
            tid: 1,
            args: Arguments { version: &row.version, shape: &row.shape, gflops: row.gflops, gbps: row.gbps },
        }
    });
    Trace { trace_events: events.collect(), display_time_unit: "ms" }
}
