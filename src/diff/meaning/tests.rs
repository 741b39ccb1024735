//! What is said of changes of single objects: by kind and field, and of what goes
//! with its owner.

use crate::diag::Severity;
use crate::diff::tests::compared;

type Side<'a> = &'a [(&'a str, &'a str)];

/// `rule, severity: message` of each finding.
fn said(old: Side<'_>, new: Side<'_>) -> Vec<String> {
    let findings = compared(old, new).findings.into_iter();
    findings
        .map(|f| format!("{} {}: {}", f.severity.name(), f.rule, f.message))
        .collect()
}

/// The same of one object, of a Kustomization that stays, without what is said of
/// pods in general.
fn of_object(old: &str, new: &str) -> Vec<String> {
    let side = |text| [("Kustomization/apps", text)];
    let old = side(old);
    let mut said = said(&old, &side(new));
    said.retain(|said| !said.starts_with("info change/restart"));
    said
}

/// An object of this kind with these fields.
fn object(kind: &str, fields: &str) -> String {
    let (api, kind) = kind.rsplit_once(' ').unwrap();
    format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x, namespace: n}}\n{fields}\n")
}

#[test]
fn each_kind_has_its_fixed_fields() {
    const TEMPLATE: &str = "template: {spec: {containers: [{name: a, image: a}]}}";
    // The kind, its fields before and now, and which of them is refused.
    let cases = [
        (
            "batch/v1 Job",
            "spec: {completions: 1}",
            "spec: {completions: 2}",
            "spec.completions",
        ),
        (
            "batch/v1 Job",
            "spec: {completionMode: Indexed, completions: 1, parallelism: 1}",
            "spec: {completionMode: Indexed, completions: 2, parallelism: 2}",
            "",
        ),
        (
            "batch/v1 Job",
            "spec: {}",
            "spec: {completionMode: NonIndexed}",
            "",
        ),
        (
            "batch/v1 Job",
            "spec: {backoffLimitPerIndex: 1}",
            "spec: {backoffLimitPerIndex: 2}",
            "spec.backoffLimitPerIndex",
        ),
        (
            "v1 Pod",
            "spec: {nodeName: a}",
            "spec: {nodeName: b}",
            "spec.nodeName",
        ),
        (
            "v1 Pod",
            "spec: {}",
            "spec: {tolerations: [{operator: Exists}]}",
            "",
        ),
        (
            "apps/v1 StatefulSet",
            "spec: {}",
            "spec: {podManagementPolicy: OrderedReady}",
            "",
        ),
        (
            "apps/v1 StatefulSet",
            "spec: {}",
            "spec: {podManagementPolicy: Parallel}",
            "spec.podManagementPolicy",
        ),
        (
            "apps/v1 StatefulSet",
            "spec: {volumeClaimTemplates: [{metadata: {name: a}, spec: {}}]}",
            "spec: {volumeClaimTemplates: [{apiVersion: v1, kind: PersistentVolumeClaim, metadata: \
             {name: a}, spec: {volumeMode: Filesystem}}]}",
            "",
        ),
        (
            "v1 Service",
            "spec: {}",
            "spec: {clusterIP: None}",
            "spec.clusterIP",
        ),
        ("v1 Service", "spec: {}", "spec: {clusterIP: 10.0.0.1}", ""),
        ("v1 Service", "spec: {clusterIP: None}", "spec: {}", ""),
        (
            "v1 Service",
            "spec: {clusterIP: None}",
            "spec: {type: ExternalName, externalName: a.example}",
            "",
        ),
        (
            "v1 Service",
            "spec: {clusterIPs: [10.0.0.1]}",
            "spec: {clusterIPs: [10.0.0.2]}",
            "spec.clusterIPs[0]",
        ),
        (
            "v1 Service",
            "spec: {ipFamilies: [IPv4]}",
            "spec: {ipFamilies: [IPv4, IPv6]}",
            "",
        ),
        (
            "v1 Service",
            "spec: {type: LoadBalancer, loadBalancerClass: a/b}",
            "spec: {type: LoadBalancer, loadBalancerClass: a/c}",
            "spec.loadBalancerClass",
        ),
        (
            "v1 PersistentVolumeClaim",
            "spec: {}",
            "spec: {volumeMode: Filesystem}",
            "",
        ),
        (
            "v1 PersistentVolume",
            "spec: {nodeAffinity: {required: {a: 1}}}",
            "spec: {nodeAffinity: {required: {a: 2}}}",
            "spec.nodeAffinity.required.a",
        ),
        (
            "v1 PersistentVolume",
            "spec: {}",
            "spec: {nodeAffinity: {required: {a: 2}}}",
            "",
        ),
        ("v1 Secret", "data: {}", "type: Opaque\ndata: {}", ""),
        ("v1 Secret", "type: kubernetes.io/tls", "data: {}", "type"),
        (
            "storage.k8s.io/v1 StorageClass",
            "provisioner: a",
            "provisioner: a\nreclaimPolicy: Delete\nvolumeBindingMode: Immediate",
            "",
        ),
        (
            "storage.k8s.io/v1 StorageClass",
            "provisioner: a",
            "provisioner: a\nreclaimPolicy: Retain",
            "reclaimPolicy",
        ),
        (
            "storage.k8s.io/v1 CSIDriver",
            "spec: {fsGroupPolicy: File}",
            "spec: {fsGroupPolicy: None}",
            "",
        ),
        (
            "scheduling.k8s.io/v1 PriorityClass",
            "value: 1",
            "value: 1\npreemptionPolicy: PreemptLowerPriority",
            "",
        ),
        (
            "resource.k8s.io/v1 ResourceClaimTemplate",
            "spec: {spec: {a: 1}}",
            "spec: {spec: {a: 2}}",
            "spec.spec.a",
        ),
        (
            "rbac.authorization.k8s.io/v1 RoleBinding",
            "roleRef: {kind: Role, name: r}",
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}",
            "",
        ),
    ];
    for (kind, old, new, refused) in cases {
        let said = of_object(&object(kind, old), &object(kind, new));
        let expected = format!("error change/immutable: `{refused}` cannot be changed: ");
        match refused {
            "" => assert!(said.is_empty(), "{kind} {new}: {said:?}"),
            _ => assert!(
                said.len() == 1 && said[0].starts_with(&expected),
                "{kind} {new}: {said:?}"
            ),
        }
    }
    // What the cluster fills in may be the same, and nobody knows.
    let claim = |spec| object("v1 PersistentVolumeClaim", spec);
    assert_eq!(
        of_object(&claim("spec: {}"), &claim("spec: {storageClassName: fast}")),
        [
            "warning change/immutable: `spec.storageClassName` cannot be changed: it is set to \
             `fast`, which may be what the cluster has filled in"
        ]
    );
    // Helm makes its hooks anew.
    let hook = |image: &str| {
        object(
            "batch/v1 Job",
            &format!("spec: {{{}}}", TEMPLATE.replace("image: a", image)),
        )
        .replace(
            "{name: x",
            "{annotations: {helm.sh/hook: pre-upgrade}, name: x",
        )
    };
    let (old, new) = (hook("image: a"), hook("image: b"));
    let told = said(&[("HelmRelease/a", &old)], &[("HelmRelease/a", &new)]);
    assert_eq!(
        told,
        ["info change/image: container `a` moves from `a` to `b`, which is another repository"]
            .map(|t| t.replace("info", "warning"))
    );
}

