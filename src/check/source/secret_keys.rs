//! Secrets that do not hold what their source needs.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::SOURCE;

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

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for kind in ["GitRepository", "HelmRepository", "Bucket"] {
        for applied in view.of_kind(SOURCE, kind) {
            one(view, applied, kind, out);
        }
    }
}

fn one(view: &View<'_>, applied: &Applied<'_>, kind: &str, out: &mut Out<'_>) {
    let Some(name) = applied.at(&["spec", "secretRef", "name"]) else {
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
    let url = applied.text(&["spec", "url"]).unwrap_or_default();
    let provider = applied.text(&["spec", "provider"]).unwrap_or("generic");
    // One of these sets of keys is enough.
    let wanted: &[&[&str]] = match kind {
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
        _ if provider == "generic" || provider == "aws" => &[&["accesskey", "secretkey"]],
        _ => return,
    };
    if wanted.iter().any(|set| has(set)) {
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
        .path("/spec/secretRef/name")
        .help(format!("it needs {}", sets.join(", or "))),
    );
}
