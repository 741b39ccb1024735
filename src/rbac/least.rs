//! The least Roles that give what is asked for.
//!
//! In: rights, each in a namespace or in the cluster, as they turn out to be
//! needed. Out: for each namespace one Role and one RoleBinding, for the
//! cluster a ClusterRole and a ClusterRoleBinding, with no verb and no resource
//! beyond what was asked for. They name no objects: the next one that is added
//! would need another Role.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::model::{GROUP, PolicyRule, Subject};
use crate::diag::Span;
use crate::yaml::Node;

/// What a rule is about: a group, a resource and a name (empty for all), or an
/// address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Resource(Arc<str>, Arc<str>, Arc<str>),
    Url(Arc<str>),
}

/// The verbs for each thing.
type Rules = BTreeMap<What, BTreeSet<Arc<str>>>;

/// Rights that are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Least {
    namespaces: BTreeMap<Arc<str>, Rules>,
}

impl Least {
    /// Asks for a verb on a resource in a namespace; in the cluster where it is
    /// empty.
    pub fn add(&mut self, namespace: &str, verb: &str, group: &str, resource: &str) {
        let what = What::Resource(group.into(), resource.into(), "".into());
        self.insert(namespace, what, verb);
    }

    /// Asks for all that a rule gives.
    pub fn add_rule(&mut self, namespace: &str, rule: &PolicyRule) {
        let all: [Arc<str>; 1] = ["".into()];
        let names = if rule.resource_names.is_empty() {
            &all
        } else {
            rule.resource_names.as_slice()
        };
        for verb in &rule.verbs {
            for url in &rule.non_resource_urls {
                self.insert(namespace, What::Url(url.clone()), verb);
            }
            for group in &rule.api_groups {
                for resource in &rule.resources {
                    for name in names {
                        let what = What::Resource(group.clone(), resource.clone(), name.clone());
                        self.insert(namespace, what, verb);
                    }
                }
            }
        }
    }

    fn insert(&mut self, namespace: &str, what: What, verb: &str) {
        let rules = self.namespaces.entry(namespace.into()).or_default();
        rules.entry(what).or_default().insert(verb.into());
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.namespaces.is_empty()
    }

    /// The rules, for each namespace: resources with the same verbs stand
    /// together.
    pub fn rules(&self) -> Vec<(Arc<str>, Vec<PolicyRule>)> {
        let namespaces = self.namespaces.iter();
        namespaces
            .map(|(namespace, rules)| (namespace.clone(), together(&self.needed(namespace, rules))))
            .filter(|(_, rules)| !rules.is_empty())
            .collect()
    }

    /// What nothing wider gives already: a rule for everything of a kind, or
    /// one for the whole cluster.
    fn needed(&self, namespace: &Arc<str>, rules: &Rules) -> Rules {
        let mut needed = Rules::new();
        for (what, verbs) in rules {
            for verb in verbs {
                if !self.is_given(namespace, what, verb) {
                    needed.entry(what.clone()).or_default().insert(verb.clone());
                }
            }
        }
        needed
    }

    fn is_given(&self, namespace: &Arc<str>, what: &What, verb: &Arc<str>) -> bool {
        let all: Arc<str> = "*".into();
        let cluster: Arc<str> = "".into();
        let mut wider: Vec<What> = vec![what.clone()];
        match what {
            What::Url(url) => {
                let rules = [namespace, &cluster]
                    .into_iter()
                    .filter_map(|n| self.namespaces.get(n));
                let urls = rules.flat_map(BTreeMap::keys).filter(|other| match other {
                    What::Url(other) => {
                        let stem = other.strip_suffix('*');
                        other != url && stem.is_some_and(|stem| url.starts_with(stem))
                    }
                    What::Resource(..) => false,
                });
                wider.extend(urls.cloned());
            }
            What::Resource(group, resource, name) => {
                let sub = resource
                    .split_once('/')
                    .map(|(_, sub)| format!("*/{sub}").into());
                let resources = [Some(resource.clone()), Some(all.clone()), sub];
                for resource in resources.into_iter().flatten() {
                    for group in [group, &all] {
                        for name in [name.clone(), "".into()] {
                            let what = What::Resource(group.clone(), resource.clone(), name);
                            wider.push(what);
                        }
                    }
                }
            }
        }
        [namespace, &cluster].into_iter().any(|space| {
            let rules = self.namespaces.get(space);
            wider.iter().any(|other| {
                let verbs = rules.and_then(|rules| rules.get(other));
                [verb, &all].into_iter().any(|given| {
                    let itself = (space, other, given) == (namespace, what, verb);
                    !itself && verbs.is_some_and(|verbs| verbs.contains(given))
                })
            })
        })
    }

