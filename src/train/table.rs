//! `metrics.csv`: a row per epoch under a header that stays.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::models::durable::write_durable;

/// A CSV file whose first column is the epoch and whose others are figures, some of them empty.
#[derive(Debug)]
pub struct MetricsTable {
    path: PathBuf,
    columns: usize,
    file: File,
    last: Option<u64>,
}

/// One epoch's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The epoch.
    pub epoch: u64,
    /// In the order of the columns; `None` where the field is empty.
    pub values: Vec<Option<f64>>,
}

impl MetricsTable {
    /// Opens the table at `path`, or makes it, and takes away every row that is not from an epoch below `epochs`: what a
    /// run that goes on from there will write again. A row that a kill cut short goes too.
    ///
    /// # Errors
    /// [`Error::Data`] where the file has other columns or cannot be read as a table, [`Error::Io`].
    pub fn open(path: impl AsRef<Path>, columns: &[&str], epochs: u64) -> Result<Self> {
        let path = path.as_ref();
        let mut rows = Vec::new();
        if path.exists() {
            let (found, all) = Self::read(path)?;
            if found != columns {
                let message = format!("has the columns {}, this run has {}", found.join(","), columns.join(","));
                return Err(Error::data(path, message));
            }
            rows = all;
            rows.retain(|row| row.epoch < epochs);
        }
        let mut text = line(std::iter::once("epoch").chain(columns.iter().copied()), path)?;
        for row in &rows {
            text.extend(row.line(path)?);
        }
        write_durable(path, |out| out.write_all(&text).map_err(Error::io(path)))?;
        let file = OpenOptions::new().append(true).open(path).map_err(Error::io(path))?;
        Ok(Self { path: path.to_path_buf(), columns: columns.len(), file, last: rows.last().map(|row| row.epoch) })
    }

    /// Adds an epoch's row, on the disk when this returns. A checkpoint that counts the epoch as done comes after it.
    /// Values that are not finite are left empty.
    ///
    /// # Errors
    /// [`Error::Data`] where the number of values is not that of the columns, or the epoch is not above the last one's.
    pub fn append(&mut self, epoch: u64, values: &[Option<f64>]) -> Result<()> {
        if values.len() != self.columns {
            let message = format!("a row of {} values, expected {}", values.len(), self.columns);
            return Err(Error::data(&self.path, message));
        }
        if let Some(last) = self.last.filter(|&last| last >= epoch) {
            return Err(Error::data(&self.path, format!("a row for epoch {epoch} after that of epoch {last}")));
        }
        let row = Row { epoch, values: values.to_vec() }.line(&self.path)?;
        self.file.write_all(&row).and_then(|()| self.file.sync_data()).map_err(Error::io(&self.path))?;
        self.last = Some(epoch);
        Ok(())
    }

    /// Reads a table: its columns but `epoch`, and its rows. A last line without an end is left out: a kill cut it short.
    ///
    /// # Errors
    /// [`Error::Data`] that names the line, [`Error::Io`].
    pub fn read(path: impl AsRef<Path>) -> Result<(Vec<String>, Vec<Row>)> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let mut reader = csv::Reader::from_reader(&bytes[..whole]);
        let wrong = |error: csv::Error| Error::data(path, format!("is no table of metrics: {error}"));
        let header = reader.headers().map_err(wrong)?.clone();
        if header.get(0) != Some("epoch") {
            return Err(Error::data(path, "is no table of metrics: its first column is not epoch"));
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(wrong)?;
            let at = record.position().map_or(0, csv::Position::line);
            let bad = |field: &str| Error::data(path, format!("line {at}: {field:?} is not a number"));
            let epoch = record.get(0).unwrap_or_default();
            let epoch = epoch.parse().map_err(|_| bad(epoch))?;
            let value = |field: &str| match field {
                "" => Ok(None),
                field => field.parse().map(Some).map_err(|_| bad(field)),
            };
            rows.push(Row { epoch, values: record.iter().skip(1).map(value).collect::<Result<_>>()? });
        }
        Ok((header.iter().skip(1).map(str::to_owned).collect(), rows))
    }
}

impl Row {
    fn line(&self, path: &Path) -> Result<Vec<u8>> {
        let field = |value: &Option<f64>| match value {
            Some(value) if value.is_finite() => value.to_string(),
            _ => String::new(),
        };
        line(std::iter::once(self.epoch.to_string()).chain(self.values.iter().map(field)), path)
    }
}

fn line<T: AsRef<[u8]>>(fields: impl Iterator<Item = T>, path: &Path) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields).map_err(|e| Error::data(path, e.to_string()))?;
    writer.into_inner().map_err(|e| Error::data(path, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [&str; 2] = ["train_loss", "val_iou"];

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.csv");
        (dir, path)
    }

    #[test]
    fn rows_are_appended_and_read_back_to_the_bit() {
        let (_dir, path) = place();
        let mut table = MetricsTable::open(&path, &COLUMNS, 0).unwrap();
        table.append(0, &[Some(0.1 + 0.2), None]).unwrap();
        table.append(1, &[Some(f64::NAN), Some(1e-300)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("epoch,train_loss,val_iou\n0,0.30000000000000004,\n1,,0.000"), "{text}");
        let (columns, rows) = MetricsTable::read(&path).unwrap();
        assert_eq!(columns, COLUMNS);
        assert_eq!(rows[0], Row { epoch: 0, values: vec![Some(0.1 + 0.2), None] });
        assert_eq!(rows[1].values, [None, Some(1e-300)]);
        assert!(table.append(1, &[None, None]).is_err());
        assert!(table.append(2, &[None]).is_err());
    }

    #[test]
    fn going_on_takes_later_and_torn_rows_away() {
        let (_dir, path) = place();
        std::fs::write(&path, "epoch,train_loss,val_iou\n0,3,\n1,2,0.5\n2,1,0.6\n3,0.").unwrap();
        let mut table = MetricsTable::open(&path, &COLUMNS, 2).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "epoch,train_loss,val_iou\n0,3,\n1,2,0.5\n");
        table.append(2, &[Some(1.5), Some(0.25)]).unwrap();
        assert_eq!(MetricsTable::read(&path).unwrap().1.len(), 3);
    }

    #[test]
    fn other_tables_are_left_alone() {
        let (_dir, path) = place();
        for (text, expected) in [
            ("epoch,loss\n0,1\n", "has the columns loss"),
            ("a,b\n", "first column is not epoch"),
            ("", "first column is not epoch"),
            ("epoch,train_loss,val_iou\n0,1\n", "is no table"),
            ("epoch,train_loss,val_iou\n0,1,x\n", "line 2: \"x\" is not a number"),
        ] {
            std::fs::write(&path, text).unwrap();
            let message = MetricsTable::open(&path, &COLUMNS, 9).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
