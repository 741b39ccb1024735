//! What was found out about content once, kept from run to run.
//!
//! In: a question and the digest of what it is about. Out: yes or no, where an
//! earlier run found out. What is kept is never more than that, and a folder
//! that cannot be written keeps nothing.

use crate::artifact::{Digest, Hasher};
use crate::store::Renders;

/// Answers that were found.
#[derive(Debug, Default)]
pub(super) struct Known {
    renders: Option<Renders>,
    /// What all answers depend on: the program, and its options.
    basis: String,
}

impl Known {
    /// Answers that lie in the store; all of them depend on `basis`.
    pub(super) fn in_store(renders: Renders, basis: String) -> Known {
        Known {
            renders: Some(renders),
            basis,
        }
    }

    /// What is known of something.
    pub(super) fn get(&self, question: &str, of: Digest) -> Option<bool> {
        let answer = self.renders.as_ref()?.get(self.key(question, of))?;
        match *answer.bytes()? {
            [answer] => Some(answer != 0),
            _ => None,
        }
    }

    /// Keeps an answer.
    pub(super) fn put(&self, question: &str, of: Digest, answer: bool) {
        if let Some(renders) = &self.renders {
            renders.put(self.key(question, of), &[u8::from(answer)]);
        }
    }

    fn key(&self, question: &str, of: Digest) -> Digest {
        let mut hasher = Hasher::default();
        for part in [&*self.basis, question] {
            hasher.update(part.as_bytes());
            hasher.update(b"\0");
        }
        hasher.update(of.as_bytes());
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn answers_are_of_one_question_about_one_content_on_one_basis() {
        let folder = tempfile::tempdir().unwrap();
        let renders = || Store::new(folder.path()).renders();
        let known = |basis: &str| Known::in_store(renders(), basis.to_owned());
        let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
        known("1").put("q", a, true);
        known("1").put("q", b, false);
        assert_eq!(known("1").get("q", a), Some(true));
        assert_eq!(known("1").get("q", b), Some(false));
        assert_eq!(known("1").get("other", a), None);
        assert_eq!(known("2").get("q", a), None);
        let none = Known::default();
        none.put("q", a, true);
        assert_eq!(none.get("q", a), None);
    }
}
