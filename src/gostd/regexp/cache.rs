//! Patterns that are compiled once.

use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;

use super::{Regexp, SyntaxError};

/// Compiled patterns, shared by all threads.
#[derive(Debug, Default)]
pub struct Cache {
    known: RwLock<HashMap<Box<str>, Compiled>>,
}

/// A pattern, or why it is none.
pub type Compiled = Arc<Result<Regexp, SyntaxError>>;

impl Cache {
    /// The compiled pattern.
    pub fn get(&self, pattern: &str) -> Compiled {
        if let Some(compiled) = self.find(pattern) {
            return compiled;
        }
        // Two threads may do this at once; the result is the same.
        let compiled = Arc::new(Regexp::new(pattern));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(pattern.into(), compiled.clone());
        compiled
    }

    /// The compiled pattern, if it has been asked for before.
    pub fn find(&self, pattern: &str) -> Option<Compiled> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(pattern).cloned()
    }
}
