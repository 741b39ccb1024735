//! Git repositories over HTTP(S) and SSH.
//!
//! In: a GitRepository's address and reference, or a remote base of a
//! kustomization. Out: a pin, and in the store the tree of its commit. Beside
//! the files, where no commit can have any, lie the objects that name them:
//! `.git/commit`, `.git/trees` and, where a tag led there, `.git/tag`, so that
//! signatures can be verified later and offline.
//!
//! One commit is fetched, without its history. libgit2 reads and checks what
//! comes; its own transports are not used: they need OpenSSL and unsafe code,
//! and know version 0 of the protocol alone.
//!
//! Compat: fluxcd/pkg/git/gogit `client.go`, which reference wins and how
//! revisions are written.

mod server;
mod ssh;
mod wire;

use std::collections::BTreeMap;

use self::server::{Server, Wanted};
use super::{Access, Resolved};
use crate::artifact::git::{
    CommitEntry, CommitEntryKind, GitRepository, ObjectId, Packed, Reference,
};
use crate::artifact::{MemoryTree, pack, path};
use crate::diag::{Error, Result};
use crate::flux::api::GitSpec;
use crate::gostd::semver::{Constraints, latest};

/// How deep submodules may lie in submodules.
const MAX_SUBMODULE_DEPTH: usize = 8;

/// What a GitRepository comes to; with a revision, what it came to when that
/// was written down.
pub(super) fn resolve(
    access: &Access<'_>,
    url: &str,
    git: &GitSpec,
    revision: Option<&str>,
) -> Result<Resolved> {
    let url = access.address(url);
    let mut server = Server::connect(&url, &access.credentials)?;
    let target = match revision {
        None => choose(&mut server, &git.reference)?,
        Some(revision) => pinned(&mut server, git, revision)?,
    };
    let (repository, commit) = target.fetch(&mut server, &url)?;
    let mut tree = MemoryTree::new("");
    checkout(&repository, commit, "", Links::Omitted, &mut tree)?;
    add_objects(&repository, commit, target.tag.as_deref(), &mut tree)?;
    let mut packed = BTreeMap::new();
    repository.pack_trees(commit, false, &mut packed)?;
    if git.recurse_submodules {
        let place = (url.as_str(), "", 0);
        submodules(access, &repository, commit, place, &mut tree, &mut packed)?;
    }
    tree.insert(
        ".git/trees",
        packed.into_values().collect::<Vec<_>>().concat(),
    );
    Ok(Resolved {
        revision: target.revision(&server, commit),
        digest: access.put(&pack::pack(&tree)?)?,
    })
}

/// What a remote base of a kustomization comes to: branch, tag, any other
/// reference or a commit; without one, what the repository shows first.
pub(super) fn resolve_base(
    access: &Access<'_>,
    url: &str,
    reference: Option<&str>,
    revision: Option<&str>,
) -> Result<Resolved> {
    let url = access.address(url);
    let mut server = Server::connect(&url, &access.credentials)?;
    let target = match (revision.and_then(|r| r.rsplit_once(':')), reference) {
        (Some((_, commit)), _) => Target::commit(commit, ""),
        (None, reference) => base_target(&mut server, reference)?,
    };
    let (repository, commit) = target.fetch(&mut server, &url)?;
    let mut tree = MemoryTree::new("");
    // Kustomize clones, and a clone has links.
    checkout(&repository, commit, "", Links::Followed, &mut tree)?;
    let place = (url.as_str(), "", 0);
    submodules(
        access,
        &repository,
        commit,
        place,
        &mut tree,
        &mut BTreeMap::new(),
    )?;
    Ok(Resolved {
        revision: target.revision(&server, commit),
        digest: access.put(&pack::pack(&tree)?)?,
    })
}

