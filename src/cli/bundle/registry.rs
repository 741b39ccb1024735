//! What `push` and `pull` have in common: how registries are reached.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::artifact::{DiskTree, Kind, Tree as _};
use crate::cli::inputs;
use crate::cli::store::StoreArgs;
use crate::config::{self, Config};
use crate::diag::{Error, Result, SourceMap};
use crate::resource::Files;
use crate::source::Settings;
use crate::source::transfer::Connection;
use crate::store::Store;

/// How a registry is reached.
#[derive(Debug, clap::Args)]
pub(super) struct RegistryArgs {
    /// Speak to the registry without TLS
    #[arg(long)]
    insecure: bool,

    /// How many seconds the registry may be silent before it is given up
    #[arg(long, value_name = "SECONDS", default_value = "120",
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// The folder with .fluxwright.yaml, whose mirrors and credentials count [default: the nearest
    /// one upwards]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,

    #[command(flatten)]
    store: StoreArgs,
}

/// What a connection borrows.
pub(super) struct Reach {
    insecure: bool,
    patience: Duration,
    settings: Settings,
    store: Store,
}

impl Reach {
    pub(super) fn connection(&self) -> Connection<'_> {
        Connection {
            insecure: self.insecure,
            patience: self.patience,
            settings: &self.settings,
            store: &self.store,
        }
    }
}

impl RegistryArgs {
    /// Mirrors and credentials: those of `.fluxwright.yaml`, and the user's
    /// docker configuration.
    ///
    /// # Errors
    ///
    /// What is wrong in `.fluxwright.yaml`, and credentials that are not there.
    pub(super) fn open(&self) -> Result<Reach> {
        let root = self.root()?;
        let config = match &root {
            Some(root) => read_config(root)?,
            None => Config::default(),
        };
        let root = root.unwrap_or_default();
        Ok(Reach {
            insecure: self.insecure,
            patience: Duration::from_secs(self.timeout),
            settings: inputs::settings(&config, &root, &[])?,
            store: self.store.open()?,
        })
    }

    fn root(&self) -> Result<Option<PathBuf>> {
        let named = self.root.as_deref();
        let at = named.unwrap_or(Path::new("."));
        let at = at.canonicalize().map_err(|_| {
            Error::new("ref/missing", format!("no such folder: `{}`", at.display()))
        })?;
        if named.is_some() {
            return Ok(Some(at));
        }
        let has_config = |folder: &&Path| folder.join(config::FILE_NAME).exists();
        Ok(at.ancestors().find(has_config).map(Path::to_owned))
    }
}

fn read_config(root: &Path) -> Result<Config> {
    let tree = DiskTree::open(root)?;
    if tree.kind(config::FILE_NAME)? != Some(Kind::File) {
        return Ok(Config::default());
    }
    let files = Files::new(Arc::new(tree), Arc::new(SourceMap::new()));
    let text = files.text(config::FILE_NAME)?;
    Config::parse(&text.text, text.file)
}
