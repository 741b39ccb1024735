//! Field specifications: which field of which kinds a transformer changes.
//!
//! Compat: `types/fieldspec.go` and `filters/fieldspec` of kustomize.

use std::borrow::Cow;

use super::fields::{self, Kind};
use super::id::{GvkPattern, gvk_of};
use super::links::Links;
use crate::diag::{Error, Result, Span};
use crate::yaml::{Node, Tag};

/// A field of the kinds that a pattern selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSpec {
    pub(super) gvk: GvkPattern,
    /// Names joined by `/`; lists on the way are gone through.
    pub(super) path: Cow<'static, str>,
    /// Whether the field is made where it is missing.
    pub(super) create: bool,
}

impl FieldSpec {
    /// A field of every kind, known to the program.
    pub(super) const fn of_all(path: &'static str, create: bool) -> FieldSpec {
        FieldSpec::of("", "", "", path, create)
    }

    /// A field of some kinds, known to the program.
    pub(super) const fn of(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        path: &'static str,
        create: bool,
    ) -> FieldSpec {
        FieldSpec {
            gvk: GvkPattern {
                group: Cow::Borrowed(group),
                version: Cow::Borrowed(version),
                kind: Cow::Borrowed(kind),
            },
            path: Cow::Borrowed(path),
            create,
        }
    }
}

/// Adds a specification, unless one that is at least as particular names the
/// same field.
///
/// # Errors
///
/// `kustomize/field-spec` where the two differ in whether they create.
pub(super) fn merge_one(list: &mut Vec<FieldSpec>, spec: FieldSpec) -> Result<()> {
    let found = list
        .iter()
        .find(|have| have.path == spec.path && spec.gvk.selects_pattern(&have.gvk));
    match found {
        Some(have) if have.create != spec.create => Err(Error::new(
            "kustomize/field-spec",
            format!(
                "the field `{}` is specified with and without `create`",
                spec.path
            ),
        )
        .help("let both say the same")),
        Some(_) => Ok(()),
        None => {
            list.push(spec);
            Ok(())
        }
    }
}

/// As [`merge_one`], for many.
pub(super) fn merge_all(list: &mut Vec<FieldSpec>, specs: &[FieldSpec]) -> Result<()> {
    for spec in specs {
        merge_one(list, spec.clone())?;
    }
    Ok(())
}

/// What a field is made as where it is missing or null.
#[derive(Clone, Copy, Debug)]
pub(super) struct Create {
    pub(super) kind: Kind,
    pub(super) tag: Option<Tag>,
    pub(super) span: Span,
}

/// What is done with a field that was found.
pub(super) type SetValue<'f> = &'f mut dyn FnMut(&mut Node, &mut Links) -> Result<()>;

/// Goes to the field of an object, if the object is of a kind that the
/// specification selects.
///
/// # Errors
///
/// `kustomize/wrong-kind` and what `set` gives, with the field and the object
/// named.
pub(super) fn apply(
    object: &mut Node,
    spec: &FieldSpec,
    create: Option<Create>,
    links: &mut Links,
    set: SetValue<'_>,
) -> Result<()> {
    if !spec.gvk.selects(&gvk_of(object)) {
        return Ok(());
    }
    apply_to_selected(object, spec, create, links, set)
}

/// As [`apply`], for an object that is known to be selected.
pub(super) fn apply_to_selected(
    object: &mut Node,
    spec: &FieldSpec,
    create: Option<Create>,
    links: &mut Links,
    set: SetValue<'_>,
) -> Result<()> {
    let path = split_path(&spec.path, '/');
    let create = create.filter(|_| spec.create);
    // Look first: a miss must not copy what is shared.
    if create.is_none() && !leads_to(object, &path, &|_| true) {
        return Ok(());
    }
    walk(object, &path, create, links, set)
        .map_err(|e| e.context(format!("in the field `{}`", spec.path)))
}

