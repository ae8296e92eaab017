//! What of val a run could not read.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::data::{Sample, Unreadable};
use crate::error::{Error, Result};

/// Photographs of val that could not be read, each once.
#[derive(Debug, Default)]
pub(super) struct Lost(RefCell<BTreeSet<String>>);

impl Lost {
    /// How many.
    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// None yet of these samples, whose files are all there.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Image`] for the first that cannot be opened.
    pub(super) fn none_of(samples: &[Sample]) -> Result<Self> {
        samples.iter().try_for_each(Sample::can_open)?;
        Ok(Self::default())
    }

    /// Keeps their names, and warns of those that are new.
    ///
    /// # Errors
    /// [`Error::Data`] for a file that is not there any more: what is measured without it would choose other weights than
    /// what is measured when it is back.
    pub(super) fn note(&self, unreadable: &[Unreadable]) -> Result<()> {
        for Unreadable { id, reason, missing, .. } in unreadable {
            if *missing {
                return Err(Error::data(id, reason));
            }
            if self.0.borrow_mut().insert(id.clone()) {
                tracing::warn!("{id} of val is left out, for it cannot be read: {reason}");
            }
        }
        Ok(())
    }
}
