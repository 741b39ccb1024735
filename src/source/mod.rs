//! Where a repository's inputs come from: Git, Helm repositories, OCI
//! registries, buckets, and whatever kustomizations name by address.
//!
//! Two halves that meet in the store:
//!
//! - [`locked`] answers from the lockfile and the store, and notes what it
//!   cannot answer as [`Order`]s. It opens nothing but files.
//! - [`fetch`] fulfils orders over the network. It is the only code of the
//!   program that dials out, and only the commands that say so call it; a build
//!   without the feature `network` does not have it.
//!
//! A kind of source is a file here and one arm in `fetch`.

pub mod locked;
mod oci_manifest;
mod settings;
pub mod signature_config;
mod signed;
pub mod trust;
pub mod vendor;
mod view;

#[cfg(feature = "network")]
mod bucket;
mod credentials;
mod docker;
#[cfg(feature = "network")]
pub mod fetch;
#[cfg(feature = "network")]
mod git;
#[cfg(feature = "network")]
mod helm;
#[cfg(feature = "network")]
mod http;
#[cfg(feature = "network")]
mod oci;
#[cfg(feature = "network")]
mod progress;
pub mod tag;
#[cfg(feature = "network")]
pub mod transfer;

use crate::artifact::Digest;
use crate::diag::Span;
use crate::flux::api::Source;
use crate::lock::{ChartPin, ChartRequest, Pin, Request};

pub use credentials::Credentials;
#[cfg(feature = "network")]
use fetch::{Access, Resolved};
pub use locked::Locked;
pub use settings::{Entries, Settings, entries_of};

/// What an input is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The content of a source.
    Source(Request),
    /// A chart of a Helm repository.
    Chart(Request, ChartRequest),
    /// A chart that another one depends on, by the address of its repository.
    Dependency(String, ChartRequest),
    /// A remote resource of a kustomization, by its address.
    Remote(String),
    /// What proves who signed something, where it lies beside it.
    Signatures {
        /// The source that has it.
        request: Request,
        /// The chart that is signed, where it is one.
        chart: Option<ChartRequest>,
        /// The revision of what is signed, or a chart's version.
        version: String,
        /// The digest of what is signed.
        of: Digest,
    },
}

/// An input that is not at hand.
#[derive(Clone, Debug)]
pub struct Order {
    /// The source it belongs to: none for remote resources, nor for charts that
    /// others depend on where no source has their repository's address.
    pub source: Option<Source>,
    /// The address as it is written, where no source has it: it may hold a login.
    pub address: Option<String>,
    /// Where it is asked for.
    pub span: Span,
    /// What was locked: then that is to be fetched, and nothing else.
    pub pin: Option<Filled>,
}

/// What an order came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filled {
    /// A source or remote resource.
    Pin(Pin),
    /// A chart.
    Chart(ChartPin),
    /// Manifests of signatures, or a provenance file.
    Signatures(Vec<Digest>),
}

impl Filled {
    /// The digests of what the store holds.
    pub fn digests(&self) -> Vec<Digest> {
        match self {
            Filled::Pin(pin) => vec![pin.digest],
            Filled::Chart(pin) => vec![pin.digest],
            Filled::Signatures(digests) => digests.clone(),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Source(request) => write!(f, "{}", request.source),
            Key::Chart(request, chart) => {
                write!(f, "{} {} {}", request.source, chart.name, chart.range)
            }
            Key::Signatures { request, chart, .. } => match chart {
                Some(chart) => write!(f, "signatures of {} {}", request.source, chart.name),
                None => write!(f, "signatures of {}", request.source),
            },
            Key::Dependency(url, chart) => {
                let url = crate::lock::without_password(url);
                write!(f, "{url} {} {}", chart.name, chart.range)
            }
            Key::Remote(address) => f.write_str(&crate::lock::without_password(address)),
        }
    }
}
