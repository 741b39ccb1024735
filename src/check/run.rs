//! Running rules.

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
    settings.apply(findings, &repository.source_map)
}
