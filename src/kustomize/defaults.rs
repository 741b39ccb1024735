//! The fields that kustomize's transformers know by themselves.
//!
//! Compat: `internal/konfig/builtinpluginconsts` of kustomize 5.8.1. Most
//! fields are in pods, and there at the same place for every kind that makes
//! pods: the tables here say where the pods are and what is in them, and the
//! lists are put together when they are first asked for. Every list is in the
//! order in which kustomize sorts it, by kind.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::config::NameReference;
use super::fieldspec::FieldSpec;
use super::id::GvkPattern;

/// Kinds that others need, first those that most others need.
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Kinds that need all others.
const LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The rank of a kind in the legacy order; most have 0.
pub(super) fn rank(kind: &str) -> isize {
    rank_in(kind, &FIRST, &LAST)
}

/// The rank of a kind among others: negative before, positive behind those that
/// neither list names. A name that stands twice counts where it stands last.
pub(super) fn rank_in(kind: &str, first: &[impl AsRef<str>], last: &[impl AsRef<str>]) -> isize {
    let signed = |n: usize| isize::try_from(n).unwrap_or(isize::MAX);
    if let Some(i) = last.iter().rposition(|k| k.as_ref() == kind) {
        return signed(i + 1);
    }
    let found = first.iter().rposition(|k| k.as_ref() == kind);
    found.map_or(0, |i| -signed(first.len() - i))
}

pub(super) static NAME: &[FieldSpec] = &[FieldSpec::of_all("metadata/name", false)];

pub(super) static NAMESPACE: &[FieldSpec] = &[
    FieldSpec::of("", "", "Namespace", "metadata/name", true),
    FieldSpec::of(
        "apiextensions.k8s.io",
        "",
        "CustomResourceDefinition",
        "spec/conversion/webhook/clientConfig/service/namespace",
        false,
    ),
    FieldSpec::of(
        "apiregistration.k8s.io",
        "",
        "APIService",
        "spec/service/namespace",
        true,
    ),
];

pub(super) static IMAGES: &[FieldSpec] = &[
    FieldSpec::of_all("spec/containers[]/image", true),
    FieldSpec::of_all("spec/initContainers[]/image", true),
    FieldSpec::of_all("spec/volumes[]/image/reference", true),
    FieldSpec::of_all("spec/template/spec/containers[]/image", true),
    FieldSpec::of_all("spec/template/spec/initContainers[]/image", true),
    FieldSpec::of_all("spec/template/spec/volumes[]/image/reference", true),
];

pub(super) static REPLICAS: &[FieldSpec] = &[
    FieldSpec::of("", "", "Deployment", "spec/replicas", true),
    FieldSpec::of("", "", "StatefulSet", "spec/replicas", true),
    FieldSpec::of("", "", "ReplicaSet", "spec/replicas", true),
    FieldSpec::of("", "", "ReplicationController", "spec/replicas", true),
];

pub(super) static COMMON_ANNOTATIONS: &[FieldSpec] = &[
    annotations("", "", "Deployment", "spec/template/metadata/annotations"),
    annotations("", "", "StatefulSet", "spec/template/metadata/annotations"),
    annotations(
        "batch",
        "",
        "CronJob",
        "spec/jobTemplate/metadata/annotations",
    ),
    annotations(
        "batch",
        "",
        "CronJob",
        "spec/jobTemplate/spec/template/metadata/annotations",
    ),
    annotations("batch", "", "Job", "spec/template/metadata/annotations"),
    annotations(
        "",
        "v1",
        "ReplicationController",
        "spec/template/metadata/annotations",
    ),
    annotations("", "", "DaemonSet", "spec/template/metadata/annotations"),
    annotations("", "", "ReplicaSet", "spec/template/metadata/annotations"),
    annotations("", "", "", "metadata/annotations"),
];

const fn annotations(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    path: &'static str,
) -> FieldSpec {
    FieldSpec::of(group, version, kind, path, true)
}

/// Labels of objects and of what they make from templates.
pub(super) static TEMPLATE_LABELS: LazyLock<Vec<FieldSpec>> =
    LazyLock::new(|| labels(Selectors::Left));

/// The same, and selectors.
pub(super) static COMMON_LABELS: LazyLock<Vec<FieldSpec>> =
    LazyLock::new(|| labels(Selectors::Included));

#[derive(Clone, Copy, PartialEq, Eq)]
enum Selectors {
    Left,
    Included,
}

/// A kind with its group and version: its selectors, made or not; whether its
/// pods select others; and its templates.
struct Labelled {
    gvk: (&'static str, &'static str, &'static str),
    selectors: &'static [(&'static str, bool)],
    has_affinities: bool,
    templates: &'static [&'static str],
}

