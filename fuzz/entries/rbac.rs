//! What must hold for every policy: used by the fuzz target, by the tests that
//! replay its inputs, and by property tests.
//!
//! Bytes are choices: each picks one of a few words, so that rules, requests
//! and names meet often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fluxwright::diag::{FileId, Span};
use fluxwright::rbac::kinds::Resource;
use fluxwright::rbac::least::Least;
use fluxwright::rbac::needs::{self, How, Item};
use fluxwright::rbac::{
    Binding, LabelSelector, Policy, PolicyRule, Request, Rights, Role, RoleRef, Subject,
};
use fluxwright::yaml::{self, Node};

const VERBS: &[&str] = &[
    "get", "list", "create", "patch", "delete", "bind", "escalate", "*",
];
const GROUPS: &[&str] = &["", "apps", "rbac.authorization.k8s.io", "*"];
const RESOURCES: &[&str] = &[
    "pods",
    "pods/exec",
    "configmaps",
    "deployments",
    "roles",
    "*/exec",
    "*",
];
const NAMES: &[&str] = &["one", "two"];
const NAMESPACES: &[&str] = &["x", "y"];
const ROLES: &[&str] = &["alpha", "beta", "gamma"];

/// Choices, until they run out; then always the first.
struct Choices<'d>(&'d [u8]);

impl Choices<'_> {
    fn number(&mut self, below: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % below
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.number(words.len())]
    }

    fn list(&mut self, words: &[&str], least: usize) -> Vec<Arc<str>> {
        let count = least + self.number(3);
        (0..count).map(|_| self.pick(words).into()).collect()
    }

    fn rule(&mut self) -> PolicyRule {
        let named = self.number(4) == 0;
        PolicyRule {
            verbs: self.list(VERBS, 1),
            api_groups: self.list(GROUPS, 1),
            resources: self.list(RESOURCES, 1),
            resource_names: if named {
                self.list(NAMES, 1)
            } else {
                Vec::new()
            },
            ..PolicyRule::default()
        }
    }

    fn rules(&mut self) -> Vec<PolicyRule> {
        (0..self.number(4)).map(|_| self.rule()).collect()
    }

    fn role(&mut self) -> Role {
        let cluster = self.number(2) == 0;
        let mut labels = BTreeMap::new();
        if self.number(2) == 0 {
            labels.insert("part".into(), self.pick(ROLES).into());
        }
        let aggregated = cluster && self.number(3) == 0;
        Role {
            namespace: (!cluster).then(|| self.pick(NAMESPACES).into()),
            name: self.pick(ROLES).into(),
            labels,
            rules: self.rules(),
            aggregation: aggregated.then(|| vec![LabelSelector::label("part", self.pick(ROLES))]),
        }
    }

    fn subject(&mut self) -> Subject {
        match self.number(4) {
            0 | 1 => Subject::service_account(self.pick(NAMESPACES), self.pick(NAMES)),
            2 => Subject::user(&format!(
                "system:serviceaccount:{}:{}",
                self.pick(NAMESPACES),
                self.pick(NAMES)
            )),
            _ => Subject::Group(format!("system:serviceaccounts:{}", self.pick(NAMESPACES)).into()),
        }
    }

    fn binding(&mut self) -> Binding {
        let namespace: Option<Arc<str>> =
            (self.number(2) == 0).then(|| self.pick(NAMESPACES).into());
        Binding {
            role: RoleRef {
                cluster: namespace.is_none() || self.number(2) == 0,
                name: self.pick(ROLES).into(),
                span: Span::NONE,
            },
            subjects: (0..=self.number(2)).map(|_| self.subject()).collect(),
            namespace,
            ..Binding::default()
        }
    }
}

