//! What a change means: findings of the rules in [`RULES`](super::RULES).
//!
//! Each file looks at one subject; all of them see every object that differs,
//! with the fields that do.

mod deletion;
mod flux;
mod immutable;
mod radius;
mod rbac;
#[cfg(test)]
mod tests;
mod workload;

use std::borrow::Cow;
use std::sync::Arc;

use rayon::prelude::*;

use super::compare::{ClusterDifference, Compared, Unrendered};
use super::fields::{Change, ChangeKind};
use super::pairs::Located;
use super::rendering::{Cluster, Owner, Side};
use super::rules;
use crate::diag::{Finding, ObjectRef, Severity, SourceMap};
use crate::resource::ResId;
use crate::yaml::Node;

/// An object that differs, as the rules see it.
struct Subject<'a> {
    old: Option<Located<'a>>,
    new: Option<Located<'a>>,
    changes: &'a [Change],
    sources: &'a SourceMap,
}

impl<'a> Subject<'a> {
    /// The object as it is to be; as it was, for what is gone.
    fn located(&self) -> Option<Located<'a>> {
        self.new.or(self.old)
    }

    fn id(&self) -> Option<&'a ResId> {
        self.located().map(|l| &l.object.id)
    }

    /// Its group and kind.
    fn group_kind(&self) -> (&'a str, &'a str) {
        self.id()
            .map_or(("", ""), |id| (&*id.gvk.group, &*id.gvk.kind))
    }

    fn owner(&self) -> Option<&'a Owner> {
        self.located().and_then(|l| l.owner)
    }

    /// Whether its generated name is another one now.
    fn is_renamed(&self) -> bool {
        let name = |located: Located<'a>| &located.object.id.name;
        self.old.is_some() && self.new.is_some() && self.old.map(name) != self.new.map(name)
    }

    /// Both versions of the object, where it was and stays.
    fn both(&self) -> Option<(&'a Node, &'a Node)> {
        Some((&self.old?.object.node, &self.new?.object.node))
    }

    /// The changes at these keys and below them; of one around them, what it comes to
    /// there.
    fn changes_at<'k>(&self, keys: &'k [&'k str]) -> impl Iterator<Item = Cow<'a, Change>> + 'k
    where
        'a: 'k,
    {
        self.changes.iter().filter_map(move |change| {
            if change.path.starts_with(keys) {
                return Some(Cow::Borrowed(change));
            }
            let (above, below) = keys.split_at_checked(change.path.0.len())?;
            let is_around = !below.is_empty() && change.path.starts_with(above);
            is_around
                .then(|| change.part(below))
                .flatten()
                .map(Cow::Owned)
        })
    }

    /// A finding about this object.
    fn finding(&self, rule: &'static str, message: impl Into<String>) -> Finding {
        let finding = Finding::new(rule, rules::severity(rule), message);
        match self.located() {
            Some(located) => finding
                .at(located.object.node.span(), self.sources)
                .object(located.reference()),
            None => finding,
        }
    }

    /// A finding about a field of it.
    fn finding_at(
        &self,
        rule: &'static str,
        change: &Change,
        message: impl Into<String>,
    ) -> Finding {
        let node = change.new.as_ref().or(change.old.as_ref());
        let finding = self.finding(rule, message).path(change.path.pointer());
        match node {
            Some(node) => finding.at(node.span(), self.sources),
            None => finding,
        }
    }
}

/// What a change of a cluster means, worst first.
pub(super) fn of(
    compared: &[Compared<'_>],
    old: &Cluster,
    new: &Cluster,
    unrendered: &[Unrendered],
    sources: &SourceMap,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = unrendered.iter().map(of_unrendered).collect();
    let fates = deletion::Fates::of(compared, new);
    let of_one = |Compared { pair, changes }: &Compared<'_>| {
        let mut findings = Vec::new();
        let subject = Subject {
            old: pair.old,
            new: pair.new,
            changes,
            sources,
        };
        deletion::look(&subject, &fates, &mut findings);
        // Under another name it is another object.
        if !subject.is_renamed() {
            immutable::look(&subject, &mut findings);
        }
        workload::look(&subject, &mut findings);
        rbac::look(&subject, compared, new, &mut findings);
        flux::look(&subject, &mut findings);
        findings
    };
    findings.par_extend(compared.par_iter().flat_map_iter(of_one));
    suspended(compared, new, sources, &mut findings);
    radius::look(compared, old, new, &mut findings);
    findings.sort_by(|a, b| {
        (b.severity.cmp(&a.severity))
            .then_with(|| (&a.rule, &a.object, &a.path).cmp(&(&b.rule, &b.object, &b.path)))
            .then_with(|| a.message.cmp(&b.message))
    });
    findings.dedup();
    findings
}

