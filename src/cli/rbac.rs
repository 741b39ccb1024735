//! `fluxwright rbac`

use std::io;
use std::sync::Arc;

use super::output::{self, Exit};
use super::settings::{Extent, RepositoryArgs};
use crate::check::{Repository, View, needed};
use crate::diag::{Error, Findings, Result, SourceMap};
use crate::rbac::Subject;
use crate::schema::KubernetesVersion;
use crate::yaml::emit;

/// Print the least Role that each service account needs
///
/// Works out what Flux has to be allowed to do for everything that a
/// Kustomization or HelmRelease with a service account applies: get, create and
/// patch, delete where it prunes, list where it waits, Secrets where Helm stores
/// its releases. Prints it as Roles and bindings, one for each namespace.
///
/// Examples:
///   fluxwright rbac                                   # all that each account needs
///   fluxwright rbac --missing                         # what the repository does not give it yet
///   fluxwright rbac --account flux-system/team-a > rbac/team-a.yaml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Only what the Roles in the repository do not give yet
    #[arg(long)]
    missing: bool,

    /// Only this service account (repeatable)
    #[arg(long, value_name = "NAMESPACE/NAME")]
    account: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        let mut told = Findings::new();
        match self
            .repository
            .with_jobs(|| self.print(&sources, &mut told))
        {
            Ok((text, failed)) => {
                output::stdout(text.as_bytes())?;
                if failed {
                    // Rights for what could not be rendered are not among them.
                    output::findings(&told.into_sorted(), &sources);
                    return Ok(Exit::Failed);
                }
                output::unverified(&told, &sources);
                Ok(Exit::Done)
            }
            Err(e) => {
                output::error_at(&e, &sources);
                Ok(Exit::Failed)
            }
        }
    }

    /// The objects as a YAML stream, and whether something could not be
    /// rendered.
    fn print(&self, source_map: &Arc<SourceMap>, told: &mut Findings) -> Result<(String, bool)> {
        let opened = self.repository.open(source_map)?;
        let kubernetes = KubernetesVersion::parse_minor(&opened.kubernetes)
            .map_or_else(KubernetesVersion::default, |minor| {
                KubernetesVersion::nearest(minor).0
            });
        let mut clusters = Vec::new();
        for entry in &opened.entries {
            clusters.push(
                self.repository
                    .render(&opened, entry, Extent::default(), told)?,
            );
        }
        let failed = clusters.iter().any(|(_, cluster)| cluster.has_failures());
        let several = opened.entries.len() > 1;
        let repository = Repository {
            sources: opened.sources,
            config: opened.config,
            source_map: source_map.clone(),
            is_whole: opened.is_whole,
            is_part: false,
            today: "".into(),
        };
        let mut text = String::new();
        let mut known: Vec<String> = Vec::new();
        for (flux, cluster) in &clusters {
            let view = View::new(&repository, cluster, *flux, kubernetes);
            for (subject, needed) in needed(&view, self.missing) {
                let Subject::ServiceAccount { namespace, name } = &subject else {
                    continue;
                };
                let account = format!("{namespace}/{name}");
                let wanted = self.account.is_empty() || self.account.contains(&account);
                known.push(account);
                if !wanted {
                    continue;
                }
                let units: Vec<String> = needed.units.iter().map(ToString::to_string).collect();
                let cluster = if several {
                    format!(" in {}", cluster.entry.name)
                } else {
                    String::new()
                };
                text.push_str(&format!("# {subject}{cluster}, for {}\n", units.join(", ")));
                for object in needed.least.objects(&subject) {
                    text.push_str("---\n");
                    emit::sorted(&object, &mut text)?;
                }
            }
        }
        for account in &self.account {
            if !self.missing && !known.contains(account) {
                known.dedup();
                let error = Error::new(
                    "ref/missing",
                    format!("nothing is applied by the service account `{account}`"),
                );
                return Err(match known.as_slice() {
                    [] => error.help("no Kustomization or HelmRelease names a service account"),
                    known => error.help(format!("there is `{}`", known.join("`, `"))),
                });
            }
        }
        Ok((text, failed))
    }
}
