//! The objects of a build, in the order in which they came.
//!
//! Compat: `resmap/reswrangler.go` of kustomize. Where that one goes through
//! all objects for each, what is needed is indexed here.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::file::Selector;
use super::id::Id;
use super::pattern::Pattern;
use super::resource::{Behavior, ORIGIN, Resource};
use crate::diag::{Error, Result, Span};
use crate::resource::Gvk;
use crate::schema::kustomize::OpenApi;
use crate::yaml::{Entry, Node};

/// Objects of which no two have the same identity when they are added.
#[derive(Clone, Debug, Default)]
pub(super) struct ResMap {
    list: Vec<Resource>,
    /// The identities of all objects, while they are known.
    ids: Option<HashSet<Id>>,
}

impl ResMap {
    /// The objects.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Resource> {
        self.list.iter()
    }

    /// The objects, to be changed.
    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Resource> {
        self.ids = None;
        self.list.iter_mut()
    }

    /// The objects.
    pub(super) fn as_slice(&self) -> &[Resource] {
        &self.list
    }

    /// The objects, to be changed by their position.
    pub(super) fn as_mut_slice(&mut self) -> &mut [Resource] {
        self.ids = None;
        &mut self.list
    }

    /// The objects.
    pub(super) fn into_vec(self) -> Vec<Resource> {
        self.list
    }

    /// Adds an object.
    ///
    /// # Errors
    ///
    /// `kustomize/duplicate-id` where one of the same identity is there.
    pub(super) fn append(&mut self, mut resource: Resource, api: &OpenApi) -> Result<()> {
        let id = resource.id(api).clone();
        if !self.known_ids(api).insert(id.clone()) {
            let first = self.list.iter().find(|r| r.current_id(api) == id);
            return Err(duplicate(&id, resource.node(), first.map(Resource::node)));
        }
        self.list.push(resource);
        Ok(())
    }

    /// As [`ResMap::append`], for all objects of another.
    pub(super) fn append_all(&mut self, other: ResMap, api: &OpenApi) -> Result<()> {
        if self.list.is_empty() {
            // Objects that came together have been compared already, but may
            // have been changed since.
            *self = other;
            return self.check_unique(api);
        }
        other.list.into_iter().try_for_each(|r| self.append(r, api))
    }

    /// Refuses two objects of the same identity.
    pub(super) fn check_unique(&mut self, api: &OpenApi) -> Result<()> {
        if self.ids.is_some() {
            return Ok(());
        }
        let mut ids = HashSet::with_capacity(self.list.len());
        for resource in &mut self.list {
            ids.insert(resource.id(api).clone());
        }
        if ids.len() == self.list.len() {
            self.ids = Some(ids);
            return Ok(());
        }
        let mut seen: HashMap<Id, usize> = HashMap::new();
        for (i, resource) in self.list.iter().enumerate() {
            let id = resource.current_id(api);
            if let Some(first) = seen.insert(id.clone(), i) {
                let first = self.list.get(first).map(Resource::node);
                return Err(duplicate(&id, resource.node(), first));
            }
        }
        Ok(())
    }

    fn known_ids(&mut self, api: &OpenApi) -> &mut HashSet<Id> {
        let list = &mut self.list;
        self.ids
            .get_or_insert_with(|| list.iter_mut().map(|r| r.id(api).clone()).collect())
    }

    /// Adds generated objects: as they are, or into those that are there.
    ///
    /// # Errors
    ///
    /// `kustomize/generator` where the behavior does not fit what is there.
    pub(super) fn absorb(&mut self, generated: Vec<Resource>, api: &OpenApi) -> Result<()> {
        generated
            .into_iter()
            .try_for_each(|resource| self.absorb_one(resource, api))
    }

    fn absorb_one(&mut self, mut resource: Resource, api: &OpenApi) -> Result<()> {
        let id = resource.id(api).clone();
        let behavior = resource.history.behavior.unwrap_or_default();
        let span = span_of_name(resource.node());
        let error = |message: String| Error::new("kustomize/generator", message).at(span);
        let matches: Vec<usize> = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, r)| !r.is_empty() && r.has_any_id(api, |other| *other == id))
            .map(|(i, _)| i)
            .collect();
        let &[at] = matches.as_slice() else {
            if matches.len() > 1 {
                return Err(error(format!("several objects could be merged with {id}"))
                    .help("give the generator the namespace of the one that is meant"));
            }
            if matches!(behavior, Behavior::Merge | Behavior::Replace) {
                return Err(error(format!("there is no {id} to merge with or replace"))
                    .help("use the name and namespace it has, or `behavior: create`"));
            }
            return self.append(resource, api);
        };
        let old = &self.list[at];
        match behavior {
            Behavior::Replace => copy_metadata(&mut resource, old)?,
            Behavior::Merge => {
                let origin = old.metadata_map("annotations");
                let origin = origin.into_iter().find(|(key, _)| &**key == ORIGIN);
                copy_metadata(&mut resource, old)?;
                merge_data(&mut resource, old.node(), "data")?;
                merge_data(&mut resource, old.node(), "binaryData")?;
                if let Some((_, origin)) = origin {
                    let text = origin.shared_text().cloned().unwrap_or_default();
                    resource.set_annotation(ORIGIN, text, origin.span())?;
                }
            }
            Behavior::Create | Behavior::Unspecified => {
                return Err(error(format!("{id} is there already"))
                    .help("say `behavior: merge` or `behavior: replace`"));
            }
        }
        self.ids = None;
        // Compat: what takes the place must be found under its identity.
        let id = resource.current_id(api);
        let position = self.list.iter().position(|r| r.current_id(api) == id);
        if position != Some(at) {
            return Err(error(format!(
                "{id} was renamed since it came, and cannot be merged with"
            ))
            .help("generate it where it is renamed"));
        }
        self.list[at] = resource;
        Ok(())
    }

    /// The positions of objects that a selector means.
    ///
    /// # Errors
    ///
    /// `kustomize/pattern`, `kustomize/selector`.
    pub(super) fn select(&self, selector: &Selector, api: &OpenApi) -> Result<Vec<usize>> {
        let matcher = Matcher::new(selector)?;
        let mut found = Vec::new();
        for (i, resource) in self.list.iter().enumerate() {
            if matcher.selects(resource, selector, api)? {
                found.push(i);
            }
        }
        Ok(found)
    }

    /// The only object that has or had an identity.
    ///
    /// # Errors
    ///
    /// `ref/missing` where there is none, `kustomize/ambiguous` where there
    /// are several.
    pub(super) fn find(&self, id: &Id, api: &OpenApi, span: Span) -> Result<usize> {
        let mut matches = self
            .list
            .iter()
            .enumerate()
            .filter(|(_, r)| !r.is_empty() && r.has_any_id(api, |other| other == id))
            .map(|(i, _)| i);
        match (matches.next(), matches.next()) {
            (Some(found), None) => Ok(found),
            (Some(_), Some(_)) => Err(Error::new(
                "kustomize/ambiguous",
                format!("several objects are or were {id}"),
            )
            .at(span)
            .help("name one of them by a `target` with its namespace")),
            (None, _) => Err(
                Error::new("ref/missing", format!("there is no {id} to patch"))
                    .at(span)
                    .help(self.nearest(id)),
            ),
        }
    }

    /// What to do about an object that is not there.
    fn nearest(&self, id: &Id) -> String {
        let same_name = self
            .list
            .iter()
            .find(|r| r.name() == id.name || r.previous_names().any(|name| *name == id.name));
        match same_name {
            Some(resource) => {
                let gvk = resource.gvk();
                let namespace = resource.namespace();
                let place = if namespace.is_empty() {
                    String::new()
                } else {
                    format!(" in namespace `{namespace}`")
                };
                format!(
                    "the object of that name is a {} of `{}`{place}",
                    gvk.kind,
                    gvk.api_version()
                )
            }
            None => "add it to `resources`, or correct kind, name and namespace".to_owned(),
        }
    }

    /// Takes out what is empty.
    pub(super) fn drop_empties(&mut self) {
        if self.list.iter().any(Resource::is_empty) {
            self.ids = None;
            self.list.retain(|r| !r.is_empty());
        }
    }

    /// Keeps what `is_kept` says.
    pub(super) fn retain(&mut self, is_kept: impl FnMut(&Resource) -> bool) {
        self.ids = None;
        self.list.retain(is_kept);
    }

    /// Sorts by a key.
    pub(super) fn sort_by_key<K: Ord>(&mut self, key: impl FnMut(&Resource) -> K) {
        self.list.sort_by_cached_key(key);
    }
}

