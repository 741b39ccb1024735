//! Rights that are given and taken, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::super::compare::Compared;
use super::super::pairs::Located;
use super::super::rendering::Cluster;
use super::{Subject, text_at};
use crate::diag::{Finding, Severity};
use crate::pipeline::cluster::UnitKind;
use crate::resource::ResId;
use crate::yaml::Node;

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) fn look(
    subject: &Subject<'_>,
    compared: &[Compared<'_>],
    new: &Cluster,
    findings: &mut Vec<Finding>,
) {
    match subject.group_kind() {
        (GROUP, "Role" | "ClusterRole") => role(subject, findings),
        (GROUP, "RoleBinding" | "ClusterRoleBinding") => {
            binding(subject, |role| rights_of(role, compared, new), findings);
        }
        _ => {}
    }
}

/// The right to one verb on one resource; `*` is any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    group: String,
    /// A resource, or a path of the API server.
    resource: String,
    is_path: bool,
    /// The one object that it is about; empty for all.
    name: String,
    verb: String,
}

impl Right {
    /// Whether whoever has this has the other.
    fn covers(&self, other: &Right) -> bool {
        let any = |own: &str, other: &str| own == "*" || own == other;
        let on = if self.is_path {
            any(&self.resource, &other.resource)
                || (self.resource.strip_suffix('*'))
                    .is_some_and(|prefix| other.resource.starts_with(prefix))
        } else {
            any(&self.resource, &other.resource)
                || self.resource.strip_prefix("*/").is_some_and(|sub| {
                    let other = other.resource.split_once('/');
                    other.is_some_and(|(_, other)| other == sub)
                })
        };
        self.is_path == other.is_path
            && on
            && any(&self.group, &other.group)
            && (self.name.is_empty() || self.name == other.name)
            && any(&self.verb, &other.verb)
    }

