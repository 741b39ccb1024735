//! Kustomize: a folder with a kustomization to the objects it stands for.
//!
//! In: a tree of files and a folder in it. Out: objects in their order, each
//! node with the place in the input that decided it, and what is worth telling.
//! The bytes that they print as are those of `kustomize build` 5.8.1
//! ([`to_yaml`]).
//!
//! How a kustomization becomes objects (`target`):
//!
//! 1. files and folders under `resources` (`documents`, and this list again
//!    for each folder),
//! 2. `configurations` and `crds` (`config`, `crds`), which say where the
//!    transformers look,
//! 3. generators (`generate`),
//! 4. components, which act on what is there so far,
//! 5. transformers (`transform`), in one fixed order,
//! 6. validators.
//!
//! At the top, once: hashes in names, references to names that changed, vars,
//! and the order of the output.

mod ahead;
mod build;
mod config;
mod crds;
mod defaults;
mod documents;
mod fields;
mod fieldspec;
mod file;
mod generate;
mod helm_charts;
mod id;
mod json;
mod json_patch;
mod links;
mod loader;
mod merge;
mod origin;
mod output;
mod pattern;
mod plugin;
mod post_render;
mod remote;
mod resmap;
mod resource;
mod target;
mod transform;

use std::sync::Arc;

pub use build::build;
pub use file::{FILE_NAMES, HelmChart, HelmGlobals, Text};
pub use helm_charts::{NamedChart, chart_place, named_charts};
pub use output::{file_names, to_yaml};
pub use post_render::{Step, post_render};
pub use remote::RepoSpec;

use crate::diag::{Cause, Error, Findings, Result};
use crate::resource::Files;
use crate::yaml::Node;

/// Which files a kustomization may name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadRestrictions {
    /// Those in or below its own folder.
    #[default]
    RootOnly,
    /// All.
    None,
}

/// How the output is ordered where the kustomization does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reorder {
    /// By kind: what others need first.
    #[default]
    Legacy,
    /// As the objects came.
    None,
}

/// What a build is told.
#[derive(Clone, Default)]
pub struct Options<'a> {
    /// Which files a kustomization may name.
    pub load_restrictions: LoadRestrictions,
    /// How the output is ordered.
    pub reorder: Reorder,
    /// The kustomization, instead of the file in the folder.
    pub kustomization: Option<Node>,
    /// Objects that are there before those that `resources` names.
    pub objects: Vec<Node>,
    /// Whether every object gets the label `app.kubernetes.io/managed-by`.
    pub managed_by_label: bool,
    /// Whether a path that begins with `/` counts from the root of the tree;
    /// otherwise it is refused.
    pub has_absolute_paths: bool,
    /// Changes the bytes of files that generators read.
    pub source_transform: Option<&'a dyn SourceTransform>,
    /// Where remote resources come from; without it they are refused.
    pub remote: Option<&'a dyn Remote>,
    /// What renders Helm charts; without it they are refused.
    pub charts: Option<&'a dyn ChartInflator>,
}

/// What a build gives.
#[derive(Debug, Default)]
pub struct Output {
    /// The objects, in their order.
    pub objects: Vec<Node>,
    /// What is worth telling.
    pub findings: Findings,
}

/// Changes the bytes of files that generators read: decryption.
pub trait SourceTransform: Sync {
    /// The bytes to use instead of those of a file; none to use them as they
    /// are.
    ///
    /// # Errors
    ///
    /// Why the file cannot be used.
    fn transform(&self, path: &str, bytes: &[u8]) -> Result<Option<Arc<[u8]>>>;
}

/// What a remote address stands for.
#[derive(Clone, Debug)]
pub struct RemoteContent {
    /// The tree it is in.
    pub files: Arc<Files>,
    /// The folder or file in that tree.
    pub path: String,
}

/// Where remote resources come from.
pub trait Remote: Sync {
    /// What an address stands for: a folder, or a file of objects.
    ///
    /// # Errors
    ///
    /// `kustomize/remote` where that is not known.
    fn resolve(&self, address: &Text) -> Result<RemoteContent>;
}

/// A chart to be rendered, as a kustomization names it.
#[derive(Debug)]
pub struct ChartRequest<'r> {
    /// The chart, its namespace worked out.
    pub chart: &'r HelmChart,
    /// Settings for all charts.
    pub globals: &'r HelmGlobals,
    /// The tree.
    pub files: &'r Files,
    /// The folder of the kustomization.
    pub folder: &'r str,
}

/// Renders Helm charts.
pub trait ChartInflator: Sync {
    /// The documents that a chart renders to.
    ///
    /// # Errors
    ///
    /// Why the chart cannot be rendered.
    fn inflate(&self, request: &ChartRequest<'_>) -> Result<Vec<Node>>;
}

/// The error for remote content that nobody resolves.
fn remote_error(address: &Text) -> Error {
    Error::new(
        "kustomize/remote",
        format!("`{address}` is a remote resource, and nothing is fetched here"),
    )
    .at(address.span)
    .cause(Cause::Remote(address.text.clone()))
    .help(
        "commands that read a whole repository take it from the lockfile (`fluxwright lock`); \
         here, name a copy on disk",
    )
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("load_restrictions", &self.load_restrictions)
            .field("reorder", &self.reorder)
            .field("objects", &self.objects.len())
            .field("managed_by_label", &self.managed_by_label)
            .field("has_absolute_paths", &self.has_absolute_paths)
            .field("has_kustomization", &self.kustomization.is_some())
            .field("has_source_transform", &self.source_transform.is_some())
            .field("has_remote", &self.remote.is_some())
            .field("has_charts", &self.charts.is_some())
            .finish()
    }
}
