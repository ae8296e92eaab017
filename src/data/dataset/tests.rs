use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;

use super::*;

fn touch(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }
}

#[test]
fn ham10000_is_read_with_its_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    touch(
        root,
        &["part_2/ISIC_2.jpg", "part_1/ISIC_1.JPG", "m/ISIC_1_segmentation.png", "ISIC_9.jpg", "plots/pie.png"],
    );
    let table = "lesion_id,image_id,dx,dx_type\nHAM_1,ISIC_1,NV,histo\nHAM_1,ISIC_2,nv,histo\nHAM_2,ISIC_3,mel,x\n";
    fs::write(root.join("HAM10000_metadata.csv"), table).unwrap();
    fs::write(root.join(SPLIT_FILE), "split,image_id\nval,ISIC_1\ntrain,ISIC_2\ntrain,ISIC_77\n").unwrap();
    let data = Dataset::open(root).unwrap();
    assert_eq!(data.layout, Layout::Ham10000);
    assert_eq!(data.samples.iter().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["ISIC_1", "ISIC_2", "ISIC_9"]);
    assert_eq!(data.without_image, ["ISIC_3"]);
    assert_eq!(data.samples[0].label.as_deref(), Some("nv"));
    assert_eq!(data.samples[0].lesion.as_deref(), Some("HAM_1"));
    assert!(data.samples[0].mask.is_some() && data.samples[1].mask.is_none());
    assert_eq!(data.samples[0].split, Some(Split::Val));
    assert_eq!(data.samples[2].split, None);
    assert_eq!(data.side(Split::Train).len(), 1);
}

#[test]
fn a_table_may_lack_lesions_and_diagnoses() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let ids: Vec<String> = (0..40).map(|at| format!("ISIC_{at:02}")).collect();
    ids.iter().for_each(|id| touch(root, &[&format!("{id}.jpg"), &format!("{id}_segmentation.png")]));
    let table = |header: &str, row: &dyn Fn(usize) -> String| {
        let rows: Vec<String> = std::iter::once(header.to_owned()).chain((0..40).map(row)).collect();
        fs::write(root.join("HAM10000_metadata.csv"), rows.join("\n")).unwrap();
        Dataset::open(root).unwrap()
    };
    let mut data = table("dx,image_id", &|at| format!("{},{}", ["mel", "nv", "bcc"][at % 3], ids[at]));
    assert_eq!(data.lacking_columns, ["lesion_id"]);
    assert!(data.samples.iter().all(|sample| sample.lesion.is_none() && sample.label.is_some()));
    let drawn = data.draw_missing_sides(1).unwrap().unwrap();
    assert!(drawn.contains("which of them show the same lesion is not known"), "{drawn}");
    let all = data.labelled(&data.classes(None).unwrap()).unwrap();
    assert!(Split::ALL.iter().all(|&side| all.side(side).counts().iter().all(|&count| count > 0)));

    let mut data = table("lesion_id,image_id", &|at| format!("HAM_{},{}", at / 2, ids[at]));
    assert_eq!(data.lacking_columns, ["dx"]);
    assert!(data.draw_missing_sides(1).unwrap().unwrap().ends_with("by lesion"));
    assert!(data.samples.iter().all(|sample| sample.mask.is_some() && sample.split.is_some()));
    let refused = [data.classes(None).unwrap_err(), data.labelled(&Classes::three()).unwrap_err()];
    for error in refused.map(|error| error.to_string()) {
        assert!(error.contains("lacks the column dx, which names the classes"), "{error}");
    }
}

#[test]
fn pairs_are_matched_by_stem() {
    let dir = tempfile::tempdir().unwrap();
    touch(dir.path(), &["images/a.jpg", "images/b.png", "images/c.bmp", "images/d.jpg", "images/.hidden.jpg"]);
    touch(dir.path(), &["masks/a.png", "masks/b_Segmentation.png", "masks/c_mask.bmp", "masks/z.png"]);
    let data = Dataset::open(dir.path()).unwrap();
    assert_eq!(data.layout, Layout::Pairs);
    let masked: Vec<_> = data.samples.iter().map(|s| (s.id.as_str(), s.mask.is_some())).collect();
    assert_eq!(masked, [("a", true), ("b", true), ("c", true), ("d", false)]);
    touch(dir.path(), &["masks/a_mask.png"]);
    assert!(Dataset::open(dir.path()).unwrap_err().to_string().contains("two masks for \"a\""));
}

