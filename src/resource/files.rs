//! Files of a tree, read once and parsed once.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use foldhash::HashMap;

use crate::artifact::{Digest, Entry, Kind, Reads, Recording, RootedTree, Tree};
use crate::artifact::{content_digest, digest_of_content, is_lfs_pointer};
use crate::diag::{Error, FileId, Result, SourceMap, Span};
use crate::yaml::{self, Document};

/// The text of a file.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub text: Arc<str>,
    /// Its number in the source map.
    pub file: FileId,
}

/// The bytes of a file.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// Its number in the source map.
    pub file: FileId,
}

/// A tree together with what has been read of it.
///
/// Shared by all threads. A file is read, decoded and parsed at most once,
/// whoever asks; documents share their content until they are changed.
#[derive(Debug)]
pub struct Files {
    tree: Arc<dyn Tree>,
    sources: Arc<SourceMap>,
    read: Arc<Mutex<HashMap<String, Arc<File>>>>,
    /// What is read in place of files of the tree.
    replaced: HashMap<String, Arc<File>>,
    /// Who remembers what is asked; the tree, then.
    watch: Option<Arc<Recording>>,
    /// Another version of the same tree: what is the same file in both is read and
    /// parsed once, there.
    other: Option<Arc<Files>>,
}

#[derive(Debug, Default)]
struct File {
    /// The digest of what the tree gave, and whether that was an error.
    digest: OnceLock<(Digest, bool)>,
    text: OnceLock<Result<Text>>,
    raw: OnceLock<Result<Raw>>,
    documents: OnceLock<Result<Arc<[Document]>>>,
}

impl Files {
    /// The files of a tree; what is read is added to `sources`.
    pub fn new(tree: Arc<dyn Tree>, sources: Arc<SourceMap>) -> Files {
        Files {
            tree,
            sources,
            read: Arc::default(),
            replaced: HashMap::default(),
            watch: None,
            other: None,
        }
    }

    /// The same beside another version of the tree: files that are the same in both
    /// are those of the other one, and places in them point there.
    #[must_use]
    pub fn beside(self, other: Arc<Files>) -> Files {
        Files {
            other: Some(other),
            ..self
        }
    }

    /// The same files, and who remembers what is asked of them: of what was
    /// read before, too.
    #[must_use]
    pub fn watched(&self) -> (Files, Arc<Recording>) {
        let recording = Arc::new(Recording::new(self.below().clone()));
        let files = Files {
            tree: recording.clone(),
            sources: self.sources.clone(),
            read: self.read.clone(),
            replaced: self.replaced.clone(),
            watch: Some(recording.clone()),
            other: self.other.clone(),
        };
        (files, recording)
    }

    /// Whether what was asked of other files would be answered alike by these.
    pub fn hold(&self, reads: &Reads) -> bool {
        reads.hold(&**self.below(), &|path| self.digest(path))
    }

    /// The digest of what reading a file gives.
    pub fn digest(&self, path: &str) -> Digest {
        self.digest_of(path, &self.file(path)).0
    }

    fn digest_of(&self, path: &str, file: &File) -> (Digest, bool) {
        *file
            .digest
            .get_or_init(|| content_digest(&**self.below(), path))
    }

    /// The tree that nobody watches.
    fn below(&self) -> &Arc<dyn Tree> {
        self.watch
            .as_ref()
            .map_or(&self.tree, |watch| watch.below())
    }

    /// Reads a file for the first time.
    fn content(&self, path: &str, file: &File) -> Result<Arc<[u8]>> {
        let below = &**self.below();
        let content = below.read(path);
        file.digest
            .get_or_init(|| digest_of_content(below, path, &content));
        content
    }

    /// Tells who watches that a file was read.
    fn note(&self, path: &str, file: &File) {
        if let Some(watch) = &self.watch
            && !self.replaced.contains_key(path)
        {
            let (digest, is_error) = self.digest_of(path, file);
            watch.note_content(path, digest, is_error);
        }
    }

    /// The same files, some of them with other content: what a controller
    /// writes over them before it builds.
    ///
    /// What was and will be read of the others is shared. Errors and findings
    /// in replaced files point into the files as they lie in the tree.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`], for a file that is not there.
    pub fn replacing<'a>(
        &self,
        contents: impl IntoIterator<Item = (&'a str, Arc<[u8]>)>,
    ) -> Result<Files> {
        let mut replaced = self.replaced.clone();
        for (path, bytes) in contents {
            let file = self.raw(path)?.file;
            let text = yaml::text::decode(&bytes).map_err(|e| e.in_file(file));
            let text = text.map(|text| Text {
                text: text.into(),
                file,
            });
            let raw = Raw { bytes, file };
            let content = File {
                digest: OnceLock::new(),
                text: OnceLock::from(text),
                raw: OnceLock::from(Ok(raw)),
                documents: OnceLock::new(),
            };
            replaced.insert(path.to_owned(), Arc::new(content));
        }
        Ok(Files {
            tree: self.tree.clone(),
            sources: self.sources.clone(),
            read: self.read.clone(),
            replaced,
            watch: self.watch.clone(),
            other: self.other.clone(),
        })
    }

