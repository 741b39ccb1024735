//! `fluxwright check`: is it right?

mod reach;
mod schema;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use self::reach::Reach;
use super::cache::{CacheArgs, Recorder, Texts, may_be_kept, take_up, texts_of};
use super::fail_on::FailOn;
use super::folder;
use super::output::{self, Exit, Format};
use super::read;
use super::settings::{Extent, Repository as OpenRepository, RepositoryArgs};
use super::shard::{FORMAT, PartReport, ShardArg};
use crate::check::settings::Settings;
use crate::check::{Repository, View, files_read, run};
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap};
use crate::pipeline::Reuse;
use crate::pipeline::shard::Part;
use crate::report::{Baseline, Compared};
use crate::schema::KubernetesVersion;

/// Some hundred thousand findings.
const MAX_BASELINE_BYTES: usize = 256 << 20;

/// Find what is wrong before it is merged
///
/// Renders the repository as Flux would and holds every rule to what comes out.
/// `fluxwright rule` lists the rules and explains each; severities and ignores
/// stand in .fluxwright.yaml.
///
/// Examples:
///   fluxwright check                                  # all clusters of this repository
///   fluxwright check clusters/production              # one cluster
///   fluxwright check --rule rbac --rule tenancy       # two families of rules
///   fluxwright check --only flux-system/apps          # one Flux object and what it applies
///   fluxwright check --changed-from main              # what the change reaches
///   fluxwright check --baseline known.json --write-baseline   # accept what is found today
///   fluxwright check --baseline known.json            # what is new since then
///   fluxwright check --shard 1/4 > part-1.json        # a part, for `fluxwright merge`
///   fluxwright check schema deployment.yaml           # loose manifests
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,

    #[command(flatten)]
    repository: RepositoryArgs,

    /// Only this rule, or this family of rules (repeatable)
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    rule: Vec<String>,

    /// Only findings about the Flux object with this namespace and name, or about what it applies
    /// (repeatable)
    #[arg(long, value_name = "NAMESPACE/NAME")]
    only: Vec<String>,

    /// Only findings about what has changed since a commit, tag or branch: Kustomizations and
    /// HelmReleases that are not rendered from the same inputs as there, what they apply, and
    /// files with another content. What a change breaks elsewhere is shown without this option
    #[arg(long, value_name = "REVISION")]
    changed_from: Option<String>,

    /// Which findings make the answer no
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,

    /// Findings that are known: only others are reported and count. They are known again when
    /// their lines have moved
    #[arg(long, value_name = "FILE", conflicts_with = "only")]
    baseline: Option<PathBuf>,

    /// Write all findings to the file of --baseline, instead of reporting them
    #[arg(long, requires = "baseline", conflicts_with = "changed_from")]
    write_baseline: bool,

    /// The form of the findings
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "human",
        conflicts_with = "shard"
    )]
    output: Format,

    /// Fill in this template (MiniJinja) instead; docs/ci.md lists what it is given
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "shard"])]
    template: Option<PathBuf>,

    #[command(flatten)]
    shard: ShardArg,

    #[command(flatten)]
    cache: CacheArgs,
}

#[derive(Debug, Subcommand)]
enum What {
    Schema(schema::Args),
}

