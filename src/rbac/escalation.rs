//! The escalation check: nobody gives rights that they do not have.

use std::sync::Arc;

use super::model::{GROUP, PolicyRule, RoleRef};
use super::policy::{Policy, Request, Rights, has};

/// What of these rules is not covered by the rights in a namespace (an empty
/// one for the cluster): one rule for each verb, group, resource and name.
///
/// Compat: `Covers` of Kubernetes' `component-helpers/auth/rbac/validation`
/// takes rules apart the same way and asks for one rule that covers each part;
/// two that do so together do not count.
pub fn missing(rights: &Rights<'_>, namespace: &str, rules: &[PolicyRule]) -> Vec<PolicyRule> {
    let mut found = Vec::new();
    for rule in rules {
        for part in parts(rule) {
            let covered = rights
                .grants(namespace)
                .any(|grant| covers(grant.rule, &part));
            if !covered && !found.contains(&part) {
                found.push(part);
            }
        }
    }
    found
}

/// What keeps somebody from writing a role with these rules; empty where
/// nothing does.
///
/// Compat: the verb `escalate` on the role lifts the check. A ClusterRole with
/// an aggregation rule can gather anything, so its author must be able to do
/// everything.
pub fn role_missing(
    rights: &Rights<'_>,
    namespace: Option<&str>,
    name: &str,
    rules: &[PolicyRule],
    aggregated: bool,
) -> Vec<PolicyRule> {
    let resource = if namespace.is_some() {
        "roles"
    } else {
        "clusterroles"
    };
    let namespace = namespace.unwrap_or_default();
    let escalate = Request {
        verb: "escalate",
        group: GROUP,
        resource,
        namespace,
        name,
    };
    if rights.allows(escalate).is_some() {
        return Vec::new();
    }
    let mut found = missing(rights, namespace, rules);
    if aggregated {
        let all: Vec<Arc<str>> = vec!["*".into()];
        let everything = [
            PolicyRule {
                verbs: all.clone(),
                api_groups: all.clone(),
                resources: all.clone(),
                ..PolicyRule::default()
            },
            PolicyRule {
                verbs: all.clone(),
                non_resource_urls: all,
                ..PolicyRule::default()
            },
        ];
        found.extend(missing(rights, namespace, &everything));
    }
    found
}

/// What keeps somebody from binding a role in a namespace (none for the whole
/// cluster); none where the role is not known.
///
/// Compat: the verb `bind` on the role lifts the check.
pub fn binding_missing(
    policy: &Policy,
    rights: &Rights<'_>,
    namespace: Option<&Arc<str>>,
    role: &RoleRef,
) -> Option<Vec<PolicyRule>> {
    let bind = Request {
        verb: "bind",
        group: GROUP,
        resource: if role.cluster {
            "clusterroles"
        } else {
            "roles"
        },
        namespace: namespace.map_or("", |n| n),
        name: &role.name,
    };
    if rights.allows(bind).is_some() {
        return Some(Vec::new());
    }
    let rules = policy.rules(policy.role(role, namespace)?);
    Some(missing(rights, bind.namespace, rules))
}

/// A rule taken apart, so that each part names one thing.
fn parts(rule: &PolicyRule) -> Vec<PolicyRule> {
    let one = |text: &Arc<str>| vec![text.clone()];
    let mut found = Vec::new();
    for verb in &rule.verbs {
        for url in &rule.non_resource_urls {
            found.push(PolicyRule {
                verbs: one(verb),
                non_resource_urls: one(url),
                ..PolicyRule::default()
            });
        }
        for group in &rule.api_groups {
            for resource in &rule.resources {
                let part = PolicyRule {
                    verbs: one(verb),
                    api_groups: one(group),
                    resources: one(resource),
                    span: rule.span,
                    ..PolicyRule::default()
                };
                if rule.resource_names.is_empty() {
                    found.push(part);
                    continue;
                }
                found.extend(rule.resource_names.iter().map(|name| PolicyRule {
                    resource_names: one(name),
                    ..part.clone()
                }));
            }
        }
    }
    found
}