#[test]
fn values_of_a_secret_are_in_no_message() {
    for place in ["data", "stringData"] {
        let secret = |value| {
            object(
                "v1 Secret",
                &format!("immutable: true\n{place}: {{a: {value}}}"),
            )
        };
        assert_eq!(
            of_object(&secret("aHVudGVyMQ=="), &secret("aHVudGVyMg==")),
            [format!(
                "error change/immutable: `{place}.a` cannot be changed: it changes from a secret \
                 value to a secret value"
            )]
        );
    }
}

#[test]
fn what_the_api_server_fills_in_restarts_nothing() {
    let deployment = |pod: &str| {
        object(
            "apps/v1 Deployment",
            &format!("spec: {{template: {{spec: {{{pod}}}}}}}"),
        )
    };
    fn side(text: &str) -> [(&str, &str); 1] {
        [("Kustomization/apps", text)]
    }
    let old = deployment("containers: [{name: a, ports: [{containerPort: 80}]}]");
    let new = deployment(
        "restartPolicy: Always, containers: [{name: a, ports: [{containerPort: 80, protocol: TCP}]}]",
    );
    assert_eq!(said(&side(&old), &side(&new)), [""; 0]);
    let paused = deployment("dnsPolicy: None").replace("spec: {temp", "spec: {paused: true, temp");
    assert_eq!(
        said(&side(&old), &side(&paused))[0],
        "info change/restart: its pods are replaced when the Deployment is no longer paused: the \
         pod template has 2 changes"
    );
}