/// What came of a check.
#[derive(Serialize, Deserialize)]
struct Checked {
    findings: Vec<Finding>,
    clusters: usize,
    objects: usize,
    /// Which part of a sharded run it is, where it is one.
    part: Option<Part>,
    /// The files that it reads, where it is a part.
    reads: Option<Vec<String>>,
    /// The files that findings point into, where it is kept.
    texts: Texts,
    /// How many findings the baseline knows.
    known: usize,
    /// How many of the baseline are no longer found.
    mended: usize,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        if let Some(What::Schema(args)) = self.what {
            return args.run();
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the summary says how long it took"
        )]
        let start = Instant::now();
        let sources = Arc::new(SourceMap::new());
        let template = match self.template.as_deref().map(read::template).transpose() {
            Ok(template) => template,
            Err(e) => {
                output::error(&e);
                return Ok(Exit::Failed);
            }
        };
        let checked = self.repository.with_jobs(|| self.check(&sources));
        let checked = checked.and_then(|checked| self.against_baseline(checked));
        match checked {
            Ok(checked) => self.print(&checked, &sources, template.as_ref(), start),
            Err(e) => {
                // Findings are asked for, and this is one.
                let checked = Checked {
                    findings: vec![e.to_finding(&sources)],
                    clusters: 0,
                    objects: 0,
                    part: None,
                    reads: None,
                    texts: Texts::new(),
                    known: 0,
                    mended: 0,
                };
                self.print(&checked, &sources, template.as_ref(), start)?;
                Ok(Exit::Failed)
            }
        }
    }

    /// What a check gives, kept from an earlier one or made now.
    fn check(&self, source_map: &Arc<SourceMap>) -> Result<Checked> {
        let today = super::today();
        let arguments = format!("{:?} {:?} {:?} {today}", self.rule, self.only, self.shard);
        let cache = self.cache.open("check", &self.repository, &arguments);
        // What git has is not among what is remembered.
        let Some(cache) = cache.filter(|_| self.changed_from.is_none()) else {
            let opened = match &self.changed_from {
                Some(_) => {
                    self.repository
                        .open_new(source_map, &Arc::default(), Reuse::default())?
                }
                None => self.repository.open(source_map)?,
            };
            return Ok(self.check_opened(opened, today, source_map)?.0);
        };
        let (root, _) = self.repository.locate()?;
        let kept = cache.get(&root).and_then(|kept| kept.bytes());
        let kept = kept.and_then(|kept| serde_json::from_slice::<Checked>(&kept).ok());
        if let Some(checked) = kept {
            take_up(&checked.texts, source_map);
            return Ok(checked);
        }
        let recorder = Arc::new(Recorder::default());
        let opened = self.repository.open_watched(source_map, &recorder)?;
        let (mut checked, may_keep) = self.check_opened(opened, today, source_map)?;
        checked.texts = texts_of(&checked.findings, source_map);
        if may_keep && let Ok(bytes) = serde_json::to_vec(&checked) {
            cache.put(&recorder, &bytes);
        }
        Ok(checked)
    }

    /// What a check of an opened repository gives, and whether that may be
    /// kept.
    fn check_opened(
        &self,
        mut opened: OpenRepository,
        today: String,
        source_map: &Arc<SourceMap>,
    ) -> Result<(Checked, bool)> {
        opened.narrow(self.shard.shard, || {
            let options = format!("{:?} {:?} {:?}", self.rule, self.only, self.changed_from);
            self.repository.run_of("check", &options)
        });
        let settings = Settings::new(&opened.config, opened.config_span, &self.rule, &today)?;
        let kubernetes = KubernetesVersion::parse_minor(&opened.kubernetes)
            .map_or_else(KubernetesVersion::default, |minor| {
                KubernetesVersion::nearest(minor).0
            });

        let mut told = Findings::new();
        let mut rendered = Vec::new();
        let mut failed = Vec::new();
        for entry in &opened.entries {
            match self
                .repository
                .render(&opened, entry, Extent::CHECKED, &mut told)
            {
                Ok(cluster) => rendered.push(cluster),
                // The other clusters can be looked at all the same.
                Err(e) => {
                    told.push(e.to_finding(source_map));
                    failed.push(e);
                }
            }
        }
        let reach = match &self.changed_from {
            Some(revision) => {
                let clusters = rendered.iter().map(|(_, cluster)| cluster);
                Some(Reach::of(&self.repository, &opened, clusters, revision)?)
            }
            None => None,
        };
        let count = opened.entries.len();
        let several = opened.has_several;
        let is_known = opened.is_whole && rendered.len() == count;
        let repository = Repository {
            sources: opened.sources,
            config: opened.config,
            source_map: source_map.clone(),
            is_whole: is_known
                && opened
                    .part
                    .as_ref()
                    .is_none_or(|p| p.clusters.len() == count),
            is_part: is_known && opened.part.is_some(),
            today: today.into(),
        };
        let views: Vec<View<'_>> = rendered
            .iter()
            .map(|(flux, cluster)| {
                let mut view = View::new(&repository, cluster, *flux, kubernetes);
                view.label = several.then(|| cluster.entry.name.clone());
                view
            })
            .collect();
        let mut findings = run(&repository, &views, told, &settings);
        self.narrow(&views, &mut findings)?;
        if let Some(reach) = &reach {
            reach.narrow(&views, &failed, source_map, &mut findings);
        }
        let reads = repository.is_part.then(|| files_read(&repository, &views));
        let may_keep = rendered.iter().all(|(_, cluster)| may_be_kept(cluster));
        let checked = Checked {
            findings,
            clusters: views.len(),
            objects: views.iter().map(|view| view.objects().len()).sum(),
            part: opened.part,
            reads,
            texts: Texts::new(),
            known: 0,
            mended: 0,
        };
        Ok((checked, may_keep))
    }

    /// Leaves out what the baseline knows, or writes it.
    fn against_baseline(&self, checked: Checked) -> Result<Checked> {
        let Some(path) = &self.baseline else {
            return Ok(checked);
        };
        if self.write_baseline {
            let baseline = Baseline::of(&checked.findings);
            folder::replace_file(path, baseline.to_text().as_bytes())?;
            return Ok(Checked {
                findings: Vec::new(),
                known: baseline.len(),
                ..checked
            });
        }
        let Compared { new, known, mended } = read_baseline(path)?.compare(checked.findings);
        Ok(Checked {
            findings: new,
            known,
            mended,
            ..checked
        })
    }

    /// Keeps the findings about the Flux objects that were asked for.
    fn narrow(&self, views: &[View<'_>], findings: &mut Vec<Finding>) -> Result<()> {
        if self.only.is_empty() {
            return Ok(());
        }
        let wanted = |namespace: &str, name: &str| {
            let full = format!("{namespace}/{name}");
            self.only.contains(&full)
        };
        let units = || views.iter().flat_map(|view| &view.cluster.units);
        for only in &self.only {
            if !units().any(|u| format!("{}/{}", u.id.namespace, u.id.name) == *only) {
                return Err(Error::new(
                    "ref/missing",
                    format!("no Kustomization or HelmRelease is named `{only}`"),
                )
                .help("names are NAMESPACE/NAME, as in `flux-system/apps`"));
            }
        }
        let mut kept = std::collections::BTreeSet::new();
        for view in views {
            for unit in &view.cluster.units {
                if wanted(&unit.id.namespace, &unit.id.name) {
                    kept.insert(unit.id.to_object_ref());
                }
            }
            for applied in view.objects() {
                if applied
                    .unit
                    .is_some_and(|unit| wanted(&unit.id.namespace, &unit.id.name))
                {
                    kept.insert(applied.reference());
                }
            }
        }
        findings.retain(|f| {
            f.object
                .as_ref()
                .is_some_and(|object| kept.contains(object))
        });
        Ok(())
    }

    fn print(
        &self,
        checked: &Checked,
        sources: &SourceMap,
        template: Option<&(String, String)>,
        start: Instant,
    ) -> io::Result<Exit> {
        let findings = &checked.findings;
        if let Some(part) = &checked.part {
            // What the answer is can be said of the whole alone.
            let report = PartReport {
                format: FORMAT.to_owned(),
                part: part.clone(),
                findings: Some(findings.clone()),
                reads: checked.reads.clone(),
                difference: None,
            };
            output::stdout(report.to_text().as_bytes())?;
            return Ok(Exit::Done);
        }
        match output::report_text(findings, sources, self.output, template) {
            Ok(text) => output::stdout(text.as_bytes())?,
            Err(e) => {
                output::error(&e);
                return Ok(Exit::Failed);
            }
        }
        if self.output == Format::Human && template.is_none() {
            output::stderr(&summary(checked, start));
        }
        Ok(self.fail_on.exit(findings))
    }
}

