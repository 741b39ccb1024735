//! Git repositories as they lie on disk, and bundles: references, commits,
//! tags and objects as bytes.
//!
//! In: a repository, bare or with its working tree, or a file made by `git
//! bundle`. Out: the commit that a Flux reference names, and objects whose
//! bytes have the name that they were asked for by: libgit2 hashes what it
//! reads. SHA-256 repositories are read as SHA-1 ones.
//!
//! The machine's git configuration plays no part: repositories are opened by
//! their git folder, which skips the search for one, its owner and settings.

mod bundle;
mod objects;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::artifact::{DiskTree, Tree as _};
use crate::diag::{Error, Result};
use crate::gostd::semver;

pub use objects::{Packed, check_files, name_of};
pub use tree::{CommitEntry, CommitEntryKind, GitTree};

/// The name of an object: the hash of what it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(git2::Oid);

impl std::fmt::Display for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl ObjectId {
    /// Reads a whole name.
    fn parse(hex: &str, format: git2::ObjectFormat) -> Option<ObjectId> {
        let length = match format {
            git2::ObjectFormat::Sha256 => 64,
            git2::ObjectFormat::Sha1 => 40,
        };
        if hex.len() != length || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        git2::Oid::from_str_ext(hex, format).ok().map(ObjectId)
    }

    /// The name of an object with these bytes.
    fn of(kind: git2::ObjectType, content: &[u8], format: git2::ObjectFormat) -> Option<ObjectId> {
        git2::Oid::hash_object_ext(kind, content, format)
            .ok()
            .map(ObjectId)
    }
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// A commit.
    Commit,
    /// An annotated tag.
    Tag,
    /// A folder.
    Tree,
    /// A file.
    Blob,
}

impl ObjectKind {
    /// A word for it, for messages.
    pub fn describe(self) -> &'static str {
        match self {
            ObjectKind::Commit => "a commit",
            ObjectKind::Tag => "a tag",
            ObjectKind::Tree => "a tree",
            ObjectKind::Blob => "a file",
        }
    }
}

/// What is to be checked out, in the words of GitRepository `spec.ref`.
///
/// Of several, the last one set counts: branch, tag, semver, name, commit;
/// with a commit, a branch says where the commit must be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// A branch, by its short name.
    pub branch: Option<String>,
    /// A tag, by its short name.
    pub tag: Option<String>,
    /// A range of versions; the latest tag in it is taken.
    pub semver: Option<String>,
    /// A reference by its full name, `refs/heads/main`.
    pub name: Option<String>,
    /// The full name of a commit.
    pub commit: Option<String>,
}

/// What a [`Reference`] turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The commit that is checked out.
    pub commit: ObjectId,
    /// The tag that led to it, if one did.
    pub tag: Option<TagReference>,
}

/// A tag by its reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagReference {
    /// Its short name.
    pub name: String,
    /// The object that the reference names: a tag object, or a commit for a
    /// lightweight tag.
    pub target: ObjectId,
}

/// A repository that is only read.
pub struct GitRepository {
    /// What messages call it.
    display: String,
    repository: git2::Repository,
    /// The references of a bundle; those of a repository are looked up in it.
    listed: Option<BTreeMap<String, git2::Oid>>,
    /// Where a bundle was unpacked; removed with this.
    _unpacked: Option<tempfile::TempDir>,
}

impl std::fmt::Debug for GitRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GitRepository({})", self.display)
    }
}

impl GitRepository {
    /// Opens a bare repository, a working tree, or a bundle file.
    ///
    /// # Errors
    ///
    /// `ref/missing` where there is nothing, `git/unreadable` for what is
    /// neither.
    pub fn open(path: &Path) -> Result<GitRepository> {
        let display = path.display().to_string();
        if path.is_file() {
            return bundle::open(&read_file(path)?, display);
        }
        let folder = git_folder(path)?;
        let repository = git2::Repository::open_bare(&folder).map_err(|e| {
            if path.exists() {
                unreadable(format!("`{display}` is no Git repository"))
                    .help("name a folder with a `.git` in it, a bare repository, or a bundle")
            } else {
                let _ = e;
                Error::new("ref/missing", format!("no such repository: `{display}`"))
            }
        })?;
        Ok(GitRepository {
            display,
            repository,
            listed: None,
            _unpacked: None,
        })
    }