fn base_target(server: &mut Server, reference: Option<&str>) -> Result<Target> {
    let name = reference.unwrap_or("HEAD");
    let candidates = [
        name.to_owned(),
        format!("refs/tags/{name}"),
        format!("refs/heads/{name}"),
    ];
    let references = server.references(&candidates)?;
    for candidate in &candidates {
        if let Some(id) = references.get(candidate) {
            return Ok(Target {
                want: id.clone(),
                label: reference.unwrap_or_default().to_owned(),
                tag: None,
            });
        }
    }
    if is_object_name(name) {
        return Ok(Target::commit(name, ""));
    }
    let may_be_cut = name.len() >= 7 && name.bytes().all(|b| b.is_ascii_hexdigit());
    Err(if may_be_cut {
        no_reference(name).helped("a commit is named by all its 40 digits")
    } else {
        no_reference(name)
    })
}

/// What is to be fetched, and what it is called.
#[derive(Debug)]
struct Target {
    /// The object that is asked for: a commit or a tag.
    want: String,
    /// What stands before the commit in the revision.
    label: String,
    /// The tag's short name, where it is one.
    tag: Option<String>,
}

impl Target {
    fn commit(commit: &str, label: &str) -> Target {
        Target {
            want: commit.to_owned(),
            label: label.to_owned(),
            tag: None,
        }
    }

    /// A reference by its full name.
    fn named(server: &mut Server, name: &str) -> Result<Target> {
        let name = name.strip_suffix("^{}").unwrap_or(name);
        let references = server.references(&[name.to_owned()])?;
        let want = references.get(name).ok_or_else(|| no_reference(name))?;
        Ok(Target {
            want: want.clone(),
            // Compat: git.Commit.String: what stands behind the second slash.
            label: name.splitn(3, '/').nth(2).unwrap_or_default().to_owned(),
            tag: name.strip_prefix("refs/tags/").map(str::to_owned),
        })
    }

    /// Fetches it alone; the repository and the commit in it.
    fn fetch(&self, server: &mut Server, url: &str) -> Result<(GitRepository, ObjectId)> {
        let pack = server.fetch(&Wanted {
            objects: vec![self.want.clone()],
            depth: Some(1),
            ..Wanted::default()
        })?;
        let display = super::http::shown(url);
        let listed = [("wanted".to_owned(), self.want.clone())];
        let repository = GitRepository::from_pack(&pack, listed, server.is_sha256(), display)?;
        let commit = repository.checkout(&Reference {
            name: Some("wanted".to_owned()),
            ..Reference::default()
        })?;
        Ok((repository, commit.commit))
    }

    fn revision(&self, server: &Server, commit: ObjectId) -> String {
        let algorithm = if server.is_sha256() { "sha256" } else { "sha1" };
        if self.label.is_empty() {
            format!("{algorithm}:{commit}")
        } else {
            format!("{}@{algorithm}:{commit}", self.label)
        }
    }
}

/// What a reference names now.
fn choose(server: &mut Server, reference: &BTreeMap<String, String>) -> Result<Target> {
    let get = |key: &str| reference.get(key).map(String::as_str);
    if let Some(commit) = get("commit") {
        if !is_object_name(commit) {
            return Err(Error::new(
                "git/reference",
                format!("`{commit}` is no name of a commit"),
            )
            .help("write all 40 hexadecimal digits (64 in a SHA-256 repository)"));
        }
        if let Some(branch) = get("branch") {
            must_hold(server, branch, commit)?;
        }
        return Ok(Target::commit(commit, get("branch").unwrap_or_default()));
    }
    if let Some(name) = get("name") {
        let is_whole = name == "HEAD" || name.starts_with("refs/");
        return Target::named(server, name).map_err(|e| match (e.rule(), is_whole) {
            ("ref/missing", false) => {
                e.helped(format!("a name is whole, as in `refs/heads/{name}`"))
            }
            _ => e,
        });
    }
    if let Some(range) = get("semver") {
        let tag = latest_tag(server, range)?;
        return Target::named(server, &format!("refs/tags/{tag}"));
    }
    if let Some(tag) = get("tag") {
        return Target::named(server, &format!("refs/tags/{tag}"));
    }
    let branch = get("branch").unwrap_or("master");
    Target::named(server, &format!("refs/heads/{branch}")).map_err(|e| {
        if get("branch").is_none() {
            e.helped("without `spec.ref`, Flux takes the branch `master`: name the branch")
        } else {
            e
        }
    })
}