static LABELLED: &[Labelled] = &[
    labelled("", "v1", "Service", &[("spec/selector", true)], &[]),
    Labelled {
        has_affinities: true,
        ..labelled("apps", "", "Deployment", &[], &[])
    },
    labelled(
        "",
        "",
        "Deployment",
        &[("spec/selector/matchLabels", true)],
        &["spec/template/metadata/labels"],
    ),
    Labelled {
        has_affinities: true,
        ..labelled(
            "apps",
            "",
            "StatefulSet",
            &[("spec/selector/matchLabels", true)],
            &[
                "spec/template/metadata/labels",
                "spec/volumeClaimTemplates[]/metadata/labels",
            ],
        )
    },
    labelled(
        "batch",
        "",
        "CronJob",
        &[("spec/jobTemplate/spec/selector/matchLabels", false)],
        &[
            "spec/jobTemplate/metadata/labels",
            "spec/jobTemplate/spec/template/metadata/labels",
        ],
    ),
    labelled(
        "policy",
        "",
        "PodDisruptionBudget",
        &[("spec/selector/matchLabels", false)],
        &[],
    ),
    labelled(
        "batch",
        "",
        "Job",
        &[("spec/selector/matchLabels", false)],
        &["spec/template/metadata/labels"],
    ),
    labelled(
        "networking.k8s.io",
        "",
        "NetworkPolicy",
        &[
            ("spec/podSelector/matchLabels", false),
            ("spec/ingress/from/podSelector/matchLabels", false),
            ("spec/egress/to/podSelector/matchLabels", false),
        ],
        &[],
    ),
    labelled(
        "",
        "v1",
        "ReplicationController",
        &[("spec/selector", true)],
        &["spec/template/metadata/labels"],
    ),
    labelled(
        "",
        "",
        "DaemonSet",
        &[("spec/selector/matchLabels", true)],
        &["spec/template/metadata/labels"],
    ),
    labelled(
        "",
        "",
        "ReplicaSet",
        &[("spec/selector/matchLabels", true)],
        &["spec/template/metadata/labels"],
    ),
    labelled("", "", "", &[], &["metadata/labels"]),
];

const fn labelled(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    selectors: &'static [(&'static str, bool)],
    templates: &'static [&'static str],
) -> Labelled {
    Labelled {
        gvk: (group, version, kind),
        selectors,
        has_affinities: false,
        templates,
    }
}

/// Where pods select others, below `spec/template/spec`.
static AFFINITIES: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector",
    "topologySpreadConstraints/labelSelector",
];

fn labels(selectors: Selectors) -> Vec<FieldSpec> {
    let mut list = Vec::new();
    for labelled in LABELLED {
        let (group, version, kind) = labelled.gvk;
        let mut add = |path: Cow<'static, str>, create| {
            list.push(FieldSpec {
                path,
                ..FieldSpec::of(group, version, kind, "", create)
            });
        };
        if selectors == Selectors::Included {
            for (path, create) in labelled.selectors {
                add(Cow::Borrowed(path), *create);
            }
            if labelled.has_affinities {
                for path in AFFINITIES {
                    add(
                        format!("spec/template/spec/{path}/matchLabels").into(),
                        false,
                    );
                }
            }
        }
        for path in labelled.templates {
            add(Cow::Borrowed(path), true);
        }
    }
    list
}

// What is in pods.

/// Where the pods are that a kind makes.
fn pods(kind: &str) -> &'static str {
    match kind {
        "Pod" => "spec",
        "PodTemplate" => "template/spec",
        "CronJob" => "spec/jobTemplate/spec/template/spec",
        _ => "spec/template/spec",
    }
}

/// Kinds whose pods name ConfigMaps and Secrets.
static CONFIGURED: &[&str] = &[
    "Pod",
    "PodTemplate",
    "Deployment",
    "ReplicaSet",
    "DaemonSet",
    "StatefulSet",
    "Job",
    "CronJob",
];

/// Kinds whose pods name other objects.
static SCHEDULED: &[&str] = &[
    "Pod",
    "StatefulSet",
    "Deployment",
    "ReplicationController",
    "CronJob",
    "Job",
    "DaemonSet",
];

/// Kinds in whose pods vars are replaced, in the order of their names.
static REPLACED: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "CronJob",
    "DaemonSet",
    "Job",
    "Pod",
    "ReplicaSet",
];

