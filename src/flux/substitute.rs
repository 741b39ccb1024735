//! Post-build substitution of one object.
//!
//! In: an object and variables. Out: the object with its variables replaced,
//! every node at the place of the template it came from.
//!
//! Compat: fluxcd/pkg `kustomize/kustomize_varsub.go`: the object is printed,
//! its text substituted, and that read again, so that a value can change the
//! kind of a scalar or the structure around it (facts 34, 112, 116). Objects
//! without a `$` come out of that as they went in, and are not put through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::envsubst;
use crate::diag::{Error, FileId, Result, Span};
use crate::yaml::resolve::{Scalar, Version, resolve};
use crate::yaml::{self, Data, Entry, Node, Style, Tag, emit, secret};

/// A label or annotation that keeps an object as it is.
const SWITCH: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Variables by name, each with the node that holds its value.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<Arc<str>, (String, Node)>);

impl Variables {
    /// Adds variables; later ones win. Line breaks in values are taken out.
    pub fn extend(&mut self, variables: impl IntoIterator<Item = (Arc<str>, Node)>) {
        self.0.extend(variables.into_iter().map(|(name, node)| {
            let value = node.text().unwrap_or_default().replace('\n', "");
            (name, (value, node))
        }));
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses names that are none.
    ///
    /// # Errors
    ///
    /// `subst/invalid-name` at the value of the first such variable.
    pub fn check_names(&self) -> Result<()> {
        for (name, (_, node)) in &self.0 {
            if !envsubst::is_variable_name(name) {
                return Err(Error::new(
                    "subst/invalid-name",
                    format!("`{name}` is no name of a variable"),
                )
                .at(node.span())
                .help("names are letters, digits and underscores, and begin with no digit"));
            }
        }
        Ok(())
    }

    fn has_secret(&self) -> bool {
        self.0.values().any(|(_, node)| node.is_secret())
    }

    /// The variables with a shadow in place of each secret value.
    fn shadowed(&self) -> Variables {
        let mut variables = self.clone();
        for (value, node) in variables.0.values_mut() {
            if node.is_secret() {
                *value = secret::shadow(value);
            }
        }
        variables
    }

    fn get(&self, name: &str) -> Option<&(String, Node)> {
        self.0.get(name)
    }
}

/// Whether a label or annotation keeps an object as it is.
pub fn is_disabled(object: &Node) -> bool {
    ["labels", "annotations"].iter().any(|field| {
        let map = object.at_path(&["metadata", field]);
        // Compat: read as a map of strings, of which one odd one spoils all.
        let strings = map.is_none_or(|m| m.entries().iter().all(|e| e.value.as_str().is_some()));
        let value = map.and_then(|m| m.str_at(SWITCH));
        strings && value == Some("disabled")
    })
}

/// What becomes of a variable without value and default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is an error.
    Refused,
    /// It is empty.
    Empty,
    /// It stays as it is written, for whoever looks at what else there is.
    Kept,
}

/// What an object became.
#[derive(Clone, Debug)]
pub struct Substituted {
    /// The object.
    pub object: Node,
    /// Variables that have neither value nor default and are empty or kept for
    /// it, each with the place of the scalar that asks for it.
    pub unset: Vec<(Arc<str>, Span)>,
}

/// Replaces the variables in an object.
///
/// # Errors
///
/// `subst/invalid` for an expression that is none, `subst/unresolved` for an
/// unknown variable, both at the scalar that holds them; `subst/invalid` where
/// what comes out is no YAML, `yaml/invalid` for text that kustomize cannot
/// read again.
pub fn substitute(object: &Node, variables: &Variables, missing: Missing) -> Result<Substituted> {
    if is_disabled(object) {
        return Ok(unchanged(object));
    }
    check_blocks(object, Node::span)?;
    if !has_dollar(object) {
        return Ok(unchanged(object));
    }
    let result = replace(object, variables, missing);
    if !secret::has_secret(object) && !variables.has_secret() {
        return result;
    }
    let source = secret::shadowed(object);
    let source = source.as_ref().unwrap_or(object);
    let shadow = replace(source, &variables.shadowed(), missing);
    let mut result = result.map_err(|e| e.without_secrets(shadow.as_ref().err()))?;
    // Where the shadows come to nothing, whatever was replaced is secret.
    let shadow = shadow.as_ref().map_or(source, |shadow| &shadow.object);
    let objects = std::slice::from_mut(&mut result.object);
    secret::mark_differences(objects, std::slice::from_ref(shadow));
    Ok(result)
}

fn unchanged(object: &Node) -> Substituted {
    Substituted {
        object: object.clone(),
        unset: Vec::new(),
    }
}

