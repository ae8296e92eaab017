//! Which version of a kernel is the fastest for which class of calls, as it was measured on an adapter: a table that a
//! plan chooses by, kept in a file that people can read, compare and merge.

mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops;

pub use store::{file, in_force, own, shipped};

/// The version of the file that this program writes, and the only one that it reads.
pub const SCHEMA: u32 = 1;

/// What a table was measured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The adapter's name in small letters, up to what stands in parentheses: the same for every driver. Of that, a software
    /// driver's vectors where they are of 512 bits.
    pub family: String,
    /// Adapter, backend and driver.
    pub adapter: String,
    /// Digest of the shaders.
    pub shaders: String,
}

impl Origin {
    /// Of measurements on this device.
    #[must_use]
    pub fn of(gpu: &Gpu) -> Self {
        let adapter = gpu.caps().describe();
        Self { family: family(&gpu.caps().adapter.name), adapter, shaders: gpu.shaders().digest() }
    }
}

/// The family of an adapter of this name: what lavapipe compiles for vectors of 512 bits is one of its own.
fn family(name: &str) -> String {
    let model = name.split(" (").next().unwrap_or(name).trim().to_lowercase();
    if name.contains(", 512 bits)") { format!("{model}, 512 bits") } else { model }
}

/// What was measured for one class of calls of one kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRow {
    /// The kernel, `conv2d.forward` say.
    pub kernel: String,
    /// The [class](crate::ops::class) of calls.
    pub class: String,
    /// The version to take, by its shader.
    pub version: String,
    /// Its milliseconds.
    pub ms: f64,
    /// The version that would be taken without a table.
    pub usual: String,
    /// Its milliseconds, measured in turns with the other's.
    pub usual_ms: f64,
    /// 10⁹ operations a second of the version to take.
    pub gflops: f64,
    /// The shapes of the call that was measured.
    pub shape: String,
}

impl TableRow {
    /// How many times as fast the version to take is as the usual one: 1 where it is that one.
    #[must_use]
    pub fn gain(&self) -> f64 {
        self.usual_ms / self.ms
    }

    fn check(&self) -> Result<(), String> {
        let numbers = [("ms", self.ms, f64::MIN_POSITIVE), ("usual_ms", self.usual_ms, f64::MIN_POSITIVE)];
        for (name, value, least) in numbers.into_iter().chain([("gflops", self.gflops, 0.0)]) {
            if !(value.is_finite() && value >= least) {
                return Err(format!("{} {:?}: {name} is {value}, expected above 0", self.kernel, self.class));
            }
        }
        Ok(())
    }

    /// Whether the kernel and both versions are there still.
    fn known(&self) -> bool {
        let has = |version: &str, kernel: &ops::Kernel| kernel.versions.iter().any(|known| known.shader == version);
        ops::kernel(&self.kernel).is_some_and(|kernel| has(&self.version, kernel) && has(&self.usual, kernel))
    }
}

/// A table: for a kernel and a class of calls one row.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionTable {
    /// What it was measured on.
    pub origin: Origin,
    /// By kernel, then by class.
    rows: BTreeMap<String, BTreeMap<String, TableRow>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: u32,
    #[serde(rename = "nevus")]
    _nevus: String,
    family: String,
    adapter: String,
    shaders: String,
    rows: Vec<TableRow>,
}

impl VersionTable {
    /// A table without rows.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self { origin, rows: BTreeMap::new() }
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.values().map(BTreeMap::len).sum()
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every row, by kernel and class.
    pub fn rows(&self) -> impl Iterator<Item = &TableRow> {
        self.rows.values().flat_map(BTreeMap::values)
    }

    /// What it says of a class of calls.
    #[must_use]
    pub fn get(&self, kernel: &str, class: &str) -> Option<&TableRow> {
        self.rows.get(kernel)?.get(class)
    }

