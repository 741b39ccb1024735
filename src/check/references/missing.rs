//! References to objects that do not exist.

use std::collections::BTreeSet;

use super::{pods, values};
use crate::artifact::path;
use crate::check::subst::is_open;
use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::{Severity, nearest};
use crate::flux::api::{EXTENSIONS, HELM, IMAGE, KUSTOMIZE, NOTIFICATION, SOURCE};
use crate::pipeline::cluster::{SourceOrigin, UnitKind};
use crate::resource::Gvk;
use crate::schema::Scope;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "ref/missing",
    severity: Severity::Error,
    title: "something is named that does not exist",
    why: "A Flux object whose source, dependency, chart or path does not exist is never applied, \
          and says so in its status only. References without a namespace mean the namespace of \
          the object itself; a `HelmRelease` depends on HelmReleases and a `Kustomization` on \
          Kustomizations alone. ConfigMaps that are not optional, keys in them, and targets of \
          patches are looked for as well, and are warnings: the cluster may have them.",
    mend: "Correct the name, add the namespace, or add the object.",
    bad: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
  dependsOn:
  - name: infrastructure
-- apps/kustomization.yaml --
kind: Kustomization
",
    good: "\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
-- apps/kustomization.yaml --
kind: Kustomization
",
    check: Check::Cluster(check),
};

/// A field that names another object.
struct Reference {
    group: &'static str,
    kind: &'static str,
    /// The way to the reference, a mapping with `name`.
    path: &'static [&'static str],
    /// The kind that is named, where the reference itself has no `kind`.
    target: (&'static str, &'static str),
}

const fn reference(
    group: &'static str,
    kind: &'static str,
    path: &'static [&'static str],
    target: (&'static str, &'static str),
) -> Reference {
    Reference {
        group,
        kind,
        path,
        target,
    }
}

/// References to one object each.
const REFERENCES: &[Reference] = &[
    reference(
        KUSTOMIZE,
        "Kustomization",
        &["spec", "sourceRef"],
        (SOURCE, ""),
    ),
    reference(HELM, "HelmRelease", &["spec", "chartRef"], (SOURCE, "")),
    reference(
        HELM,
        "HelmRelease",
        &["spec", "chart", "spec", "sourceRef"],
        (SOURCE, ""),
    ),
    reference(SOURCE, "HelmChart", &["spec", "sourceRef"], (SOURCE, "")),
    reference(
        IMAGE,
        "ImagePolicy",
        &["spec", "imageRepositoryRef"],
        (IMAGE, "ImageRepository"),
    ),
    reference(
        IMAGE,
        "ImageUpdateAutomation",
        &["spec", "sourceRef"],
        (SOURCE, ""),
    ),
    reference(
        NOTIFICATION,
        "Alert",
        &["spec", "providerRef"],
        (NOTIFICATION, "Provider"),
    ),
];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    let mut told = BTreeSet::new();
    for reference in REFERENCES {
        for applied in view.of_kind(reference.group, reference.kind) {
            if let Some(node) = applied.at(reference.path) {
                one(view, applied, reference, node, &mut told, out);
            }
        }
    }
    for (group, kind) in [(KUSTOMIZE, "Kustomization"), (HELM, "HelmRelease")] {
        for applied in view.of_kind(group, kind) {
            depends_on(view, applied, group, kind, out);
        }
    }
    for applied in view.of_kind(SOURCE, "GitRepository") {
        includes(view, applied, out);
    }
    for applied in view.of_kind(IMAGE, "ImageUpdateAutomation") {
        update_path(view, applied, out);
    }
    for applied in view.of_kind(KUSTOMIZE, "Kustomization") {
        health_checks(view, applied, out);
    }
    values::check(view, out);
    pods::check(view, out);
}

/// What could not be rendered may hold what is missing, and does where it is
/// written somewhere.
fn severity(view: &View<'_>, kind: &str, name: &str) -> Severity {
    if view.is_complete() {
        Severity::Error
    } else if view.is_written(kind, name) {
        Severity::Info
    } else {
        Severity::Warning
    }
}

