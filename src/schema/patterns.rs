//! Regular expressions of schemas, each compiled once.

use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;

use crate::gostd::regexp::{Regexp, SyntaxError};

/// Compiled patterns, shared by all threads.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    known: RwLock<HashMap<Box<str>, Compiled>>,
}

/// A pattern, or why it is none.
pub(super) type Compiled = Arc<Result<Regexp, SyntaxError>>;

impl Patterns {
    pub(super) fn get(&self, pattern: &str) -> Compiled {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(compiled) = known.get(pattern) {
            return compiled.clone();
        }
        drop(known);
        // Two threads may do this at once; the result is the same.
        let compiled = Arc::new(Regexp::new(pattern));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(pattern.into(), compiled.clone());
        compiled
    }
}
