//! `fluxwright merge`: the parts of a sharded run to the whole.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::PossibleValue;

#[cfg(feature = "verify")]
use super::bundle::SignArgs;
use super::fail_on::FailOn;
use super::folder;
use super::output::{self, Exit};
use super::settings::open_source;
use super::shard::{FORMAT, PartReport};
use super::{diff, read};
use crate::artifact::Tree;
use crate::bundle::{self, Opened};
use crate::diag::{Error, Finding, Findings, Result, SourceMap};
#[cfg(feature = "verify")]
use crate::gostd::moment::Moment;
use crate::pipeline::index::{self, INDEX_NAME, OutputFiles};
use crate::pipeline::shard::{self, Part};
use crate::report::difference::{self as report, Model};

/// Join the parts of a run with --shard into one
///
/// Of parts of `check` and `diff`, one report; of folders that `build` wrote, one
/// folder; of bundles, one bundle. It is what the run would have made in one
/// piece, a bundle with the same digest; signatures are made of the whole. All
/// parts must be there, of one commit and one version of the program.
///
/// One rule of `check` looks at the repository as a whole and is left to a run in
/// one piece: auto/marker.
///
/// Examples:
///   fluxwright check --shard 1/2 > 1.json; fluxwright check --shard 2/2 > 2.json
///   fluxwright merge 1.json 2.json --output sarif
///   fluxwright merge part-1 part-2 --output-dir rendered
///   fluxwright merge bundle-1 bundle-2 --output-dir bundle.tar --key env://SIGNING_KEY
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The parts: reports, folders of builds, or bundles, all of one kind
    #[arg(value_name = "PART", required = true)]
    parts: Vec<PathBuf>,

    /// Where the whole goes: a folder, for a bundle also a file that ends with .tar
    #[arg(long, value_name = "DIR|FILE.tar")]
    output_dir: Option<PathBuf>,

    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: Format,

    /// Which findings make the answer no
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,

    /// Of a comparison, show objects, too, in which nothing but noise changed
    #[arg(long)]
    show_noise: bool,

    /// Of a comparison, exit with 1 where anything differs
    #[arg(long)]
    exit_code: bool,

    /// Fill in this template (MiniJinja) instead; docs/diff.md and docs/ci.md list what it is given
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    template: Option<PathBuf>,

    #[cfg(feature = "verify")]
    #[command(flatten)]
    signing: SignArgs,

    /// The time that OpenPGP signatures are dated [default: the machine's clock]
    #[cfg(feature = "verify")]
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    now: Option<Moment>,
}

/// The forms of both kinds of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Human,
    /// Data
    Json,
    /// A page of Markdown
    Markdown,
    /// Of a check, annotations of GitHub's workflows; of a comparison, a comment
    Github,
    /// Of a check: SARIF 2.1.0
    Sarif,
    /// Of a check: JUnit XML
    Junit,
    /// Of a check: a code quality report of GitLab
    Gitlab,
    /// Of a comparison: lines of YAML
    Unified,
    /// Of a comparison: one HTML file
    Html,
    /// Of a comparison: one line for each object
    Brief,
}

