//! Running rules.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::settings::Settings;
use super::{Check, Out, RULES, Repository, Rule, View};
use crate::diag::{Finding, Findings};

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
    for finding in found.into_iter().flatten() {
        findings.push(finding);
    }
    for mut finding in told.into_vec() {
        // Rendering tells what it cannot do; how bad that is for a check is
        // the rule's to say.
        if let Some(rule) = super::rule(&finding.rule) {
            finding.severity = finding.severity.min(rule.severity);
        }
        findings.push(finding);
    }
    let mut sorted = settings.apply(findings, &repository.source_map);
    drop_echoes(&mut sorted);
    sorted
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
