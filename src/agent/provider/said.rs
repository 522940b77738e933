//! What a model has said about its requests already.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::agent::Delta;

/// Remembers notices, so that each is given once in the life of a model, not with every request of every rollout.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<HashSet<String>>);

impl Said {
    /// Gives those of `notices` that are new.
    pub(super) fn once(&self, notices: &[String], on_delta: &mut (dyn FnMut(Delta) + Send)) {
        for notice in notices {
            let is_new = self
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(notice.clone());
            if is_new {
                on_delta(Delta::Notice(notice.clone()));
            }
        }
    }
}