    /// The objects: roles with their bindings, named `NAME-apply`, for one
    /// account.
    pub fn objects(&self, subject: &Subject) -> Vec<Node> {
        let name = match subject {
            Subject::ServiceAccount { name, .. } | Subject::User(name) | Subject::Group(name) => {
                format!("{name}-apply")
            }
        };
        let mut objects = Vec::new();
        for (namespace, rules) in self.rules() {
            objects.push(role(&namespace, &name, &rules));
            objects.push(binding(&namespace, &name, subject));
        }
        objects
    }
}

/// Rules for what has the same group, name and verbs are one rule.
fn together(rules: &Rules) -> Vec<PolicyRule> {
    type Key<'a> = (bool, &'a str, &'a str, &'a BTreeSet<Arc<str>>);
    let mut groups: BTreeMap<Key<'_>, PolicyRule> = BTreeMap::new();
    for (what, verbs) in rules {
        match what {
            What::Resource(group, resource, name) => {
                let rule = groups.entry((false, group, name, verbs)).or_default();
                rule.api_groups = vec![group.clone()];
                rule.resources.push(resource.clone());
                if !name.is_empty() {
                    rule.resource_names = vec![name.clone()];
                }
                rule.verbs = in_order(verbs);
            }
            What::Url(url) => {
                let rule = groups.entry((true, "", "", verbs)).or_default();
                rule.non_resource_urls.push(url.clone());
                rule.verbs = in_order(verbs);
            }
        }
    }
    groups.into_values().collect()
}

/// Verbs in the order in which people write them.
fn in_order(verbs: &BTreeSet<Arc<str>>) -> Vec<Arc<str>> {
    const USUAL: [&str; 7] = [
        "get", "list", "watch", "create", "update", "patch", "delete",
    ];
    let place = |verb: &Arc<str>| {
        USUAL
            .iter()
            .position(|u| *u == &**verb)
            .unwrap_or(USUAL.len())
    };
    let mut verbs: Vec<Arc<str>> = verbs.iter().cloned().collect();
    verbs.sort_by_key(place);
    verbs
}

fn text(text: &str) -> Node {
    Node::string(text, Span::NONE)
}

fn list(items: &[Arc<str>]) -> Node {
    Node::sequence(items.iter().map(|item| text(item)).collect(), Span::NONE)
}

fn map(entries: Vec<(&str, Node)>) -> Node {
    let mut node = Node::mapping(Vec::new(), Span::NONE);
    for (key, value) in entries {
        node.set(key, value);
    }
    node
}

fn head(kind: &str, namespace: &str, name: &str) -> Vec<(&'static str, Node)> {
    let cluster = if namespace.is_empty() { "Cluster" } else { "" };
    let mut metadata = vec![("name", text(name))];
    if !namespace.is_empty() {
        metadata.push(("namespace", text(namespace)));
    }
    vec![
        ("apiVersion", text(&format!("{GROUP}/v1"))),
        ("kind", text(&format!("{cluster}{kind}"))),
        ("metadata", map(metadata)),
    ]
}

fn role(namespace: &str, name: &str, rules: &[PolicyRule]) -> Node {
    let rules = rules.iter().map(|rule| {
        let fields = [
            ("apiGroups", &rule.api_groups),
            ("resources", &rule.resources),
            ("resourceNames", &rule.resource_names),
            ("nonResourceURLs", &rule.non_resource_urls),
            ("verbs", &rule.verbs),
        ];
        let written = fields.into_iter().filter(|(_, items)| !items.is_empty());
        map(written.map(|(key, items)| (key, list(items))).collect())
    });
    let mut entries = head("Role", namespace, name);
    entries.push(("rules", Node::sequence(rules.collect(), Span::NONE)));
    map(entries)
}

