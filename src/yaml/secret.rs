//! What secret values reach.
//!
//! A decrypted value is marked in its node, and who moves the node moves the
//! mark. Where text is made of text (substitution, templates, a kustomize
//! build), marks would be lost. There the work is done twice, once with the
//! values and once with a [`shadow`] in place of each: whatever differs in the
//! two results was made from a secret, by whatever function, and
//! [`mark_differences`] marks it.
//!
//! Not seen is what depends on the shape of a value alone: its length, and
//! where it has letters and digits. docs/trust.md says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Data, Entry, Node, Tag};
use crate::diag::differing;

/// Text of the same shape as `text` and with other content: letters and
/// digits are replaced, so that what reads it (as a number, as base64, in
/// hexadecimal) reads the shadow, too.
///
/// Variables, `${…}`, stay: what they stand for is looked up.
pub fn shadow(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_variable = false;
    let mut previous = ' ';
    let mut has_changed = false;
    for c in text.chars() {
        is_variable |= previous == '$' && c == '{';
        let new = if is_variable { c } else { other(c) };
        has_changed |= new != c;
        is_variable &= c != '}';
        previous = c;
        out.push(new);
    }
    if has_changed {
        return out;
    }
    // Nothing but signs: any text is another.
    let sign = |c: char| if c.is_whitespace() { c } else { 'x' };
    if text.contains("${") {
        out
    } else {
        text.chars().map(sign).collect()
    }
}

/// Another character of the same class. Digits stay clear of zero, so that
/// numbers keep their length; the letters of hexadecimal stay among themselves.
fn other(c: char) -> char {
    match c {
        '9' | '0' => '1',
        '1'..='8' | 'a'..='e' | 'g'..='y' | 'A'..='E' | 'G'..='Y' => {
            char::from_u32(u32::from(c) + 1).unwrap_or(c)
        }
        'f' => 'a',
        'F' => 'A',
        'z' => 'g',
        'Z' => 'G',
        c if c.is_alphanumeric() => 'x',
        c => c,
    }
}

/// The shadow of a text that holds YAML: of its values, not of its keys.
///
/// `node` is the secret node that the text comes from.
pub fn shadow_of_values(node: &Node, text: &str) -> String {
    if let Some(known) = node.shadow().filter(|_| node.text() == Some(text)) {
        return known.to_string();
    }
    let of_values = || {
        let mut values = super::parse_one(text, node.span().file).ok()??;
        mark_all(&mut values);
        let mut out = String::new();
        super::emit::sorted(&shadowed(&values)?, &mut out).ok()?;
        Some(out)
    };
    of_values().unwrap_or_else(|| shadow(text))
}

/// The node with a shadow in place of every secret value; none where it has
/// none.
pub fn shadowed(node: &Node) -> Option<Node> {
    if !has_secret(node) {
        return None;
    }
    let mut node = node.clone();
    cast(&mut node);
    Some(node)
}

/// Whether any value in a node is secret.
pub fn has_secret(node: &Node) -> bool {
    Node::any_is_secret() && has_mark(node)
}

fn has_mark(node: &Node) -> bool {
    match node.data() {
        Data::Scalar(_) => node.is_secret(),
        Data::Sequence(items) => items.iter().any(has_mark),
        Data::Mapping(entries) => entries
            .iter()
            .any(|e| has_mark(&e.key) || has_mark(&e.value)),
        Data::Alias(alias) => has_mark(&alias.1),
    }
}

fn cast(node: &mut Node) {
    if node.is_alias() && has_secret(node) {
        *node = node.target().clone();
    }
    if let Some(items) = node.items_mut() {
        items.iter_mut().for_each(cast);
    } else if let Some(entries) = node.entries_mut() {
        for Entry { key, value } in entries {
            cast(key);
            cast(value);
        }
    } else if node.is_secret() {
        let text = node.text().unwrap_or_default();
        let known = node.shadow().filter(|shadow| ***shadow != *text);
        let text = match (known, node.tag(), text) {
            (Some(known), ..) => known.to_string(),
            (None, Tag::Bool, "true") => "false".to_owned(),
            (None, Tag::Bool, _) => "true".to_owned(),
            (None, Tag::Float, "1.5") => "2.5".to_owned(),
            (None, Tag::Float, _) => "1.5".to_owned(),
            (None, _, text) => shadow(text),
        };
        node.set_text(text);
    }
}

/// Marks what differs from what was made of shadows.
///
/// Each object is compared with its counterpart: the one that is identified
/// alike, else the next of its kind, else the next. One without any is there for
/// what a secret is, and is secret as a whole.
pub fn mark_differences(objects: &mut [Node], shadows: &[Node]) {
    let counterparts = counterparts(objects, shadows);
    for (object, counterpart) in objects.iter_mut().zip(counterparts) {
        if let Some(counterpart) = counterpart.and_then(|at| shadows.get(at)) {
            compare(object, counterpart);
            continue;
        }
        mark_object(object);
        let own = kind(object);
        if shadows.iter().all(|shadow| kind(shadow) != own) {
            mark_all(object);
        }
    }
}