/// Refuses text that does not come back when kustomize writes and reads it, as
/// it does behind every substitution.
///
/// Compat: `RNode.UnmarshalJSON` of kyaml.
fn check_blocks(object: &Node, place: impl Fn(&Node) -> Span) -> Result<()> {
    let mut result = Ok(());
    object.walk(&mut |node| {
        if result.is_ok()
            && let Some(text) = node.text().filter(|text| text.starts_with('\t'))
        {
            result = emit::check_block(text, place(node));
        }
    });
    result
}

fn replace(object: &Node, variables: &Variables, missing: Missing) -> Result<Substituted> {
    let mut text = String::new();
    emit::sorted(object, &mut text)?;
    let look_up = |name: &str| variables.get(name).map(|(value, _)| value.as_str());
    let strict = missing == Missing::Refused;
    let mut output = envsubst::substitute(&text, strict, look_up)
        .map_err(|e| e.at(locate(object, &text, e.offset)))?;
    let unset = output.uses.iter().filter(|u| !u.is_set && !u.has_default);
    let unset: Vec<(Arc<str>, Span)> = unset
        .map(|u| {
            let name = Arc::from(&*u.variable);
            (name, locate(object, &text, u.input.start))
        })
        .collect();
    if missing == Missing::Kept && !unset.is_empty() {
        let kept: BTreeMap<&str, String> = unset
            .iter()
            .map(|(name, _)| (&**name, format!("${{{name}}}")))
            .collect();
        let look_up = |name: &str| look_up(name).or_else(|| kept.get(name).map(String::as_str));
        output = envsubst::substitute(&text, strict, look_up)
            .map_err(|e| e.at(locate(object, &text, e.offset)))?;
    }
    let result = String::from_utf8_lossy(&output.bytes);
    let read = yaml::parse_one(&result, FileId::default()).map_err(|e| {
        Error::new(
            "subst/invalid",
            format!(
                "substitution leaves no valid YAML: {} in what `{}` becomes",
                e.message(),
                line_of(&text, e.span().line)
            ),
        )
        .at(locate_line(object, &text, e.span().line))
        .help("put the expression in quotes, or the value")
    })?;
    let mut fresh = read.unwrap_or_else(|| Node::null(Span::NONE));
    check_blocks(&fresh, |node| locate_line(object, &text, node.span().line))?;
    Ok(Substituted {
        unset,
        object: settle(&mut fresh, Some(object)),
    })
}

fn has_dollar(object: &Node) -> bool {
    let mut found = false;
    object.walk(&mut |node| found |= node.text().is_some_and(|t| t.contains('$')));
    found
}

/// The node as kustomize holds it afterwards: kinds as go-yaml v2 reads them,
/// the place and marks of the node it was made from.
fn settle(fresh: &mut Node, old: Option<&Node>) -> Node {
    let span = old.map_or(Span::NONE, Node::span);
    match fresh.target().data() {
        Data::Scalar(text) => scalar(fresh.target(), text, span),
        Data::Sequence(items) => {
            let before = old.map_or(&[][..], Node::items);
            let items = items.iter().enumerate().map(|(i, item)| {
                let old = before.get(i).filter(|_| before.len() == items.len());
                settle(&mut item.clone(), old.or(before.get(i)).or(old))
            });
            Node::sequence(items.collect(), span)
        }
        Data::Mapping(entries) => mapping(entries, old, span),
        Data::Alias(_) => Node::null(span),
    }
}

fn mapping(entries: &[Entry], old: Option<&Node>, span: Span) -> Node {
    let before = old.map_or(&[][..], Node::entries);
    // Entries whose key is gone were renamed: they stand where the old ones
    // do that have no new one.
    let renamed: Vec<&Entry> = before
        .iter()
        .filter(|o| !entries.iter().any(|e| e.key.text() == o.key.text()))
        .collect();
    let mut renamed = renamed.into_iter();
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let known = before.iter().find(|o| o.key.text() == entry.key.text());
        let old_entry = known.or_else(|| renamed.next());
        let mut key = settle(&mut entry.key.clone(), old_entry.map(|o| &o.key));
        if key.tag() != Tag::Str && key.tag() != Tag::Merge {
            key.set_tag(Tag::Str);
        }
        let old_value = old_entry.map(|o| &o.value).or(old);
        let value = settle(&mut entry.value.clone(), old_value);
        // The last of two equal keys wins.
        match kept.iter_mut().find(|k| k.key.text() == key.text()) {
            Some(same) => same.value = value,
            None => kept.push(Entry { key, value }),
        }
    }
    Node::mapping(kept, span)
}

