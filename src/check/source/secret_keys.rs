//! Secrets that do not hold what their source needs.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{IMAGE, SOURCE};

pub(in crate::check) static RULE: Rule = Rule {
    id: "source/secret-keys",
    severity: Severity::Error,
    title: "a Secret without the keys that its source needs",
    why: "Flux reads certain keys of the Secret that a source names, and which they are goes with the address: an SSH \
          address needs a private key and known hosts, HTTPS a name and a password or a token. The keys \
          of a Secret can be seen when its values are encrypted, too.",
    mend: "Give the Secret the keys that the help names. `docs/guides/source-authentication.md` has \
           them all.",
    bad: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 1h
  url: ssh://git@git.example.com/library
  ref:
    tag: 1.0.0
  secretRef:
    name: library
---
apiVersion: v1
kind: Secret
metadata:
  name: library
  namespace: flux-system
data:
  username: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]
  password: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]
sops:
  mac: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]
  version: 3.9.0
",
    good: "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: library
  namespace: flux-system
spec:
  interval: 1h
  url: ssh://git@git.example.com/library
  ref:
    tag: 1.0.0
  secretRef:
    name: library
---
apiVersion: v1
kind: Secret
metadata:
  name: library
  namespace: flux-system
data:
  identity: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]
  known_hosts: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]
sops:
  mac: ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]
  version: 3.9.0
",
    check: Check::Cluster(check),
};

/// The kinds that fetch.
const KINDS: &[(&str, &str)] = &[
    (SOURCE, "GitRepository"),
    (SOURCE, "HelmRepository"),
    (SOURCE, "OCIRepository"),
    (SOURCE, "Bucket"),
    (IMAGE, "ImageRepository"),
];

/// The fields that name Secrets.
const FIELDS: [&str; 3] = ["secretRef", "certSecretRef", "proxySecretRef"];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (group, kind) in KINDS {
        for applied in view.of_kind(group, kind) {
            for field in FIELDS {
                one(view, applied, field, out);
            }
        }
    }
}

fn one(view: &View<'_>, applied: &Applied<'_>, field: &str, out: &mut Out<'_>) {
    let Some(name) = applied.at(&["spec", field, "name"]) else {
        return;
    };
    let text = name.text().unwrap_or_default();
    // What is not in the repository cannot be looked at.
    let Some(secret) = view.find("", "Secret", applied.namespace, text) else {
        return;
    };
    let keys: Vec<&str> = ["data", "stringData"]
        .iter()
        .filter_map(|field| secret.at(&[field]))
        .flat_map(crate::yaml::Node::entries)
        .filter_map(|entry| entry.key.text())
        .collect();
    let has = |wanted: &[&str]| wanted.iter().all(|key| keys.contains(key));
    let wanted: &[&[&str]] = match field {
        "secretRef" => credentials(applied),
        "certSecretRef" => CERTIFICATES,
        _ => &[&["address"]],
    };
    if wanted.is_empty() || wanted.iter().any(|set| has(set)) {
        return;
    }
    let sets: Vec<String> = wanted
        .iter()
        .take(2)
        .map(|set| format!("`{}`", set.join("` and `")))
        .collect();
    out.push(
        out.about(
            applied,
            name.span(),
            format!(
                "the Secret `{}/{text}` has no keys that this source reads",
                applied.namespace
            ),
        )
        .path(format!("/spec/{field}/name"))
        .help(format!("it needs {}", sets.join(", or "))),
    );
}

/// What certificates are read from; the names that are out of date still count.
const CERTIFICATES: &[&[&str]] = &[
    &["ca.crt"],
    &["tls.crt", "tls.key"],
    &["caFile"],
    &["certFile", "keyFile"],
];

/// What a source reads from the Secret of `secretRef`: one of these sets of keys
/// is enough. None for what is not known.
fn credentials(applied: &Applied<'_>) -> &'static [&'static [&'static str]] {
    let url = applied.text(&["spec", "url"]).unwrap_or_default();
    let provider = applied.text(&["spec", "provider"]).unwrap_or("generic");
    match &*applied.gvk().kind {
        "GitRepository" if url.starts_with("ssh://") => &[&["identity", "known_hosts"]],
        "GitRepository" if provider == "github" => &[&["githubAppID", "githubAppPrivateKey"]],
        "GitRepository" => &[
            &["username", "password"],
            &["bearerToken"],
            &["ca.crt"],
            &["caFile"],
            &["tls.crt", "tls.key"],
        ],
        "HelmRepository" if url.starts_with("oci://") => {
            &[&[".dockerconfigjson"], &["username", "password"]]
        }
        "HelmRepository" => &[
            &["username", "password"],
            &["ca.crt"],
            &["caFile"],
            &["tls.crt", "tls.key"],
            &["certFile", "keyFile"],
        ],
        "OCIRepository" | "ImageRepository" => &[&[".dockerconfigjson"]],
        "Bucket" if provider == "generic" || provider == "aws" => &[&["accesskey", "secretkey"]],
        "Bucket" if provider == "gcp" => &[&["serviceaccount"]],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::check::example::testing::found;

    /// Whether a source is content with a Secret of these keys.
    fn fits(kind: &str, spec: &str, keys: &[&str]) -> bool {
        let value = "ENC[AES256_GCM,data:eA==,iv:eA==,tag:eA==,type:str]";
        let keys: Vec<String> = keys
            .iter()
            .map(|key| format!("  {key}: {value}\n"))
            .collect();
        let keys = keys.concat();
        let group = if kind == "ImageRepository" {
            "image"
        } else {
            "source"
        };
        let text = format!(
            "apiVersion: {group}.toolkit.fluxcd.io/v1\nkind: {kind}\nmetadata:\n  name: a\n  \
             namespace: b\nspec:\n  interval: 1h\n{spec}---\napiVersion: v1\nkind: \
             Secret\nmetadata:\n  name: s\n  namespace: b\nstringData:\n{keys}sops:\n  mac: \
             {value}\n  version: 3.9.0\n"
        );
        found(RULE.id, &text).is_empty()
    }

    #[test]
    fn each_kind_reads_keys_of_its_own() {
        let oci = "  url: oci://registry.example.com/a\n  secretRef: {name: s}\n";
        assert!(fits("OCIRepository", oci, &[".dockerconfigjson"]));
        assert!(!fits("OCIRepository", oci, &["username", "password"]));
        assert!(fits("HelmRepository", oci, &["username", "password"]));
        let image = "  image: registry.example.com/a\n  secretRef: {name: s}\n";
        assert!(!fits("ImageRepository", image, &["username", "password"]));
        let proxy = "  url: https://git.example.com/a\n  proxySecretRef: {name: s}\n";
        assert!(fits("GitRepository", proxy, &["address", "username"]));
        assert!(!fits("GitRepository", proxy, &["username"]));
        let certificates = "  url: https://charts.example.com\n  certSecretRef: {name: s}\n";
        assert!(fits("HelmRepository", certificates, &["ca.crt"]));
        assert!(!fits("HelmRepository", certificates, &["ca.pem"]));
        let google = "  bucketName: a\n  endpoint: storage.googleapis.com\n  provider: gcp\n  \
                      secretRef: {name: s}\n";
        assert!(fits("Bucket", google, &["serviceaccount"]));
        assert!(!fits("Bucket", google, &["accesskey", "secretkey"]));
    }
}
