//! Values of one field, copied to others.
//!
//! Compat: `filters/replacement`, `ReplacementTransformer.go` of kustomize, and
//! `PathMatcher` of kyaml.

use std::cell::Cell;
use std::sync::Arc;

use super::Transform;
use super::labels::resource_ref;
use super::structured;
use crate::diag::{Cause, Error, Finding, Result, Severity, SourceMap, Span};
use crate::kustomize::build::Context;
use crate::kustomize::documents;
use crate::kustomize::fields::{self, Kind};
use crate::kustomize::fieldspec::split_field_path;
use crate::kustomize::file::read::Mode;
use crate::kustomize::file::{
    FieldOptions, Replacement, ReplacementField, Selector, Source, Target, Text,
};
use crate::kustomize::id::Id;
use crate::kustomize::json;
use crate::kustomize::links::{self, Links};
use crate::kustomize::loader::Loader;
use crate::kustomize::pattern::Search;
use crate::kustomize::resmap::{self, Matcher, ResMap};
use crate::kustomize::resource::Resource;
use crate::yaml::Node;
use crate::yaml::emit::{Indent, as_written};
use crate::yaml::resolve::Version;

/// Copies values.
pub(in crate::kustomize) struct Replacements {
    replacements: Vec<Replacement>,
    sources: Arc<SourceMap>,
}

impl Replacements {
    /// Takes replacements as they are written out, or loads their files.
    ///
    /// # Errors
    ///
    /// `kustomize/replacement` for an entry that is both, as [`Loader::file`].
    pub(in crate::kustomize) fn new(
        entries: &[ReplacementField],
        loader: &Loader<'_>,
    ) -> Result<Replacements> {
        let mut replacements = Vec::new();
        for entry in entries {
            if entry.path.is_empty() {
                replacements.push(entry.replacement.clone());
                continue;
            }
            let inline = &entry.replacement;
            if inline.source.is_some() || inline.targets.as_ref().is_some_and(|t| !t.is_empty()) {
                return Err(error("the replacement has a `path` and more", inline.span)
                    .help("write it out here, or in the file alone"));
            }
            let file = loader.file(&entry.path)?;
            let document = documents::first_of_file(file.files(), &file.path)?;
            let document = document.unwrap_or_else(|| Node::null(entry.path.span));
            let document = json::plain(&document, Version::V2)?;
            if document.is_sequence() {
                for item in document.items() {
                    replacements.push(Replacement::read(item, Mode::Lenient)?);
                }
            } else if document.is_mapping() {
                replacements.push(Replacement::read(&document, Mode::Lenient)?);
            } else {
                return Err(error("the file holds no replacement", entry.path.span)
                    .help("write one, or a list of them"));
            }
        }
        Ok(Replacements {
            replacements,
            sources: loader.files().sources().clone(),
        })
    }
}

fn error(message: impl Into<String>, span: Span) -> Error {
    Error::new("kustomize/replacement", message).at(span)
}

fn missing(message: impl Into<String>, span: Span) -> Error {
    Error::new("ref/missing", message).at(span)
}

impl Transform for Replacements {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        for replacement in &self.replacements {
            let targets = replacement.targets.as_deref();
            let has_value = replacement.source.is_some() || replacement.source_value.is_some();
            let Some(targets) = targets.filter(|_| has_value) else {
                return Err(error(
                    "a replacement needs a source and a target",
                    replacement.span,
                )
                .help("add `source` and `targets`"));
            };
            let mut value = Value::of(replacement, map, context)?;
            for target in targets {
                let is_met = apply(map, &mut value, target, context)?;
                if let Some(select) = target.select.as_ref().filter(|_| !is_met) {
                    let message = format!("the replacement's target matches nothing: {select}");
                    let finding = Finding::new("ref/missing", Severity::Info, message);
                    context.findings.push(
                        finding
                            .at(select.span, &self.sources)
                            .cause(Cause::NothingMatched)
                            .help("correct the target, or take it out"),
                    );
                }
            }
        }
        map.drop_empties();
        Ok(())
    }
}

/// The value that is copied.
struct Value {
    node: Node,
    /// Where it stands, if it is a whole field: the object, and the path there.
    ///
    /// Compat: kustomize copies from that field as it is by then, which one of
    /// the targets may have changed.
    field: Option<(usize, Vec<String>)>,
}

