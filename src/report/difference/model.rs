//! A difference as plain data.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Titles;
use crate::diag::{Finding, Location, ObjectRef, Severity};
use crate::diff::patch::{self, Operation};
use crate::diff::text::{self, LineKind};
use crate::diff::{
    Action, Change, ChangeKind, ClusterDifference, Difference, ObjectDifference, Presence, Side,
    Unrendered,
};
use crate::report::escape;
use crate::yaml::{Node, Value};

/// What the format calls itself, with its version.
pub(super) const FORMAT: &str = "fluxwright.diff/v1";

/// One of a few words.
type Word = Cow<'static, str>;

/// A difference, as reports show it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    format: Word,
    /// What the old side is called.
    pub old: String,
    /// What the new side is called.
    pub new: String,
    /// Numbers.
    pub summary: Summary,
    /// What the change means, worst first.
    pub findings: Vec<Finding>,
    /// The clusters.
    pub clusters: Vec<ClusterModel>,
    /// How many findings a comment has no room for.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) left_out: Option<usize>,
}

/// What a change comes to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// All of it in a sentence.
    pub sentence: String,
    /// How many objects are new.
    pub added: usize,
    /// How many are gone.
    pub removed: usize,
    /// How many changed, noise left out.
    pub changed: usize,
    /// How many changed in nothing but noise.
    pub noise: usize,
    /// How many are the same, of those that were compared.
    pub unchanged: usize,
    /// How many Kustomizations and HelmReleases the change does not reach.
    pub unreached: usize,
    /// How many parts do not render.
    pub unrendered: usize,
    /// The clusters that the change reaches.
    pub clusters: Vec<String>,
    /// The Kustomizations and HelmReleases that it reaches.
    pub owners: Vec<String>,
    /// How many of them a comment has no room for.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) owners_left_out: Option<usize>,
    /// Findings at severity error.
    pub errors: usize,
    /// Findings at severity warning.
    pub warnings: usize,
}

/// One cluster.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterModel {
    /// Its name.
    pub name: String,
    /// `both`, `added` or `removed`.
    pub presence: Word,
    /// How many objects are the same, of those that were compared.
    pub unchanged: usize,
    /// How many Kustomizations and HelmReleases the change does not reach.
    pub unreached: usize,
    /// What does not render.
    pub unrendered: Vec<UnrenderedModel>,
    /// The objects that differ.
    pub objects: Vec<ObjectModel>,
    /// How many parts that do not render a comment has no room for.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) unrendered_left_out: Option<usize>,
    /// How many objects a comment has no room for.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) objects_left_out: Option<usize>,
}

/// A part that does not render.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnrenderedModel {
    /// `old`, `new` or `both`.
    pub side: Word,
    /// What it is; none for the whole cluster.
    pub owner: Option<ObjectRef>,
    /// What and why, in a sentence.
    pub what: String,
    /// The rule of the error.
    pub rule: String,
    /// Where it happened.
    pub location: Option<Location>,
    /// How many objects of the other side have no counterpart.
    pub not_compared: usize,
}

/// An object that differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectModel {
    /// `added`, `removed` or `changed`.
    pub action: Word,
    /// Its kind, namespace and name, for people.
    pub name: String,
    /// What identifies it.
    pub object: ObjectRef,
    /// What identified it, where its generated name is another one now.
    pub old_object: Option<ObjectRef>,
    /// Who applies it.
    pub owner: Option<ObjectRef>,
    /// Who applied it, where that was another.
    pub old_owner: Option<ObjectRef>,
    /// Whether all that changed is noise.
    pub noise: bool,
    /// Whether reports show it in full.
    #[serde(skip)]
    pub shown: bool,
    /// The worst severity of the findings about it; empty where there is none.
    pub severity: Word,
    /// The fields that differ.
    pub changes: Vec<ChangeModel>,
    /// The RFC 6902 patch that makes the old object the new one; none for what
    /// is new or gone.
    pub patch: Option<serde_json::Value>,
    /// The lines of YAML that differ, as `diff -u` shows them.
    pub diff: String,
    /// The cluster that has the same object with the same lines, in a comment.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(super) same_as: Option<String>,
}

/// A field that differs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeModel {
    /// The way to it, for people.
    pub path: String,
    /// The way to it, a JSON pointer.
    pub pointer: String,
    /// `added`, `removed`, `changed` or `reordered`.
    pub kind: Word,
    /// The old value.
    pub old: Option<serde_json::Value>,
    /// The new value.
    pub new: Option<serde_json::Value>,
    /// What kind of noise it is, where it is.
    pub noise: Option<Word>,
}

/// How much of the objects that differ a report shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// What they are.
    Names,
    /// The lines that differ as well.
    Lines,
    /// Fields and patches as well.
    All,
}

impl Model {
    /// The model of a difference.
    pub fn new(difference: &Difference, titles: &Titles) -> Model {
        Model::with(difference, titles, Detail::All)
    }

