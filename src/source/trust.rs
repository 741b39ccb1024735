//! Who must have signed what: what a source asks for itself, and what
//! `.fluxwright.yaml` asks for besides.
//!
//! In: a source, a chart of it, the Secrets of its cluster. Out: each demand
//! with the keys that can meet it.

use std::collections::{BTreeMap, BTreeSet};

use super::Entries;
use crate::diag::{Error, Result, Span};
use crate::flux::api::{Source, SourceRef, SourceSpec, Verification};
use crate::gostd::moment::Moment;
use crate::lock::ChartRequest;
use crate::verify::KeyFile;

/// A key file that `.fluxwright.yaml` names, or why it cannot be read.
pub type NamedFile = Result<KeyFile>;

/// What the user asks for, beside what the sources ask for themselves.
#[derive(Debug, Default)]
pub struct Policy {
    /// Sources that must be signed, in the order of the file.
    pub sources: Vec<Demanded>,
    /// Key files that stand in for Secrets, by namespace and name.
    pub keys: BTreeMap<(String, String), Vec<NamedFile>>,
    /// The trust root where nothing else names one.
    pub trusted_root: Option<NamedFile>,
    /// Sources that are taken unverified, on the user's own word.
    pub skipped: BTreeSet<SourceRef>,
    /// The time that keys and signatures must be valid at; none where nobody
    /// knows it, and nothing can be verified.
    pub now: Option<Moment>,
}

/// What an entry of `trust.sources` demands of the sources that it matches.
#[derive(Debug)]
pub struct Demanded {
    /// What matches them.
    pub of: crate::config::SourceTrust,
    /// Its key files.
    pub keys: Vec<NamedFile>,
    /// Its trust root.
    pub trusted_root: Option<NamedFile>,
}

/// A Secret, as a build knows it.
#[derive(Clone, Debug)]
pub enum Secret {
    /// Its entries.
    Entries(Entries),
    /// It is encrypted, and no key opens it.
    Sealed,
}

/// Finds a Secret by namespace and name.
pub type FindSecret<'a> = dyn Fn(&str, &str) -> Option<Secret> + 'a;

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The source.
    pub source: &'a Source,
    /// The chart in it that is meant, and what is demanded of it; none for the
    /// source as a whole.
    pub chart: Option<(&'a ChartRequest, Option<&'a Result<Verification>>)>,
}

/// What came of looking for a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody asks for one.
    Unasked,
    /// One is asked for, and was not looked for: the user said so.
    Skipped,
    /// These signed it.
    Signed(Vec<String>),
}

/// One demand, and what can meet it.
#[derive(Debug)]
pub(super) struct Demand {
    /// Where it stands.
    pub(super) span: Span,
    /// Who demands it, where it is not the object itself.
    pub(super) by: Option<String>,
    /// What is demanded.
    pub(super) what: Wanted,
}

#[derive(Debug)]
pub(super) enum Wanted {
    /// A commit or tag, signed by one of these keys.
    Git { mode: String, keys: Vec<KeyFile> },
    /// An artifact, signed by one of these keys.
    Keys(Vec<KeyFile>),
    /// An artifact, signed by one of these identities: issuer and subject.
    Identities {
        root: KeyFile,
        identities: Vec<(String, String)>,
    },
    /// A chart with provenance, signed by a key of one of these keyrings.
    Provenance(Vec<KeyFile>),
}

impl Subject<'_> {
    fn is_in_registry(&self) -> bool {
        match &self.source.spec {
            SourceSpec::Oci(_) => true,
            SourceSpec::Helm(helm) => helm.is_oci,
            SourceSpec::Git(_) | SourceSpec::Bucket(_) => false,
        }
    }

    fn is_git(&self) -> bool {
        matches!(self.source.spec, SourceSpec::Git(_))
    }

    /// What the object itself demands.
    fn own(&self) -> Option<&Result<Verification>> {
        match self.chart {
            Some((_, verification)) => verification,
            None => self.source.verify.as_deref(),
        }
    }
}

