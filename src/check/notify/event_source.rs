//! Event sources of alerts that match nothing.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Severity, nearest};
use crate::flux::api::{self, NOTIFICATION};
use crate::yaml::Node;

/// The example, with the part that is wrong in one and right in the other.
macro_rules! example {
    ($part:literal) => {
        concat!(
            "\
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata:
  name: chat
  namespace: flux-system
spec:
  type: generic
  address: https://chat.example.com/hook
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata:
  name: production
  namespace: flux-system
spec:
  providerRef:
    name: chat
  eventSources:
  - kind: Kustomization
",
            $part
        )
    };
}

pub(in crate::check) static RULE: Rule = Rule {
    id: "notify/event-source",
    severity: Severity::Warning,
    title: "an alert about objects that are not there",
    why: "An event source names one object, or all of a kind by `*` alone: `production-*` is the \
          name of an object that cannot exist. Its namespace is the alert's unless it says \
          another. An alert that matches nothing never sends anything, and says so nowhere.",
    mend: "Name an object, or `*` with `matchLabels`.",
    bad: example!(
        "    name: production-*
"
    ),
    good: example!(
        "    name: '*'
"
    ),
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (kind, field) in [("Alert", "eventSources"), ("Receiver", "resources")] {
        for applied in view.of_kind(NOTIFICATION, kind) {
            let sources = applied.at(&["spec", field]);
            for (index, source) in sources.map_or(&[][..], Node::items).iter().enumerate() {
                one(view, applied, field, index, source.target(), out);
            }
        }
    }
}

fn one(
    view: &View<'_>,
    applied: &Applied<'_>,
    field: &str,
    index: usize,
    source: &Node,
    out: &mut Out<'_>,
) {
    let text = |key: &str| source.get(key).and_then(Node::text);
    let (Some(kind), Some(name)) = (text("kind"), source.get("name")) else {
        return;
    };
    let wanted = name.text().unwrap_or_default();
    let namespace = text("namespace").unwrap_or(applied.namespace);
    let known = api::KINDS.iter().find(|known| known.name == kind);
    if wanted == "*" || known.is_none() {
        return;
    }
    let (message, help) = if wanted.contains(['*', '?', '[']) {
        (
            format!("`{wanted}` matches nothing: `*` alone stands for all"),
            "name an object, or `*` with `matchLabels`".to_owned(),
        )
    } else {
        let group = known.map(|known| known.group).unwrap_or_default();
        let beside = view
            .of_kind(group, kind)
            .filter(|a| a.namespace == namespace);
        let names: Vec<&str> = beside.map(Applied::name).collect();
        // What bootstrap or flux-operator makes need not be in the repository,
        // and HelmCharts are made by HelmReleases.
        let made = wanted == "flux-system" || kind == "HelmChart";
        if names.contains(&wanted) || !view.is_complete() || made {
            return;
        }
        let near = out
            .may_look(names.len())
            .then(|| nearest(wanted, names.iter().copied()))
            .flatten();
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name an object that there is, in the namespace that it is in".to_owned(),
        };
        (
            format!("there is no {kind} `{wanted}` in `{namespace}`"),
            help,
        )
    };
    out.push(
        out.about(applied, name.span(), message)
            .path(format!("/spec/{field}/{index}/name"))
            .help(help),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing;

    #[test]
    fn an_object_is_looked_for_where_it_should_be() {
        let named = |name: &str| {
            let text = RULE.good.replace("name: '*'", &format!("name: {name}"));
            testing::found("notify/event-source", &text)
        };
        assert!(named("flux-system").is_empty());
        assert_eq!(
            named("flux-sytem"),
            [
                "warning clusters/prod/example.yaml:20:11 there is no Kustomization `flux-sytem` in \
              `flux-system`"
            ]
        );
    }
}
