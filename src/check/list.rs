//! The list of all rules.

use super::{
    Rule, api, auto, dag, files, image, notify, own, pin, rbac, references, rendering, schema,
    secret, source, tenancy, trust,
};

/// All rules, in the order of their ids.
pub static RULES: &[&Rule] = &[
    &api::deprecated::RULE,
    &auto::marker::RULE,
    &auto::policy::RULE,
    &auto::push::RULE,
    &auto::template::RULE,
    &rendering::IGNORE_ENDED,
    &dag::cycle::RULE,
    &files::orphan::RULE,
    &image::mutable::RULE,
    &notify::event_source::RULE,
    &notify::provider::RULE,
    &own::duplicate::RULE,
    &pin::floating::RULE,
    &rbac::aggregation::RULE,
    &rbac::dangling::RULE,
    &rbac::escalation::RULE,
    &rbac::powers::EXEC,
    &rbac::insufficient::RULE,
    &rbac::powers::NODES,
    &rbac::path::RULE,
    &rbac::powers::SECRETS,
    &rbac::together::RULE,
    &rbac::powers::TOKENS,
    &rbac::powers::WEBHOOKS,
    &rbac::wildcard::RULE,
    &references::missing::RULE,
    &schema::invalid::RULE,
    &schema::invalid::CEL,
    &schema::kinds::MISSING,
    &schema::kinds::UNKNOWN,
    &secret::credential::RULE,
    &secret::plaintext::RULE,
    &secret::sops::UNPROTECTED,
    &secret::sops::RULES,
    &secret::token::RULE,
    &source::auth::RULE,
    &rendering::SOURCE_UNAVAILABLE,
    &tenancy::lockdown::RULE,
    &tenancy::scope::RULE,
    &tenancy::service_account::RULE,
    &trust::identity::RULE,
    &trust::mode::RULE,
    &schema::invalid::YAML,
];

/// The rule of an id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_sorted_and_told_in_full() {
        for pair in RULES.windows(2) {
            assert!(pair[0].id < pair[1].id, "{} {}", pair[0].id, pair[1].id);
        }
        for rule in RULES {
            assert!(rule.id.contains('/'), "{}", rule.id);
            assert!(!rule.title.ends_with('.'), "{}", rule.id);
            for text in [rule.why, rule.mend] {
                assert!(text.ends_with('.'), "{}: {text}", rule.id);
            }
        }
    }
}