    /// A repository of what a server sent: a pack, and references by their full
    /// names.
    ///
    /// # Errors
    ///
    /// `git/unreadable` for a pack that is damaged or not whole.
    pub fn from_pack(
        pack: &[u8],
        references: impl IntoIterator<Item = (String, String)>,
        is_sha256: bool,
        display: String,
    ) -> Result<GitRepository> {
        let format = if is_sha256 {
            git2::ObjectFormat::Sha256
        } else {
            git2::ObjectFormat::Sha1
        };
        let references = references.into_iter().map(|(name, hex)| {
            let id = git2::Oid::from_str_ext(&hex, format)
                .map_err(|_| unreadable(format!("`{hex}` is no object name")))?;
            Ok((name, id))
        });
        bundle::assemble(pack, references.collect::<Result<_>>()?, format, display)
            .map_err(|e| e.help("what the server sent is damaged: fetch it anew"))
    }

    /// What a reference that was listed names.
    pub fn listed(&self, name: &str) -> Option<ObjectId> {
        self.find(name)
    }

    /// What messages call it.
    pub fn display(&self) -> &str {
        &self.display
    }

    /// Whether objects are named by SHA-256.
    pub fn is_sha256(&self) -> bool {
        self.repository.object_format() == git2::ObjectFormat::Sha256
    }

    /// An object and its bytes.
    ///
    /// # Errors
    ///
    /// `ref/missing` where it is not there, `git/unreadable` where its bytes
    /// do not have this name.
    pub fn read(&self, id: ObjectId) -> Result<(ObjectKind, Vec<u8>)> {
        let odb = self.repository.odb().map_err(|e| self.broken(&e))?;
        let object = odb.read(id.0).map_err(|e| {
            if e.code() == git2::ErrorCode::NotFound {
                self.absent(id)
            } else {
                self.broken(&e).context(format!("object {id}"))
            }
        })?;
        let kind = match object.kind() {
            git2::ObjectType::Commit => ObjectKind::Commit,
            git2::ObjectType::Tag => ObjectKind::Tag,
            git2::ObjectType::Tree => ObjectKind::Tree,
            git2::ObjectType::Blob => ObjectKind::Blob,
            git2::ObjectType::Any => return Err(unreadable(format!("object {id} is of no kind"))),
        };
        Ok((kind, object.data().to_vec()))
    }

    /// The commit and tag that a reference names, as source-controller finds
    /// them; `HEAD` where it names nothing.
    ///
    /// # Errors
    ///
    /// `ref/missing` for what is not there, `git/reference` for a reference
    /// that cannot be read or that leads to no commit.
    pub fn checkout(&self, reference: &Reference) -> Result<Checkout> {
        // Compat: fluxcd/pkg/git/gogit client.go: commit, then name, semver,
        // tag, branch.
        if let Some(commit) = &reference.commit {
            return self.checkout_commit(commit, reference.branch.as_deref());
        }
        if let Some(name) = &reference.name {
            let name = name.strip_suffix("^{}").unwrap_or(name);
            return match name.strip_prefix("refs/tags/") {
                Some(tag) => self.checkout_tag(tag),
                None => self.checkout_name(name),
            };
        }
        if let Some(range) = &reference.semver {
            return self.checkout_semver(range);
        }
        if let Some(tag) = &reference.tag {
            return self.checkout_tag(tag);
        }
        match &reference.branch {
            Some(branch) => self.checkout_name(&format!("refs/heads/{branch}")),
            None => self.checkout_name("HEAD"),
        }
    }

    fn checkout_name(&self, name: &str) -> Result<Checkout> {
        let target = self.find(name).ok_or_else(|| self.no_reference(name))?;
        let commit = self.peel(target, name)?;
        Ok(Checkout { commit, tag: None })
    }

    fn checkout_tag(&self, tag: &str) -> Result<Checkout> {
        let name = format!("refs/tags/{tag}");
        let target = self.find(&name).ok_or_else(|| self.no_reference(&name))?;
        Ok(Checkout {
            commit: self.peel(target, &name)?,
            tag: Some(TagReference {
                name: tag.to_owned(),
                target,
            }),
        })
    }

    fn checkout_semver(&self, range: &str) -> Result<Checkout> {
        let constraints = semver::Constraints::parse(range).map_err(|e| {
            Error::new(
                "git/reference",
                format!("`{range}` is no range of versions: {e}"),
            )
            .help("write a range such as `>=1.2.0 <2.0.0`")
        })?;
        let mut tags = Vec::new();
        for (name, target) in self.references("refs/tags/")? {
            // Compat: every tag must lead to a commit, in the range or not.
            let commit = self.peel(target, &name)?;
            tags.push((name, committed_at(&self.read(commit)?.1)));
        }
        let short = |name: &str| name.strip_prefix("refs/tags/").unwrap_or(name).to_owned();
        let names: Vec<String> = tags.iter().map(|(name, _)| short(name)).collect();
        let time = |i: usize| tags.get(i).map(|(_, time)| *time);
        let chosen = semver::latest(names.iter().map(String::as_str), &constraints, time)
            .and_then(|i| names.get(i))
            .ok_or_else(|| {
                Error::new("ref/missing", format!("no tag matches the range `{range}`")).help(
                    match names.len() {
                        0 => "the repository has no tags: were they fetched?".to_owned(),
                        n => format!("none of its {n} tags is a version in this range"),
                    },
                )
            })?;
        self.checkout_tag(chosen)
    }

