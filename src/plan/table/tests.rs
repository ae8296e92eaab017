use super::*;
use crate::gpu::Caps;
use crate::graph::{Graph, Value};
use crate::plan::{PlanOptions, PlannedCall, Precision};
use std::sync::Arc;

const DIRECT: &str = "conv2d/forward_1_direct";
const TILED: &str = "conv2d/forward_2_tiled";
const SUBGROUP: &str = "conv2d/forward_3_subgroup";

fn row(class: &str, version: &str, gflops: f64) -> TableRow {
    TableRow {
        kernel: "conv2d.forward".into(),
        class: class.into(),
        version: version.into(),
        ms: 1.5,
        usual: TILED.into(),
        usual_ms: 3.0,
        gflops,
        shape: "1x3x8x8 5x3x3x3 -> 1x5x8x8".into(),
    }
}

fn table(rows: &[TableRow]) -> VersionTable {
    let origin = Origin { family: "a".into(), adapter: "a (Vulkan, driver \"1\")".into(), shaders: "0123".into() };
    let mut table = VersionTable::new(origin);
    rows.iter().for_each(|row| table.insert(row.clone()));
    table
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let full = table(&[row("x", DIRECT, 1.0), row("y", TILED, 2.0)]);
    for table in [table(&[]), full.clone()] {
        assert_eq!(VersionTable::parse(&table.text().unwrap()).unwrap(), table);
    }
    let text = full.text().unwrap();
    let lines = text.lines().filter(|line| line.contains("\"kernel\"")).count();
    assert_eq!((lines, full.len(), full.get("conv2d.forward", "y").unwrap().gain()), (2, 2, 2.0), "{text}");
    assert!(full.get("conv2d.forward", "z").is_none() && full.get("conv2d.backward_data", "x").is_none());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/folder/table.json");
    full.save(&path).unwrap();
    assert_eq!(VersionTable::open(&path).unwrap(), full);
}

#[test]
fn a_file_that_is_no_table_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.json");
    let text = table(&[row("x", DIRECT, 1.0)]).text().unwrap();
    let twice = text.replace("\"rows\": [", &format!("\"rows\": [{},", json_row(&text)));
    let wrong = [
        ("{".to_owned(), "is no table"),
        ("[]".to_owned(), "has schema null, expected 1"),
        (text.replace("\"schema\": 1", "\"schema\": 2"), "has schema 2, expected 1"),
        (text.replace("\"family\"", "\"familiar\""), "familiar"),
        (text.replace("\"ms\":1.5", "\"ms\":-1.5"), "ms is -1.5"),
        (text.replace("\"ms\":1.5", "\"ms\":0"), "ms is 0"),
        (twice, "has conv2d.forward \"x\" twice"),
    ];
    for (text, expected) in wrong {
        std::fs::write(&path, text).unwrap();
        let message = VersionTable::open(&path).unwrap_err().to_string();
        assert!(message.contains("table.json") && message.contains(expected), "{message}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(VersionTable::open(&path), Err(Error::Io { .. })));
}

fn json_row(text: &str) -> String {
    text.lines().find(|line| line.contains("\"kernel\"")).unwrap().trim().to_owned()
}

#[test]
fn rows_of_what_is_no_more_are_passed_over() {
    let gone = TableRow { kernel: "conv9d.forward".into(), ..row("x", DIRECT, 1.0) };
    let usual = TableRow { usual: "conv2d/forward_0_none".into(), ..row("z", DIRECT, 1.0) };
    let full = table(&[gone, usual, row("w", "conv2d/backward_data_1_direct", 1.0), row("y", TILED, 1.0)]);
    assert_eq!(VersionTable::parse(&full.text().unwrap()).unwrap(), table(&[row("y", TILED, 1.0)]));
}

#[test]
fn merging_keeps_the_faster_row_in_any_order() {
    let slower = TableRow { usual_ms: 9.0, ..row("x", DIRECT, 1.0) };
    let parts = [
        table(&[slower, row("y", TILED, 2.0)]),
        table(&[row("x", TILED, 3.0), row("y", DIRECT, 2.0)]),
        table(&[row("x", SUBGROUP, 2.0), row("z", TILED, 0.0)]),
    ];
    let merged = |order: [usize; 3]| {
        let mut merged = parts[order[0]].clone();
        merged.merge(&parts[order[1]]).unwrap();
        merged.merge(&parts[order[2]]).unwrap();
        merged
    };
    let first = merged([0, 1, 2]);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(merged(order), first, "{order:?}");
    }
    let version = |class: &str| first.get("conv2d.forward", class).unwrap().version.as_str();
    assert_eq!([version("x"), version("y"), version("z")], [TILED, DIRECT, TILED]);
    let mut same = first.clone();
    same.merge(&first).unwrap();
    assert_eq!(same, first);
    let mut newer = first.clone();
    newer.update(&parts[0]);
    assert_eq!(newer.get("conv2d.forward", "x").unwrap().version, DIRECT);
}

