//! All roles and bindings of a cluster, and what they allow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use foldhash::HashMap;

use super::builtin::BuiltIn;
use super::model::{Binding, PolicyRule, Role, RoleRef, Subject};

/// A namespace, none for a ClusterRole; and a name.
type RoleKey = (Option<Arc<str>>, Arc<str>);

/// Who may do what in a cluster.
#[derive(Debug, Default)]
pub struct Policy {
    roles: BTreeMap<RoleKey, Role>,
    /// What aggregated ClusterRoles come to.
    aggregated: BTreeMap<Arc<str>, Vec<PolicyRule>>,
    bindings: Vec<Binding>,
    /// The bindings of a subject, by their place in the list.
    by_subject: HashMap<Subject, Vec<usize>>,
}

/// Something that somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request<'r> {
    /// `get`, `patch`, …
    pub verb: &'r str,
    /// The API group; empty for the core group.
    pub group: &'r str,
    /// The resource, with its subresource: `pods`, `pods/exec`.
    pub resource: &'r str,
    /// The namespace; empty for what is not in one.
    pub namespace: &'r str,
    /// The object; empty where it is not about one (`list`, `create` by POST).
    pub name: &'r str,
}

/// A rule that somebody has, and the binding that gives it.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'p> {
    /// The rule.
    pub rule: &'p PolicyRule,
    /// What gives it.
    pub binding: &'p Binding,
}

/// Everything that one subject may do.
#[derive(Clone, Debug, Default)]
pub struct Rights<'p> {
    everywhere: Vec<Grant<'p>>,
    namespaces: BTreeMap<&'p str, Vec<Grant<'p>>>,
}

impl Policy {
    /// The policy that these roles and bindings make, with what Kubernetes
    /// brings; with `flux`, Flux's controllers run in that namespace with the
    /// rights that an installation gives them.
    ///
    /// A role wins over a built-in one of its name, a later one over an earlier.
    pub fn new(
        roles: impl IntoIterator<Item = Role>,
        bindings: impl IntoIterator<Item = Binding>,
        flux: Option<&str>,
    ) -> Policy {
        let built_in = BuiltIn::read(flux);
        let mut policy = Policy::default();
        for role in built_in.roles.into_iter().chain(roles) {
            let key = (role.namespace.clone(), role.name.clone());
            policy.roles.insert(key, role);
        }
        policy.bindings = built_in.bindings;
        policy.bindings.extend(bindings);
        for (index, binding) in policy.bindings.iter().enumerate() {
            for subject in &binding.subjects {
                let places = policy.by_subject.entry(subject.clone()).or_default();
                if places.last() != Some(&index) {
                    places.push(index);
                }
            }
        }
        policy.aggregate();
        policy
    }

    /// Works out what aggregated ClusterRoles come to: the rules of all roles
    /// that they select, at any remove.
    fn aggregate(&mut self) {
        let cluster: Vec<&Role> = self
            .roles
            .values()
            .filter(|role| role.namespace.is_none())
            .collect();
        let mut aggregated = BTreeMap::new();
        for role in cluster.iter().filter(|r| r.aggregation.is_some()) {
            let mut seen: BTreeSet<&str> = BTreeSet::new();
            let mut open = vec![*role];
            let mut rules: Vec<PolicyRule> = Vec::new();
            while let Some(role) = open.pop() {
                if !seen.insert(&role.name) {
                    continue;
                }
                match &role.aggregation {
                    None => rules.extend_from_slice(&role.rules),
                    Some(selectors) => open.extend(
                        cluster
                            .iter()
                            .filter(|r| selectors.iter().any(|s| s.matches(&r.labels))),
                    ),
                }
            }
            aggregated.insert(role.name.clone(), rules);
        }
        self.aggregated = aggregated;
    }

    /// All bindings, the built-in ones first.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// All roles, ClusterRoles first, by name.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    /// The rules of a role: of an aggregated one, those that it comes to.
    pub fn rules(&self, role: &Role) -> &[PolicyRule] {
        match role.aggregation {
            Some(_) => self.aggregated.get(&role.name).map_or(&[], Vec::as_slice),
            None => self
                .roles
                .get(&(role.namespace.clone(), role.name.clone()))
                .map_or(&[], |role| &role.rules),
        }
    }

    /// The role that a binding in a namespace names.
    pub fn role(&self, reference: &RoleRef, namespace: Option<&Arc<str>>) -> Option<&Role> {
        let namespace = if reference.cluster { None } else { namespace };
        self.roles
            .get(&(namespace.cloned(), reference.name.clone()))
    }