impl Value {
    fn of(replacement: &Replacement, map: &ResMap, context: &Context<'_>) -> Result<Value> {
        let alone = |node| Value { node, field: None };
        let source = match (&replacement.source, &replacement.source_value) {
            (Some(_), Some(value)) => {
                return Err(error("the replacement has two sources", value.span)
                    .help("leave out `source` or `sourceValue`"));
            }
            (None, Some(value)) => {
                return Ok(alone(fields::untagged(value.text.clone(), value.span)));
            }
            (Some(source), None) => source,
            (None, None) => return Ok(alone(Node::null(replacement.span))),
        };
        let (position, resource) = find_source(source, map, context)?;
        let default = Text::new("metadata.name", source.span);
        let field_path = if source.field_path.is_empty() {
            &default
        } else {
            &source.field_path
        };
        let parts = split_field_path(field_path);
        let found = fields::lookup(resource.node(), &parts)
            .map_err(|e| in_object(e, resource).at(field_path.span))?;
        let Some(value) = found.filter(|value| !value.is_null_or_empty()) else {
            return Err(missing(
                format!("the source has no field `{field_path}`"),
                field_path.span,
            )
            .object(resource_ref(resource.node()))
            .help("correct the path; names with points in them need a `\\` before each"));
        };
        let is_whole = source.options.delimiter.is_empty();
        Ok(Value {
            node: refined(value, &source.options, field_path)?,
            field: is_whole.then(|| (position, parts.into_iter().map(String::from).collect())),
        })
    }

    /// Takes the value anew if it stands in this object, which has changed.
    fn refresh(&mut self, position: usize, object: &Node) {
        if let Some((source, path)) = &self.field
            && *source == position
            && let Ok(Some(value)) = fields::lookup(object, path)
        {
            self.node = value.clone();
        }
    }
}

fn in_object(error: Error, resource: &Resource) -> Error {
    error.object(resource_ref(resource.node()))
}

fn find_source<'m>(
    source: &Source,
    map: &'m ResMap,
    context: &Context<'_>,
) -> Result<(usize, &'m Resource)> {
    let wanted = &source.object;
    let pattern = GvkText::of(wanted);
    let namespace = Id {
        namespace: wanted.namespace.text.clone(),
        ..Id::default()
    };
    let is_meant = |id: &Id| {
        // Compat: nothing is known to live outside namespaces here.
        let id = Id {
            is_cluster_scoped: false,
            ..id.clone()
        };
        (wanted.name.is_empty() || wanted.name.text == id.name)
            && (wanted.namespace.is_empty() || namespace.is_namespace_equal(&id))
            && pattern.selects(&id)
    };
    let mut found = map
        .iter()
        .enumerate()
        .filter(|(_, resource)| resource.has_any_id(&context.api, is_meant));
    match (found.next(), found.next()) {
        (Some(source), None) => Ok(source),
        (Some(_), Some(_)) => Err(Error::new(
            "kustomize/ambiguous",
            format!("several objects are the source: {wanted}"),
        )
        .at(source.span)
        .help("add the namespace, or the kind")),
        (None, _) => Err(missing(
            format!("no object is the source: {wanted}"),
            source.span,
        )
        .help("correct kind, name and namespace; the names are those of before this kustomization or after")),
    }
}

/// Group, version and kind as they are written; what is empty fits all.
struct GvkText<'s>(&'s Selector);

