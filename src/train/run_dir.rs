//! The folder of a run: `config.json`, `metrics.csv`, `versions.json`, checkpoints. A run never writes over another.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::checkpoint::{BEST, LAST, STATE};
use super::table::MetricsTable;
use crate::error::{Error, Result};
use crate::models::durable::{UNFINISHED, write_durable};
use crate::models::weights::Weights;
use crate::plan::{PlanOptions, VersionTable};

/// The run's configuration.
pub const CONFIG: &str = "config.json";
/// The run's figures by epoch.
pub const METRICS: &str = "metrics.csv";
/// The table of versions that the run began with, where there was one.
pub const VERSIONS: &str = "versions.json";

/// Refuses to fill a run that started from weights without them: it is gone on with before its first checkpoint.
pub(super) fn refuse_lost_start(digest: Option<&str>, init: Option<&Weights>) -> Result<()> {
    match (digest, init) {
        (Some(_), None) => {
            let message = "the run has no checkpoint yet, so the weights it starts from are needed (hint: --init FILE)";
            Err(Error::parameter("train", message))
        }
        _ => Ok(()),
    }
}

/// A run's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// The first file of a run that is in `path` already, if one is.
    #[must_use]
    pub fn holds(path: &Path) -> Option<&'static str> {
        [CONFIG, METRICS, STATE, LAST, BEST].into_iter().find(|file| path.join(file).exists())
    }

    /// Starts a run in `path`, which is made where it is not there, and writes its `config.json`.
    ///
    /// # Errors
    /// [`Error::Data`] where the folder holds a run already, [`Error::Io`].
    pub fn create<C: Serialize>(path: impl AsRef<Path>, config: &C) -> Result<Self> {
        let path = path.as_ref();
        if let Some(file) = Self::holds(path) {
            let message = format!("holds a run already: {file} (hint: --resume goes on with it, --out names another)");
            return Err(Error::data(path, message));
        }
        std::fs::create_dir_all(path).map_err(Error::io(path))?;
        let dir = Self { path: path.to_path_buf() };
        dir.write_config(config)?;
        Ok(dir)
    }

    /// The configuration of the run in `path`.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no run, or its configuration is of another kind.
    pub fn config<C: DeserializeOwned>(path: impl AsRef<Path>) -> Result<C> {
        let path = path.as_ref();
        let file = path.join(CONFIG);
        serde_json::from_str(&read(path)?).map_err(|e| Error::data(&file, format!("is not of such a run: {e}")))
    }

    /// Goes on with the run in `path`. `config` must equal its `config.json` but for the keys `free` (`schedule.decay.total`
    /// by path), whose new values are written there. What a killed run left unfinished is removed.
    ///
    /// # Errors
    /// [`Error::Data`] where there is no run, or the configuration differs: the message names the keys.
    pub fn resume<C: Serialize>(path: impl AsRef<Path>, config: &C, free: &[&str]) -> Result<Self> {
        let path = path.as_ref();
        let file = path.join(CONFIG);
        let known: Value =
            serde_json::from_str(&read(path)?).map_err(|e| Error::data(&file, format!("is damaged: {e}")))?;
        let wanted = value(config, &file)?;
        let mut found = Vec::new();
        differences("", &known, &wanted, &mut found);
        let is_free = |key: &str| free.iter().any(|free| key == *free || key.starts_with(&format!("{free}.")));
        let refused: Vec<String> =
            found.iter().filter(|(key, _)| !is_free(key)).map(|(_, text)| text.clone()).collect();
        if !refused.is_empty() {
            let hint = "a flag that is left out keeps the run's value";
            let refused = refused.join("; ");
            let message = format!("the run to go on with has another configuration: {refused} (hint: {hint})");
            return Err(Error::data(&file, message));
        }
        let dir = Self { path: path.to_path_buf() };
        dir.remove_unfinished()?;
        if !found.is_empty() {
            dir.write_config(config)?;
        }
        Ok(dir)
    }

    /// How the run in `path` is planned to its end: a new one as `planning` says, one to go on with by the table of
    /// versions that it began with, so that its bits stay the same whatever was measured since.
    ///
    /// # Errors
    /// [`Error::Data`] where that table is damaged.
    pub fn planning(path: impl AsRef<Path>, resume: bool, planning: &PlanOptions) -> Result<PlanOptions> {
        let file = path.as_ref().join(VERSIONS);
        let table = match resume {
            false => planning.table.clone(),
            true if file.is_file() => Some(Arc::new(VersionTable::open(&file)?)),
            true => None,
        };
        Ok(PlanOptions { table, ..planning.clone() })
    }

    /// [`RunDir::create`], and keeps the table of versions that the run is planned by.
    ///
    /// # Errors
    /// As [`RunDir::create`].
    pub fn planned<C: Serialize>(path: impl AsRef<Path>, config: &C, planning: &PlanOptions) -> Result<Self> {
        let dir = Self::create(path, config)?;
        if let Some(table) = &planning.table {
            let (path, text) = (dir.file(VERSIONS), table.text()?);
            write_durable(&path, |out| out.write_all(text.as_bytes()).map_err(Error::io(&path)))?;
        }
        Ok(dir)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The place of a file of the run.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// `metrics.csv`, with the rows of the first `epochs` epochs: 0 for a new run.
    ///
    /// # Errors
    /// As [`MetricsTable::open`].
    pub fn metrics(&self, columns: &[&str], epochs: u64) -> Result<MetricsTable> {
        MetricsTable::open(self.file(METRICS), columns, epochs)
    }

    fn write_config<C: Serialize>(&self, config: &C) -> Result<()> {
        let path = self.file(CONFIG);
        let mut text = serde_json::to_vec_pretty(config).map_err(|e| Error::data(&path, e.to_string()))?;
        text.push(b'\n');
        write_durable(&path, |out| out.write_all(&text).map_err(Error::io(&path)))
    }

    fn remove_unfinished(&self) -> Result<()> {
        for entry in std::fs::read_dir(&self.path).map_err(Error::io(&self.path))? {
            let entry = entry.map_err(Error::io(&self.path))?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                std::fs::remove_file(entry.path()).map_err(Error::io(entry.path()))?;
            }
        }
        Ok(())
    }
}