    /// Everything that a subject may do, by itself and through its groups.
    pub fn rights(&self, subject: &Subject) -> Rights<'_> {
        let groups = subject.groups();
        let places: BTreeSet<usize> = std::iter::once(subject)
            .chain(&groups)
            .filter_map(|subject| self.by_subject.get(subject))
            .flatten()
            .copied()
            .collect();
        let mut rights = Rights::default();
        for binding in places.iter().filter_map(|i| self.bindings.get(*i)) {
            let namespace = binding.namespace.as_ref();
            let Some(role) = self.role(&binding.role, namespace) else {
                continue;
            };
            let grants = self.rules(role).iter().map(|rule| Grant { rule, binding });
            match namespace {
                None => rights.everywhere.extend(grants),
                Some(namespace) => rights
                    .namespaces
                    .entry(namespace)
                    .or_default()
                    .extend(grants),
            }
        }
        rights
    }

    /// All subjects that something is bound to.
    pub fn subjects(&self) -> BTreeSet<&Subject> {
        self.bindings.iter().flat_map(|b| &b.subjects).collect()
    }
}

impl<'p> Rights<'p> {
    /// What holds in a namespace; for an empty one, what holds in the cluster.
    pub fn grants(&self, namespace: &str) -> impl Iterator<Item = Grant<'p>> {
        let own = self
            .namespaces
            .get(namespace)
            .filter(|_| !namespace.is_empty());
        let own = own.map_or(&[][..], Vec::as_slice);
        self.everywhere.iter().chain(own).copied()
    }

    /// All grants, wherever they hold.
    pub fn all(&self) -> Vec<Grant<'p>> {
        let spaces = self.namespaces.values().flatten();
        self.everywhere.iter().chain(spaces).copied().collect()
    }

    /// What is left when some grants are taken away.
    #[must_use]
    pub fn without(&self, is_gone: impl Fn(&Grant<'p>) -> bool) -> Rights<'p> {
        let keep = |grants: &[Grant<'p>]| -> Vec<Grant<'p>> {
            let left = grants.iter().filter(|grant| !is_gone(grant));
            left.copied().collect()
        };
        let spaces = self.namespaces.iter();
        Rights {
            everywhere: keep(&self.everywhere),
            namespaces: spaces.map(|(name, grants)| (*name, keep(grants))).collect(),
        }
    }

    /// What holds in every namespace.
    pub fn everywhere(&self) -> &[Grant<'p>] {
        &self.everywhere
    }

    /// The namespaces that it has rights of its own in.
    pub fn namespaces(&self) -> impl Iterator<Item = &'p str> {
        self.namespaces.keys().copied()
    }

    /// What allows a request, if anything does.
    pub fn allows(&self, request: Request<'_>) -> Option<Grant<'p>> {
        self.grants(request.namespace)
            .find(|grant| grant.rule.allows(request))
    }

    /// Whether it may do everything.
    pub fn is_cluster_admin(&self) -> bool {
        let all = Request {
            verb: "*",
            group: "*",
            resource: "*",
            namespace: "",
            name: "",
        };
        self.allows(all).is_some()
    }

    /// Whether nothing at all is bound to it or its groups but what everybody
    /// has.
    pub fn is_empty(&self) -> bool {
        let everybodys = |grant: &Grant<'_>| {
            let mut subjects = grant.binding.subjects.iter();
            subjects.any(|s| matches!(s, Subject::Group(name) if name.starts_with("system:")))
        };
        self.namespaces.values().all(Vec::is_empty) && self.everywhere.iter().all(everybodys)
    }
}

impl PolicyRule {
    /// Whether it allows a request.
    ///
    /// Compat: Kubernetes `pkg/apis/rbac/v1/evaluation_helpers.go`. `*/exec`
    /// stands for that subresource of everything; a rule for named objects
    /// allows nothing that is not about one object.
    pub fn allows(&self, request: Request<'_>) -> bool {
        has(&self.verbs, request.verb)
            && has(&self.api_groups, request.group)
            && self.has_resource(request.resource)
            && (self.resource_names.is_empty()
                || self.resource_names.iter().any(|n| **n == *request.name))
    }

    fn has_resource(&self, resource: &str) -> bool {
        let sub = resource.split_once('/').map(|(_, sub)| sub);
        self.resources.iter().any(|own| {
            **own == *"*"
                || **own == *resource
                || sub.is_some_and(|sub| own.strip_prefix("*/") == Some(sub))
        })
    }

    /// Whether `*` is among its verbs, groups, resources or addresses: where.
    pub fn wildcards(&self) -> Vec<&'static str> {
        let lists = [
            ("verbs", &self.verbs),
            ("apiGroups", &self.api_groups),
            ("resources", &self.resources),
            ("nonResourceURLs", &self.non_resource_urls),
        ];
        let all = |list: &[Arc<str>]| list.iter().any(|item| &**item == "*");
        let found = lists.into_iter().filter(|(_, list)| all(list));
        found.map(|(name, _)| name).collect()
    }
}

