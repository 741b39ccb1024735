//! Signatures of the sources and charts that a cluster uses.
//!
//! Keys lie in Secrets, which the cluster's own objects are: a source whose
//! Secret has not turned up waits for it, and is refused when nothing is left
//! that could bring it.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::Sources;
use super::source::secret_request;
use super::variables::is_sealed;
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap};
use crate::flux::api::{ChartSpec, Source, SourceRef, SourceSpec};
use crate::lock::ChartRequest;
use crate::resource::ResId;
use crate::source::entries_of;
use crate::source::trust::{Secret, Subject, Verdict};
use crate::yaml::Node;

/// How deep includes are followed.
const MAX_INCLUDES: u32 = 8;

impl Sources {
    /// Takes up a Secret.
    pub(super) fn declare_secret(&mut self, object: &Node) {
        let id = ResId::of(object);
        if self.locked.is_none() || !id.gvk.group.is_empty() || &*id.gvk.kind != "Secret" {
            return;
        }
        let secret = match entries_of(object) {
            Some(entries) if !is_sealed(object) => Secret::Entries(entries),
            _ => Secret::Sealed,
        };
        let namespace = SourceRef::of(object).namespace;
        self.secrets.insert((namespace, id.name), secret);
    }

    /// Whether the keys that a source is verified with are known, or need no
    /// waiting for.
    pub(super) fn knows_keys(&self, source: &SourceRef) -> bool {
        let (Some(locked), Some(Ok(declared))) = (&self.locked, self.declared.get(source)) else {
            return true;
        };
        locked.policy().needs_secret(declared).is_none_or(|name| {
            let key = (declared.id.namespace.clone(), name.into());
            self.secrets.contains_key(&key)
        })
    }

    /// Whether keys have not turned up that a source is to be verified with.
    pub(super) fn wait_for_keys(&self) -> bool {
        self.declared.keys().any(|source| !self.knows_keys(source))
    }

    /// Looks for the signatures that are demanded of a source, and of those
    /// that it includes.
    ///
    /// # Errors
    ///
    /// A refusal, and what is missing to tell.
    pub(super) fn verify(&self, source: &SourceRef) -> Result<()> {
        self.verify_within(source, 0)
    }

    fn verify_within(&self, source: &SourceRef, depth: u32) -> Result<()> {
        let Some(declared) = self.to_verify(source) else {
            return Ok(());
        };
        let subject = Subject {
            source: declared,
            chart: None,
        };
        self.settle(&source.to_string(), &subject)?;
        if let SourceSpec::Git(git) = &declared.spec
            && depth < MAX_INCLUDES
        {
            for include in &git.include {
                let other = SourceRef {
                    kind: "GitRepository".into(),
                    namespace: source.namespace.clone(),
                    name: include.repository.clone(),
                };
                self.verify_within(&other, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Looks for the signatures that are demanded of a chart.
    ///
    /// # Errors
    ///
    /// As [`Sources::verify`].
    pub(super) fn verify_chart(&self, spec: &ChartSpec, chart: &ChartRequest) -> Result<()> {
        let Some(declared) = self.to_verify(&spec.source) else {
            return Ok(());
        };
        if spec.is_secret {
            return Err(secret_request("the chart").at(spec.version_span));
        }
        let subject = Subject {
            source: declared,
            chart: Some((chart, spec.verify.as_deref())),
        };
        self.settle(&chart_name(&spec.source, chart), &subject)
    }

    /// A source that is locked, and neither the repository itself nor given by
    /// the user.
    fn to_verify(&self, source: &SourceRef) -> Option<&Source> {
        self.locked.as_ref()?;
        if self.local.contains_key(source) || self.is_own(source) {
            return None;
        }
        self.declared.get(source)?.as_ref().ok()
    }

    fn settle(&self, name: &str, subject: &Subject<'_>) -> Result<()> {
        let Some(locked) = &self.locked else {
            return Ok(());
        };
        let verdicts = || self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if verdicts().contains_key(name) {
            return Ok(());
        }
        let secrets = |namespace: &str, name: &str| {
            let key = (namespace.into(), name.into());
            self.secrets.get(&key).cloned()
        };
        if let Some(verdict) = locked.verify(subject, &secrets)? {
            verdicts().insert(name.to_owned(), verdict);
        }
        Ok(())
    }

    /// What was found of the signatures of a source, or of a chart in it.
    pub(super) fn verdict(&self, source: &SourceRef, chart: Option<&ChartRequest>) -> Verdict {
        let name = match chart {
            Some(chart) => chart_name(source, chart),
            None => source.to_string(),
        };
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        verdicts.get(&name).cloned().unwrap_or(Verdict::Unasked)
    }

    /// The declared sources whose signatures are not what is demanded.
    pub(super) fn unverified(&self) -> BTreeMap<SourceRef, Error> {
        let all = self.declared.keys();
        all.filter_map(|source| Some((source.clone(), self.verify(source).err()?)))
            .collect()
    }

    /// Tells what was taken on the user's own word.
    pub(super) fn tell_unverified(&self, sources: &SourceMap, findings: &mut Findings) {
        let verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, verdict) in verdicts.iter() {
            if *verdict != Verdict::Skipped {
                continue;
            }
            let mut declared = self.declared.values().flatten();
            let source = declared.find(|s| {
                let rest = name.strip_prefix(&s.id.to_string());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            });
            let mut finding = Finding::new(
                "trust/skipped",
                Severity::Warning,
                format!("`{name}` must be signed, and its signature was not verified"),
            )
            .help("leave out `--insecure-skip-verify`, and give the keys that may sign");
            if let Some(source) = source {
                finding = finding.at(source.span, sources);
            }
            findings.push(finding);
        }
        for (source, local) in &self.local {
            let Some(Ok(declared)) = self.declared.get(source) else {
                continue;
            };
            findings.push(
                Finding::new(
                    "trust/local-source",
                    Severity::Info,
                    format!(
                        "`{source}` is `{}`, unverified: the user's own word",
                        local.path
                    ),
                )
                .at(declared.span, sources)
                .help("lock it, and leave out `--local-sources`, for what is released"),
            );
        }
    }
}

fn chart_name(source: &SourceRef, chart: &ChartRequest) -> String {
    format!("{source} {} {}", chart.name, chart.range)
}
