//! Rights that are given and taken, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subject, text_at};
use crate::diag::{Finding, Severity};
use crate::yaml::Node;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn look(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    match subject.group_kind() {
        (GROUP, "Role" | "ClusterRole") => role(subject, findings),
        (GROUP, "RoleBinding" | "ClusterRoleBinding") => binding(subject, findings),
        _ => {}
    }
}

/// The right to one verb on one resource; `*` is any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group: String,
    resource: String,
    /// The one object that it is about; empty for all.
    name: String,
    verb: String,
}

impl Right {
    /// Whether whoever has this has the other.
    fn covers(&self, other: &Right) -> bool {
        let any = |own: &str, other: &str| own == "*" || own == other;
        let resource = any(&self.resource, &other.resource)
            || self.resource.strip_prefix("*/").is_some_and(|sub| {
                other
                    .resource
                    .split_once('/')
                    .is_some_and(|(_, other)| other == sub)
            })
            // A path of the API server that ends with an asterisk.
            || self.resource.strip_suffix('*').is_some_and(|prefix| {
                prefix.starts_with('/') && other.resource.starts_with(prefix)
            });
        any(&self.group, &other.group)
            && resource
            && (self.name.is_empty() || self.name == other.name)
            && any(&self.verb, &other.verb)
    }

    /// Whether it leads to all other rights.
    fn is_everything(&self) -> bool {
        let escalates = matches!(
            (self.resource.as_str(), self.verb.as_str()),
            ("roles" | "clusterroles", "escalate" | "bind")
                | ("users" | "groups" | "serviceaccounts", "impersonate")
        );
        escalates || self.resource == "*" && self.verb == "*"
    }
}

/// The most rights that are looked at in one role; more is no role that a
/// person wrote.
const MAX_RIGHTS: usize = 20_000;

fn rights(role: Option<&Node>) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    let rules = role.and_then(|r| r.get("rules")).map(Node::items);
    for rule in rules.unwrap_or_default() {
        let texts = |key: &str| -> Vec<String> {
            let items = rule.get(key).map(Node::items).unwrap_or_default();
            items
                .iter()
                .filter_map(|i| i.target().text().map(str::to_owned))
                .collect()
        };
        let verbs = texts("verbs");
        let names = match texts("resourceNames") {
            names if names.is_empty() => vec![String::new()],
            names => names,
        };
        let on_resources = texts("apiGroups")
            .into_iter()
            .flat_map(|group| {
                texts("resources")
                    .into_iter()
                    .map(move |resource| (group.clone(), resource))
            })
            .chain(
                texts("nonResourceURLs")
                    .into_iter()
                    .map(|url| (String::new(), url)),
            );
        for (group, resource) in on_resources {
            for name in &names {
                for verb in &verbs {
                    if rights.len() >= MAX_RIGHTS {
                        return rights;
                    }
                    rights.insert(Right {
                        group: group.clone(),
                        resource: resource.clone(),
                        name: name.clone(),
                        verb: verb.clone(),
                    });
                }
            }
        }
    }
    rights
}

/// Rights of the first set that nothing in the second covers.
fn beyond<'a>(rights: &'a BTreeSet<Right>, others: &BTreeSet<Right>) -> Vec<&'a Right> {
    rights
        .iter()
        .filter(|right| !others.contains(right) && !others.iter().any(|o| o.covers(right)))
        .collect()
}

/// `create, delete` on `pods`; one phrase for each resource.
fn in_words(rights: &[&Right]) -> String {
    let mut by_resource: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for right in rights {
        by_resource
            .entry((&right.group, &right.resource, &right.name))
            .or_default()
            .push(&right.verb);
    }
    let mut phrases: Vec<String> = by_resource
        .iter()
        .map(|((group, resource, name), verbs)| {
            let verbs = if verbs.contains(&"*") {
                "do anything with".to_owned()
            } else {
                verbs.join(", ")
            };
            let what = match (*group, *resource) {
                ("*", "*") => "everything".to_owned(),
                ("", "*") => "everything in the core API".to_owned(),
                (group, "*") => format!("everything in `{group}`"),
                ("" | "*", resource) => format!("`{resource}`"),
                (group, resource) => format!("`{resource}.{group}`"),
            };
            match *name {
                "" => format!("{verbs} {what}"),
                name => format!("{verbs} {what} `{name}`"),
            }
        })
        .collect();
    const SHOWN: usize = 6;
    if phrases.len() > SHOWN {
        let more = phrases.len() - SHOWN;
        phrases.truncate(SHOWN);
        phrases.push(format!("and {more} more"));
    }
    phrases.join("; ")
}

