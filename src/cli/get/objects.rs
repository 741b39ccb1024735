//! `fluxwright get KIND…`: the objects that a repository renders, and who
//! applies them from where.

use std::io;
use std::sync::Arc;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::output::{self, Exit};
use crate::cli::settings::{Extent, RepositoryArgs};
use crate::diag::{Error, Findings, Location, Result, SourceMap, nearest};
use crate::flux::api::{self, Source, SourceSpec};
use crate::pipeline::cluster::{Cluster, Object, SourceOrigin, Unit};
use crate::yaml::emit;

/// The arguments of `get KIND…`.
#[derive(Debug, clap::Args)]
#[group(id = "objects")]
pub(super) struct Args {
    /// Kinds, with commas between them: `ks`, `helmreleases`, `sources`, `deployment`…, or `all` for
    /// Flux's own
    #[arg(value_name = "KIND,…", required = true)]
    kind: Option<String>,

    #[command(flatten)]
    repository: RepositoryArgs,

    /// Only objects of this namespace
    #[arg(short, long)]
    namespace: Option<String>,

    /// The form of the list
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table
    Text,
    /// `Kind/namespace/name`, a line each
    Name,
    /// What the table holds, and more
    Json,
    /// The objects themselves, as they are applied
    Yaml,
}

/// The short names that Flux's and Kubernetes' own programs take.
const SHORT: &[(&str, &str)] = &[
    ("ks", "Kustomization"),
    ("hr", "HelmRelease"),
    ("hc", "HelmChart"),
    ("gitrepo", "GitRepository"),
    ("helmrepo", "HelmRepository"),
    ("ocirepo", "OCIRepository"),
    ("cm", "ConfigMap"),
    ("crd", "CustomResourceDefinition"),
    ("crds", "CustomResourceDefinition"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("ing", "Ingress"),
    ("ns", "Namespace"),
    ("po", "Pod"),
    ("pvc", "PersistentVolumeClaim"),
    ("sa", "ServiceAccount"),
    ("sts", "StatefulSet"),
    ("svc", "Service"),
];

/// An object and what is known of it.
struct Row<'a> {
    cluster: &'a Cluster,
    object: &'a Object,
    owner: Option<&'a Unit>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        let mut told = Findings::new();
        let clusters = match self
            .repository
            .with_jobs(|| self.clusters(&sources, &mut told))
        {
            Ok(clusters) => clusters,
            Err(e) => {
                output::error_at(&e, &sources);
                return Ok(Exit::Failed);
            }
        };
        let printed = self
            .rows(&clusters)
            .and_then(|rows| self.print(&rows, clusters.len() > 1, &sources));
        match printed {
            Ok(text) => output::stdout(text.as_bytes())?,
            Err(e) => {
                output::error_at(&e, &sources);
                return Ok(Exit::Failed);
            }
        }
        if clusters.iter().any(Cluster::has_failures) {
            // What they would have rendered is not in the list.
            output::findings(&told.into_sorted(), &sources);
            return Ok(Exit::Failed);
        }
        output::unverified(&told, &sources);
        Ok(Exit::Done)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.kind
            .iter()
            .flat_map(|kinds| kinds.split(','))
            .map(str::trim)
    }

    fn clusters(&self, sources: &Arc<SourceMap>, told: &mut Findings) -> Result<Vec<Cluster>> {
        let opened = self.repository.open(sources)?;
        let mut clusters = Vec::new();
        for entry in &opened.entries {
            let (_, cluster) = self
                .repository
                .render(&opened, entry, Extent::WHOLE, told)?;
            clusters.push(cluster);
        }
        Ok(clusters)
    }

    /// The objects of the kinds that were asked for.
    ///
    /// # Errors
    ///
    /// For a word that no kind goes by, neither in the repository nor in Flux.
    fn rows<'a>(&self, clusters: &'a [Cluster]) -> Result<Vec<Row<'a>>> {
        let mut all: Vec<Row> = Vec::new();
        for cluster in clusters {
            let rows = cluster.objects().map(|(owner, object)| Row {
                cluster,
                object,
                owner: Some(owner),
            });
            all.extend(rows);
            // Bootstrapped objects that a Kustomization applies are its own.
            all.extend(cluster.bootstrap.iter().map(|object| Row {
                cluster,
                object,
                owner: None,
            }));
        }
        for word in self.words() {
            let known = all
                .iter()
                .any(|row| is_meant(word, &row.object.id.gvk.group, &row.object.id.gvk.kind))
                || api::KINDS
                    .iter()
                    .any(|kind| is_meant(word, kind.group, kind.name));
            if !known {
                let mut kinds: Vec<&str> = all.iter().map(|r| &*r.object.id.gvk.kind).collect();
                kinds.sort_unstable();
                kinds.dedup();
                let error = Error::new("ref/missing", format!("no object has the kind `{word}`"));
                return Err(match nearest(word, kinds.iter().copied()) {
                    Some(kind) => error.help(format!("did you mean `{kind}`?")),
                    None => error.help(format!("there is `{}`", kinds.join("`, `"))),
                });
            }
        }
        all.retain(|row| {
            let id = &row.object.id;
            let in_namespace = self.namespace.as_ref().is_none_or(|n| **n == *id.namespace);
            in_namespace
                && self
                    .words()
                    .any(|word| is_meant(word, &id.gvk.group, &id.gvk.kind))
        });
        all.sort_by(|a, b| {
            let key = |row: &Row| {
                let id = &row.object.id;
                (id.gvk.kind.clone(), id.namespace.clone(), id.name.clone())
            };
            let cluster = a.cluster.entry.name.cmp(&b.cluster.entry.name);
            cluster.then_with(|| key(a).cmp(&key(b)))
        });
        Ok(all)
    }

    fn print(&self, rows: &[Row], several: bool, sources: &SourceMap) -> Result<String> {
        Ok(match self.output {
            Format::Text => table(rows, several, sources),
            Format::Name => {
                let line = |row: &Row| format!("{}\n", row.object.id.to_object_ref());
                rows.iter().map(line).collect()
            }
            Format::Json => {
                let values: Vec<Value> = rows.iter().map(|row| row.value(sources)).collect();
                format!("{:#}\n", Value::from(values))
            }
            Format::Yaml => {
                let mut text = String::new();
                for (number, row) in rows.iter().enumerate() {
                    if number > 0 {
                        text.push_str("---\n");
                    }
                    emit::sorted(&row.object.node, &mut text)?;
                }
                text
            }
        })
    }
}

