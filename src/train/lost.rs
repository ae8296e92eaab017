//! What of val a run could not read.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::data::Unreadable;

/// Photographs of val that could not be read, each once.
#[derive(Debug, Default)]
pub(super) struct Lost(RefCell<BTreeSet<String>>);

impl Lost {
    /// How many.
    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Keeps their names, and warns of those that are new.
    pub(super) fn note(&self, unreadable: &[Unreadable]) {
        for Unreadable { id, reason, .. } in unreadable {
            if self.0.borrow_mut().insert(id.clone()) {
                tracing::warn!("{id} of val is left out, for it cannot be read: {reason}");
            }
        }
    }
}
