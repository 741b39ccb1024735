//! Files and folders as a kustomization names them.
//!
//! In: a path in a kustomization. Out: a path in the tree, checked against the
//! rules on what may be read. Compat: `internal/loader` of kustomize.

use std::sync::Arc;

use crate::artifact::{Kind, path};
use crate::diag::{Error, Result, Span};
use crate::resource::Files;

use super::file::Text;
use super::remote::{self, RepoSpec};
use super::{LoadRestrictions, Options, Remote, RemoteContent};

/// How deep kustomizations may nest.
const MAX_NESTING: usize = 200;

/// The folder of a kustomization, and those that led to it.
pub(super) struct Loader<'l> {
    files: &'l Files,
    /// The folder, links followed.
    root: String,
    restrictions: LoadRestrictions,
    has_absolute_paths: bool,
    remote: Option<&'l dyn Remote>,
    referrer: Option<&'l Loader<'l>>,
    depth: usize,
}

/// A file that a kustomization names, and the tree that it is in.
pub(super) struct Located<'l> {
    tree: TreeOf<'l>,
    /// Its path in that tree.
    pub(super) path: String,
    /// Whether it is to be had from elsewhere.
    pub(super) is_remote: bool,
}

enum TreeOf<'l> {
    Own(&'l Files),
    Other(Arc<Files>),
}

impl Located<'_> {
    /// The tree.
    pub(super) fn files(&self) -> &Files {
        match &self.tree {
            TreeOf::Own(files) => files,
            TreeOf::Other(files) => files,
        }
    }
}

/// What an entry of `resources` leads to.
pub(super) enum Found {
    /// A file of objects.
    File(String),
    /// A folder with a kustomization.
    Folder,
    /// Something to be had from elsewhere.
    Remote,
}

