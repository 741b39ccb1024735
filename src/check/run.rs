//! Running rules.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::settings::Settings;
use super::{Check, Out, RULES, Repository, Rule, View, helm, pin, references};
use crate::diag::{Cause, Finding, Findings, Severity};

/// Runs all rules that are switched on; `told` is what rendering told already.
///
/// Rules run in parallel, and over the clusters in parallel; the findings come
/// in the order of reports.
pub fn run(
    repository: &Repository,
    views: &[View<'_>],
    told: Findings,
    settings: &Settings,
) -> Vec<Finding> {
    if RULES
        .iter()
        .any(|rule| matches!(rule.family(), "schema" | "yaml") && settings.may_report(rule))
    {
        views.iter().for_each(View::judge);
    }
    let mut tasks: Vec<(&'static Rule, Option<&View<'_>>)> = Vec::new();
    for rule in RULES.iter().filter(|rule| settings.may_report(rule)) {
        match rule.check {
            Check::Cluster(_) => tasks.extend(views.iter().map(|view| (*rule, Some(view)))),
            Check::Repository(_) => tasks.push((rule, None)),
            Check::Rendering => {}
        }
    }
    let found: Vec<Vec<Finding>> = tasks
        .par_iter()
        .map(|(rule, view)| {
            let cluster = view.and_then(|view| view.label.clone());
            let mut out = Out::new(rule, &repository.source_map, cluster);
            match (rule.check, view) {
                (Check::Cluster(check), Some(view)) => check(view, &mut out),
                (Check::Repository(check), None) => check(repository, views, &mut out),
                _ => {}
            }
            out.into_findings()
        })
        .collect();
    let mut findings = Findings::new();
    findings.extend(found.into_iter().flatten());
    for mut finding in told.into_vec() {
        // A rule looks for these whether or not the chart is at hand.
        if finding.cause == Some(Cause::NoValues) {
            continue;
        }
        // Rendering tells what it cannot do; how bad that is for a check is
        // the rule's to say.
        if let Some(rule) = super::rule(&finding.rule) {
            finding.severity = finding.severity.min(rule.severity);
        }
        if *finding.rule == *"kustomize/remote" && refuses_remote_bases(views, &finding) {
            finding.severity = Severity::Error;
            finding.message.push_str(", and Flux is told to refuse it");
        }
        findings.extend(pin::floating::of_remote(&finding));
        findings.push(finding);
    }
    let mut sorted = settings.apply(findings, &repository.source_map);
    drop_echoes(&mut sorted);
    references::patches::drop_shared(repository, views, &mut sorted);
    helm::unused_values::drop_shared(repository, views, &mut sorted);
    fold_alike(&mut sorted);
    sorted
}

/// Tells once what is worth knowing of many objects that one place makes: a
/// component, a patch that many have, a template that many releases render.
fn fold_alike(findings: &mut Vec<Finding>) {
    let key = |f: &Finding| {
        let object = f.object.as_ref().filter(|_| f.severity == Severity::Info)?;
        let location = f.location.clone()?;
        let in_namespace = format!("`{}/", object.namespace);
        let message = f.message.replace(&in_namespace, "`/");
        Some((
            f.cluster.clone(),
            f.rule.clone(),
            location,
            f.path.clone(),
            message,
        ))
    };
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for key in findings.iter().filter_map(key) {
        *counts.entry(key).or_default() += 1;
    }
    findings.retain_mut(|finding| {
        let Some(key) = key(finding) else { return true };
        // The first of them stands for all.
        let Some(count) = counts.remove(&key) else {
            return false;
        };
        if count > 1 {
            let help = finding.help.get_or_insert_default();
            if !help.is_empty() {
                help.push_str("; ");
            }
            let others = count - 1;
            let s = if others == 1 { "" } else { "s" };
            help.push_str(&format!(
                "the same place makes {others} other object{s} like it"
            ));
        }
        true
    });
}

/// Whether kustomize-controller takes no remote bases in the cluster of a finding.
fn refuses_remote_bases(views: &[View<'_>], finding: &Finding) -> bool {
    let mut views = views.iter().filter(|view| view.label == finding.cluster);
    views.any(|view| view.access().controllers.refuses_remote_bases)
}

/// Drops what follows from something else that is told.
///
/// Rendering tells some things that rules see too, in other words: of findings
/// of one rule about one object at one place, the worst stays. And a variable
/// that has no value leaves a hole that schemas complain about.
fn drop_echoes(findings: &mut Vec<Finding>) {
    let holes: BTreeSet<_> = findings
        .iter()
        .filter(|f| *f.rule == *"subst/unresolved" && f.object.is_some())
        .map(|f| (f.cluster.clone(), f.object.clone()))
        .collect();
    findings.retain(|f| {
        !f.rule.starts_with("schema/") || !holes.contains(&(f.cluster.clone(), f.object.clone()))
    });
    // Of a variable that only the cluster has, and of a schema that only the
    // network has, once is enough.
    let mut told = BTreeSet::new();
    findings.retain(|f| {
        let once = f.cause == Some(Cause::ValueElsewhere) || *f.rule == *"helm/schema-reference";
        !once || told.insert((f.cluster.clone(), f.message.clone()))
    });
    // A field that a version of Flux does not have yet is one that its schema
    // does not know.
    let unknown: BTreeSet<_> = findings
        .iter()
        .filter(|f| *f.rule == *"schema/invalid" && f.path.is_some())
        .map(|f| (f.cluster.clone(), f.object.clone(), f.path.clone()))
        .collect();
    findings.retain(|f| {
        *f.rule != *"api/unknown-field"
            || !unknown.contains(&(f.cluster.clone(), f.object.clone(), f.path.clone()))
    });
    let same = |a: &Finding, b: &Finding| {
        a.location.is_some()
            && (&a.rule, &a.location, &a.object, &a.path, &a.cluster)
                == (&b.rule, &b.location, &b.object, &b.path, &b.cluster)
    };
    findings.dedup_by(|later, earlier| {
        // Of these families rendering tells nothing: two findings are two.
        let apart = ["schema/", "rbac/"]
            .iter()
            .any(|family| later.rule.starts_with(family));
        if apart || !same(later, earlier) {
            return false;
        }
        if later.severity > earlier.severity {
            std::mem::swap(later, earlier);
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing::found;

    #[test]
    fn remote_bases_are_errors_where_flux_refuses_them() {
        let repository = |more: &str| {
            format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
                 a\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./a\n  prune: true\n  \
                 sourceRef:\n    kind: GitRepository\n    name: flux-system\n{more}-- \
                 a/kustomization.yaml --\nresources: [https://example.com/base.yaml]\n"
            )
        };
        let severity = |more: &str| {
            let all = found("kustomize/remote", &repository(more));
            all.iter()
                .map(|f| f.split(' ').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(severity(""), ["warning"]);
        let patch = "-- clusters/prod/flux-system/kustomization.yaml --\nresources: \
                     [gotk-sync.yaml]\npatches:\n- target: {kind: Deployment, name: \
                     kustomize-controller}\n  patch: |\n    - op: add\n      path: \
                     /spec/template/spec/containers/0/args/-\n      value: --no-remote-bases=true\n";
        assert_eq!(severity(patch), ["error"]);
    }

    #[test]
    fn what_one_place_makes_of_many_is_told_once() {
        let kustomization = |name: &str| {
            format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: {name}, \
                 namespace: flux-system}}\nspec:\n  interval: 10m\n  path: ./volume\n  prune: true\n  \
                 targetNamespace: {name}\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n---\n"
            )
        };
        let repository = ["a", "b", "c"].map(kustomization).concat()
            + "-- volume/volume.yaml --\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: \
               data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";
        let all = found("own/prune", &repository);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].starts_with("info volume/volume.yaml"), "{all:?}");
    }

    #[test]
    fn values_that_are_not_there_are_told_once() {
        let release = |kind: &str| {
            format!(
                "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: a\n  \
                 namespace: b\nspec:\n  interval: 1h\n  chart:\n    spec:\n      chart: ./c\n      \
                 sourceRef: {{kind: GitRepository, name: flux-system, namespace: flux-system}}\n  \
                 valuesFrom:\n  - kind: {kind}\n    name: v\n-- c/Chart.yaml --\napiVersion: v2\nname: \
                 c\nversion: 1.0.0\n"
            )
        };
        assert_eq!(
            found("ref/missing", &release("ConfigMap")),
            ["warning clusters/prod/example.yaml:14:11 there is no ConfigMap `b/v`"]
        );
        assert_eq!(
            found("ref/missing", &release("Secret")),
            ["info clusters/prod/example.yaml:14:11 there is no Secret `b/v`"]
        );
    }

    #[test]
    fn a_value_that_an_optional_object_may_give_is_a_warning() {
        let repository = |optional: bool| {
            format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: \
                 a\n  namespace: flux-system\nspec:\n  interval: 10m\n  path: ./a\n  prune: true\n  \
                 sourceRef:\n    kind: GitRepository\n    name: flux-system\n  postBuild:\n    \
                 substitute: {{x: y}}\n    substituteFrom:\n    - kind: Secret\n      name: s\n      \
                 optional: {optional}\n-- a/a.yaml --\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  \
                 name: a\n  namespace: default\ndata:\n  a: ${{value}}\n"
            )
        };
        assert_eq!(
            found("subst/unresolved", &repository(true)),
            ["warning a/a.yaml:7:6 `value` has a value only where an optional object gives it one"]
        );
        let all = found("subst/unresolved", &repository(false));
        assert!(all[0].starts_with("info"), "{all:?}");
    }
}
