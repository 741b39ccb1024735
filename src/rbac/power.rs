//! What rights can be abused for: the powers that a rule gives, and who can
//! become whom by them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::model::{GROUP, PolicyRule, Subject};
use super::policy::{Policy, Request, Rights};

/// Something that rights give beyond what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Power {
    /// To write roles with rights that one does not have.
    Escalate,
    /// To bind roles with rights that one does not have.
    Bind,
    /// To act as users, groups or accounts.
    Impersonate,
    /// To read Secrets.
    Secrets,
    /// To run commands in containers, or to reach into them.
    Exec,
    /// To reach the kubelet of nodes, past the API server.
    Nodes,
    /// To see and change every request, by webhooks.
    Webhooks,
    /// To get tokens of accounts, or certificates.
    Tokens,
}

/// A power: the verbs that it takes, the group and the resources.
type Row = (
    Power,
    &'static [&'static str],
    &'static str,
    &'static [&'static str],
);

const WRITE: &[&str] = &["create", "update", "patch"];

/// Compat: the list follows Kubernetes' own "RBAC Good Practices".
const POWERS: &[Row] = &[
    (
        Power::Escalate,
        &["escalate"],
        GROUP,
        &["roles", "clusterroles"],
    ),
    (Power::Bind, &["bind"], GROUP, &["roles", "clusterroles"]),
    (
        Power::Impersonate,
        &["impersonate"],
        "",
        &["users", "groups", "serviceaccounts"],
    ),
    (
        Power::Impersonate,
        &["impersonate"],
        "authentication.k8s.io",
        &["uids", "userextras", "userextras/*"],
    ),
    (Power::Secrets, &["get", "list", "watch"], "", &["secrets"]),
    (
        Power::Exec,
        &["create", "get"],
        "",
        &[
            "pods/exec",
            "pods/attach",
            "pods/portforward",
            "pods/ephemeralcontainers",
        ],
    ),
    (
        Power::Nodes,
        &["get", "create", "update", "patch"],
        "",
        &["nodes/proxy"],
    ),
    (
        Power::Webhooks,
        WRITE,
        "admissionregistration.k8s.io",
        &[
            "mutatingwebhookconfigurations",
            "validatingwebhookconfigurations",
        ],
    ),
    (Power::Tokens, &["create"], "", &["serviceaccounts/token"]),
    (
        Power::Tokens,
        &["update", "patch"],
        "certificates.k8s.io",
        &["certificatesigningrequests/approval"],
    ),
];

/// The powers that a rule gives, with the verb and the resource that do.
///
/// Those that a rule has because it says `*` are not among them: that is told
/// of the `*`.
pub fn powers(rule: &PolicyRule) -> Vec<(Power, &'static str, &'static str)> {
    let mut found: Vec<(Power, &str, &str)> = Vec::new();
    let listed = |list: &[Arc<str>], item: &str| {
        list.iter().any(|own| match item.strip_suffix('*') {
            Some(start) if !start.is_empty() => own.starts_with(start),
            _ => **own == *item,
        })
    };
    let covered = |list: &[Arc<str>], item: &str| listed(list, "*") || listed(list, item);
    for (power, verbs, group, resources) in POWERS {
        if found.iter().any(|(known, ..)| known == power) || !covered(&rule.api_groups, group) {
            continue;
        }
        let verb = verbs.iter().find(|verb| listed(&rule.verbs, verb));
        let resource = resources.iter().find(|r| covered(&rule.resources, r));
        // A verb that means nothing elsewhere is meant, whatever the resource
        // is called.
        let alone = matches!(power, Power::Escalate | Power::Bind | Power::Impersonate);
        let verb = verb.or_else(|| {
            // Everything may be done to just this resource.
            let named = resources.iter().any(|r| listed(&rule.resources, r));
            (!alone && named && listed(&rule.verbs, "*")).then(|| verbs.first())?
        });
        if let (Some(verb), Some(resource)) = (verb, resource) {
            found.push((*power, verb, resource));
        }
    }
    found
}