/// Whether a walk along the path comes to a field that is as `is`, or changes
/// or refuses something on the way.
fn leads_to(node: &Node, path: &[Cow<'_, str>], is: &impl Fn(&Node) -> bool) -> bool {
    let Some((part, rest)) = path.split_first() else {
        return is(node);
    };
    if node.is_null() {
        return false;
    }
    if node.is_sequence() {
        return node.items().iter().any(|item| leads_to(item, path, is));
    }
    if !node.is_mapping() {
        return true;
    }
    let name = part.strip_suffix("[]").unwrap_or(part);
    if !is_plain_name(name) {
        return true;
    }
    match node.get(name) {
        Some(field) => (field.is_null() && name.len() != part.len()) || leads_to(field, rest, is),
        None => false,
    }
}

/// Whether the field of an object is there and as `is`, or the walk to it
/// would be refused; the object is known to be selected.
pub(super) fn any_leaf(object: &Node, spec: &FieldSpec, is: &impl Fn(&Node) -> bool) -> bool {
    leads_to(object, &split_path(&spec.path, '/'), is)
}

/// Whether a part of a path is nothing but a name.
fn is_plain_name(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.trim() == part
}

fn walk(
    node: &mut Node,
    path: &[Cow<'_, str>],
    create: Option<Create>,
    links: &mut Links,
    set: SetValue<'_>,
) -> Result<()> {
    let Some((part, rest)) = path.split_first() else {
        return set(node, links);
    };
    if node.is_null() {
        return Ok(());
    }
    match Kind::of(node) {
        Kind::Sequence => {
            for item in node.items_mut().into_iter().flatten() {
                walk(item, path, create, links, set)?;
            }
            Ok(())
        }
        Kind::Mapping => walk_mapping(node, part, rest, create, links, set),
        Kind::Scalar => Err(Error::new(
            "kustomize/wrong-kind",
            format!("{} where a mapping or a list is needed", node.describe()),
        )
        .at(node.span())),
    }
}

fn walk_mapping(
    node: &mut Node,
    part: &str,
    rest: &[Cow<'_, str>],
    create: Option<Create>,
    links: &mut Links,
    set: SetValue<'_>,
) -> Result<()> {
    let name = part.strip_suffix("[]").unwrap_or(part);
    if name.is_empty() {
        return Err(
            Error::new("kustomize/field-path", "a field path has an empty part")
                .help("write it as `spec/template/metadata`"),
        );
    }
    let is_list = name.len() != part.len();
    let made = match create {
        _ if is_list => None,
        Some(create) if rest.is_empty() => Some(create),
        Some(create) => Some(Create {
            kind: Kind::Mapping,
            tag: Some(Tag::Map),
            ..create
        }),
        None => None,
    };
    let field = match made {
        Some(made) => fields::lookup_or_create(node, &[name], made.kind, made.span)?,
        None => fields::lookup_mut(node, &[name])?,
    };
    let Some(field) = field else {
        return Ok(());
    };
    if field.is_null() && field.tag() == Tag::Null {
        if is_list {
            // Compat: the path says that this is a list, so it becomes one.
            *field = Node::sequence(Vec::new(), field.span());
        } else if let Some(made) = made {
            fill_null(field, made);
        }
    }
    walk(field, rest, create, links, set)
}

/// Makes a null what the path wants there.
fn fill_null(field: &mut Node, made: Create) {
    match made.kind {
        Kind::Mapping => *field = Node::mapping(Vec::new(), made.span),
        Kind::Sequence => *field = Node::sequence(Vec::new(), made.span),
        Kind::Scalar => {
            // Compat: the text stays, `null` as a string.
            if let Some(tag) = made.tag {
                field.set_tag(tag);
            }
        }
    }
}

/// Splits a path at a delimiter; one with a `\` before it is part of a name.
///
/// Compat: `utils.PathSplitter` of kyaml.
pub(super) fn split_path(path: &str, delimiter: char) -> Vec<Cow<'_, str>> {
    let mut parts: Vec<Cow<'_, str>> = Vec::with_capacity(8);
    let path = match path.strip_prefix(delimiter) {
        Some(rest) => rest,
        None => path,
    };
    for part in path.split(delimiter) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                let last = last.to_mut();
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(Cow::Borrowed(part)),
        }
    }
    parts
}

