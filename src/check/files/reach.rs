//! Which files of the repository builds read.

use std::collections::BTreeSet;

use crate::artifact::{Kind, path};
use crate::check::{Repository, View};
use crate::flux::api;
use crate::flux::generate::FILE_NAMES;
use crate::pipeline::cluster::SourceOrigin;
use crate::resource::{Files, Gvk};
use crate::yaml::Node;

/// The files of the repository that the builds of some clusters read, in their
/// order.
pub fn files_read(repository: &Repository, views: &[View<'_>]) -> Vec<String> {
    Reach::of(repository, views).read.into_iter().collect()
}

/// Deeper folders are not looked into.
pub(super) const MAX_DEPTH: usize = 64;

/// What builds read.
pub(in crate::check) struct Reach<'a> {
    pub(in crate::check) files: &'a Files,
    /// Files that are read.
    pub(in crate::check) read: BTreeSet<String>,
    /// Folders whose own kustomization file is built.
    pub(in crate::check) built: BTreeSet<String>,
}

impl<'a> Reach<'a> {
    /// What the builds of some clusters read.
    pub(in crate::check) fn of(repository: &'a Repository, views: &[View<'_>]) -> Reach<'a> {
        let mut reach = Reach {
            files: &repository.sources.repository,
            read: BTreeSet::new(),
            built: BTreeSet::new(),
        };
        for view in views {
            reach.folder(&view.cluster.entry.folder);
            for unit in &view.cluster.units {
                let source = unit.source.as_ref();
                if source.is_none_or(|s| s.origin != SourceOrigin::Repository) {
                    continue;
                }
                let spec = unit.object.get("spec").map(Node::target);
                let Some(spec) = spec else { continue };
                let written = spec.get("path").and_then(Node::text).unwrap_or_default();
                let folder = view.cluster.entry.artifact.within(written);
                reach.folder(&folder);
                // Components are named relative to the folder.
                reach.names(&folder, spec);
            }
        }
        reach
    }

    fn kustomization_file(&self, folder: &str) -> Option<String> {
        FILE_NAMES
            .iter()
            .filter_map(|name| path::join(folder, name))
            .find(|file| matches!(self.files.kind(file), Ok(Some(Kind::File))))
            // A Kustomization of Flux may go by that name.
            .filter(|file| {
                let documents = self.files.documents(file);
                !documents.is_ok_and(|documents| {
                    let mut kinds = documents.iter().map(|d| Gvk::of(&d.root));
                    kinds.any(|gvk| api::is_kustomization(&gvk))
                })
            })
    }

    /// Follows a folder as a build does.
    fn folder(&mut self, folder: &str) {
        let Some(file) = self.kustomization_file(folder) else {
            self.automatic(folder, 0);
            return;
        };
        if !self.built.insert(folder.to_owned()) {
            return;
        }
        if let Ok(documents) = self.files.documents(&file) {
            for document in documents.iter() {
                self.names(folder, &document.root);
            }
        }
        self.read.insert(file);
    }

    /// Follows everything that a node names. Which field it stands in does not
    /// matter: what is the name of a file is meant as one.
    fn names(&mut self, folder: &str, node: &Node) {
        let mut found = BTreeSet::new();
        node.walk(&mut |node| {
            let Some(text) = node.text().filter(|t| t.len() < 1024 && !t.contains('\n')) else {
                return;
            };
            // `key=file`, as generators have it.
            let names = std::iter::once(text).chain(text.split_once('=').map(|(_, file)| file));
            found.extend(names.filter_map(|name| path::join(folder, name)));
        });
        for name in found {
            match self.files.kind(&name) {
                Ok(Some(Kind::File)) => {
                    self.read.insert(name);
                }
                Ok(Some(Kind::Directory)) if name != folder && !path::is_within(folder, &name) => {
                    self.folder(&name);
                }
                _ => {}
            }
        }
    }

    /// A folder without a kustomization file is read as a whole.
    fn automatic(&mut self, folder: &str, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        for entry in self.files.list(folder).unwrap_or_default() {
            let Some(at) = path::join(folder, &entry.name) else {
                continue;
            };
            match entry.kind {
                Kind::File => {
                    self.read.insert(at);
                }
                Kind::Directory if self.kustomization_file(&at).is_some() => self.folder(&at),
                Kind::Directory => self.automatic(&at, depth + 1),
            }
        }
    }
}
