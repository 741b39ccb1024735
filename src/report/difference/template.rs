//! The forms of a difference that are templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{ClusterModel, Model};
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
        cluster.objects.sort_by_key(|object| {
            std::cmp::Reverse(match &*object.severity {
                "error" => 3,
                "warning" => 2,
                "info" => 1,
                _ => 0,
            })
        });
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

/// Takes details out, those of the least matter first, as much as is too much.
fn shorten(model: &mut Model, length: usize) -> bool {
    let mut excess = length.saturating_sub(GITHUB_LIMIT_BYTES);
    let mut changed = false;
    let notes = model.findings.iter().rev();
    let notes = notes.take_while(|f| f.severity == Severity::Info).count();
    if let Some(more @ 1..) = notes.checked_sub(MOST_NOTES) {
        leave_out(model, more);
        return true;
    }
    let objects = model.clusters.iter_mut().flat_map(|c| &mut c.objects);
    let mut objects: Vec<_> = objects.collect();
    objects.reverse();
    objects.sort_by_key(|object| match &*object.severity {
        _ if object.noise => 0,
        "error" => 3,
        "warning" => 2,
        _ => 1,
    });
    for object in &mut objects {
        if excess == 0 {
            return changed;
        }
        if !object.diff.is_empty() {
            excess = excess.saturating_sub(object.diff.len());
            object.diff.clear();
            changed = true;
        }
    }
    if changed || excess == 0 {
        return changed;
    }
    // Names alone are too many: the findings and numbers remain.
    for object in objects {
        if !object.unnamed {
            excess = excess.saturating_sub(object.name.len() + "- ➕ ``\n".len());
            object.unnamed = true;
            changed = true;
        }
        if excess == 0 {
            break;
        }
    }
    if !changed && !model.findings.is_empty() {
        // No more than takes what one of them takes on average; then again.
        let each = length / model.findings.len();
        leave_out(model, excess / each.max(1) + 1);
        return true;
    }
    changed
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

    /// Of a thousand objects more are counted than a comment can name.
    #[test]
    fn objects_that_have_no_name_in_a_comment_are_counted() {
        let object = |n: usize| {
            serde_json::json!({
                "action": "added", "name": format!("ConfigMap/shop/{}-{n}", "x".repeat(60)),
                "object": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "x"},
                "oldObject": null, "owner": null, "oldOwner": null, "noise": n.is_multiple_of(10),
                "severity": if n == 1999 { "error" } else { "" }, "changes": [], "patch": null,
                "diff": "+a\n",
            })
        };
        let cluster = serde_json::json!({
            "name": "prod", "presence": "both", "unchanged": 0, "unreached": 0, "unrendered": [],
            "objects": (0..2000).map(object).collect::<Vec<_>>(),
        });
        let mut model = Model::default();
        model
            .clusters
            .push(serde_json::from_value(cluster).unwrap());
        let text = github(model).unwrap();
        assert!(text.len() <= GITHUB_LIMIT_BYTES, "{}", text.len());
        assert!(text.trim_end().ends_with("</sub>"), "{text}");
        let lines = text.lines().filter(|line| line.starts_with("- ➕"));
        let named = lines.count();
        assert!((600..800).contains(&named), "{named}");
        let left = format!(
            "{} more objects differ than a comment has room to name",
            1800 - named
        );
        assert!(text.contains(&left), "{named}");
        assert!(text.contains("x-1999`"), "what matters most goes last");
    }

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
}
