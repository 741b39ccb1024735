//! The render cache: what a run of `build` or `check` gave, kept for the next
//! one of the same inputs.
//!
//! A run reads its trees and its store through a [`Recorder`]. What it gave is
//! kept in the store folder together with all that it was told: of each path
//! that it asked for a digest of the answer, absence and listings included.
//! Another run with the same arguments, by the same build of the program, takes
//! it over if everything would be answered alike.
//!
//! - under a key of the arguments lies an index: what the last runs asked for,
//!   and the key of what each gave,
//! - what is damaged, or does not read as it should, is no result,
//! - a cache that cannot be written is none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::settings::RepositoryArgs;
use crate::artifact::bytes::{Reader, Writer};
use crate::artifact::{Digest, DiskTree, Hasher, Reads, Recording, Tree};
use crate::diag::{Finding, SourceMap};
use crate::pipeline::Reuse;
use crate::pipeline::cluster::Cluster;
use crate::source::trust::Verdict;
use crate::store::{Rendered, Renders, Store, Uses};
use crate::yaml::secret::has_secret;

/// How many runs with the same arguments are remembered: those of so many
/// branches that somebody works on.
const MAX_RECORDS: usize = 8;

/// Where a tree was opened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The root of the repository.
    Root,
    /// A folder, as the user wrote it.
    Folder(String),
    /// The folder that a file lies in; the file, as the user wrote it.
    Beside(String),
}

/// Whether results are taken over and kept.
#[derive(Debug, clap::Args)]
pub(super) struct CacheArgs {
    /// Neither take over nor keep what was rendered: docs/sources.md says how that works
    #[arg(long)]
    no_cache: bool,
}

impl CacheArgs {
    /// The cache for runs of a command with these arguments, where there may be
    /// one: never with private keys at hand.
    pub(super) fn open(
        &self,
        command: &str,
        repository: &RepositoryArgs,
        arguments: &str,
    ) -> Option<RenderCache> {
        if self.no_cache || repository.has_keys() {
            return None;
        }
        let (root, folder) = repository.locate().ok()?;
        // Files that are read past the trees that are watched are not looked at
        // again; charts can show the time of the commit.
        let now = repository.time_of_charts(&root);
        if repository.reads_other_files() {
            return None;
        }
        let arguments = format!("{command} {repository:?} {folder:?} {now} {arguments}");
        Some(RenderCache::new(repository.store()?, &arguments))
    }
}

/// Files by their paths in findings, with their texts.
pub(super) type Texts = Vec<(Arc<str>, Arc<str>)>;

/// The files that findings point into.
pub(super) fn texts_of(findings: &[Finding], sources: &SourceMap) -> Texts {
    let locations = findings.iter().filter_map(|f| f.location.as_ref());
    let files: BTreeSet<&Arc<str>> = locations.map(|location| &location.file).collect();
    let texts = files.into_iter().filter_map(|file| {
        let source = sources.by_path(file)?;
        Some((file.clone(), source.text.clone()))
    });
    texts.collect()
}

/// Takes up such files, for whoever shows the findings.
pub(super) fn take_up(texts: &Texts, sources: &SourceMap) {
    for (path, text) in texts {
        sources.add(path.clone(), text.clone());
    }
}

/// Whether anything of a cluster may be kept: nothing in it comes from a
/// decrypted value, and no signature was asked for, which the machine's clock
/// and keys outside of the repository decide.
pub(super) fn may_be_kept(cluster: &Cluster) -> bool {
    let sources = cluster.units.iter().filter_map(|unit| unit.source.as_ref());
    let mut verdicts = sources.map(|source| &source.verdict);
    let mut objects = cluster.objects();
    cluster.unverified.is_empty()
        && verdicts.all(|verdict| *verdict == Verdict::Unasked)
        && objects.all(|(_, object)| !has_secret(&object.node))
}

/// Remembers what a run reads.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    trees: Mutex<BTreeMap<Place, Arc<Recording>>>,
    uses: Arc<Uses>,
}