/// What the parts are.
enum Parts {
    Reports(Vec<PartReport>),
    Builds(Vec<OutputFiles>),
    Bundles(Vec<Opened>),
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let merged = self.read().and_then(|parts| match parts {
            Parts::Reports(parts) => self.reports(parts),
            Parts::Builds(parts) => {
                let (files, failed) = index::merge(&parts)?;
                folder::replace(self.target()?, &files)?;
                if !failed.is_empty() {
                    // As the build would, but the index does not hold their lines.
                    output::findings(&failed, &SourceMap::new());
                    return Ok((String::new(), Exit::Failed));
                }
                Ok((String::new(), Exit::Done))
            }
            Parts::Bundles(parts) => {
                let made = self.bundle(&parts)?;
                folder::write_bundle(self.target()?, &made.files)?;
                Ok((format!("{}\n", made.digest), Exit::Done))
            }
        });
        match merged {
            Ok((text, exit)) => {
                output::stdout(text.as_bytes())?;
                Ok(exit)
            }
            Err(e) => {
                output::error(&e);
                Ok(Exit::Failed)
            }
        }
    }

    fn target(&self) -> Result<&Path> {
        self.output_dir.as_deref().ok_or_else(|| {
            Error::new("usage/output", "where the whole goes is not said")
                .help("name a folder: `--output-dir DIR`")
        })
    }

    fn read(&self) -> Result<Parts> {
        let is_file =
            |path: &PathBuf| path.is_file() && path.extension().is_none_or(|e| e != "tar");
        if self.parts.iter().all(is_file) {
            let reports = self.parts.iter().map(|path| read_report(path));
            return Ok(Parts::Reports(reports.collect::<Result<_>>()?));
        }
        if self.parts.iter().any(is_file) {
            return Err(Error::new(
                "merge/parts",
                "some parts are reports, and some are folders or bundles",
            )
            .help("give parts of one kind, all of which are there"));
        }
        let mut builds = Vec::new();
        let mut bundles = Vec::new();
        for path in &self.parts {
            let name = path.display().to_string();
            let source = open_source(&name, &Arc::new(SourceMap::new()))?;
            let tree = source.files()?.tree().clone();
            if tree.kind("oci-layout")?.is_some() {
                bundles.push(bundle::open(&*tree).map_err(|e| e.context(format!("`{name}`")))?);
            } else {
                builds.push(read_build(&*tree).map_err(|e| e.context(format!("`{name}`")))?);
            }
        }
        match (builds.is_empty(), bundles.is_empty()) {
            (true, _) => Ok(Parts::Bundles(bundles)),
            (_, true) => Ok(Parts::Builds(builds)),
            _ => Err(
                Error::new("merge/parts", "some parts are bundles, and some are builds")
                    .help("give parts of one kind"),
            ),
        }
    }

    #[cfg(feature = "verify")]
    fn bundle(&self, parts: &[Opened]) -> Result<bundle::Bundle> {
        let mut made = bundle::merge(parts)?;
        self.signing.sign(&mut made, read::now(self.now))?;
        Ok(made)
    }

    #[cfg(not(feature = "verify"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn bundle(&self, parts: &[Opened]) -> Result<bundle::Bundle> {
        bundle::merge(parts)
    }

    fn reports(&self, parts: Vec<PartReport>) -> Result<(String, Exit)> {
        let all: Vec<&Part> = parts.iter().map(|report| &report.part).collect();
        shard::complete(&all)?;
        let mut findings = Findings::new();
        let mut models = Vec::new();
        let count = parts.len();
        let mut checks = 0;
        // A part tells the manifests that it does not read itself; where one does
        // not know what it reads, none is known to be an orphan.
        let reads = parts.iter().map(|report| report.reads.clone());
        let reads: Option<Vec<Vec<String>>> = reads.collect();
        let reads: Option<BTreeSet<String>> =
            reads.map(|reads| reads.into_iter().flatten().collect());
        let is_one = |finding: &Finding| {
            let file = finding.location.as_ref().map_or("", |place| &*place.file);
            &*finding.rule != "file/orphan" || reads.as_ref().is_some_and(|r| !r.contains(file))
        };
        for report in parts {
            if let Some(found) = report.findings {
                checks += 1;
                findings.extend(found.into_iter().filter(is_one));
            }
            models.extend(report.difference.map(|model| *model));
        }
        if checks == count && models.is_empty() {
            return self.check(&findings.into_sorted());
        }
        if checks > 0 || models.len() != count {
            return Err(Error::new(
                "merge/parts",
                "some parts are of a check, and some of a comparison",
            )
            .help("give parts of one kind"));
        }
        self.difference(Model::merged(models, self.show_noise))
    }

    fn check(&self, findings: &[Finding]) -> Result<(String, Exit)> {
        let format: output::Format = self.of_kind("check")?;
        let template = self.template.as_deref().map(read::template).transpose()?;
        let text = output::report_text(findings, &SourceMap::new(), format, template.as_ref())?;
        Ok((text, self.fail_on.exit(findings)))
    }

    fn difference(&self, model: Model) -> Result<(String, Exit)> {
        let form = self.of_kind::<diff::Format>("comparison")?.form();
        let exit = if model.summary.unrendered > 0 {
            Exit::Failed
        } else if self.exit_code && !model.summary.clusters.is_empty() {
            Exit::No
        } else {
            self.fail_on.exit(&model.findings)
        };
        let text = match &self.template {
            Some(path) => {
                let (name, source) = read::template(path)?;
                report::of_model_by_template(&model, &name, &source)
            }
            None => report::of_model(model, form),
        };
        Ok((text?, exit))
    }

    /// The form of that name among those of one kind of reports.
    fn of_kind<F: ValueEnum>(&self, kind: &str) -> Result<F> {
        let value = self.output.to_possible_value();
        let name = value.as_ref().map_or("", PossibleValue::get_name);
        F::from_str(name, false).map_err(|_| {
            Error::new("usage/output", format!("a {kind} has no form `{name}`"))
                .help("`fluxwright merge --help` lists the forms of both")
        })
    }
}

/// The largest report that is read, in bytes.
const MAX_REPORT_BYTES: usize = 1 << 30;

fn read_report(path: &Path) -> Result<PartReport> {
    let wrong = |why: String| {
        Error::new("merge/parts", format!("`{}` {why}", path.display()))
            .help("give what `fluxwright check --shard I/N` or `diff --shard I/N` printed")
    };
    let content = read::file(path, MAX_REPORT_BYTES)?;
    let report: PartReport = serde_json::from_slice(&content)
        .map_err(|e| wrong(format!("is no part of a report: {e}")))?;
    if report.format == FORMAT {
        Ok(report)
    } else {
        Err(wrong(format!("is of the format `{}`", report.format)))
    }
}

/// The files that the index of a build lists, and the index.
fn read_build(tree: &dyn Tree) -> Result<OutputFiles> {
    let wrong = |why: String| {
        Error::new("merge/parts", why)
            .help("give what `fluxwright build --shard I/N --output-dir DIR` wrote")
    };
    let bytes = tree
        .read(INDEX_NAME)
        .map_err(|_| wrong(format!("it has no {INDEX_NAME}")))?;
    let index: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|e| wrong(format!("its {INDEX_NAME} cannot be read: {e}")))?;
    let mut files = OutputFiles::from([(INDEX_NAME.to_owned(), bytes)]);
    let list = |value: &serde_json::Value, key: &str| {
        let found = value.get(key).and_then(serde_json::Value::as_array);
        found.cloned().unwrap_or_default()
    };
    for file in list(&index, "entries")
        .iter()
        .flat_map(|e| list(e, "files"))
    {
        let text = |key: &str| file.get(key).and_then(serde_json::Value::as_str);
        let path = text("path").unwrap_or_default();
        let content = tree
            .read(path)
            .map_err(|_| wrong(format!("`{path}`, which its index names, is not there")))?;
        if text("sha256") != Some(&*crate::pipeline::cluster::sha256(&content)) {
            return Err(wrong(format!("`{path}` is not as its index says")));
        }
        files.insert(path.to_owned(), content);
    }
    Ok(files)
}