#[test]
fn class_folders_with_and_without_sides() {
    let dir = tempfile::tempdir().unwrap();
    touch(dir.path(), &["train/mel/1.jpg", "train/nv/1.jpg", "validation/mel/2.jpg", "bkl/3.jpg", "bkl/3_mask.png"]);
    let data = Dataset::open(dir.path()).unwrap();
    let found: Vec<_> = data.samples.iter().map(|s| (s.id.as_str(), s.label.as_deref().unwrap(), s.split)).collect();
    let (train, val) = (Some(Split::Train), Some(Split::Val));
    let expected = [
        ("bkl/3", "bkl", None),
        ("train/mel/1", "mel", train),
        ("train/nv/1", "nv", train),
        ("validation/mel/2", "mel", val),
    ];
    assert_eq!(found, expected);
}

#[test]
fn refusals_name_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let message = |root: &Path| Dataset::open(root).unwrap_err().to_string();
    assert!(message(&root.join("gone")).contains("gone"));
    assert!(message(root).contains("no photographs found"));
    let table = root.join("HAM10000_metadata.csv");
    fs::write(&table, "image_id,age\nISIC_1,3\n").unwrap();
    assert!(message(root).contains("none of its 1 rows has an image"), "neither lesion_id nor dx is needed to read it");
    fs::write(&table, "lesion_id,dx,age\nH,nv,3\n").unwrap();
    assert!(message(root).contains("lacks the column image_id; has lesion_id, dx, age"), "{}", message(root));
    fs::write(&table, "lesion_id,image_id,dx\n").unwrap();
    assert!(message(root).contains("no rows"));
    fs::write(&table, "lesion_id,image_id,dx\nH,ISIC_1,nv\n").unwrap();
    assert!(message(root).contains("none of its 1 rows has an image"));
    touch(root, &["ISIC_1.jpg"]);
    fs::write(root.join(SPLIT_FILE), "image_id,split\nISIC_1,maybe\n").unwrap();
    assert!(message(root).contains("\"maybe\""));
    fs::write(&table, [0xFF, 0xFE, b'\n', 0x80]).unwrap();
    assert!(message(root).contains("HAM10000_metadata.csv"));
    assert!(message(&table).contains("not a folder"));
}

fn made(count: usize) -> Vec<Sample> {
    (0..count)
        .map(|i| Sample {
            id: format!("ISIC_{i}"),
            image: PathBuf::from("a"),
            mask: None,
            label: (i % 5 != 0).then(|| DX[i / 2 % 7].to_owned()),
            lesion: (i % 3 != 0).then(|| format!("HAM_{}", i / 3)),
            split: None,
        })
        .collect()
}

#[test]
fn lesions_stay_together_and_shares_hold() {
    let samples = made(1001);
    let sides = split_by_lesion(&samples, 5, [0.7, 0.15, 0.15]).unwrap();
    let mut of_lesion: BTreeMap<&str, Split> = BTreeMap::new();
    for (sample, &side) in samples.iter().zip(&sides) {
        if let Some(lesion) = &sample.lesion {
            assert_eq!(*of_lesion.entry(lesion).or_insert(side), side);
        }
    }
    for (split, share) in Split::ALL.into_iter().zip([0.7, 0.15, 0.15]) {
        let count = sides.iter().filter(|s| **s == split).count();
        assert!((count as f64 / 1001.0 - share).abs() < 0.01, "{split}: {count}");
        for dx in DX {
            let of_class: Vec<_> = samples.iter().zip(&sides).filter(|(s, _)| s.label.as_deref() == Some(dx)).collect();
            let here = of_class.iter().filter(|(_, side)| **side == split).count();
            assert!((here as f64 / of_class.len() as f64 - share).abs() < 0.08, "{split} of {dx}: {here}");
        }
    }
    let mut turned = samples.clone();
    turned.reverse();
    let mut again = split_by_lesion(&turned, 5, [0.7, 0.15, 0.15]).unwrap();
    again.reverse();
    assert_eq!(again, sides);
    assert_ne!(split_by_lesion(&samples, 6, [0.7, 0.15, 0.15]).unwrap(), sides);
    assert!(split_by_lesion(&samples, 5, [0.7, 0.2, 0.2]).is_err());
    assert!(split_by_lesion(&samples, 5, [1.1, 0.0, -0.1]).is_err());
    assert!(split_by_lesion(&samples, 5, [1.0, 0.0, 0.0]).unwrap().iter().all(|s| *s == Split::Train));
}

