//! The rules of what a change means.

use crate::diag::Severity;

/// A rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its id, `change/name`; stable.
    pub id: &'static str,
    /// How bad it is, as a rule; some findings are worse.
    pub severity: Severity,
    /// What it finds.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
}

const fn rule(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    why: &'static str,
) -> Rule {
    Rule {
        id,
        severity,
        title,
        why,
    }
}

/// Every rule, by id.
pub const RULES: &[Rule] = &[
    rule(
        "change/blast-radius",
        Severity::Warning,
        "a change touches more than half of what a cluster applies, and ten owners at least",
        "whatever is wrong with it is wrong everywhere at once",
    ),
    rule(
        "change/chart",
        Severity::Info,
        "a release moves to another version of its chart, or to another chart",
        "a new major version often needs steps by hand: read its notes first",
    ),
    rule(
        "change/crd-version",
        Severity::Error,
        "a version of a custom resource is no longer served",
        "objects and clients of that version stop working, and the API server refuses the change \
         while objects are stored in it",
    ),
    rule(
        "change/delete",
        Severity::Info,
        "an object is deleted from the cluster",
        "its owner prunes: what leaves the repository leaves the cluster",
    ),
    rule(
        "change/delete-data",
        Severity::Error,
        "an object is deleted, and data with it",
        "a namespace takes all that is in it along, a definition all objects of its kind, a claim \
         its volume: no revert brings them back",
    ),
    rule(
        "change/flux-setting",
        Severity::Warning,
        "a Flux object behaves differently from now on",
        "settings such as prune, suspend, force or targetNamespace change what happens to all \
         objects of the owner, not only to those in the difference",
    ),
    rule(
        "change/image",
        Severity::Info,
        "a container runs another image",
        "it is what most releases are about; an image from another repository, or one that lost \
         its digest, is a warning",
    ),
    rule(
        "change/immutable",
        Severity::Error,
        "a field changes that cannot be changed",
        "the API server refuses it, and the owner fails until the object is replaced; with force \
         the object is deleted and made anew",
    ),
    rule(
        "change/orphan",
        Severity::Info,
        "an object leaves the repository and stays in the cluster",
        "its owner does not prune it, so that nobody looks after it any more",
    ),
    rule(
        "change/owner",
        Severity::Warning,
        "an object moves from one owner to another",
        "when the old owner runs before the new one, it deletes the object: services stop, and \
         data may be lost",
    ),
    rule(
        "change/rbac-narrowed",
        Severity::Info,
        "rights are taken away",
        "what still needs them fails at run time",
    ),
    rule(
        "change/rbac-widened",
        Severity::Warning,
        "rights are given",
        "whoever holds the subject's credentials may do more; rights over everything are an error",
    ),
    rule(
        "change/reinstall",
        Severity::Error,
        "a release is uninstalled and installed anew",
        "helm-controller does so when the release's name, its namespace or that of its storage \
         changes: services stop, and claims of the chart go with it",
    ),
    rule(
        "change/replicas",
        Severity::Info,
        "a workload runs another number of pods",
        "none at all is a warning",
    ),
    rule(
        "change/restart",
        Severity::Info,
        "the pods of a workload are replaced",
        "any change of the pod template does that, labels and annotations included",
    ),
    rule(
        "change/source",
        Severity::Warning,
        "a source leads elsewhere, or is trusted otherwise",
        "what is applied comes from there; a source that is no longer verified is an error",
    ),
    rule(
        "change/suspended",
        Severity::Warning,
        "a change is not applied, as its owner is suspended",
        "it waits until somebody resumes the owner, together with all that came before",
    ),
    rule(
        "change/unrendered",
        Severity::Error,
        "a part of the change cannot be shown, as it does not render",
        "nothing is known of what changes there: the rest of the difference is not the whole",
    ),
    rule(
        "change/volume-shrink",
        Severity::Error,
        "a volume claim asks for less than it did",
        "the API server refuses it: volumes only grow",
    ),
];

/// The rule with this id.
pub(super) fn severity(id: &str) -> Severity {
    RULES
        .iter()
        .find(|rule| rule.id == id)
        .map_or(Severity::Warning, |rule| rule.severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_and_of_one_family() {
        for pair in RULES.windows(2) {
            assert!(pair[0].id < pair[1].id, "{}", pair[1].id);
        }
        assert!(RULES.iter().all(|r| r.id.starts_with("change/")));
    }
}