    /// The same files seen through a tree that leaves some of them out; what
    /// has been read of the others is not read again.
    #[must_use]
    pub fn narrowed(&self, tree: Arc<dyn Tree>) -> Files {
        let mut read = self
            .read
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        read.retain(|path, _| matches!(tree.kind(path), Ok(Some(Kind::File))));
        Files {
            tree,
            sources: self.sources.clone(),
            read: Arc::new(Mutex::new(read)),
            replaced: self.replaced.clone(),
            watch: None,
            other: self.other.clone(),
        }
    }

    /// The files of a folder, by their paths in it; what has been read of them
    /// is not read again.
    #[must_use]
    pub fn rooted(&self, folder: &str) -> Files {
        let tree: Arc<dyn Tree> = Arc::new(RootedTree::new(self.tree.clone(), folder));
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let within = known.iter().filter_map(|(path, file)| {
            let path = path.strip_prefix(folder)?.strip_prefix('/')?;
            Some((path.to_owned(), file.clone()))
        });
        Files {
            tree,
            sources: self.sources.clone(),
            read: Arc::new(Mutex::new(within.collect())),
            replaced: HashMap::default(),
            watch: None,
            other: (self.other.as_ref()).map(|other| Arc::new(other.rooted(folder))),
        }
    }

    /// The source map that spans point into.
    pub fn sources(&self) -> &Arc<SourceMap> {
        &self.sources
    }

    /// The tree below.
    pub fn tree(&self) -> &Arc<dyn Tree> {
        &self.tree
    }

    /// What a path names.
    pub fn kind(&self, path: &str) -> Result<Option<Kind>> {
        self.tree.kind(path)
    }