/// The place of the counterpart of each object.
fn counterparts(objects: &[Node], shadows: &[Node]) -> Vec<Option<usize>> {
    let mut found = vec![None; objects.len()];
    pair(&mut found, shadows.len(), |at| {
        (objects.get(at).map(identity), shadows.get(at).map(identity))
    });
    pair(&mut found, shadows.len(), |at| {
        (objects.get(at).map(kind), shadows.get(at).map(kind))
    });
    if objects.len() == shadows.len() {
        pair(&mut found, shadows.len(), |_| (Some(()), Some(())));
    }
    found
}

/// Gives each object that has no counterpart yet the first free one with the
/// same key; `keys` gives those of the object and the shadow in a place.
fn pair<K: Ord>(
    found: &mut [Option<usize>],
    count: usize,
    keys: impl Fn(usize) -> (Option<K>, Option<K>),
) {
    let taken: BTreeSet<usize> = found.iter().copied().flatten().collect();
    let mut free: BTreeMap<Option<K>, VecDeque<usize>> = BTreeMap::new();
    for at in (0..count).filter(|at| !taken.contains(at)) {
        free.entry(keys(at).1).or_default().push_back(at);
    }
    for (at, slot) in found.iter_mut().enumerate() {
        if slot.is_none() {
            *slot = free.get_mut(&keys(at).0).and_then(VecDeque::pop_front);
        }
    }
}

fn kind(object: &Node) -> [Option<String>; 2] {
    ["apiVersion", "kind"].map(|field| text_at(object, &[field]))
}

fn text_at(object: &Node, path: &[&str]) -> Option<String> {
    object.at_path(path)?.text().map(str::to_owned)
}

fn identity(object: &Node) -> [Option<String>; 4] {
    [
        &["apiVersion"][..],
        &["kind"],
        &["metadata", "namespace"],
        &["metadata", "name"],
    ]
    .map(|path| text_at(object, path))
}

fn compare(node: &mut Node, shadow: &Node) {
    let shadow = shadow.target();
    if node.is_alias() {
        *node = node.target().clone();
    }
    match (node.data(), shadow.data()) {
        (Data::Scalar(a), Data::Scalar(b)) => {
            if node.tag() != shadow.tag() {
                node.mark_secret();
            } else if a != b {
                let shadow = b.clone();
                node.mark_secret_of(shadow);
            }
        }
        (Data::Sequence(a), Data::Sequence(b)) if a.len() == b.len() => {
            let items = node.items_mut().into_iter().flatten();
            items.zip(b.iter()).for_each(|(a, b)| compare(a, b));
        }
        (Data::Mapping(_), Data::Mapping(_)) => {
            for Entry { key, value } in node.entries_mut().into_iter().flatten() {
                if let Some(shadow) = key.text().and_then(|key| shadow.get(key)) {
                    compare(value, shadow);
                } else {
                    key.mark_secret();
                    mark_all(value);
                }
            }
        }
        _ => mark_all(node),
    }
}

/// Marks every value of an object but its kind: where it cannot be told apart
/// what comes of a secret and what does not.
pub fn mark_object(object: &mut Node) {
    for Entry { key, value } in object.entries_mut().into_iter().flatten() {
        if !matches!(key.text(), Some("apiVersion" | "kind")) {
            mark_all(value);
        }
    }
}

/// The secret values in a node, each without what it has in common with its
/// shadow: text around it that is in clear.
pub fn secret_texts(node: &Node, found: &mut Vec<Arc<str>>) {
    if !Node::any_is_secret() {
        return;
    }
    let node = node.target();
    if node.is_scalar() {
        let Some(text) = node.text().filter(|_| node.is_secret()) else {
            return;
        };
        let part = node.shadow().and_then(|shadow| differing(text, shadow));
        let part = part.and_then(|(start, end)| text.get(start..end));
        found.push(part.unwrap_or(text).into());
    }
    node.items()
        .iter()
        .for_each(|item| secret_texts(item, found));
    for Entry { key, value } in node.entries() {
        secret_texts(key, found);
        secret_texts(value, found);
    }
}

