//! `fluxwright template`

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::output::{self, Exit};
use crate::artifact::{DiskTree, Tree};
use crate::diag::{Error, Result, SourceMap};
use crate::helm::strvals::{self, Kind};
use crate::helm::{
    Capabilities, Chart, ReleaseOptions, RenderOptions, Rendered, UserValues, render,
};
use crate::report::human;

/// Render a chart as `helm template` does
///
/// Examples:
///   fluxwright template web ./charts/web -f values.yaml --set image.tag=1.2
///   fluxwright template web web-1.2.3.tgz --namespace apps --include-crds
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The name of the release, and the chart: a folder or an archive
    #[arg(required = true, num_args = 1..=2, value_names = ["NAME", "CHART"])]
    name_and_chart: Vec<String>,

    /// The namespace of the release
    #[arg(long, short, default_value = "default")]
    namespace: String,

    /// Values in a YAML file (several are merged, the last is the strongest)
    #[arg(long = "values", short = 'f', value_name = "FILE")]
    values: Vec<PathBuf>,

    /// Set values: `a.b=1,c[0]=x`
    #[arg(long, value_name = "LINE")]
    set: Vec<String>,

    /// Set values that are text
    #[arg(long, value_name = "LINE")]
    set_string: Vec<String>,

    /// Set values to the content of files: `a=FILE`
    #[arg(long, value_name = "LINE")]
    set_file: Vec<String>,

    /// Set values to JSON: `a={"b":1}`, or an object alone
    #[arg(long, value_name = "LINE")]
    set_json: Vec<String>,

    /// Set a value to the text behind `=`, whatever it holds
    #[arg(long, value_name = "LINE")]
    set_literal: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = SourceMap::new();
        match self.render(&sources) {
            Ok(rendered) => {
                output::stdout(printed(&rendered).as_bytes())?;
                Ok(Exit::Done)
            }
            Err(error) => {
                let finding = error.to_finding(&sources);
                output::stderr(human(&[finding], &sources, false).trim_end());
                Ok(Exit::Failed)
            }
        }
    }

    fn render(&self, sources: &SourceMap) -> Result<Rendered> {
        let (name, chart) = match &self.name_and_chart[..] {
            [name, chart] => (name.as_str(), chart),
            [chart] => ("release-name", chart),
            _ => return Err(Error::new("usage", "a name and a chart are wanted")),
        };
        let chart = load(Path::new(chart), sources)?;
        let mut values = UserValues::new();
        for path in &self.values {
            let text: Arc<str> = read(path)?.into();
            let file = sources.add(path.display().to_string(), text.clone());
            values.add_file(text, file)?;
        }
        let wrong = |what: &str| {
            let what = what.to_owned();
            move |message: String| {
                Error::new(
                    "helm/values-invalid",
                    format!("failed parsing --{what} data: {message}"),
                )
            }
        };
        for line in &self.set_json {
            strvals::set(values.map_mut(), line, Kind::Json).map_err(wrong("set-json"))?;
        }
        for line in &self.set {
            strvals::set(values.map_mut(), line, Kind::Typed).map_err(wrong("set"))?;
        }
        for line in &self.set_string {
            strvals::set(values.map_mut(), line, Kind::Text).map_err(wrong("set-string"))?;
        }
        let read_file = |path: &str| read(Path::new(path)).map_err(|e| e.to_string());
        for line in &self.set_file {
            let kind = Kind::File(&read_file);
            strvals::set(values.map_mut(), line, kind).map_err(wrong("set-file"))?;
        }
        for line in &self.set_literal {
            strvals::set(values.map_mut(), line, Kind::Literal).map_err(wrong("set-literal"))?;
        }
        let release = ReleaseOptions::new(name, self.namespace.as_str());
        render(
            &chart,
            &values,
            &release,
            &Arc::new(Capabilities::default()),
            &RenderOptions::default(),
            sources,
        )
    }
}

#[expect(clippy::disallowed_methods, reason = "a file that the user names")]
fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| {
        Error::new(
            "file/unreadable",
            format!("cannot read `{}`: {}", path.display(), e.kind()),
        )
    })
}

/// Loads a chart from disk.
fn load(path: &Path, sources: &SourceMap) -> Result<Arc<Chart>> {
    if path.is_dir() {
        let tree: Arc<dyn Tree> = Arc::new(DiskTree::open(path)?.named(path.display().to_string()));
        return Chart::load(&tree, "", sources);
    }
    #[expect(clippy::disallowed_methods, reason = "a file that the user names")]
    let bytes = std::fs::read(path).map_err(|e| {
        Error::new(
            "ref/missing",
            format!("cannot read chart `{}`: {}", path.display(), e.kind()),
        )
    })?;
    Chart::from_archive(&bytes, &path.display().to_string(), sources)
}

/// What `helm template` prints.
fn printed(rendered: &Rendered) -> String {
    let mut out = String::new();
    for manifest in &rendered.manifests {
        out.push_str("---\n# Source: ");
        out.push_str(&manifest.path);
        out.push('\n');
        out.push_str(&manifest.content);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    for hook in &rendered.hooks {
        out.push_str("---\n# Source: ");
        out.push_str(&hook.manifest.path);
        out.push('\n');
        out.push_str(&hook.manifest.content);
        out.push('\n');
    }
    out
}
