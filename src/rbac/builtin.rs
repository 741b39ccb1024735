//! The roles that every cluster has: those that Kubernetes makes at its start
//! and those that Flux brings.
//!
//! In: `schemas/roles.txt`, whose form `schemas/tools/roles.py` describes. It
//! is read when somebody asks about rights, never before.

use std::sync::Arc;

use super::model::{Binding, LabelSelector, PolicyRule, Role, RoleRef, Subject};

static TABLE: &str = include_str!("../../schemas/roles.txt");

/// Flux's controllers lie in this namespace unless the repository says
/// otherwise.
const FLUX_NAMESPACE: &str = "flux-system";

/// ClusterRoles and ClusterRoleBindings that are there without being applied.
#[derive(Clone, Debug, Default)]
pub(super) struct BuiltIn {
    pub(super) roles: Vec<Role>,
    pub(super) bindings: Vec<Binding>,
}

impl BuiltIn {
    /// Reads the table. With `flux`, Flux's controllers in that namespace have
    /// the rights that an installation gives them.
    pub(super) fn read(flux: Option<&str>) -> BuiltIn {
        let mut found = BuiltIn::default();
        for line in TABLE.lines() {
            let mut words = line.split(' ');
            let first = words.next().unwrap_or_default();
            let rest: Vec<&str> = words.collect();
            if first == "role" {
                found.roles.push(Role {
                    name: rest.first().copied().unwrap_or_default().into(),
                    ..Role::default()
                });
            } else if first == "bind" {
                found.bindings.extend(binding(&rest, flux));
            } else if let Some(role) = found.roles.last_mut() {
                add(role, first, &rest);
            }
        }
        if let Some(namespace) = flux {
            found.bindings.push(Binding {
                name: "flux-operator".into(),
                role: RoleRef {
                    cluster: true,
                    name: "cluster-admin".into(),
                    ..RoleRef::default()
                },
                subjects: vec![Subject::service_account(namespace, "flux-operator")],
                ..Binding::default()
            });
        }
        found
    }
}

fn binding(words: &[&str], flux: Option<&str>) -> Option<Binding> {
    let (role, subjects) = words.split_first()?;
    let subjects: Vec<Subject> = subjects
        .iter()
        .filter_map(|text| match text.split_once(':') {
            Some(("User", name)) => Some(Subject::user(name)),
            Some(("Group", name)) => Some(Subject::Group(name.into())),
            _ => {
                let (namespace, name) = text.split_once('/')?;
                let namespace = if namespace == FLUX_NAMESPACE {
                    flux?
                } else {
                    namespace
                };
                Some(Subject::service_account(namespace, name))
            }
        })
        .collect();
    (!subjects.is_empty()).then(|| Binding {
        name: (*role).into(),
        role: RoleRef {
            cluster: true,
            name: (*role).into(),
            ..RoleRef::default()
        },
        subjects,
        ..Binding::default()
    })
}

fn add(role: &mut Role, what: &str, words: &[&str]) {
    let list = |index: usize| -> Vec<Arc<str>> {
        let items = words.get(index).into_iter().flat_map(|w| w.split(','));
        items
            .map(|item| if item == "core" { "" } else { item }.into())
            .collect()
    };
    let pair = words.first().and_then(|word| word.split_once('='));
    match (what, pair) {
        ("label", Some((key, value))) => {
            role.labels.insert(key.into(), value.into());
        }
        ("selector", Some((key, value))) => role
            .aggregation
            .get_or_insert_default()
            .push(LabelSelector::label(key, value)),
        ("rule", _) => role.rules.push(PolicyRule {
            verbs: list(0),
            api_groups: list(1),
            resources: list(2),
            resource_names: list(3),
            ..PolicyRule::default()
        }),
        ("urls", _) => role.rules.push(PolicyRule {
            verbs: list(0),
            non_resource_urls: list(1),
            ..PolicyRule::default()
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let found = BuiltIn::read(Some("flux"));
        let lines = |word: &str| {
            let prefix = format!("{word} ");
            TABLE.lines().filter(|l| l.starts_with(&prefix)).count()
        };
        assert_eq!(found.roles.len(), lines("role"));
        let rules: usize = found.roles.iter().map(|r| r.rules.len()).sum();
        assert_eq!(rules, lines("rule") + lines("urls"));
        // And the one of flux-operator, which is no part of Flux.
        assert_eq!(found.bindings.len(), lines("bind") + 1);
        let known = ["role", "label", "selector", "rule", "urls", "bind", "#"];
        assert!(
            TABLE
                .lines()
                .all(|l| { known.contains(&l.split(' ').next().unwrap_or_default()) })
        );
        let edit = found.roles.iter().find(|r| &*r.name == "edit").unwrap();
        assert_eq!(edit.labels.len(), 1);
        assert_eq!(edit.aggregation.as_ref().unwrap().len(), 1);
    }

    #[test]
    fn flux_is_where_it_is_said_to_be() {
        let admin = |flux: Option<&str>| -> Vec<Subject> {
            let found = BuiltIn::read(flux).bindings;
            let admin = found
                .into_iter()
                .filter(|b| &*b.role.name == "cluster-admin");
            admin.flat_map(|b| b.subjects).collect()
        };
        assert_eq!(admin(None), [Subject::Group("system:masters".into())]);
        assert!(
            admin(Some("gitops"))
                .contains(&Subject::service_account("gitops", "kustomize-controller"))
        );
    }
}