    fn checkout_commit(&self, commit: &str, branch: Option<&str>) -> Result<Checkout> {
        let id = self.parse_id(commit).ok_or_else(|| {
            Error::new(
                "git/reference",
                format!("`{commit}` is no name of a commit"),
            )
            .help("write all 40 hexadecimal digits (64 in a SHA-256 repository)")
        })?;
        let (kind, _) = self.read(id)?;
        if kind != ObjectKind::Commit {
            return Err(no_commit(commit, kind));
        }
        // Compat: what Flux clones holds what lies on its branches alone.
        let heads: Vec<ObjectId> = if let Some(branch) = branch {
            let name = format!("refs/heads/{branch}");
            vec![self.find(&name).ok_or_else(|| self.no_reference(&name))?]
        } else {
            let mut heads = self.references("refs/heads/")?;
            heads.extend(self.references("refs/remotes/")?);
            let head = self.find("HEAD");
            heads.into_iter().map(|(_, id)| id).chain(head).collect()
        };
        if !heads.iter().any(|head| self.is_ancestor(id, *head)) {
            let place = branch.map_or("any branch".to_owned(), |b| format!("branch `{b}`"));
            return Err(Error::new(
                "ref/missing",
                format!("commit `{commit}` is not in the history of {place}"),
            )
            .help("Flux finds commits on branches alone: name the branch it is on"));
        }
        Ok(Checkout {
            commit: id,
            tag: None,
        })
    }