/// Fields in the pods of some kinds.
fn in_pods(
    kinds: &[&'static str],
    version_of_pod: &'static str,
    fields: &[&str],
) -> Vec<FieldSpec> {
    let mut list = Vec::with_capacity(kinds.len() * fields.len());
    for kind in kinds {
        let version = if *kind == "Pod" { version_of_pod } else { "" };
        for field in fields {
            list.push(FieldSpec {
                path: format!("{}/{field}", pods(kind)).into(),
                ..FieldSpec::of("", version, kind, "", false)
            });
        }
    }
    list
}

/// Fields of single kinds: group, version, kind, path.
type Fields = &'static [(&'static str, &'static str, &'static str, &'static str)];

fn single(fields: Fields) -> impl Iterator<Item = FieldSpec> {
    fields
        .iter()
        .map(|(group, version, kind, path)| FieldSpec::of(group, version, kind, path, false))
}

/// Fields in which vars are replaced.
pub(super) static VAR_REFERENCE: LazyLock<Vec<FieldSpec>> = LazyLock::new(|| {
    let mut list: Vec<FieldSpec> = single(&[
        ("", "", "Service", "spec/ports/port"),
        ("", "", "Service", "spec/ports/targetPort"),
        ("", "", "PersistentVolume", "spec/nfs/server"),
    ])
    .collect();
    let containers: Vec<String> = ["containers", "initContainers"]
        .iter()
        .flat_map(|containers| {
            ["args", "command", "env/value", "volumeMounts/mountPath"]
                .map(|field| format!("{containers}/{field}"))
        })
        .collect();
    let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
    for kind in REPLACED {
        list.extend(in_pods(&[kind], "", &containers));
        // Compat: kustomize looks for the volumes of two kinds elsewhere.
        let server = match *kind {
            "CronJob" => "spec/jobTemplate/spec/template/volumes/nfs/server",
            "StatefulSet" => "spec/volumeClaimTemplates/spec/nfs/server",
            "Pod" => "spec/volumes/nfs/server",
            _ => "spec/template/spec/volumes/nfs/server",
        };
        list.push(FieldSpec::of("", "", kind, server, false));
        if *kind == "Deployment" {
            let path = "spec/template/metadata/annotations";
            list.push(FieldSpec::of("", "", kind, path, false));
        }
        if *kind == "DaemonSet" {
            list.extend(single(&[
                ("", "", "Ingress", "spec/rules/host"),
                ("", "", "Ingress", "spec/tls/hosts"),
                ("", "", "Ingress", "spec/tls/secretName"),
            ]));
        }
    }
    list.push(FieldSpec::of_all("metadata/labels", false));
    list.push(FieldSpec::of_all("metadata/annotations", false));
    list
});

/// What may be referred to by name, and from where.
pub(super) static NAME_REFERENCE: LazyLock<Vec<NameReference>> = LazyLock::new(|| {
    let scale_target: Fields = &[(
        "",
        "",
        "HorizontalPodAutoscaler",
        "spec/scaleTargetRef/name",
    )];
    vec![
        reference(
            "storage.k8s.io",
            "v1",
            "StorageClass",
            Vec::new(),
            &[
                ("", "", "PersistentVolume", "spec/storageClassName"),
                ("", "", "PersistentVolumeClaim", "spec/storageClassName"),
                (
                    "",
                    "",
                    "StatefulSet",
                    "spec/volumeClaimTemplates/spec/storageClassName",
                ),
            ],
        ),
        reference(
            "",
            "v1",
            "ServiceAccount",
            in_pods(SCHEDULED, "", &["serviceAccountName"]),
            &[
                (RBAC, "", "RoleBinding", "subjects"),
                (RBAC, "", "ClusterRoleBinding", "subjects"),
            ],
        ),
        reference(
            RBAC,
            "",
            "Role",
            Vec::new(),
            &[(RBAC, "", "RoleBinding", "roleRef/name")],
        ),
        reference(
            RBAC,
            "",
            "ClusterRole",
            Vec::new(),
            &[
                (RBAC, "", "RoleBinding", "roleRef/name"),
                (RBAC, "", "ClusterRoleBinding", "roleRef/name"),
            ],
        ),
        reference(
            "",
            "v1",
            "ConfigMap",
            in_pods(
                CONFIGURED,
                "v1",
                &[
                    "volumes/configMap/name",
                    "containers/env/valueFrom/configMapKeyRef/name",
                    "initContainers/env/valueFrom/configMapKeyRef/name",
                    "containers/envFrom/configMapRef/name",
                    "initContainers/envFrom/configMapRef/name",
                    "volumes/projected/sources/configMap/name",
                ],
            ),
            &[
                ("", "", "Node", "spec/configSource/configMap"),
                ("", "", "Role", "rules/resourceNames"),
                ("", "", "ClusterRole", "rules/resourceNames"),
                (
                    "",
                    "",
                    "Ingress",
                    "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap",
                ),
            ],
        ),
        reference(
            "",
            "v1",
            "Secret",
            in_pods(
                CONFIGURED,
                "v1",
                &[
                    "volumes/secret/secretName",
                    "containers/env/valueFrom/secretKeyRef/name",
                    "initContainers/env/valueFrom/secretKeyRef/name",
                    "containers/envFrom/secretRef/name",
                    "initContainers/envFrom/secretRef/name",
                    "imagePullSecrets/name",
                    "volumes/projected/sources/secret/name",
                ],
            ),
            SECRET_FIELDS,
        ),
        reference(
            "",
            "v1",
            "Service",
            Vec::new(),
            &[
                ("apps", "", "StatefulSet", "spec/serviceName"),
                (
                    "",
                    "",
                    "Ingress",
                    "spec/rules/http/paths/backend/serviceName",
                ),
                ("", "", "Ingress", "spec/backend/serviceName"),
                (
                    "",
                    "",
                    "Ingress",
                    "spec/rules/http/paths/backend/service/name",
                ),
                ("", "", "Ingress", "spec/defaultBackend/service/name"),
                (
                    "apiregistration.k8s.io",
                    "",
                    "APIService",
                    "spec/service/name",
                ),
                (
                    ADMISSION,
                    "",
                    "ValidatingWebhookConfiguration",
                    "webhooks/clientConfig/service",
                ),
                (
                    ADMISSION,
                    "",
                    "MutatingWebhookConfiguration",
                    "webhooks/clientConfig/service",
                ),
            ],
        ),
        reference(
            "scheduling.k8s.io",
            "v1",
            "PriorityClass",
            in_pods(SCHEDULED, "", &["priorityClassName"]),
            &[],
        ),
        reference(
            "",
            "v1",
            "PersistentVolume",
            Vec::new(),
            &[
                ("", "", "PersistentVolumeClaim", "spec/volumeName"),
                ("", "", "ClusterRole", "rules/resourceNames"),
            ],
        ),
        reference(
            "",
            "v1",
            "PersistentVolumeClaim",
            in_pods(SCHEDULED, "", &["volumes/persistentVolumeClaim/claimName"]),
            &[],
        ),
        reference("", "", "Deployment", Vec::new(), scale_target),
        reference("", "", "StatefulSet", Vec::new(), scale_target),
        reference(
            ADMISSION,
            "",
            "ValidatingAdmissionPolicy",
            Vec::new(),
            &[(
                ADMISSION,
                "",
                "ValidatingAdmissionPolicyBinding",
                "spec/policyName",
            )],
        ),
        // Compat: a group with a version in it, which no object has.
        reference(
            "networking.k8s.io/v1",
            "v1",
            "IngressClass",
            Vec::new(),
            &[("", "", "Ingress", "spec/ingressClassName")],
        ),
        reference("", "", "ReplicaSet", Vec::new(), scale_target),
        reference("", "", "ReplicationController", Vec::new(), scale_target),
    ]
});

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

static SECRET_FIELDS: Fields = &[
    ("", "", "Ingress", "spec/tls/secretName"),
    (
        "",
        "",
        "Ingress",
        "metadata/annotations/ingress.kubernetes.io\\/auth-secret",
    ),
    (
        "",
        "",
        "Ingress",
        "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret",
    ),
    (
        "",
        "",
        "Ingress",
        "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret",
    ),
    ("", "", "ServiceAccount", "imagePullSecrets/name"),
    ("", "", "StorageClass", "parameters/secretName"),
    ("", "", "StorageClass", "parameters/adminSecretName"),
    ("", "", "StorageClass", "parameters/userSecretName"),
    ("", "", "StorageClass", "parameters/secretRef"),
    ("", "", "Role", "rules/resourceNames"),
    ("", "", "ClusterRole", "rules/resourceNames"),
    (
        "serving.knative.dev",
        "v1",
        "Service",
        "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
    ),
    ("", "", "PersistentVolume", "spec/azureFile/secretName"),
];

fn reference(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    mut referrers: Vec<FieldSpec>,
    fields: Fields,
) -> NameReference {
    referrers.extend(single(fields));
    NameReference {
        target: GvkPattern {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            kind: Cow::Borrowed(kind),
        },
        referrers: Cow::Owned(referrers),
    }
}
