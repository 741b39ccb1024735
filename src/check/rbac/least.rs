//! The least Roles for what a cluster's Flux objects apply.

use std::collections::BTreeMap;

use super::access::{self, Applier};
use crate::check::View;
use crate::diag::ObjectRef;
use crate::rbac::least::Least;
use crate::rbac::{Rights, Subject, needs};

/// What an account needs, and for whom.
#[derive(Clone, Debug, Default)]
pub struct Needed {
    /// The Kustomizations and HelmReleases that are applied by it.
    pub units: Vec<ObjectRef>,
    /// The rights.
    pub least: Least,
}

/// What each account needs for all that is applied by it; with `missing`, what
/// it needs beyond the rights that the repository gives it.
pub fn needed(view: &View<'_>, missing: bool) -> BTreeMap<Subject, Needed> {
    let access = view.access();
    let mut found: BTreeMap<Subject, Needed> = BTreeMap::new();
    for (unit, applied) in view.applied_by_unit() {
        let Applier::Account { subject, .. } = access.applier(unit) else {
            continue;
        };
        let rights = if missing {
            access.policy.rights(&subject)
        } else {
            Rights::default()
        };
        let applied = access::placed(view, applied);
        let items = access::items(view, access, unit, &applied);
        let needed = found.entry(subject).or_default();
        needed.units.push(unit.id.to_object_ref());
        for lack in needs::lacking(&rights, access::how(access, unit), &items) {
            needed
                .least
                .add(lack.namespace, lack.verb, &lack.group, &lack.resource);
        }
        for escalation in needs::escalations(&access.policy, &rights, &items) {
            let namespace = items.get(escalation.item).map_or("", |item| item.namespace);
            for rule in &escalation.missing {
                needed.least.add_rule(namespace, rule);
            }
        }
    }
    found.retain(|_, needed| !needed.least.is_empty());
    found
}