/// A scalar with the kind that go-yaml v2 sees, as JSON would have kept it.
fn scalar(read: &Node, text: &Arc<str>, span: Span) -> Node {
    if !read.is_resolved() {
        return Node::string(text.clone(), span);
    }
    match resolve(text, Version::V2) {
        Scalar::Null => Node::null(span),
        Scalar::Bool(value) => Node::bool(value, span),
        Scalar::Int(value) => Node::int(value, span),
        Scalar::Uint(value) => Node::scalar(value.to_string(), Tag::Int, span),
        Scalar::Float(value) if value.is_finite() => {
            let json = crate::gostd::strconv::format_json_float(value);
            let tag = resolve(&json, Version::V3).tag();
            Node::scalar(json, tag, span)
        }
        Scalar::Float(_) => Node::scalar(text.clone(), Tag::Float, span),
        Scalar::Timestamp(_) | Scalar::String => {
            Node::string(text.clone(), span).with_style(Style::Plain)
        }
    }
}

fn number_of_line(text: &str, offset: usize) -> u32 {
    let before = text.get(..offset).unwrap_or(text);
    u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
}

fn line_of(text: &str, line: u32) -> &str {
    text.lines()
        .nth((line as usize).saturating_sub(1))
        .unwrap_or_default()
        .trim()
}

/// The place of the scalar that is printed at an offset of the object's text.
fn locate(object: &Node, text: &str, offset: usize) -> Span {
    locate_line(object, text, number_of_line(text, offset))
}

fn locate_line(object: &Node, text: &str, line: u32) -> Span {
    let printed = yaml::parse_one(text, FileId::default()).ok().flatten();
    let mut best = (0, object.span());
    if let Some(printed) = &printed {
        nearest(printed, object, line, &mut best);
    }
    best.1
}