/// Whether one rule gives all that a part asks for. `*` is given by `*` alone.
fn covers(owner: &PolicyRule, part: &PolicyRule) -> bool {
    let all = |own: &[Arc<str>], asked: &[Arc<str>]| asked.iter().all(|item| has(own, item));
    if !all(&owner.verbs, &part.verbs) {
        return false;
    }
    if !part.non_resource_urls.is_empty() {
        return part.non_resource_urls.iter().all(|url| {
            owner.non_resource_urls.iter().any(|own| {
                own == url
                    || own
                        .strip_suffix('*')
                        .is_some_and(|start| url.starts_with(start))
            })
        });
    }
    all(&owner.api_groups, &part.api_groups)
        && part.resources.iter().all(|resource| {
            let sub = resource.split_once('/').map(|(_, sub)| sub);
            owner.resources.iter().any(|own| {
                **own == *"*"
                    || own == resource
                    || sub.is_some_and(|sub| own.strip_prefix("*/") == Some(sub))
            })
        })
        && (owner.resource_names.is_empty()
            || !part.resource_names.is_empty()
                && part
                    .resource_names
                    .iter()
                    .all(|name| owner.resource_names.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rbac::tests::{account, cluster, rules};

    const TEAM: &str = "\
kind: Role
metadata: {name: deployer, namespace: team}
rules:
- {apiGroups: [apps], resources: [deployments], verbs: [get, patch]}
- {apiGroups: [apps], resources: ['*/scale'], verbs: [patch]}
- {apiGroups: [''], resources: [secrets], resourceNames: [db, mail], verbs: [get]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [roles], resourceNames: [free], verbs: [escalate]}
- {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], resourceNames: [view], verbs: [bind]}
---
kind: RoleBinding
metadata: {name: deployer, namespace: team}
roleRef: {kind: Role, name: deployer}
subjects: [{kind: ServiceAccount, name: bot}]
";

    /// The verbs, groups and resources that are missing.
    fn asked(rules: &[PolicyRule]) -> Vec<String> {
        let text = |list: &[Arc<str>]| list.join(",");
        let rules = rules.iter();
        rules
            .map(|r| {
                format!(
                    "{} {} {}",
                    text(&r.verbs),
                    text(&r.api_groups),
                    text(&r.resources)
                )
            })
            .collect()
    }

    #[test]
    fn what_is_given_must_be_had() {
        let policy = cluster(TEAM);
        let rights = policy.rights(&account("team", "bot"));
        let missing = |text: &str| asked(&missing(&rights, "team", &rules(text)));
        assert!(
            missing("[{apiGroups: [apps], resources: [deployments], verbs: [get]}]").is_empty()
        );
        assert!(missing("[{apiGroups: [apps], resources: [x/scale], verbs: [patch]}]").is_empty());
        assert_eq!(
            missing("[{apiGroups: [apps], resources: [deployments], verbs: [get, delete, '*']}]"),
            ["delete apps deployments", "* apps deployments"]
        );
        // Rights on named objects cover those names alone.
        let secrets = |names: &str| {
            missing(&format!(
                "[{{apiGroups: [''], resources: [secrets], verbs: [get], resourceNames: {names}}}]"
            ))
        };
        assert!(secrets("[mail]").is_empty());
        assert_eq!(secrets("[mail, other]"), ["get  secrets"]);
        assert_eq!(secrets("[]"), ["get  secrets"]);
    }

    #[test]
    fn the_verbs_that_lift_the_check() {
        let policy = cluster(TEAM);
        let rights = policy.rights(&account("team", "bot"));
        let nodes = rules("[{apiGroups: [''], resources: [nodes], verbs: [get]}]");
        assert!(role_missing(&rights, Some("team"), "free", &nodes, false).is_empty());
        assert_eq!(
            role_missing(&rights, Some("team"), "other", &nodes, false).len(),
            1
        );
        assert_eq!(
            role_missing(&rights, Some("else"), "free", &nodes, false).len(),
            1
        );
        // Who gathers rights must have them all: on resources and addresses.
        assert_eq!(role_missing(&rights, None, "gathered", &[], true).len(), 2);

        let team: Arc<str> = "team".into();
        let bind = |name: &str| {
            let role = RoleRef {
                cluster: true,
                name: name.into(),
                ..RoleRef::default()
            };
            binding_missing(&policy, &rights, Some(&team), &role).map(|m| m.is_empty())
        };
        assert_eq!(bind("view"), Some(true));
        assert_eq!(bind("edit"), Some(false));
        assert_eq!(bind("of-some-chart"), None);
    }
}
