//! The HAM10000 layout: a table, images and masks anywhere below.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Sample, walk};
use crate::error::{Error, Result};

/// The column that every table has; `dx_type`, `age`, `sex`, `localization` and others may be there.
const ID: &str = "image_id";
/// The columns that some work can do without: drawing a split the first, outlining the second.
const OPTIONAL: [&str; 2] = ["lesion_id", "dx"];

/// What a table says.
pub(super) struct Read {
    pub samples: Vec<Sample>,
    /// The table's ids that have no image.
    pub without_image: Vec<String>,
    /// The columns of [`OPTIONAL`] that the table lacks.
    pub lacking: Vec<&'static str>,
}

/// The table's path, where the folder has one.
pub(super) fn table(root: &Path) -> Option<PathBuf> {
    ["HAM10000_metadata.csv", "HAM10000_metadata"].iter().map(|name| root.join(name)).find(|path| path.is_file())
}

pub(super) fn read(root: &Path, table: &Path) -> Result<Read> {
    let mut photos: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut masks: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in walk::images(root)? {
        let stem = walk::stem(&path);
        let (map, id) = match walk::without_mask_ending(&stem) {
            Some(id) => (&mut masks, id.to_owned()),
            None => (&mut photos, stem),
        };
        if let Some(first) = map.get(&id) {
            let second = path.display();
            tracing::warn!(id, first = %first.display(), %second, "two files of one name; took the first");
        } else {
            map.insert(id, path);
        }
    }
    let mut samples = Vec::new();
    let mut without_image = Vec::new();
    let (rows, lacking) = rows(table)?;
    for row in rows {
        match photos.remove(&row.image) {
            Some(image) => samples.push(Sample {
                mask: masks.remove(&row.image),
                id: row.image,
                image,
                label: row.dx,
                lesion: row.lesion,
                split: None,
            }),
            None => without_image.push(row.image),
        }
    }
    for (id, image) in photos.into_iter().filter(|(id, _)| is_isic(id)) {
        samples.push(Sample { mask: masks.remove(&id), id, image, label: None, lesion: None, split: None });
    }
    if samples.is_empty() && !without_image.is_empty() {
        let first = &without_image[0];
        let message =
            format!("none of its {} rows has an image below the folder (first: {first})", without_image.len());
        return Err(Error::data(table, message));
    }
    Ok(Read { samples, without_image, lacking })
}

/// Whether a name is the ISIC archive's: other pictures below the folder (plots, sheets) are no photographs.
fn is_isic(id: &str) -> bool {
    id.strip_prefix("ISIC_").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
}

struct Row {
    image: String,
    lesion: Option<String>,
    dx: Option<String>,
}

/// The rows, and the columns of [`OPTIONAL`] that are not there.
fn rows(table: &Path) -> Result<(Vec<Row>, Vec<&'static str>)> {
    let bad = |error: csv::Error| Error::data(table, format!("not a readable CSV: {error}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(table).map_err(bad)?;
    let header = reader.headers().map_err(bad)?;
    let [image] = columns(table, header, [ID])?;
    let [lesion, dx] = OPTIONAL.map(|name| place(header, name));
    let lacking = OPTIONAL.into_iter().filter(|name| place(header, name).is_none()).collect();
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(bad)?;
        let field = |column: usize| record.get(column).filter(|v| !v.is_empty()).map(str::to_owned);
        let Some(id) = field(image) else {
            return Err(Error::data(table, format!("row {} has no {ID}", number + 1)));
        };
        if !seen.insert(id.clone()) {
            return Err(Error::data(table, format!("row {}: {ID} {id} stands there twice", number + 1)));
        }
        let (lesion, dx) = (lesion.and_then(field), dx.and_then(field).map(|dx| dx.to_ascii_lowercase()));
        rows.push(Row { image: id, lesion, dx });
    }
    if rows.is_empty() {
        return Err(Error::data(table, "the table has no rows"));
    }
    Ok((rows, lacking))
}

/// Where a column stands, whatever the case of its name.
fn place(header: &csv::StringRecord, name: &str) -> Option<usize> {
    header.iter().position(|have| have.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
}

/// Where the wanted columns stand; names what is missing and what is there.
pub(super) fn columns<const N: usize>(
    table: &Path,
    header: &csv::StringRecord,
    wanted: [&str; N],
) -> Result<[usize; N]> {
    let missing: Vec<&str> = wanted.iter().copied().filter(|name| place(header, name).is_none()).collect();
    if !missing.is_empty() {
        let have: Vec<&str> = header.iter().collect();
        let message = format!("lacks the column {}; has {}", missing.join(", "), have.join(", "));
        return Err(Error::data(table, message));
    }
    Ok(wanted.map(|name| place(header, name).unwrap_or(0)))
}