/// Asks two evaluators the same, one of which is slow and plain; then lets the
/// least Roles give what is missing.
pub(crate) fn evaluate(data: &[u8]) {
    let mut choices = Choices(data);
    let roles: Vec<Role> = (0..choices.number(6)).map(|_| choices.role()).collect();
    let bindings: Vec<Binding> = (0..choices.number(6)).map(|_| choices.binding()).collect();
    let policy = Policy::new(roles.clone(), bindings.clone(), None);
    let account = Subject::service_account(choices.pick(NAMESPACES), choices.pick(NAMES));
    let rights = policy.rights(&account);
    for verb in VERBS {
        for group in GROUPS {
            for resource in RESOURCES {
                for namespace in ["", "x", "y"] {
                    for name in ["", "one", "three"] {
                        let request = Request {
                            verb,
                            group,
                            resource,
                            namespace,
                            name,
                        };
                        assert_eq!(
                            rights.allows(request).is_some(),
                            slow(&roles, &bindings, &account, request),
                            "{account} {request:?}\n{roles:#?}\n{bindings:#?}"
                        );
                    }
                }
            }
        }
    }
    // A rule for a name may give what another asks for without one.
    let mut written = choices.rules();
    for rule in &mut written {
        rule.resource_names.clear();
    }
    least(&roles, &bindings, &account, &mut choices, &written);
}

/// Whether somebody may do something: reads all bindings, one after the other.
fn slow(roles: &[Role], bindings: &[Binding], who: &Subject, request: Request<'_>) -> bool {
    let Subject::ServiceAccount { namespace, name } = who else {
        return false;
    };
    let is_meant = |subject: &Subject| match subject {
        Subject::Group(group) => **group == *format!("system:serviceaccounts:{namespace}"),
        Subject::ServiceAccount {
            namespace: of,
            name: own,
        } => of == namespace && own == name,
        Subject::User(_) => false,
    };
    bindings.iter().any(|binding| {
        let here = match &binding.namespace {
            None => true,
            Some(of) => **of == *request.namespace,
        };
        if !here || !binding.subjects.iter().any(is_meant) {
            return false;
        }
        let in_namespace = if binding.role.cluster {
            None
        } else {
            binding.namespace.as_ref()
        };
        let named = |role: &&Role| {
            role.namespace.as_ref() == in_namespace && role.name == binding.role.name
        };
        // The later of two wins.
        let role = roles.iter().rev().find(named);
        role.is_some_and(|role| all_rules(roles, role).iter().any(|r| permits(r, request)))
    })
}

/// The rules of a role; of an aggregated one, those of all that it selects,
/// until nothing is added.
fn all_rules(roles: &[Role], role: &Role) -> Vec<PolicyRule> {
    if role.aggregation.is_none() {
        return role.rules.clone();
    }
    let there = |name: &str| {
        let mut cluster = roles.iter().rev();
        cluster.find(|r| r.namespace.is_none() && *r.name == *name)
    };
    let mut selected: BTreeSet<&str> = BTreeSet::from([&*role.name]);
    loop {
        let before = selected.len();
        for name in ROLES {
            let by = |of: &&str| {
                let aggregation = there(of).and_then(|r| r.aggregation.as_ref());
                let labels = there(name).map(|r| &r.labels);
                match (aggregation, labels) {
                    (Some(selectors), Some(labels)) => selectors.iter().any(|s| s.matches(labels)),
                    _ => false,
                }
            };
            if selected.iter().any(by) {
                selected.insert(name);
            }
        }
        if selected.len() == before {
            break;
        }
    }
    let plain = selected.iter().filter_map(|name| there(name));
    let plain = plain.filter(|role| role.aggregation.is_none());
    plain.flat_map(|role| role.rules.clone()).collect()
}

fn permits(rule: &PolicyRule, request: Request<'_>) -> bool {
    let any =
        |list: &[Arc<str>], item: &str| list.iter().any(|own| &**own == "*" || **own == *item);
    let sub = request
        .resource
        .split('/')
        .nth(1)
        .map(|sub| format!("*/{sub}"));
    any(&rule.verbs, request.verb)
        && any(&rule.api_groups, request.group)
        && (any(&rule.resources, request.resource)
            || sub.is_some_and(|sub| rule.resources.iter().any(|own| **own == *sub)))
        && (rule.resource_names.is_empty()
            || rule
                .resource_names
                .iter()
                .any(|name| **name == *request.name))
}

/// The kinds of objects that are applied, with their groups and resources.
const KINDS: &[(&str, &str, &str)] = &[
    ("", "ConfigMap", "configmaps"),
    ("", "Pod", "pods"),
    ("apps", "Deployment", "deployments"),
];