/// Marks every value in a node; a null says nothing.
pub fn mark_all(node: &mut Node) {
    if node.is_alias() {
        *node = node.target().clone();
    }
    if let Some(items) = node.items_mut() {
        items.iter_mut().for_each(mark_all);
    } else if let Some(entries) = node.entries_mut() {
        for entry in entries {
            mark_all(&mut entry.value);
        }
    } else if !node.is_null() {
        node.mark_secret();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn node(text: &str) -> Node {
        crate::yaml::parse_one(text, FileId::default())
            .unwrap()
            .unwrap()
    }

    /// The paths of all secret values and keys.
    fn secrets(node: &Node) -> Vec<String> {
        fn collect(node: &Node, path: &str, found: &mut Vec<String>) {
            if node.is_scalar() && node.is_secret() {
                found.push(path.to_owned());
            }
            for (i, item) in node.items().iter().enumerate() {
                collect(item, &format!("{path}/{i}"), found);
            }
            for entry in node.entries() {
                let path = format!("{path}/{}", entry.key.text().unwrap());
                collect(&entry.key, &format!("{path}#"), found);
                collect(&entry.value, &path, found);
            }
        }
        let mut found = Vec::new();
        collect(node, "", &mut found);
        found
    }

    #[test]
    fn shadows_have_the_shape_and_nothing_else() {
        assert_eq!(shadow("p4ss w0rd-Z"), "q5tt x1se-G");
        assert_eq!(shadow("9090"), "1111");
        assert_eq!(shadow("deadbeef"), "efbecffa");
        assert_eq!(shadow("größe"), "hsxxf");
        assert_eq!(shadow("a${VAR:=b}c"), "b${VAR:=b}d");
        assert_eq!(shadow("!? !"), "xx x");
        assert_eq!(shadow("${VAR}"), "${VAR}");
        assert_eq!(shadow(""), "");
    }

    proptest::proptest! {
        #[test]
        fn a_shadow_is_never_the_text(text in "[^$]*[^$\\s]") {
            proptest::prop_assert_ne!(shadow(&text), text.clone());
            proptest::prop_assert_eq!(shadow(&text).chars().count(), text.chars().count());
        }
    }

    #[test]
    fn kinds_stay() {
        let mut object = node("a: 8080\nb: true\nc: 2.5\nd: x\ne: x\n");
        for key in ["a", "b", "c", "d"] {
            object.get_mut(key).unwrap().mark_secret();
        }
        let shadow = shadowed(&object).unwrap();
        let mut text = String::new();
        crate::yaml::emit::sorted(&shadow, &mut text).unwrap();
        assert_eq!(text, "a: 9191\nb: false\nc: 1.5\nd: \"y\"\ne: x\n");
        assert!(shadowed(&node("a: 1\n")).is_none());
    }

    #[test]
    fn what_differs_is_marked() {
        let mut objects = [node(
            "kind: A\na: 1\nb: [x, y]\nc:\n  d: x\n  e: [1]\nf: {g: h, i: {j: k}}\n",
        )];
        let shadow = node("kind: A\na: 1\nb: [x, z]\nc:\n  d: 1\n  e: [1, 2]\nf: {g: h}\n");
        mark_differences(&mut objects, &[shadow]);
        assert_eq!(
            secrets(&objects[0]),
            ["/b/1", "/c/d", "/c/e/0", "/f/i#", "/f/i/j"]
        );
    }

    #[test]
    fn the_shadow_of_what_a_secret_reached_is_what_its_shadow_reached() {
        let mut objects = [node("a: is p4ss\n")];
        mark_differences(&mut objects, &[node("a: is q5tt\n")]);
        let shadow = shadowed(&objects[0]).unwrap();
        assert_eq!(shadow.str_at("a"), Some("is q5tt"));
    }

    fn named(kind: &str, name: &str) -> Node {
        node(&format!(
            "kind: {kind}\nmetadata: {{name: {name}, labels: {{l: x}}}}\na: [b]\n"
        ))
    }

    #[test]
    fn objects_without_a_counterpart_are_secret() {
        let mut objects = [named("A", "one"), named("A", "two"), named("B", "three")];
        mark_differences(&mut objects, &[named("A", "two")]);
        let all = ["/metadata/name", "/metadata/labels/l", "/a/0"];
        assert_eq!(secrets(&objects[0]), all);
        assert!(!has_secret(&objects[1]));
        // Nothing says that its kind is in clear.
        assert_eq!(secrets(&objects[2]).len(), all.len() + 1);
    }

    #[test]
    fn counterparts_are_found_by_name_and_kind() {
        // The secret name sorts elsewhere than its shadow.
        let mut objects = [named("A", "p4ss"), named("A", "two"), named("P4SS", "x")];
        let shadows = [named("A", "two"), named("A", "zz"), named("Q5TT", "x")];
        mark_differences(&mut objects, &shadows);
        assert_eq!(secrets(&objects[0]), ["/metadata/name"]);
        assert!(!has_secret(&objects[1]));
        assert_eq!(secrets(&objects[2]), ["/kind"]);
    }

    #[test]
    fn secret_texts_are_those_that_no_shadow_has() {
        let mut objects = [node("a: ./P4SS/x\nb: [clear]\n")];
        mark_differences(&mut objects, &[node("a: ./Q5TT/x\nb: [clear]\n")]);
        let mut found = Vec::new();
        secret_texts(&objects[0], &mut found);
        assert_eq!(found, ["P4SS".into()]);
    }
}
