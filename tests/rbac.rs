//! Rights against a second evaluator, the least Roles against the rule that
//! asks for them, and time.

use std::time::Instant;

use fluxwright::rbac::kinds::Resource;
use fluxwright::rbac::needs::{self, How, Item};
use fluxwright::rbac::{Binding, Policy, PolicyRule, Role, RoleRef, Subject};
use fluxwright::yaml::Node;
use proptest::prelude::*;

use crate::fuzz_corpus::rbac_entries;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn two_evaluators_agree_and_the_least_roles_are_enough(
        data in proptest::collection::vec(any::<u8>(), 0..300)
    ) {
        rbac_entries::evaluate(&data);
    }
}

#[test]
fn the_least_role_that_is_printed_makes_the_finding_vanish() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let sync = |name: &str, path: &str, account: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: \
             {name}, namespace: flux-system}}\nspec:\n  interval: 10m\n  path: {path}\n  prune: \
             true\n  wait: true\n{account}  sourceRef: {{kind: GitRepository, name: flux-system}}\n"
        )
    };
    write(
        "clusters/prod/flux-system/gotk-sync.yaml",
        &format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: \
             flux-system, namespace: flux-system}}\nspec:\n  interval: 1m\n  url: \
             https://git.example.com/fleet\n  ref: {{branch: main}}\n---\n{}",
            sync("flux-system", "./clusters/prod", "")
        ),
    );
    write(
        "clusters/prod/team.yaml",
        &sync("team", "./team", "  serviceAccountName: team\n"),
    );
    write(
        "clusters/prod/account.yaml",
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: team, namespace: flux-system}\n",
    );
    write(
        "team/all.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: team}\nspec:\n  \
         selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    \
         spec: {containers: [{name: web, image: example.com/web:1.0.0}]}\n---\napiVersion: \
         v1\nkind: Namespace\nmetadata: {name: team}\n---\napiVersion: \
         rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: own, namespace: team}\nrules: \
         [{apiGroups: [''], resources: [pods], verbs: [get]}]\n",
    );
    let run = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_fluxwright"))
            .args(arguments)
            .arg(folder.path())
            .output()
            .unwrap()
    };
    let findings = || {
        let output = run(&["check", "--rule", "rbac/insufficient", "--output", "json"]);
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        list.as_array().unwrap().len()
    };
    assert_eq!(findings(), 1);

    let printed = run(&["rbac"]);
    assert!(printed.status.success());
    let text = String::from_utf8(printed.stdout).unwrap();
    insta::with_settings!({
        snapshot_path => "../snapshots/rbac",
        prepend_module_to_snapshot => false,
    }, { insta::assert_snapshot!("least_roles", text) });
    write("clusters/prod/rbac.yaml", &text);
    assert_eq!(findings(), 0, "{text}");
    let nothing = run(&["rbac", "--missing"]);
    assert!(nothing.status.success() && nothing.stdout.is_empty());

    // Each verb is needed: without any one of them there is a finding.
    let verbs: Vec<usize> = text
        .match_indices("\n  - ")
        .map(|(at, _)| at)
        .filter(|at| {
            let before = &text[..*at];
            before.rfind("verbs:") > before.rfind("resources:")
        })
        .collect();
    assert!(verbs.len() > 8);
    for at in verbs {
        let end = at + 1 + text[at + 1..].find('\n').unwrap();
        write(
            "clusters/prod/rbac.yaml",
            &format!("{}{}", &text[..at], &text[end..]),
        );
        assert!(findings() > 0, "without {}", &text[at..end]);
    }
}

#[test]
fn an_account_that_applies_nothing_is_told() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_fluxwright"))
        .args([
            "rbac",
            "--account",
            "flux-system/nobody",
            "testdata/fleet/clusters/production",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("nothing is applied by the service account `flux-system/nobody`"),
        "{error}"
    );
}

/// 1,000 bindings and 50,000 objects, in a build without optimisation: what
/// users run is some twenty times faster.
#[test]
fn many_bindings_and_objects_take_no_time() {
    let namespaces: Vec<String> = (0..1000).map(|i| format!("team-{i}")).collect();
    let list = |items: &[&str]| items.iter().map(|item| (*item).into()).collect();
    let roles = namespaces.iter().map(|namespace| Role {
        namespace: Some(namespace.as_str().into()),
        name: "deployer".into(),
        rules: vec![PolicyRule {
            verbs: list(&["get", "create", "patch", "delete"]),
            api_groups: list(&["apps"]),
            resources: list(&["deployments"]),
            ..PolicyRule::default()
        }],
        ..Role::default()
    });
    let bindings = namespaces.iter().map(|namespace| Binding {
        namespace: Some(namespace.as_str().into()),
        name: "deployer".into(),
        role: RoleRef {
            name: "deployer".into(),
            ..RoleRef::default()
        },
        subjects: vec![Subject::service_account("flux-system", namespace.as_str())],
        ..Binding::default()
    });
    let object = Node::mapping(Vec::new(), fluxwright::diag::Span::NONE);
    let names: Vec<String> = (0..50).map(|i| format!("web-{i}")).collect();
    let start = Instant::now();
    let policy = Policy::new(roles, bindings, Some("flux-system"));
    for namespace in &namespaces {
        let items: Vec<Item<'_>> = names
            .iter()
            .map(|name| Item {
                group: "apps",
                kind: "Deployment",
                resource: Resource::usual("Deployment", true),
                namespace,
                name,
                node: &object,
                waited: false,
            })
            .collect();
        let rights = policy.rights(&Subject::service_account("flux-system", namespace.as_str()));
        let lacks = needs::lacking(
            &rights,
            How::Kustomization {
                prune: true,
                lists: false,
            },
            &items,
        );
        assert!(lacks.is_empty());
    }
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}
