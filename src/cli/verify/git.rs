//! `fluxwright verify git REPOSITORY`

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use super::{Format, answer};
use crate::artifact::git::{GitRepository, Reference};
use crate::cli::head::top_of;
use crate::cli::output::{self, Exit};
use crate::cli::read;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::git::{Mode, verify, verify_range};
use crate::verify::{KeyFile, Keys, MAX_KEY_FILE_BYTES, Proof};

/// Verify the signature of a commit, a tag, or every commit of a range
///
/// Takes a repository, bare or not, a folder in one, or a file made by `git bundle`.
/// The commit is found as Flux finds it: of several references, --commit counts before --name,
/// --semver, --tag and --branch; without any, HEAD is verified. Keys are files as
/// the entries of the Secret that spec.verify names: `*.sshpub` holds SSH keys,
/// anything else an armored OpenPGP keyring.
///
/// Examples:
///   fluxwright verify git . --key alice.asc
///   fluxwright verify git . --mode TagAndHEAD --tag v1.2.0 --key alice.asc --key ci.sshpub
///   fluxwright verify git repo.bundle --semver '>=1.0.0' --mode Tag --key alice.asc
///   fluxwright verify git . --range origin/main..HEAD --key team.asc
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// A repository, or a bundle
    #[arg(value_name = "REPOSITORY", default_value = ".")]
    repository: PathBuf,

    /// What must be signed: HEAD (the commit), Tag, or TagAndHEAD
    #[arg(long, default_value = "HEAD", conflicts_with = "range")]
    mode: String,

    /// A branch
    #[arg(long)]
    branch: Option<String>,

    /// A tag
    #[arg(long)]
    tag: Option<String>,

    /// A range of versions: its latest tag
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    semver: Option<String>,

    /// A reference by its full name, refs/pull/7/head
    #[arg(long, value_name = "REFERENCE")]
    name: Option<String>,

    /// A commit, by all its digits
    #[arg(long, value_name = "DIGEST")]
    commit: Option<String>,

    /// Every commit that is in the history of HEAD and not in that of BASE
    #[arg(long, value_name = "BASE..HEAD", conflicts_with_all = ["branch", "tag", "semver", "name", "commit"])]
    range: Option<String>,

    /// A file of public keys that may sign (repeatable)
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,

    /// The time that keys must be valid at [default: the machine's clock]
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    now: Option<Moment>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let format = self.output;
        answer(self.verify(), format)
    }

    fn verify(self) -> std::result::Result<Vec<Proof>, Vec<Error>> {
        let one = |e| vec![e];
        let mode = Mode::parse(&self.mode).map_err(one)?;
        let keys = keys(&self.key).map_err(one)?;
        let now = read::now(self.now);
        let repository = GitRepository::open(&top(&self.repository)).map_err(one)?;
        if let Some(range) = &self.range {
            let (base, head) = split_range(range).map_err(one)?;
            let from = repository.revision(base).map_err(one)?;
            let to = repository.revision(head).map_err(one)?;
            let proofs = verify_range(&repository, from, to, &keys, now)?;
            if proofs.is_empty() {
                output::stderr(&format!(
                    "note: there is nothing to verify: all commits of `{head}` are in the history of `{base}`"
                ));
            }
            return Ok(proofs);
        }
        let reference = Reference {
            branch: self.branch,
            tag: self.tag,
            semver: self.semver,
            name: self.name,
            commit: self.commit,
        };
        let checkout = repository.checkout(&reference).map_err(one)?;
        verify(&repository, &checkout, mode, &keys, now).map_err(one)
    }
}

/// The repository that a folder lies in, where it is none itself.
fn top(path: &Path) -> Cow<'_, Path> {
    let is_one = |folder: &Path| folder.join(".git").exists() || folder.join("HEAD").exists();
    if !path.is_dir() || is_one(path) {
        return path.into();
    }
    let above = path.canonicalize().ok().and_then(|real| {
        let top = top_of(&real);
        top.map(Path::to_owned)
    });
    above.map_or(path.into(), Cow::Owned)
}

fn split_range(range: &str) -> Result<(&str, &str)> {
    match range.split_once("..") {
        Some((base, head)) if !base.is_empty() && !head.starts_with('.') => {
            Ok((base, if head.is_empty() { "HEAD" } else { head }))
        }
        _ => Err(
            Error::new("usage/range", format!("`{range}` is no range of commits"))
                .help("write `BASE..HEAD`, such as `origin/main..HEAD`"),
        ),
    }
}

/// Reads key files.
fn keys(paths: &[PathBuf]) -> Result<Keys> {
    let mut files = Vec::new();
    for path in paths {
        files.push(KeyFile {
            name: path.display().to_string(),
            content: read::file(path, MAX_KEY_FILE_BYTES)?,
        });
    }
    Ok(Keys::read(&files))
}
