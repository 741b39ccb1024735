//! `fluxwright bundle create`

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bundle::{self, Bundle, Contents, Origin};
use crate::cli::output::{self, Exit};
use crate::cli::settings::{Extent, Repository, RepositoryArgs};
use crate::cli::{folder, head};
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap};
use crate::pipeline::cluster::{Cluster, SourceOrigin, sha256};
use crate::pipeline::index::{self, Versions};
use crate::yaml::Node;

/// Make a bundle of what the clusters get
///
/// Renders the repository and packs it as an OCI image layout: the manifests as
/// a Flux artifact, which an OCIRepository takes as it is, and beside them the
/// index of the build, a bill of images, the findings, and a provenance
/// statement. The same commit gives the same bytes on any machine. Signatures
/// lie beside the content and are no part of its digest.
///
/// Examples:
///   fluxwright bundle create --output bundle --tag v1.4.0
///   fluxwright bundle create --output bundle.tar --tag v1.4.0 --release --key env://SIGNING_KEY
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// The folder of the layout, or a file that ends with .tar
    #[arg(long, value_name = "DIR|FILE.tar")]
    output: PathBuf,

    /// The version of the bundle, and its tag
    #[arg(long, value_name = "TAG", default_value = "latest")]
    tag: String,

    /// The address of the repository, for the annotation that Flux shows
    #[arg(long, value_name = "URL")]
    source: Option<String>,

    /// Refuse what must not be released: changes that are not committed, sources that are local,
    /// findings at error, secrets in clear
    #[arg(long)]
    release: bool,

    /// A private key that signs, as cosign does: a PEM file (P-256 or Ed25519, PKCS #8), or
    /// env://NAME (repeatable)
    #[cfg(feature = "verify")]
    #[arg(long, value_name = "FILE|env://NAME")]
    key: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let sources = Arc::new(SourceMap::new());
        let mut findings = Findings::new();
        let made = self
            .repository
            .with_jobs(|| self.make(&sources, &mut findings))
            .and_then(|bundle| {
                folder::write_bundle(&self.output, &bundle.files)?;
                Ok(bundle)
            });
        match made {
            Ok(bundle) => {
                output::findings(&findings.into_sorted(), &sources);
                output::stdout(format!("{}\n", bundle.digest).as_bytes())?;
                Ok(Exit::Done)
            }
            Err(e) => {
                findings.push(e.to_finding(&sources));
                output::findings(&findings.into_sorted(), &sources);
                Ok(if e.rule() == "bundle/refused" {
                    Exit::No
                } else {
                    Exit::Failed
                })
            }
        }
    }

    fn make(&self, sources: &Arc<SourceMap>, told: &mut Findings) -> Result<Bundle> {
        let opened = self.repository.open(sources)?;
        let mut clusters = Vec::new();
        let mut flux_versions = Vec::new();
        for entry in &opened.entries {
            let (flux, cluster) =
                self.repository
                    .render(&opened, entry, Extent::default(), told)?;
            flux_versions.push(flux.to_string());
            clusters.push(cluster);
        }
        flux_versions.sort();
        flux_versions.dedup();
        let failed = clusters
            .iter()
            .flat_map(|c| &c.units)
            .filter(|u| u.outcome.is_err())
            .count();
        if failed > 0 {
            return Err(Error::new(
                "bundle/incomplete",
                format!("{failed} of the Flux objects cannot be rendered"),
            )
            .help("mend what the other findings tell: a bundle holds all or nothing"));
        }
        let versions = Versions {
            flux: flux_versions.join(", "),
            kubernetes: opened.kubernetes.clone(),
        };
        let (files, errors) = index::output_files(&clusters, &versions, sources);
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        let findings = told.clone().into_sorted();
        if self.release {
            self.refuse(&clusters, &findings)?;
        }
        let contents = Contents {
            files: &files,
            versions: &versions,
            images: bundle::images(&clusters),
            findings: &findings,
            origin: self.origin(&opened)?,
        };
        let mut made = bundle::create(&contents)?;
        self.sign(&mut made)?;
        Ok(made)
    }

    fn origin(&self, opened: &Repository) -> Result<Origin> {
        let (root, _) = self.repository.locate()?;
        let head = head::of(&root);
        let lock = opened.sources.repository.bytes("fluxwright.lock").ok();
        Ok(Origin {
            source: self.source.clone(),
            revision: head.as_ref().map(|h| h.revision.clone()),
            created: head.map_or(0, |h| h.seconds),
            lock_sha256: lock.map(|bytes| sha256(&bytes).to_string()),
            tag: self.tag.clone(),
        })
    }

    /// What must not be released.
    fn refuse(&self, clusters: &[Cluster], findings: &[Finding]) -> Result<()> {
        let refused = |what: String, help: &str| Err(Error::new("bundle/refused", what).help(help));
        let (root, _) = self.repository.locate()?;
        if let Some(path) = head::first_change(&root)? {
            return refused(
                format!("`{path}` is not as it was committed"),
                "commit it, or put it aside: `git stash --include-untracked`",
            );
        }
        let units = || clusters.iter().flat_map(|c| &c.units);
        for unit in units() {
            if let Some(source) = &unit.source
                && let SourceOrigin::Local { path } = &source.origin
            {
                return refused(
                    format!("the source `{}` is local: `{path}`", source.source),
                    "lock it, and leave `--local-sources` away",
                );
            }
        }
        let secret = clusters
            .iter()
            .flat_map(Cluster::objects)
            .find(|(_, object)| is_clear_secret(&object.node));
        if let Some((_, object)) = secret {
            return Err(Error::new(
                "bundle/refused",
                format!("{} holds a secret in clear", object.id.to_object_ref()),
            )
            .at(object.node.span())
            .help("encrypt it with sops, or leave it to the cluster"));
        }
        match findings.iter().find(|f| f.severity == Severity::Error) {
            Some(finding) => refused(
                format!("there are errors: {}", finding.message),
                "mend what the findings tell",
            ),
            None => Ok(()),
        }
    }

    #[cfg(feature = "verify")]
    fn sign(&self, made: &mut Bundle) -> Result<()> {
        use crate::cli::read;
        use crate::verify::sign::SigningKey;
        use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES};

        let keys = self.key.iter().map(|name| {
            let content = match name.strip_prefix("env://") {
                Some(variable) => crate::cli::environment::bytes(variable)?,
                None => read::file(&PathBuf::from(name), MAX_KEY_FILE_BYTES)?,
            };
            SigningKey::read(&KeyFile {
                name: name.clone(),
                content,
            })
        });
        bundle::sign(made, &keys.collect::<Result<Vec<_>>>()?)
    }

    #[cfg(not(feature = "verify"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as with the feature"
    )]
    fn sign(&self, _made: &mut Bundle) -> Result<()> {
        Ok(())
    }
}

/// Whether an object is a Secret with values that anybody can read.
fn is_clear_secret(object: &Node) -> bool {
    let is = |key, value| object.get(key).and_then(Node::text) == Some(value);
    is("kind", "Secret")
        && is("apiVersion", "v1")
        && object.get("sops").is_none()
        && ["data", "stringData"].iter().any(|key| {
            let entries = object.get(key).map(Node::entries).unwrap_or_default();
            entries
                .iter()
                .any(|e| e.value.text().is_some_and(|text| !text.is_empty()))
        })
}