fn binding(namespace: &str, name: &str, subject: &Subject) -> Node {
    let cluster = if namespace.is_empty() { "Cluster" } else { "" };
    let subject = match subject {
        Subject::ServiceAccount { namespace, name } => vec![
            ("kind", text("ServiceAccount")),
            ("name", text(name)),
            ("namespace", text(namespace)),
        ],
        Subject::User(name) | Subject::Group(name) => {
            let user = matches!(subject, Subject::User(_));
            vec![
                ("apiGroup", text(GROUP)),
                ("kind", text(if user { "User" } else { "Group" })),
                ("name", text(name)),
            ]
        }
    };
    let mut entries = head("RoleBinding", namespace, name);
    entries.push((
        "roleRef",
        map(vec![
            ("apiGroup", text(GROUP)),
            ("kind", text(&format!("{cluster}Role"))),
            ("name", text(name)),
        ]),
    ));
    entries.push(("subjects", Node::sequence(vec![map(subject)], Span::NONE)));
    map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rbac::{Binding, Policy, Request, Role};
    use crate::yaml::emit;

    #[test]
    fn the_least_roles_say_no_more_than_was_asked() {
        let mut least = Least::default();
        for verb in ["patch", "get", "create"] {
            least.add("team", verb, "apps", "deployments");
            least.add("team", verb, "apps", "statefulsets");
        }
        least.add("team", "get", "", "services");
        least.add("", "get", "", "namespaces");
        let subject = Subject::service_account("flux-system", "team");
        let mut out = String::new();
        for object in least.objects(&subject) {
            out.push_str("---\n");
            emit::sorted(&object, &mut out).unwrap();
        }
        insta::assert_snapshot!(out, @r#"
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata:
          name: team-apply
        rules:
        - apiGroups:
          - ""
          resources:
          - namespaces
          verbs:
          - get
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata:
          name: team-apply
        roleRef:
          apiGroup: rbac.authorization.k8s.io
          kind: ClusterRole
          name: team-apply
        subjects:
        - kind: ServiceAccount
          name: team
          namespace: flux-system
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata:
          name: team-apply
          namespace: team
        rules:
        - apiGroups:
          - ""
          resources:
          - services
          verbs:
          - get
        - apiGroups:
          - apps
          resources:
          - deployments
          - statefulsets
          verbs:
          - get
          - create
          - patch
        ---
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata:
          name: team-apply
          namespace: team
        roleRef:
          apiGroup: rbac.authorization.k8s.io
          kind: Role
          name: team-apply
        subjects:
        - kind: ServiceAccount
          name: team
          namespace: flux-system
        "#);

        let objects = least.objects(&subject);
        let read = |object: &Node| {
            object
                .at_path(&["metadata", "namespace"])
                .and_then(Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        let policy = Policy::new(
            objects.iter().filter_map(|o| Role::of(o, &read(o))),
            objects.iter().filter_map(|o| Binding::of(o, &read(o))),
            None,
        );
        let rights = policy.rights(&subject);
        let may = |verb, group, resource, namespace| {
            let request = Request {
                verb,
                group,
                resource,
                namespace,
                name: "x",
            };
            rights.allows(request).is_some()
        };
        assert!(may("patch", "apps", "statefulsets", "team"));
        assert!(may("get", "", "namespaces", "anywhere"));
        assert!(!may("patch", "", "services", "team"));
        assert!(!may("get", "apps", "deployments", "other"));
    }

    #[test]
    fn rules_that_are_missing_are_asked_for_as_they_are() {
        let rules = crate::rbac::tests::rules(
            "[{apiGroups: [''], resources: [secrets], resourceNames: [db], verbs: [get]}, {nonResourceURLs: [/metrics], verbs: [get]}]",
        );
        let mut least = Least::default();
        for rule in &rules {
            least.add_rule("", rule);
        }
        let same = |rules: &[PolicyRule]| -> Vec<PolicyRule> {
            let rules = rules.iter().cloned();
            rules
                .map(|rule| PolicyRule {
                    span: Span::NONE,
                    ..rule
                })
                .collect()
        };
        assert_eq!(least.rules(), [("".into(), same(&rules))]);
    }
}
