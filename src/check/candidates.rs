//! Rules that were thought of, and what became of each.

/// What became of a candidate.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// A rule finds it.
    Rule(&'static str),
    /// No rule does, and why.
    LeftOut(&'static str),
}

use Outcome::{LeftOut, Rule};

/// What a comparison of two versions tells, and no look at one can.
const A_DIFFERENCE: &str = "it takes two versions to see, which `check` does not have";
/// What the lockfile is for.
const THE_LOCKFILE: &str = "it is a matter of the lockfile";
/// What `verify` answers.
const VERIFY: &str = "`fluxwright verify` answers it, with keys";
/// What is not done yet.
const NOT_YET: &str = "not written yet";
/// What nobody would read.
const NOISE: &str = "it is so of nearly every repository, and would be read by nobody";

/// The candidates, each in a few words.
pub static CANDIDATES: &[(&str, Outcome)] = &[
    ("Flux API version removed", Rule("api/deprecated")),
    ("Flux API version deprecated", Rule("api/deprecated")),
    (
        "field that this Flux minor does not have",
        Rule("api/unknown-field"),
    ),
    ("Kubernetes API version removed", Rule("api/deprecated")),
    ("schema violation", Rule("schema/invalid")),
    (
        "hooks that are post-rendered since Flux 2.9",
        LeftOut(A_DIFFERENCE),
    ),
    (
        "Secret of a source that nothing brings",
        LeftOut("Secrets are kept out of repositories"),
    ),
    (
        "Secret without the keys that its source needs",
        Rule("source/secret-keys"),
    ),
    ("plain HTTP and `insecure`", Rule("source/auth")),
    (
        "cloud registry without `provider`",
        LeftOut("a Secret or anonymous access may do"),
    ),
    ("one Secret to fetch and to push", LeftOut(NOISE)),
    ("`passCredentials`", Rule("source/pass-credentials")),
    ("SSH without known hosts", Rule("source/secret-keys")),
    ("Git source on a branch or a range", Rule("pin/floating")),
    ("tag that moved", LeftOut(THE_LOCKFILE)),
    ("commit that is no commit", Rule("pin/not-a-commit")),
    ("OCI artifact by tag without digest", LeftOut(NOISE)),
    ("chart version range", Rule("pin/floating")),
    ("remote base", Rule("kustomize/remote")),
    (
        "chart archive that is not the locked one",
        LeftOut(THE_LOCKFILE),
    ),
    ("image without digest", LeftOut(NOISE)),
    ("image without tag or with `latest`", Rule("image/mutable")),
    (
        "image that does not exist",
        LeftOut("it takes the network to see"),
    ),
    (
        "source without verification",
        LeftOut("it is a matter of the trust policy, which `lock` and `build` enforce"),
    ),
    (
        "commit or tag without a trusted signature",
        Rule("trust/unsigned"),
    ),
    ("tag verification of a branch", Rule("trust/mode")),
    (
        "cosign signature that does not hold",
        Rule("trust/bad-signature"),
    ),
    (
        "keyless verification of any identity",
        Rule("trust/identity"),
    ),
    ("Secret of keys without a key", Rule("trust/key-file")),
    ("remote base in a verified source", Rule("kustomize/remote")),
    ("SSH keys before Flux 2.9", LeftOut(VERIFY)),
    ("source or chart that does not exist", Rule("ref/missing")),
    ("path that does not exist", Rule("ref/missing")),
    ("component that does not exist", Rule("ref/missing")),
    ("values or variables that do not exist", Rule("ref/missing")),
    (
        "chart or version that its repository does not have",
        Rule("helm/chart-missing"),
    ),
    (
        "policy without repository, alert without provider",
        Rule("ref/missing"),
    ),
    (
        "OCI tag that is not the chart's version",
        LeftOut("it takes the registry to see"),
    ),
    ("file that no Kustomization reaches", Rule("file/orphan")),
    (
        "YAML that is no object in a generated kustomization",
        Rule("kustomize/no-object"),
    ),
    ("folder without kustomization.yaml", LeftOut(NOISE)),
    ("ignore rules that are none", Rule("source/ignore-rules")),
    ("HelmRepository of type oci", LeftOut("both ways work")),
    ("dependency cycle", Rule("dag/cycle")),
    ("dependency that does not exist", Rule("ref/missing")),
    ("dependency of the other kind", Rule("ref/missing")),
    ("wait that cannot end", Rule("dag/cycle")),
    ("dependency that is suspended", Rule("dag/suspended")),
    (
        "custom resource beside the release of its definition",
        Rule("dag/definition-order"),
    ),
    (
        "custom resource without a dependency on its definition",
        Rule("dag/definition-order"),
    ),
    (
        "dependency across namespaces",
        LeftOut("Flux allows it always"),
    ),
    ("readyExpr that does not compile", Rule("dag/ready-expr")),
    (
        "timeout longer than the interval",
        LeftOut("it works, and is meant at times"),
    ),
    ("wildcards in rights", Rule("rbac/wildcard")),
    ("binding to cluster-admin", Rule("rbac/escalation")),
    ("escalate, bind, impersonate", Rule("rbac/escalation")),
    ("secrets, exec, nodes, tokens", Rule("rbac/secrets")),
    (
        "aggregated ClusterRole that widens others",
        Rule("rbac/aggregation"),
    ),
    (
        "account that may not apply what it applies",
        Rule("rbac/insufficient"),
    ),
    (
        "account that does not exist",
        Rule("tenancy/service-account"),
    ),
    (
        "binding that would be an escalation",
        Rule("rbac/insufficient"),
    ),
    (
        "pruning without the right to delete",
        Rule("rbac/insufficient"),
    ),
    (
        "tenant that writes Kustomizations of any account",
        Rule("tenancy/lockdown"),
    ),
    (
        "tenant that runs as the controller",
        Rule("tenancy/service-account"),
    ),
    ("tenant's object in flux-system", Rule("tenancy/scope")),
    (
        "tenant's object outside its namespaces",
        Rule("tenancy/scope"),
    ),
    ("reference across namespaces", Rule("tenancy/scope")),
    (
        "targetNamespace taken for isolation",
        Rule("tenancy/service-account"),
    ),
    (
        "values from a Secret that the tenant may not read",
        LeftOut(NOT_YET),
    ),
    (
        "controllers without the flags that lock down",
        Rule("tenancy/lockdown"),
    ),
    ("source outside of what a tenant may use", LeftOut(NOT_YET)),
    ("Secret in clear", Rule("secret/plaintext")),
    ("credential in any field", Rule("secret/credential")),
    ("SOPS without spec.decryption", Rule("sops/encrypted")),
    (
        "encrypted ConfigMap used for substitution",
        Rule("ref/missing"),
    ),
    (
        "SOPS recipients outside of .sops.yaml",
        Rule("secret/sops-rules"),
    ),
    ("variable without value", Rule("subst/unresolved")),
    ("expression that is none", Rule("subst/invalid")),
    ("substitution that does not happen", Rule("subst/skipped")),
    ("value that changes type", Rule("schema/invalid")),
    (
        "variables in scripts and definitions",
        Rule("subst/unresolved"),
    ),
    ("variable named like a boolean", Rule("subst/boolean-name")),
    ("chart that does not render", Rule("helm/template-error")),
    (
        "template that gives another result each time",
        Rule("render/random"),
    ),
    (
        "values that the chart does not use",
        Rule("helm/unused-values"),
    ),
    ("output that depends on the cluster", LeftOut(NOISE)),
    (
        "post-renderer patch that matches nothing",
        Rule("kustomize/patch"),
    ),
    ("definitions that an upgrade leaves", LeftOut(A_DIFFERENCE)),
    ("release that is installed anew", LeftOut(A_DIFFERENCE)),
    (
        "targetPath beside inline values",
        LeftOut("it is rendered as Flux does"),
    ),
    (
        "namespace that nothing creates",
        LeftOut("namespaces are made by hand as often"),
    ),
    ("Namespace from two Kustomizations", Rule("own/duplicate")),
    ("object of two owners", Rule("own/duplicate")),
    ("object that changes its owner", LeftOut(A_DIFFERENCE)),
    ("object twice in one build", Rule("kustomize/duplicate-id")),
    ("removal of what holds data", LeftOut(A_DIFFERENCE)),
    (
        "volume under a Kustomization that prunes",
        Rule("own/prune"),
    ),
    (
        "deletionPolicy that deletes what prune keeps",
        Rule("own/deletion-policy"),
    ),
    ("`force` on what holds data", Rule("own/force")),
    (
        "ignored fields without a target",
        Rule("own/ignored-fields"),
    ),
    ("field that cannot be changed", LeftOut(A_DIFFERENCE)),
    (
        "automation that pushes to the deployed branch",
        Rule("auto/push"),
    ),
    ("range that is no range", Rule("auto/policy")),
    ("message template with removed data", Rule("auto/template")),
    (
        "automation of a path that does not exist",
        Rule("ref/missing"),
    ),
    ("setter without a policy", Rule("auto/marker")),
    (
        "event sources that match nothing",
        Rule("notify/event-source"),
    ),
    (
        "Secret of a provider without its keys",
        Rule("notify/provider"),
    ),
    ("change under a suspended owner", LeftOut(A_DIFFERENCE)),
    (
        "Secret in clear in a bundle",
        LeftOut("bundles are made by another command"),
    ),
    ("input that is not in the lockfile", LeftOut(THE_LOCKFILE)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_has_an_outcome() {
        assert_eq!(CANDIDATES.len(), 111);
        for (what, outcome) in CANDIDATES {
            match outcome {
                Rule(id) => assert!(super::super::rule(id).is_some(), "{what}: no rule `{id}`"),
                LeftOut(why) => assert!(!why.is_empty() && !why.ends_with('.'), "{what}"),
            }
        }
    }
}