    /// The entries of a folder, sorted by name.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>> {
        self.tree.list(path)
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &str) -> Result<Arc<[u8]>> {
        match self.replaced.get(path).and_then(|file| file.raw.get()) {
            Some(raw) => raw.clone().map(|raw| raw.bytes),
            None => self.tree.read(path),
        }
    }

    /// The path with all symbolic links followed.
    pub fn resolve(&self, path: &str) -> Result<Option<String>> {
        self.tree.resolve(path)
    }

    /// The bytes of a file that need not be text, and its number in the source
    /// map.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`].
    pub fn raw(&self, path: &str) -> Result<Raw> {
        let file = self.file(path);
        let raw = file
            .raw
            .get_or_init(|| {
                let owner = self.owner(path, &file);
                let bytes = owner.content(path, &file)?;
                let name = owner.tree.display(path);
                let id = self.sources.add(name, String::from_utf8_lossy(&bytes));
                Ok(Raw { bytes, file: id })
            })
            .clone();
        self.note(path, &file);
        raw
    }

    /// The path as users know it.
    pub fn display(&self, path: &str) -> String {
        self.tree.display(path)
    }

    /// The text of a YAML or JSON file.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`] and [`yaml::text::decode`]; `file/lfs-pointer` for a
    /// file whose content is kept by Git LFS.
    pub fn text(&self, path: &str) -> Result<Text> {
        let file = self.file(path);
        let text = file
            .text
            .get_or_init(|| self.owner(path, &file).read_text(path, &file))
            .clone();
        self.note(path, &file);
        text
    }

    /// The YAML documents of a file.
    ///
    /// # Errors
    ///
    /// As [`Files::text`] and [`yaml::parse`].
    pub fn documents(&self, path: &str) -> Result<Arc<[Document]>> {
        let file = self.file(path);
        let documents = file
            .documents
            .get_or_init(|| {
                let Text { text, file } = self.text(path)?;
                Ok(yaml::parse(&text, file)?.into())
            })
            .clone();
        self.note(path, &file);
        documents
    }

    fn file(&self, path: &str) -> Arc<File> {
        if let Some(file) = self.replaced.get(path) {
            return file.clone();
        }
        let lock = || self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = lock().get(path) {
            return file.clone();
        }
        let found = match &self.other {
            Some(other) => self.beside_another(other, path),
            None => Arc::default(),
        };
        lock().entry(path.to_owned()).or_insert(found).clone()
    }

    /// A file as the other version has it, where it is the same there.
    fn beside_another(&self, other: &Files, path: &str) -> Arc<File> {
        let digest = content_digest(&**self.below(), path);
        let shared = other.file(path);
        let (_, is_error) = digest;
        if !is_error && other.digest_of(path, &shared) == digest {
            return shared;
        }
        Arc::new(File {
            digest: OnceLock::from(digest),
            ..File::default()
        })
    }

    /// The version that has a file, which reads it.
    fn owner(&self, path: &str, file: &Arc<File>) -> &Files {
        let other = self.other.as_deref();
        other
            .filter(|other| Arc::ptr_eq(&other.file(path), file))
            .unwrap_or(self)
    }

    fn read_text(&self, path: &str, file: &File) -> Result<Text> {
        let bytes = self.content(path, file)?;
        let name = self.tree.display(path);
        match yaml::text::decode(&bytes) {
            Ok(text) => {
                let text: Arc<str> = text.into();
                let file = self.sources.add(&*name, text.clone());
                if is_lfs_pointer(&bytes) {
                    return Err(Error::new(
                        "file/lfs-pointer",
                        format!("`{name}` is a pointer of Git LFS, not the content it stands for"),
                    )
                    .at(Span::new(file, 1, 1))
                    .help(
                        "keep the file in Git itself: Flux's sources do not fetch what Git LFS \
                         keeps",
                    ));
                }
                Ok(Text { text, file })
            }
            Err(e) => {
                let file = self.sources.add(name, String::from_utf8_lossy(&bytes));
                Err(e.in_file(file))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::MemoryTree;

    #[test]
    fn what_is_read_is_remembered_also_where_it_was_read_before() {
        let tree = |a: &str| {
            let mut tree = MemoryTree::new("");
            tree.insert("a.yaml", a.as_bytes());
            tree.insert("b.yaml", "b: 1\n".as_bytes());
            let sources = Arc::new(SourceMap::new());
            Files::new(Arc::new(tree), sources)
        };
        let files = tree("a: 1\n");
        files.documents("a.yaml").unwrap();
        let (watched, recording) = files.watched();
        assert!(recording.reads().is_empty());
        watched.documents("a.yaml").unwrap();
        assert!(watched.text("c.yaml").is_err());
        let reads = recording.reads();
        assert_eq!(reads.len(), 2);
        assert!(files.hold(&reads) && tree("a: 1\n").hold(&reads));
        assert!(!tree("a: 2\n").hold(&reads));
    }

    #[test]
    fn what_two_versions_have_alike_is_one_file() {
        let sources = Arc::new(SourceMap::new());
        let files = |name: &str, contents: &[(&str, &str)]| {
            let mut tree = MemoryTree::new(name);
            for (path, text) in contents {
                tree.insert(*path, text.as_bytes());
            }
            Files::new(Arc::new(tree), sources.clone())
        };
        let new = Arc::new(files("new", &[("a.yaml", "a: 1\n"), ("b.yaml", "b: 1\n")]));
        let contents = [
            ("a.yaml", "a: 1\n"),
            ("b.yaml", "b: 2\n"),
            ("c.yaml", "c: 1\n"),
        ];
        let old = files("old", &contents).beside(new.clone());
        let (watched, recording) = old.watched();
        for (path, text) in contents {
            assert_eq!(&*watched.text(path).unwrap().text, text);
        }
        let file = |files: &Files, path: &str| files.text(path).unwrap().file;
        let place = |path: &str| sources.get(file(&old, path)).unwrap().path.to_string();
        assert_eq!(file(&old, "a.yaml"), file(&new, "a.yaml"));
        assert_eq!(
            ["a.yaml", "b.yaml", "c.yaml"].map(place),
            ["new/a.yaml", "old/b.yaml", "old/c.yaml"]
        );
        // What is not there is told of where it was looked for.
        let missing = old.text("d.yaml").unwrap_err().to_string();
        assert!(missing.contains("old/d.yaml"), "{missing}");
        assert_eq!(recording.reads().len(), 3);
        assert!(old.hold(&recording.reads()) && !new.hold(&recording.reads()));
    }

    #[test]
    fn replaced_files_are_read_everywhere_at_their_own_places() {
        let mut tree = MemoryTree::new("");
        for (path, text) in [("a.yaml", "a: 1\n"), ("b.yaml", "b: 1\n")] {
            tree.insert(path, text.as_bytes());
        }
        let sources = Arc::new(SourceMap::new());
        let files = Files::new(Arc::new(tree), sources.clone());
        let other: Arc<[u8]> = b"x: 2\n".as_slice().into();
        let replaced = files.replacing([("a.yaml", other)]).unwrap();
        let documents = replaced.documents("a.yaml").unwrap();
        assert_eq!(documents[0].root.get("x").and_then(|n| n.text()), Some("2"));
        let file = sources.get(documents[0].root.span().file).unwrap();
        assert_eq!((&*file.path, &*file.text), ("a.yaml", "a: 1\n"));
        assert_eq!(&*replaced.bytes("a.yaml").unwrap(), b"x: 2\n");
        assert_eq!(&*replaced.text("b.yaml").unwrap().text, "b: 1\n");
        assert_eq!(&*files.text("a.yaml").unwrap().text, "a: 1\n");
        assert!(files.replacing([("c.yaml", Arc::from(*b""))]).is_err());
    }
}