    /// The commit that a revision names as people write it: a name of any
    /// reference, short or full, or digits of a commit.
    ///
    /// # Errors
    ///
    /// `ref/missing`, or `git/reference` where it leads to no commit.
    pub fn revision(&self, text: &str) -> Result<ObjectId> {
        let named = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]
            .iter()
            .find_map(|prefix| self.find(&format!("{prefix}{text}")));
        let target = match named.or_else(|| self.parse_id(text)) {
            Some(id) => id,
            None => match self.repository.revparse_single(text) {
                Ok(object) => ObjectId(object.id()),
                Err(_) => return Err(self.no_reference(text)),
            },
        };
        self.peel(target, text)
    }

    /// The commits of `base..head`, from new to old: those in the history of
    /// `head` that are not in that of `base`.
    ///
    /// # Errors
    ///
    /// `ref/missing` where history is cut off before it reaches `base`.
    pub fn range(&self, base: ObjectId, head: ObjectId) -> Result<Vec<(ObjectId, Vec<u8>)>> {
        let broken = |e: git2::Error| self.broken(&e);
        let mut walk = self.repository.revwalk().map_err(broken)?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)
            .map_err(broken)?;
        walk.push(head.0).map_err(broken)?;
        walk.hide(base.0).map_err(broken)?;
        let mut commits = Vec::new();
        for id in walk {
            let id = ObjectId(id.map_err(|e| match e.code() {
                git2::ErrorCode::NotFound => {
                    cut_off(format!("history is cut off: {}", e.message()))
                }
                _ => broken(e),
            })?);
            commits.push((id, self.read(id)?.1));
        }
        // A shallow clone, or a graft, ends history where it goes on: then
        // what was walked is not all that there is.
        let inside: std::collections::BTreeSet<ObjectId> =
            commits.iter().map(|(id, _)| *id).collect();
        for (id, content) in &commits {
            for parent in parents(content) {
                let parent = self.parse_id(parent).ok_or_else(|| {
                    unreadable(format!("commit {id} names a parent that is no commit"))
                })?;
                if !inside.contains(&parent) && !self.is_ancestor(parent, base) {
                    return Err(cut_off(format!(
                        "history is cut off behind commit {id}: parent {parent} is missing"
                    )));
                }
            }
        }
        Ok(commits)
    }

    /// The default branch, as far as a clone knows: what `origin/HEAD` leads
    /// to, else the branches that are called so most often.
    pub fn default_branch(&self) -> Option<ObjectId> {
        [
            "refs/remotes/origin/HEAD",
            "refs/remotes/origin/main",
            "refs/remotes/origin/master",
            "refs/heads/main",
            "refs/heads/master",
        ]
        .iter()
        .find_map(|name| self.find(name))
    }

    /// The newest commit in the history of both.
    ///
    /// # Errors
    ///
    /// `ref/missing` where there is none, or where a shallow clone does not
    /// reach back to it.
    pub fn merge_base(&self, a: ObjectId, b: ObjectId) -> Result<ObjectId> {
        let found = self.repository.merge_base(a.0, b.0).map(ObjectId).ok();
        // libgit2 wants the parents of all commits, which a shallow clone lacks.
        let found = found.or_else(|| self.shallow_merge_base(a, b));
        found.ok_or_else(|| {
            Error::new(
                "ref/missing",
                format!("commits {a} and {b} have no history in common"),
            )
            .help(
                "is the clone shallow? fetch the whole history: `git fetch --unshallow`, or \
                 `fetch-depth: 0` in CI",
            )
        })
    }

    /// The newest commit of those that both have in a shallow clone.
    fn shallow_merge_base(&self, a: ObjectId, b: ObjectId) -> Option<ObjectId> {
        if !self.repository.is_shallow() {
            return None;
        }
        let (mut common, b) = (self.known_ancestors(a.0), self.known_ancestors(b.0));
        common.retain(|id, _| b.contains_key(id));
        let before = common.values().flat_map(|(_, parents)| parents);
        let before: BTreeSet<&git2::Oid> = before.collect();
        let latest = common.iter().filter(|(id, _)| !before.contains(id));
        let newest = latest.max_by_key(|(id, (time, _))| (*time, **id));
        newest.map(|(id, _)| ObjectId(*id))
    }

    /// A commit and those before it that are there, with their times and parents.
    fn known_ancestors(&self, commit: git2::Oid) -> BTreeMap<git2::Oid, (i64, Vec<git2::Oid>)> {
        let mut found = BTreeMap::new();
        let mut open = vec![commit];
        while let Some(id) = open.pop() {
            if found.contains_key(&id) {
                continue;
            }
            if let Ok(commit) = self.repository.find_commit(id) {
                let parents: Vec<git2::Oid> = commit.parent_ids().collect();
                open.extend(&parents);
                found.insert(id, (commit.time().seconds(), parents));
            }
        }
        found
    }

    /// The name that a file of this content has.
    pub fn name_of(&self, content: &[u8]) -> Option<ObjectId> {
        let format = self.repository.object_format();
        ObjectId::of(git2::ObjectType::Blob, content, format)
    }

    /// Whether a commit is another or in its history.
    fn is_ancestor(&self, commit: ObjectId, of: ObjectId) -> bool {
        let Ok(of) = self.peel(of, "") else {
            return false;
        };
        commit == of
            || self
                .repository
                .graph_descendant_of(of.0, commit.0)
                .unwrap_or(false)
    }

    /// What a reference names, symbolic ones followed.
    fn find(&self, name: &str) -> Option<ObjectId> {
        if let Some(listed) = &self.listed {
            return listed.get(name).copied().map(ObjectId);
        }
        let reference = self.repository.find_reference(name).ok()?;
        let direct = reference.resolve().ok()?;
        direct.target().map(ObjectId)
    }

    /// All references below a prefix, sorted by name.
    fn references(&self, prefix: &str) -> Result<Vec<(String, ObjectId)>> {
        if let Some(listed) = &self.listed {
            let below = listed.iter().filter(|(name, _)| name.starts_with(prefix));
            return Ok(below
                .map(|(name, id)| (name.clone(), ObjectId(*id)))
                .collect());
        }
        let mut found = Vec::new();
        let all = self
            .repository
            .references_glob(&format!("{prefix}*"))
            .map_err(|e| self.broken(&e))?;
        for reference in all {
            let reference = reference.map_err(|e| self.broken(&e))?;
            // Names that are not UTF-8 cannot be asked for.
            let Ok(name) = reference.name() else { continue };
            if let Some(id) = self.find(name) {
                found.push((name.to_owned(), id));
            }
        }
        found.sort();
        Ok(found)
    }

    /// The commit behind tags.
    fn peel(&self, target: ObjectId, name: &str) -> Result<ObjectId> {
        let mut id = target;
        // As many tags of tags as nobody has.
        for _ in 0..16 {
            let (kind, content) = self.read(id)?;
            match kind {
                ObjectKind::Commit => return Ok(id),
                ObjectKind::Tag => {
                    id = header(&content, "object")
                        .and_then(|hex| self.parse_id(hex))
                        .ok_or_else(|| unreadable(format!("tag {id} names no object")))?;
                }
                ObjectKind::Tree | ObjectKind::Blob => return Err(no_commit(name, kind)),
            }
        }
        Err(Error::new(
            "git/reference",
            format!("`{name}` is a tag of a tag of a tag…"),
        ))
    }

    fn parse_id(&self, hex: &str) -> Option<ObjectId> {
        ObjectId::parse(hex, self.repository.object_format())
    }

    fn no_reference(&self, name: &str) -> Error {
        let error = Error::new(
            "ref/missing",
            format!(
                "no such reference in `{}`: `{name}` not found",
                self.display
            ),
        );
        // What is meant most probably lies behind the cut.
        if self.repository.is_shallow() {
            return error.help(
                "the clone is shallow: fetch the whole history, `git fetch --unshallow`, or \
                 `fetch-depth: 0` in CI",
            );
        }
        let short = |n: &str| n.rsplit('/').next().unwrap_or_default().to_owned();
        let all = self.references("refs/").unwrap_or_default();
        let names: Vec<String> = all.iter().map(|(n, _)| short(n)).collect();
        match crate::diag::nearest(&short(name), names.iter().map(String::as_str)) {
            Some(near) => match all.iter().find(|(n, _)| short(n) == near) {
                Some((full, _)) => error.help(format!("there is `{full}`")),
                None => error,
            },
            None if all.is_empty() => error.help("the repository has no references"),
            None => error.help("`git fetch` brings branches, `git fetch --tags` tags"),
        }
    }

    fn absent(&self, id: ObjectId) -> Error {
        Error::new(
            "ref/missing",
            format!("object {id} not found in `{}`", self.display),
        )
        .help("is the clone shallow? `git fetch --unshallow` brings the whole history")
    }

    fn broken(&self, error: &git2::Error) -> Error {
        unreadable(format!(
            "cannot read `{}`: {}",
            self.display,
            error.message()
        ))
    }
}