#[test]
fn tables_of_other_families_or_shaders_do_not_merge() {
    let change = |change: fn(&mut Origin)| {
        let mut other = table(&[]);
        change(&mut other.origin);
        table(&[]).merge(&other)
    };
    assert!(change(|origin| origin.adapter = "a (Vulkan, driver 2)".into()).is_ok());
    let error = change(|origin| origin.family = "b".into()).unwrap_err().to_string();
    assert!(error.contains("\"b\"") && error.contains("\"a\""), "{error}");
    assert!(change(|origin| origin.shaders = "4567".into()).is_err());
}

#[test]
fn a_family_is_a_name_without_its_driver() {
    assert_eq!(family("llvmpipe (LLVM 19.1.7, 256 bits)"), "llvmpipe");
    assert_eq!(family("llvmpipe (LLVM 19.1.7, 512 bits)"), "llvmpipe, 512 bits");
    assert_eq!(family("llvmpipe (LLVM 19.1.7, 512 bits) (Vulkan, llvmpipe Mesa 25)"), "llvmpipe, 512 bits");
    assert_eq!(family("AMD Radeon RX 7900 XTX (RADV NAVI31)"), "amd radeon rx 7900 xtx");
    assert_eq!(family("NVIDIA H100 80GB HBM3"), "nvidia h100 80gb hbm3");
}

#[test]
fn the_tables_that_come_with_nevus_are_whole() {
    let tables = store::tables();
    assert!(!tables.is_empty());
    for (path, table) in tables {
        let table = table.unwrap_or_else(|message| panic!("{}: {message}", path.display()));
        assert_eq!(table.origin.family, family(&table.origin.adapter), "{}", path.display());
        for row in table.rows() {
            assert!(row.gain() >= 1.0, "{}: {row:?}", path.display());
        }
    }
}

// ---- how a plan chooses by it ---------------------------------------------------------------------------------------

fn convolution() -> (Graph, Value) {
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 8, 12, 20]).unwrap();
    let weight = graph.input("weight", [8, 8, 3, 3]).unwrap();
    let y = graph.conv2d(crate::ops::conv2d::Conv2d::padded(1), x, weight, None).unwrap();
    (graph, y)
}

/// The version of the convolution that a plan would run on an adapter with subgroups of 8.
fn chosen(options: &PlanOptions) -> &'static str {
    let (graph, y) = convolution();
    let calls = PlannedCall::all(&graph, &[y], options, &Caps::for_tests(Some(8), true)).unwrap();
    calls.iter().find(|call| call.op.kernel() == "conv2d.forward").unwrap().version.shader
}

fn tuned(version: &str) -> PlanOptions {
    let (graph, y) = convolution();
    let calls = PlannedCall::all(&graph, &[y], &PlanOptions::default(), &Caps::for_tests(Some(8), true)).unwrap();
    let call = calls.iter().find(|call| call.op.kernel() == "conv2d.forward").unwrap();
    let class = call.class(&Caps::for_tests(Some(8), true));
    let table = table(&[TableRow { usual: call.version.shader.into(), ..row(&class, version, 1.0) }]);
    PlanOptions { table: Some(Arc::new(table)), ..PlanOptions::default() }
}

#[test]
fn a_plan_heeds_the_table() {
    let usual = chosen(&PlanOptions::default());
    for version in [DIRECT, TILED, SUBGROUP] {
        assert_eq!(chosen(&tuned(version)), version);
    }
    let elsewhere = table(&[row("1x1 s1x1 c8 p4", DIRECT, 1.0)]);
    assert_eq!(chosen(&PlanOptions { table: Some(Arc::new(elsewhere)), ..PlanOptions::default() }), usual);
}