fn one<'v>(
    view: &'v View<'_>,
    applied: &'v Applied<'_>,
    field: &Reference,
    node: &'v Node,
    told: &mut BTreeSet<(&'v str, &'v str, &'v str)>,
    out: &mut Out<'_>,
) {
    let text = |key| node.get(key).and_then(|n| n.target().text());
    let Some(name) = text("name") else { return };
    let (group, kind) = match field.target {
        (group, "") => (group, text("kind").unwrap_or_default()),
        target => target,
    };
    let namespace = text("namespace").filter(|n| !n.is_empty());
    let namespace = namespace.unwrap_or(applied.namespace);
    if is_open(name) || is_open(namespace) || exists(view, group, kind, namespace, name) {
        return;
    }
    let mut severity = severity(view, kind, name);
    // What brings a repository into a cluster need not lie in it.
    let is_own = is_own(view, kind, namespace, name) && users(view, kind, namespace, name) > 1;
    if is_own || is_given(view, kind, namespace, name) {
        severity = Severity::Info;
        // All name it, and one place is enough to think of it.
        if !told.insert((kind, namespace, name)) {
            return;
        }
    }
    let span = node.get("name").map_or(node.span(), Node::span);
    let help = if is_own {
        "it is this repository: what brings it into the cluster (`flux bootstrap`, a FluxInstance) \
         makes it"
            .to_owned()
    } else {
        hint(view, (group, kind), namespace, name, out)
    };
    out.push(
        out.about(
            applied,
            span,
            format!("there is no {kind} `{namespace}/{name}`"),
        )
        .severity(severity)
        .path(format!("/{}/name", field.path.join("/")))
        .help(help),
    );
}

/// Whether an object is there, or will be made by another one.
fn exists(view: &View<'_>, group: &str, kind: &str, namespace: &str, name: &str) -> bool {
    if view.find(group, kind, namespace, name).is_some() {
        return true;
    }
    let entry = view.cluster.entry.source.as_ref();
    // A FluxInstance makes the source that it syncs.
    let synced = view.cluster.entry.made.is_some()
        && entry
            .is_some_and(|s| *s.kind == *kind && *s.namespace == *namespace && *s.name == *name);
    synced
        || (kind == "ExternalArtifact" && is_generated(view, namespace, name))
        || (kind == "HelmChart" && is_chart_of_release(view, namespace, name))
}

/// Whether an ArtifactGenerator makes an artifact.
fn is_generated(view: &View<'_>, namespace: &str, name: &str) -> bool {
    view.of_kind(EXTENSIONS, "ArtifactGenerator")
        .filter(|generator| generator.namespace == namespace)
        .filter_map(|generator| generator.at(&["spec"]))
        .any(|spec| {
            let artifacts = spec
                .get("artifacts")
                .map_or(&[][..], |n| n.target().items());
            // One for each folder that a pattern matches.
            spec.get("pathPattern").is_some()
                || artifacts
                    .iter()
                    .any(|a| a.target().str_at("name") == Some(name))
        })
}

/// Whether helm-controller makes a chart, for a release with `spec.chart`.
fn is_chart_of_release(view: &View<'_>, namespace: &str, name: &str) -> bool {
    view.of_kind(HELM, "HelmRelease").any(|release| {
        let chart = format!("{}-{}", release.namespace, release.name());
        let source = release.text(&["spec", "chart", "spec", "sourceRef", "namespace"]);
        chart == name && source.unwrap_or(release.namespace) == namespace
    })
}

fn is_own(view: &View<'_>, kind: &str, namespace: &str, name: &str) -> bool {
    let mut used = view.cluster.units.iter().filter_map(|u| u.source.as_ref());
    used.any(|used| {
        used.origin == SourceOrigin::Repository
            && *used.source.kind == *kind
            && *used.source.namespace == *namespace
            && *used.source.name == *name
    })
}

/// Whether the user gives a source by hand, who must know that it exists.
fn is_given(view: &View<'_>, kind: &str, namespace: &str, name: &str) -> bool {
    let mut given = view.repository.sources.local.keys();
    given.any(|s| *s.kind == *kind && *s.namespace == *namespace && *s.name == *name)
}

