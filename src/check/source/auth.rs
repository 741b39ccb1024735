//! Sources that cannot authenticate, or let others read along.

use crate::check::{Applied, Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::{IMAGE, SOURCE};

pub(in crate::check) static RULE: Rule = Rule {
    id: "source/auth",
    severity: Severity::Error,
    title: "a source that cannot authenticate, or does so in the open",
    why: "Flux fetches over SSH with a key and known hosts from a Secret only; without one every \
          fetch fails. Credentials in an address are readable by everybody who can read the \
          repository or the object. Over plain HTTP, or with `insecure`, anybody on the way can \
          put in manifests of their own.",
    mend: "Put credentials in a Secret (encrypted with SOPS, or brought by an operator) and name \
           it in `secretRef`; use `https://`. `docs/guides/source-authentication.md` has the \
           Secret that each kind of source needs.",
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
    name: library-ssh
",
    check: Check::Cluster(check),
};

/// The kinds that fetch, each with the field of its address.
const KINDS: &[(&str, &str, &str)] = &[
    (SOURCE, "GitRepository", "url"),
    (SOURCE, "HelmRepository", "url"),
    (SOURCE, "OCIRepository", "url"),
    (SOURCE, "Bucket", "endpoint"),
    (IMAGE, "ImageRepository", "image"),
];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for (group, kind, field) in KINDS {
        for applied in view.of_kind(group, kind) {
            one(applied, field, out);
        }
    }
}

fn one(applied: &Applied<'_>, field: &str, out: &mut Out<'_>) {
    let Some(address) = applied.at(&["spec", field]) else {
        return;
    };
    let Some(text) = address.text() else { return };
    let path = format!("/spec/{field}");
    if text.starts_with("ssh://") && applied.at(&["spec", "secretRef", "name"]).is_none() {
        out.push(
            out.about(
                applied,
                address.span(),
                "an SSH address needs a `secretRef`",
            )
            .path(path.clone())
            .help(
                "name a Secret with `identity` and `known_hosts`; `flux create secret git` \
                     makes one",
            ),
        );
    }
    let by_app = applied.text(&["spec", "provider"]) == Some("github");
    if by_app && applied.at(&["spec", "secretRef", "name"]).is_none() {
        out.push(
            out.about(
                applied,
                applied.at(&["spec", "provider"]).unwrap_or(address).span(),
                "the provider `github` needs a `secretRef`",
            )
            .path("/spec/provider")
            .help("name a Secret with the id and the key of a GitHub App; `flux create secret githubapp` makes one"),
        );
    }
    if let Some(user) = credentials(text) {
        out.push(
            out.about(
                applied,
                address.span(),
                format!("the address holds credentials: `{user}`"),
            )
            .path(path.clone())
            .help("take them out, revoke them, and put new ones in the Secret of `secretRef`"),
        );
    }
    let severity = if is_in_cluster(text) {
        Severity::Info
    } else {
        Severity::Warning
    };
    if text.starts_with("http://") {
        out.push(
            out.about(
                applied,
                address.span(),
                "plain HTTP: anybody on the way can change it",
            )
            .severity(severity)
            .path(path)
            .help("write `https://`"),
        );
    } else if applied.is_true(&["spec", "insecure"])
        && let Some(insecure) = applied.at(&["spec", "insecure"])
    {
        out.push(
            out.about(
                applied,
                insecure.span(),
                "`insecure` fetches over plain HTTP",
            )
            .severity(severity)
            .path("/spec/insecure")
            .help("take it out; a private certificate authority goes into `certSecretRef`"),
        );
    }
}

/// Parameters of addresses that hold tokens.
const PARAMETERS: &[&str] = &[
    "access_token",
    "apikey",
    "api_key",
    "auth",
    "job_token",
    "password",
    "private_token",
    "sig",
    "token",
    "x-amz-signature",
];

/// Who an address names together with a password or a token: a user, or the
/// parameter that holds it.
fn credentials(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let mut parameters = query.split(['&', '#']).filter_map(|p| p.split_once('='));
    let secret = parameters.find(|(name, value)| {
        !value.is_empty() && PARAMETERS.contains(&name.to_ascii_lowercase().as_str())
    });
    if let Some((name, _)) = secret {
        return Some(name.to_owned());
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    match user.split_once(':') {
        Some((name, password)) if !password.is_empty() => Some(name.to_owned()),
        // A user alone says nothing, unless it is as long as a token.
        _ if scheme != "ssh" && user.len() >= 20 => Some(format!("{}…", &user.get(..4)?)),
        _ => None,
    }
}

/// Whether an address is a Service of the cluster itself.
fn is_in_cluster(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = rest.split(['/', ':']).next().unwrap_or_default();
    let mut labels = host.trim_end_matches('.').split('.').skip(1);
    host == "localhost" || labels.any(|label| label == "svc" || label == "local")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_are_credentials() {
        for (address, user) in [
            ("https://bob:pw@example.com/x", Some("bob")),
            (
                "https://ghp_0123456789abcdefghij@example.com/x",
                Some("ghp_…"),
            ),
            ("https://org@dev.example.com/x", None),
            ("ssh://git@example.com/x", None),
            (
                "https://example.com/a?private_token=abc",
                Some("private_token"),
            ),
            ("https://example.com/a?ref=main&token=", None),
            ("https://example.com/a@b:c", None),
            ("oci://example.com/x", None),
        ] {
            assert_eq!(credentials(address).as_deref(), user, "{address}");
        }
    }

    #[test]
    fn services_are_in_the_cluster() {
        assert!(is_in_cluster("http://charts.helm.svc.cluster.local./x"));
        assert!(is_in_cluster("http://minio.store.svc:9000"));
        assert!(!is_in_cluster("http://charts.example.com"));
    }
}
