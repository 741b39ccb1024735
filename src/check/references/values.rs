//! ConfigMaps and Secrets that values are read from.

use crate::check::subst::is_open;
use crate::check::{Applied, Out, View};
use crate::diag::{Severity, nearest};
use crate::flux::api::HELM;
use crate::yaml::Node;

/// The key that values are read from where none is named.
const DEFAULT_KEY: &str = "values.yaml";

pub(super) fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(HELM, "HelmRelease") {
        let Some(list) = applied.at(&["spec", "valuesFrom"]) else {
            continue;
        };
        for (i, reference) in list.items().iter().enumerate() {
            one(view, applied, i, reference.target(), out);
        }
    }
}

fn one(view: &View<'_>, applied: &Applied<'_>, i: usize, reference: &Node, out: &mut Out<'_>) {
    let node = |key| reference.get(key).map(Node::target);
    let text = |key| node(key).and_then(Node::text);
    if node("optional").and_then(Node::as_bool) == Some(true) {
        return;
    }
    let (Some(kind), Some(name)) = (text("kind"), text("name")) else {
        return;
    };
    let namespace = applied.namespace;
    if is_open(name) || is_open(namespace) {
        return;
    }
    let span = |key| node(key).map_or(reference.span(), Node::span);
    let Some(object) = view.find("", kind, namespace, name) else {
        // Secrets are kept out of repositories; ConfigMaps seldom are.
        let severity = match kind {
            "Secret" => Severity::Info,
            _ => Severity::Warning,
        };
        out.push(
            out.about(
                applied,
                span("name"),
                format!("there is no {kind} `{namespace}/{name}`"),
            )
            .severity(severity)
            .path(format!("/spec/valuesFrom/{i}/name"))
            .help(match hashed(view, kind, namespace, name) {
                Some(other) => format!(
                    "it is generated as `{other}`: say `disableNameSuffixHash: true`, or let a \
                     `nameReference` for HelmReleases follow the name"
                ),
                None => format!("add the {kind}, correct the name, or say `optional: true`"),
            }),
        );
        return;
    };
    let key = text("valuesKey").unwrap_or(DEFAULT_KEY);
    let keys: Vec<&str> = ["data", "stringData", "binaryData"]
        .iter()
        .filter_map(|field| object.at(&[field]))
        .flat_map(Node::entries)
        .filter_map(|entry| entry.key.text())
        .collect();
    if keys.contains(&key) {
        return;
    }
    let help = match nearest(key, keys.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if keys.is_empty() => "it has no keys at all".to_owned(),
        None => format!("its keys are `{}`", keys.join("`, `")),
    };
    let place = if node("valuesKey").is_some() {
        "valuesKey"
    } else {
        "name"
    };
    out.push(
        out.about(
            applied,
            span(place),
            format!("the {kind} `{namespace}/{name}` has no key `{key}`"),
        )
        .severity(Severity::Warning)
        .path(format!("/spec/valuesFrom/{i}/{place}"))
        .help(help),
    );
}

/// The object that a generator makes of this name, with the hash at its end.
fn hashed<'v>(view: &'v View<'_>, kind: &'v str, namespace: &str, name: &str) -> Option<&'v str> {
    let mut found = view.of_kind("", kind);
    let found = found.find(|applied| {
        let rest = applied.name().strip_prefix(name);
        let hash = rest.and_then(|rest| rest.strip_prefix('-'));
        applied.namespace == namespace && hash.is_some_and(|hash| hash.len() == 10)
    });
    found.map(super::super::view::Applied::name)
}