/// Splits a path at points, but not within `[…]`; brackets around a name alone
/// are taken off.
///
/// Compat: `utils.SmarterPathSplitter` of kyaml.
pub(super) fn split_field_path(path: &str) -> Vec<Cow<'_, str>> {
    let mut result = Vec::new();
    let mut parts = split_path(path, '.').into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            result.push(part);
            continue;
        }
        let mut whole = part.into_owned();
        for part in parts.by_ref() {
            whole.push('.');
            whole.push_str(&part);
            if part.ends_with(']') {
                break;
            }
        }
        if whole.contains('=') {
            result.push(Cow::Owned(whole));
        } else {
            result.push(Cow::Owned(whole.trim_matches(['[', ']']).to_owned()));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml;

    #[test]
    fn paths() {
        assert_eq!(split_path("a/b", '/'), ["a", "b"]);
        assert_eq!(split_path("/a/b\\/c/d", '/'), ["a", "b/c", "d"]);
        assert_eq!(split_path("", '/'), [""]);
        assert_eq!(
            split_field_path("spec.data.[name=f.i.].key"),
            ["spec", "data", "[name=f.i.]", "key"]
        );
        assert_eq!(
            split_field_path("metadata.annotations.[a.b/c.d]"),
            ["metadata", "annotations", "a.b/c.d"]
        );
        assert_eq!(split_field_path("a\\.b"), ["a.b"]);
        assert_eq!(split_field_path("a.[n=f.[r"), ["a", "[n=f.[r"]);
    }

    fn applied(text: &str, spec: &FieldSpec, create: bool) -> String {
        let mut node = yaml::parse_one(text, FileId::default()).unwrap().unwrap();
        let create = create.then_some(Create {
            kind: Kind::Scalar,
            tag: Some(Tag::Str),
            span: Span::NONE,
        });
        let result = apply(
            &mut node,
            spec,
            create,
            &mut Links::default(),
            &mut |node, links| fields::set_text(node, "x", fields::As::String, Span::NONE, links),
        );
        if let Err(e) = result {
            return e.to_string();
        }
        let mut out = String::new();
        yaml::emit::as_written(&node, yaml::emit::Indent::Compact, &mut out);
        out
    }

    #[test]
    fn fields_are_found_and_made() {
        let spec = FieldSpec::of("", "", "A", "spec/a/b", true);
        assert_eq!(applied("kind: B\n", &spec, true), "kind: B\n");
        assert_eq!(applied("kind: A\n", &spec, false), "kind: A\n");
        assert_eq!(
            applied("kind: A\n", &spec, true),
            "kind: A\nspec:\n  a:\n    b: x\n"
        );
        assert_eq!(
            applied("kind: A\nspec:\n  a:\n  - b: 1\n  - c: 1\n", &spec, true),
            "kind: A\nspec:\n  a:\n  - b: x\n  - c: 1\n    b: x\n"
        );
        assert_eq!(
            applied("kind: A\nspec: 1\n", &spec, false),
            "in the field `spec/a/b`: a number where a mapping or a list is needed"
        );
    }

    #[test]
    fn a_null_list_becomes_one() {
        let spec = FieldSpec::of_all("spec/a[]/b", true);
        assert_eq!(
            applied("kind: A\nspec:\n  a: null\n", &spec, false),
            "kind: A\nspec:\n  a: []\n"
        );
        assert_eq!(
            applied("kind: A\nspec: {}\n", &spec, true),
            "kind: A\nspec: {}\n"
        );
    }
}
