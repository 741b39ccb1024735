//! Roles and bindings as they are written.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::Span;
use crate::resource::Gvk;
use crate::yaml::Node;

/// The API group of Roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// One rule of a role: what may be done to what.
///
/// A rule that names no resource and no address gives nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// `get`, `patch`, … or `*`.
    pub verbs: Vec<Arc<str>>,
    /// API groups, the core group empty, or `*`.
    pub api_groups: Vec<Arc<str>>,
    /// `deployments`, `pods/exec`, `*/scale` or `*`.
    pub resources: Vec<Arc<str>>,
    /// The objects that it is limited to; empty for all.
    pub resource_names: Vec<Arc<str>>,
    /// `/healthz`, `/metrics/*` or `*`.
    pub non_resource_urls: Vec<Arc<str>>,
    /// Where it is written.
    pub span: Span,
}

/// A Role or ClusterRole.
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// The namespace of a Role; none for a ClusterRole.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
    /// Its labels, which aggregation goes by.
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Its rules, as written.
    pub rules: Vec<PolicyRule>,
    /// What it is aggregated from: then its own rules do not count.
    pub aggregation: Option<Vec<LabelSelector>>,
}

/// A selector of labels: all of its requirements hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: Arc<str>,
    operator: Operator,
    values: Vec<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    /// None that Kubernetes knows: selects nothing.
    Unknown,
}

/// Who has rights: an account, a user or a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A ServiceAccount.
    ServiceAccount {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A user by name.
    User(Arc<str>),
    /// Everyone in a group.
    Group(Arc<str>),
}

/// Which role a binding gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleRef {
    /// Whether it is a ClusterRole.
    pub cluster: bool,
    /// Its name.
    pub name: Arc<str>,
    /// Where it is written.
    pub span: Span,
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// The namespace that it gives rights in; none for a ClusterRoleBinding,
    /// which gives them everywhere.
    pub namespace: Option<Arc<str>>,
    /// Its name.
    pub name: Arc<str>,
    /// What it gives.
    pub role: RoleRef,
    /// Whom it gives it to.
    pub subjects: Vec<Subject>,
    /// Where it is written.
    pub span: Span,
}

impl PolicyRule {
    /// Reads a rule.
    pub fn of(node: &Node) -> PolicyRule {
        let node = node.target();
        let list = |key| node.get(key).map(texts).unwrap_or_default();
        PolicyRule {
            verbs: list("verbs"),
            api_groups: list("apiGroups"),
            resources: list("resources"),
            resource_names: list("resourceNames"),
            non_resource_urls: list("nonResourceURLs"),
            span: node.span(),
        }
    }
}

impl Role {
    /// Reads a Role or ClusterRole; none of anything else.
    pub fn of(object: &Node, namespace: &str) -> Option<Role> {
        let gvk = Gvk::of(object);
        if &*gvk.group != GROUP || !matches!(&*gvk.kind, "Role" | "ClusterRole") {
            return None;
        }
        let rules = object.get("rules").map(Node::target);
        let selectors = object
            .at_path(&["aggregationRule", "clusterRoleSelectors"])
            .map(Node::target);
        let labels = object.at_path(&["metadata", "labels"]).map(Node::target);
        let cluster = &*gvk.kind == "ClusterRole";
        Some(Role {
            namespace: (!cluster).then(|| namespace.into()),
            name: name_of(object),
            labels: labels.map(pairs).unwrap_or_default().into_iter().collect(),
            rules: rules
                .map_or(&[][..], Node::items)
                .iter()
                .map(PolicyRule::of)
                .collect(),
            aggregation: selectors
                .filter(|s| cluster && !s.items().is_empty())
                .map(|s| s.items().iter().map(LabelSelector::of).collect()),
        })
    }
}

impl LabelSelector {
    /// Reads a `LabelSelector`; an empty one selects everything.
    pub fn of(node: &Node) -> LabelSelector {
        let node = node.target();
        let labels = node.get("matchLabels").map(Node::target).map(pairs);
        let mut requirements: Vec<Requirement> = labels
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| Requirement {
                key,
                operator: Operator::In,
                values: vec![value],
            })
            .collect();
        let expressions = node.get("matchExpressions").map(Node::target);
        for expression in expressions.map_or(&[][..], Node::items) {
            let expression = expression.target();
            requirements.push(Requirement {
                key: text_at(expression, "key"),
                operator: match &*text_at(expression, "operator") {
                    "In" => Operator::In,
                    "NotIn" => Operator::NotIn,
                    "Exists" => Operator::Exists,
                    "DoesNotExist" => Operator::DoesNotExist,
                    _ => Operator::Unknown,
                },
                values: expression.get("values").map(texts).unwrap_or_default(),
            });
        }
        LabelSelector(requirements)
    }

    /// The selector of one label with one value.
    pub fn label(key: &str, value: &str) -> LabelSelector {
        LabelSelector(vec![Requirement {
            key: key.into(),
            operator: Operator::In,
            values: vec![value.into()],
        }])
    }

    /// Whether labels are selected.
    pub fn matches(&self, labels: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
        self.0.iter().all(|requirement| {
            let value = labels.get(&requirement.key);
            match requirement.operator {
                Operator::In => value.is_some_and(|v| requirement.values.contains(v)),
                Operator::NotIn => !value.is_some_and(|v| requirement.values.contains(v)),
                Operator::Exists => value.is_some(),
                Operator::DoesNotExist => value.is_none(),
                Operator::Unknown => false,
            }
        })
    }
}

