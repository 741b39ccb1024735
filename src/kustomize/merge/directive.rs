//! `$patch`: what a patch says about itself.
//!
//! Compat: `merge2/smpdirective.go` of kyaml.

use super::list;
use crate::diag::{Error, Result};
use crate::yaml::Node;

pub(super) const KEY: &str = "$patch";

/// What is done with a place that is in the object and in the patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

impl Directive {
    fn read(value: &Node) -> Result<Directive> {
        match value.text().unwrap_or_default() {
            "merge" => Ok(Directive::Merge),
            "replace" => Ok(Directive::Replace),
            "delete" => Ok(Directive::Delete),
            other => Err(Error::new(
                "kustomize/patch",
                format!("unknown directive `$patch: {other}`"),
            )
            .at(value.span())
            .help("write `merge`, `replace` or `delete`")),
        }
    }
}

/// What a mapping says, which is taken out of it.
pub(super) fn of_mapping(patch: &mut Node) -> Result<Directive> {
    let Some(value) = patch.get(KEY) else {
        return Ok(Directive::Merge);
    };
    let directive = Directive::read(value)?;
    patch.remove(KEY);
    Ok(directive)
}

/// What a list says, which is taken out of it: an item that holds nothing but
/// the directive.
pub(super) fn of_list(patch: &mut Node) -> Result<Directive> {
    let Some(item) = patch.items().iter().find(|item| item.get(KEY).is_some()) else {
        return Ok(Directive::Merge);
    };
    let Some(value) = item.get(KEY).filter(|_| item.entries().len() == 1) else {
        return Ok(Directive::Merge);
    };
    let directive = Directive::read(value)?;
    let text = value.text().unwrap_or_default().to_owned();
    if let Some(items) = patch.items_mut() {
        list::set_element(items, None, &[KEY], &[&text])?;
    }
    Ok(directive)
}