    /// The same as far as a report shows it.
    pub(super) fn with(difference: &Difference, titles: &Titles, detail: Detail) -> Model {
        let clusters = difference.clusters.par_iter();
        let clusters = clusters.map(|c| cluster(c, titles, detail));
        let clusters: Vec<ClusterModel> = clusters.collect();
        let mut findings: Vec<Finding> = difference.findings().cloned().collect();
        findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        let summary = summary(&clusters, &findings);
        Model {
            format: FORMAT.into(),
            old: titles.old.clone(),
            new: titles.new.clone(),
            summary,
            findings,
            clusters,
            left_out: None,
        }
    }

    /// One model of those of all parts of a run.
    ///
    /// It is the model that the run would have had in one piece.
    pub fn merged(parts: Vec<Model>, show_noise: bool) -> Model {
        let mut parts = parts.into_iter();
        let mut whole = parts.next().unwrap_or_default();
        for part in parts {
            whole.findings.extend(part.findings);
            whole.clusters.extend(part.clusters);
        }
        whole.clusters.sort_by(|a, b| a.name.cmp(&b.name));
        for object in whole.clusters.iter_mut().flat_map(|c| &mut c.objects) {
            object.shown = !object.noise || show_noise;
        }
        // Within a cluster the order is that of the part.
        whole.findings.sort_by(|a, b| a.cluster.cmp(&b.cluster));
        whole
            .findings
            .sort_by_key(|f| std::cmp::Reverse(f.severity));
        whole.summary = summary(&whole.clusters, &whole.findings);
        whole
    }
}

impl Model {
    /// The same for people: nothing in it acts, and what is not to be shown is
    /// noise.
    pub(super) fn for_people(mut self) -> Model {
        let line = |text: &mut String| {
            if let Cow::Owned(other) = escape::in_line(text) {
                *text = other;
            }
        };
        let optional = |text: &mut Option<String>| text.iter_mut().for_each(line);
        let shared = |text: &mut Arc<str>| {
            if let Cow::Owned(other) = escape::in_line(text) {
                *text = other.into();
            }
        };
        let id = |id: &mut ObjectRef| {
            for text in [
                &mut id.api_version,
                &mut id.kind,
                &mut id.namespace,
                &mut id.name,
            ] {
                shared(text);
            }
        };
        for text in [&mut self.old, &mut self.new, &mut self.summary.sentence] {
            line(text);
        }
        let lists = [&mut self.summary.clusters, &mut self.summary.owners];
        lists.into_iter().flatten().for_each(line);
        for finding in &mut self.findings {
            line(&mut finding.message);
            optional(&mut finding.help);
            finding.object.iter_mut().for_each(id);
            finding.cluster.iter_mut().for_each(shared);
            if let Some(location) = &mut finding.location {
                shared(&mut location.file);
            }
        }
        for cluster in &mut self.clusters {
            line(&mut cluster.name);
            for part in &mut cluster.unrendered {
                line(&mut part.what);
            }
            for object in &mut cluster.objects {
                line(&mut object.name);
                let ids = [
                    &mut object.old_object,
                    &mut object.owner,
                    &mut object.old_owner,
                ];
                ids.into_iter().flatten().for_each(id);
                if let Cow::Owned(other) = escape::visible(&object.diff) {
                    object.diff = other;
                }
                object.noise = !object.shown;
            }
        }
        self
    }
}

fn cluster(difference: &ClusterDifference, titles: &Titles, detail: Detail) -> ClusterModel {
    let mut worst: BTreeMap<&ObjectRef, Severity> = BTreeMap::new();
    for finding in &difference.findings {
        let Some(object) = &finding.object else {
            continue;
        };
        let known = worst.entry(object).or_insert(finding.severity);
        *known = finding.severity.max(*known);
    }
    let objects = difference.objects.par_iter();
    ClusterModel {
        name: difference.name.to_string(),
        presence: match difference.presence {
            Presence::Both => "both",
            Presence::Added => "added",
            Presence::Removed => "removed",
        }
        .into(),
        unchanged: difference.unchanged,
        unreached: difference.unreached,
        unrendered: difference.unrendered.iter().map(unrendered).collect(),
        objects: objects
            .map(|o| object(o, worst.get(&o.id).copied(), titles, detail))
            .collect(),
        unrendered_left_out: None,
        objects_left_out: None,
    }
}

fn unrendered(part: &Unrendered) -> UnrenderedModel {
    UnrenderedModel {
        side: match part.side {
            Some(Side::Old) => "old",
            Some(Side::New) => "new",
            None => "both",
        }
        .into(),
        owner: part.owner.clone(),
        what: part.to_string(),
        rule: part.failure.rule.to_string(),
        location: part.failure.location.clone(),
        not_compared: part.not_compared,
    }
}

