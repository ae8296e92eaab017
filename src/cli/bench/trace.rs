//! A run's calls as a trace for Perfetto: the Trace Event format's complete events ("X"), in microseconds.

use serde::Serialize;

use super::rows::rates;
use crate::plan::CallProfile;

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    cat: &'a str,
    ph: &'static str,
    ts: f64,
    dur: f64,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Arguments<'a>>,
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

/// The calls of one run where the device's clock saw them, each above its dispatches; gaps between them are the device's own.
pub(super) fn trace(run: &[CallProfile]) -> Trace<'_> {
    let event = |name, cat, start: f64, end: f64, args| Event {
        name,
        cat,
        ph: "X",
        ts: start / 1e3,
        dur: (end - start) / 1e3,
        pid: 1,
        tid: 1,
        args,
    };
    let mut events = Vec::new();
    for call in run {
        let (Some(first), Some(last)) = (call.dispatches.first(), call.dispatches.last()) else { continue };
        let [gflops, gbps] = rates(call, call.nanoseconds() / 1e6);
        let args = Arguments { version: call.version, shape: &call.shape, gflops, gbps };
        events.push(event(&*call.name, call.kernel, first.start, last.start + last.nanoseconds, Some(args)));
        for timing in &call.dispatches {
            events.push(event(timing.shader, "dispatch", timing.start, timing.start + timing.nanoseconds, None));
        }
    }
    Trace { trace_events: events, display_time_unit: "ms" }
}

/// Calls that were timed apart, one after the other.
pub(super) fn after_each_other(mut calls: Vec<CallProfile>) -> Vec<CallProfile> {
    let mut now = 0.0;
    for call in &mut calls {
        let Some(first) = call.dispatches.first().map(|timing| timing.start) else { continue };
        let moved = now - first;
        for timing in &mut call.dispatches {
            timing.start += moved;
            now = timing.start + timing.nanoseconds;
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Timing;

    #[test]
    fn events_lie_where_the_clock_saw_them() {
        let call = |name: &str, times: &[[f64; 2]]| CallProfile {
            name: name.into(),
            kernel: "conv2d.forward",
            version: "conv2d/forward_1_direct",
            shape: "1 -> 1".into(),
            flops: 8_000,
            bytes: 4_000,
            dispatches: times
                .iter()
                .map(|&[start, nanoseconds]| Timing { label: name.into(), shader: "s", start, nanoseconds })
                .collect(),
        };
        let run = [call("a", &[[0.0, 1000.0], [1500.0, 1000.0]]), call("b", &[[4000.0, 500.0]])];
        let json = serde_json::to_value(trace(&run)).unwrap();
        let events = json["traceEvents"].as_array().unwrap();
        let seen: Vec<_> = events
            .iter()
            .map(|e| (e["name"].as_str().unwrap(), e["ts"].as_f64().unwrap(), e["dur"].as_f64().unwrap()))
            .collect();
        assert_eq!(seen, [("a", 0.0, 2.5), ("s", 0.0, 1.0), ("s", 1.5, 1.0), ("b", 4.0, 0.5), ("s", 4.0, 0.5)]);
        assert_eq!((&events[0]["args"]["gflops"], &events[0]["ph"]), (&4.0.into(), &"X".into()));
        let moved = after_each_other(run.to_vec());
        assert_eq!(moved[1].dispatches[0].start, 2500.0);
    }
}