/// What a reference named when it was locked.
fn pinned(server: &mut Server, git: &GitSpec, revision: &str) -> Result<Target> {
    let (label, commit) = match revision.rsplit_once('@') {
        Some((label, commit)) => (label, commit),
        None => ("", revision),
    };
    let commit = commit.split_once(':').map_or(commit, |(_, hex)| hex);
    if git.is_tag() {
        // With the tag itself, as it was when it was locked.
        return Target::named(server, &format!("refs/tags/{label}"));
    }
    Ok(Target::commit(commit, label))
}

/// Whether a branch holds a commit: its history is fetched to see, without
/// content where the server can.
fn must_hold(server: &mut Server, branch: &str, commit: &str) -> Result<()> {
    let name = format!("refs/heads/{branch}");
    let target = Target::named(server, &name)?;
    if target.want == commit {
        return Ok(());
    }
    let pack = server.fetch(&Wanted {
        objects: vec![target.want.clone()],
        depth: None,
        commits_only: true,
    })?;
    let listed = [(name, target.want)];
    let history = GitRepository::from_pack(&pack, listed, server.is_sha256(), branch.to_owned())?;
    history
        .checkout(&Reference {
            branch: Some(branch.to_owned()),
            commit: Some(commit.to_owned()),
            ..Reference::default()
        })
        .map(drop)
        .map_err(|e| {
            if e.rule() == "ref/missing" {
                Error::new(
                    "ref/missing",
                    format!("commit `{commit}` is not in the history of branch `{branch}`"),
                )
                .help("name the branch that it is on, or leave the branch out")
            } else {
                e
            }
        })
}

/// The latest tag in a range.
fn latest_tag(server: &mut Server, range: &str) -> Result<String> {
    let constraints = Constraints::parse(range).map_err(|e| {
        Error::new(
            "git/reference",
            format!("`{range}` is no range of versions: {e}"),
        )
        .help("write a range such as `>=1.2.0 <2.0.0`")
    })?;
    let references = server.references(&["refs/tags/".to_owned()])?;
    let tags: Vec<&str> = references
        .keys()
        .filter_map(|name| name.strip_prefix("refs/tags/"))
        .filter(|tag| !tag.ends_with("^{}"))
        .collect();
    let chosen = latest(tags.iter().copied(), &constraints, |_| ())
        .and_then(|i| tags.get(i).copied())
        .ok_or_else(|| {
            Error::new(
                "source/version",
                format!("no tag matches the range `{range}`"),
            )
            .help(match tags.len() {
                0 => "the repository has no tags".to_owned(),
                n => format!("none of its {n} tags is a version in this range"),
            })
        })?;
    // Tags that differ in build metadata alone: the commit's date decides.
    let core = |tag: &str| tag.split('+').next().unwrap_or(tag).to_owned();
    let equals: Vec<&str> = tags
        .iter()
        .copied()
        .filter(|t| core(t) == core(chosen))
        .collect();
    if equals.len() < 2 {
        return Ok(chosen.to_owned());
    }
    let id = |tag: &str| references.get(&format!("refs/tags/{tag}")).cloned();
    let pack = server.fetch(&Wanted {
        objects: equals.iter().filter_map(|t| id(t)).collect(),
        depth: Some(1),
        commits_only: true,
    })?;
    let listed = equals
        .iter()
        .filter_map(|t| Some((format!("refs/tags/{t}"), id(t)?)));
    let repository = GitRepository::from_pack(
        &pack,
        listed,
        server.is_sha256(),
        "the repository".to_owned(),
    )?;
    let checkout = repository.checkout(&Reference {
        semver: Some(range.to_owned()),
        ..Reference::default()
    })?;
    Ok(checkout.tag.map_or(chosen.to_owned(), |t| t.name))
}

