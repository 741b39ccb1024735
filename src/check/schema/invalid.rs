//! Objects that are not what the schemas of their kinds say.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "schema/invalid",
    severity: Severity::Error,
    title: "an object that the API server refuses",
    why: "Fields that do not exist, values of the wrong kind, names that are none: the API server \
          refuses the object, and Flux everything that is applied with it. Objects are looked at \
          as they are applied, after patches and substitution; the kinds of Kubernetes and Flux \
          are built in, and definitions that the repository brings are used as well. By the \
          definition of a project that is built in, the cluster's own may be another version: \
          that is a warning, and so is what a chart brings that is not the repository's own.",
    mend: "Mend the line that the finding shows: it is the one that decided the value, be it in a \
           patch, a variable or the file itself.",
    bad: "\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
spec:
  port:
  - port: 80
",
    good: "\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
spec:
  ports:
  - port: 80
",
    check: Check::Cluster(|view, out| check(view, RULE.id, out)),
};

pub(in crate::check) static CEL: Rule = Rule {
    id: "schema/invalid-cel",
    severity: Severity::Error,
    title: "an object that breaks a rule of its definition",
    why: "A CustomResourceDefinition can have rules on how fields go together, written in CEL; the \
          API server refuses an object that breaks one.",
    mend: "The message is that of the rule, or the rule itself.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.com/library
  serviceAccountName: library
  ref:
    tag: 1.0.0
",
    good: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 1h
  url: https://git.example.com/library
  ref:
    tag: 1.0.0
",
    check: Check::Cluster(|view, out| check(view, CEL.id, out)),
};

pub(in crate::check) static YAML: Rule = Rule {
    id: "yaml/invalid",
    severity: Severity::Error,
    title: "text that is no YAML, or YAML that is no object",
    why: "What cannot be read cannot be applied. kustomize takes some documents that the API \
          server's decoder refuses, as one that gives a key twice: which of the two would count \
          is chance.",
    mend: "Mend the line that the finding shows.",
    bad: "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
  colour: red
  colour: blue
",
    good: "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: default
data:
  colour: red
",
    check: Check::Cluster(|view, out| check(view, YAML.id, out)),
};

fn check(view: &View<'_>, id: &str, out: &mut Out<'_>) {
    for (applied, verdict) in view.verdicts() {
        for violation in verdict.violations.iter().filter(|v| v.rule == id) {
            if is_widened(applied, &violation.path) || is_unknown(applied, &violation.path) {
                continue;
            }
            let severity = if applied.is_of_foreign_chart() {
                violation.severity.min(Severity::Warning)
            } else {
                violation.severity
            };
            let mut finding = out
                .about(applied, violation.span, violation.message.clone())
                .severity(severity)
                .path(violation.path.clone());
            let help = successor(applied, &violation.path).map(str::to_owned);
            finding.help = help.or_else(|| violation.help.clone()).or_else(|| {
                let help = "look the field up in the reference of the API";
                Some(help.to_owned())
            });
            out.push(finding);
        }
    }
}

/// What to write instead of a field that tutorials have and no version does.
fn successor(applied: &Applied<'_>, path: &str) -> Option<&'static str> {
    match (&*applied.gvk().kind, path) {
        ("HelmRelease", "/spec/upgrade/rollback") => Some(
            "write `upgrade.remediation` with `retries` and `strategy: rollback`; options of the \
             rollback itself go under `spec.rollback`",
        ),
        _ => None,
    }
}

/// Whether a value holds an expression whose variables only the cluster has.
fn is_unknown(applied: &Applied<'_>, path: &str) -> bool {
    let variables = ["spec", "postBuild", "substituteFrom"];
    let from_cluster = applied.unit.is_some_and(|unit| {
        let given = unit.object.at_path(&variables);
        given.is_some_and(|list| !list.target().items().is_empty())
    });
    let mut value = Some(applied.node());
    for step in path.split('/').skip(1) {
        let step = crate::diag::pointer::unescape(step);
        value = value.and_then(|node| match step.parse::<usize>() {
            Ok(index) if node.is_sequence() => node.items().get(index),
            _ => node.get(&step),
        });
        value = value.map(Node::target);
    }
    let text = value.and_then(Node::text).unwrap_or_default();
    from_cluster && text.contains("${") && text.contains('}')
}

/// Whether a value is one that flux-operator adds to those that Flux knows.
///
/// Compat: flux-operator patches the definitions of Alerts and Receivers that
/// it installs, so that they can name its own kinds.
fn is_widened(applied: &Applied<'_>, path: &str) -> bool {
    const KINDS: [&str; 4] = [
        "FluxInstance",
        "FluxReport",
        "ResourceSet",
        "ResourceSetInputProvider",
    ];
    let field = match &*applied.gvk().kind {
        "Alert" => "eventSources",
        "Receiver" => "resources",
        _ => return false,
    };
    let index = path
        .strip_prefix(&format!("/spec/{field}/"))
        .and_then(|rest| rest.strip_suffix("/kind"))
        .and_then(|index| index.parse::<usize>().ok());
    let (Some(list), Some(index)) = (applied.at(&["spec", field]), index) else {
        return false;
    };
    let source = list.items().get(index).map(Node::target);
    source
        .and_then(|source| source.str_at("kind"))
        .is_some_and(|kind| KINDS.contains(&kind))
}
