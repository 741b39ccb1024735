//! Providers that cannot send.

use crate::check::{Check, Out, Rule, View};
use crate::diag::Severity;
use crate::flux::api::NOTIFICATION;
use crate::yaml::Node;

pub(in crate::check) static RULE: Rule = Rule {
    id: "notify/provider",
    severity: Severity::Warning,
    title: "a provider without an address, or without what it needs to log in",
    why: "Most providers send to an address, of their own or from the key `address` of their \
          Secret; Git providers and some others need a token, a few a channel. Without, every \
          notification fails, which shows in the controller's log alone.",
    mend: "Give the address in `spec.address`, or a Secret with `address` or `token` in \
           `spec.secretRef`.",
    bad: "\
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata:
  name: chat
  namespace: flux-system
spec:
  type: slack
  channel: general
",
    good: "\
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Provider
metadata:
  name: chat
  namespace: flux-system
spec:
  type: slack
  channel: general
  secretRef:
    name: chat-address
",
    check: Check::Cluster(check),
};

/// Types that need no address.
///
/// Compat: notification-controller `internal/notifier`, as all of this.
const WITHOUT_ADDRESS: [&str; 2] = ["otel", "telegram"];

/// Types that do not send without a credential, with the keys of a Secret that
/// can hold it.
const WITH_CREDENTIAL: [(&str, &[&str]); 15] = [
    ("bitbucket", &["token"]),
    ("bitbucketserver", &["token", "password"]),
    ("datadog", &["token"]),
    ("generic-hmac", &["token"]),
    ("gitea", &["token"]),
    ("giteapullrequestcomment", &["token"]),
    ("github", &["token", "githubAppID"]),
    ("githubdispatch", &["token", "githubAppID"]),
    ("githubpullrequestcomment", &["token", "githubAppID"]),
    ("gitlab", &["token", "password"]),
    ("gitlabmergerequestcomment", &["token", "password"]),
    ("incidentio", &["token"]),
    ("opsgenie", &["token"]),
    ("telegram", &["token"]),
    ("zoom", &["token"]),
];

/// Types that do not send without a channel.
const WITH_CHANNEL: [&str; 3] = ["googlepubsub", "nats", "telegram"];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(NOTIFICATION, "Provider") {
        let Some(kind) = applied.at(&["spec", "type"]) else {
            continue;
        };
        let text = kind.text().unwrap_or_default();
        let has = |field: &str| applied.at(&["spec", field]).is_some();
        let name = applied.text(&["spec", "secretRef", "name"]);
        let mut tell = |message: String, help: &str| {
            out.push(
                out.about(applied, kind.span(), message)
                    .path("/spec")
                    .help(help),
            );
        };
        let needs_address = !has("address") && !WITHOUT_ADDRESS.contains(&text);
        let credential = WITH_CREDENTIAL.iter().find(|(kind, _)| *kind == text);
        if needs_address && name.is_none() {
            tell(
                format!("a provider of type `{text}` needs an address"),
                "give `address`, or a Secret with that key in `secretRef`",
            );
        }
        if WITH_CHANNEL.contains(&text) && !has("channel") {
            tell(
                format!("a provider of type `{text}` needs a channel"),
                "give `channel`",
            );
        }
        if let Some((_, keys)) = credential.filter(|_| name.is_none()) {
            tell(
                format!("a provider of type `{text}` needs a credential"),
                &format!(
                    "name a Secret with `{}` in `secretRef`",
                    keys.join("` or `")
                ),
            );
        }
        // A Secret that is in the repository shows its keys, encrypted or not.
        let secret = name.and_then(|name| view.find("", "Secret", applied.namespace, name));
        let Some(secret) = secret else { continue };
        let fields = ["data", "stringData"].into_iter();
        let entries = fields.flat_map(|f| secret.at(&[f]).map_or(&[][..], Node::entries));
        let keys: Vec<&str> = entries.filter_map(|entry| entry.key.text()).collect();
        let span = applied
            .at(&["spec", "secretRef"])
            .map_or(kind.span(), Node::span);
        let mut lacks = |wanted: &[&str], why: &str| {
            if keys.is_empty() || wanted.iter().any(|key| keys.contains(key)) {
                return;
            }
            let message = format!(
                "the Secret `{}` has no key `{}`, {why}",
                secret.name(),
                wanted.join("` or `")
            );
            out.push(
                out.about(applied, span, message)
                    .path("/spec/secretRef")
                    .help(format!("its keys are `{}`", keys.join("`, `"))),
            );
        };
        if needs_address {
            lacks(&["address"], "and the provider no address");
        }
        if let Some((_, wanted)) = credential {
            lacks(wanted, "which the provider needs");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::example::testing;

    fn found(spec: &str, secret: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Provider\nmetadata: {{name: \
             p, namespace: flux-system}}\nspec: {spec}\n---\napiVersion: v1\nkind: \
             Secret\nmetadata: {{name: s, namespace: flux-system}}\nstringData: {secret}\n"
        );
        let messages = testing::found("notify/provider", &text).into_iter();
        messages
            .map(|f| f.splitn(3, ' ').nth(2).unwrap().to_owned())
            .collect()
    }

    #[test]
    fn each_type_needs_what_its_service_does() {
        for (spec, told) in [
            (
                "{type: github, address: 'https://github.com/a/b'}",
                "a provider of type `github` needs a credential",
            ),
            (
                "{type: github, address: 'https://github.com/a/b', secretRef: {name: s}}",
                "the Secret `s` has no key `token` or `githubAppID`, which the provider needs",
            ),
            (
                "{type: telegram, secretRef: {name: elsewhere}}",
                "a provider of type `telegram` needs a channel",
            ),
            (
                "{type: alertmanager}",
                "a provider of type `alertmanager` needs an address",
            ),
        ] {
            assert_eq!(found(spec, "{user: a}"), [told], "{spec}");
        }
        for spec in [
            "{type: gitlab, address: 'https://gitlab.com/a/b', secretRef: {name: s}}",
            "{type: msteams, secretRef: {name: elsewhere}}",
            "{type: otel}",
            "{type: telegram, channel: '@a', secretRef: {name: elsewhere}}",
        ] {
            assert_eq!(found(spec, "{password: a}"), [""; 0], "{spec}");
        }
    }
}