/// What it means that a whole cluster is gone from the repository: Flux in it
/// finds its folder no more, fails, and prunes nothing.
///
/// Compat: kustomize-controller: a path that is not in the artifact is an error
/// before anything is pruned.
pub(super) fn of_removed(name: &str, difference: &ClusterDifference) -> Vec<Finding> {
    let mut findings: Vec<Finding> = difference.unrendered.iter().map(of_unrendered).collect();
    let rule = "change/orphan";
    let stay = match difference.objects.len() {
        0 => "what it has applied stays".to_owned(),
        n => format!(
            "{} it has applied stay",
            counted(n, "object that", "objects that")
        ),
    };
    let finding = Finding::new(
        rule,
        Severity::Warning,
        format!(
            "the cluster `{name}` is gone from the repository: Flux there finds its folder no \
             more, and {stay}"
        ),
    );
    findings.push(finding.help(
        "delete what is to go, or uninstall Flux there, before its folder goes; where the cluster \
         has another folder now, bootstrap it from there",
    ));
    findings
}

/// Whether two identities are of one object, whatever the API version.
pub(super) fn same_object(a: &ResId, b: &ResId) -> bool {
    (&a.gvk.group, &a.gvk.kind, &a.namespace, &a.name)
        == (&b.gvk.group, &b.gvk.kind, &b.namespace, &b.name)
}

fn of_unrendered(part: &Unrendered) -> Finding {
    let severity = match part.side {
        Some(Side::New) => Severity::Error,
        Some(Side::Old) | None => Severity::Warning,
    };
    Finding {
        rule: "change/unrendered".into(),
        severity,
        message: part.to_string(),
        help: part.failure.help.clone(),
        object: part.owner.clone(),
        location: part.failure.location.clone(),
        path: None,
        cluster: None,
        cause: None,
    }
}

/// Changes that wait for their owner to be resumed.
fn suspended(
    compared: &[Compared<'_>],
    new: &Cluster,
    sources: &SourceMap,
    findings: &mut Vec<Finding>,
) {
    let owners = new.units.iter().filter_map(|u| u.owner.as_ref());
    for owner in owners.filter(|o| o.suspended) {
        let count = compared
            .iter()
            .filter(|c| {
                let located = c.pair.new.or(c.pair.old);
                located
                    .and_then(|l| l.owner)
                    .is_some_and(|o| same_object(&o.id, &owner.id))
            })
            .count();
        if count == 0 {
            continue;
        }
        let object = owner.id.to_object_ref();
        let finding = Finding::new(
            "change/suspended",
            rules::severity("change/suspended"),
            format!(
                "{} not applied: {object} is suspended",
                counted(count, "change is", "changes are")
            ),
        );
        let finding = match owner.suspends {
            Some(span) => finding.at(span, sources),
            None => finding,
        };
        findings.push(
            finding
                .help("set `spec.suspend` to false when they are to be applied")
                .object(object),
        );
    }
}

/// A number with its noun and verb.
fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// The value of a scalar for a message.
fn shown(node: Option<&Node>) -> String {
    match node {
        None => "nothing".to_owned(),
        Some(node) if node.is_secret() => "a secret value".to_owned(),
        Some(node) => match node.text() {
            Some(text) if text.chars().count() <= 80 && !text.contains('\n') => {
                format!("`{text}`")
            }
            Some(_) => "a longer text".to_owned(),
            None => node.describe().to_owned(),
        },
    }
}

/// `from … to …`, or what fits where a side has nothing.
fn from_to(change: &Change) -> String {
    match change.kind {
        ChangeKind::Added => format!("is set to {}", shown(change.new.as_ref())),
        ChangeKind::Removed => format!("is no longer set ({} before)", shown(change.old.as_ref())),
        ChangeKind::Reordered => "is in another order".to_owned(),
        ChangeKind::Changed => format!(
            "changes from {} to {}",
            shown(change.old.as_ref()),
            shown(change.new.as_ref())
        ),
    }
}

/// The object that an owner is, for messages.
fn owner_ref(owner: &Owner) -> ObjectRef {
    owner.id.to_object_ref()
}

/// The text behind a chain of keys.
fn text_at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Arc<str>> {
    node.at_path(path).and_then(Node::shared_text)
}