/// What happens to symbolic links.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Links {
    /// Compat: source-controller leaves out what is no regular file.
    Omitted,
    /// What they lead to takes their place.
    Followed,
}

/// Adds the files of a commit below a folder.
fn checkout(
    repository: &GitRepository,
    commit: ObjectId,
    folder: &str,
    links: Links,
    tree: &mut MemoryTree,
) -> Result<()> {
    let mut found = Vec::new();
    for CommitEntry { path, kind, id } in repository.commit_entries(commit)? {
        let target = path::join(folder, &path)
            .filter(|t| !t.is_empty())
            .ok_or_else(|| {
                Error::new(
                    "git/unreadable",
                    format!("the commit holds a file named `{path}`"),
                )
            })?;
        match kind {
            CommitEntryKind::File => tree.insert(target, repository.read(id)?.1),
            CommitEntryKind::Link if links == Links::Followed => {
                let content = repository.read(id)?.1;
                found.push((target, String::from_utf8_lossy(&content).into_owned()));
            }
            CommitEntryKind::Link | CommitEntryKind::Submodule => {}
        }
    }
    // Links to links need as many rounds as the chain is long.
    for _ in 0..8 {
        for (link, target) in &found {
            follow(tree, link, target);
        }
    }
    Ok(())
}

/// Puts what a link leads to in its place; nothing where it leads nowhere, or
/// out of the tree.
fn follow(tree: &mut MemoryTree, link: &str, target: &str) {
    let folder = path::parent(link).unwrap_or_default();
    let Some(target) =
        path::join(folder, target).filter(|t| !t.is_empty() && !path::is_within(link, t))
    else {
        return;
    };
    let copies: Vec<(String, std::sync::Arc<[u8]>)> = tree
        .files()
        .filter(|(file, _)| path::is_within(file, &target))
        .map(|(file, content)| {
            let rest = file.strip_prefix(target.as_str()).unwrap_or_default();
            (format!("{link}{rest}"), content.clone())
        })
        .collect();
    for (file, content) in copies {
        tree.insert(file, content);
    }
}

/// Adds the commit, and the tag that led to it.
fn add_objects(
    repository: &GitRepository,
    commit: ObjectId,
    tag: Option<&str>,
    tree: &mut MemoryTree,
) -> Result<()> {
    tree.insert(".git/commit", repository.read(commit)?.1);
    if tag.is_some()
        && let Some(target) = repository.listed("wanted")
        && target != commit
    {
        tree.insert(".git/tag", repository.read(target)?.1);
    }
    Ok(())
}