#[test]
fn a_plan_in_16_bits_heeds_what_was_measured_in_16() {
    const MATRIX: &str = "conv2d/forward_16_half_matrix";
    let (graph, y) = convolution();
    let mut caps = Caps::for_tests(Some(8), true);
    caps.matrix = Some(16);
    let call = |options: &PlanOptions, caps: &Caps| {
        let calls = PlannedCall::all(&graph, &[y], options, caps).unwrap();
        calls.into_iter().find(|call| call.op.kernel() == "conv2d.forward").unwrap()
    };
    let half = PlanOptions { precision: Precision::F16, ..PlanOptions::default() };
    let usual = call(&half, &caps);
    assert_eq!(usual.version.shader, "conv2d/forward_9_half_subgroup", "what nobody has measured is not taken");
    let row = TableRow { usual: usual.version.shader.into(), ..row(&usual.class(&caps), MATRIX, 1.0) };
    let tuned = PlanOptions { table: Some(Arc::new(table(&[row]))), ..half };
    assert_eq!(call(&tuned, &caps).version.shader, MATRIX);
    caps.matrix = None;
    assert_eq!(call(&tuned, &caps).version.shader, usual.version.shader, "an adapter without matrices");
    let single = PlanOptions { precision: Precision::F32, ..tuned };
    assert!(!call(&single, &caps).version.requires.half);
    let measured_in_32 = PlanOptions { precision: Precision::F16, ..self::tuned(DIRECT) };
    assert_eq!(call(&measured_in_32, &caps).version.shader, usual.version.shader);
}

#[test]
fn a_row_that_was_measured_beside_another_version_says_nothing() {
    let usual = chosen(&PlanOptions::default());
    let tuned = tuned(DIRECT);
    let row = tuned.table.as_ref().unwrap().rows().next().unwrap().clone();
    let stale = table(&[TableRow { usual: TILED.into(), ..row }]);
    assert!(usual != TILED && usual != DIRECT);
    assert_eq!(chosen(&PlanOptions { table: Some(Arc::new(stale)), ..tuned }), usual);
}

#[test]
fn what_is_wrong_asked_for_or_cannot_run_goes_before_the_table() {
    let usual = chosen(&PlanOptions::default());
    let avoided = PlanOptions { avoid: [DIRECT.to_owned()].into(), ..tuned(DIRECT) };
    assert_eq!(chosen(&avoided), usual);
    let only = [("conv2d.forward".to_owned(), TILED.to_owned())].into();
    assert_eq!(chosen(&PlanOptions { only, ..tuned(DIRECT) }), TILED);
    // Without subgroups of 8.
    let (graph, y) = convolution();
    let calls = PlannedCall::all(&graph, &[y], &tuned(SUBGROUP), &Caps::for_tests(None, true)).unwrap();
    let version = calls.iter().find(|call| call.op.kernel() == "conv2d.forward").unwrap().version;
    assert!(!version.requires.subgroup, "{}", version.shader);
    // A version of other shapes: the wide one wants rows of whole quads.
    let mut graph = Graph::new();
    let (x, weight) = (graph.input("x", [2, 5]).unwrap(), graph.input("weight", [3, 5]).unwrap());
    let bias = graph.input("bias", [3]).unwrap();
    let y = graph.linear(x, weight, bias).unwrap();
    let (wide, direct) = ("linear/forward_2_wide", "linear/forward_1_direct");
    let wanted = TableRow {
        kernel: "linear.forward".into(),
        version: wide.into(),
        usual: direct.into(),
        ..row("c8>4", wide, 1.0)
    };
    let options = PlanOptions { table: Some(Arc::new(table(&[wanted]))), ..PlanOptions::default() };
    let calls = PlannedCall::all(&graph, &[y], &options, &Caps::for_tests(None, false)).unwrap();
    let call = calls.iter().find(|call| call.op.kernel() == "linear.forward").unwrap();
    let class = call.class(&Caps::for_tests(None, false));
    assert_eq!((class.as_str(), call.version.shader), ("c8>4", direct));
}