fn object(
    difference: &ObjectDifference,
    severity: Option<Severity>,
    titles: &Titles,
    detail: Detail,
) -> ObjectModel {
    let print = |node: &Option<Node>| node.as_ref().map(text::print).unwrap_or_default();
    let is_all = detail == Detail::All;
    let changes = difference.changes.iter().filter(|_| is_all);
    let noise = difference.is_noise();
    ObjectModel {
        action: match difference.action {
            Action::Added => "added",
            Action::Removed => "removed",
            Action::Changed => "changed",
        }
        .into(),
        name: difference.id.to_string(),
        object: difference.id.clone(),
        old_object: difference.old_id.clone(),
        owner: difference.owner.clone(),
        old_owner: difference.old_owner.clone(),
        noise,
        shown: !noise || titles.show_noise,
        severity: severity.map_or("", Severity::name).into(),
        changes: changes.map(change).collect(),
        patch: match (&difference.old, &difference.new) {
            (Some(old), Some(new)) if is_all => {
                let operations = patch::patch(old, new);
                Some(operations.iter().map(operation).collect())
            }
            _ => None,
        },
        diff: match detail {
            Detail::Names => String::new(),
            _ => unified(&print(&difference.old), &print(&difference.new)),
        },
        same_as: None,
    }
}

/// How many lines stand around those that differ.
const CONTEXT_LINES: usize = 3;

fn unified(old: &str, new: &str) -> String {
    let mut out = String::new();
    for line in text::lines(old, new, CONTEXT_LINES) {
        match line.kind {
            LineKind::Hunk => {}
            LineKind::Same => out.push(' '),
            LineKind::Old => out.push('-'),
            LineKind::New => out.push('+'),
        }
        out.push_str(&line.text);
        out.push('\n');
    }
    out
}

fn change(change: &Change) -> ChangeModel {
    let value = |node: &Option<Node>| node.as_ref().map(node_to_json);
    ChangeModel {
        path: change.path.to_string(),
        pointer: change.path.pointer(),
        kind: match change.kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
            ChangeKind::Reordered => "reordered",
        }
        .into(),
        old: value(&change.old),
        new: value(&change.new),
        noise: change.noise.map(|noise| noise.name().into()),
    }
}

fn operation(operation: &Operation) -> serde_json::Value {
    match operation {
        Operation::Add { path, value } => {
            serde_json::json!({"op": "add", "path": path, "value": to_json(value)})
        }
        Operation::Remove { path } => serde_json::json!({"op": "remove", "path": path}),
        Operation::Replace { path, value } => {
            serde_json::json!({"op": "replace", "path": path, "value": to_json(value)})
        }
        Operation::Move { from, path } => {
            serde_json::json!({"op": "move", "from": from, "path": path})
        }
    }
}

fn node_to_json(node: &Node) -> serde_json::Value {
    to_json(&crate::diff::value(node))
}

/// A value as JSON.
fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(i) => (*i).into(),
        Value::Uint(u) => (*u).into(),
        Value::Float(f) => (*f).into(),
        Value::String(text) => (**text).into(),
        Value::Sequence(items) => items.iter().map(to_json).collect(),
        Value::Mapping(map) => map
            .iter()
            .map(|(key, value)| (key.to_string(), to_json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn summary(clusters: &[ClusterModel], findings: &[Finding]) -> Summary {
    let mut summary = Summary::default();
    let mut owners = BTreeSet::new();
    let several = clusters.len() > 1;
    for cluster in clusters {
        summary.unchanged += cluster.unchanged;
        summary.unreached += cluster.unreached;
        summary.unrendered += cluster.unrendered.len();
        let is_touched = cluster.presence != "both"
            || !cluster.objects.is_empty()
            || !cluster.unrendered.is_empty();
        if is_touched {
            summary.clusters.push(cluster.name.clone());
        }
        for object in &cluster.objects {
            match &*object.action {
                "added" => summary.added += 1,
                "removed" => summary.removed += 1,
                _ if object.noise => summary.noise += 1,
                _ => summary.changed += 1,
            }
            for owner in [&object.owner, &object.old_owner].into_iter().flatten() {
                owners.insert(if several {
                    format!("{owner} of {}", cluster.name)
                } else {
                    owner.to_string()
                });
            }
        }
    }
    summary.owners = owners.into_iter().collect();
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    summary.errors = count(Severity::Error);
    summary.warnings = count(Severity::Warning);
    summary.sentence = sentence(&summary, several);
    summary
}

fn sentence(summary: &Summary, several: bool) -> String {
    let mut parts = Vec::new();
    for (n, what) in [
        (summary.changed, "changed"),
        (summary.added, "added"),
        (summary.removed, "removed"),
        (summary.noise, "changed in noise alone"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    let mut sentence = if parts.is_empty() {
        "no object differs".to_owned()
    } else {
        format!("objects: {}", parts.join(", "))
    };
    if summary.unchanged > 0 || summary.unreached == 0 {
        sentence.push_str(&format!(", {} the same", summary.unchanged));
    }
    match summary.unreached {
        0 => {}
        1 => sentence.push_str("; 1 owner is not reached"),
        n => sentence.push_str(&format!("; {n} owners are not reached")),
    }
    if summary.unrendered > 0 {
        sentence.push_str(&format!(
            "; {} {} not render",
            summary.unrendered,
            if summary.unrendered == 1 {
                "part does"
            } else {
                "parts do"
            }
        ));
    }
    if several && !summary.clusters.is_empty() {
        sentence.push_str(&format!("; clusters: {}", summary.clusters.join(", ")));
    }
    sentence
}
