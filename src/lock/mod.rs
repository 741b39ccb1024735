//! `fluxwright.lock`: every input of a repository, by digest.
//!
//! In: the text of the file. Out: a [`Lockfile`], and back again. The text is
//! sorted and follows from the content alone: a `lock` that changes nothing
//! writes the same bytes. Each input is a block that begins with its name and
//! ends with an empty line, so that two people's changes to two inputs never
//! touch neighbouring lines and merge by themselves.
//!
//! A block holds what was asked for ([`Request`]) and what that came to
//! ([`Pin`]). Who builds looks a request up: an object in the repository that
//! asks for something else than its block says has no pin, and the lockfile is
//! stale. Pure: nothing here knows where the file lies.

mod compare;
mod read;
mod request;
mod write;

use std::collections::BTreeMap;

use crate::artifact::Digest;
use crate::flux::api::SourceRef;

pub use compare::{Change, compare, markdown, table};
pub use request::without_password;

/// The name of the file, at the root of the repository.
pub const FILE_NAME: &str = "fluxwright.lock";

/// The version of the format that is written.
pub const VERSION: i64 = 1;

/// The content of `fluxwright.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lockfile {
    /// Sources, by what was asked for.
    pub sources: BTreeMap<Request, Locked>,
    /// Charts that other charts depend on, by the address of their repository.
    pub dependencies: BTreeMap<String, BTreeMap<ChartRequest, ChartPin>>,
    /// Remote resources of kustomizations and other files by address.
    pub remotes: BTreeMap<String, Pin>,
}

/// What a Flux source asks for.
///
/// Two sources of one name that ask for different things, as two clusters of a
/// repository may have them, are two requests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    /// The object that asks.
    pub source: SourceRef,
    /// The address, without credentials.
    pub url: String,
    /// The rest of what decides the content, by the names of the object's own
    /// fields: `branch`, `tag`, `semver`, `bucketName`…
    pub reference: BTreeMap<String, String>,
}

/// What a request came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locked {
    /// The content; none for a Helm repository, which is only its charts.
    pub pin: Option<Pin>,
    /// The charts that are taken from a Helm repository.
    pub charts: BTreeMap<ChartRequest, ChartPin>,
    /// What is signed, by the digest of its pin, and by whom.
    pub signed: BTreeMap<Digest, Signed>,
}

/// Who signed something, and what proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// What lies beside the content and proves it: manifests of signatures or
    /// a provenance file, by digest, in the order in which they were found. A
    /// commit holds its signature itself.
    pub signatures: Vec<Digest>,
    /// Who signed it, as `verify` names them; sorted.
    pub verified: Vec<String>,
}

/// Content by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The revision in Flux's words, `main@sha1:6e8a…` or
    /// `1.2.3@sha256:9c1f…`; empty where there is none.
    pub revision: String,
    /// The digest of what the store holds.
    pub digest: Digest,
}

/// A chart that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChartRequest {
    /// Its name.
    pub name: String,
    /// The range of versions.
    pub range: String,
}

/// The version that a range came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartPin {
    /// The version, as the repository lists it.
    pub version: String,
    /// The digest of the chart's archive, or of its OCI manifest.
    pub digest: Digest,
}

impl Lockfile {
    /// The digests of everything that is locked.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        let pins = self.sources.values().filter_map(|s| s.pin.as_ref());
        let charts = self.sources.values().map(|s| &s.charts);
        let charts = charts.chain(self.dependencies.values());
        let charts = charts.flat_map(BTreeMap::values);
        let signed = self.sources.values().flat_map(|s| s.signed.values());
        pins.chain(self.remotes.values())
            .map(|pin| pin.digest)
            .chain(charts.map(|chart| chart.digest))
            .chain(signed.flat_map(|s| s.signatures.iter().copied()))
    }

    /// Keeps of another lockfile what is not locked here; of a source that asks
    /// for something else by now only if others may ask for the old.
    pub fn keep(&mut self, old: &Lockfile, others_may_ask: bool) {
        for (request, locked) in &old.sources {
            let Some(own) = self.sources.get_mut(request) else {
                if others_may_ask || self.named(&request.source).next().is_none() {
                    self.sources.insert(request.clone(), locked.clone());
                }
                continue;
            };
            own.pin = own.pin.take().or_else(|| locked.pin.clone());
            for (chart, pin) in &locked.charts {
                let entry = own.charts.entry(chart.clone());
                entry.or_insert_with(|| pin.clone());
            }
            for (digest, signed) in &locked.signed {
                let is_pin = own.pin.as_ref().is_some_and(|pin| pin.digest == *digest);
                if is_pin || own.charts.values().any(|pin| pin.digest == *digest) {
                    let entry = own.signed.entry(*digest);
                    entry.or_insert_with(|| signed.clone());
                }
            }
        }
        for (url, charts) in &old.dependencies {
            let own = self.dependencies.entry(url.clone()).or_default();
            for (chart, pin) in charts {
                let entry = own.entry(chart.clone());
                entry.or_insert_with(|| pin.clone());
            }
        }
        for (address, pin) in &old.remotes {
            let entry = self.remotes.entry(address.clone());
            entry.or_insert_with(|| pin.clone());
        }
    }

    /// Everything that is locked for sources of this name, whatever they ask
    /// for.
    pub fn named<'a>(
        &'a self,
        source: &'a SourceRef,
    ) -> impl Iterator<Item = (&'a Request, &'a Locked)> {
        self.sources
            .iter()
            .filter(move |(request, _)| request.source == *source)
    }
}

#[cfg(test)]
mod tests;