/// Whether a word of the user means a kind: its name, the plural, a short name;
/// `sources` and `all` for many.
fn is_meant(word: &str, group: &str, kind: &str) -> bool {
    let flux = || {
        let mut kinds = api::KINDS.iter();
        kinds.any(|known| known.group == group && known.name == kind)
    };
    match word.to_ascii_lowercase().as_str() {
        "all" => flux(),
        "sources" | "source" => group == api::SOURCE && flux(),
        word => {
            let short = SHORT.iter().find(|(short, _)| *short == word);
            let lower = kind.to_ascii_lowercase();
            let plural = match lower.strip_suffix('y') {
                Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{stem}ies"),
                _ if lower.ends_with(['s', 'x']) => format!("{lower}es"),
                _ => format!("{lower}s"),
            };
            word == lower || word == plural || short.is_some_and(|(_, long)| *long == kind)
        }
    }
}

impl Row<'_> {
    /// The Kustomization or HelmRelease that the object is.
    fn unit(&self) -> Option<&Unit> {
        self.cluster.units.iter().find(|u| u.id == self.object.id)
    }

    /// What matters of it, in a few words.
    fn detail(&self) -> String {
        if let Some(unit) = self.unit() {
            let from = unit.source.as_ref().map(|used| {
                let at = match &used.origin {
                    SourceOrigin::Locked { revision, .. } => format!(" at {revision}"),
                    SourceOrigin::Local { path } => format!(" at {path}"),
                    SourceOrigin::Repository => String::new(),
                    SourceOrigin::Unavailable => " (not at hand)".to_owned(),
                };
                format!("{}{at}", used.source)
            });
            let what = match &unit.outcome {
                Ok(objects) if objects.len() == 1 => "1 object".to_owned(),
                Ok(objects) => format!("{} objects", objects.len()),
                Err(_) => "not rendered".to_owned(),
            };
            let suspended = unit.suspended.then(|| "suspended".to_owned());
            let parts: Vec<String> = [suspended, Some(what), from]
                .into_iter()
                .flatten()
                .collect();
            return parts.join(", ");
        }
        match Source::read(&self.object.node) {
            Ok(Some(source)) => {
                let reference = match &source.spec {
                    SourceSpec::Git(git) => Some(&git.reference),
                    SourceSpec::Oci(oci) => Some(&oci.reference),
                    SourceSpec::Helm(_) | SourceSpec::Bucket(_) => None,
                };
                let mut words = vec![source.url.to_string()];
                let reference = reference.into_iter().flatten();
                words.extend(reference.map(|(name, value)| format!("{name} {value}")));
                words.join(", ")
            }
            _ => String::new(),
        }
    }

    fn location(&self, sources: &SourceMap) -> Option<Location> {
        Location::of(self.object.node.span(), sources)
    }

    fn value(&self, sources: &SourceMap) -> Value {
        let unit = self.unit();
        json!({
            "cluster": self.cluster.entry.name,
            "object": self.object.id.to_object_ref(),
            "appliedBy": self.owner.map(|unit| unit.id.to_object_ref()),
            "location": self.location(sources),
            "detail": self.detail(),
            "suspended": unit.map(|unit| unit.suspended),
            "error": unit.and_then(|unit| unit.outcome.as_ref().err()).map(Error::message),
        })
    }
}

/// A table with columns as wide as what is in them.
fn table(rows: &[Row], several: bool, sources: &SourceMap) -> String {
    let head = ["CLUSTER", "KIND", "NAMESPACE", "NAME", "APPLIED BY", "FROM"];
    let mut lines: Vec<Vec<String>> = vec![head.map(str::to_owned).to_vec()];
    lines[0].push("DETAIL".to_owned());
    for row in rows {
        let id = &row.object.id;
        let owner = row.owner.map(|unit| unit.id.to_object_ref().to_string());
        let place = row.location(sources);
        lines.push(vec![
            row.cluster.entry.name.to_string(),
            id.gvk.kind.to_string(),
            id.namespace.to_string(),
            id.name.to_string(),
            owner.unwrap_or_else(|| "bootstrap".to_owned()),
            place.map_or_else(String::new, |p| format!("{}:{}", p.file, p.line)),
            row.detail(),
        ]);
    }
    let first = usize::from(!several);
    let columns = first..head.len() + 1;
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = columns.clone().map(width).collect();
    let mut out = String::new();
    for line in &lines {
        let cells = line.iter().skip(first).zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        out.push_str(cells.join("   ").trim_end());
        out.push('\n');
    }
    out
}
