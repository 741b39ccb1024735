//! `fluxwright bundle diff`

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::Tree;
use crate::bundle;
use crate::cli::diff::ShownArgs;
use crate::cli::output::{self, Exit};
use crate::diag::{Result, SourceMap};
use crate::diff::{self, Rendering};
use crate::resource::Files;

/// Show what differs between two bundles, object by object, and what that means
///
/// Proves first that both are whole. The forms of the report, and what makes the
/// exit code 1, are those of `fluxwright diff`, which compares bundles, too.
///
/// Examples:
///   fluxwright bundle diff v1.3.tar v1.4.tar
///   fluxwright bundle diff v1.3 v1.4 --output markdown > changes.md
///   fluxwright bundle diff v1.3.tar v1.4.tar --fail-on warning   # hold the release
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The old bundle
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The new bundle
    #[arg(value_name = "NEW")]
    new: PathBuf,

    #[command(flatten)]
    shown: ShownArgs,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        match self.compare(&sources) {
            Ok((text, exit)) => {
                output::stdout(text.as_bytes())?;
                Ok(exit)
            }
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn compare(&self, sources: &Arc<SourceMap>) -> Result<(String, Exit)> {
        let shown = self.shown.read()?;
        let (old, new) = (
            rendering(&self.old, sources)?,
            rendering(&self.new, sources)?,
        );
        let mut difference = diff::compare(&old, &new, &shown.comparison, sources);
        shown.narrow(&mut difference);
        let name = |path: &Path| path.display().to_string();
        let titles = shown.titles(name(&self.old), name(&self.new));
        let text = shown.text(&difference, &titles)?;
        Ok((text, shown.exit(&difference)))
    }
}

/// What a bundle holds, which is whole.
///
/// # Errors
///
/// As [`bundle::open`].
pub(in crate::cli) fn rendering(path: &Path, sources: &Arc<SourceMap>) -> Result<Rendering> {
    let opened = bundle::open(&*super::tree(path)?)
        .map_err(|e| e.context(format!("`{}`", path.display())))?;
    let tree: Arc<dyn Tree> = Arc::new(opened.build);
    diff::output::read(&Files::new(tree, sources.clone()))
}