/// What stands between accounts in a cluster.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// All accounts that are known.
    pub accounts: BTreeSet<(Arc<str>, Arc<str>)>,
    /// The account that Flux applies with where an object names none: the
    /// controller's own if nothing forbids it.
    pub kustomize: Option<Subject>,
    /// The same for HelmReleases.
    pub helm: Option<Subject>,
}

/// A step from one account to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Whom one becomes.
    pub to: Subject,
    /// By what: a phrase that goes on from "it may".
    pub by: String,
}

/// The way from somebody to an account that may do everything; none where
/// there is no way, empty for who may already.
pub fn way_to_admin(policy: &Policy, world: &World, from: &Subject) -> Option<Vec<Step>> {
    let mut seen: BTreeMap<Subject, Option<(Subject, String)>> = BTreeMap::new();
    let mut open = VecDeque::from([from.clone()]);
    seen.insert(from.clone(), None);
    while let Some(at) = open.pop_front() {
        let rights = policy.rights(&at);
        if rights.is_cluster_admin() {
            return Some(retrace(&seen, at));
        }
        for step in steps(&rights, world) {
            if !seen.contains_key(&step.to) {
                seen.insert(step.to.clone(), Some((at.clone(), step.by)));
                open.push_back(step.to);
            }
        }
    }
    None
}

fn retrace(seen: &BTreeMap<Subject, Option<(Subject, String)>>, end: Subject) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = end;
    while let Some(Some((before, by))) = seen.get(&at) {
        steps.push(Step {
            to: at,
            by: by.clone(),
        });
        at = before.clone();
    }
    steps.reverse();
    steps
}