fn role(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let node = |located: Option<super::Located<'_>>| rights(located.map(|l| &l.object.node));
    let (old, new) = (node(subject.old), node(subject.new));
    aggregated(subject, &new, findings);
    let (given, taken) = (beyond(&new, &old), beyond(&old, &new));
    // A role that is new gives nothing to anybody before it is bound.
    if !given.is_empty() && subject.old.is_some() {
        let finding = subject.finding(
            "change/rbac-widened",
            format!("who holds it may now {}", in_words(&given)),
        );
        findings.push(if given.iter().any(|r| r.is_everything()) {
            Finding {
                severity: Severity::Error,
                ..finding
            }
            .help("that is as good as every right: name the resources and verbs that are needed")
        } else {
            finding
        });
    }
    if !taken.is_empty() {
        findings.push(subject.finding(
            "change/rbac-narrowed",
            format!("who holds it may no longer {}", in_words(&taken)),
        ));
    }
}

/// What a label begins with by which a ClusterRole is added to another.
const AGGREGATES: &str = "rbac.authorization.k8s.io/aggregate-to-";

/// The roles that a ClusterRole is added to: the controller of the cluster does
/// that for those of Kubernetes' own that its labels name.
fn aggregates(located: Option<super::Located<'_>>) -> BTreeSet<&str> {
    let labels = located.and_then(|l| l.object.node.at_path(&["metadata", "labels"]));
    let entries = labels.map(Node::entries).unwrap_or_default().iter();
    entries
        .filter(|entry| entry.value.text() == Some("true"))
        .filter_map(|entry| entry.key.text()?.strip_prefix(AGGREGATES))
        .collect()
}

/// Rights that others get since the role is added to theirs.
fn aggregated(subject: &Subject<'_>, rights: &BTreeSet<Right>, findings: &mut Vec<Finding>) {
    let before = aggregates(subject.old);
    let now = aggregates(subject.new);
    let more: Vec<String> = now
        .difference(&before)
        .map(|role| format!("`{role}`"))
        .collect();
    let all: Vec<&Right> = rights.iter().collect();
    if subject.group_kind().1 != "ClusterRole" || more.is_empty() || all.is_empty() {
        return;
    }
    findings.push(subject.finding(
        "change/rbac-widened",
        format!(
            "who holds ClusterRole {}, which it is added to, may now {}",
            more.join(" or "),
            in_words(&all)
        ),
    ));
}

fn subjects(binding: Option<&Node>) -> BTreeSet<String> {
    let subjects = binding.and_then(|b| b.get("subjects")).map(Node::items);
    subjects
        .unwrap_or_default()
        .iter()
        .map(|subject| {
            let text = |key| subject.get(key).and_then(Node::text).unwrap_or_default();
            match text("namespace") {
                "" => format!("{} `{}`", text("kind"), text("name")),
                namespace => format!("{} `{namespace}/{}`", text("kind"), text("name")),
            }
        })
        .collect()
}

fn binding(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let node = |located: Option<super::Located<'_>>| subjects(located.map(|l| &l.object.node));
    let (old, new) = (node(subject.old), node(subject.new));
    let Some(located) = subject.located() else {
        return;
    };
    let object = &located.object.node;
    let role = text_at(object, &["roleRef", "name"]).map_or("", |t| t);
    let kind = text_at(object, &["roleRef", "kind"]).map_or("role", |t| t);
    let place = match &**located.namespace {
        "" => "in the whole cluster".to_owned(),
        namespace => format!("in `{namespace}`"),
    };
    let joined = |set: Vec<&String>| {
        let texts: Vec<&str> = set.into_iter().map(String::as_str).collect();
        texts.join(", ")
    };
    // Another role is given to all who are bound, in place of the old one.
    let other_role = subject.changes_at(&["roleRef"]).next().is_some();
    let given: Vec<&String> = new
        .iter()
        .filter(|s| other_role || !old.contains(*s))
        .collect();
    if !given.is_empty() {
        let finding = subject.finding(
            "change/rbac-widened",
            format!(
                "{} gets the rights of {kind} `{role}` {place}",
                joined(given)
            ),
        );
        findings.push(if role == "cluster-admin" {
            Finding {
                severity: Severity::Error,
                ..finding
            }
            .help("bind a role that has what is needed and nothing else")
        } else {
            finding
        });
    }
    let taken: Vec<&String> = old.difference(&new).collect();
    if !taken.is_empty() {
        findings.push(subject.finding(
            "change/rbac-narrowed",
            format!(
                "{} loses the rights of {kind} `{role}` {place}",
                joined(taken)
            ),
        ));
    }
}
