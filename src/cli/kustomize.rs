//! `fluxwright kustomize [DIR]`: what `kustomize build` prints.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;

use super::inflate::LocalCharts;
use super::inputs;
use super::output::{self, Exit};
use super::settings::read_config;
use super::store::StoreArgs;
use crate::artifact::{DiskTree, Entry, Kind, Tree, path};
use crate::diag::{Error, Result, SourceMap};
use crate::kustomize::{self, LoadRestrictions, Options, Output, Reorder};
use crate::lock::FILE_NAME;
use crate::report::human;
use crate::resource::Files;
use crate::source::Locked;
use crate::source::vendor::{self, Vendored};

/// Build a kustomization and print the objects, as `kustomize build` does
///
/// DIR holds a kustomization.yaml; without it, the current folder does. It may
/// name bases anywhere on this machine. Remote resources are not fetched, and
/// no program is run. Charts come from the chart home, or as the nearest
/// fluxwright.lock upwards pins them.
///
/// Examples:
///   fluxwright kustomize
///   fluxwright kustomize clusters/production
///   fluxwright kustomize overlay --load-restrictor LoadRestrictionsNone
///   fluxwright kustomize overlay -o rendered.yaml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The folder of the kustomization
    #[arg(default_value = ".", hide_default_value = true)]
    dir: PathBuf,

    /// Which files a kustomization may name: those in and below its folder, or
    /// all
    #[arg(long, value_enum, default_value_t, ignore_case = true)]
    load_restrictor: LoadRestrictor,

    /// Write the objects to a file; to files of their own, if this is a folder
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,

    /// How to order the objects where the kustomization does not say
    #[arg(long, value_enum, default_value_t)]
    reorder: Order,

    /// Render the Helm charts that the kustomization names
    #[arg(long)]
    enable_helm: bool,

    #[command(flatten)]
    store: StoreArgs,

    /// Add the label app.kubernetes.io/managed-by to all objects
    #[arg(long)]
    enable_managedby_label: bool,

    /// Taken for scripts; plugins that are programs are refused
    #[arg(long, help_heading = "Options of kustomize without effect")]
    enable_alpha_plugins: bool,

    /// Refused: no program is run
    #[arg(long, help_heading = "Options of kustomize without effect")]
    enable_exec: bool,

    /// Refused: no program is run, Helm charts are rendered by fluxwright itself
    #[arg(
        long,
        value_name = "COMMAND",
        help_heading = "Options of kustomize without effect"
    )]
    helm_command: Option<String>,

    /// Taken for scripts: it is about functions in containers, which are refused
    #[arg(long, help_heading = "Options of kustomize without effect")]
    network: bool,

    /// Taken for scripts: it is about functions in containers, which are refused
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Options of kustomize without effect"
    )]
    network_name: Option<String>,

    /// Taken for scripts: it is about functions in containers, which are refused
    #[arg(
        long,
        value_name = "MOUNT",
        help_heading = "Options of kustomize without effect"
    )]
    mount: Vec<String>,

    /// Taken for scripts: it is about functions in containers, which are refused
    #[arg(
        short = 'e',
        long,
        value_name = "NAME=VALUE",
        help_heading = "Options of kustomize without effect"
    )]
    env: Vec<String>,

    /// Taken for scripts: it is about functions in containers, which are refused
    #[arg(long, help_heading = "Options of kustomize without effect")]
    as_current_user: bool,

    /// Taken for scripts: errors show their place in the input anyway
    #[arg(long, help_heading = "Options of kustomize without effect")]
    stack_trace: bool,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum LoadRestrictor {
    /// Those in and below its folder
    #[default]
    #[value(name = "LoadRestrictionsRootOnly", alias = "rootOnly")]
    RootOnly,
    /// All
    #[value(name = "LoadRestrictionsNone", alias = "none")]
    None,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Order {
    /// By kind: what others need first
    #[default]
    Legacy,
    /// As the kustomization names them
    None,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        match self.build(&sources) {
            Ok(rendered) => {
                let findings = rendered.findings.into_sorted();
                if !findings.is_empty() {
                    output::stderr(human(&findings, &sources, false).trim_end());
                }
                match rendered.written {
                    Written::Out(text) => output::stdout(text.as_bytes())?,
                    Written::Files(files) => {
                        if let Err(error) = write_all(&files) {
                            output::error(&error);
                            return Ok(Exit::Failed);
                        }
                    }
                }
                Ok(Exit::Done)
            }
            Err(error) => {
                output::error_at(&error, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    fn build(&self, sources: &Arc<SourceMap>) -> Result<Rendered> {
        self.check_refused()?;
        let (tree, folder) = Everything::open(&self.dir)?;
        let files = Files::new(Arc::new(tree), sources.clone());
        let charts = LocalCharts {
            locked: self.locked(&folder, sources)?,
        };
        let options = Options {
            load_restrictions: match self.load_restrictor {
                LoadRestrictor::RootOnly => LoadRestrictions::RootOnly,
                LoadRestrictor::None => LoadRestrictions::None,
            },
            reorder: match self.reorder {
                Order::Legacy => Reorder::Legacy,
                Order::None => Reorder::None,
            },
            managed_by_label: self.enable_managedby_label,
            has_absolute_paths: true,
            charts: self.enable_helm.then_some(&charts),
            ..Options::default()
        };
        let Output { objects, findings } = kustomize::build(&files, &folder, &options)?;
        let written = match &self.output {
            None => Written::Out(kustomize::to_yaml(&objects)?),
            Some(output) if output.is_dir() => Written::Files(
                kustomize::file_names(&objects)?
                    .into_iter()
                    .map(|(name, text)| (output.join(name), text))
                    .collect(),
            ),
            Some(output) => Written::Files(vec![(output.clone(), kustomize::to_yaml(&objects)?)]),
        };
        // The process ends soon: its memory goes back as a whole.
        std::mem::forget((files, objects));
        Ok(Rendered { written, findings })
    }

    /// What the nearest lockfile upwards pins, where charts are rendered.
    fn locked(&self, folder: &str, sources: &Arc<SourceMap>) -> Result<Option<Locked>> {
        if !self.enable_helm {
            return Ok(None);
        }
        let folder = Path::new("/").join(folder);
        let is_root = |folder: &&Path| folder.join(FILE_NAME).exists();
        let Some(root) = folder.ancestors().find(is_root) else {
            return Ok(None);
        };
        let files = Files::new(Arc::new(DiskTree::open(root)?), sources.clone());
        let Some(lockfile) = inputs::read_lockfile(&files)? else {
            return Ok(None);
        };
        let (config, _) = read_config(&files)?;
        let vendored = config.vendor.as_deref().unwrap_or(vendor::FOLDER);
        let vendored = Vendored::open(files.tree().clone(), vendored)?;
        let store = self.store.open()?;
        Ok(Some(Locked::new(
            Some(lockfile),
            store,
            vendored,
            sources.clone(),
        )))
    }

    fn check_refused(&self) -> Result<()> {
        let refused = |option: &str, help: &str| {
            Err(Error::new(
                "usage/refused",
                format!("`{option}` asks for a program to be run, and a build runs none"),
            )
            .help(help))
        };
        if self.enable_exec {
            return refused(
                "--enable-exec",
                "run the function before, and commit what it makes",
            );
        }
        if self.helm_command.is_some() {
            return refused(
                "--helm-command",
                "leave it out: fluxwright renders charts itself",
            );
        }
        Ok(())
    }
}

/// What a build leads to.
struct Rendered {
    written: Written,
    findings: crate::diag::Findings,
}

enum Written {
    /// Text for standard output.
    Out(String),
    /// Files and what they are to hold.
    Files(Vec<(PathBuf, String)>),
}

/// Writes files, each beside its place first.
fn write_all(files: &[(PathBuf, String)]) -> Result<()> {
    for (target, text) in files {
        write(target, text).map_err(|e| {
            Error::new(
                "output/failed",
                format!("cannot write `{}`: {}", target.display(), e.kind()),
            )
            .help("name a file in a folder that is there and can be written to")
        })?;
    }
    Ok(())
}

fn write(target: &Path, text: &str) -> io::Result<()> {
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty());
    let mut beside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    beside.write_all(text.as_bytes())?;
    beside.persist(target)?;
    Ok(())
}

/// Everything on this machine, with names as they are seen from the current
/// folder.
#[derive(Debug)]
struct Everything {
    tree: DiskTree,
    /// The current folder, without its leading slash.
    here: String,
}

impl Everything {
    /// The tree, and the path of a folder in it.
    fn open(folder: &Path) -> Result<(Everything, String)> {
        let text = |path: &Path| {
            path.to_str().map(str::to_owned).ok_or_else(|| {
                Error::new(
                    "file/unreadable",
                    format!("the path `{}` is not UTF-8", path.display()),
                )
                .help("rename it")
            })
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the command line knows where it is"
        )]
        let here = std::env::current_dir().map_err(|e| {
            Error::new(
                "file/unreadable",
                format!("the current folder cannot be found: {}", e.kind()),
            )
        })?;
        let here = text(&here)?;
        let folder = path::join(&here, &text(folder)?).unwrap_or_default();
        let tree = DiskTree::open(Path::new("/"))?;
        let here = here.trim_start_matches('/').to_owned();
        Ok((Everything { tree, here }, folder))
    }
}

impl Tree for Everything {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        self.tree.kind(path)
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        self.tree.read(path)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        self.tree.list(path)
    }

    fn resolve(&self, path: &str) -> Result<Option<String>> {
        self.tree.resolve(path)
    }

    fn display(&self, path: &str) -> String {
        let relative = path::relative(&self.here, path);
        let absolute = format!("/{path}");
        if relative.len() <= absolute.len() {
            relative
        } else {
            absolute
        }
    }
}
