//! The list of all rules.

use super::{
    Rule, api, auto, dag, files, image, notify, own, pin, rbac, references, rendering, schema,
    secret, source, subst, tenancy, trust,
};

/// All rules, in the order of their ids.
pub static RULES: &[&Rule] = &[
    &api::deprecated::RULE,
    &rendering::API_UNKNOWN_FIELD,
    &rendering::ARCHIVE_INVALID,
    &auto::marker::RULE,
    &auto::policy::RULE,
    &auto::push::RULE,
    &auto::template::RULE,
    &rendering::CONFIG_IGNORE_ENDED,
    &rendering::CONFIG_INVALID,
    &dag::cycle::RULE,
    &dag::definition_order::RULE,
    &dag::ready_expr::RULE,
    &dag::suspended::RULE,
    &rendering::FILE_ESCAPE,
    &files::orphan::RULE,
    &rendering::FILE_UNREADABLE,
    &rendering::FLUX_VERSION,
    &rendering::HELM_CHART_INVALID,
    &rendering::HELM_CHART_MISSING,
    &rendering::HELM_DEPRECATED_CHART,
    &rendering::HELM_KUBE_VERSION,
    &rendering::HELM_LIMIT,
    &rendering::HELM_MANIFEST_INVALID,
    &rendering::HELM_MISSING_DEPENDENCY,
    &rendering::HELM_RELEASE_NAME,
    &rendering::HELM_SCHEMA,
    &rendering::HELM_SCHEMA_INVALID,
    &rendering::HELM_SCHEMA_REFERENCE,
    &rendering::HELM_TEMPLATE_ERROR,
    &rendering::HELM_TEMPLATE_MISSING,
    &rendering::HELM_UNKNOWN_HOOK,
    &rendering::HELM_VALUES_CONFLICT,
    &rendering::HELM_VALUES_INVALID,
    &rendering::HELM_VERSION_INVALID,
    &image::mutable::RULE,
    &rendering::KUSTOMIZE_AMBIGUOUS,
    &rendering::KUSTOMIZE_CONFLICT,
    &rendering::KUSTOMIZE_CRD,
    &rendering::KUSTOMIZE_CYCLE,
    &rendering::KUSTOMIZE_DEPRECATED_FIELD,
    &rendering::KUSTOMIZE_DUPLICATE_ID,
    &rendering::KUSTOMIZE_EMPTY,
    &rendering::KUSTOMIZE_ENV_LINE_TOO_LONG,
    &rendering::KUSTOMIZE_FIELD_PATH,
    &rendering::KUSTOMIZE_FIELD_SPEC,
    &rendering::KUSTOMIZE_GENERATOR,
    &rendering::KUSTOMIZE_HASH,
    &rendering::KUSTOMIZE_HELM,
    &rendering::KUSTOMIZE_IGNORED,
    &rendering::KUSTOMIZE_INVALID,
    &rendering::KUSTOMIZE_INVALID_FIELD,
    &rendering::KUSTOMIZE_JSON_PATCH,
    &rendering::KUSTOMIZE_MISSING_COMPONENT,
    &rendering::KUSTOMIZE_NO_JSON_PATCH,
    &rendering::KUSTOMIZE_NO_OBJECT,
    &rendering::KUSTOMIZE_PATCH,
    &rendering::KUSTOMIZE_PATTERN,
    &rendering::KUSTOMIZE_PLUGIN,
    &rendering::KUSTOMIZE_REMOTE,
    &rendering::KUSTOMIZE_REPLACEMENT,
    &rendering::KUSTOMIZE_SELECTOR,
    &rendering::KUSTOMIZE_SEVERAL_FILES,
    &rendering::KUSTOMIZE_TOO_LARGE,
    &rendering::KUSTOMIZE_UNKNOWN_FIELD,
    &rendering::KUSTOMIZE_UNNAMED,
    &rendering::KUSTOMIZE_UNUSED_VAR,
    &rendering::KUSTOMIZE_VALIDATOR,
    &rendering::KUSTOMIZE_VAR,
    &rendering::KUSTOMIZE_WRONG_KIND,
    &notify::event_source::RULE,
    &notify::provider::RULE,
    &own::deletion_policy::RULE,
    &own::duplicate::RULE,
    &own::force::RULE,
    &pin::floating::RULE,
    &pin::not_a_commit::RULE,
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
    &rendering::RENDER_INCOMPLETE,
    &rendering::RENDER_RANDOM,
    &rendering::SCHEMA_DEFINITION,
    &schema::invalid::RULE,
    &schema::invalid::CEL,
    &schema::kinds::MISSING,
    &schema::no_namespace::RULE,
    &schema::kinds::UNKNOWN,
    &secret::credential::RULE,
    &secret::plaintext::RULE,
    &secret::sops::UNPROTECTED,
    &secret::sops::RULES,
    &secret::token::RULE,
    &rendering::SOPS_ENCRYPTED,
    &source::auth::RULE,
    &source::ignore_rules::RULE,
    &source::pass_credentials::RULE,
    &source::secret_keys::RULE,
    &rendering::SOURCE_UNAVAILABLE,
    &rendering::SOURCE_VERSION,
    &subst::boolean_name::RULE,
    &rendering::SUBST_INVALID,
    &rendering::SUBST_INVALID_NAME,
    &subst::skipped::RULE,
    &rendering::SUBST_UNRESOLVED,
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
