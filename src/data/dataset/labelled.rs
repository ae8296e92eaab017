//! A data set as a classifier sees it: photographs that each have a class.

use std::collections::BTreeSet;

use super::{Classes, Dataset, Layout, Sample, Split, split_by_lesion};
use crate::error::{Error, Result};

/// Shares of train, val and test where the data set brings no split.
const FRACTIONS: [f64; 3] = [0.8, 0.1, 0.1];
/// The share of train that becomes val, where the data set has sides but none to choose on.
const VAL_OF_TRAIN: f64 = 0.1;

/// Photographs with their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    /// What is told apart.
    pub classes: Classes,
    /// The photographs.
    pub samples: Vec<Sample>,
    /// The class of each, by its place in [`Classes::names`].
    pub indices: Vec<usize>,
}

impl Dataset {
    /// The classes it is sorted into: HAM10000's merged to `merge` (3 or 7, else 3), or those of its folders.
    ///
    /// # Errors
    /// [`Error::Data`] where a class folder is empty, there are fewer than two classes, or HAM10000's table has no `dx`;
    /// [`Error::Parameter`] for a merge of HAM10000 that is not known, or one of classes that are no diagnoses of HAM10000.
    pub fn classes(&self, merge: Option<usize>) -> Result<Classes> {
        self.refuse_without_dx()?;
        if let Some(folder) = self.empty_folders.first().filter(|_| self.layout == Layout::ClassFolders) {
            let hint = "remove the folder, or put its photographs there";
            return Err(Error::data(folder, format!("the class has no photograph (hint: {hint})")));
        }
        let classes = match (self.layout, merge) {
            (Layout::Ham10000, merge) => Classes::of_ham10000(merge.unwrap_or(3))?,
            (_, Some(count)) => {
                let classes = Classes::of_ham10000(count)?;
                classes.indices(&self.samples)?;
                classes
            }
            (_, None) => Classes::of_samples(&self.samples),
        };
        if classes.len() < 2 {
            let found = if classes.is_empty() { "none".to_owned() } else { classes.names().join(", ") };
            let message = format!("expected two classes or more, found {found} (hint: a folder for each class)");
            return Err(Error::data(&self.root, message));
        }
        Ok(classes)
    }

    /// Its photographs with their classes.
    ///
    /// # Errors
    /// [`Error::Data`] where one has no label, or a label that is none of the classes.
    pub fn labelled(&self, classes: &Classes) -> Result<Labelled> {
        self.refuse_without_dx()?;
        let mut indices = Vec::with_capacity(self.samples.len());
        for (sample, class) in self.samples.iter().zip(classes.indices(&self.samples)?) {
            match class {
                Some(class) => indices.push(class),
                None => {
                    let without = self.samples.iter().filter(|s| s.label.is_none()).count();
                    let (all, id) = (self.samples.len(), &sample.id);
                    let hint = "give each a dx in the table or a class folder, or --skip-unlabelled";
                    let message = format!("{without} of {all} photographs have no label, {id} first (hint: {hint})");
                    return Err(Error::data(&self.root, message));
                }
            }
        }
        Ok(Labelled { classes: classes.clone(), samples: self.samples.clone(), indices })
    }

    fn refuse_without_dx(&self) -> Result<()> {
        match self.lacking_columns.contains(&"dx") {
            true => Err(Error::data(&self.root, "the table lacks the column dx, which names the classes")),
            false => Ok(()),
        }
    }

    /// Leaves out the photographs without a label; returns how many there were.
    pub fn skip_unlabelled(&mut self) -> usize {
        let before = self.samples.len();
        self.samples.retain(|sample| sample.label.is_some());
        before - self.samples.len()
    }