    /// Puts a row in the place of its kernel and class.
    pub fn insert(&mut self, row: TableRow) {
        self.rows.entry(row.kernel.clone()).or_default().insert(row.class.clone(), row);
    }

    /// Takes every row of `newer`, over its own.
    pub fn update(&mut self, newer: &Self) {
        newer.rows().for_each(|row| self.insert(row.clone()));
    }

    /// Takes the rows of a table of the same family; of two rows that which reached more operations a second. The
    /// result does not depend on the order in which tables are merged.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a table of another family, or of other shaders.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let (own, its) = (&self.origin, &other.origin);
        if own.family != its.family || own.shaders != its.shaders {
            let message = format!(
                "a table of {:?} with shaders {} does not go with one of {:?} with shaders {}",
                its.family, its.shaders, own.family, own.shaders
            );
            return Err(Error::parameter("merge", message));
        }
        if its.adapter < own.adapter {
            self.origin.adapter.clone_from(&other.origin.adapter);
        }
        for row in other.rows() {
            let stays = self.get(&row.kernel, &row.class).is_some_and(|known| !better(row, known));
            if !stays {
                self.insert(row.clone());
            }
        }
        Ok(())
    }

    /// Reads the text of a file. Rows of kernels or versions that are not known are left out, with a warning.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| format!("is no table: {error}"))?;
        if value["schema"] != SCHEMA {
            return Err(format!("has schema {}, expected {SCHEMA}", value["schema"]));
        }
        let file: File = serde_json::from_value(value).map_err(|error| format!("is no table: {error}"))?;
        debug_assert_eq!(file.schema, SCHEMA);
        let mut table = Self::new(Origin { family: file.family, adapter: file.adapter, shaders: file.shaders });
        for row in file.rows {
            row.check()?;
            if table.get(&row.kernel, &row.class).is_some() {
                return Err(format!("has {} {:?} twice", row.kernel, row.class));
            }
            if row.known() {
                table.insert(row);
            } else {
                let TableRow { kernel, class, version, .. } = row;
                tracing::warn!("a row of the table of versions is passed over: {kernel} {class:?} {version}");
            }
        }
        Ok(table)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] where it is no table.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        Self::parse(&text).map_err(|message| Error::data(path, message))
    }

    /// The text of its file: JSON, with a line for each row.
    ///
    /// # Errors
    /// [`Error::Parameter`] where a number has no JSON form.
    pub fn text(&self) -> Result<String> {
        fn json(value: &impl Serialize) -> Result<String> {
            serde_json::to_string(value).map_err(|error| Error::parameter("versions", error.to_string()))
        }
        let Origin { family, adapter, shaders } = &self.origin;
        let mut text = format!("{{\n  \"schema\": {SCHEMA},\n");
        let nevus = env!("CARGO_PKG_VERSION");
        for (name, value) in [("nevus", nevus), ("family", family), ("adapter", adapter), ("shaders", shaders)] {
            let _ = writeln!(text, "  \"{name}\": {},", json(&value)?);
        }
        let rows = self.rows().map(|row| Ok(format!("\n    {}", json(row)?))).collect::<Result<Vec<_>>>()?;
        let end = if rows.is_empty() { "" } else { "\n  " };
        let _ = writeln!(text, "  \"rows\": [{}{end}]\n}}", rows.join(","));
        Ok(text)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        super::avoid::replace(path.as_ref(), self.text()?.as_bytes())
    }
}

/// Whether `row` goes before `other`: the faster one; of two that are as fast, the first by its text.
fn better(row: &TableRow, other: &TableRow) -> bool {
    let names = |row: &TableRow| (row.version.clone(), row.usual.clone(), row.shape.clone());
    let order = row.gflops.total_cmp(&other.gflops).then(other.ms.total_cmp(&row.ms));
    let order = order.then_with(|| names(other).cmp(&names(row))).then(other.usual_ms.total_cmp(&row.usual_ms));
    order.is_gt()
}
