//! Anchors and merge keys, resolved.
//!
//! Compat: `RNode.DeAnchor` of kyaml: aliases become copies, what a merge key
//! brings comes behind what is there, the sources of a list in turn.

use super::{Data, Entry, Node, Tag};
use crate::diag::{Error, Result};

/// A node without anchors, aliases and merge keys; what has none stays shared.
///
/// # Errors
///
/// `yaml/invalid` for what a merge key cannot merge.
pub fn resolved(node: &Node) -> Result<Node> {
    if !needs_work(node) {
        return Ok(node.clone());
    }
    let mut node = match node.data() {
        Data::Alias(alias) => resolved(&alias.1)?,
        _ => node.clone(),
    };
    node.clear_anchor();
    if let Some(items) = node.items_mut() {
        for item in items {
            *item = resolved(item)?;
        }
    } else if node.is_mapping() {
        resolve_mapping(&mut node)?;
    }
    Ok(node)
}

fn needs_work(node: &Node) -> bool {
    let own = node.anchor().is_some();
    own || match node.data() {
        Data::Scalar(_) => false,
        Data::Sequence(items) => items.iter().any(needs_work),
        Data::Mapping(entries) => entries
            .iter()
            .any(|e| e.key.text() == Some("<<") || needs_work(&e.key) || needs_work(&e.value)),
        Data::Alias(_) => true,
    }
}

fn resolve_mapping(node: &mut Node) -> Result<()> {
    let mut merges = node.entries().iter().filter(|e| e.key.tag() == Tag::Merge);
    let merge = merges.next().map(|e| e.value.clone());
    if let Some(second) = merges.next() {
        return Err(Error::new("yaml/invalid", "there are two merge keys")
            .at(second.key.span())
            .help("write one, with a list: `<<: [*a, *b]`"));
    }
    // Compat: a quoted `<<` goes, too.
    node.remove("<<");
    let Some(entries) = node.entries_mut() else {
        return Ok(());
    };
    for entry in entries.iter_mut() {
        entry.key = resolved(&entry.key)?;
        entry.value = resolved(&entry.value)?;
    }
    let Some(merge) = merge else {
        return Ok(());
    };
    let mut merged: Vec<Entry> = Vec::new();
    for source in sources(&merge)? {
        let source = resolved(source)?;
        for entry in source.entries() {
            if !merged.iter().any(|e| e.key.text() == entry.key.text()) {
                merged.push(entry.clone());
            }
        }
    }
    merged.retain(|m| !entries.iter().any(|e| e.key.text() == m.key.text()));
    entries.extend(merged);
    Ok(())
}

/// The mappings that a merge key names, those that win first.
fn sources(value: &Node) -> Result<Vec<&Node>> {
    match value.data() {
        Data::Mapping(_) => Ok(vec![value]),
        Data::Alias(alias) if alias.1.is_mapping() => Ok(vec![&alias.1]),
        Data::Sequence(items) => {
            let mut all = Vec::new();
            for item in items.iter() {
                if item.is_sequence() {
                    return Err(cannot_merge(item));
                }
                all.extend(sources(item)?);
            }
            Ok(all)
        }
        Data::Scalar(_) | Data::Alias(_) => Err(cannot_merge(value)),
    }
}

fn cannot_merge(node: &Node) -> Error {
    Error::new(
        "yaml/invalid",
        format!(
            "a merge key merges mappings, not {}",
            node.target().describe()
        ),
    )
    .at(node.span())
    .help("after `<<:` write an alias of a mapping, or a list of such aliases")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::{self, emit};

    fn check(text: &str, want: &str) {
        let node = yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        let mut out = String::new();
        match resolved(&node) {
            Ok(node) => emit::as_written(&node, emit::Indent::Compact, &mut out),
            Err(e) => out = e.to_string(),
        }
        assert_eq!(out, want);
    }

    #[test]
    fn aliases_and_merges() {
        check("a: &x {b: 1}\nc: *x\n", "a: {b: 1}\nc: {b: 1}\n");
        check(
            "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n",
            "a: {b: 1, c: 2}\nd:\n  c: 3\n  b: 1\n",
        );
        check(
            "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne:\n  <<: [*x, *y]\n",
            "a: {b: 1}\nc: {b: 2, d: 3}\ne:\n  b: 1\n  d: 3\n",
        );
        check(
            "a: &x 1\nb: {<<: *x}\n",
            "a merge key merges mappings, not a number",
        );
        check("'<<': 1\nb: 2\n", "b: 2\n");
    }
}