impl<'l> Loader<'l> {
    /// The loader of the kustomization that is built.
    ///
    /// # Errors
    ///
    /// `ref/missing` for what is no folder.
    pub(super) fn new(
        files: &'l Files,
        folder: &str,
        options: &'l Options<'_>,
    ) -> Result<Loader<'l>> {
        let root = folder_at(files, folder, Span::NONE)?;
        Ok(Loader {
            files,
            root,
            restrictions: options.load_restrictions,
            has_absolute_paths: options.has_absolute_paths,
            remote: options.remote,
            referrer: None,
            depth: 0,
        })
    }

    /// The files that it reads.
    pub(super) fn files(&self) -> &'l Files {
        self.files
    }

    /// The folder, as a path in the tree.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// The folder, as users know it.
    pub(super) fn display(&self) -> String {
        self.files.display(&self.root)
    }

    /// What an entry of `resources` leads to: first as a file, then as a
    /// folder or an address.
    pub(super) fn find(&self, entry: &Text) -> Result<Found> {
        if remote::is_remote_file(entry) {
            return Ok(Found::Remote);
        }
        let joined = self.join(entry);
        let kind = match &joined {
            Ok(path) => self.files.kind(path)?,
            Err(_) => None,
        };
        match (kind, joined) {
            (Some(Kind::File), Ok(path)) => {
                self.check(&path, entry)?;
                Ok(Found::File(path))
            }
            _ if RepoSpec::parse(entry).is_some() => Ok(Found::Remote),
            (Some(_), Ok(_)) => Ok(Found::Folder),
            (None, Ok(path)) => Err(self.missing(entry, &path)),
            (_, Err(error)) => Err(error),
        }
    }

    /// A file that a kustomization names.
    ///
    /// # Errors
    ///
    /// `ref/missing`, `file/escape` and `kustomize/remote`, at the name.
    pub(super) fn file(&self, name: &Text) -> Result<Located<'l>> {
        if remote::is_remote_file(name) {
            let RemoteContent { files, path } = self.resolve(name)?;
            if files.kind(&path)? != Some(Kind::File) {
                return Err(Error::new(
                    "ref/missing",
                    format!("`{name}` is a repository, where a file is needed"),
                )
                .at(name.span)
                .help("name a file in it, as the server gives it"));
            }
            return Ok(Located {
                tree: TreeOf::Other(files),
                path,
                is_remote: true,
            });
        }
        let path = self.join(name)?;
        match self.files.kind(&path)? {
            Some(Kind::File) => {
                self.check(&path, name)?;
                Ok(Located {
                    tree: TreeOf::Own(self.files),
                    path,
                    is_remote: false,
                })
            }
            Some(Kind::Directory) => Err(Error::new(
                "ref/missing",
                format!("`{name}` is a folder, where a file is needed"),
            )
            .at(name.span)
            .help("name a file in it")),
            None => Err(self.missing(name, &path)),
        }
    }

    /// What an address stands for.
    ///
    /// # Errors
    ///
    /// `kustomize/remote` where nobody knows, at the address.
    pub(super) fn resolve(&self, address: &Text) -> Result<RemoteContent> {
        let remote = self.remote.ok_or_else(|| super::remote_error(address))?;
        remote.resolve(address).map_err(|e| e.at(address.span))
    }

    /// Asks for what these name elsewhere, so that all of it is asked for at
    /// once; what is missing is told by who reads it.
    pub(super) fn ask_ahead<'t>(&self, names: impl Iterator<Item = &'t Text>) {
        for name in names.filter(|name| remote::is_remote_file(name)) {
            let _ = self.resolve(name);
        }
    }

    /// The loader of a folder that a kustomization names.
    ///
    /// # Errors
    ///
    /// `ref/missing` for what is no folder, `kustomize/cycle` for one that
    /// leads back.
    pub(super) fn folder(&'l self, name: &Text) -> Result<Loader<'l>> {
        if name.starts_with('/') {
            return Err(Error::new(
                "ref/missing",
                format!("`{name}` is an absolute path, which kustomize does not take for folders"),
            )
            .at(name.span)
            .help("write it relative to this kustomization"));
        }
        let path = self.join(name)?;
        let root = match self.files.kind(&path)? {
            None => return Err(self.missing(name, &path)),
            Some(_) => folder_at(self.files, &path, name.span)?,
        };
        self.check_cycle(&root, name)?;
        self.nested(self.files, root, self.restrictions, name)
    }

    /// The loader of a folder in another tree.
    pub(super) fn remote(&'l self, content: &'l RemoteContent, name: &Text) -> Result<Loader<'l>> {
        let root = folder_at(&content.files, &content.path, name.span)?;
        self.nested(&content.files, root, LoadRestrictions::RootOnly, name)
    }

    /// The loader of the folder that a file in another tree is in.
    pub(super) fn remote_file(
        &'l self,
        content: &'l RemoteContent,
        name: &Text,
    ) -> Result<Loader<'l>> {
        let root = path::parent(&content.path).unwrap_or_default().to_owned();
        self.nested(&content.files, root, LoadRestrictions::RootOnly, name)
    }

    fn nested(
        &'l self,
        files: &'l Files,
        root: String,
        restrictions: LoadRestrictions,
        name: &Text,
    ) -> Result<Loader<'l>> {
        if self.depth >= MAX_NESTING {
            return Err(Error::new(
                "kustomize/cycle",
                format!("kustomizations nest deeper than {MAX_NESTING} levels"),
            )
            .at(name.span)
            .help("look for an entry that leads back to where it came from"));
        }
        Ok(Loader {
            files,
            root,
            restrictions,
            has_absolute_paths: self.has_absolute_paths,
            remote: self.remote,
            referrer: Some(self),
            depth: self.depth + 1,
        })
    }

    /// Refuses a folder that holds one of those that led here.
    fn check_cycle(&self, root: &str, name: &Text) -> Result<()> {
        let mut way = vec![self];
        while let Some(referrer) = way.last().and_then(|loader| loader.referrer) {
            way.push(referrer);
        }
        let is_visited =
            |l: &&&Loader<'_>| std::ptr::eq(l.files, self.files) && path::is_within(&l.root, root);
        let Some(visited) = way.iter().position(|l| is_visited(&l)) else {
            return Ok(());
        };
        let closes = way[visited].root == root;
        let names: Vec<String> = way[..=visited]
            .iter()
            .rev()
            .map(|l| format!("`{}`", l.display()))
            .chain(std::iter::once(format!("`{}`", self.files.display(root))))
            .collect();
        let message = if closes {
            format!("a cycle of kustomizations: {}", names.join(" → "))
        } else {
            format!(
                "`{name}` holds the folder that refers to it: {}",
                names.join(" → ")
            )
        };
        Err(Error::new("kustomize/cycle", message)
            .at(name.span)
            .help("let a kustomization refer to folders beside or below it"))
    }

    fn join(&self, name: &Text) -> Result<String> {
        if name.is_empty() {
            return Err(Error::new("ref/missing", "an empty path names nothing")
                .at(name.span)
                .help("name a file or a folder"));
        }
        if name.starts_with('/') && !self.has_absolute_paths {
            return Err(
                escape(name, &self.display()).help("write it relative to this kustomization")
            );
        }
        path::join(&self.root, name).ok_or_else(|| {
            escape(name, &self.files.display("")).help("move what it names into the tree")
        })
    }

    /// Refuses a file that is not in or below the folder, where that is the
    /// rule.
    fn check(&self, path: &str, name: &Text) -> Result<()> {
        if self.restrictions == LoadRestrictions::None {
            return Ok(());
        }
        let real = self.files.resolve(path).map_err(|e| e.at(name.span))?;
        if real.is_none_or(|real| path::is_within(&real, &self.root)) {
            return Ok(());
        }
        Err(escape(name, &self.display()).help(
            "move it into the folder, make its folder a base, or load it with \
             `--load-restrictor LoadRestrictionsNone`",
        ))
    }

    fn missing(&self, name: &Text, path: &str) -> Error {
        let error = Error::new(
            "ref/missing",
            format!("no such file or folder: `{}`", self.files.display(path)),
        )
        .at(name.span);
        // A tree that leaves it out says why.
        let reason = self.files.bytes(path).err();
        match (
            reason.as_ref().and_then(Error::help_text),
            self.nearest(path),
        ) {
            (Some(reason), _) => error.help(reason),
            (None, Some(nearest)) => error.help(format!("did you mean `{nearest}`?")),
            (None, None) => error.help("create it, or correct the path"),
        }
    }

    /// An entry of the same folder whose name is nearly the same.
    fn nearest(&self, path: &str) -> Option<String> {
        let folder = path::parent(path)?;
        let entries = self.files.list(folder).ok()?;
        let names: Vec<&str> = entries.iter().map(|e| e.name.as_str()).collect();
        let nearest = super::file::read::nearest(path::name(path), &names)?;
        let near = if folder.is_empty() {
            nearest.to_owned()
        } else {
            format!("{folder}/{nearest}")
        };
        Some(path::relative(&self.root, &near))
    }
}

fn escape(name: &Text, folder: &str) -> Error {
    Error::new(
        "file/escape",
        format!("`{name}` lies outside of `{folder}`"),
    )
    .at(name.span)
}

/// The folder that a path leads to, links followed.
fn folder_at(files: &Files, path: &str, span: Span) -> Result<String> {
    let missing = |what: &str| {
        Error::new("ref/missing", format!("{what}: `{}`", files.display(path)))
            .at(span)
            .help("name a folder that holds a kustomization.yaml")
    };
    match files.kind(path).map_err(|e| e.at(span))? {
        None => return Err(missing("no such folder")),
        Some(Kind::File) => return Err(missing("this is a file, not a folder")),
        Some(Kind::Directory) => {}
    }
    let root = files.resolve(path).map_err(|e| e.at(span))?;
    root.ok_or_else(|| missing("no such folder"))
}