fn users(view: &View<'_>, kind: &str, namespace: &str, name: &str) -> usize {
    let used = view.cluster.units.iter().filter_map(|u| u.source.as_ref());
    used.filter(|used| {
        *used.source.kind == *kind
            && *used.source.namespace == *namespace
            && *used.source.name == *name
    })
    .count()
}

/// What was probably meant.
fn hint(
    view: &View<'_>,
    (group, kind): (&str, &str),
    namespace: &str,
    name: &str,
    out: &mut Out<'_>,
) -> String {
    let unknown = || format!("add the {kind}, or correct the name");
    if !out.may_look(view.count_of_kind(group, kind)) {
        return unknown();
    }
    let all = || view.of_kind(group, kind);
    if let Some(other) = all().find(|other| other.name() == name) {
        return format!(
            "there is one in the namespace `{}`: add `namespace: {}`",
            other.namespace, other.namespace
        );
    }
    let here = all().filter(|other| other.namespace == namespace);
    match nearest(name, here.map(Applied::name)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => unknown(),
    }
}

fn depends_on(view: &View<'_>, applied: &Applied<'_>, group: &str, kind: &str, out: &mut Out<'_>) {
    let Some(list) = applied.at(&["spec", "dependsOn"]) else {
        return;
    };
    for (i, dependency) in list.items().iter().enumerate() {
        let dependency = dependency.target();
        let text = |key| dependency.get(key).and_then(|n| n.target().text());
        let Some(name) = text("name") else { continue };
        let namespace = text("namespace").filter(|n| !n.is_empty());
        let namespace = namespace.unwrap_or(applied.namespace);
        let is_known = view.find(group, kind, namespace, name).is_some();
        if is_known || is_open(name) || is_open(namespace) {
            continue;
        }
        let (other_group, other) = if kind == "Kustomization" {
            (HELM, "HelmRelease")
        } else {
            (KUSTOMIZE, "Kustomization")
        };
        let help = if view.find(other_group, other, namespace, name).is_some() {
            format!(
                "`{name}` is a {other}, and a {kind} depends on {kind}s alone; depend on the \
                 {kind} that brings it"
            )
        } else {
            hint(view, (group, kind), namespace, name, out)
        };
        let span = dependency.get("name").map_or(dependency.span(), Node::span);
        out.push(
            out.about(
                applied,
                span,
                format!("it depends on the {kind} `{namespace}/{name}`, which does not exist"),
            )
            .severity(severity(view, kind, name))
            .path(format!("/spec/dependsOn/{i}/name"))
            .help(help),
        );
    }
}

fn includes(view: &View<'_>, applied: &Applied<'_>, out: &mut Out<'_>) {
    let Some(list) = applied.at(&["spec", "include"]) else {
        return;
    };
    for (i, include) in list.items().iter().enumerate() {
        let Some(name) = include.target().at_path(&["repository", "name"]) else {
            continue;
        };
        let Some(text) = name.text() else { continue };
        let namespace = applied.namespace;
        if view
            .find(SOURCE, "GitRepository", namespace, text)
            .is_some()
        {
            continue;
        }
        let help = hint(view, (SOURCE, "GitRepository"), namespace, text, out);
        out.push(
            out.about(
                applied,
                name.span(),
                format!("there is no GitRepository `{namespace}/{text}` to include"),
            )
            .severity(severity(view, "GitRepository", text))
            .path(format!("/spec/include/{i}/repository/name"))
            .help(help),
        );
    }
}

/// The folder that an automation works in, where its source is this repository.
fn update_path(view: &View<'_>, applied: &Applied<'_>, out: &mut Out<'_>) {
    let Some(node) = applied.at(&["spec", "update", "path"]) else {
        return;
    };
    let source = |key| applied.text(&["spec", "sourceRef", key]);
    let namespace = source("namespace").unwrap_or(applied.namespace);
    let name = source("name").unwrap_or_default();
    let written = node.text().unwrap_or_default();
    let Some(folder) = path::join("", written.trim_start_matches('/')) else {
        return;
    };
    let files = &view.repository.sources.repository;
    let is_there = folder.is_empty() || matches!(files.kind(&folder), Ok(Some(_)));
    if is_there || !is_own(view, "GitRepository", namespace, name) {
        return;
    }
    out.push(
        out.about(applied, node.span(), format!("no such folder: `{written}`"))
            .path("/spec/update/path")
            .help("correct the path; it is relative to the root of the source"),
    );
}

