//! The forms of a difference that are templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{ClusterModel, Model, ObjectModel};
use crate::diag::{Finding, Result, Severity};
use crate::report::template::{FUEL, FUEL_OF_USERS, render};

const MARKDOWN: &str = include_str!("../templates/diff.md.jinja");
const GITHUB: &str = include_str!("../templates/diff.github.jinja");
const HTML: &str = include_str!("../templates/diff.html.jinja");

/// The most bytes that a comment on GitHub may have, with some room for what
/// others put around it.
pub const GITHUB_LIMIT_BYTES: usize = 64_000;

pub(super) fn own(model: &Model, name: &str, source: &str) -> Result<String> {
    render(name, source, model, FUEL_OF_USERS)
}

pub(super) fn markdown(mut model: Model) -> Result<String> {
    model.findings = by_clusters(model.findings);
    render("diff.md", MARKDOWN, &model, FUEL)
}

/// How many clusters are named where one thing is said of several.
const SHOWN_CLUSTERS: usize = 4;

/// What is said of the same object in several clusters, said once of all.
fn by_clusters(findings: Vec<Finding>) -> Vec<Finding> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut found: Vec<(Finding, Vec<Arc<str>>)> = Vec::new();
    for mut finding in findings {
        let cluster = finding.cluster.take();
        let Finding {
            rule,
            severity,
            object,
            message,
            help,
            ..
        } = &finding;
        let said = format!("{rule} {severity:?} {object:?} {message:?} {help:?}");
        let at = *places.entry(said).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, clusters)) => clusters.extend(cluster),
            None => found.push((finding, cluster.into_iter().collect())),
        }
    }
    let joined = |(mut finding, mut clusters): (Finding, Vec<Arc<str>>)| {
        clusters.dedup();
        let more = clusters.len().saturating_sub(SHOWN_CLUSTERS);
        clusters.truncate(SHOWN_CLUSTERS);
        let mut names = clusters.join(", ");
        if more > 0 {
            names.push_str(&format!(" and {more} more"));
        }
        finding.cluster = (!names.is_empty()).then(|| names.into());
        finding
    };
    found.into_iter().map(joined).collect()
}

/// Says of objects that differ as they do in a cluster before, that they do.
fn refer_to_first(clusters: &mut [ClusterModel]) {
    let mut first: BTreeMap<(String, String), String> = BTreeMap::new();
    for cluster in clusters {
        for object in cluster.objects.iter_mut().filter(|o| !o.diff.is_empty()) {
            let key = (object.name.clone(), object.diff.clone());
            if let Some(other) = first.get(&key) {
                object.same_as = Some(other.clone());
                object.diff.clear();
            } else {
                first.insert(key, cluster.name.clone());
            }
        }
    }
}

pub(super) fn html(model: &Model) -> Result<String> {
    render("diff.html", HTML, model, FUEL)
}

/// A comment within the limit: details go from the end, where the least
/// matters, until it fits.
pub(super) fn github(mut model: Model) -> Result<String> {
    model.findings = by_clusters(model.findings);
    refer_to_first(&mut model.clusters);
    for cluster in &mut model.clusters {
        let worst_first = |object: &ObjectModel| std::cmp::Reverse(weight(&object.severity));
        cluster.objects.sort_by_key(worst_first);
    }
    loop {
        let text = render("diff.github.md", GITHUB, &model, FUEL)?;
        if text.len() <= GITHUB_LIMIT_BYTES || !shorten(&mut model, text.len()) {
            return Ok(cut(text));
        }
    }
}

/// The most notes of a comment that is too long otherwise.
const MOST_NOTES: usize = 50;

/// The most owners and parts that it then names.
const MOST_NAMED: usize = 30;

/// Takes out what matters least, as much as is too much: one thing at a time, so
/// that what it saves is seen before the next is touched.
fn shorten(model: &mut Model, length: usize) -> bool {
    let excess = length.saturating_sub(GITHUB_LIMIT_BYTES);
    let notes = model.findings.iter().rev();
    let notes = notes.take_while(|f| f.severity == Severity::Info).count();
    if let Some(more @ 1..) = notes.checked_sub(MOST_NOTES) {
        leave_out(model, more);
        return true;
    }
    keep(
        &mut model.summary.owners,
        MOST_NAMED,
        &mut model.summary.owners_left_out,
    ) || leave_out_objects(model, excess, |object| object.noise)
        || model.clusters.iter_mut().any(|cluster| {
            keep(
                &mut cluster.unrendered,
                MOST_NAMED,
                &mut cluster.unrendered_left_out,
            )
        })
        || (0..=weight("error")).any(|least| {
            let is_such = |object: &ObjectModel| weight(&object.severity) == least;
            leave_out_details(model, excess, is_such) || leave_out_objects(model, excess, is_such)
        })
        || leave_out_findings(model, excess, length)
}

/// Keeps the first of a list, and counts the others.
fn keep<T>(list: &mut Vec<T>, most: usize, left_out: &mut Option<usize>) -> bool {
    let more = list.len().saturating_sub(most);
    list.truncate(most);
    if more > 0 {
        *left_out.get_or_insert_default() += more;
    }
    more > 0
}

/// Leaves the lines of such objects out, from the end.
fn leave_out_details(
    model: &mut Model,
    mut excess: usize,
    is_such: impl Fn(&ObjectModel) -> bool,
) -> bool {
    let mut is_any = false;
    let objects = model.clusters.iter_mut().flat_map(|c| &mut c.objects);
    for object in objects.rev() {
        if excess > 0 && !object.diff.is_empty() && is_such(object) {
            excess = excess.saturating_sub(object.diff.len());
            object.diff.clear();
            is_any = true;
        }
    }
    is_any
}