/// Adds the files of submodules, and their trees; `place` is the repository's address, its
/// folder in the tree, and how deep it lies.
fn submodules(
    access: &Access<'_>,
    repository: &GitRepository,
    commit: ObjectId,
    place: (&str, &str, usize),
    tree: &mut MemoryTree,
    packed: &mut Packed,
) -> Result<()> {
    let (url, folder, depth) = place;
    let entries = repository.commit_entries(commit)?;
    let links: Vec<&CommitEntry> = entries
        .iter()
        .filter(|e| e.kind == CommitEntryKind::Submodule)
        .collect();
    if links.is_empty() {
        return Ok(());
    }
    if depth >= MAX_SUBMODULE_DEPTH {
        return Err(Error::new("git/unreadable", "submodules nest too deep")
            .help("leave out `spec.recurseSubmodules`"));
    }
    let modules = entries
        .iter()
        .find(|e| e.path == ".gitmodules" && e.kind == CommitEntryKind::File);
    let modules = match modules {
        Some(entry) => String::from_utf8_lossy(&repository.read(entry.id)?.1).into_owned(),
        None => String::new(),
    };
    let addresses = read_modules(&modules);
    for link in links {
        let Some(address) = addresses.get(&link.path) else {
            return Err(Error::new(
                "git/unreadable",
                format!(
                    "the submodule `{}` has no address in .gitmodules",
                    link.path
                ),
            ));
        };
        let address = access.address(&relative_address(url, address));
        let context = |e: Error| e.context(format!("the submodule `{}`", link.path));
        // Credentials are those of the source, for its own host alone.
        let credentials = access.credentials_for(&address);
        let mut server = Server::connect(&address, &credentials).map_err(context)?;
        let target = Target::commit(&link.id.to_string(), "");
        let (module, commit) = target.fetch(&mut server, &address).map_err(context)?;
        let folder = path::join(folder, &link.path).unwrap_or_default();
        checkout(&module, commit, &folder, Links::Omitted, tree)?;
        module.pack_trees(commit, true, packed)?;
        let place = (address.as_str(), folder.as_str(), depth + 1);
        submodules(access, &module, commit, place, tree, packed)?;
    }
    Ok(())
}

/// Paths and addresses of `.gitmodules`.
fn read_modules(text: &str) -> BTreeMap<String, String> {
    let mut addresses = BTreeMap::new();
    let (mut path, mut url) = (None, None);
    for line in text.lines().chain(["["]) {
        let line = line.trim();
        if line.starts_with('[') {
            if let (Some(path), Some(url)) = (path.take(), url.take()) {
                addresses.insert(path, url);
            }
            (path, url) = (None, None);
        } else if let Some((key, value)) = line.split_once('=') {
            let value = value.trim().trim_matches('"').to_owned();
            match key.trim() {
                "path" => path = Some(value.trim_end_matches('/').to_owned()),
                "url" => url = Some(value),
                _ => {}
            }
        }
    }
    addresses
}

/// The address of a submodule, which may be relative to its repository's.
fn relative_address(base: &str, address: &str) -> String {
    let mut base = base.trim_end_matches('/');
    let mut rest = address;
    if !rest.starts_with("./") && !rest.starts_with("../") {
        return address.to_owned();
    }
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            base = base.rsplit_once('/').map_or(base, |(before, _)| before);
        } else {
            return format!("{base}/{rest}");
        }
    }
}

fn is_object_name(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn no_reference(name: &str) -> Error {
    Error::new(
        "ref/missing",
        format!("the repository has no reference `{name}`"),
    )
    .help("is it spelled right, and was it pushed?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_submodules() {
        let text = "[submodule \"a\"]\n\tpath = libs/a\n\turl = ../a.git\n[submodule \"b\"]\n\turl = https://h/b\n\tpath = b/\n[core]\n";
        let modules = read_modules(text);
        assert_eq!(modules["libs/a"], "../a.git");
        assert_eq!(modules["b"], "https://h/b");
        let full = |address| relative_address("https://h/org/app.git", address);
        assert_eq!(full("../a.git"), "https://h/org/a.git");
        assert_eq!(full("../../x/y"), "https://h/x/y");
        assert_eq!(full("./z"), "https://h/org/app.git/z");
        assert_eq!(full("https://o/z"), "https://o/z");
    }

    #[test]
    fn links_are_replaced_by_what_they_lead_to() {
        let mut tree = MemoryTree::new("");
        tree.insert("base/a.yaml", b"a".as_slice());
        follow(&mut tree, "apps/base", "../base");
        follow(&mut tree, "apps/b.yaml", "base/a.yaml");
        follow(&mut tree, "apps/out", "../../etc");
        follow(&mut tree, "apps/self", ".");
        let paths: Vec<&str> = tree.paths().collect();
        assert_eq!(paths, ["apps/b.yaml", "apps/base/a.yaml", "base/a.yaml"]);
    }
}