/// What a Kustomization waits for and nothing brings: it never becomes ready.
fn health_checks(view: &View<'_>, applied: &Applied<'_>, out: &mut Out<'_>) {
    let Some(checks) = applied.at(&["spec", "healthChecks"]) else {
        return;
    };
    let unit = view.unit("Kustomization", applied.namespace, applied.name());
    // With `wait` they do not count; elsewhere, and from charts that are not at
    // hand, there is more than is known here.
    if applied.is_true(&["spec", "wait"])
        || unit.is_none_or(|unit| unit.remote || unit.outcome.is_err())
        || !view.is_complete()
    {
        return;
    }
    for (i, check) in checks.items().iter().enumerate() {
        let check = check.target();
        let text = |key| check.get(key).and_then(|n| n.target().text());
        let (Some(kind), Some(name)) = (text("kind"), check.get("name")) else {
            continue;
        };
        let gvk = Gvk::new(text("apiVersion").unwrap_or_default(), kind);
        let namespace = text("namespace").unwrap_or_default();
        let named = name.target().text().unwrap_or_default();
        let by_flux = [KUSTOMIZE, HELM, SOURCE].contains(&&*gvk.group);
        // Operators make objects of any kind; those of Flux and plain workloads
        // stand in repositories, or come out of charts for their namespace.
        let is_plain = match &*gvk.group {
            "apps" | "batch" | "extensions" => true,
            "" => kind == "Service" || kind == "Namespace",
            _ => false,
        };
        let scope = view.schemas.scope(&gvk.api_version(), kind);
        let is_nowhere = namespace.is_empty() && scope == Some(Scope::Namespaced);
        let is_sure = by_flux || is_nowhere || (is_plain && !may_come_from_chart(view, namespace));
        if !is_sure || view.find(&gvk.group, kind, namespace, named).is_some() {
            continue;
        }
        let help = hint(view, (&gvk.group, kind), namespace, named, out);
        out.push(
            out.about(
                applied,
                name.span(),
                format!("it waits for {kind} `{namespace}/{named}`, which nothing applies"),
            )
            .severity(Severity::Warning)
            .path(format!("/spec/healthChecks/{i}/name"))
            .help(help),
        );
    }
}