/// What a line takes besides the name in it.
const LINE_BYTES: usize = 13;

/// Leaves out such objects, from the end, even their names.
fn leave_out_objects(
    model: &mut Model,
    mut excess: usize,
    is_such: impl Fn(&ObjectModel) -> bool,
) -> bool {
    let mut is_any = false;
    for cluster in model.clusters.iter_mut().rev() {
        let mut kept = Vec::with_capacity(cluster.objects.len());
        let mut gone = 0;
        for object in cluster.objects.drain(..).rev() {
            if excess > 0 && is_such(&object) {
                excess = excess.saturating_sub(object.name.len() + object.diff.len() + LINE_BYTES);
                gone += 1;
            } else {
                kept.push(object);
            }
        }
        kept.reverse();
        cluster.objects = kept;
        if gone > 0 {
            *cluster.objects_left_out.get_or_insert_default() += gone;
            is_any = true;
        }
    }
    is_any
}

fn leave_out_findings(model: &mut Model, excess: usize, length: usize) -> bool {
    if model.findings.is_empty() {
        return false;
    }
    // No more than takes what one of them takes on average; then again.
    let each = length / model.findings.len();
    leave_out(model, excess / each.max(1) + 1);
    true
}

/// How much an object matters whose worst finding is so severe.
fn weight(severity: &str) -> u8 {
    match severity {
        "error" => 3,
        "warning" => 2,
        "info" => 1,
        _ => 0,
    }
}

/// Leaves so many findings out, the last of which matter least.
fn leave_out(model: &mut Model, count: usize) {
    let kept = model.findings.len().saturating_sub(count);
    let gone = model.findings.len() - kept;
    model.findings.truncate(kept);
    *model.left_out.get_or_insert_default() += gone;
}

/// The last resort: findings alone are too many.
fn cut(mut text: String) -> String {
    if text.len() <= GITHUB_LIMIT_BYTES {
        return text;
    }
    const NOTE: &str = "\n\n…and more than a comment holds: see the report of the run.\n";
    let mut end = GITHUB_LIMIT_BYTES - NOTE.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(NOTE);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever there is to say, a comment ends what it begins.
    #[test]
    fn a_comment_has_room_for_the_worst() {
        let finding = |severity, n: usize| {
            let message = format!("{n}: {}", "words ".repeat(12));
            Finding::new("change/image", severity, message)
        };
        for (errors, notes) in [(3, 3000), (3000, 3000), (30, 60), (0, 51)] {
            let errors = (0..errors).map(|n| finding(Severity::Error, n));
            let notes = (0..notes).map(|n| finding(Severity::Info, n));
            let mut model = Model::default();
            model.findings.extend(errors.chain(notes));
            let all = model.findings.len();
            let text = github(model).unwrap();
            assert!(text.len() <= GITHUB_LIMIT_BYTES);
            let count = |what: &str| text.matches(what).count();
            assert_eq!(count("<details>"), count("</details>"));
            let rows = count("`change/image`");
            let is_all = rows == all;
            assert!(
                is_all || text.contains(&format!("{} more of this", all - rows)),
                "{rows}"
            );
            assert!(rows > 50, "{rows}");
            assert!(text.trim_end().ends_with("</sub>"), "{text}");
        }
    }

    /// Of thousands of objects those are named that something bad is said of.
    #[test]
    fn a_comment_of_many_objects_keeps_the_worst() {
        let object = |severity: &str, n: usize| -> ObjectModel {
            let object = serde_json::json!({
                "action": "changed", "name": format!("Job/a-namespace/{severity}-job-{n:06}"),
                "object": {"apiVersion": "", "kind": "", "namespace": "", "name": ""},
                "noise": false, "severity": severity, "changes": [], "diff": "-a\n+b\n",
            });
            serde_json::from_value(object).unwrap()
        };
        for (errors, others) in [(5, 5000), (100, 3000), (1500, 5000)] {
            let mut model = Model::default();
            for n in 0..errors {
                model.findings.push(Finding::new(
                    "change/immutable",
                    Severity::Error,
                    format!("{n} is bad"),
                ));
            }
            let objects = (0..others).map(|n| object("", n));
            let objects = objects.chain((0..errors).map(|n| object("error", n)));
            model.clusters.push(ClusterModel {
                name: "blue".to_owned(),
                objects: objects.collect(),
                ..ClusterModel::default()
            });
            model.summary.owners = (0..2000).map(|n| format!("Kustomization/{n}")).collect();
            let text = github(model).unwrap();
            assert!(text.len() <= GITHUB_LIMIT_BYTES);
            assert!(text.len() > GITHUB_LIMIT_BYTES * 3 / 4, "{}", text.len());
            assert!(text.trim_end().ends_with("</sub>"), "{text}");
            let count = |what: &str| text.matches(what).count();
            assert_eq!(count("<details>"), count("</details>"));
            assert!(count("is bad") >= errors.min(700), "{}", count("is bad"));
            if errors <= 100 {
                assert_eq!(count("<details><summary>✏️ <code>Job"), errors);
            }
            assert!(text.contains("Kustomizations and HelmReleases touched: 2000"));
            assert!(text.contains("more objects differ"));
        }
    }
}