#[test]
fn volumes_go_with_the_pods_that_go() {
    let set = |replicas: u8, policy: &str| {
        let policy = format!("persistentVolumeClaimRetentionPolicy: {{whenScaled: {policy}}}");
        object(
            "apps/v1 StatefulSet",
            &format!("spec: {{replicas: {replicas}, {policy}}}"),
        )
    };
    assert_eq!(
        of_object(&set(3, "Delete"), &set(1, "Delete"))[0],
        "error change/delete-data: 2 pods are deleted, and with them their volumes"
    );
    for (old, new) in [
        (set(3, "Retain"), set(1, "Retain")),
        (set(1, "Delete"), set(3, "Delete")),
    ] {
        assert!(of_object(&old, &new)[0].starts_with("info change/replicas"));
    }
}

const CLAIM: &str =
    "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d, namespace: n}\n";

fn kustomization(spec: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: apps, \
         namespace: flux-system}}\nspec: {{{spec}}}\n"
    )
}

/// What an owner that goes takes along depends on how it goes.
#[test]
fn objects_go_with_their_owner_as_it_says() {
    let fate = |root: &str, spec: &str, words: &str| {
        let owner = kustomization(spec);
        let root = format!("Kustomization/root{root}");
        let apps = format!("Kustomization/apps of=root{words}");
        let old = [(&*root, &*owner), (&*apps, CLAIM)];
        let said = said(&old, &[(&*root, "")]);
        let claim: Vec<String> = said
            .into_iter()
            .filter(|said| !said.contains("with it the 1 object"))
            .filter(|said| !said.contains("Kustomization/flux-system/root"))
            .collect();
        claim.join("; ")
    };
    let lost = "error change/delete-data: it is deleted, and with it the volume that it claims";
    let stays = |why: &str| {
        format!("info change/orphan: it stays in the cluster: Kustomization/flux-system/apps {why}")
    };
    assert_eq!(fate("", "prune: true", ""), lost);
    assert_eq!(
        fate("", "prune: true, suspend: true", " suspended"),
        stays("is suspended, and deletes nothing when it goes")
    );
    assert_eq!(
        fate("", "prune: true, deletionPolicy: Orphan", " leaves"),
        stays("leaves what it has applied when it goes")
    );
    assert_eq!(
        fate(
            "",
            "prune: false, deletionPolicy: Delete",
            " keeps takes-along"
        ),
        lost
    );
    // Its own owner leaves it in the cluster, and so everything that it applies.
    assert_eq!(fate(" keeps", "prune: true", ""), stays("stays there, too"));
}

#[test]
fn what_helm_no_longer_has_goes_whoever_has_it() {
    let old = [("HelmRelease/a", CLAIM)];
    let new = [("HelmRelease/a", ""), ("Kustomization/apps", CLAIM)];
    let findings = compared(&old, &new).findings;
    assert_eq!(findings[0].severity, Severity::Error);
    assert_eq!(
        findings[0].message,
        "it moves from HelmRelease/flux-system/a to Kustomization/flux-system/apps, and is deleted \
         on the way, and with it the volume that it claims"
    );
    assert!(
        findings[0]
            .help
            .as_ref()
            .unwrap()
            .contains("whoever has taken it over")
    );
    // Hooks are no part of what Helm compares.
    let hook = CLAIM.replace("{name", "{annotations: {helm.sh/hook: pre-install}, name");
    assert_eq!(
        said(&[("HelmRelease/a", &hook)], &[("HelmRelease/a", "")]),
        [
            "info change/orphan: it stays in the cluster: HelmRelease/flux-system/a does not \
             delete a hook of its chart with the rest"
        ]
    );
}

#[test]
fn what_is_told_to_stay_stays() {
    for annotation in ["prune: disabled", "reconcile: Disabled", "ssa: Ignore"] {
        let kept = CLAIM.replace(
            "{name",
            &format!("{{annotations: {{kustomize.toolkit.fluxcd.io/{annotation}}}, name"),
        );
        assert!(
            of_object(&kept, "")[0].ends_with("is told to keep it"),
            "{annotation}"
        );
    }
}

fn role(rules: &str) -> String {
    object(
        "rbac.authorization.k8s.io/v1 ClusterRole",
        &format!("rules: [{rules}]"),
    )
}

