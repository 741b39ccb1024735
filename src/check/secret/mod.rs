//! Secrets that everybody who can read the repository can read.

pub(super) mod credential;
pub(super) mod plaintext;
pub(super) mod shapes;
pub(super) mod sops;
pub(super) mod token;

use super::{Applied, View};
use crate::pipeline::cluster::UnitKind;
use crate::yaml::{Data, Node};

/// Groups of operators whose objects hold secrets sealed, or their names.
const SEALED: [&str; 7] = [
    "bitnami.com",
    "external-secrets.io",
    "generators.external-secrets.io",
    "isindir.github.com",
    "onepassword.com",
    "secrets.hashicorp.com",
    "secrets.infisical.com",
];

/// The objects that the repository writes itself: not what charts make of
/// values, nor definitions, nor what is sealed.
fn written<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = &'v Applied<'a>> {
    view.objects().iter().filter(|applied| {
        let chart = applied
            .unit
            .is_some_and(|u| u.kind == UnitKind::HelmRelease);
        let group = &*applied.gvk().group;
        !chart && !SEALED.contains(&group) && group != "apiextensions.k8s.io"
    })
}

/// A text in an object, and the key that it stands under.
struct Text<'n> {
    key: &'n str,
    node: &'n Node,
    /// The JSON pointer to it.
    pointer: String,
}

/// All texts in an object.
///
/// The value of an item of a list that has a `name` stands under that name, as
/// environment variables do.
fn texts<'n>(object: &'n Node) -> Vec<Text<'n>> {
    let mut found = Vec::new();
    let mut open: Vec<(&'n str, &'n Node, String)> = vec![("", object, String::new())];
    while let Some((key, node, pointer)) = open.pop() {
        match node.data() {
            Data::Scalar(_) => found.push(Text { key, node, pointer }),
            Data::Alias(_) => open.push((key, node.target(), pointer)),
            Data::Sequence(items) => {
                for (index, item) in items.iter().enumerate().rev() {
                    open.push((key, item, format!("{pointer}/{index}")));
                }
            }
            Data::Mapping(entries) => {
                let name = node.get("name").and_then(Node::text);
                for entry in entries.iter().rev() {
                    let Some(own) = entry.key.text() else {
                        continue;
                    };
                    let escaped = crate::diag::pointer::escape(own);
                    let pointer = format!("{pointer}/{escaped}");
                    let key = match name {
                        Some(name) if own == "value" => name,
                        _ => own,
                    };
                    open.push((key, &entry.value, pointer));
                }
            }
        }
    }
    found
}

/// Whether a value was encrypted, or stands for what was.
fn is_sealed(node: &Node, text: &str) -> bool {
    node.is_secret() || text.starts_with("ENC[") || text.starts_with("encrypted-")
}

/// Whether a text is a variable, a template or the name of a secret elsewhere,
/// which something else puts in later.
fn is_reference(text: &str) -> bool {
    let text = text.trim();
    let opens = ["${", "$(", "{{", "$__", "%(", "<"];
    let schemes = [
        "op://",
        "vault:",
        "ref+",
        "secretref:",
        "awssm:",
        "gcpsm:",
        "env:",
        "file:",
    ];
    text.is_empty()
        || opens.iter().any(|open| text.contains(open))
        || schemes.iter().any(|scheme| text.starts_with(scheme))
}