impl Recorder {
    /// A tree that remembers what it is asked.
    pub(super) fn watch(&self, place: Place, tree: DiskTree) -> Arc<dyn Tree> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let tree = trees
            .entry(place)
            .or_insert_with(|| Arc::new(Recording::new(Arc::new(tree))));
        tree.clone()
    }

    /// A store that notes what it is asked for.
    pub(super) fn watch_store(&self, store: Store) -> Store {
        store.noting(self.uses.clone())
    }

    /// What was read of a place; none where nothing was opened there.
    pub(super) fn reads(&self, place: &Place) -> Option<Reads> {
        let trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        trees.get(place).map(|tree| tree.reads())
    }

    fn record(&self) -> Record {
        let trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        let reads = trees.iter();
        Record {
            reads: reads.map(|(place, t)| (place.clone(), t.reads())).collect(),
            uses: self.uses.all(),
        }
    }
}

/// All that a run was told.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    reads: Vec<(Place, Reads)>,
    uses: BTreeMap<Digest, bool>,
}

impl Record {
    /// Whether everything would be answered alike.
    fn holds(&self, root: &Path, store: &Store) -> bool {
        let is_there = |(digest, was_there): (&Digest, &bool)| store.holds(*digest) == *was_there;
        self.uses.iter().all(is_there)
            && self
                .reads
                .iter()
                .all(|(place, reads)| open(place, root).is_some_and(|tree| reads.hold_in(&tree)))
    }

    fn write(&self, writer: &mut Writer) {
        writer.count(self.reads.len());
        for (place, reads) in &self.reads {
            let (kind, path) = match place {
                Place::Root => (0, ""),
                Place::Folder(path) => (1, path.as_str()),
                Place::Beside(path) => (2, path.as_str()),
            };
            writer.number(kind);
            writer.bytes(path.as_bytes());
            reads.write(writer);
        }
        writer.count(self.uses.len());
        for (digest, was_there) in &self.uses {
            writer.plain(digest.as_bytes());
            writer.number(u64::from(*was_there));
        }
    }

    fn read(reader: &mut Reader<'_>) -> Option<Record> {
        let mut reads = Vec::new();
        for _ in 0..reader.count()? {
            let kind = reader.number()?;
            let path = reader.text()?.to_owned();
            let place = match kind {
                0 => Place::Root,
                1 => Place::Folder(path),
                2 => Place::Beside(path),
                _ => return None,
            };
            reads.push((place, Reads::read(reader)?));
        }
        let mut uses = BTreeMap::new();
        for _ in 0..reader.count()? {
            let digest = digest(reader)?;
            uses.insert(digest, reader.number()? == 1);
        }
        Some(Record { reads, uses })
    }
}

fn digest(reader: &mut Reader<'_>) -> Option<Digest> {
    Some(Digest::from_bytes(reader.plain(32)?.try_into().ok()?))
}

/// The tree of a place, opened as a run does.
fn open(place: &Place, root: &Path) -> Option<DiskTree> {
    match place {
        Place::Root => DiskTree::open(root).ok(),
        Place::Folder(path) => {
            let at = Path::new(path);
            let tree = DiskTree::open(at).ok().filter(|_| at.is_dir())?;
            Some(tree.named(path))
        }
        Place::Beside(path) => {
            let at = Path::new(path);
            let folder = at.parent().filter(|folder| !folder.as_os_str().is_empty());
            let tree = DiskTree::open(folder.unwrap_or(Path::new("."))).ok()?;
            Some(tree).filter(|_| !at.is_dir())
        }
    }
}

/// Results of runs with the same arguments.
#[derive(Debug)]
pub(super) struct RenderCache {
    renders: Renders,
    store: Store,
    /// A digest of the arguments and of the program.
    key: Digest,
}

impl RenderCache {
    /// The cache in a store, for runs with these arguments.
    pub(super) fn new(store: Store, arguments: &str) -> RenderCache {
        let mut hasher = Hasher::default();
        // What another build of the program made may be made in another way.
        for part in [env!("FLUXWRIGHT_BUILD"), arguments] {
            hasher.update(part.as_bytes());
            hasher.update(b"\0");
        }
        RenderCache {
            renders: store.renders(),
            store,
            key: hasher.finish(),
        }
    }

