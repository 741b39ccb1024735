//! Kinds that there are no schemas for.

use std::collections::BTreeMap;

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Severity, Span};
use crate::schema::Missing;

pub(in crate::check) static MISSING: Rule = Rule {
    id: "schema/missing-kind",
    severity: Severity::Error,
    title: "a kind that its API group does not have",
    why: "The API group is one of Kubernetes or Flux, all of whose kinds are known, and this one \
          is not among them: the API server refuses the object.",
    mend: "Mend the kind, or the group: the help names the nearest.",
    bad: "\
apiVersion: apps/v1
kind: Deploymnet
metadata:
  name: web
  namespace: default
",
    good: "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: default
",
    check: Check::Cluster(missing),
};

pub(in crate::check) static UNKNOWN: Rule = Rule {
    id: "schema/unknown",
    severity: Severity::Info,
    title: "a kind without a schema",
    why: "Objects of a kind whose definition is neither built in nor in the repository are not \
          looked at.",
    mend: "Bring the CustomResourceDefinition with the repository, or leave it: the definition of \
           a chart that is not at hand is not known either.",
    bad: "\
apiVersion: widgets.example.org/v1
kind: Widget
metadata:
  name: one
  namespace: default
",
    good: "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: one
  namespace: default
",
    check: Check::Cluster(unknown),
};

fn missing(view: &View<'_>, out: &mut Out<'_>) {
    for (applied, verdict) in view.verdicts() {
        let Some(Missing::NoSuchKind(near)) = &verdict.missing else {
            continue;
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "look for the kind in the API reference".to_owned(),
        };
        let message = format!("`{}` has no kind `{}`", verdict.api_version, verdict.kind);
        out.push(
            out.about(applied, verdict.span, message)
                .path("/kind")
                .help(help),
        );
    }
}

fn unknown(view: &View<'_>, out: &mut Out<'_>) {
    // Each kind is told once, where it is first met.
    let mut kinds: BTreeMap<(&str, &str), (usize, &Applied<'_>, Span)> = BTreeMap::new();
    for (applied, verdict) in view.verdicts() {
        if verdict.missing == Some(Missing::Unknown) {
            let key = (&*verdict.api_version, &*verdict.kind);
            kinds.entry(key).or_insert((0, applied, verdict.span)).0 += 1;
        }
    }
    for ((api_version, kind), (count, applied, span)) in kinds {
        let objects = if count == 1 { "object" } else { "objects" };
        let message =
            format!("no schema for `{kind}` in `{api_version}`: {count} {objects} not validated");
        out.push(
            out.about(applied, span, message)
                .path("/kind")
                .help("bring its CustomResourceDefinition with the repository"),
        );
    }
}
