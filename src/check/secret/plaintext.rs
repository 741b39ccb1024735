//! Secrets in clear.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "secret/plaintext",
    severity: Severity::Error,
    title: "a Secret whose content stands in the repository",
    why: "Base64 is no encryption. Whoever can read the repository, its history included, has what \
          the Secret holds. Public keys, certificates and names of users are no secrets, and \
          neither are variables that something else puts in.",
    mend: "Encrypt the file with SOPS and set `spec.decryption`, or let an operator bring the \
           Secret (External Secrets, Sealed Secrets). Then change what it held: the history keeps \
           it.",
    bad: "\
apiVersion: v1
kind: Secret
metadata:
  name: database
  namespace: default
stringData:
  password: correct-horse
",
    good: "\
apiVersion: v1
kind: Secret
metadata:
  name: signing-keys
  namespace: default
stringData:
  release.pub: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJd0
",
    check: Check::Cluster(check),
};

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in super::written(view).filter(|a| a.is("", "Secret")) {
        let sealed = applied.at(&["sops", "mac"]).is_some();
        let mut clear: Vec<(&str, &Node, &str)> = Vec::new();
        let mut hidden = 0;
        for field in ["stringData", "data"] {
            for entry in applied.at(&[field]).map_or(&[][..], Node::entries) {
                let value = entry.value.target();
                let (Some(key), Some(text)) = (entry.key.text(), value.text()) else {
                    continue;
                };
                let decoded = decode(field, text);
                let content = decoded.as_deref().unwrap_or(text);
                if super::is_sealed(value, text) || super::is_sealed(value, content) {
                    hidden += 1;
                } else if !is_harmless(key, content) && !super::is_reference(text) {
                    clear.push((key, value, field));
                }
            }
        }
        // What an encrypted Secret leaves in clear was chosen to be.
        if sealed && hidden > 0 {
            continue;
        }
        let Some((key, value, field)) = clear.first() else {
            continue;
        };
        let more = match clear.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        out.push(
            out.about(
                applied,
                value.span(),
                format!("`{key}`{more} of the Secret in clear"),
            )
            .path(format!(
                "/{field}/{}",
                key.replace('~', "~0").replace('/', "~1")
            ))
            .help("encrypt it with SOPS, or let an operator bring it; then change what it held"),
        );
    }
}

/// The text behind a value of `data`.
fn decode(field: &str, text: &str) -> Option<String> {
    if field != "data" {
        return None;
    }
    let compact: String = text.split_whitespace().collect();
    String::from_utf8(STANDARD.decode(compact).ok()?).ok()
}

/// Whether a value of a Secret may be seen by everybody.
fn is_harmless(key: &str, content: &str) -> bool {
    let content = content.trim();
    let armour = content.contains("-----BEGIN ") && !content.contains("PRIVATE KEY");
    let key_line = |line: &str| {
        ["ssh-", "ecdsa-sha2-", "sk-ssh-"]
            .iter()
            .any(|kind| line.contains(kind))
            || line.starts_with('#')
    };
    let public = armour || content.lines().all(key_line);
    let lower = key.to_ascii_lowercase();
    let about_public = [".pub", ".crt"].iter().any(|end| lower.ends_with(end))
        || matches!(
            &*lower,
            "ca.pem" | "cafile" | "known_hosts" | "trustpolicy.json"
        );
    let named = matches!(
        &*lower,
        "username"
            | "user"
            | "type"
            | "name"
            | "project"
            | "host"
            | "hostname"
            | "port"
            | "region"
            | "bucket"
            | "database"
            | "dbname"
            | "email"
            | "enableoci"
            | "githubappid"
            | "githubappinstallationid"
    );
    let address = matches!(
        &*lower,
        "url" | "uri" | "endpoint" | "server" | "githubappbaseurl"
    ) && !content.contains('@')
        && !content.contains('?');
    super::is_reference(content) || public || about_public || named || address
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing;

    fn found(secret: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  namespace: default\n{secret}\n"
        );
        testing::found("secret/plaintext", &text)
    }

    #[test]
    fn content_counts_however_it_is_written() {
        assert_eq!(
            found("data:\n  username: YWRtaW4=\n  password: aHVudGVyMg=="),
            ["error clusters/prod/example.yaml:8:13 `password` of the Secret in clear"]
        );
        assert_eq!(found("stringData: {a: b, c: d}").len(), 1);
        assert!(found("stringData: {}").is_empty());
        assert!(found("type: kubernetes.io/service-account-token").is_empty());
    }

    #[test]
    fn what_may_be_seen_is_no_finding() {
        for secret in [
            "stringData: {ca.crt: '-----BEGIN CERTIFICATE-----'}",
            "stringData: {known_hosts: 'github.com ssh-ed25519 AAAA'}",
            "stringData: {password: '${DB_PASSWORD}'}",
            "stringData: {password: 'op://vault/item/field'}",
            "stringData: {username: flux, url: 'https://charts.example.com'}",
            "stringData: {password: 'ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]', region: eu}\nsops: {mac: x}",
        ] {
            assert!(found(secret).is_empty(), "{secret}");
        }
        // Encrypted by name alone.
        assert_eq!(
            found("stringData: {password: hunter2}\nsops: {mac: x}").len(),
            1
        );
    }

    #[test]
    fn generated_secrets_count() {
        let text = "-- clusters/prod/kustomization.yaml --\nresources: [flux-system]\nnamespace: \
                    default\nsecretGenerator:\n- name: s\n  literals: [password=hunter2]\n-- \
                    clusters/prod/flux-system/kustomization.yaml --\nresources: [gotk-sync.yaml]\n";
        let found = testing::found("secret/plaintext", text);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].contains("clusters/prod/kustomization.yaml:5:"),
            "{found:?}"
        );
    }
}