/// Kinds whose Pods run as any account of their namespace.
const WORKLOADS: [(&str, &str); 8] = [
    ("", "pods"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("apps", "replicasets"),
    ("batch", "jobs"),
    ("batch", "cronjobs"),
    ("", "replicationcontrollers"),
];

/// Whom somebody with these rights can become at once.
fn steps(rights: &Rights<'_>, world: &World) -> Vec<Step> {
    let mut found = Vec::new();
    let mut namespaces: BTreeSet<&str> = rights.namespaces().collect();
    if rights
        .everywhere()
        .iter()
        .any(|grant| grant.binding.subjects.iter().any(is_own))
    {
        namespaces.extend(world.accounts.iter().map(|(namespace, _)| &**namespace));
    }
    let may = |verb: &str, group: &str, resource: &str, namespace: &str, name: &str| {
        let request = Request {
            verb,
            group,
            resource,
            namespace,
            name,
        };
        rights.allows(request).is_some()
    };
    for namespace in namespaces {
        let flux = [
            (
                "kustomize.toolkit.fluxcd.io",
                "kustomizations",
                &world.kustomize,
            ),
            ("helm.toolkit.fluxcd.io", "helmreleases", &world.helm),
        ];
        let mut anyone = None;
        for (group, resource, account) in flux {
            if !may("create", group, resource, namespace, "") {
                continue;
            }
            let by = format!("create `{resource}` in {}", place(namespace));
            if let Some(account) = account {
                let by = format!("{by} that name no service account");
                let to = account.clone();
                found.push(Step { to, by });
            }
            anyone.get_or_insert(by);
        }
        for (group, resource) in WORKLOADS {
            if anyone.is_none() && may("create", group, resource, namespace, "") {
                anyone = Some(format!("create `{resource}` in {}", place(namespace)));
            }
        }
        let exec = ["pods/exec", "pods/attach"];
        if anyone.is_none() && exec.iter().any(|r| may("create", "", r, namespace, "")) {
            anyone = Some(format!("run commands in Pods of `{namespace}`"));
        }
        for (_, name) in world.accounts.iter().filter(|(of, _)| **of == *namespace) {
            let by = if may("impersonate", "", "serviceaccounts", namespace, name) {
                format!("impersonate accounts in `{namespace}`")
            } else if may("create", "", "serviceaccounts/token", namespace, name) {
                format!("make tokens of accounts in `{namespace}`")
            } else if let Some(by) = &anyone {
                by.clone()
            } else {
                continue;
            };
            let to = Subject::service_account(namespace, name.clone());
            found.push(Step { to, by });
        }
    }
    if may("impersonate", "", "groups", "", "system:masters")
        && may("impersonate", "", "users", "", "")
    {
        found.push(Step {
            to: Subject::Group("system:masters".into()),
            by: "impersonate every user and group".to_owned(),
        });
    }
    found
}

/// Whether a subject is more than everybody: what everybody may do leads
/// nowhere.
fn is_own(subject: &Subject) -> bool {
    !matches!(subject, Subject::Group(name) if matches!(
        &**name,
        "system:authenticated" | "system:unauthenticated" | "system:serviceaccounts"
    ))
}

/// A namespace in words; empty where it is any.
fn place(namespace: &str) -> String {
    if namespace.is_empty() {
        "any namespace".to_owned()
    } else {
        format!("`{namespace}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rbac::tests::{account, cluster, rules};

    fn found(text: &str) -> Vec<Power> {
        powers(&rules(text)[0])
            .into_iter()
            .map(|(power, ..)| power)
            .collect()
    }

    #[test]
    fn powers_are_what_is_said_not_what_a_star_says() {
        assert_eq!(
            found(
                "[{apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [get, bind, escalate]}]"
            ),
            [Power::Escalate, Power::Bind]
        );
        assert_eq!(
            found("[{apiGroups: ['*'], resources: ['*'], verbs: [impersonate]}]"),
            [Power::Impersonate]
        );
        assert_eq!(
            found("[{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]"),
            []
        );
        assert_eq!(
            found("[{apiGroups: [''], resources: [pods, pods/exec], verbs: ['*']}]"),
            [Power::Exec]
        );
        assert_eq!(
            found("[{apiGroups: [apps], resources: [secrets], verbs: [get]}]"),
            []
        );
        assert_eq!(
            found("[{apiGroups: [''], resources: [secrets], verbs: [create]}]"),
            []
        );
        assert_eq!(
            found(
                "[{apiGroups: [authentication.k8s.io], resources: [userextras/scopes], verbs: [impersonate]}]"
            ),
            [Power::Impersonate]
        );
    }

    #[test]
    fn the_way_to_admin_is_shown_step_by_step() {
        let policy = cluster(
            "\
kind: Role
metadata: {name: builder, namespace: ci}
rules: [{apiGroups: [batch], resources: [jobs], verbs: [create]}]
---
kind: RoleBinding
metadata: {name: builder, namespace: ci}
roleRef: {kind: Role, name: builder}
subjects: [{kind: ServiceAccount, name: builder}]
---
kind: RoleBinding
metadata: {name: deployer, namespace: apps}
roleRef: {kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: deployer, namespace: ci}]
---
kind: ClusterRoleBinding
metadata: {name: admin}
roleRef: {kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: operator, namespace: apps}]
",
        );
        let accounts = [
            ("ci", "builder"),
            ("ci", "deployer"),
            ("apps", "operator"),
            ("apps", "web"),
        ];
        let world = World {
            accounts: accounts
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect(),
            ..World::default()
        };
        let way = way_to_admin(&policy, &world, &account("ci", "builder")).unwrap();
        let text: Vec<String> = way.iter().map(|s| format!("{}: {}", s.to, s.by)).collect();
        assert_eq!(
            text,
            [
                "ServiceAccount/ci/deployer: create `jobs` in `ci`",
                "ServiceAccount/apps/operator: impersonate accounts in `apps`"
            ]
        );
        assert_eq!(way_to_admin(&policy, &world, &account("apps", "web")), None);
        assert_eq!(
            way_to_admin(&policy, &world, &account("apps", "operator")),
            Some(Vec::new())
        );

        // Who may create Kustomizations becomes whom Flux applies as.
        let flux = World {
            kustomize: Some(account("flux-system", "kustomize-controller")),
            ..World::default()
        };
        let way = way_to_admin(&policy, &flux, &account("ci", "deployer")).unwrap();
        assert_eq!(
            way[0].by,
            "create `kustomizations` in `apps` that name no service account"
        );
    }
}