/// What is missing is given by the least Roles; without one of their verbs, it
/// is missing again.
fn least(
    roles: &[Role],
    bindings: &[Binding],
    account: &Subject,
    choices: &mut Choices<'_>,
    written: &[PolicyRule],
) {
    let object = Node::mapping(Vec::new(), Span::NONE);
    let role = role_of(written);
    let mut items: Vec<Item<'_>> = (0..choices.number(5))
        .map(|_| {
            let (group, kind, resource) = KINDS[choices.number(KINDS.len())];
            Item {
                group,
                kind,
                resource: Resource::named(resource),
                namespace: choices.pick(NAMESPACES),
                name: choices.pick(NAMES),
                node: &object,
                waited: choices.number(3) == 0,
            }
        })
        .collect();
    items.push(Item {
        group: "rbac.authorization.k8s.io",
        kind: "Role",
        resource: Resource::named("roles"),
        namespace: "x",
        name: "written",
        node: &role,
        waited: false,
    });
    let how = match choices.number(3) {
        0 => How::Kustomization {
            prune: true,
            lists: false,
        },
        1 => How::Kustomization {
            prune: false,
            lists: true,
        },
        _ => How::Helm {
            storage: "y",
            creates: Some("x"),
        },
    };
    let asked = |policy: &Policy, rights: &Rights<'_>| {
        let mut least = Least::default();
        for lack in needs::lacking(rights, how, &items) {
            least.add(lack.namespace, lack.verb, &lack.group, &lack.resource);
        }
        for escalation in needs::escalations(policy, rights, &items) {
            for rule in &escalation.missing {
                least.add_rule(items[escalation.item].namespace, rule);
            }
        }
        least
    };
    let with = |extra: &[Node]| {
        let namespace = |node: &Node| {
            let namespace = node.at_path(&["metadata", "namespace"]);
            namespace
                .and_then(Node::text)
                .unwrap_or_default()
                .to_owned()
        };
        Policy::new(
            roles
                .iter()
                .cloned()
                .chain(extra.iter().filter_map(|n| Role::of(n, &namespace(n)))),
            bindings
                .iter()
                .cloned()
                .chain(extra.iter().filter_map(|n| Binding::of(n, &namespace(n)))),
            None,
        )
    };
    let policy = with(&[]);
    let least = asked(&policy, &policy.rights(account));
    let mut objects = least.objects(account);
    let mended = with(&objects);
    assert!(
        asked(&mended, &mended.rights(account)).is_empty(),
        "{least:#?}"
    );
    // Who may escalate needs none of the rights that the written Role gives.
    let escalate = Request {
        verb: "escalate",
        group: "rbac.authorization.k8s.io",
        resource: "roles",
        namespace: "x",
        name: "written",
    };
    if least.is_empty() || mended.rights(account).allows(escalate).is_some() {
        return;
    }
    // Without a verb of one of its rules, something is missing again.
    let which = choices.number(objects.len() / 2) * 2;
    let rules = objects[which]
        .get_mut("rules")
        .and_then(Node::items_mut)
        .unwrap();
    let rule = choices.number(rules.len());
    let verbs = rules[rule]
        .get_mut("verbs")
        .and_then(Node::items_mut)
        .unwrap();
    let verb = choices.number(verbs.len());
    verbs.remove(verb);
    let spoilt = with(&objects);
    assert!(
        !asked(&spoilt, &spoilt.rights(account)).is_empty(),
        "{least:#?}"
    );
}

/// A Role with these rules, as an object.
fn role_of(rules: &[PolicyRule]) -> Node {
    let mut text = String::from(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: written}\nrules:\n",
    );
    let list = |items: &[Arc<str>]| format!("['{}']", items.join("', '"));
    for rule in rules {
        text.push_str(&format!(
            "- {{verbs: {}, apiGroups: {}, resources: {}",
            list(&rule.verbs),
            list(&rule.api_groups),
            list(&rule.resources)
        ));
        if !rule.resource_names.is_empty() {
            text.push_str(&format!(", resourceNames: {}", list(&rule.resource_names)));
        }
        text.push_str("}\n");
    }
    yaml::parse(&text, FileId::default())
        .unwrap()
        .remove(0)
        .root
}
