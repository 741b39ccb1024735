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
          Secret; Git providers and some others need a token. Without, every notification fails, \
          which shows in the controller's log alone.",
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

/// Types that send to a place that they know, with the rights of the
/// controller or of an account.
const WITHOUT_ADDRESS: [&str; 9] = [
    "alertmanager",
    "azureeventhub",
    "azuredevops",
    "bitbucket",
    "github",
    "githubdispatch",
    "gitlab",
    "googlepubsub",
    "otel",
];

fn check(view: &View<'_>, out: &mut Out<'_>) {
    for applied in view.of_kind(NOTIFICATION, "Provider") {
        let Some(kind) = applied.at(&["spec", "type"]) else {
            continue;
        };
        let has = |field: &str| applied.at(&["spec", field]).is_some();
        let name = applied.text(&["spec", "secretRef", "name"]);
        let address = has("address");
        let text = kind.text().unwrap_or_default();
        if !address && name.is_none() && !WITHOUT_ADDRESS.contains(&text) {
            out.push(
                out.about(
                    applied,
                    kind.span(),
                    format!("a provider of type `{text}` needs an address"),
                )
                .path("/spec")
                .help("give `address`, or a Secret with that key in `secretRef`"),
            );
        }
        // A Secret that is in the repository shows its keys, encrypted or not.
        let secret = name.and_then(|name| view.find("", "Secret", applied.namespace, name));
        let Some(secret) = secret.filter(|_| !address && !WITHOUT_ADDRESS.contains(&text)) else {
            continue;
        };
        let fields = ["data", "stringData"].into_iter();
        let entries = fields.flat_map(|f| secret.at(&[f]).map_or(&[][..], Node::entries));
        let keys: Vec<&str> = entries.filter_map(|entry| entry.key.text()).collect();
        let span = applied
            .at(&["spec", "secretRef"])
            .map_or(kind.span(), Node::span);
        if !keys.is_empty() && !keys.contains(&"address") {
            out.push(
                out.about(
                    applied,
                    span,
                    format!(
                        "the Secret `{}` has no key `address`, and the provider no address",
                        secret.name()
                    ),
                )
                .path("/spec/secretRef")
                .help(format!("its keys are `{}`", keys.join("`, `"))),
            );
        }
    }
}
