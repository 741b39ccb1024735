//! `fluxwright bundle diff`

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bundle;
use crate::cli::output::{self, Exit};
use crate::diag::{Result, SourceMap};
use crate::diff::{self, Comparison, Rendering};
use crate::report::difference::{self as report, Form, Titles};
use crate::resource::Files;

/// Show what differs between two bundles, object by object
///
/// Exits with 1 where anything does.
///
/// Examples:
///   fluxwright bundle diff v1.3.tar v1.4.tar
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The old bundle
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The new bundle
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Print JSON, as `fluxwright diff --output json` does
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        match self.compare(&sources) {
            Ok((text, differs)) => {
                output::stdout(text.as_bytes())?;
                Ok(if differs { Exit::No } else { Exit::Done })
            }
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn compare(&self, sources: &Arc<SourceMap>) -> Result<(String, bool)> {
        let side = |path: &Path| -> Result<Rendering> {
            let opened = bundle::open(&*super::tree(path)?)
                .map_err(|e| e.context(format!("`{}`", path.display())))?;
            diff::output::read(&Files::new(Arc::new(opened.build), sources.clone()))
        };
        let (old, new) = (side(&self.old)?, side(&self.new)?);
        let difference = diff::compare(&old, &new, &Comparison::default(), sources);
        let titles = Titles {
            old: self.old.display().to_string(),
            new: self.new.display().to_string(),
            show_noise: true,
        };
        let form = if self.json {
            Form::Json
        } else {
            Form::Human {
                color: false,
                width: crate::cli::environment::columns(),
            }
        };
        let text = report::difference(&difference, &titles, form)?;
        Ok((text, !difference.is_empty()))
    }
}