impl From<Vec<Resource>> for ResMap {
    fn from(list: Vec<Resource>) -> ResMap {
        ResMap { list, ids: None }
    }
}

fn span_of_name(node: &Node) -> Span {
    let name = node.at_path(&["metadata", "name"]);
    name.map_or(node.span(), Node::span)
}

fn duplicate(id: &Id, second: &Node, first: Option<&Node>) -> Error {
    let error = Error::new("kustomize/duplicate-id", format!("{id} is there already"))
        .at(span_of_name(second))
        .object(id.to_object_ref());
    match first.map(span_of_name).filter(|span| !span.is_none()) {
        Some(span) => error.help(format!(
            "the first one is in line {} of its file: remove one, or give it another name",
            span.line
        )),
        None => error.help("remove one, or give it another name"),
    }
}

/// Takes name, namespace, labels, annotations and memories over from an object,
/// where this one has none of its own.
///
/// Compat: `CopyMergeMetaDataFieldsFrom`.
pub(super) fn copy_metadata(resource: &mut Resource, old: &Resource) -> Result<()> {
    let merged = |field| {
        let mut map = old.metadata_map(field);
        for (key, value) in resource.metadata_map(field) {
            match map.iter_mut().find(|(k, _)| *k == key) {
                Some((_, earlier)) => *earlier = value,
                None => map.push((key, value)),
            }
        }
        map
    };
    let labels = merged("labels");
    let annotations = merged("annotations");
    resource.set_metadata_map("labels", labels)?;
    resource.set_metadata_map("annotations", annotations)?;
    let needs_hash = resource.history.needs_hash;
    resource.history = old.history.clone();
    resource.history.needs_hash &= needs_hash;
    let span = span_of_name(resource.node());
    resource.set_name(old.name(), span)?;
    resource.set_namespace(&old.namespace(), span)?;
    resource.variables.clone_from(&old.variables);
    Ok(())
}