/// Whether a list has an item, or stands for all.
pub(super) fn has(list: &[Arc<str>], item: &str) -> bool {
    list.iter().any(|own| **own == *"*" || **own == *item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rbac::tests::{account, cluster};

    fn request(text: &str) -> Request<'_> {
        let words: Vec<&str> = text.split(' ').collect();
        let at = |i: usize| match words.get(i) {
            None | Some(&"-") => "",
            Some(word) => word,
        };
        Request {
            verb: at(0),
            group: at(1),
            resource: at(2),
            namespace: at(3),
            name: at(4),
        }
    }

    const TEAM: &str = "\
kind: Role
metadata: {name: deployer, namespace: team}
rules:
- {apiGroups: [apps], resources: [deployments, '*/scale'], verbs: [get, patch]}
- {apiGroups: [''], resources: [secrets], resourceNames: [db], verbs: [get, list]}
---
kind: RoleBinding
metadata: {name: deployer, namespace: team}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: deployer}
subjects: [{kind: ServiceAccount, name: bot}]
";

    #[test]
    fn a_role_holds_in_its_namespace_for_what_it_names() {
        let policy = cluster(TEAM);
        let rights = policy.rights(&account("team", "bot"));
        for allowed in [
            "get apps deployments team web",
            "patch apps deployments team",
            "patch apps statefulsets/scale team web",
            "get - secrets team db",
            "list - secrets team db",
        ] {
            assert!(rights.allows(request(allowed)).is_some(), "{allowed}");
        }
        for refused in [
            "delete apps deployments team web",
            "get apps deployments other web",
            "get apps deployments",
            "get - deployments team web",
            "get apps deployments/status team web",
            "get - secrets team other",
            "list - secrets team",
        ] {
            assert!(rights.allows(request(refused)).is_none(), "{refused}");
        }
        assert!(policy.rights(&account("other", "bot")).is_empty());
    }

    #[test]
    fn groups_and_user_names_stand_for_accounts() {
        let policy = cluster(
            "\
kind: ClusterRoleBinding
metadata: {name: all-of-team}
roleRef: {kind: ClusterRole, name: view}
subjects:
- {kind: Group, name: 'system:serviceaccounts:team'}
- {kind: User, name: 'system:serviceaccount:ops:ci'}
- {kind: ServiceAccount, name: nobody}
",
        );
        let reads = request("list - configmaps anywhere");
        for (namespace, name, reads_it) in [
            ("team", "a", true),
            ("team", "b", true),
            ("ops", "ci", true),
            ("ops", "cd", false),
            // An account without a namespace is nobody in a ClusterRoleBinding.
            ("", "nobody", false),
        ] {
            let rights = policy.rights(&account(namespace, name));
            assert_eq!(
                rights.allows(reads).is_some(),
                reads_it,
                "{namespace}/{name}"
            );
        }
    }

    #[test]
    fn aggregation_gathers_what_labels_say() {
        let policy = cluster(
            "\
kind: ClusterRole
metadata:
  name: widgets
  labels: {rbac.authorization.k8s.io/aggregate-to-edit: 'true'}
rules: [{apiGroups: [example.org], resources: [widgets], verbs: [patch]}]
---
kind: ClusterRole
metadata: {name: gathered}
aggregationRule:
  clusterRoleSelectors:
  - matchExpressions: [{key: gather, operator: Exists}]
rules: [{apiGroups: [''], resources: [nodes], verbs: [get]}]
---
kind: ClusterRole
metadata: {name: part, labels: {gather: 'no'}}
rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]
---
kind: RoleBinding
metadata: {name: admin, namespace: team}
roleRef: {kind: ClusterRole, name: admin}
subjects: [{kind: ServiceAccount, name: bot}]
---
kind: ClusterRoleBinding
metadata: {name: gathered}
roleRef: {kind: ClusterRole, name: gathered}
subjects: [{kind: User, name: reader}]
",
        );
        let admin = policy.rights(&account("team", "bot"));
        // admin gathers edit, which gathers the role of the repository.
        assert!(
            admin
                .allows(request("patch example.org widgets team"))
                .is_some()
        );
        assert!(
            admin
                .allows(request("patch apps deployments team"))
                .is_some()
        );
        assert!(
            admin
                .allows(request("create helm.toolkit.fluxcd.io helmreleases team"))
                .is_some()
        );
        assert!(
            admin
                .allows(request("create - resourcequotas team"))
                .is_none()
        );
        let reader = policy.rights(&Subject::user("reader"));
        assert!(reader.allows(request("get - pods any")).is_some());
        // The controller overwrites the rules that an aggregated role has.
        assert!(reader.allows(request("get - nodes")).is_none());
    }

    #[test]
    fn cluster_admin_is_who_may_do_everything_everywhere() {
        let policy = cluster(
            "\
kind: RoleBinding
metadata: {name: admin, namespace: team}
roleRef: {kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: bot}]
",
        );
        assert!(!policy.rights(&account("team", "bot")).is_cluster_admin());
        let controller = account("flux-system", "kustomize-controller");
        assert!(policy.rights(&controller).is_cluster_admin());
        let source = policy.rights(&account("flux-system", "source-controller"));
        assert!(!source.is_cluster_admin() && !source.is_empty());
    }
}