/// Whether a chart that is not at hand is for a namespace.
pub(super) fn may_come_from_chart(view: &View<'_>, namespace: &str) -> bool {
    let mut units = view.cluster.units.iter();
    units.any(|unit| {
        let target = unit.object.at_path(&["spec", "targetNamespace"]);
        let target = target.and_then(Node::text).unwrap_or(&unit.id.namespace);
        let is_for = namespace.is_empty() || target == namespace;
        unit.kind == UnitKind::HelmRelease && unit.outcome.is_err() && is_for
    })
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::check;

    /// Message and help of what is missing in a repository.
    fn missing(text: &str) -> Vec<(String, String)> {
        let found = check(text)
            .into_iter()
            .filter(|f| *f.rule == *"ref/missing");
        found
            .map(|f| {
                let message = format!("{}: {}", f.severity.name(), f.message);
                (message, f.help.unwrap())
            })
            .collect()
    }

    const RELEASE: &str = "\
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: web
  namespace: web
spec:
  interval: 1h
";

    #[test]
    fn a_source_in_another_namespace_is_pointed_out() {
        let repository = format!(
            "{RELEASE}  chart:\n    spec:\n      chart: web\n      version: 1.0.0\n      \
             sourceRef:\n        kind: HelmRepository\n        name: charts\n---\napiVersion: \
             source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: charts\n  \
             namespace: flux-system\nspec:\n  url: https://charts.example.com\n"
        );
        assert_eq!(
            missing(&repository),
            [(
                "error: there is no HelmRepository `web/charts`".into(),
                "there is one in the namespace `flux-system`: add `namespace: flux-system`".into()
            )]
        );
    }

    #[test]
    fn a_dependency_of_the_other_kind_is_pointed_out() {
        let repository = format!(
            "{RELEASE}  chartRef:\n    kind: OCIRepository\n    name: web\n  dependsOn:\n  - \
             name: flux-system\n    namespace: flux-system\n---\napiVersion: \
             source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: web\n  \
             namespace: web\nspec:\n  interval: 1h\n  url: oci://registry.example.com/web\n"
        );
        assert_eq!(
            missing(&repository),
            [(
                "error: it depends on the HelmRelease `flux-system/flux-system`, which does not \
                 exist"
                    .into(),
                "`flux-system` is a Kustomization, and a HelmRelease depends on HelmReleases \
                 alone; depend on the HelmRelease that brings it"
                    .into()
            )]
        );
    }

    #[test]
    fn health_checks_name_what_is_applied() {
        let repository = |name: &str, more: &str| {
            format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  \
                 name: apps\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./apps\n  \
                 prune: true\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n  \
                 healthChecks:\n  - apiVersion: source.toolkit.fluxcd.io/v1\n    kind: \
                 HelmRepository\n    name: {name}\n    namespace: web\n{more}-- apps/charts.yaml \
                 --\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  \
                 name: charts\n  namespace: web\nspec:\n  url: https://charts.example.com\n"
            )
        };
        assert_eq!(missing(&repository("charts", "")), []);
        assert_eq!(missing(&repository("chart", "  wait: true\n")), []);
        assert_eq!(
            missing(&repository("chart", "")),
            [(
                "warning: it waits for HelmRepository `web/chart`, which nothing applies".into(),
                "did you mean `charts`?".into()
            )]
        );
        // A chart that is not at hand may bring what its namespace is said to hold.
        let workload = |namespace: &str| {
            let check = "apiVersion: source.toolkit.fluxcd.io/v1\n    kind: \
                         HelmRepository\n    name: chart\n    namespace: web";
            let other = format!(
                "apiVersion: apps/v1\n    kind: Deployment\n    name: web\n    namespace: {namespace}"
            );
            let release = format!(
                "---\n{RELEASE}  chart:\n    spec:\n      chart: web\n      version: 1.0.0\n      \
                 sourceRef: {{kind: HelmRepository, name: charts}}\n"
            );
            let text = repository("chart", "").replace(check, &other) + &release;
            missing(&text).len()
        };
        assert_eq!((workload("web"), workload("other")), (0, 1));
    }

    #[test]
    fn automations_work_in_folders_that_are_there() {
        let repository = |path: &str| {
            format!(
                "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata:\n  \
                 name: apps\n  namespace: flux-system\nspec:\n  interval: 10m\n  sourceRef:\n    \
                 kind: GitRepository\n    name: flux-system\n  git:\n    push: {{branch: images}}\n    \
                 commit: {{author: {{name: flux, email: flux@example.com}}}}\n  update:\n    path: \
                 {path}\n"
            )
        };
        assert_eq!(missing(&repository("./clusters/prod")), []);
        assert_eq!(
            missing(&repository("./deploy")),
            [(
                "error: no such folder: `./deploy`".into(),
                "correct the path; it is relative to the root of the source".into()
            )]
        );
    }

    #[test]
    fn values_and_their_keys_are_looked_for() {
        let release = |more: &str| {
            format!(
                "{RELEASE}  chartRef:\n    kind: OCIRepository\n    name: web\n  valuesFrom:\n  - \
                 kind: ConfigMap\n    name: values\n{more}---\napiVersion: \
                 source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: web\n  \
                 namespace: web\nspec:\n  interval: 1h\n  url: oci://registry.example.com/web\n"
            )
        };
        let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: values\n  namespace: \
                   web\ndata:\n  production.yaml: ''\n";
        assert_eq!(missing(&release("    optional: true\n")), []);
        assert_eq!(
            missing(&release("")),
            [(
                "warning: there is no ConfigMap `web/values`".into(),
                "add the ConfigMap, correct the name, or say `optional: true`".into()
            )]
        );
        assert_eq!(
            missing(&format!("{}{map}", release(""))),
            [(
                "warning: the ConfigMap `web/values` has no key `values.yaml`".into(),
                "its keys are `production.yaml`".into()
            )]
        );
        let key = release("    valuesKey: production.yaml\n");
        assert_eq!(missing(&format!("{key}{map}")), []);
    }
}
