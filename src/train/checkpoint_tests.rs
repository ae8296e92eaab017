use super::*;
use crate::train::early::Goal;

fn checkpoint(step: u16) -> Checkpoint {
    let mut early = EarlyStopping::new(Goal::Higher, 5);
    early.observe(0, 0.1 + f64::from(step) / 3.0);
    let versions = [("conv2d forward".to_owned(), "2 tiled".to_owned())].into();
    let more = serde_json::json!({ "loss_sum": 0.1 + 0.2 });
    let (config, data) = ("c".to_owned(), "d".to_owned());
    let state = State { step: step.into(), epoch: 1, batch: 2, config, data, early, versions, more };
    let params = |by: f32| {
        let value = |at: u16| f32::from(at) / 7.0 * by + f32::from(step);
        let weight = Tensor::new([2, 3], (0..6).map(value).collect()).unwrap();
        vec![("conv.bias".to_owned(), Tensor::scalar(-by)), ("conv.weight".to_owned(), weight)]
    };
    let slabs = [("adamw.m".to_owned(), params(1e-30)), ("weights".to_owned(), params(1.0))].into();
    Checkpoint { state, slabs }
}

fn weights(of: &Checkpoint) -> Weights {
    let mut weights = Weights::new();
    for (name, tensor) in &of.slabs["weights"] {
        weights.insert(name.clone(), tensor.clone());
    }
    weights
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn refusal(dir: &Path) -> String {
    let error = Checkpoint::load(dir).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn comes_back_to_the_bit_and_leaves_one_state_file() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Checkpoint::load(dir.path()).unwrap(), None);
    for step in [10, 20] {
        let saved = checkpoint(step);
        saved.save(dir.path(), &weights(&saved), None).unwrap();
        assert_eq!(Checkpoint::load(dir.path()).unwrap().unwrap(), saved);
        assert_eq!(Weights::open(dir.path().join(LAST)).unwrap().tensors, weights(&saved).tensors);
    }
    assert_eq!(names(dir.path()), [LAST, "state-20.safetensors", STATE]);
    let saved = checkpoint(20);
    assert_eq!(saved.slab(dir.path(), "weights").unwrap().len(), 2);
    assert!(saved.slab(dir.path(), "momentum").unwrap_err().to_string().contains("\"momentum\""));
}

#[test]
fn a_kill_after_any_operation_leaves_a_whole_checkpoint() {
    for (old_step, new_step) in [(10, 20), (20, 20)] {
        for last_act in [Done::StateFile, Done::Last, Done::Best, Done::Committed, Done::Cleaned] {
            let dir = tempfile::tempdir().unwrap();
            let (old, mut new) = (checkpoint(old_step), checkpoint(new_step));
            new.slabs.get_mut("weights").unwrap()[0].1 = Tensor::scalar(123.0);
            old.save(dir.path(), &weights(&old), Some(&weights(&old))).unwrap();
            let kill = |done| if done == last_act { Err(Error::Cancelled) } else { Ok(()) };
            new.save_watched(dir.path(), &weights(&new), Some(&weights(&new)), kill).unwrap_err();
            let is_new = matches!(last_act, Done::Committed | Done::Cleaned);
            let found = Checkpoint::load(dir.path()).unwrap().unwrap();
            assert_eq!(&found, if is_new { &new } else { &old }, "{last_act:?}");
            for file in [LAST, BEST] {
                Weights::open(dir.path().join(file)).unwrap();
            }
            new.save(dir.path(), &weights(&new), None).unwrap();
            assert_eq!(Checkpoint::load(dir.path()).unwrap().unwrap(), new);
            assert_eq!(names(dir.path()).len(), 4, "{:?}", names(dir.path()));
        }
    }
}

#[test]
fn a_kill_during_the_first_save_leaves_none() {
    for last_act in [Done::StateFile, Done::Last] {
        let dir = tempfile::tempdir().unwrap();
        let first = checkpoint(1);
        let kill = |done| if done == last_act { Err(Error::Cancelled) } else { Ok(()) };
        first.save_watched(dir.path(), &weights(&first), None, kill).unwrap_err();
        assert_eq!(Checkpoint::load(dir.path()).unwrap(), None);
        first.save(dir.path(), &weights(&first), None).unwrap();
        assert_eq!(Checkpoint::load(dir.path()).unwrap().unwrap(), first);
    }
}

#[test]
fn what_is_damaged_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let saved = checkpoint(10);
    saved.save(dir.path(), &weights(&saved), Some(&weights(&saved))).unwrap();
    let tensors = dir.path().join("state-10.safetensors");
    let bytes = std::fs::read(&tensors).unwrap();
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for broken in [&flipped[..], &bytes[..bytes.len() - 4], b""] {
        std::fs::write(&tensors, broken).unwrap();
        let message = refusal(dir.path());
        assert!(message.contains("state-10.safetensors: is damaged"), "{message}");
    }
    std::fs::remove_file(&tensors).unwrap();
    assert!(refusal(dir.path()).contains("state-10.safetensors: is missing"));
    std::fs::write(&tensors, &bytes).unwrap();
    std::fs::remove_file(dir.path().join(BEST)).unwrap();
    assert!(refusal(dir.path()).contains("best.safetensors: is missing"));
}

#[test]
fn a_state_that_is_not_ours_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let saved = checkpoint(10);
    saved.save(dir.path(), &weights(&saved), None).unwrap();
    let path = dir.path().join(STATE);
    let text = std::fs::read_to_string(&path).unwrap();
    let cases = [
        (text[..text.len() / 2].to_owned(), "is damaged"),
        (text.replace("\"schema\": 1", "\"schema\": 2"), "has schema 2, expected 1"),
        (text.replace("state-10.safetensors", "state-/../../x.safetensors"), "is no state file"),
        (text.replace("\"step\"", "\"steps\""), "is damaged: unknown field"),
        (String::new(), "is damaged"),
    ];
    for (text, expected) in cases {
        std::fs::write(&path, text).unwrap();
        let message = refusal(dir.path());
        assert!(message.contains("state.json") && message.contains(expected), "{message}");
    }
}

#[test]
fn poisoned_or_misnamed_tensors_do_not_replace_a_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let saved = checkpoint(10);
    saved.save(dir.path(), &weights(&saved), None).unwrap();
    let mut poisoned = checkpoint(11);
    poisoned.slabs.get_mut("adamw.m").unwrap()[0].1 = Tensor::scalar(f32::NAN);
    let message = poisoned.save(dir.path(), &weights(&saved), None).unwrap_err().to_string();
    assert!(message.contains("adamw.m/conv.bias"), "{message}");
    let mut misnamed = checkpoint(11);
    misnamed.slabs.insert("a/b".into(), vec![]);
    assert!(misnamed.save(dir.path(), &weights(&saved), None).is_err());
    assert_eq!(Checkpoint::load(dir.path()).unwrap().unwrap(), saved);
}

#[test]
fn another_configuration_or_other_data_is_refused() {
    let state = checkpoint(1).state;
    assert!(state.check("run", "c", "d").is_ok());
    assert!(state.check("run", "x", "d").unwrap_err().to_string().contains("another configuration"));
    assert!(state.check("run", "c", "x").unwrap_err().to_string().contains("other data"));
}
