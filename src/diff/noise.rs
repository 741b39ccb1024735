//! What changes with every release and says nothing of what the cluster does.
//!
//! Noise is counted and kept apart, never thrown away: a pod restarts for a
//! changed label as it does for a changed image.

use super::fields::{Change, ChangeKind};
use super::path::Step;
use crate::resource::Gvk;
use crate::yaml::Node;

/// Why a change means nothing by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Noise {
    /// A label with the version of a chart or of its application.
    VersionLabel,
    /// A digest of configuration in an annotation.
    Checksum,
    /// A certificate or key that a chart makes anew.
    Certificate,
    /// The digest and date that sops writes with every change.
    Encryption,
    /// The name of a generated object, which holds a digest of its content.
    GeneratedName,
}

impl Noise {
    /// A word for it, in reports.
    pub fn name(self) -> &'static str {
        match self {
            Noise::VersionLabel => "version label",
            Noise::Checksum => "checksum",
            Noise::Certificate => "certificate",
            Noise::Encryption => "encryption",
            Noise::GeneratedName => "generated name",
        }
    }
}

const VERSION_LABELS: &[&str] = &["helm.sh/chart", "app.kubernetes.io/version", "chart"];

/// Whether a change is noise, by itself.
pub(super) fn of(change: &Change, gvk: &Gvk) -> Option<Noise> {
    if change.path.starts_with(&["sops"]) {
        let what = change.path.last_key()?;
        return matches!(what, "lastmodified" | "mac" | "version").then_some(Noise::Encryption);
    }
    if change.kind != ChangeKind::Changed {
        return None;
    }
    let (old, new) = (change.old.as_ref()?.text()?, change.new.as_ref()?.text()?);
    let key = change.path.last_key()?;
    let parent = parent_key(change);
    match parent {
        "labels" if VERSION_LABELS.contains(&key) => Some(Noise::VersionLabel),
        "annotations" if names_checksum(key) && is_digest(old) && is_digest(new) => {
            Some(Noise::Checksum)
        }
        _ if key == "caBundle" && is_certificate(old) && is_certificate(new) => {
            Some(Noise::Certificate)
        }
        "data" | "stringData"
            if &*gvk.kind == "Secret" && is_certificate(old) && is_certificate(new) =>
        {
            Some(Noise::Certificate)
        }
        _ => None,
    }
}

/// Whether a change is a reference that follows the new name of a generated
/// object.
pub(super) fn follows_name(change: &Change, old_name: &str, new_name: &str) -> bool {
    let is = |node: &Option<Node>, name| node.as_ref().and_then(Node::text) == Some(name);
    change.kind == ChangeKind::Changed && is(&change.old, old_name) && is(&change.new, new_name)
}

fn parent_key(change: &Change) -> &str {
    let mut keys = change.path.0.iter().rev().filter_map(|step| match step {
        Step::Key(key) => Some(&**key),
        Step::Item { .. } => None,
    });
    keys.next();
    keys.next().unwrap_or_default()
}

fn names_checksum(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["checksum", "hash", "sha256"]
        .iter()
        .any(|word| key.contains(word))
}

fn is_digest(text: &str) -> bool {
    let bare = text.strip_prefix("sha256:").unwrap_or(text);
    bare.len() >= 8 && bare.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a text is a certificate or a key, plain or in base64.
fn is_certificate(text: &str) -> bool {
    // The second is the first in base64, as far as it goes.
    text.starts_with("-----BEGIN ") || text.starts_with("LS0tLS1CRUdJTi")
}
