//! This run beside an older one.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rows::Row;
use crate::cli::table::table;
use crate::error::{Error, Result};

/// What is read of an older run's JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Old {
    device: String,
    total_ms_min: Option<f64>,
    rows: Vec<Row>,
    /// What was run, among other things.
    #[serde(flatten)]
    run: Map<String, Value>,
}

/// What tells the runs of networks apart; none of it stands in a bench of ops.
const WORK: [&str; 9] = ["model", "mode", "optimizer", "loss", "average", "precision", "batch", "height", "width"];

/// The work of a report.
fn work(report: &Map<String, Value>) -> Vec<Option<&Value>> {
    WORK.iter().map(|&key| report.get(key)).collect()
}

/// What got slower, and what the comparison rests on.
#[derive(Debug, PartialEq)]
pub(super) struct Compared {
    /// Rows that both runs have.
    pub matched: usize,
    /// What took longer by more than the share, slowest first: name, milliseconds then, and now.
    pub slower: Vec<(String, f64, f64)>,
    /// Whether both ran on the same device.
    pub same_device: bool,
    /// Whether both ran the same network in the same way, or ops.
    pub same_work: bool,
}

impl Old {
    /// Reads the JSON of a bench.
    ///
    /// # Errors
    /// [`Error::Data`] where it is none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        serde_json::from_str(&text).map_err(|error| Error::data(path, format!("is no bench's JSON: {error}")))
    }

    /// Compares with a newer report: the whole where it is the same work; rows are the same where op, layer and shape are;
    /// where several versions ran, the fastest counts.
    ///
    /// # Errors
    /// [`Error::Data`] for a report that is none.
    pub(super) fn compare(&self, report: &impl Serialize, share: f64) -> Result<Compared> {
        // By its text, as the other was read: a number of 32 bits is another as a JSON value.
        let new = serde_json::to_string(report).and_then(|text| serde_json::from_str::<Self>(&text));
        let new = new.map_err(|error| Error::data("the report", error.to_string()))?;
        Ok(self.beside(&new, share))
    }

    fn beside(&self, new: &Self, share: f64) -> Compared {
        let mut slower = Vec::new();
        let mut matched = 0;
        let mut note = |name: String, old: f64, new: f64| {
            matched += 1;
            if new > old * (1.0 + share) {
                slower.push((name, old, new));
            }
        };
        let same_work = work(&self.run) == work(&new.run);
        if let (Some(old), Some(new), true) = (self.total_ms_min, new.total_ms_min, same_work) {
            note("the whole".into(), old, new);
        }
        let key = |row: &Row| (row.op.clone(), row.name.clone(), row.shape.clone());
        let best = |rows: &[Row]| {
            let mut best: std::collections::BTreeMap<_, f64> = std::collections::BTreeMap::new();
            for row in rows {
                let least = best.entry(key(row)).or_insert(f64::INFINITY);
                *least = least.min(row.ms_min);
            }
            best
        };
        let old = best(&self.rows);
        for (key, new) in best(&new.rows) {
            if let Some(&old) = old.get(&key) {
                note(format!("{} {} {}", key.0, key.1, key.2), old, new);
            }
        }
        slower.sort_by(|a, b| (b.2 - b.1).total_cmp(&(a.2 - a.1)));
        Compared { matched, slower, same_device: self.device == new.device, same_work }
    }
}

impl Compared {
    /// What to print.
    pub(super) fn text(&self, share: f64) -> String {
        let device = if self.same_device { "" } else { "another device then: the comparison says little\n" };
        let work = if self.same_work { "" } else { "other work then: only calls of the same shapes are compared\n" };
        let heed = format!("{device}{work}");
        let percent = share * 100.0;
        if self.slower.is_empty() {
            return format!("{heed}none of {} figures is more than {percent:.0} % slower\n", self.matched);
        }
        let row = |(name, old, new): &(String, f64, f64)| {
            vec![name.clone(), format!("{old:.3}"), format!("{new:.3}"), format!("+{:.0}", (new / old - 1.0) * 100.0)]
        };
        let rows: Vec<_> = self.slower.iter().map(row).collect();
        let head = ["slower", "ms then", "ms now", "%"];
        format!("{heed}{}of {} figures\n", table(&head, &rows, &[1, 2, 3]), self.matched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, ms_min: f64) -> Row {
        Row {
            name: name.into(),
            op: "relu.forward".into(),
            version: "v".into(),
            shape: "1 -> 1".into(),
            dispatches: 1,
            ms_min,
            ms_median: ms_min,
            gflops: 0.0,
            gbps: 0.0,
            percent_of_peak: 0.0,
            percent_of_total: 0.0,
        }
    }

    fn report(device: &str, whole: Option<(f64, usize)>, rows: &[Row]) -> Old {
        let run = whole.map(|(_, batch)| ("batch".to_owned(), Value::from(batch)));
        let total_ms_min = whole.map(|(ms, _)| ms);
        Old { device: device.into(), total_ms_min, rows: rows.to_vec(), run: run.into_iter().collect() }
    }

    #[test]
    fn only_what_is_slower_by_more_than_the_share() {
        let old = report("a", Some((10.0, 8)), &[row("x", 1.0), row("y", 2.0)]);
        let new = [row("x", 1.3), row("y", 2.1), row("z", 9.0)];
        let compared = old.beside(&report("a", Some((11.5, 8)), &new), 0.1);
        assert_eq!((compared.matched, compared.same_device), (3, true));
        let names: Vec<&str> = compared.slower.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["the whole", "relu.forward x 1 -> 1"]);
        let other = old.beside(&report("b", Some((99.0, 16)), &new), 0.5);
        assert!(other.slower.is_empty() && !other.same_work, "another batch's whole is not compared");
        assert!(other.text(0.5).starts_with("another device"));
    }

    #[test]
    fn the_fastest_version_counts() {
        let old = report("a", None, &[row("x", 5.0), row("x", 1.0)]);
        assert!(old.beside(&report("a", None, &[row("x", 4.0), row("x", 1.05)]), 0.1).slower.is_empty());
        assert_eq!(old.beside(&report("a", None, &[row("x", 4.0), row("x", 2.0)]), 0.1).slower.len(), 1);
    }
}