    /// Gives every photograph a side where the data set brings none: 80, 10 and 10 % by lesion, classes spread alike.
    /// Where it has sides but no val, a tenth of train, again by lesion, becomes val. Returns what was drawn, for
    /// people; `None` where nothing had to be.
    ///
    /// # Errors
    /// [`Error::Parameter`], not in practice.
    pub fn draw_missing_sides(&mut self, seed: u64) -> Result<Option<String>> {
        if !self.has_split() {
            let sides = split_by_lesion(&self.samples, seed, FRACTIONS)?;
            for (sample, side) in self.samples.iter_mut().zip(sides) {
                sample.split = Some(side);
            }
            return Ok(Some(format!(
                "no split.csv: 80 % train, 10 % val and 10 % test were drawn {}",
                self.drawn_by()
            )));
        }
        if self.has_side(Split::Val) {
            return Ok(None);
        }
        let train = self.side(Split::Train);
        let sides = split_by_lesion(&train, seed, [1.0 - VAL_OF_TRAIN, VAL_OF_TRAIN, 0.0])?;
        let of_train = self.samples.iter_mut().filter(|sample| sample.split == Some(Split::Train));
        for (sample, side) in of_train.zip(sides) {
            sample.split = Some(side);
        }
        Ok(Some(format!("the split has no val: a tenth of train was drawn for it {}", self.drawn_by())))
    }

    /// What keeps together in a draw.
    fn drawn_by(&self) -> &'static str {
        match self.samples.iter().any(|sample| sample.lesion.is_some()) {
            true => "by lesion",
            false => "photograph by photograph, for which of them show the same lesion is not known",
        }
    }
}

impl Labelled {
    /// The photographs on one side of the split.
    #[must_use]
    pub fn side(&self, split: Split) -> Self {
        let chosen = self.samples.iter().zip(&self.indices).filter(|(sample, _)| sample.split == Some(split));
        let (samples, indices) = chosen.map(|(sample, &class)| (sample.clone(), class)).unzip();
        Self { classes: self.classes.clone(), samples, indices }
    }

    /// Without the photographs at these places.
    #[must_use]
    pub fn without(&self, places: &BTreeSet<usize>) -> Self {
        let chosen = self.samples.iter().zip(&self.indices).enumerate().filter(|(at, _)| !places.contains(at));
        let (samples, indices) = chosen.map(|(_, (sample, &class))| (sample.clone(), class)).unzip();
        Self { classes: self.classes.clone(), samples, indices }
    }

    /// Every k-th photograph, the first being among them, k as small as leaves no more than `most`.
    #[must_use]
    pub fn thinned(&self, most: usize) -> Self {
        let step = self.samples.len().div_ceil(most.max(1)).max(1);
        let samples = self.samples.iter().step_by(step).cloned().collect();
        let indices = self.indices.iter().step_by(step).copied().collect();
        Self { classes: self.classes.clone(), samples, indices }
    }

