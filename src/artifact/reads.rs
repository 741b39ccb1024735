//! What was asked of a tree, with a digest of each answer.
//!
//! In: a tree, and whoever reads it through a [`Recording`]. Out: [`Reads`],
//! which tell of any tree whether it would have given the same answers. What
//! was made of the answers alone is then the same, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::bytes::{Reader, Writer};
use super::{Digest, Entry, Hasher, Kind, Tree, path};
use crate::diag::Result;

/// What can be asked of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    Kind,
    Content,
    Entries,
    Resolved,
}

const QUESTIONS: [Question; 4] = [
    Question::Kind,
    Question::Content,
    Question::Entries,
    Question::Resolved,
];

/// What was asked of a tree, and digests of the answers: absence and errors are
/// answers, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(Vec<(String, Question, Digest)>);

impl Reads {
    /// Whether a tree gives the same answers.
    pub fn hold_in(&self, tree: &dyn Tree) -> bool {
        self.hold(tree, &|path| content_digest(tree, path).0)
    }

    /// Whether a tree gives the same answers, for which digests of contents
    /// are known or made by `content`.
    pub fn hold(&self, tree: &dyn Tree, content: &(dyn Fn(&str) -> Digest + Sync)) -> bool {
        let holds = |(path, question, digest): &(String, Question, Digest)| {
            let now = match question {
                Question::Content => content(path),
                Question::Kind => {
                    digest_of(tree, path, &tree.kind(path), |kind| kind_digest(*kind))
                }
                Question::Entries => digest_of(tree, path, &tree.list(path), |e| entries_digest(e)),
                Question::Resolved => digest_of(tree, path, &tree.resolve(path), |p| {
                    path_digest(p.as_deref())
                }),
            };
            now == *digest
        };
        self.0.par_iter().with_min_len(32).all(holds)
    }

    /// One digest for all of it.
    pub fn digest(&self) -> Digest {
        let mut writer = Writer::default();
        self.write(&mut writer);
        Digest::of(&writer.finish())
    }

    /// The files whose content was asked for, whether they are there or not.
    pub fn contents(&self) -> impl Iterator<Item = &str> {
        let of_contents = self.0.iter().filter(|(_, q, _)| *q == Question::Content);
        of_contents.map(|(path, ..)| path.as_str())
    }

    /// How much was asked.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes them down.
    pub fn write(&self, writer: &mut Writer) {
        writer.count(self.0.len());
        for (path, question, digest) in &self.0 {
            writer.number(*question as u64);
            writer.plain(digest.as_bytes());
            writer.bytes(path.as_bytes());
        }
    }

    /// Reads what [`Reads::write`] wrote.
    pub fn read(reader: &mut Reader<'_>) -> Option<Reads> {
        let mut reads = Vec::new();
        for _ in 0..reader.count()? {
            let question = usize::try_from(reader.number()?).ok()?;
            let digest = Digest::from_bytes(reader.plain(32)?.try_into().ok()?);
            let path = reader.text()?.to_owned();
            reads.push((path, *QUESTIONS.get(question)?, digest));
        }
        Some(Reads(reads))
    }
}

/// A tree that remembers what it was asked.
#[derive(Debug)]
pub struct Recording {
    tree: Arc<dyn Tree>,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    /// Digests of the answers, and whether they are errors.
    answers: BTreeMap<(String, Question), (Digest, bool)>,
    /// The symbolic links in each folder that was listed.
    links: BTreeMap<String, BTreeSet<String>>,
}

impl Recording {
    /// The same tree, watched.
    pub fn new(tree: Arc<dyn Tree>) -> Recording {
        Recording {
            tree,
            asked: Mutex::default(),
        }
    }

    /// The tree below.
    pub fn below(&self) -> &Arc<dyn Tree> {
        &self.tree
    }

    /// Remembers that a file was read, by somebody who had it already.
    pub fn note_content(&self, path: &str, content: Digest, is_error: bool) {
        let mut asked = self.asked();
        let key = (path.to_owned(), Question::Content);
        asked.answers.entry(key).or_insert((content, is_error));
    }

    /// What was asked so far, without what follows from the rest.
    pub fn reads(&self) -> Reads {
        let asked = self.asked();
        let is_answered = |path: &str, question| {
            let answer = asked.answers.get(&(path.to_owned(), question));
            answer.is_some_and(|(_, is_error)| !is_error)
        };
        // A folder's entries say what they are, save for links.
        let is_listed = |path: &str| {
            let folder = path::parent(path).unwrap_or_default();
            let links = asked.links.get(folder).filter(|_| !path.is_empty());
            links.is_some_and(|links| !links.contains(path::name(path)))
        };
        let follows = |path: &str, question| {
            question == Question::Kind
                && (is_listed(path)
                    || is_answered(path, Question::Content)
                    || is_answered(path, Question::Entries))
        };
        let answers = asked.answers.iter();
        let kept = answers.filter(|((path, question), _)| !follows(path, *question));
        Reads(
            kept.map(|((path, question), (digest, _))| (path.clone(), *question, *digest))
                .collect(),
        )
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an answer, the first time it is given.
    fn note<T>(
        &self,
        path: &str,
        question: Question,
        answer: Result<T>,
        of: impl FnOnce(&T) -> Digest,
    ) -> Result<T> {
        let key = (path.to_owned(), question);
        if !self.asked().answers.contains_key(&key) {
            let digest = digest_of(&*self.tree, path, &answer, of);
            self.asked().answers.insert(key, (digest, answer.is_err()));
        }
        answer
    }
}

impl Tree for Recording {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        let kind = self.tree.kind(path);
        self.note(path, Question::Kind, kind, |kind| kind_digest(*kind))
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        let content = self.tree.read(path);
        self.note(path, Question::Content, content, |bytes| Digest::of(bytes))
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let entries = self.tree.list(path);
        let entries = self.note(path, Question::Entries, entries, |e| entries_digest(e))?;
        let links = entries.iter().filter(|entry| entry.is_symlink);
        let links = links.map(|entry| entry.name.clone()).collect();
        self.asked().links.insert(path.to_owned(), links);
        Ok(entries)
    }