impl Policy {
    /// The Secret whose keys decide, where it may still turn up; none where no
    /// Secret is needed.
    pub fn needs_secret<'s>(&self, source: &'s Source) -> Option<&'s str> {
        let Some(Ok(verification)) = source.verify.as_deref() else {
            return None;
        };
        let names = [&verification.secret, &verification.trusted_root];
        names
            .into_iter()
            .flatten()
            .map(|name| &**name)
            .find(|name| {
                let key = (source.id.namespace.to_string(), (*name).to_owned());
                !self.keys.contains_key(&key)
            })
    }

    /// Whether anybody demands a signature.
    pub(super) fn asks(&self, subject: &Subject<'_>) -> bool {
        let name = subject.source.id.to_string();
        subject.own().is_some() || self.sources.iter().any(|s| s.of.matches(&name))
    }

    /// Everything that is demanded.
    ///
    /// # Errors
    ///
    /// `trust/…` for a demand that nothing can meet: keys that are not there, a
    /// provider that is not supported.
    pub(super) fn demands(
        &self,
        subject: &Subject<'_>,
        secrets: &FindSecret<'_>,
    ) -> Result<Vec<Demand>> {
        let mut demands = Vec::new();
        // Provenance has no place in the objects of Flux.
        let by_policy: Vec<&Demanded> = {
            let name = subject.source.id.to_string();
            self.sources
                .iter()
                .filter(|s| s.of.matches(&name))
                .collect()
        };
        let has_provenance =
            subject.chart.is_some() && !subject.is_in_registry() && !by_policy.is_empty();
        match subject.own() {
            None => {}
            Some(Err(e)) => return Err(unreadable(e)),
            Some(Ok(_)) if has_provenance => {}
            Some(Ok(own)) => {
                let what = self
                    .of_object(own, subject, secrets)
                    .map_err(|e| e.at(own.span))?;
                let span = own.span;
                demands.push(Demand {
                    span,
                    by: None,
                    what,
                });
            }
        }
        for demanded in by_policy {
            let of = &demanded.of.source;
            let by = format!("as `trust.sources` in .fluxwright.yaml asks of `{of}`");
            let what = self
                .of_policy(demanded, subject)
                .map_err(|e| e.context(by.clone()))?;
            demands.push(Demand {
                span: subject.source.span,
                by: Some(by),
                what,
            });
        }
        Ok(demands)
    }

    fn of_object(
        &self,
        own: &Verification,
        subject: &Subject<'_>,
        secrets: &FindSecret<'_>,
    ) -> Result<Wanted> {
        let namespace = &subject.source.id.namespace;
        if subject.is_git() && subject.chart.is_none() {
            let Some(secret) = &own.secret else {
                return Err(refuse(
                    "trust/key-file",
                    "`verify` names no Secret with keys",
                    "name it in `spec.verify.secretRef`",
                ));
            };
            return Ok(Wanted::Git {
                mode: own.mode.to_string(),
                keys: self.keys_of(namespace, secret, secrets)?,
            });
        }
        if !subject.is_in_registry() {
            return Err(refuse(
                "trust/unsupported",
                "charts are verified where they lie in a registry, and not here: Flux would \
                 ignore `verify`",
                "take the chart from a HelmRepository of `type: oci`, or have its provenance \
                 verified: name the source and an OpenPGP keyring under `trust.sources` in \
                 .fluxwright.yaml",
            ));
        }
        match &*own.provider {
            "cosign" => {}
            "notation" => {
                return Err(refuse(
                    "trust/unsupported",
                    "`provider: notation` is not supported",
                    "sign with cosign, too, and name a key under `trust.sources` in \
                     .fluxwright.yaml; or verify it otherwise and say \
                     `--insecure-skip-verify KIND/NAMESPACE/NAME`",
                ));
            }
            other => {
                return Err(refuse(
                    "trust/unsupported",
                    format!("the provider `{other}` is not known"),
                    "write `cosign`",
                ));
            }
        }
        if let Some(secret) = &own.secret {
            let mut keys = self.keys_of(namespace, secret, secrets)?;
            // Compat: source-controller takes the entries that end so.
            keys.retain(|key| key.name.strip_suffix(".pub").is_some());
            if keys.is_empty() {
                return Err(refuse(
                    "trust/key-file",
                    format!("the Secret `{namespace}/{secret}` has no entry `*.pub`"),
                    "Flux takes keys from entries of such names: `cosign.pub`",
                ));
            }
            return Ok(Wanted::Keys(keys));
        }
        if own.identities.is_empty() {
            return Err(refuse(
                "trust/identity",
                "neither a key nor an identity is asked for: anybody could have signed it",
                "name a key in `secretRef`, or issuer and subject in `matchOIDCIdentity`; for a \
                 chart, use an OCIRepository with `chartRef`",
            ));
        }
        let root = match &own.trusted_root {
            Some(secret) => {
                let files = self.keys_of(namespace, secret, secrets)?;
                let named = files.iter().find(|f| f.name == "trusted_root.json");
                let only = files.first().filter(|_| files.len() == 1);
                named.or(only).cloned().ok_or_else(|| {
                    refuse(
                        "trust/root",
                        format!(
                            "the Secret `{namespace}/{secret}` has no entry `trusted_root.json`"
                        ),
                        "put the trust root there, in Sigstore's format",
                    )
                })?
            }
            None => self.root(None)?,
        };
        Ok(Wanted::Identities {
            root,
            identities: (own.identities.iter())
                .map(|(issuer, subject)| (issuer.to_string(), subject.to_string()))
                .collect(),
        })
    }

    fn of_policy(&self, demanded: &Demanded, subject: &Subject<'_>) -> Result<Wanted> {
        let keys: Vec<KeyFile> = demanded.keys.iter().cloned().collect::<Result<_>>()?;
        let identities: Vec<(String, String)> = (demanded.of.identities.iter())
            .map(|i| (i.issuer.clone(), i.subject.clone()))
            .collect();
        if keys.is_empty() && identities.is_empty() {
            return Err(refuse(
                "trust/key-file",
                "nobody may sign it: there are neither keys nor identities",
                "name them under `keys` or `identities`",
            ));
        }
        if subject.is_in_registry() {
            if !keys.is_empty() {
                return Ok(Wanted::Keys(keys));
            }
            return Ok(Wanted::Identities {
                root: self.root(demanded.trusted_root.as_ref())?,
                identities,
            });
        }
        if keys.is_empty() {
            return Err(refuse(
                "trust/unsupported",
                "only what lies in a registry can be signed without a key",
                "name key files under `keys`",
            ));
        }
        match &subject.source.spec {
            SourceSpec::Git(_) => Ok(Wanted::Git {
                mode: demanded
                    .of
                    .mode
                    .clone()
                    .unwrap_or_else(|| "HEAD".to_owned()),
                keys,
            }),
            SourceSpec::Helm(_) if subject.chart.is_some() => Ok(Wanted::Provenance(keys)),
            _ => Err(refuse(
                "trust/unsupported",
                format!("a {} cannot be signed", subject.source.id.kind),
                "take it from a GitRepository or an OCIRepository",
            )),
        }
    }

    fn root(&self, of: Option<&NamedFile>) -> Result<KeyFile> {
        match of.or(self.trusted_root.as_ref()) {
            Some(root) => root.clone(),
            None => Err(refuse(
                "trust/root",
                "it is to be verified without a key, and no trust root is given",
                "name one in `spec.verify.trustedRootSecretRef`, or under `trust.trustedRoot` in \
                 .fluxwright.yaml: a file in Sigstore's format, as `cosign trusted-root create` \
                 writes it",
            )),
        }
    }

    /// The entries of a Secret, or the files that stand in for it.
    fn keys_of(
        &self,
        namespace: &str,
        name: &str,
        secrets: &FindSecret<'_>,
    ) -> Result<Vec<KeyFile>> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(files) = self.keys.get(&key) {
            return files.iter().cloned().collect();
        }
        let help = format!(
            "public keys are no secret: add it to the repository, or name key files under `keys` \
             in .fluxwright.yaml, for `secret: {namespace}/{name}`"
        );
        match secrets(namespace, name) {
            Some(Secret::Entries(entries)) => Ok(entries
                .into_iter()
                .map(|(name, content)| KeyFile { name, content })
                .collect()),
            Some(Secret::Sealed) => Err(refuse(
                "trust/key-file",
                format!(
                    "the Secret `{namespace}/{name}` with the keys is encrypted, and no key opens it"
                ),
                &format!("give `--age-key-file` or `--pgp-key`; {help}"),
            )),
            None => Err(refuse(
                "trust/key-file",
                format!("the Secret `{namespace}/{name}` with the keys is not in the repository"),
                &help,
            )),
        }
    }
}

/// What a demand that cannot be read comes to: it cannot be met.
fn unreadable(error: &Error) -> Error {
    refuse(
        "trust/unsupported",
        format!("what must be signed cannot be read: {error}"),
        error.help_text().unwrap_or("correct `verify`"),
    )
    .at(error.span())
}

pub(super) fn refuse(rule: &'static str, message: impl Into<String>, help: &str) -> Error {
    Error::new(rule, message).help(help)
}