#[test]
fn rights_over_paths_and_names_are_told_apart() {
    let pods = "{apiGroups: [''], resources: [pods], verbs: [get]}";
    let all = "{apiGroups: ['*'], resources: ['*'], verbs: ['*']}";
    let paths = "{nonResourceURLs: ['*'], verbs: [get]}";
    let widened = |old: &str, new: &str| of_object(&role(old), &role(new)).join("; ");
    for (old, new, expected) in [
        (
            pods,
            &*format!("{pods}, {paths}"),
            "warning change/rbac-widened: who holds it may now get every path of the API server",
        ),
        // Who may do everything with resources still reads no path.
        (
            all,
            &*format!("{all}, {paths}"),
            "warning change/rbac-widened: who holds it may now get every path of the API server",
        ),
        (
            pods,
            &*format!("{pods}, {{apiGroups: [apps], resources: ['*'], verbs: ['*']}}"),
            "warning change/rbac-widened: who holds it may now do anything with everything in \
             `apps`",
        ),
        (
            pods,
            &*format!(
                "{pods}, {{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], \
                 verbs: ['*']}}"
            ),
            "error change/rbac-widened: who holds it may now do anything with \
             `clusterroles.rbac.authorization.k8s.io`",
        ),
        (
            pods,
            &*format!(
                "{pods}, {{apiGroups: [x.example], resources: [users], verbs: [impersonate]}}"
            ),
            "warning change/rbac-widened: who holds it may now impersonate `users.x.example`",
        ),
        (
            "{apiGroups: [''], resources: [secrets], verbs: [get]}",
            "{apiGroups: [''], resources: [secrets], resourceNames: [a, b], verbs: [get]}",
            "info change/rbac-narrowed: who holds it may no longer get `secrets` other than `a`, \
             `b`",
        ),
        (
            "{apiGroups: [''], resources: ['*'], verbs: [get]}",
            "{apiGroups: [''], resources: ['*'], verbs: [get]}, {apiGroups: [''], resources: \
             [pods/log], verbs: [get]}",
            "",
        ),
    ] {
        assert_eq!(widened(old, new), expected);
    }
}

fn binding(role: &str, subjects: &str) -> String {
    object(
        "rbac.authorization.k8s.io/v1 ClusterRoleBinding",
        &format!("roleRef: {{kind: ClusterRole, name: {role}}}\nsubjects: [{subjects}]"),
    )
    .replace(", namespace: n", "")
}

#[test]
fn another_role_is_given_and_the_old_one_taken() {
    let user = "{kind: User, name: ada}";
    let old = binding("view", &format!("{user}, {{kind: User, name: bob}}"));
    assert_eq!(
        of_object(&old, &binding("edit", user)),
        [
            "error change/immutable: `roleRef.name` cannot be changed: it changes from `view` to \
             `edit`",
            "warning change/rbac-widened: User `ada` gets the rights of ClusterRole `edit` in the \
             whole cluster",
            "info change/rbac-narrowed: User `ada`, User `bob` lose the rights of ClusterRole \
             `view` in the whole cluster",
        ]
    );
}

#[test]
fn a_role_of_the_repository_is_known_by_what_it_gives() {
    let all = "{apiGroups: ['*'], resources: ['*'], verbs: ['*']}";
    let role = role(all).replace("name: x, namespace: n", "name: all");
    let new = format!("{role}---\n{}", binding("all", "{kind: User, name: ada}"));
    let told = "error change/rbac-widened: User `ada` gets the rights of ClusterRole `all` in the \
                whole cluster: do anything with everything";
    assert_eq!(of_object(&role, &new), [told]);
    assert_eq!(of_object("", &new), [told]);
    let everybody = binding("view", "{kind: Group, name: 'system:unauthenticated'}");
    assert_eq!(
        of_object("", &everybody),
        [
            "error change/rbac-widened: Group `system:unauthenticated` (everybody, without a \
             login) gets the rights of ClusterRole `view` in the whole cluster"
        ]
    );
}

#[test]
fn roles_that_are_added_to_others_are_told_with_them() {
    let labelled = |role: String| {
        role.replace(
            "{name: x",
            "{labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}, name: x",
        )
    };
    let pods = "{apiGroups: [''], resources: [pods], verbs: [get]}";
    assert_eq!(
        of_object(&labelled(role(pods)), &role(pods)),
        [
            "info change/rbac-narrowed: who holds ClusterRole `view`, which it was added to, may no \
             longer get `pods`"
        ]
    );
    let more = format!("{pods}, {{apiGroups: [''], resources: [secrets], verbs: [get]}}");
    assert_eq!(
        of_object(&labelled(role(pods)), &labelled(role(&more))),
        [
            "warning change/rbac-widened: who holds it, or ClusterRole `view`, which it is added \
             to, may now get `secrets`"
        ]
    );
}