/// Adds data of another object; what is here stays.
fn merge_data(resource: &mut Resource, old: &Node, field: &str) -> Result<()> {
    let text_map = |node: &Node| -> Vec<(Arc<str>, Node)> {
        let entries = node.get(field).map(Node::entries).unwrap_or_default();
        let entry = |e: &Entry| {
            let text = |node: &Node| {
                let text = node.shared_text().filter(|_| !node.is_null());
                text.cloned().unwrap_or_default()
            };
            let value = Node::string(text(&e.value), e.value.span());
            (text(&e.key), value)
        };
        entries.iter().map(entry).collect()
    };
    let mut map: std::collections::BTreeMap<Arc<str>, Node> = text_map(old).into_iter().collect();
    map.extend(text_map(resource.node()));
    resource.edit(|node, _| {
        let span = node.get(field).map_or(node.span(), Node::span);
        super::fields::clear(node, field)?;
        // Compat: each value goes where it fits: text under `data`, and under
        // `binaryData` all that came from there.
        if !map.is_empty() {
            let entries = map.into_iter().map(|(key, value)| Entry {
                key: super::fields::untagged(key, value.span()),
                value,
            });
            node.set(field, Node::mapping(entries.collect(), span));
        }
        Ok(())
    })
}

/// A selector made ready to be compared.
pub(super) struct Matcher {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
}

impl Matcher {
    pub(super) fn new(selector: &Selector) -> Result<Matcher> {
        let pattern = |text: &super::file::Text| Pattern::new(&text.text, text.span);
        Ok(Matcher {
            group: pattern(&selector.group)?,
            version: pattern(&selector.version)?,
            kind: pattern(&selector.kind)?,
            name: pattern(&selector.name)?,
            namespace: pattern(&selector.namespace)?,
        })
    }

    pub(super) fn matches_gvk(&self, gvk: &Gvk) -> bool {
        self.group.matches(&gvk.group)
            && self.version.matches(&gvk.version)
            && self.kind.matches(&gvk.kind)
    }

    pub(super) fn matches_name(&self, name: &str) -> bool {
        self.name.matches(name)
    }

    pub(super) fn matches_namespace(&self, namespace: &str) -> bool {
        self.namespace.matches(namespace)
    }

    /// Whether an object is selected, by what it is or was.
    fn selects(&self, resource: &Resource, selector: &Selector, api: &OpenApi) -> Result<bool> {
        let current = resource.current_id(api);
        let original = resource.original_id(api);
        if !self.matches_namespace(original.effective_namespace())
            && !self.matches_namespace(current.effective_namespace())
        {
            return Ok(false);
        }
        if !self.matches_name(&original.name) && !self.matches_name(&current.name) {
            return Ok(false);
        }
        if !self.matches_gvk(&current.gvk) {
            return Ok(false);
        }
        matches_labels(resource, selector)
    }
}

/// Reads a selector of labels or annotations.
fn label_selector(text: &super::file::Text) -> Result<crate::resource::Selector> {
    crate::resource::Selector::parse(text).map_err(|reason| {
        Error::new(
            "kustomize/selector",
            format!("`{text}` is no label selector: {reason}"),
        )
        .at(text.span)
        .help("write it as kubectl takes it: `app=web,tier!=cache,!old`")
    })
}

/// Whether an object's labels and annotations are as a selector wants them.
pub(super) fn matches_labels(resource: &Resource, selector: &Selector) -> Result<bool> {
    for (text, field) in [
        (&selector.labels, "labels"),
        (&selector.annotations, "annotations"),
    ] {
        if !text.is_empty() {
            let labels = resource.metadata_map(field);
            let wanted = label_selector(text)?;
            let label = |key: &str| {
                let (_, value) = labels.iter().find(|(k, _)| **k == *key)?;
                Some(value.text().unwrap_or_default())
            };
            if !wanted.matches(label) {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
