//! What Flux has to be allowed to do for the objects that it applies.
//!
//! In: objects, and how they are applied. Out: what the account that applies
//! them lacks.
//!
//! Compat: which requests are made follows fluxcd/pkg's `ssa` (get, then a
//! server-side apply, which is a patch that asks for `create` as well where the
//! object is new), kustomize-controller's garbage collection (delete) and
//! status poller (lists of the ReplicaSets and Pods behind what is waited for; of
//! that itself where a feature gate says so), and Helm's storage driver (Secrets of the release).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::escalation;
use super::kinds::Resource;
use super::model::{Binding, GROUP, PolicyRule, Role, RoleRef};
use super::policy::{Policy, Request, Rights};
use crate::yaml::Node;

/// An object that is applied.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// Its API group.
    pub group: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// The resource that rules call it by.
    pub resource: Resource<'a>,
    /// The namespace that it ends up in; empty for what has none.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Itself.
    pub node: &'a Node,
    /// Whether its health is waited for.
    pub waited: bool,
}

/// How objects are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How<'a> {
    /// By a Kustomization.
    Kustomization {
        /// Whether it deletes what is no longer there.
        prune: bool,
        /// Whether it lists what it waits for, rather than reading each
        /// object.
        lists: bool,
    },
    /// By a HelmRelease.
    Helm {
        /// The namespace that the release's state is stored in.
        storage: &'a str,
        /// The namespace that it makes, if it is told to.
        creates: Option<&'a str>,
    },
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To apply it: nothing works without.
    Apply,
    /// To write down what a release is: nothing works without.
    Store,
    /// To delete it once it is gone from the source.
    Prune,
    /// To see whether it is healthy.
    Wait,
}

/// Something that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack<'a> {
    /// What for.
    pub purpose: Purpose,
    /// The verb.
    pub verb: &'static str,
    /// The API group.
    pub group: Cow<'a, str>,
    /// The resource.
    pub resource: Cow<'a, str>,
    /// The namespace; empty for the cluster.
    pub namespace: &'a str,
    /// The objects that it is about, by their place in the list; empty for
    /// what is not about one of them.
    pub items: Vec<usize>,
}

/// A role or binding that may not be written, for it gives rights that its
/// writer does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// Its place in the list.
    pub item: usize,
    /// The rights that are missing, in the namespace of the object.
    pub missing: Vec<PolicyRule>,
}

/// A group, a resource and a namespace.
type Place<'a> = (&'a str, Resource<'a>, &'a str);

/// Who asks for rights: answers with what is lacking.
struct Asking<'r, 'p, 'a> {
    rights: &'r Rights<'p>,
    items: &'r [Item<'a>],
    found: Vec<Lack<'a>>,
}

/// What somebody with these rights lacks to apply objects.
pub fn lacking<'a>(rights: &Rights<'_>, how: How<'a>, items: &[Item<'a>]) -> Vec<Lack<'a>> {
    let mut asking = Asking {
        rights,
        items,
        found: Vec::new(),
    };
    let mut places: BTreeMap<Place<'a>, Vec<usize>> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        let place = (item.group, item.resource.clone(), item.namespace);
        places.entry(place).or_default().push(index);
    }
    for (place, members) in &places {
        asking.place(place, members, how);
    }
    if let How::Helm { storage, creates } = how {
        for verb in ["get", "list", "create", "update"] {
            asking.alone(Purpose::Store, verb, "", "secrets", storage);
        }
        asking.alone(Purpose::Prune, "delete", "", "secrets", storage);
        if let Some(namespace) = creates {
            asking.alone(Purpose::Apply, "get", "", "namespaces", namespace);
            asking.alone(Purpose::Apply, "create", "", "namespaces", "");
        }
    }
    asking.found
}

impl<'a> Asking<'_, '_, 'a> {
    /// Asks for all verbs on the objects of one resource in one namespace.
    fn place(&mut self, place: &Place<'a>, members: &[usize], how: How<'a>) {
        let (group, resource, namespace) = place;
        let applied = self.those(members, |item| !is_left_alone(item.node));
        let read = self.those(members, |_| true);
        // Compat: a request about a namespace is a request in that namespace
        // (k8s.io/apiserver `requestinfo.go`), save the question whether it
        // may be created.
        let namespaces = group.is_empty() && resource.name == "namespaces";
        let groups: Vec<(&'a str, Vec<usize>)> = if namespaces {
            let own = |i: &usize| self.items.get(*i).map(|item| (item.name, vec![*i]));
            members.iter().filter_map(own).collect()
        } else {
            vec![(namespace, members.to_vec())]
        };
        for (space, members) in &groups {
            let among = |list: &[usize]| -> Vec<usize> {
                list.iter()
                    .filter(|i| members.contains(i))
                    .copied()
                    .collect()
            };
            self.ask(Purpose::Apply, "get", place, space, &among(&read));
            self.ask(Purpose::Apply, "patch", place, space, &among(&applied));
            let deletes = match how {
                How::Kustomization { prune, .. } => prune,
                How::Helm { .. } => true,
            };
            if deletes {
                let pruned = self.those(members, |item| !is_kept(item.node));
                self.ask(Purpose::Prune, "delete", place, space, &pruned);
            }
        }
        self.ask(Purpose::Apply, "create", place, namespace, &applied);
        let waited = self.those(members, |item| item.waited);
        if waited.is_empty() {
            return;
        }
        if matches!(how, How::Kustomization { lists: true, .. }) {
            self.list(place, &waited);
        }
        let behind: &[(&str, &str)] = match (*group, &*resource.name) {
            ("apps", "deployments") => &[("apps", "replicasets"), ("", "pods")],
            ("apps", "statefulsets" | "replicasets") => &[("", "pods")],
            _ => &[],
        };
        for (group, resource) in behind {
            self.list(&(group, Resource::named(resource), namespace), &waited);
        }
    }