/// Walks what was printed beside what it was printed from, for the last node
/// that begins at or above a line.
fn nearest(printed: &Node, object: &Node, line: u32, best: &mut (u32, Span)) {
    let at = printed.span().line;
    if at <= line && at >= best.0 {
        *best = (at, object.span());
    }
    for (p, o) in printed.items().iter().zip(object.items()) {
        nearest(p, o, line, best);
    }
    for entry in printed.entries() {
        if let Some(o) = entry.key.text().and_then(|key| object.entry(key)) {
            nearest(&entry.key, &o.key, line, best);
            nearest(&entry.value, &o.value, line, best);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        yaml::parse_one(text, FileId::default()).unwrap().unwrap()
    }

    fn variables(list: &[(&str, &str)]) -> Variables {
        let mut variables = Variables::default();
        variables.extend(
            list.iter()
                .map(|(k, v)| (Arc::from(*k), Node::string(*v, Span::NONE))),
        );
        variables
    }

    #[track_caller]
    fn check(object: &str, list: &[(&str, &str)], want: &str) {
        let mut out = String::new();
        let result = substitute(&node(object), &variables(list), Missing::Empty).unwrap();
        emit::sorted(&result.object, &mut out).unwrap();
        assert_eq!(out, want);
    }

    /// The answers are those of `flux build kustomization --dry-run` 2.9.4.
    #[test]
    fn values_can_change_the_kind_of_a_scalar() {
        check("a: ${X}\n", &[("X", "yes")], "a: true\n");
        check("a: \"${X}\"\n", &[("X", "1")], "a: 1\n");
        check("a: ${X}\n", &[("X", "0x1F")], "a: 31\n");
        check("a: ${X}\n", &[("X", "1e3")], "a: 1000\n");
        check("a: ${X}\n", &[("X", "1.50")], "a: 1.5\n");
        check("a: ${X}\n", &[("X", "2001-01-01")], "a: \"2001-01-01\"\n");
        check("a: ${X}\n", &[], "a: null\n");
        check("a: x${X}\n", &[], "a: x\n");
        check(
            "a: ${Q}${X}${Q}\n",
            &[("Q", "\""), ("X", "1")],
            "a: \"1\"\n",
        );
        check("a: ${X}\n", &[("X", "{b: [c]}")], "a:\n  b:\n  - c\n");
        check("a: $${X}\n", &[("X", "1")], "a: ${X}\n");
        check(
            "a: |\n  b ${X}\n  c\n",
            &[("X", "1\n2")],
            "a: |\n  b 12\n  c\n",
        );
    }

    #[test]
    fn keys_are_substituted_too_and_stay_strings() {
        check("${X}: a\n", &[("X", "b")], "b: a\n");
        check("m:\n  ${X}: a\n", &[("X", "5")], "m:\n  \"5\": a\n");
    }

    #[test]
    fn objects_without_a_variable_stay_as_they_are() {
        // `yes` is no boolean to kustomize, and is none afterwards.
        check("a: yes\nb: 1.0\n", &[("X", "1")], "a: \"yes\"\nb: 1\n");
        let disabled = "a: ${X}\nmetadata:\n  labels:\n    \
                        kustomize.toolkit.fluxcd.io/substitute: disabled\n";
        check(disabled, &[("X", "1")], disabled);
        let odd = format!("{disabled}    n: 1\n");
        let mut out = String::new();
        let result = substitute(&node(&odd), &variables(&[("X", "1")]), Missing::Empty);
        emit::sorted(&result.unwrap().object, &mut out).unwrap();
        assert!(out.starts_with("a: 1\n"), "{out}");
    }

    #[test]
    fn places_are_those_of_the_template() {
        let object = node("b:\n- x\n- k: ${X}\n${Y}: 1\nc: ${Z}\n");
        let list = [("X", "1"), ("Y", "renamed"), ("Z", "{d: e}")];
        let result = substitute(&object, &variables(&list), Missing::Empty).unwrap();
        let result = result.object;
        let line = |path: &[&str]| result.at_path(path).unwrap().span().line;
        assert_eq!(
            result.get("b").unwrap().items()[1]
                .get("k")
                .unwrap()
                .span()
                .line,
            3
        );
        assert_eq!(line(&["renamed"]), 4);
        assert_eq!(line(&["c", "d"]), 5);
    }

    #[test]
    fn values_from_secrets_mark_what_they_reach() {
        let mut secret = Node::string("hush", Span::NONE);
        secret.mark_secret();
        let mut variables = variables(&[("X", "loud")]);
        variables.extend([(Arc::from("S"), secret)]);
        let object = node("a: ${X}\nb:\n  c: is ${S}\n  d: ${X}\n");
        let result = substitute(&object, &variables, Missing::Empty).unwrap();
        let result = result.object;
        let secret = |path: &[&str]| result.at_path(path).unwrap().is_secret();
        assert!(secret(&["b", "c"]));
        assert!(!secret(&["b", "d"]) && !secret(&["a"]));
    }

    #[test]
    fn text_that_begins_with_a_tab_is_refused() {
        let check = |object: &str| {
            substitute(&node(object), &variables(&[("X", "\t")]), Missing::Empty)
                .map(|_| ())
                .map_err(|e| (e.rule(), e.span().line))
        };
        let refused = Err(("yaml/invalid", 2));
        assert_eq!(check("a: 1\nb: \"\\tc\\nd\"\n"), refused);
        assert_eq!(check("a: ${X}\nb: |\n  ${Y:-}\tc\n  d\n"), refused);
        assert_eq!(check("a: 1\nb: \"\\tc ${X}\"\n"), Ok(()));
        assert_eq!(check("a: 1\nb: \"c\\n\\td\"\n"), Ok(()));
    }

    #[test]
    fn errors_are_at_the_scalar() {
        let object = node("kind: A\nspec:\n  a: 1\n  b: ${MISSING}\n");
        let error = substitute(&object, &variables(&[]), Missing::Refused).unwrap_err();
        assert_eq!((error.rule(), error.span().line), ("subst/unresolved", 4));
        let unset = substitute(&object, &variables(&[]), Missing::Empty)
            .unwrap()
            .unset;
        assert_eq!((&*unset[0].0, unset[0].1.line), ("MISSING", 4));
        let object = node("z: 1\nspec:\n- ok\n- ${a.b}\n");
        let error = substitute(&object, &variables(&[]), Missing::Empty).unwrap_err();
        assert_eq!((error.rule(), error.span().line), ("subst/invalid", 4));
        let object = node("a: 1\nb: ${X}\n");
        let error = substitute(&object, &variables(&[("X", "*")]), Missing::Empty).unwrap_err();
        assert_eq!((error.rule(), error.span().line), ("subst/invalid", 2));
        let mut bad = Variables::default();
        bad.extend([(Arc::from("1x"), node("v"))]);
        assert_eq!(bad.check_names().unwrap_err().rule(), "subst/invalid-name");
    }

    #[test]
    fn what_is_kept_stays_as_it_is_written() {
        let object = node("kind: A\n'${K}': ${L^^}\nname: a-${X}-${Y:-z}\nn: \"${X}\"\n");
        let kept = substitute(&object, &variables(&[("L", "l")]), Missing::Kept).unwrap();
        let mut out = String::new();
        emit::sorted(&kept.object, &mut out).unwrap();
        assert_eq!(out, "${K}: L\nkind: A\n\"n\": ${X}\nname: a-${X}-z\n");
        let names: Vec<&str> = kept.unset.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["K", "X", "X"]);
    }
}
