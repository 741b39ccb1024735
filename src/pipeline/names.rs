//! Names that kustomize makes from content.

use crate::yaml::Node;

/// How many characters of a digest a generated name ends in.
const DIGITS: usize = 10;

/// Gives generated ConfigMaps and Secrets among the shadows, and all that
/// refers to them, the names of their counterparts.
///
/// A name that ends in a digest of the content says nothing that can be read,
/// and has to stay: it is the object's name in the cluster.
pub(super) fn align(objects: &[Node], shadows: &mut [Node]) {
    if objects.len() != shadows.len() {
        return;
    }
    let renamed: Vec<(String, String)> = objects
        .iter()
        .zip(shadows.iter())
        .filter_map(|(object, shadow)| renamed(object, shadow))
        .collect();
    if !renamed.is_empty() {
        for shadow in shadows {
            rename(shadow, &renamed);
        }
    }
}

/// The names of a generated object and its shadow, where they differ.
fn renamed(object: &Node, shadow: &Node) -> Option<(String, String)> {
    let is_generated = matches!(object.str_at("kind"), Some("ConfigMap" | "Secret"));
    let name = |o: &Node| Some(o.at_path(&["metadata", "name"])?.text()?.to_owned());
    let (new, old) = (name(object)?, name(shadow)?);
    let (new_base, new_digest) = new.rsplit_once('-')?;
    let (old_base, old_digest) = old.rsplit_once('-')?;
    let is_digest = |text: &str| {
        text.len() == DIGITS
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    let differ = is_generated
        && new_base == old_base
        && new_digest != old_digest
        && is_digest(new_digest)
        && is_digest(old_digest);
    differ.then_some((old, new))
}

fn rename(node: &mut Node, names: &[(String, String)]) {
    if let Some(items) = node.items_mut() {
        for item in items {
            rename(item, names);
        }
    } else if let Some(entries) = node.entries_mut() {
        for entry in entries {
            rename(&mut entry.key, names);
            rename(&mut entry.value, names);
        }
    } else if let Some(text) = node.text() {
        let renamed = names
            .iter()
            .filter(|(old, _)| text.contains(old.as_str()))
            .fold(None, |text_so_far: Option<String>, (old, new)| {
                Some(text_so_far.as_deref().unwrap_or(text).replace(old, new))
            });
        if let Some(renamed) = renamed {
            node.set_text(renamed);
        }
    }
}