    fn those(&self, members: &[usize], wanted: impl Fn(&Item<'a>) -> bool) -> Vec<usize> {
        let members = members.iter().copied();
        members
            .filter(|i| self.items.get(*i).is_some_and(&wanted))
            .collect()
    }

    /// Asks for a verb on named objects.
    fn ask(
        &mut self,
        purpose: Purpose,
        verb: &'static str,
        (group, resource, _): &Place<'a>,
        namespace: &'a str,
        members: &[usize],
    ) {
        let may = |name: &str| {
            resource.candidates().iter().any(|resource| {
                let request = Request {
                    verb,
                    group,
                    resource,
                    namespace,
                    name,
                };
                self.rights.allows(request).is_some()
            })
        };
        // Rules for all names are the usual ones: asked once for all objects.
        if members.is_empty() || may("") {
            return;
        }
        let items = self.those(members, |item| !may(item.name));
        if !items.is_empty() {
            self.found.push(Lack {
                purpose,
                verb,
                group: Cow::Borrowed(group),
                resource: resource.name.clone(),
                namespace,
                items,
            });
        }
    }

    /// Asks for a list of a resource in a namespace.
    fn list(&mut self, (group, resource, namespace): &Place<'a>, members: &[usize]) {
        let may = resource.candidates().iter().any(|resource| {
            let request = Request {
                verb: "list",
                group,
                resource,
                namespace,
                name: "",
            };
            self.rights.allows(request).is_some()
        });
        let same = |lack: &Lack<'_>| {
            lack.verb == "list"
                && (&*lack.group, &*lack.resource) == (*group, &*resource.name)
                && lack.namespace == *namespace
        };
        if may {
        } else if let Some(known) = self.found.iter_mut().find(|lack| same(lack)) {
            known.items.extend(members);
        } else {
            self.found.push(Lack {
                purpose: Purpose::Wait,
                verb: "list",
                group: Cow::Borrowed(group),
                resource: resource.name.clone(),
                namespace,
                items: members.to_vec(),
            });
        }
    }

    /// Asks for something that is about none of the objects.
    fn alone(
        &mut self,
        purpose: Purpose,
        verb: &'static str,
        group: &'static str,
        resource: &'static str,
        namespace: &'a str,
    ) {
        let request = Request {
            verb,
            group,
            resource,
            namespace,
            name: "",
        };
        if self.rights.allows(request).is_none() {
            self.found.push(Lack {
                purpose,
                verb,
                group: Cow::Borrowed(group),
                resource: Cow::Borrowed(resource),
                namespace,
                items: Vec::new(),
            });
        }
    }
}

/// Roles and bindings among the objects that the API server would refuse.
///
/// A binding of a role that is nowhere to be seen is left alone: only the
/// cluster knows what it gives.
pub fn escalations(policy: &Policy, rights: &Rights<'_>, items: &[Item<'_>]) -> Vec<Escalation> {
    let mut found = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if item.group != GROUP || is_left_alone(item.node) {
            continue;
        }
        let missing = if let Some(role) = Role::of(item.node, item.namespace) {
            escalation::role_missing(
                rights,
                role.namespace.as_deref(),
                &role.name,
                &role.rules,
                role.aggregation.is_some(),
            )
        } else if let Some(binding) = Binding::of(item.node, item.namespace) {
            let role: &RoleRef = &binding.role;
            let namespace: Option<&Arc<str>> = binding.namespace.as_ref();
            escalation::binding_missing(policy, rights, namespace, role).unwrap_or_default()
        } else {
            continue;
        };
        if !missing.is_empty() {
            found.push(Escalation {
                item: index,
                missing,
            });
        }
    }
    found
}

/// A label or annotation of Flux on an object.
fn marked(object: &Node, key: &str, values: &[&str]) -> bool {
    ["annotations", "labels"].iter().any(|field| {
        let value = object.at_path(&["metadata", field]).map(Node::target);
        let value = value.and_then(|map| map.get(key)).and_then(Node::text);
        value.is_some_and(|value| values.iter().any(|v| v.eq_ignore_ascii_case(value)))
    })
}

/// Whether Flux is told not to write an object.
fn is_left_alone(object: &Node) -> bool {
    marked(
        object,
        "kustomize.toolkit.fluxcd.io/reconcile",
        &["disabled"],
    ) || marked(object, "kustomize.toolkit.fluxcd.io/ssa", &["Ignore"])
}

/// Whether Flux or Helm is told not to delete an object.
fn is_kept(object: &Node) -> bool {
    is_left_alone(object)
        || marked(object, "kustomize.toolkit.fluxcd.io/prune", &["disabled"])
        || marked(object, "helm.sh/resource-policy", &["keep"])
}