/// The text of a run's `config.json`.
fn read(path: &Path) -> Result<String> {
    let file = path.join(CONFIG);
    if !file.is_file() {
        return Err(Error::data(path, format!("holds no run to go on with: it has no {CONFIG}")));
    }
    std::fs::read_to_string(&file).map_err(Error::io(&file))
}

/// A hash of a configuration, but for the keys `free`, by path: what a checkpoint keeps of it.
///
/// # Errors
/// [`Error::Data`] where `config` has no JSON form.
pub fn config_hash<C: Serialize>(config: &C, free: &[&str]) -> Result<String> {
    let mut value = value(config, Path::new(CONFIG))?;
    for path in free {
        let (parent, key) = path.rsplit_once('.').map_or(("", *path), |(parent, key)| (parent, key));
        let parent =
            parent.split('.').filter(|part| !part.is_empty()).try_fold(&mut value, |at, part| at.get_mut(part));
        if let Some(Value::Object(entries)) = parent {
            entries.remove(key);
        }
    }
    Ok(blake3::hash(value.to_string().as_bytes()).to_hex().to_string())
}

/// A configuration as it comes back from a file: an `f32` has other digits as a JSON value than in a text.
fn value<C: Serialize>(config: &C, path: &Path) -> Result<Value> {
    let text = serde_json::to_string(config).map_err(|e| Error::data(path, e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| Error::data(path, e.to_string()))
}

/// The keys, by path, whose values differ, each with both.
fn differences(at: &str, known: &Value, wanted: &Value, found: &mut Vec<(String, String)>) {
    if let (Value::Object(a), Value::Object(b)) = (known, wanted) {
        let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
        for (key, a) in a {
            differences(&below(key), a, b.get(key).unwrap_or(&Value::Null), found);
        }
        for (key, b) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
            differences(&below(key), &Value::Null, b, found);
        }
    } else if known != wanted {
        found.push((at.to_owned(), format!("{at} is {known} in the run, {wanted} now")));
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::plan::table::Origin;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Config {
        lr: f32,
        epochs: u64,
        augment: Augment,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Augment {
        hair: f32,
    }

    const CONFIGURED: Config = Config { lr: 1e-3, epochs: 8, augment: Augment { hair: 0.1 } };

    #[test]
    fn a_run_does_not_write_over_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/run");
        let run = RunDir::create(&path, &CONFIGURED).unwrap();
        assert!(std::fs::read_to_string(run.file(CONFIG)).unwrap().contains("\"lr\": 0.001,"));
        let message = RunDir::create(&path, &CONFIGURED).unwrap_err().to_string();
        assert!(message.contains("config.json (hint: --resume"), "{message}");
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::fs::write(other.join(BEST), "").unwrap();
        assert!(RunDir::create(&other, &CONFIGURED).is_err());
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(RunDir::create(dir.path().join("file"), &CONFIGURED).is_err());
    }

    #[test]
    fn goes_on_with_the_same_configuration_only() {
        let dir = tempfile::tempdir().unwrap();
        assert!(RunDir::resume(dir.path(), &CONFIGURED, &[]).unwrap_err().to_string().contains("no run to go on"));
        assert!(RunDir::config::<Config>(dir.path()).unwrap_err().to_string().contains("no run to go on"));
        let run = RunDir::create(dir.path(), &CONFIGURED).unwrap();
        std::fs::write(run.file(".nevus-x1y2"), "half").unwrap();
        assert_eq!(RunDir::resume(dir.path(), &CONFIGURED, &[]).unwrap(), run);
        assert_eq!(RunDir::config::<Config>(dir.path()).unwrap(), CONFIGURED);
        let message = RunDir::config::<Augment>(dir.path()).unwrap_err().to_string();
        assert!(message.contains("config.json: is not of such a run"), "{message}");
        assert!(!run.file(".nevus-x1y2").exists());
        let longer = Config { epochs: 9, ..CONFIGURED };
        let message = RunDir::resume(dir.path(), &longer, &[]).unwrap_err().to_string();
        assert!(message.contains("another configuration: epochs is 8 in the run, 9 now (hint: "), "{message}");
        RunDir::resume(dir.path(), &longer, &["epochs"]).unwrap();
        assert!(std::fs::read_to_string(run.file(CONFIG)).unwrap().contains("\"epochs\": 9"));
        let hairy = Config { augment: Augment { hair: 0.2 }, ..CONFIGURED };
        let message = RunDir::resume(dir.path(), &hairy, &["epochs"]).unwrap_err().to_string();
        assert!(message.contains("augment.hair is 0.1 in the run, 0.2 now"), "{message}");
        RunDir::resume(dir.path(), &hairy, &["epochs", "augment.hair"]).unwrap();
        RunDir::resume(dir.path(), &longer, &["augment", "epochs"]).unwrap();
        std::fs::write(run.file(CONFIG), "{").unwrap();
        assert!(RunDir::resume(dir.path(), &longer, &[]).unwrap_err().to_string().contains("is damaged"));
    }

    #[test]
    fn the_hash_follows_the_configuration_but_for_the_free_keys() {
        let hash = |config: &Config| config_hash(config, &["epochs"]).unwrap();
        assert_eq!(hash(&CONFIGURED), hash(&Config { epochs: 99, ..CONFIGURED }));
        assert_ne!(hash(&CONFIGURED), hash(&Config { lr: 2e-3, ..CONFIGURED }));
        let nested =
            |hair: f32| config_hash(&Config { augment: Augment { hair }, ..CONFIGURED }, &["augment.hair", "no.such"]);
        assert_eq!(nested(0.1).unwrap(), nested(0.7).unwrap());
        let (a, b) = (json!({ "x": 1, "y": 2 }), json!({ "y": 2, "x": 1 }));
        assert_eq!(config_hash(&a, &[]).unwrap(), config_hash(&b, &[]).unwrap());
    }

    #[test]
    fn a_resumed_run_is_planned_by_the_table_it_began_with() {
        let dir = tempfile::tempdir().unwrap();
        let origin = |adapter: &str| Origin { family: "a".into(), adapter: adapter.into(), shaders: "0".into() };
        let with = |adapter| {
            let table = Some(Arc::new(VersionTable::new(origin(adapter))));
            PlanOptions { table, share: false, ..PlanOptions::default() }
        };
        let planned = |resume, options: &PlanOptions| {
            let PlanOptions { table, share, .. } = RunDir::planning(dir.path(), resume, options).unwrap();
            assert!(!share);
            table.map(|table| table.origin.adapter.clone())
        };
        assert_eq!(planned(false, &with("now")).as_deref(), Some("now"));
        assert_eq!(planned(true, &with("now")), None, "a run that began without a table");
        let run = RunDir::planned(dir.path(), &CONFIGURED, &with("then")).unwrap();
        assert_eq!(planned(true, &with("now")).as_deref(), Some("then"));
        std::fs::write(run.file(VERSIONS), "{").unwrap();
        let message = RunDir::planning(dir.path(), true, &with("now")).unwrap_err().to_string();
        assert!(message.contains("versions.json: is no table"), "{message}");
    }

    #[test]
    fn metrics_of_a_resumed_run_end_where_it_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::create(dir.path(), &CONFIGURED).unwrap();
        let mut metrics = run.metrics(&["loss"], 0).unwrap();
        for epoch in 0..3 {
            metrics.append(epoch, &[Some(1.0)]).unwrap();
        }
        run.metrics(&["loss"], 2).unwrap();
        let (_, rows) = MetricsTable::read(run.file(METRICS)).unwrap();
        assert_eq!(rows.iter().map(|row| row.epoch).collect::<Vec<_>>(), [0, 1]);
    }
}
