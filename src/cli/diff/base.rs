//! What a repository is compared with: the same one at another revision, in
//! another folder, or with another lockfile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::{Digest, DiskTree, Replaced, Tree};
use crate::cli::cache::{Place, Recorder};
use crate::cli::read;
use crate::diag::{Error, Result};

/// Opens a tree, read through whoever remembers what is read.
type Open = Box<dyn FnOnce(&Recorder) -> Result<Arc<dyn Tree>> + Send>;

/// The other version.
pub(in crate::cli) struct Base {
    /// What it is called.
    pub(in crate::cli) name: String,
    /// What tells its content from another's, together with what is read
    /// through the recorder.
    pub(super) key: String,
    open: Open,
}

impl Base {
    /// Its root.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub(in crate::cli) fn open(self, recorder: &Recorder) -> Result<Arc<dyn Tree>> {
        (self.open)(recorder)
    }

    /// A folder with the repository as it was.
    pub(super) fn folder(path: &Path) -> Base {
        let name = path.display().to_string();
        let (path, place) = (path.to_owned(), Place::Folder(name.clone()));
        Base {
            key: name.clone(),
            open: Box::new({
                let name = name.clone();
                move |recorder| Ok(recorder.watch(place, DiskTree::open(&path)?.named(name)))
            }),
            name,
        }
    }

    /// The repository itself.
    pub(super) fn same(root: PathBuf) -> Base {
        Base {
            name: String::new(),
            key: String::new(),
            open: Box::new(move |recorder| Ok(recorder.watch(Place::Root, DiskTree::open(&root)?))),
        }
    }

    /// The same with another lockfile.
    ///
    /// # Errors
    ///
    /// Where that cannot be read.
    pub(super) fn with_lock(self, path: &Path) -> Result<Base> {
        let content = read::file(path, read::MAX_TEXT_BYTES)?;
        let display = path.display().to_string();
        let digest = Digest::of(&content);
        Ok(Base {
            name: match &*self.name {
                "" => display.clone(),
                name => format!("{name} with {display}"),
            },
            key: format!("{} {display} {digest}", self.key),
            open: Box::new(move |recorder| {
                let tree = (self.open)(recorder)?;
                let name = crate::lock::FILE_NAME;
                Ok(Arc::new(Replaced::new(tree, name, content, &display)))
            }),
        })
    }

    /// The root as it was at a revision; without one, at the newest commit that
    /// is in the default branch, too.
    ///
    /// # Errors
    ///
    /// `ref/missing` where there is no such commit, or no Git repository.
    #[cfg(feature = "git")]
    pub(in crate::cli) fn commit(root: &Path, revision: Option<&str>) -> Result<Base> {
        use crate::artifact::git::{GitRepository, GitTree};
        use crate::cli::head::top_of;

        if revision.is_some_and(str::is_empty) {
            return Err(
                Error::new("usage/base", "the revision to compare with is empty")
                    .help("name a commit, tag or branch; is a variable not set?"),
            );
        }
        let top = top_of(root);
        let Some(top) = top else {
            return Err(Error::new(
                "ref/missing",
                format!("`{}` lies in no Git repository", root.display()),
            )
            .help("name a folder to compare with: `--base-dir DIR`"));
        };
        let folder = root.strip_prefix(top).unwrap_or(Path::new(""));
        let folder = folder.to_str().unwrap_or_default().to_owned();
        let repository = GitRepository::open(top)?;
        let commit = if let Some(revision) = revision {
            repository.revision(revision)?
        } else {
            let head = repository.revision("HEAD")?;
            let default = repository.default_branch().ok_or_else(|| {
                Error::new(
                    "ref/missing",
                    "which branch is the default one is not known here",
                )
                .help("name what to compare with: `--base REVISION`")
            })?;
            repository.merge_base(head, default)?
        };
        let id = commit.to_string();
        let short: String = id.chars().take(10).collect();
        let name = match revision {
            Some(revision) if !id.starts_with(revision) => format!("{revision} ({short})"),
            _ => short.clone(),
        };
        Ok(Base {
            key: format!("{id} {folder} {name}"),
            name,
            open: Box::new(move |_| {
                let tree = GitTree::open(repository, commit, &folder, &short)?;
                Ok(Arc::new(tree))
            }),
        })
    }

    #[cfg(not(feature = "git"))]
    pub(in crate::cli) fn commit(_root: &Path, _revision: Option<&str>) -> Result<Base> {
        Err(Error::new(
            "usage/feature",
            "this build of fluxwright lacks the feature `git`",
        )
        .help("name a folder to compare with: `--base-dir DIR`"))
    }
}