impl<'s> GvkText<'s> {
    fn of(selector: &'s Selector) -> GvkText<'s> {
        GvkText(selector)
    }

    fn selects(&self, id: &Id) -> bool {
        let part = |want: &Text, have: &str| want.is_empty() || &**want == have;
        part(&self.0.group, &id.gvk.group)
            && part(&self.0.version, &id.gvk.version)
            && part(&self.0.kind, &id.gvk.kind)
    }
}

/// The part of a value that is meant.
fn refined(value: &Node, options: &FieldOptions, path: &Text) -> Result<Node> {
    if options.delimiter.is_empty() {
        return Ok(value.clone());
    }
    if !value.is_scalar() {
        return Err(error(
            format!("`{path}` is {}, which has no parts", value.describe()),
            options.delimiter.span,
        )
        .help("name a field with one value, or leave `delimiter` out"));
    }
    let text = value.text().unwrap_or_default();
    let parts: Vec<&str> = text.split(&*options.delimiter).collect();
    let part = usize::try_from(options.index)
        .ok()
        .and_then(|i| parts.get(i));
    let Some(part) = part else {
        return Err(error(
            format!("`{text}` has no part {}", options.index),
            options.delimiter.span,
        )
        .help(format!("its parts are 0 to {}", parts.len() - 1)));
    };
    let mut value = value.clone();
    value.set_text(*part);
    Ok(value)
}

/// Copies a value to the objects that a target means; whether there are any.
fn apply(
    map: &mut ResMap,
    value: &mut Value,
    target: &Target,
    context: &mut Context<'_>,
) -> Result<bool> {
    let Some(select) = &target.select else {
        return Err(error(
            "the target does not say which objects it means",
            target.span,
        )
        .help("add `select`"));
    };
    let matcher = Matcher::new(select)?;
    let rejects: Vec<Matcher> = target
        .reject
        .iter()
        .map(Matcher::new)
        .collect::<Result<_>>()?;
    let default = [Text::new("metadata.name", target.span)];
    let paths = if target.field_paths.is_empty() {
        &default[..]
    } else {
        &target.field_paths
    };
    let mut is_met = false;
    for (position, resource) in map.iter_mut().enumerate() {
        if !resmap::matches_labels(resource, select)? {
            continue;
        }
        let mut is_rejected = false;
        for reject in &target.reject {
            if !(reject.annotations.is_empty() && reject.labels.is_empty())
                && resmap::matches_labels(resource, reject)?
            {
                is_rejected = true;
            }
        }
        let ids: Vec<Id> = std::iter::once(resource.current_id(&context.api))
            .chain(resource.previous_ids())
            .collect();
        let selects = |matcher: &Matcher, id: &Id| {
            matcher.matches_gvk(&id.gvk)
                && matcher.matches_name(&id.name)
                && matcher.matches_namespace(&id.namespace)
        };
        is_rejected |= target.reject.iter().zip(&rejects).any(|(reject, matcher)| {
            !reject.is_without_id() && ids.iter().any(|id| selects(matcher, id))
        });
        let is_selected = ids.iter().any(|id| selects(&matcher, id));
        is_met |= is_selected;
        if is_rejected || !is_selected {
            continue;
        }
        for path in paths {
            resource
                .edit(|node, links| copy(node, &value.node, path, &target.options, links))
                .map_err(|e| e.at(path.span).object(resource_ref(resource.node())))?;
            value.refresh(position, resource.node());
        }
    }
    Ok(is_met)
}

/// Copies a value to a field.
fn copy(
    node: &mut Node,
    value: &Node,
    path: &Text,
    options: &FieldOptions,
    links: &mut Links,
) -> Result<()> {
    let create = options.create.then(|| Kind::of(value));
    let parts: Vec<String> = split_field_path(path)
        .into_iter()
        .map(String::from)
        .collect();
    if structured::set(node, value, &parts, create, links).is_ok() {
        return Ok(());
    }
    let mut found = 0;
    let maker = Maker {
        create,
        span: value.span(),
    };
    let mut change = |field: &mut Node, links: &mut Links| {
        found += 1;
        set_value(field, value, options, links)
    };
    maker
        .walk(node, &parts, links, &mut change)
        .map_err(|e| e.context(format!("in the field `{path}`")))?;
    if found == 0 {
        return Err(
            error(format!("the target has no field `{path}`"), path.span)
                .help("correct the path, or say `options: {create: true}`"),
        );
    }
    Ok(())
}

/// Writes a value over a field, or over a part of it.
fn set_value(
    field: &mut Node,
    value: &Node,
    options: &FieldOptions,
    links: &mut Links,
) -> Result<()> {
    let mut value = links::unshared(value);
    if !options.delimiter.is_empty() {
        if !field.is_scalar() {
            return Err(error(
                format!("{} has no parts", field.describe()),
                options.delimiter.span,
            )
            .help("name a field with one value, or leave `delimiter` out"));
        }
        let old = field.text().unwrap_or_default();
        let mut parts: Vec<&str> = old.split(&*options.delimiter).collect();
        let new: Arc<str> = value
            .shared_text()
            .filter(|_| !value.is_null())
            .cloned()
            .unwrap_or_default();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, &new),
            Ok(index) => match parts.get_mut(index) {
                Some(part) => *part = &new,
                None => parts.push(&new),
            },
        }
        value.set_text(parts.join(&options.delimiter));
    }
    overwrite(field, value, links);
    Ok(())
}

/// Writes a value over a field: the text alone where that is a scalar.
///
/// Compat: the field keeps its tag and style, so that a number written over a
/// string is a string; a field that kustomize made has no tag, and a string
/// that looks like a number becomes one.
pub(super) fn overwrite(field: &mut Node, value: Node, links: &mut Links) {
    if !field.is_scalar() {
        *field = value;
        return;
    }
    let text = value.shared_text().cloned().unwrap_or_default();
    if field.is_untagged() {
        fields::set_scalar(field, fields::untagged(text, value.span()), links);
        return;
    }
    let mut new = field.clone();
    new.set_text(text);
    new.set_span(value.span());
    links.overwrite(field, new);
}

/// What is done with a field that was found, or has just been made.
type Change<'c> = &'c mut dyn FnMut(&mut Node, &mut Links) -> Result<()>;

/// Walks to all fields that a path means, and makes what is missing.
///
/// Compat: `PathMatcher`: `*` means every item, `[name=x]` those whose name
/// holds the pattern `x`.
pub(super) struct Maker {
    /// As what the last part of a path is made; none to make nothing.
    pub(super) create: Option<Kind>,
    pub(super) span: Span,
}

