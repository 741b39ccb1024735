//! The order of the output by kinds.
//!
//! Compat: `SortOrderTransformer.go` of kustomize.

use crate::diag::Result;
use crate::kustomize::config::sort_text;
use crate::kustomize::defaults;
use crate::kustomize::file::{LegacyOrder, Text};
use crate::kustomize::id::Id;
use crate::kustomize::resmap::ResMap;
use crate::schema::kustomize::OpenApi;

/// Sorts by kind: first those of one list, last those of another, the rest by
/// name between them.
///
/// # Errors
///
/// `kustomize/duplicate-id` where two objects have the same identity.
pub(in crate::kustomize) fn legacy(
    map: &mut ResMap,
    order: Option<&LegacyOrder>,
    api: &OpenApi,
) -> Result<()> {
    let texts = |texts: &[Text]| -> Vec<String> { texts.iter().map(ToString::to_string).collect() };
    let order = order.map(|order| (texts(&order.first), texts(&order.last)));
    map.sort_by_key(|resource| {
        let id = resource.current_id(api);
        let rank = match &order {
            Some((first, last)) => defaults::rank_in(&id.gvk.kind, first, last),
            None => defaults::rank(&id.gvk.kind),
        };
        (rank, kind_key(&id, rank), object_key(&id))
    });
    map.check_unique(api)
}

/// Namespaces of the core group come first among namespaces.
type KindKey = (bool, String);

fn kind_key(id: &Id, rank: isize) -> KindKey {
    // Compat: where one of two kinds called Namespace is of the core group,
    // their order is turned round. Among other kinds (rank 0) that is no
    // order, and kustomize's result an accident: there it is left as it is.
    let is_first = rank != 0 && &*id.gvk.kind == "Namespace" && id.gvk.group.is_empty();
    let text = sort_text(&id.gvk.group, &id.gvk.version, &id.gvk.kind);
    (!is_first, text)
}

fn object_key(id: &Id) -> String {
    let part = |text: &str, none: &'static str| -> String {
        if text.is_empty() { none } else { text }.to_owned()
    };
    format!(
        "{}.{}.{}|{}|{}",
        part(&id.gvk.kind, "[noKind]"),
        part(&id.gvk.version, "[noVer]"),
        part(&id.gvk.group, "[noGrp]"),
        part(&id.namespace, "~X"),
        part(&id.name, "~N")
    )
}
