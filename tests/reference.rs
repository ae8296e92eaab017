//! PyTorch's answers: small cases of our own (written by tools/fixtures), and the reference cases beside the checkout.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nevus::Gpu;
use nevus::models::reference::{Case, Subject, Verdict};
use nevus::ops::OPS;
use nevus::plan::PlanOptions;
use support::{gpu, options};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cases(folder: &Path) -> Vec<Case> {
    let open = |path: PathBuf| Case::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Case::find(folder).unwrap().into_iter().map(open).collect()
}

/// Runs every case by the default plan and by the naive one. A case may be skipped only where `may_skip` says so.
fn check(gpu: &Gpu, cases: &[Case], may_skip: impl Fn(&Case) -> bool) {
    let mut wrong = Vec::new();
    for (plan, options) in [("default", PlanOptions::default()), ("naive", PlanOptions::naive())] {
        let (mut passed, mut skipped, mut worst) = (0, 0, (0.0, String::new()));
        for case in cases {
            match case.check(gpu, &options) {
                Verdict::Passed(share) => {
                    passed += 1;
                    if share > worst.0 {
                        worst = (share, case.name());
                    }
                }
                Verdict::Skipped(_) if may_skip(case) => skipped += 1,
                Verdict::Skipped(why) => wrong.push(format!("{} ({plan} plan): skipped: {why}", case.name())),
                Verdict::Failed(why) => wrong.push(format!("{} ({plan} plan): {why}", case.name())),
            }
        }
        let (share, name) = worst;
        eprintln!("{plan} plan: {passed} passed, {skipped} skipped; the worst took {share:.2} of its bound: {name}");
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_op_has_a_fixture() {
    let found: BTreeSet<String> = cases(&root().join("tests/fixtures/ops"))
        .into_iter()
        .map(|case| match case.subject {
            Subject::Op(op) => op,
            Subject::Model(model) => panic!("{}: a case of the model {model} among the ops'", case.path.display()),
        })
        .collect();
    let ops = OPS.iter().flat_map(|room| room.ops);
    let missing: Vec<_> = ops.filter(|op| !found.contains(**op)).collect();
    assert!(missing.is_empty(), "no fixture for {missing:?}; tools/fixtures/ops.py writes them");
}

#[test]
fn own_fixtures_agree() {
    let Some(gpu) = gpu(&options()) else { return };
    check(&gpu, &cases(&root().join("tests/fixtures")), |_| false);
}

#[test]
fn shared_cases_agree() {
    let folder = root().join("../shared/cases");
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} does not exist", folder.display());
        return;
    }
    let Some(gpu) = gpu(&options()) else { return };
    check(&gpu, &cases(&folder), |_| false);
}