proptest! {
    /// However few lesions a class has, train has one of them.
    #[test]
    fn train_has_a_lesion_of_every_class(
        lesions in prop::collection::vec((0usize..8, 1usize..4), 1..40),
        seed in 0u64..1000,
        val in 0.0f64..0.5,
        test in 0.0f64..0.49,
    ) {
        let photographs = lesions.iter().enumerate().flat_map(|(lesion, &(class, count))| {
            (0..count).map(move |at| Sample {
                id: format!("ISIC_{lesion}_{at}"),
                image: PathBuf::from("a"),
                mask: None,
                label: Some(format!("class {class}")),
                lesion: Some(format!("HAM_{lesion}")),
                split: None,
            })
        });
        let samples: Vec<Sample> = photographs.collect();
        let sides = split_by_lesion(&samples, seed, [1.0 - val - test, val, test]).unwrap();
        let labels = |train: bool| {
            let chosen = samples.iter().zip(&sides).filter(|(_, side)| !train || **side == Split::Train);
            chosen.map(|(sample, _)| sample.label.as_deref()).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(labels(true), labels(false));
    }
}

/// Sides of photographs that a run has learned from must not change with the program.
#[test]
fn the_sides_of_larger_classes_stay_what_they_were() {
    let sides = split_by_lesion(&made(1001), 5, [0.7, 0.15, 0.15]).unwrap();
    let names: String = sides.iter().map(|side| &side.name()[..2]).collect();
    assert_eq!(&blake3::hash(names.as_bytes()).to_hex()[..16], "14bb66c4581383ac");
    assert!(split_by_lesion(&made(40), 5, [0.0, 0.5, 0.5]).unwrap().iter().all(|side| *side != Split::Train));
}

#[test]
fn a_split_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(SPLIT_FILE);
    let mut samples = made(20);
    let sides = split_by_lesion(&samples, 1, [0.5, 0.25, 0.25]).unwrap();
    samples.iter_mut().zip(&sides).for_each(|(s, side)| s.split = Some(*side));
    write_split(&path, &samples).unwrap();
    let mut back = made(20);
    assert_eq!(apply_split(&mut back, &read_split(&path).unwrap()), 0);
    assert_eq!(back, samples);
}

#[test]
fn classes_merge_as_documented() {
    let three = Classes::three();
    assert_eq!(three.names(), ["MEL", "NV", "Other_SC"]);
    assert_eq!(
        ["mel", "NV", "akiec", "bcc", "bkl", "df", "vasc", "other_sc"].map(|l| three.index_of(l).unwrap()),
        [0, 1, 2, 2, 2, 2, 2, 2]
    );
    assert_eq!(three.index_of("wart"), None);
    assert_eq!(Classes::seven().names(), DX);
    assert!(Classes::of_ham10000(4).is_err());
    assert_eq!(Classes::of_samples(&made(40)).len(), 7);
    let mut odd = made(2);
    odd[1].label = Some("wart".to_owned());
    assert!(three.indices(&odd).unwrap_err().to_string().contains("wart"));
}

#[test]
fn classes_by_their_names_in_weights() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(Classes::named(Classes::three().names()).unwrap(), Classes::three());
    assert_eq!(Classes::named(Classes::seven().names()).unwrap(), Classes::seven());
    let own = Classes::named(&names(&["mole", "Melanoma"])).unwrap();
    assert_eq!((own.index_of("MOLE"), own.index_of("nv"), own.melanoma()), (Some(0), None, Some(1)));
    assert_eq!((Classes::three().melanoma(), Classes::seven().melanoma()), (Some(0), Some(4)));
    assert_eq!(Classes::named(&names(&["a", "b"])).unwrap().melanoma(), None);
    assert!(Classes::named(&names(&["a"])).is_err());
    assert!(Classes::named(&names(&["a", "b", "a"])).unwrap_err().to_string().contains("each once"));
}

#[test]
fn the_real_data_reads_as_its_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/derm/ham10000");
    if !root.is_dir() {
        println!("skipped: {} is not there", root.display());
        return;
    }
    let data = Dataset::open(&root).unwrap();
    assert_eq!(data.samples.len(), 9003);
    assert!(data.samples.iter().all(|s| s.mask.is_some() && s.label.is_some() && s.lesion.is_some()));
    assert_eq!(Split::ALL.map(|split| data.side(split).len()), [7144, 961, 898]);
}