    fn resolve(&self, path: &str) -> Result<Option<String>> {
        let resolved = self.tree.resolve(path);
        self.note(path, Question::Resolved, resolved, |p| {
            path_digest(p.as_deref())
        })
    }

    fn display(&self, path: &str) -> String {
        self.tree.display(path)
    }
}

/// The digest of what reading a file gives, and whether that is an error.
pub fn content_digest(tree: &dyn Tree, path: &str) -> (Digest, bool) {
    digest_of_content(tree, path, &tree.read(path))
}

/// The same, for a file that was read.
pub fn digest_of_content(
    tree: &dyn Tree,
    path: &str,
    content: &Result<Arc<[u8]>>,
) -> (Digest, bool) {
    let digest = digest_of(tree, path, content, |bytes| Digest::of(bytes));
    (digest, content.is_err())
}

/// The digest of an answer; of an error, whatever the tree is called.
fn digest_of<T>(
    tree: &dyn Tree,
    path: &str,
    answer: &Result<T>,
    of: impl FnOnce(&T) -> Digest,
) -> Digest {
    match answer {
        Ok(answer) => of(answer),
        Err(e) => {
            let message = e.to_string().replace(&tree.display(path), path);
            Digest::of(format!("{} {message}", e.rule()).as_bytes())
        }
    }
}

fn kind_digest(kind: Option<Kind>) -> Digest {
    let name: &[u8] = match kind {
        Some(Kind::File) => b"file",
        Some(Kind::Directory) => b"folder",
        None => b"nothing",
    };
    Digest::of(name)
}

fn entries_digest(entries: &[Entry]) -> Digest {
    let mut hasher = Hasher::default();
    for entry in entries {
        let kind = match (entry.kind, entry.is_symlink) {
            (Kind::File, false) => b"\0f",
            (Kind::File, true) => b"\0F",
            (Kind::Directory, false) => b"\0d",
            (Kind::Directory, true) => b"\0D",
        };
        hasher.update(entry.name.as_bytes());
        hasher.update(kind);
    }
    hasher.finish()
}

fn path_digest(path: Option<&str>) -> Digest {
    match path {
        Some(path) => Digest::of(format!("at {path}").as_bytes()),
        None => Digest::of(b"nowhere"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::MemoryTree;

    fn tree(files: &[(&str, &str)]) -> MemoryTree {
        let mut tree = MemoryTree::new("");
        for (path, text) in files {
            tree.insert(*path, text.as_bytes());
        }
        tree
    }

    const FILES: [(&str, &str); 3] = [("a/x.yaml", "x"), ("a/y.yaml", "y"), ("b/z.yaml", "z")];

    #[test]
    fn a_change_shows_where_it_was_looked_at() {
        let recording = Recording::new(Arc::new(tree(&FILES)));
        recording.read("a/x.yaml").unwrap();
        recording.list("b").unwrap();
        assert_eq!(recording.kind("c").unwrap(), None);
        assert!(recording.read("b/none").is_err());
        let reads = recording.reads();
        assert!(reads.hold_in(&tree(&FILES)));
        for (path, text, holds) in [
            ("a/x.yaml", "other", false),
            ("a/y.yaml", "other", true),
            ("b/z.yaml", "other", true),
            ("b/new", "", false),
            ("a/new", "", true),
            ("c/new", "", false),
        ] {
            let mut changed = tree(&FILES);
            changed.insert(path, text.as_bytes());
            assert_eq!(reads.hold_in(&changed), holds, "{path}");
        }
    }

    #[test]
    fn what_follows_from_the_rest_is_left_out() {
        let recording = Recording::new(Arc::new(tree(&FILES)));
        for path in ["a", "a/x.yaml", "a/none", "b/z.yaml"] {
            recording.kind(path).unwrap();
        }
        assert_eq!(recording.reads().len(), 4);
        recording.list("a").unwrap();
        recording.read("b/z.yaml").unwrap();
        let reads = recording.reads();
        assert_eq!(reads.len(), 2);
        let without = tree(&FILES[..2]);
        assert!(!reads.hold_in(&without));
    }

    #[test]
    fn reads_are_read_as_they_are_written() {
        let recording = Recording::new(Arc::new(tree(&FILES)));
        recording.read("a/x.yaml").unwrap();
        recording.resolve("a").unwrap();
        let reads = recording.reads();
        let mut writer = Writer::default();
        reads.write(&mut writer);
        let bytes = writer.finish();
        assert_eq!(Reads::read(&mut Reader::new(&bytes)), Some(reads));
        for end in 0..bytes.len() {
            assert_eq!(Reads::read(&mut Reader::new(&bytes[..end])), None, "{end}");
        }
    }
}
