//! Secrets in clear.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::artifact::ignore::regular_files;
use crate::check::files::reach::Reach;
use crate::check::{Check, Out, Repository, Rule, View};
use crate::diag::{Severity, Span};
use crate::resource::ResId;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "secret/plaintext",
    severity: Severity::Error,
    title: "a Secret whose content stands in the repository",
    why: "Base64 is no encryption. Whoever can read the repository, its history included, has what \
          the Secret holds. Public keys, certificates and names of users are no secrets, and \
          neither are variables that something else puts in. Files that no build reads count as \
          well: they are in the repository all the same.",
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
    check: Check::Repository(check),
};

fn check(repository: &Repository, views: &[View<'_>], out: &mut Out<'_>) {
    for view in views {
        for applied in super::written(view).filter(|a| a.is("", "Secret")) {
            if let Some(told) = judge(applied.node()) {
                let mut finding = out.about(applied, told.span, told.message);
                finding.cluster.clone_from(&view.label);
                out.push(finding.path(told.path).help(HELP));
            }
        }
    }
    if repository.is_whole {
        unapplied(repository, views, out);
    }
}

/// Secrets in files that no build reads: whoever applies them by hand does so
/// from the repository.
fn unapplied(repository: &Repository, views: &[View<'_>], out: &mut Out<'_>) {
    let reach = Reach::of(repository, views);
    let files = reach.files;
    for path in regular_files(&**files.tree()).unwrap_or_default() {
        let yaml = [".yaml", ".yml"].iter().any(|end| path.ends_with(end));
        // Files of a chart are templates, and files of tests are no secrets.
        let passed_over =
            reach.read.contains(&path) || path.split('/').any(|part| NO_MANIFESTS.contains(&part));
        if !yaml || passed_over {
            continue;
        }
        let bytes = files.bytes(&path).unwrap_or_default();
        if memchr::memmem::find(&bytes, b"kind: Secret").is_none() {
            continue;
        }
        let Ok(documents) = files.documents(&path) else {
            continue;
        };
        for document in documents.iter() {
            let id = ResId::of(&document.root);
            if &*id.gvk.kind != "Secret" || !id.gvk.group.is_empty() {
                continue;
            }
            if let Some(told) = judge(&document.root) {
                let message = format!("{}, in a file that nothing applies", told.message);
                out.push(
                    out.about_object(id.to_object_ref(), told.span, message)
                        .path(told.path)
                        .help(HELP),
                );
            }
        }
    }
}

/// Folders whose YAML is not applied as it is.
const NO_MANIFESTS: [&str; 6] = [
    ".git",
    "node_modules",
    "templates",
    "test",
    "tests",
    "testdata",
];

const HELP: &str = "encrypt it with SOPS, or let an operator bring it; then change what it held";

/// What of a Secret stands in clear.
struct Told {
    span: Span,
    path: String,
    message: String,
}

fn judge(secret: &Node) -> Option<Told> {
    let sealed = secret.at_path(&["sops", "mac"]).is_some();
    let mut clear: Vec<(&str, &Node, &str)> = Vec::new();
    let mut hidden = 0;
    for field in ["stringData", "data"] {
        let entries = secret.get(field).map(Node::target);
        for entry in entries.map_or(&[][..], Node::entries) {
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
        return None;
    }
    let (key, value, field) = clear.first()?;
    let more = match clear.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(Told {
        span: value.span(),
        path: format!("/{field}/{}", crate::diag::pointer::escape(key)),
        message: format!("`{key}`{more} of the Secret in clear"),
    })
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
    super::is_reference(content)
        || public
        || about_public
        || named
        || address
        || is_bare_address(content)
}

/// Whether a value is the address of a database or the like that gives no
/// password. Of addresses on the web the path itself may be one.
fn is_bare_address(content: &str) -> bool {
    let address = content.strip_prefix("jdbc:").unwrap_or(content);
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if !scheme.chars().all(is_word) || scheme.starts_with("http") || content.contains(['\n', ' ']) {
        return false;
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    // Variables may hold a colon: `${a:=b}`.
    let names_password = place.rsplit_once('@').is_some_and(|(user, _)| {
        let mut depth = 0usize;
        user.chars().any(|c| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            c == ':' && depth == 0
        })
    });
    let tells = |parameter: &str| {
        let name = parameter.split('=').next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        ["pass", "pwd", "token", "secret", "credential"]
            .iter()
            .any(|word| name.contains(word))
    };
    !names_password && !query.split(['&', ';']).any(tells)
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
            "stringData: {uri: 'postgresql://web@db.example:5432/web?sslmode=verify-full&sslkey=/x/tls.key'}",
            "stringData: {jdbc: 'jdbc:postgresql://db.example/web?user=web'}",
            "stringData: {password: 'ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]', region: eu}\nsops: {mac: x}",
        ] {
            assert!(found(secret).is_empty(), "{secret}");
        }
        for secret in [
            "uri: 'postgresql://web:hunter2@db.example/web'",
            "uri: 'mysql://db.example/web?user=web&password=hunter2'",
            "hook: 'https://hooks.example.com/services/T0/B0/abcdef'",
            "uri: 'redis://:hunter2@cache.example'",
        ] {
            assert_eq!(
                found(&format!("stringData: {{{secret}}}")).len(),
                1,
                "{secret}"
            );
        }
        // Encrypted by name alone.
        assert_eq!(
            found("stringData: {password: hunter2}\nsops: {mac: x}").len(),
            1
        );
    }

    #[test]
    fn files_that_nothing_applies_count() {
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: git, namespace: \
                      flux-system}\nstringData: {password: hunter2}\n";
        let at =
            |path: &str| testing::found("secret/plaintext", &format!("-- {path} --\n{secret}"));
        assert_eq!(
            at("bootstrap/git.yaml"),
            [
                "error bootstrap/git.yaml:4:24 `password` of the Secret in clear, in a file that \
                 nothing applies"
            ]
        );
        assert_eq!(at("charts/web/templates/git.yaml"), [""; 0]);
        assert_eq!(at("clusters/prod/git.yaml").len(), 1);
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
