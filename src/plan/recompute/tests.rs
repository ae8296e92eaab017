use super::model::{Entry, Model, Profile};
use super::search::search;
use crate::graph::View;

/// `length` calls forward, each from the last one's value, then backward, each from a value, the one before it and a
/// gradient; at the end a change in place that reads the first value. Every value has 100 bytes.
fn chain(length: usize) -> Model {
    let mut model = Model::default();
    let mut push = |inputs: Vec<usize>, repeatable: bool| {
        let (value, at) = (model.bytes.len(), model.calls.len());
        model.bytes.push(100);
        model.producer.push(at);
        let cost = 10 + inputs.len() as u64;
        model.calls.push(Entry { inputs, outputs: vec![value], cost, repeatable, ..Entry::default() });
        value
    };
    let mut forward = vec![push(vec![], true)];
    for at in 1..length {
        forward.push(push(vec![forward[at - 1]], true));
    }
    let mut gradient = push(vec![forward[length - 1]], false);
    for at in (1..length).rev() {
        gradient = push(vec![gradient, forward[at], forward[at - 1]], false);
    }
    let end = Entry { inputs: vec![gradient, forward[0]], cost: 1, changes: true, ..Entry::default() };
    model.calls.push(end);
    model
}

/// The most bytes alive, by following each value from a call that gives it to the last that reads it. That every value
/// is there when it is read is checked on the way.
fn most_alive(model: &Model, sequence: &[usize]) -> u64 {
    let mut alive = vec![0; sequence.len()];
    for (at, &call) in sequence.iter().enumerate() {
        for &input in &model.calls[call].inputs {
            let given = sequence[..at].iter().rposition(|&before| model.calls[before].outputs.contains(&input));
            assert!(given.is_some(), "{call} reads {input} before it is computed: {sequence:?}");
        }
        for &output in &model.calls[call].outputs {
            let again = |later: &usize| model.calls[*later].outputs.contains(&output);
            let until = sequence[at + 1..].iter().position(again).map_or(sequence.len(), |next| at + 1 + next);
            let reads = |place: &usize| model.calls[sequence[*place]].inputs.contains(&output);
            let last = (at..until).rev().find(reads).unwrap_or(at);
            alive[at..=last].iter_mut().for_each(|alive| *alive += model.bytes[output]);
        }
    }
    alive.into_iter().max().unwrap()
}

fn again(model: &Model, sequence: &[usize]) -> usize {
    let mut first: Vec<usize> = Vec::new();
    for &call in sequence {
        if !first.contains(&call) {
            first.push(call);
        }
    }
    assert_eq!(first, (0..model.calls.len()).collect::<Vec<_>>(), "a call is missing or out of order");
    sequence.len() - first.len()
}

#[test]
fn a_chain_fits_into_less_for_few_calls_more() {
    let model = chain(32);
    let straight: Vec<usize> = (0..model.calls.len()).collect();
    let kept = most_alive(&model, &straight);
    assert_eq!(kept, 3400);
    for (share, most_again) in [(1.0, 0), (0.75, 12), (0.5, 24), (0.4, 32)] {
        let target = kept as f64 * share;
        let sequence = search(&model, target);
        let alive = most_alive(&model, &sequence);
        assert!(alive as f64 <= target, "{alive} of {kept} where {target} were to be: {sequence:?}");
        let calls = again(&model, &sequence);
        assert!(calls <= most_again, "{calls} calls again for {share}: {sequence:?}");
        assert_eq!(calls == 0, share == 1.0);
        assert_eq!(sequence, search(&model, target), "two searches differ");
        let mut profile = Profile::default();
        profile.fill(&model, &sequence);
        assert_eq!(profile.live.iter().copied().max(), Some(alive));
    }
}

#[test]
fn what_must_not_run_again_does_not() {
    let mut model = chain(16);
    for call in [3, 4, 5] {
        model.calls[call].repeatable = false;
    }
    let sequence = search(&model, 900.0);
    assert!(again(&model, &sequence) > 0);
    for call in (0..model.calls.len()).filter(|&call| !model.calls[call].repeatable) {
        assert_eq!(sequence.iter().filter(|&&other| other == call).count(), 1, "{call} runs again: {sequence:?}");
    }
    // After a change in place, the same operands may hold something else.
    let mut early = chain(16);
    early.calls[16].changes = true;
    let sequence = search(&early, 100.0);
    let change = sequence.iter().position(|&call| call == 16).unwrap();
    assert_eq!(sequence[change..], (16..early.calls.len()).collect::<Vec<_>>());
}

#[test]
fn a_target_out_of_reach_ends() {
    let model = chain(16);
    let sequence = search(&model, 0.0);
    again(&model, &sequence);
    assert!(most_alive(&model, &sequence) < 1700);
}

#[test]
fn views_live_in_what_they_are_ranges_of() {
    // Two parts of a join, whose second is read again at the end, and a slice of it.
    let call = |inputs: &[usize], outputs: &[usize]| Entry {
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
        cost: 1,
        repeatable: true,
        ..Entry::default()
    };
    let join = Entry { view: Some(View::Concat), ..call(&[0, 1], &[2]) };
    let slice = Entry { view: Some(View::Slice { start: 0 }), ..call(&[2], &[4]) };
    let reader = Entry { workspace: 7, ..call(&[2], &[3]) };
    let calls = vec![call(&[], &[0]), call(&[0], &[1]), join, reader, slice, call(&[3], &[5]), call(&[4, 5], &[])];
    let bytes = vec![10, 30, 40, 1, 20, 2];
    let model = Model { calls, bytes, producer: vec![0, 1, 2, 3, 4, 5], outputs: vec![5] };
    let mut profile = Profile::default();
    profile.fill(&model, &[0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(profile.live, [40, 40, 40, 48, 41, 43, 42]);
    // A part that lies in the first join is copied into the second.
    profile.fill(&model, &[0, 1, 2, 3, 2, 4, 5, 6]);
    assert_eq!(profile.live, [40, 40, 40, 48, 81, 41, 43, 42]);
}