    /// Whether it leads to all other rights.
    fn is_everything(&self) -> bool {
        let is = |own: &str, others: &[&str]| own == "*" || others.contains(&own);
        let roles = is(&self.group, &[GROUP])
            && is(&self.resource, &["roles", "clusterroles"])
            && is(&self.verb, &["escalate", "bind"]);
        let people = is(&self.group, &[""])
            && is(&self.resource, &["users", "groups", "serviceaccounts"])
            && self.verb == "impersonate";
        // In the core group are the accounts, and what they log in with.
        let all = is(&self.group, &[""]) && self.resource == "*" && self.verb == "*";
        !self.is_path && (roles || people || all)
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
        let on_resources = texts("apiGroups").into_iter().flat_map(|group| {
            let resources = texts("resources").into_iter();
            resources.map(move |resource| (group.clone(), resource, false))
        });
        let paths = texts("nonResourceURLs").into_iter();
        let on_paths = paths.map(|path| (String::new(), path, true));
        for (group, resource, is_path) in on_resources.chain(on_paths) {
            for name in &names {
                for verb in &verbs {
                    if rights.len() >= MAX_RIGHTS {
                        return rights;
                    }
                    rights.insert(Right {
                        group: group.clone(),
                        resource: resource.clone(),
                        is_path,
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

/// `create, delete` on `pods`; one phrase for each resource. `others` are the rights
/// that stay: those over single objects are told.
fn in_words<'a>(rights: impl IntoIterator<Item = &'a Right>, others: &BTreeSet<Right>) -> String {
    let mut by_resource: BTreeMap<(&str, &str, bool, &str), Vec<&str>> = BTreeMap::new();
    for right in rights {
        by_resource
            .entry((&right.group, &right.resource, right.is_path, &right.name))
            .or_default()
            .push(&right.verb);
    }
    let mut phrases: Vec<String> = by_resource
        .iter()
        .map(|((group, resource, is_path, name), verbs)| {
            let verbs = if verbs.contains(&"*") {
                "do anything with".to_owned()
            } else {
                verbs.join(", ")
            };
            let what = match (*group, *resource) {
                (_, "*") if *is_path => "every path of the API server".to_owned(),
                (_, path) if *is_path => format!("the path `{path}`"),
                ("*", "*") => "everything".to_owned(),
                ("", "*") => "everything in the core API".to_owned(),
                (group, "*") => format!("everything in `{group}`"),
                ("" | "*", resource) => format!("`{resource}`"),
                (group, resource) => format!("`{resource}.{group}`"),
            };
            if !name.is_empty() {
                return format!("{verbs} {what} `{name}`");
            }
            let named = others.iter().filter(|other| {
                (&*other.group, &*other.resource, other.is_path) == (*group, *resource, *is_path)
                    && !other.name.is_empty()
            });
            let named: BTreeSet<String> = named.map(|o| format!("`{}`", o.name)).collect();
            if named.is_empty() {
                return format!("{verbs} {what}");
            }
            let named: Vec<String> = named.into_iter().take(SHOWN).collect();
            format!("{verbs} {what} other than {}", named.join(", "))
        })
        .collect();
    if phrases.len() > SHOWN {
        let more = phrases.len() - SHOWN;
        phrases.truncate(SHOWN);
        phrases.push(format!("and {more} more"));
    }
    phrases.join("; ")
}

/// How many phrases are said.
const SHOWN: usize = 6;

fn role(subject: &Subject<'_>, findings: &mut Vec<Finding>) {
    let is_as_before = |key| subject.changes_at(&[key]).next().is_none();
    let is_same = subject.both().is_some()
        && is_as_before("rules")
        && is_as_before("aggregationRule")
        && aggregates(subject.old) == aggregates(subject.new);
    if is_same {
        return;
    }
    let node = |located: Option<Located<'_>>| rights(located.map(|l| &l.object.node));
    let (old, new) = (node(subject.old), node(subject.new));
    aggregated(subject, (&old, &new), findings);
    let (given, taken) = (beyond(&new, &old), beyond(&old, &new));
    let stays: Vec<&str> = aggregates(subject.old)
        .intersection(&aggregates(subject.new))
        .copied()
        .collect();
    let who = match stays[..] {
        [] => "who holds it".to_owned(),
        _ => format!("who holds it, or {}", clusterroles(&stays)),
    };
    // A role that is new gives nothing to anybody before it is bound.
    if !given.is_empty() && subject.old.is_some() {
        let finding = subject.finding(
            "change/rbac-widened",
            format!("{who} may now {}", in_words(given.iter().copied(), &old)),
        );
        findings.push(if given.iter().any(|r| r.is_everything()) {
            everything(finding)
        } else {
            finding
        });
    }
    if !taken.is_empty() {
        findings.push(subject.finding(
            "change/rbac-narrowed",
            format!(
                "{who} may no longer {}",
                in_words(taken.iter().copied(), &new)
            ),
        ));
    }
    if subject.both().is_some()
        && let Some(change) = subject.changes_at(&["aggregationRule"]).next()
    {
        findings.push(subject.finding_at(
            "change/rbac-widened",
            &change,
            "the roles whose rights it gathers are chosen otherwise",
        ));
    }
}

/// A finding that gives as much as there is.
fn everything(finding: Finding) -> Finding {
    Finding {
        severity: Severity::Error,
        ..finding
    }
    .help("that is as good as every right: name the resources and verbs that are needed")
}

/// What a label begins with by which a ClusterRole is added to another.
const AGGREGATES: &str = "rbac.authorization.k8s.io/aggregate-to-";

/// The roles that a ClusterRole is added to: the controller of the cluster does
/// that for those of Kubernetes' own that its labels name.
fn aggregates(located: Option<Located<'_>>) -> BTreeSet<&str> {
    let labels = located.and_then(|l| l.object.node.at_path(&["metadata", "labels"]));
    let entries = labels.map(Node::entries).unwrap_or_default().iter();
    entries
        .filter(|entry| entry.value.text() == Some("true"))
        .filter_map(|entry| entry.key.text()?.strip_prefix(AGGREGATES))
        .collect()
}

fn clusterroles(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("ClusterRole {}, which it is added to,", names.join(" or "))
}

/// Rights that others get since the role is added to theirs, or lose.
fn aggregated(
    subject: &Subject<'_>,
    (old, new): (&BTreeSet<Right>, &BTreeSet<Right>),
    findings: &mut Vec<Finding>,
) {
    if subject.group_kind().1 != "ClusterRole" {
        return;
    }
    let (before, now) = (aggregates(subject.old), aggregates(subject.new));
    let more: Vec<&str> = now.difference(&before).copied().collect();
    let less: Vec<&str> = before.difference(&now).copied().collect();
    if !more.is_empty() && !new.is_empty() {
        let words = in_words(new, &BTreeSet::new());
        let who = clusterroles(&more);
        let finding = subject.finding(
            "change/rbac-widened",
            format!("who holds {who} may now {words}"),
        );
        findings.push(if new.iter().any(Right::is_everything) {
            everything(finding)
        } else {
            finding
        });
    }
    if !less.is_empty() && !old.is_empty() {
        let words = in_words(old, &BTreeSet::new());
        let who = clusterroles(&less).replace("which it is added to", "which it was added to");
        findings.push(subject.finding(
            "change/rbac-narrowed",
            format!("who holds {who} may no longer {words}"),
        ));
    }
}

/// What a binding refers to.
#[derive(PartialEq)]
struct RoleRef<'a> {
    kind: &'a str,
    name: &'a str,
    /// Where a Role is.
    namespace: &'a str,
}

impl<'a> RoleRef<'a> {
    fn of(located: Located<'a>) -> RoleRef<'a> {
        let text = |key| text_at(&located.object.node, &["roleRef", key]).map_or("", |t| t);
        let kind = text("kind");
        RoleRef {
            kind,
            name: text("name"),
            namespace: if kind == "Role" {
                located.namespace
            } else {
                ""
            },
        }
    }
}

impl std::fmt::Display for RoleRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.kind.is_empty() {
            "role"
        } else {
            self.kind
        };
        write!(f, "{kind} `{}`", self.name)
    }
}

/// The rights of a role of the repository, as far as that is known without
/// rendering what the change does not reach: where a Kustomization applies it, or
/// the change makes it.
fn rights_of(role: &RoleRef<'_>, compared: &[Compared<'_>], new: &Cluster) -> BTreeSet<Right> {
    let is_it = |id: &ResId, namespace: &str| {
        (&*id.gvk.group, &*id.gvk.kind, &*id.name, namespace)
            == (GROUP, role.kind, role.name, role.namespace)
    };
    let changed = compared.iter().filter_map(|c| c.pair.new);
    let mut changed = changed.filter(|l| is_it(&l.object.id, l.namespace));
    if let Some(located) = changed.next() {
        return rights(Some(&located.object.node));
    }
    let units = new.units.iter().filter(|unit| {
        let kind = unit.owner.as_ref().map(|owner| owner.kind);
        kind != Some(UnitKind::HelmRelease)
    });
    let objects = units
        .filter_map(|unit| unit.outcome.as_ref().ok())
        .flatten();
    let mut found = objects.filter(|o| is_it(&o.id, &o.id.namespace));
    rights(found.next().map(|object| &object.node))
}

fn subjects(binding: Option<&Node>) -> BTreeSet<String> {
    let subjects = binding.and_then(|b| b.get("subjects")).map(Node::items);
    subjects
        .unwrap_or_default()
        .iter()
        .map(|subject| {
            let text = |key| subject.get(key).and_then(Node::text).unwrap_or_default();
            let name = match text("namespace") {
                "" => format!("{} `{}`", text("kind"), text("name")),
                namespace => format!("{} `{namespace}/{}`", text("kind"), text("name")),
            };
            match (text("kind"), text("name")) {
                ("Group", "system:authenticated") => format!("{name} (all who can log in)"),
                ("Group", "system:unauthenticated") | ("User", "system:anonymous") => {
                    format!("{name} {EVERYBODY}")
                }
                _ => name,
            }
        })
        .collect()
}

/// Put behind who is nobody in particular.
const EVERYBODY: &str = "(everybody, without a login)";

/// What somebody gets or loses, and where.
fn bound(who: &[&String], verb: [&str; 2], role: &RoleRef<'_>, located: Located<'_>) -> String {
    let place = match &**located.namespace {
        "" => "in the whole cluster".to_owned(),
        namespace => format!("in `{namespace}`"),
    };
    let names: Vec<&str> = who.iter().map(|name| name.as_str()).collect();
    let verb = if who.len() == 1 { verb[0] } else { verb[1] };
    format!("{} {verb} the rights of {role} {place}", names.join(", "))
}

fn binding(
    subject: &Subject<'_>,
    rights_of: impl Fn(&RoleRef<'_>) -> BTreeSet<Right>,
    findings: &mut Vec<Finding>,
) {
    let node = |located: Option<Located<'_>>| subjects(located.map(|l| &l.object.node));
    let (old, new) = (node(subject.old), node(subject.new));
    let (was, is) = (subject.old.map(RoleRef::of), subject.new.map(RoleRef::of));
    // Another role is given to all who are bound, in place of the old one.
    let other_role = was.is_some() && is.is_some() && was != is;
    let beyond = |own: &'_ BTreeSet<String>, others: &BTreeSet<String>| -> Vec<String> {
        let own = own.iter().filter(|s| other_role || !others.contains(*s));
        own.cloned().collect()
    };
    let (given, taken) = (beyond(&new, &old), beyond(&old, &new));
    if let (Some(located), Some(role)) = (subject.new, &is)
        && !given.is_empty()
    {
        let who: Vec<&String> = given.iter().collect();
        let mut message = bound(&who, ["gets", "get"], role, located);
        let rights = rights_of(role);
        if !rights.is_empty() {
            let words = in_words(&rights, &BTreeSet::new());
            message.push_str(&format!(": {words}"));
        }
        let finding = subject.finding("change/rbac-widened", message);
        let is_everything = role.name == "cluster-admin" || rights.iter().any(Right::is_everything);
        let is_everybody = given.iter().any(|who| who.ends_with(EVERYBODY));
        findings.push(if is_everything || is_everybody {
            Finding {
                severity: Severity::Error,
                ..finding
            }
            .help(if is_everything {
                "bind a role that has what is needed and nothing else"
            } else {
                "name the accounts that need it"
            })
        } else {
            finding
        });
    }
    if let (Some(located), Some(role)) = (subject.old, &was)
        && !taken.is_empty()
    {
        let who: Vec<&String> = taken.iter().collect();
        findings.push(subject.finding(
            "change/rbac-narrowed",
            bound(&who, ["loses", "lose"], role, located),
        ));
    }
}
