//! Files made by `git bundle`: a list of references, then a pack.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::{GitRepository, unreadable};
use crate::diag::{Error, Result};

/// What stands before the pack.
struct Header {
    is_sha256: bool,
    references: BTreeMap<String, git2::Oid>,
    /// Where the pack begins.
    length: usize,
}

/// Opens a bundle: its pack is checked and indexed in a temporary folder.
pub(super) fn open(bundle: &[u8], display: String) -> Result<GitRepository> {
    let header = read_header(bundle).map_err(|e| e.context(format!("`{display}`")))?;
    let format = if header.is_sha256 {
        git2::ObjectFormat::Sha256
    } else {
        git2::ObjectFormat::Sha1
    };
    let pack = bundle.get(header.length..).unwrap_or_default();
    assemble(pack, header.references, format, display)
        .map_err(|e| e.help("the bundle is damaged: make it again with `git bundle create`"))
}

/// A repository of what a pack holds: it is checked and indexed in a temporary
/// folder.
pub(super) fn assemble(
    pack: &[u8],
    references: BTreeMap<String, git2::Oid>,
    format: git2::ObjectFormat,
    display: String,
) -> Result<GitRepository> {
    let message = |e: &dyn std::fmt::Display| format!("cannot unpack `{display}`: {e}");
    let failed = |e: &dyn std::fmt::Display| unreadable(message(e));
    let unwritable = |e: &dyn std::fmt::Display| {
        unreadable(message(e)).help(
            "make room where temporary files lie, or name another folder for them: `TMPDIR=DIR`",
        )
    };
    let folder = tempfile::tempdir().map_err(|e| unwritable(&e))?;
    let objects = folder.path().join("objects");
    let packs = objects.join("pack");
    std::fs::create_dir_all(&packs).map_err(|e| unwritable(&e))?;
    index(pack, &packs, format).map_err(|e| match e.class() {
        git2::ErrorClass::Os => unwritable(&e.message()),
        _ => failed(&e.message()),
    })?;
    let odb = git2::Odb::new_ext(format).map_err(|e| failed(&e.message()))?;
    let objects = objects
        .to_str()
        .ok_or_else(|| failed(&"its folder is not UTF-8"))?;
    odb.add_disk_alternate(objects)
        .map_err(|e| failed(&e.message()))?;
    let repository = git2::Repository::from_odb(odb).map_err(|e| failed(&e.message()))?;
    Ok(GitRepository {
        display,
        repository,
        listed: Some(references),
        _unpacked: Some(folder),
    })
}

/// Checks a pack and writes it beside its index.
fn index(
    pack: &[u8],
    folder: &std::path::Path,
    format: git2::ObjectFormat,
) -> std::result::Result<(), git2::Error> {
    let mut indexer = git2::Indexer::new_ext(None, folder, 0o600, false, format)?;
    indexer.write_all(pack).map_err(|e| {
        // The library's own error, inside of one of reading and writing.
        let own = e.downcast::<git2::Error>();
        own.unwrap_or_else(|e| git2::Error::from_str(&e.to_string()))
    })?;
    indexer.commit().map(drop)
}

fn read_header(bundle: &[u8]) -> Result<Header> {
    let mut header = Header {
        is_sha256: false,
        references: BTreeMap::new(),
        length: 0,
    };
    let mut listed = Vec::new();
    for (number, line) in bundle.split_inclusive(|b| *b == b'\n').enumerate() {
        header.length += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if number == 0 {
            if line != b"# v2 git bundle" && line != b"# v3 git bundle" {
                return Err(
                    unreadable("it is neither a folder nor a Git bundle".to_owned())
                        .help("name a repository, or a file that `git bundle create` made"),
                );
            }
            continue;
        }
        if line.is_empty() {
            for (hex, name) in listed {
                let format = if header.is_sha256 {
                    git2::ObjectFormat::Sha256
                } else {
                    git2::ObjectFormat::Sha1
                };
                let id = git2::Oid::from_str_ext(hex, format)
                    .map_err(|_| unreadable(format!("`{hex}` is no object name")))?;
                header.references.insert(name, id);
            }
            return Ok(header);
        }
        let line = std::str::from_utf8(line)
            .map_err(|_| unreadable(format!("line {} of its list is not UTF-8", number + 1)))?;
        if let Some(capability) = line.strip_prefix('@') {
            match capability {
                "object-format=sha1" => {}
                "object-format=sha256" => header.is_sha256 = true,
                other => {
                    return Err(unreadable(format!(
                        "it asks for `{other}`, which is not known"
                    )));
                }
            }
        } else if let Some(needed) = line.strip_prefix('-') {
            let commit = needed.split(' ').next().unwrap_or_default();
            return Err(Error::new(
                "ref/missing",
                format!("it builds on commit {commit}, which it does not hold"),
            )
            .help("fetch it into a clone that has that commit, and name the clone"));
        } else {
            let (hex, name) = line
                .split_once(' ')
                .ok_or_else(|| unreadable(format!("`{line}` is no reference")))?;
            listed.push((hex, name.to_owned()));
        }
    }
    Err(unreadable("it ends before its pack".to_owned()))
}