fn release(spec: &str) -> String {
    object(
        "helm.toolkit.fluxcd.io/v2 HelmRelease",
        &format!("spec: {{{spec}}}"),
    )
}

/// A release is known by what its name and namespaces come to.
#[test]
fn a_release_that_stays_the_same_is_not_reinstalled() {
    for (old, new, is_new) in [
        ("", "releaseName: x", false),
        ("", "releaseName: y", true),
        ("", "targetNamespace: n", true),
        (
            "releaseName: x",
            "releaseName: x, targetNamespace: n",
            false,
        ),
        ("releaseName: x", "releaseName: x, targetNamespace: m", true),
        ("", "storageNamespace: n", false),
        ("", "storageNamespace: m", true),
    ] {
        let said = of_object(&release(old), &release(new));
        assert_eq!(
            said.iter().any(|s| s.contains("change/reinstall")),
            is_new,
            "{new}: {said:?}"
        );
    }
}

/// Of a mapping that is new, what is in it is told, and nothing else.
#[test]
fn settings_are_told_where_they_are_set() {
    for (new, expected) in [
        ("install: {timeout: 1m}", ""),
        ("upgrade: {force: false}", ""),
        (
            "upgrade: {remediation: {retries: 3}}",
            "info change/flux-setting: `spec.upgrade.remediation` is set to a mapping; what \
             happens when an upgrade fails changes",
        ),
        (
            "install: {crds: Skip}",
            "warning change/flux-setting: `spec.install.crds` is set to `Skip`; definitions are \
             installed with the chart, or no longer are",
        ),
        ("driftDetection: {mode: disabled}", ""),
    ] {
        assert_eq!(
            of_object(&release(""), &release(new)).join("; "),
            expected,
            "{new}"
        );
    }
    let repository = |spec: &str| {
        object(
            "source.toolkit.fluxcd.io/v1 OCIRepository",
            &format!("spec: {{{spec}}}"),
        )
    };
    assert_eq!(
        of_object(
            &repository("ref: {tag: '1'}"),
            &repository("ref: {digest: 'sha256:00'}")
        ),
        [
            "warning change/source: `spec.ref.tag` is no longer set (`1` before), \
             `spec.ref.digest` is set to `sha256:00`; another revision is taken"
        ]
    );
}

#[test]
fn a_chart_that_is_no_longer_verified_is_told() {
    let chart = |verify: &str| release(&format!("chart: {{spec: {{chart: a, {verify}}}}}"));
    let verified = chart("verify: {provider: cosign}");
    assert_eq!(
        of_object(&verified, &chart("")),
        ["error change/source: its signature is no longer verified"]
    );
    assert_eq!(
        of_object(&chart(""), &verified),
        ["info change/source: its signature is verified from now on"]
    );
    // Another kind of source says for itself.
    assert_eq!(
        of_object(
            &verified,
            &release("chartRef: {kind: OCIRepository, name: a}")
        ),
        ["warning change/chart: its chart is the one of `spec.chartRef` from now on"]
    );
}

/// Under another name it is another object: nothing of it is refused, and the old
/// one goes.
#[test]
fn a_generated_name_is_another_object() {
    let job = |name: &str, image: &str| {
        object(
            "batch/v1 Job",
            &format!(
                "spec: {{template: {{spec: {{containers: [{{name: a, image: 'a:{image}'}}]}}}}}}"
            ),
        )
        .replace("{name: x", &format!("{{name: {name}"))
    };
    assert_eq!(
        of_object(&job("migrate-3fa9b2", "1"), &job("migrate-77aa12", "2")),
        ["info change/image: container `a` moves from `a:1` to `a:2`"]
    );
    let claim = |name: &str| CLAIM.replace("name: d", &format!("name: {name}"));
    assert_eq!(
        of_object(&claim("disk-3fa9b2"), &claim("disk-77aa12")),
        ["error change/delete-data: it is deleted, and with it the volume that it claims"]
    );
    let side = |name: &str| claim(name);
    let (old, new) = (side("disk-3fa9b2"), side("disk-77aa12"));
    let difference = compared(
        &[("Kustomization/apps", &old)],
        &[("Kustomization/apps", &new)],
    );
    assert!(!difference.objects[0].is_noise());
}
