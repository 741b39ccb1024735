//! `fluxwright migrate`: Flux objects rewritten for a newer Flux.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output::{self, Exit};
use crate::artifact::{DiskTree, Kind, Tree as _};
use crate::diag::{Error, Location, Result, SourceMap};
use crate::flux::FluxVersion;
use crate::flux::migrate::{Change, migrate};
use crate::resource::Files;

/// Rewrite outdated Flux API versions in place
///
/// Every YAML file below the folder: `apiVersion`s of Flux's kinds become those
/// that the Flux version serves, renamed fields get their new names, and every
/// other byte stays as it is. What takes more than that is told.
///
/// Examples:
///   fluxwright migrate --dry-run           # what would change
///   fluxwright migrate clusters/test       # one folder
///   fluxwright migrate --flux-version 2.8
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// A folder or a file
    #[arg(value_name = "PATH", default_value = ".")]
    path: PathBuf,

    /// The version of Flux to write for
    #[arg(long, value_name = "VERSION", default_value_t = FluxVersion::NEWEST)]
    flux_version: FluxVersion,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        let result = self.migrate(&sources);
        match result {
            Ok((lines, exit)) => {
                output::stdout(lines.as_bytes())?;
                Ok(exit)
            }
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn migrate(&self, sources: &Arc<SourceMap>) -> Result<(String, Exit)> {
        let (folder, only) = self.folder()?;
        let tree = Arc::new(DiskTree::open(&folder)?);
        let files = Files::new(tree.clone(), sources.clone());
        let mut paths = Vec::new();
        match only {
            Some(name) => paths.push(name),
            None => list(&tree, "", &mut paths)?,
        }
        let (mut lines, mut done, mut open) = (String::new(), 0, 0);
        for path in paths {
            // What is no YAML is not Flux's.
            let (Ok(text), Ok(documents)) = (files.text(&path), files.documents(&path)) else {
                continue;
            };
            let (new, changes) = migrate(&text.text, &documents, self.flux_version);
            for change in &changes {
                lines.push_str(&line(change, sources));
                if change.is_done {
                    done += 1;
                } else {
                    open += 1;
                }
            }
            if new != *text.text && !self.dry_run {
                let bytes = files.bytes(&path)?;
                rewrite(&folder.join(&path), &bytes, &text.text, &new)?;
            }
        }
        let verb = if self.dry_run {
            "to be changed"
        } else {
            "changed"
        };
        lines.push_str(&format!("{done} {verb}, {open} left to you\n"));
        let exit = if open > 0 { Exit::No } else { Exit::Done };
        Ok((lines, exit))
    }

    /// The folder, and the file in it where one was named.
    fn folder(&self) -> Result<(PathBuf, Option<String>)> {
        let missing = || {
            Error::new(
                "ref/missing",
                format!("no such file or folder: `{}`", self.path.display()),
            )
            .help("name a file, or a folder of a repository")
        };
        let path = self.path.canonicalize().map_err(|_| missing())?;
        if path.is_dir() {
            return Ok((path, None));
        }
        let name = path.file_name().and_then(|n| n.to_str());
        let name = name.ok_or_else(missing)?.to_owned();
        Ok((path.parent().ok_or_else(missing)?.to_owned(), Some(name)))
    }
}

/// The YAML files below a folder; hidden ones and links are passed over.
fn list(tree: &DiskTree, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in tree.list(folder)? {
        if entry.name.starts_with('.') || entry.is_symlink {
            continue;
        }
        let at = if folder.is_empty() {
            entry.name.clone()
        } else {
            format!("{folder}/{}", entry.name)
        };
        match entry.kind {
            Kind::Directory => list(tree, &at, paths)?,
            Kind::File if [".yaml", ".yml"].iter().any(|end| at.ends_with(end)) => paths.push(at),
            Kind::File => {}
        }
    }
    Ok(())
}

/// `apps/web.yaml:3: HelmRelease/apps/web: … becomes …`
fn line(change: &Change, sources: &SourceMap) -> String {
    let place = Location::of(change.span, sources);
    let place = place.map_or_else(String::new, |l| format!("{}:{}: ", l.file, l.line));
    let open = if change.is_done { "" } else { " (by hand)" };
    format!(
        "{place}{}: {}{open}\n",
        change.object.to_object_ref(),
        change.what
    )
}

/// Puts new text in the place of a file's, in one step. A mark at its
/// beginning stays.
fn rewrite(path: &Path, bytes: &[u8], old: &str, new: &str) -> Result<()> {
    let failed = |e: &io::Error| {
        Error::new(
            "output/failed",
            format!("cannot write `{}`: {}", path.display(), e.kind()),
        )
    };
    let Some(mark) = bytes.strip_suffix(old.as_bytes()) else {
        return Err(Error::new(
            "file/unreadable",
            format!("`{}` is not UTF-8, and was left as it is", path.display()),
        )
        .help("store it as UTF-8"));
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mode = std::fs::metadata(path)
        .map_err(|e| failed(&e))?
        .permissions();
    let mut beside = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
    beside
        .write_all(mark)
        .and_then(|()| beside.write_all(new.as_bytes()))
        .and_then(|()| beside.as_file().set_permissions(mode))
        .map_err(|e| failed(&e))?;
    beside.persist(path).map_err(|e| failed(&e.error))?;
    Ok(())
}
