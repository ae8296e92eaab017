//! What `nevus analyze` hands over: a page for people, the same facts as JSON, and the pictures.

mod article;
mod facts;
mod guidance;
mod heat;
mod legend;
mod page;
#[cfg(test)]
mod tests;
mod words;

pub use self::facts::{
    Case, ClassProbability, Classification, Lesion, NotClassified, PictureFiles, ReportFailure, ReportHead, View,
    Warning,
};
pub use self::guidance::{ClassGuidance, Guidance, Lang, Source, Statement, Text, is_melanoma};
pub use self::heat::{heat, is_flat};
pub use self::page::{AnalysisReport, PER_PAGE, Pictures, Written};