impl Maker {
    pub(super) fn walk(
        &self,
        node: &mut Node,
        path: &[String],
        links: &mut Links,
        change: Change<'_>,
    ) -> Result<()> {
        let Some((part, rest)) = path.split_first() else {
            return change(node, links);
        };
        if fields::atoi(part).is_some_and(|i| i >= 0) {
            return self.walk_index(node, part, rest, links, change);
        }
        if fields::is_item(part) {
            return self.walk_items(node, part, rest, links, change);
        }
        if part == "*" {
            fields::expect(node, Kind::Sequence)?;
            for item in node.items_mut().into_iter().flatten() {
                self.walk(item, rest, links, change)?;
            }
            return Ok(());
        }
        self.walk_field(node, part, rest, links, change)
    }

    fn walk_field(
        &self,
        node: &mut Node,
        name: &str,
        rest: &[String],
        links: &mut Links,
        change: Change<'_>,
    ) -> Result<()> {
        let is_there = fields::get(node, name)?.is_some();
        if !is_there {
            let Some(leaf) = self.create else {
                return Ok(());
            };
            let kind = fields::made_as(rest.first().map(String::as_str), leaf);
            let mut made = kind.empty(self.span);
            if node.is_null() {
                // Compat: in a null, what is made leads nowhere.
                return self.walk(&mut made, rest, links, change);
            }
            fields::push_entry(node, name, made);
        }
        let Some(field) = node.get_mut(name) else {
            return Ok(());
        };
        if is_there && field.is_scalar() && !rest.is_empty() {
            return self.walk_text(field, rest, links, change);
        }
        self.walk(field, rest, links, change)
    }

    /// Compat: text that can be read as YAML is gone into, and what is changed
    /// there is lost.
    fn walk_text(
        &self,
        field: &Node,
        rest: &[String],
        links: &mut Links,
        change: Change<'_>,
    ) -> Result<()> {
        let mut inner = structured::parse(field)?;
        self.walk(&mut inner, rest, links, change)
    }

    fn walk_index(
        &self,
        node: &mut Node,
        part: &str,
        rest: &[String],
        links: &mut Links,
        change: Change<'_>,
    ) -> Result<()> {
        fields::expect(node, Kind::Sequence)?;
        let length = node.items().len();
        let index = fields::atoi(part).and_then(|i| usize::try_from(i).ok());
        let index = index.unwrap_or(usize::MAX);
        if let (true, Some(leaf)) = (index == length, self.create) {
            let kind = fields::made_as(rest.first().map(String::as_str), leaf);
            fields::push_item(node, kind.empty(self.span));
        }
        match node.items_mut().and_then(|items| items.get_mut(index)) {
            Some(item) => self.walk(item, rest, links, change),
            None => Err(error(
                format!("there is no item {part}: the list has {length}"),
                Span::NONE,
            )
            .help("items count from 0")),
        }
    }

    fn walk_items(
        &self,
        node: &mut Node,
        part: &str,
        rest: &[String],
        links: &mut Links,
        change: Change<'_>,
    ) -> Result<()> {
        fields::expect(node, Kind::Sequence)?;
        let (key, pattern) = fields::split_item(part)?;
        let search = Search::new(pattern);
        let count = Cell::new(0);
        let mut counted = |field: &mut Node, links: &mut Links| {
            count.set(count.get() + 1);
            change(field, links)
        };
        self.walk_matching(node, key, &search, rest, links, &mut counted)?;
        if count.get() > 0 || self.create.is_none() {
            return Ok(());
        }
        if node.is_null() {
            return Err(
                error(format!("`{part}` cannot be added to null"), node.span())
                    .help("write an empty list there: `[]`"),
            );
        }
        fields::push_item(node, fields::item(key, pattern, self.span));
        self.walk_matching(node, key, &search, rest, links, &mut counted)?;
        if count.get() > 0 {
            return Ok(());
        }
        // Compat: kustomize makes one more, until its stack is full.
        Err(error(
            format!("`{part}` makes an item that it does not match"),
            Span::NONE,
        )
        .help("name the item by plain text"))
    }

    fn walk_matching(
        &self,
        node: &mut Node,
        key: &str,
        search: &Search<'_>,
        rest: &[String],
        links: &mut Links,
        change: Change<'_>,
    ) -> Result<()> {
        for item in node.items_mut().into_iter().flatten() {
            if key.is_empty() {
                // Compat: an item that is a value ends the path.
                if search.is_in(&printed(item), item.span())? {
                    change(item, links)?;
                }
                continue;
            }
            let matches = match item.get(key) {
                Some(field) => search.is_in(&printed(field), field.span())?,
                None => false,
            };
            if matches {
                self.walk(item, rest, links, change)?;
            }
        }
        Ok(())
    }
}

/// A node as kyaml prints it.
fn printed(node: &Node) -> String {
    let mut text = String::new();
    as_written(node, Indent::Compact, &mut text);
    text.trim().to_owned()
}