/// The error for history that goes on where nothing was fetched.
fn cut_off(message: String) -> Error {
    Error::new("ref/missing", message)
        .help("fetch the whole history: `git fetch --unshallow`, or `fetch-depth: 0` in CI")
}

/// The value of the first header of this name in a commit or tag.
pub fn header<'a>(object: &'a [u8], name: &str) -> Option<&'a str> {
    headers(object)
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .map(str::trim_end)
}

/// The parents that a commit names.
fn parents(commit: &[u8]) -> impl Iterator<Item = &str> {
    headers(commit).filter_map(|line| line.strip_prefix("parent "))
}

/// The lines before the first empty one; lines that are not UTF-8 are left
/// out.
fn headers(object: &[u8]) -> impl Iterator<Item = &str> {
    object
        .split(|b| *b == b'\n')
        .take_while(|line| !line.is_empty())
        .filter_map(|line| std::str::from_utf8(line).ok())
}

/// When a commit was made, in seconds since 1970, as it says itself.
pub fn committed_at(commit: &[u8]) -> i64 {
    header(commit, "committer")
        .and_then(|who| who.rsplit('>').next())
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or_default()
}

fn no_commit(name: &str, kind: ObjectKind) -> Error {
    Error::new(
        "git/reference",
        format!("`{name}` is {}, not a commit", kind.describe()),
    )
    .help("name a reference to a commit")
}

fn unreadable(message: String) -> Error {
    Error::new("git/unreadable", message)
}

/// The git folder of a repository: the folder itself, its `.git`, or what the
/// file `.git` of a linked working tree names.
fn git_folder(path: &Path) -> Result<PathBuf> {
    let inside = path.join(".git");
    if inside.is_file() {
        let content = read_file(&inside)?;
        let text = String::from_utf8_lossy(&content);
        let named = text.strip_prefix("gitdir:").map(str::trim);
        return named
            .map(|folder| path.join(folder))
            .ok_or_else(|| unreadable(format!("`{}` names no folder", inside.display())));
    }
    Ok(if inside.is_dir() {
        inside
    } else {
        path.to_owned()
    })
}

/// The content of a file anywhere on disk.
fn read_file(path: &Path) -> Result<std::sync::Arc<[u8]>> {
    let missing = || Error::new("ref/missing", format!("no such file: `{}`", path.display()));
    let real = path.canonicalize().map_err(|_| missing())?;
    let parent = real.parent().ok_or_else(missing)?;
    let name = real
        .file_name()
        .and_then(|n| n.to_str())
        .ok_or_else(missing)?;
    DiskTree::open(parent)?.read(name)
}