fn read_baseline(path: &Path) -> Result<Baseline> {
    let text = read::text_file(path, MAX_BASELINE_BYTES)
        .map_err(|e| e.help("`--write-baseline` writes it"))?;
    Baseline::parse(&text).map_err(|e| e.context(path.display().to_string()))
}

/// `2 clusters, 812 objects: 1 error, 2 warnings (0.31 s)`
fn summary(checked: &Checked, start: Instant) -> String {
    let counted = |count: usize, what: &str| {
        let s = if count == 1 { "" } else { "s" };
        format!("{count} {what}{s}")
    };
    let mut found: Vec<String> = Vec::new();
    for (severity, what) in [
        (Severity::Error, "error"),
        (Severity::Warning, "warning"),
        (Severity::Info, "note"),
    ] {
        let all = checked.findings.iter();
        let count = all.filter(|f| f.severity == severity).count();
        if count > 0 {
            found.push(counted(count, what));
        }
    }
    if found.is_empty() {
        found.push("nothing is wrong".to_owned());
    }
    if checked.known > 0 {
        found.push(format!("{} in the baseline", checked.known));
    }
    if checked.mended > 0 {
        found.push(format!("{} of the baseline mended", checked.mended));
    }
    format!(
        "{}, {}: {} ({:.2} s)",
        counted(checked.clusters, "cluster"),
        counted(checked.objects, "object"),
        found.join(", "),
        start.elapsed().as_secs_f64()
    )
}
