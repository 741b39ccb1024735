//! What a chart is told of the cluster and of Helm.
//!
//! Compat: Helm 4.3.1 `pkg/chart/common/capabilities.go`.

use std::sync::Arc;

use crate::diag::{Error, Result};

/// A version of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// The whole version, with `v` before it: `v1.33.4-gke.1245000`.
    pub version: Arc<str>,
    /// The version without what follows the numbers: `v1.33.4`.
    pub normalized: Arc<str>,
    /// The first number.
    pub major: Arc<str>,
    /// The second.
    pub minor: Arc<str>,
}

impl KubeVersion {
    /// Reads what `--kube-version` is given.
    ///
    /// # Errors
    ///
    /// `helm/version-invalid` for what does not begin with two numbers.
    pub fn parse(text: &str) -> Result<KubeVersion> {
        let invalid = || {
            Error::new(
                "helm/version-invalid",
                format!("invalid Kubernetes version: `{text}`"),
            )
            .help("write it as `1.37.0`")
        };
        let trimmed = text.trim_start();
        let numbers = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let end = numbers
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(numbers.len());
        let numbers = numbers.get(..end).unwrap_or_default().trim_end_matches('.');
        let parts: Vec<&str> = numbers.split('.').collect();
        let is_number = |part: &&str| part.parse::<u64>().is_ok();
        let [major, minor, ..] = parts[..] else {
            return Err(invalid());
        };
        if !parts.iter().all(is_number) || major.len() > 1 && major.starts_with('0') {
            return Err(invalid());
        }
        Ok(KubeVersion {
            version: if text.starts_with('v') {
                text.into()
            } else {
                format!("v{text}").into()
            },
            normalized: format!("v{numbers}").into(),
            major: major.into(),
            minor: minor.into(),
        })
    }
}

/// What a chart is told of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// The API versions beyond those that Helm knows by itself.
    pub api_versions: Vec<Arc<str>>,
}

impl Default for Capabilities {
    /// What Helm 4.3 takes for granted without a cluster.
    fn default() -> Capabilities {
        Capabilities {
            kube_version: KubeVersion {
                version: "v1.37.0".into(),
                normalized: "v1.37.0".into(),
                major: "1".into(),
                minor: "37".into(),
            },
            api_versions: Vec::new(),
        }
    }
}

impl Capabilities {
    /// All API versions, those that Helm knows first.
    pub fn all_api_versions(&self) -> impl Iterator<Item = &str> {
        KNOWN_API_VERSIONS
            .iter()
            .copied()
            .chain(self.api_versions.iter().map(|version| &**version))
    }
}

/// What `.Capabilities.HelmVersion` says.
pub(super) struct HelmVersion {
    pub(super) version: &'static str,
    pub(super) git_commit: &'static str,
    pub(super) git_tree_state: &'static str,
    pub(super) go_version: &'static str,
    pub(super) kube_client_version: &'static str,
}

/// The release of Helm that is reproduced.
pub(super) const HELM_VERSION: HelmVersion = HelmVersion {
    version: "v4.3.1",
    git_commit: "c0d08d0d6d9424d4a14febb5e8a3e51b0dd00dff",
    git_tree_state: "clean",
    go_version: "go1.27.2",
    kube_client_version: "v1.37",
};

/// The API versions that are there without a cluster: those of client-go 0.37
/// in its order, and those of definitions.
///
/// Source: `helm template` 4.3.1 of `{{ .Capabilities.APIVersions }}`.
const KNOWN_API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_kubernetes() {
        for (text, version, normalized, minor) in [
            ("1.36", "v1.36", "v1.36", "36"),
            ("v1.36", "v1.36", "v1.36", "36"),
            ("1.33.4-gke.1245000", "v1.33.4-gke.1245000", "v1.33.4", "33"),
            ("1.30+", "v1.30+", "v1.30", "30"),
        ] {
            let parsed = KubeVersion::parse(text).unwrap();
            assert_eq!(&*parsed.version, version);
            assert_eq!(&*parsed.normalized, normalized);
            assert_eq!((&*parsed.major, &*parsed.minor), ("1", minor));
        }
        for text in ["", "1", "x", "01.2", "1..2"] {
            let error = KubeVersion::parse(text).unwrap_err();
            assert_eq!(error.rule(), "helm/version-invalid", "{text}");
        }
    }

    #[test]
    fn the_default_is_helms() {
        let capabilities = Capabilities::default();
        assert_eq!(
            capabilities.kube_version,
            KubeVersion::parse("v1.37.0").unwrap()
        );
        assert_eq!(capabilities.all_api_versions().count(), 57);
    }
}
