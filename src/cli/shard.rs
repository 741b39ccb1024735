//! `--shard I/N`: one part of a large fleet, and what it writes down for
//! `merge`; its schema is `schemas/fluxwright/part.json`.

use serde::{Deserialize, Serialize};

use crate::diag::Finding;
use crate::pipeline::shard::{Part, Shard};
use crate::report::difference::Model;

/// What a part calls itself.
pub(super) const FORMAT: &str = "fluxwright.part/v1";

/// Which part.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct ShardArg {
    /// Only one part of the clusters, the I-th of N, dealt out by the digests of their names; for
    /// `merge` to join
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
}

/// A part of a report, JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartReport {
    /// [`FORMAT`].
    pub(super) format: String,
    /// Which part.
    pub(super) part: Part,
    /// Of a check: what was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) findings: Option<Vec<Finding>>,
    /// Of a check: the files of the repository that it reads; none where a cluster
    /// does not render.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reads: Option<Vec<String>>,
    /// Of a comparison: what differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) difference: Option<Box<Model>>,
}

impl PartReport {
    /// The part as text.
    pub(super) fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