    /// How many photographs each class has.
    #[must_use]
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &class in &self.indices {
            counts[class] += 1;
        }
        counts
    }

    /// A weight for each class: its share of the photographs to the power −`power` (0 weighs all alike, 1 gives every
    /// class the same say), scaled so that the mean over photographs is 1.
    ///
    /// # Errors
    /// [`Error::Data`] for a class without a photograph, [`Error::Parameter`] for a power outside 0 to 2.
    pub fn class_weights(&self, power: f32) -> Result<Vec<f32>> {
        if !(0.0..=2.0).contains(&power) {
            return Err(Error::parameter("class weights", format!("the power is {power}, expected 0 to 2")));
        }
        self.refuse_empty()?;
        let counts: Vec<f64> = self.counts().into_iter().map(|count| count as f64).collect();
        let all: f64 = counts.iter().sum();
        let raw: Vec<f64> = counts.iter().map(|count| (count / all).powf(-f64::from(power))).collect();
        let mean = counts.iter().zip(&raw).map(|(count, weight)| count * weight).sum::<f64>() / all;
        Ok(raw.into_iter().map(|weight| (weight / mean) as f32).collect())
    }

    /// Refuses a class that no photograph belongs to.
    ///
    /// # Errors
    /// [`Error::Data`] that names it.
    pub fn refuse_empty(&self) -> Result<()> {
        let Some(class) = self.counts().iter().position(|&count| count == 0) else { return Ok(()) };
        let name = &self.classes.names()[class];
        let message = format!("none of its {} photographs is of the class {name}", self.samples.len());
        Err(Error::data("the training side", message))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
    }

    #[test]
    fn folders_give_their_names_and_missing_sides_are_drawn() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..20).map(|i| format!("{}/{i}.jpg", if i < 15 { "wart" } else { "mole" })).collect();
        touch(dir.path(), &names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut data = Dataset::open(dir.path()).unwrap();
        let classes = data.classes(None).unwrap();
        assert_eq!(classes.names(), ["mole", "wart"]);
        assert!(data.classes(Some(3)).unwrap_err().to_string().contains("none of the classes MEL, NV, Other_SC"));
        assert!(data.draw_missing_sides(1).unwrap().is_some());
        assert_eq!(data.draw_missing_sides(1).unwrap(), None);
        let all = data.labelled(&classes).unwrap();
        assert_eq!(all.counts(), [5, 15]);
        let sides = Split::ALL.map(|side| all.side(side).samples.len());
        assert_eq!(sides, [16, 2, 2]);
        assert_eq!(all.side(Split::Train).counts(), [4, 12]);
    }

    #[test]
    fn folders_without_val_give_a_tenth_of_train() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..40).map(|i| format!("train/{}/{i}.jpg", if i < 20 { "a" } else { "b" })).collect();
        touch(dir.path(), &names.iter().map(String::as_str).collect::<Vec<_>>());
        touch(dir.path(), &["test/a/1.jpg", "test/b/1.jpg"]);
        let mut data = Dataset::open(dir.path()).unwrap();
        assert!(data.draw_missing_sides(3).unwrap().unwrap().contains("no val"));
        assert_eq!(Split::ALL.map(|side| data.side(side).len()), [36, 4, 2]);
    }

    #[test]
    fn what_is_no_data_set_for_a_classifier_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["wart/1.jpg"]);
        let refused = || Dataset::open(dir.path()).unwrap().classes(None).unwrap_err().to_string();
        assert!(refused().contains("two classes or more, found wart"), "{}", refused());
        fs::create_dir(dir.path().join("mole")).unwrap();
        assert!(refused().contains("mole") && refused().contains("no photograph"), "{}", refused());
        let ham = tempfile::tempdir().unwrap();
        touch(ham.path(), &["ISIC_1.jpg", "ISIC_2.jpg", "ISIC_3.jpg"]);
        let table = ham.path().join("HAM10000_metadata.csv");
        fs::write(&table, "lesion_id,image_id,dx\nH1,ISIC_1,nv\nH2,ISIC_2,\n").unwrap();
        let mut data = Dataset::open(ham.path()).unwrap();
        let classes = data.classes(None).unwrap();
        let message = data.labelled(&classes).unwrap_err().to_string();
        assert!(message.contains("2 of 3 photographs have no label, ISIC_2 first"), "{message}");
        assert_eq!(data.skip_unlabelled(), 2);
        assert_eq!(data.labelled(&classes).unwrap().indices, [1]);
        assert!(data.labelled(&classes).unwrap().class_weights(1.0).unwrap_err().to_string().contains("MEL"));
        assert!(data.classes(Some(5)).is_err());
        fs::write(&table, "lesion_id,image_id,dx\nH1,ISIC_1,wart\n").unwrap();
        data = Dataset::open(ham.path()).unwrap();
        data.skip_unlabelled();
        assert!(data.labelled(&classes).unwrap_err().to_string().contains("\"wart\" is none of the classes"));
    }

    #[test]
    fn weights_by_hand() {
        let sample = |i: usize| Sample {
            id: i.to_string(),
            image: "a/b.jpg".into(),
            mask: None,
            label: Some(if i < 3 { "x" } else { "y" }.into()),
            lesion: None,
            split: None,
        };
        let samples: Vec<Sample> = (0..12).map(sample).collect();
        let classes = Classes::of_samples(&samples);
        let indices = classes.indices(&samples).unwrap().into_iter().flatten().collect();
        let labelled = Labelled { classes, samples, indices };
        // Counts 3 and 9. Power 1: 4 and 4/3, mean over photographs (3·4 + 9·4/3) / 12 = 2.
        let near = |got: Vec<f32>, want: [f32; 2]| got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-6);
        assert!(near(labelled.class_weights(1.0).unwrap(), [2.0, 2.0 / 3.0]));
        // Power ½: 2 and 2/√3, mean (6 + 18/√3) / 12.
        let (a, b) = (2.0f32, 2.0 / 3f32.sqrt());
        let mean = (3.0 * a + 9.0 * b) / 12.0;
        assert!(near(labelled.class_weights(0.5).unwrap(), [a / mean, b / mean]));
        assert!(near(labelled.class_weights(0.0).unwrap(), [1.0, 1.0]));
        assert!(labelled.class_weights(f32::NAN).is_err());
    }
}