    /// What runs of the same program with such options for the repository found
    /// out about content; what they are asked does not matter for it.
    pub(super) fn found_out(&self, repository: &RepositoryArgs) -> Reuse {
        let basis = format!("{} {repository:?}", env!("FLUXWRIGHT_BUILD"));
        Reuse::in_store(self.renders.clone(), basis)
    }

    /// What a run over the repository in `root` would give; none where it must
    /// be made.
    pub(super) fn get(&self, root: &Path) -> Option<Rendered> {
        let records = self.records();
        let holds = |record: &Record| record.holds(root, &self.store);
        let ((first, key), others) = records.split_first()?;
        // Most often the last run is the one: its result is read meanwhile.
        let (is_it, kept) = rayon::join(|| holds(first), || self.renders.get(*key));
        if is_it {
            return kept;
        }
        let known = others.iter().find(|(record, _)| holds(record));
        self.renders.get(known?.1)
    }

    /// Keeps what a run gave that read through `recorder`.
    pub(super) fn put(&self, recorder: &Recorder, result: &[u8]) {
        let record = recorder.record();
        let mut writer = Writer::default();
        record.write(&mut writer);
        let mut hasher = Hasher::default();
        hasher.update(self.key.as_bytes());
        hasher.update(&writer.finish());
        let key = hasher.finish();
        self.renders.put(key, result);
        let mut records = self.records();
        // One that is damaged is made again.
        records.retain(|(_, known)| *known != key);
        records.insert(0, (record, key));
        for (_, forgotten) in records.drain(MAX_RECORDS.min(records.len())..) {
            self.renders.remove(forgotten);
        }
        let mut writer = Writer::default();
        writer.count(records.len());
        for (record, key) in &records {
            record.write(&mut writer);
            writer.plain(key.as_bytes());
        }
        self.renders.put(self.key, &writer.finish());
    }

    /// What the last runs were told, and the keys of what they gave.
    fn records(&self) -> Vec<(Record, Digest)> {
        let read = || {
            let index = self.renders.get(self.key)?.bytes()?;
            let reader = &mut Reader::new(&index);
            let mut records = Vec::new();
            for _ in 0..reader.count()? {
                let record = Record::read(reader)?;
                records.push((record, digest(reader)?));
            }
            Some(records)
        };
        read().unwrap_or_default()
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "tests make the files that they read"
)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_results_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (root, store) = (folder.path().join("r"), folder.path().join("s"));
        std::fs::create_dir(&root).unwrap();
        let cache = RenderCache::new(Store::new(&store), "");
        let build = |content: &str| {
            std::fs::write(root.join("a"), content).unwrap();
            let known = cache.get(&root).and_then(|result| result.bytes());
            let recorder = Recorder::default();
            let tree = recorder.watch(Place::Root, DiskTree::open(&root).unwrap());
            cache.put(&recorder, &tree.read("a").unwrap());
            known
        };
        for i in 0..=MAX_RECORDS {
            assert_eq!(build(&i.to_string()), None);
        }
        for i in 1..=MAX_RECORDS {
            let text = i.to_string();
            assert_eq!(build(&text), Some(text.into_bytes()));
        }
        assert_eq!(build("0"), None, "the oldest is forgotten");
        let (count, _) = Store::new(&store).rendered_size().unwrap();
        assert_eq!(count, MAX_RECORDS + 1);
    }

    #[test]
    fn records_are_read_as_they_are_written() {
        let recorder = Recorder::default();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = Place::Folder("src".to_owned());
        let tree = recorder.watch(folder, DiskTree::open(&here.join("src")).unwrap());
        tree.list("").unwrap();
        let store = recorder.watch_store(Store::new(here.join("nowhere")));
        assert!(!store.holds(Digest::of(b"")));
        let record = recorder.record();
        let mut writer = Writer::default();
        record.write(&mut writer);
        let bytes = writer.finish();
        assert_eq!(Record::read(&mut Reader::new(&bytes)), Some(record));
        for end in 0..bytes.len() {
            assert_eq!(Record::read(&mut Reader::new(&bytes[..end])), None);
        }
    }
}