impl Subject {
    /// A ServiceAccount.
    pub fn service_account(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Subject {
        Subject::ServiceAccount {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// A user; the user that a ServiceAccount authenticates as is the
    /// ServiceAccount.
    pub fn user(name: &str) -> Subject {
        let account = name
            .strip_prefix("system:serviceaccount:")
            .and_then(|rest| rest.split_once(':'));
        match account {
            Some((namespace, name)) => Subject::service_account(namespace, name),
            None => Subject::User(name.into()),
        }
    }

    /// Reads a subject of a binding in a namespace; none where it is nobody.
    ///
    /// Compat: a ServiceAccount without a namespace is one of the binding's
    /// own, and nobody in a ClusterRoleBinding (Kubernetes
    /// `pkg/registry/rbac/validation/rule.go`, `appliesToUser`).
    pub fn of(node: &Node, namespace: Option<&Arc<str>>) -> Option<Subject> {
        let node = node.target();
        let name = text_at(node, "name");
        match &*text_at(node, "kind") {
            "User" => Some(Subject::user(&name)),
            "Group" => Some(Subject::Group(name)),
            "ServiceAccount" => {
                let own = text_at(node, "namespace");
                let namespace = if own.is_empty() {
                    namespace?.clone()
                } else {
                    own
                };
                Some(Subject::ServiceAccount { namespace, name })
            }
            _ => None,
        }
    }

    /// The groups that it is in.
    ///
    /// Compat: those that authentication gives: every account is in three.
    pub fn groups(&self) -> Vec<Subject> {
        let group = |name: &str| Subject::Group(name.into());
        match self {
            Subject::ServiceAccount { namespace, .. } => vec![
                group("system:serviceaccounts"),
                group(&format!("system:serviceaccounts:{namespace}")),
                group("system:authenticated"),
            ],
            Subject::User(name) if &**name == "system:anonymous" => {
                vec![group("system:unauthenticated")]
            }
            Subject::User(_) => vec![group("system:authenticated")],
            Subject::Group(name) if name.starts_with("system:serviceaccounts:") => {
                vec![
                    group("system:serviceaccounts"),
                    group("system:authenticated"),
                ]
            }
            Subject::Group(name) if &**name == "system:serviceaccounts" => {
                vec![group("system:authenticated")]
            }
            Subject::Group(_) => Vec::new(),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::ServiceAccount { namespace, name } => {
                write!(f, "ServiceAccount/{namespace}/{name}")
            }
            Subject::User(name) => write!(f, "User/{name}"),
            Subject::Group(name) => write!(f, "Group/{name}"),
        }
    }
}

impl std::fmt::Display for PolicyRule {
    /// In words: `` `get`, `list` `pods` named `web` ``.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |items: &[Arc<str>]| format!("`{}`", items.join("`, `"));
        write!(f, "{} ", list(&self.verbs))?;
        if !self.non_resource_urls.is_empty() {
            return f.write_str(&list(&self.non_resource_urls));
        }
        let resources = self.resources.iter().flat_map(|resource| {
            self.api_groups.iter().map(move |group| match &**group {
                "" => resource.clone(),
                group => format!("{resource}.{group}").into(),
            })
        });
        f.write_str(&list(&resources.collect::<Vec<Arc<str>>>()))?;
        if !self.resource_names.is_empty() {
            write!(f, " named {}", list(&self.resource_names))?;
        }
        Ok(())
    }
}

impl Binding {
    /// Reads a RoleBinding or ClusterRoleBinding; none of anything else.
    pub fn of(object: &Node, namespace: &str) -> Option<Binding> {
        let gvk = Gvk::of(object);
        let namespace: Option<Arc<str>> = match &*gvk.kind {
            _ if &*gvk.group != GROUP => return None,
            "RoleBinding" => Some(namespace.into()),
            "ClusterRoleBinding" => None,
            _ => return None,
        };
        let reference = object.get("roleRef").map(Node::target);
        let subjects = object.get("subjects").map(Node::target);
        let subjects = subjects.map_or(&[][..], Node::items);
        Some(Binding {
            name: name_of(object),
            role: RoleRef {
                // What a ClusterRoleBinding names can only be a ClusterRole.
                cluster: namespace.is_none()
                    || reference.is_some_and(|r| &*text_at(r, "kind") == "ClusterRole"),
                name: reference.map(|r| text_at(r, "name")).unwrap_or_default(),
                span: reference.map_or(object.span(), Node::span),
            },
            subjects: subjects
                .iter()
                .filter_map(|s| Subject::of(s, namespace.as_ref()))
                .collect(),
            namespace,
            span: object.span(),
        })
    }
}

fn name_of(object: &Node) -> Arc<str> {
    let name = object.at_path(&["metadata", "name"]);
    name.and_then(Node::shared_text)
        .cloned()
        .unwrap_or_default()
}

fn text_at(node: &Node, key: &str) -> Arc<str> {
    let value = node.get(key).map(Node::target);
    value
        .and_then(Node::shared_text)
        .cloned()
        .unwrap_or_default()
}

/// The scalars of a list.
fn texts(node: &Node) -> Vec<Arc<str>> {
    let items = node.target().items().iter();
    items
        .filter_map(|item| item.target().shared_text().cloned())
        .collect()
}

/// The entries of a mapping of texts.
fn pairs(node: &Node) -> Vec<(Arc<str>, Arc<str>)> {
    let entries = node.entries().iter();
    entries
        .filter_map(|entry| {
            let key = entry.key.target().shared_text()?.clone();
            Some((key, entry.value.target().shared_text()?.clone()))
        })
        .collect()
}
