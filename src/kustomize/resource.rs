//! An object on its way through a build, and what kustomize remembers of it.
//!
//! Compat: kustomize keeps these memories in annotations of the object
//! (`internal.config.kubernetes.io/…`). Here they are fields; where the
//! annotations would show (a patch that takes all annotations away, a JSON
//! patch that finds them there) an annotation of ours stands in for them.

use std::sync::Arc;

use super::fields::{self, As};
use super::id::{self, Id};
use super::json;
use super::links::{self, Links};
use crate::diag::{Error, Result, Span};
use crate::resource::Gvk;
use crate::schema::kustomize::OpenApi;
use crate::yaml::{Entry, Node, Tag};

/// What is to happen with a generated object that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub(super) fn of(text: &str) -> Behavior {
        match text {
            "create" => Behavior::Create,
            "replace" => Behavior::Replace,
            "merge" => Behavior::Merge,
            _ => Behavior::Unspecified,
        }
    }
}

/// An identity that an object had.
#[derive(Clone, Debug)]
struct Previous {
    name: Arc<str>,
    namespace: Arc<str>,
    kind: Arc<str>,
}

impl Previous {
    fn zipped(
        names: Vec<Arc<str>>,
        namespaces: Vec<Arc<str>>,
        kinds: Vec<Arc<str>>,
    ) -> impl Iterator<Item = Previous> {
        names
            .into_iter()
            .zip(namespaces)
            .zip(kinds)
            .map(|((name, namespace), kind)| Previous {
                name,
                namespace,
                kind,
            })
    }

    fn has_comma(&self) -> bool {
        [&self.name, &self.namespace, &self.kind]
            .iter()
            .any(|text| text.contains(','))
    }
}

/// What is remembered of an object's way through the build.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    previous: Vec<Previous>,
    /// An identity without a name was to be remembered.
    had_no_name: bool,
    pub(super) affixes: Affixes,
    pub(super) behavior: Option<Behavior>,
    pub(super) needs_hash: bool,
    pub(super) allow_name_change: bool,
    pub(super) allow_kind_change: bool,
    pub(super) is_helm_generated: bool,
}

/// The prefixes and suffixes that a name got, the innermost first: by these
/// two objects are known that came through the same kustomizations.
#[derive(Clone, Debug, Default)]
pub(super) struct Affixes {
    prefixes: Vec<Arc<str>>,
    suffixes: Vec<Arc<str>>,
}

impl Affixes {
    /// Whether two objects came through the same kustomizations, as far as
    /// this tells; with `allow_empty`, what got none fits everything.
    pub(super) fn are_same(&self, other: &Affixes, allow_empty: bool) -> bool {
        let same = |a: &[Arc<str>], b: &[Arc<str>]| {
            (allow_empty && (a.is_empty() || b.is_empty())) || has_same_ending(a, b)
        };
        same(&self.prefixes, &other.prefixes) && same(&self.suffixes, &other.suffixes)
    }
}

/// Annotations by which kustomize remembers.
const DOMAIN: &str = "internal.config.kubernetes.io/";

/// The annotation that stands for all of them while others look.
const STAND_IN: &str = "internal.config.kubernetes.io/fluxwright";

/// Annotations that readers of files leave, which are taken away at the end.
const READER_ANNOTATIONS: [&str; 8] = [
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
];

/// The annotation that says where an object came from.
pub(super) const ORIGIN: &str = "config.kubernetes.io/origin";
/// The annotation that says what changed an object.
pub(super) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
/// The annotation that keeps an object out of the output.
pub(super) const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";

/// An object on its way through a build.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    node: Node,
    /// The identity as the fields stand; none where it must be looked up anew.
    current: Option<Id>,
    links: Links,
    pub(super) history: History,
    /// The vars whose values are read from it.
    pub(super) variables: Vec<Arc<str>>,
}

impl Resource {
    /// An object as it was read. Memories that a file brings in annotations
    /// are taken over.
    pub(super) fn new(node: Node) -> Resource {
        let mut resource = Resource {
            node,
            current: None,
            links: Links::default(),
            history: History::default(),
            variables: Vec::new(),
        };
        resource.take_over_annotations();
        resource
    }

    /// The object.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// The object.
    pub(super) fn into_node(self) -> Node {
        self.node
    }

    /// Changes the object; scalars that are tied together follow.
    pub(super) fn edit<T>(
        &mut self,
        change: impl FnOnce(&mut Node, &mut Links) -> Result<T>,
    ) -> Result<T> {
        self.current = None;
        let result = change(&mut self.node, &mut self.links);
        self.links.settle(&mut self.node);
        result
    }

    /// Puts another object in its place, whose scalars nothing ties.
    pub(super) fn replace_node(&mut self, node: Node) {
        self.current = None;
        self.links.clear();
        self.node = node;
    }

    /// Whether nothing is left of it.
    pub(super) fn is_empty(&self) -> bool {
        self.node.is_null_or_empty()
    }

    /// Takes everything out of it.
    pub(super) fn make_empty(&mut self) {
        self.replace_node(Node::null(self.node.span()));
    }

    // Identity.

    /// The identity as the fields stand.
    pub(super) fn id(&mut self, api: &OpenApi) -> &Id {
        let node = &self.node;
        self.current.get_or_insert_with(|| id_of(node, api))
    }

    /// The identity as the fields stand, worked out if need be.
    pub(super) fn current_id(&self, api: &OpenApi) -> Id {
        self.current
            .clone()
            .unwrap_or_else(|| id_of(&self.node, api))
    }

    pub(super) fn gvk(&self) -> Gvk {
        match &self.current {
            Some(id) => id.gvk.clone(),
            None => id::gvk_of(&self.node),
        }
    }

    pub(super) fn kind(&self) -> &str {
        self.node
            .get("kind")
            .and_then(Node::text)
            .unwrap_or_default()
    }

    pub(super) fn name(&self) -> Arc<str> {
        id::metadata_text(&self.node, "name")
    }

    pub(super) fn namespace(&self) -> Arc<str> {
        id::metadata_text(&self.node, "namespace")
    }

    /// The identities that it had, the oldest first.
    pub(super) fn previous_ids(&self) -> impl Iterator<Item = Id> {
        // Compat: the group and version are those of today, and no previous
        // identity is known to live outside namespaces: its namespace says so.
        let gvk = (!self.history.previous.is_empty()).then(|| self.gvk());
        self.history.previous.iter().map(move |previous| Id {
            gvk: Gvk {
                kind: previous.kind.clone(),
                ..gvk.clone().unwrap_or_default()
            },
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
            is_cluster_scoped: false,
        })
    }

    /// The names that it had.
    pub(super) fn previous_names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.history.previous.iter().map(|previous| &previous.name)
    }

    /// The identity it was read with.
    pub(super) fn original_id(&self, api: &OpenApi) -> Id {
        self.previous_ids()
            .next()
            .unwrap_or_else(|| self.current_id(api))
    }

    /// Whether one of its identities, of now or before, is as asked.
    pub(super) fn has_any_id(&self, api: &OpenApi, is: impl Fn(&Id) -> bool) -> bool {
        self.previous_ids().any(|id| is(&id)) || is(&self.current_id(api))
    }

    /// Remembers the identity of now before it changes.
    ///
    /// # Errors
    ///
    /// `kustomize/unnamed` for an object that got a name after it was told
    /// apart without one, and `kustomize/comma` for an identity with commas,
    /// on both of which kustomize crashes; `kustomize/wrong-kind` for
    /// annotations that are no mapping.
    pub(super) fn store_previous_id(&mut self, api: &OpenApi) -> Result<()> {
        self.check_annotations()?;
        let id = self.id(api);
        let previous = Previous {
            name: id.name.clone(),
            namespace: id.effective_namespace().into(),
            kind: id.gvk.kind.clone(),
        };
        if previous.name.is_empty() || self.history.had_no_name {
            if !self.history.previous.is_empty() || !previous.name.is_empty() {
                return Err(Error::new(
                    "kustomize/unnamed",
                    "the object has been with and without a name",
                )
                .at(self.node.span())
                .help("give it a `metadata.name`"));
            }
            self.history.had_no_name = true;
            return Ok(());
        }
        // Compat: api/internal/utils/annotations.go joins them with commas, and
        // splits them there again.
        let parts = |text: &Arc<str>| text.split(',').map(Arc::from).collect::<Vec<Arc<str>>>();
        if !previous.has_comma() {
            self.history.previous.push(previous);
            return Ok(());
        }
        let names = parts(&previous.name);
        let namespaces = parts(&previous.namespace);
        let kinds = parts(&previous.kind);
        if names.len() != namespaces.len() || names.len() != kinds.len() {
            return Err(Error::new(
                "kustomize/comma",
                format!(
                    "the {} `{}` has a comma in its name, its namespace or its kind",
                    previous.kind, previous.name
                ),
            )
            .at(self.node.span())
            .help(
                "rename it; an object that SOPS encrypted whole needs \
                 `encrypted_regex: ^(data|stringData)$` to be built",
            ));
        }
        self.history
            .previous
            .extend(Previous::zipped(names, namespaces, kinds));
        Ok(())
    }

    /// Remembers a name prefix that was added.
    pub(super) fn add_prefix(&mut self, prefix: &Arc<str>) -> Result<()> {
        self.check_annotations()?;
        push_parts(&mut self.history.affixes.prefixes, prefix);
        Ok(())
    }

    /// Remembers a name suffix that was added.
    pub(super) fn add_suffix(&mut self, suffix: &Arc<str>) -> Result<()> {
        self.check_annotations()?;
        push_parts(&mut self.history.affixes.suffixes, suffix);
        Ok(())
    }

    // Metadata.

    /// The text of an annotation, whatever kind of value it is.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        let annotations = self.node.get("metadata")?.get("annotations")?;
        let value = annotations.get(key)?;
        Some(value.text().unwrap_or_default())
    }

    /// The annotations or labels, as text that nothing is tied to.
    pub(super) fn metadata_map(&self, field: &str) -> Vec<(Arc<str>, Node)> {
        let mut map = metadata_map(&self.node, field);
        if !self.links.is_empty() {
            for (_, value) in &mut map {
                *value = links::unshared(value);
            }
        }
        map
    }

    /// Sets one annotation.
    pub(super) fn set_annotation(
        &mut self,
        key: &str,
        value: impl Into<Arc<str>>,
        span: Span,
    ) -> Result<()> {
        self.check_annotations()?;
        self.edit(|node, links| {
            let path = ["metadata", "annotations"];
            // Compat: `ClearEmptyAnnotations`: what is no mapping gives way.
            if let Some(metadata) = fields::lookup_mut(node, &["metadata"])?
                && let Some(annotations) = metadata.get("annotations")
                && annotations.entries().is_empty()
            {
                fields::clear(metadata, "annotations")?;
            }
            let map = fields::lookup_or_create(node, &path, fields::Kind::Mapping, span)?;
            match map {
                Some(map) => fields::set_field(map, key, value, As::String, span, links),
                None => Ok(()),
            }
        })
    }

    /// Writes all annotations or labels anew as strings, in the order of their
    /// keys.
    ///
    /// Compat: `RNode.setMapInMetadata`: what is no string becomes one, an
    /// empty mapping goes, and `metadata` is there afterwards.
    pub(super) fn set_metadata_map(
        &mut self,
        field: &str,
        map: Vec<(Arc<str>, Node)>,
    ) -> Result<()> {
        self.current = None;
        set_metadata_map(&mut self.node, field, map)
    }

    /// Writes the annotations anew, without those that `is_dropped` names.
    pub(super) fn rewrite_annotations(&mut self, is_dropped: impl Fn(&str) -> bool) -> Result<()> {
        let mut map = self.metadata_map("annotations");
        map.retain(|(key, _)| !is_dropped(key));
        self.set_metadata_map("annotations", map)
    }

    /// Gives it a name, in the style of the one it has.
    pub(super) fn set_name(&mut self, name: impl Into<Arc<str>>, span: Span) -> Result<()> {
        self.edit(|node, links| set_metadata_text(node, "name", name, span, links))
    }

    /// Gives it a namespace, or takes it away where that is empty.
    pub(super) fn set_namespace(&mut self, namespace: &Arc<str>, span: Span) -> Result<()> {
        self.edit(|node, links| {
            if !namespace.is_empty() {
                return set_metadata_text(node, "namespace", namespace.clone(), span, links);
            }
            if let Some(metadata) = fields::lookup_mut(node, &["metadata"])?
                && metadata.get("namespace").is_some()
            {
                fields::clear(metadata, "namespace")?;
            }
            Ok(())
        })
    }

    /// Gives it a kind.
    pub(super) fn set_kind(&mut self, kind: impl Into<Arc<str>>, span: Span) -> Result<()> {
        self.edit(|node, links| fields::set_field(node, "kind", kind, As::Written, span, links))
    }

    /// Gives it an API version.
    pub(super) fn set_api_version(
        &mut self,
        api_version: impl Into<Arc<str>>,
        span: Span,
    ) -> Result<()> {
        self.edit(|node, links| {
            fields::set_field(node, "apiVersion", api_version, As::Written, span, links)
        })
    }

    /// Takes the annotation that stands for the memories away, if it is still
    /// there; the memories stay.
    pub(super) fn forget_shown_memories(&mut self) -> Result<()> {
        if self.annotation(STAND_IN).is_some() {
            self.edit(|node, _| {
                if let Some(map) = fields::lookup_mut(node, &["metadata", "annotations"])? {
                    fields::clear(map, STAND_IN)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Whether kustomize would keep memories in annotations by now.
    pub(super) fn has_memories(&self) -> bool {
        let h = &self.history;
        !h.previous.is_empty()
            || h.had_no_name
            || !h.affixes.prefixes.is_empty()
            || !h.affixes.suffixes.is_empty()
            || h.behavior.is_some()
            || h.needs_hash
            || h.allow_name_change
            || h.allow_kind_change
            || h.is_helm_generated
    }

    /// Puts an annotation in for the memories, for others to find.
    pub(super) fn show_memories(&mut self) -> Result<()> {
        if self.has_memories() {
            self.set_annotation(STAND_IN, "", Span::NONE)?;
        }
        Ok(())
    }

    /// Takes the annotation out again; the memories went with it if it is
    /// gone.
    pub(super) fn hide_memories(&mut self) -> Result<()> {
        if !self.has_memories() {
            return Ok(());
        }
        if self.annotation(STAND_IN).is_some() {
            let map = self
                .metadata_map_len("annotations")
                .is_some_and(|len| len > 1);
            return self.edit(|node, _| {
                let path: &[&str] = if map {
                    &["metadata", "annotations"]
                } else {
                    &["metadata"]
                };
                let name = if map { STAND_IN } else { "annotations" };
                if let Some(parent) = fields::lookup_mut(node, path)? {
                    fields::clear(parent, name)?;
                }
                Ok(())
            });
        }
        self.history = History::default();
        Ok(())
    }

    fn metadata_map_len(&self, field: &str) -> Option<usize> {
        Some(self.node.get("metadata")?.get(field)?.entries().len())
    }

    /// Refuses annotations that nothing can be remembered in.
    ///
    /// Compat: kustomize crashes on a list; a single value gives way.
    fn check_annotations(&self) -> Result<()> {
        let annotations = self.node.get("metadata").and_then(|m| m.get("annotations"));
        match annotations.filter(|annotations| !annotations.items().is_empty()) {
            Some(annotations) => fields::expect(annotations, fields::Kind::Mapping)
                .map_err(|e| e.help("write annotations as `key: value`")),
            None => Ok(()),
        }
    }

    /// Takes over the memories that annotations bring.
    fn take_over_annotations(&mut self) {
        let Some(annotations) = self.node.get("metadata").and_then(|m| m.get("annotations")) else {
            return;
        };
        let brings = |entry: &Entry| {
            let key = entry.key.text().unwrap_or_default();
            key.starts_with(DOMAIN) && !READER_ANNOTATIONS.contains(&key)
        };
        if !annotations.entries().iter().any(brings) {
            return;
        }
        let get = |key: &str| {
            let key = format!("{DOMAIN}{key}");
            self.annotation(&key)
        };
        let list = |key: &str| -> Vec<Arc<str>> {
            get(key).map_or_else(Vec::new, |text| text.split(',').map(Arc::from).collect())
        };
        let enabled = |key: &str| get(key) == Some("enabled");
        let (names, namespaces, kinds) = (
            list("previousNames"),
            list("previousNamespaces"),
            list("previousKinds"),
        );
        let history = History {
            previous: Previous::zipped(names, namespaces, kinds).collect(),
            had_no_name: false,
            affixes: Affixes {
                prefixes: list("prefixes"),
                suffixes: list("suffixes"),
            },
            behavior: get("generatorBehavior").map(Behavior::of),
            needs_hash: enabled("needsHashSuffix"),
            allow_name_change: enabled("allowNameChange"),
            allow_kind_change: enabled("allowKindChange"),
            is_helm_generated: get("helm-generated") == Some("true"),
        };
        self.history = history;
    }

    /// Takes away what only kustomize itself reads, and writes the annotations
    /// anew.
    pub(super) fn finish_annotations(&mut self, is_dropped: impl Fn(&str) -> bool) -> Result<()> {
        const OURS: [&str; 11] = [
            "previousKinds",
            "previousNames",
            "prefixes",
            "suffixes",
            "previousNamespaces",
            "allowNameChange",
            "allowKindChange",
            "refBy",
            "generatorBehavior",
            "needsHashSuffix",
            "helm-generated",
        ];
        let is_dropped = |key: &str| {
            is_dropped(key)
                || READER_ANNOTATIONS.contains(&key)
                || key
                    .strip_prefix(DOMAIN)
                    .is_some_and(|name| OURS.contains(&name))
        };
        if self.has_plain_annotations(&is_dropped) {
            return Ok(());
        }
        self.rewrite_annotations(is_dropped)
    }

    /// Puts the object as kyaml reads it again in its place.
    pub(super) fn write_again(&mut self) -> Result<()> {
        let node = json::written_again(&self.node)?;
        self.replace_node(node);
        Ok(())
    }

    /// Whether writing the annotations anew would change nothing.
    fn has_plain_annotations(&self, is_dropped: &impl Fn(&str) -> bool) -> bool {
        let Some(metadata) = self.node.get("metadata").filter(|m| m.is_mapping()) else {
            return false;
        };
        let Some(annotations) = metadata.get("annotations") else {
            return true;
        };
        let is_plain = |entry: &Entry| {
            let key = entry.key.text().unwrap_or_default();
            entry.value.tag() == Tag::Str && fields::plain_tag(key) == Tag::Str && !is_dropped(key)
        };
        !annotations.entries().is_empty() && annotations.entries().iter().all(is_plain)
    }
}

fn push_parts(list: &mut Vec<Arc<str>>, value: &Arc<str>) {
    // Compat: kustomize keeps the list in one text, joined by commas.
    if value.contains(',') {
        list.extend(value.split(',').map(Arc::from));
    } else if !value.is_empty() {
        list.push(value.clone());
    }
}

/// Whether the shorter list is the end of the longer one; an empty list is the
/// end of an empty one alone.
fn has_same_ending(a: &[Arc<str>], b: &[Arc<str>]) -> bool {
    let (short, long) = if a.len() > b.len() { (b, a) } else { (a, b) };
    if short.is_empty() {
        return long.is_empty();
    }
    long.ends_with(short)
}

/// The identity of an object as its fields stand.
pub(super) fn id_of(node: &Node, api: &OpenApi) -> Id {
    let gvk = id::gvk_of(node);
    let is_cluster_scoped = api.is_certainly_cluster_scoped(&gvk.api_version(), &gvk.kind);
    Id {
        gvk,
        name: id::metadata_text(node, "name"),
        namespace: id::metadata_text(node, "namespace"),
        is_cluster_scoped,
    }
}

/// The annotations or labels of an object as text: null and collections count
/// as what is written there, and as nothing.
pub(super) fn metadata_map(node: &Node, field: &str) -> Vec<(Arc<str>, Node)> {
    let metadata = node
        .get("metadata")
        .filter(|metadata| !metadata.is_null_or_empty());
    let Some(map) = metadata.and_then(|metadata| metadata.get(field)) else {
        return Vec::new();
    };
    let mut out: Vec<(Arc<str>, Node)> = Vec::with_capacity(map.entries().len());
    for entry in map.entries() {
        let key = entry.key.shared_text().cloned().unwrap_or_default();
        let text = entry.value.shared_text().cloned().unwrap_or_default();
        let value = Node::string(text, entry.value.span());
        match out.iter_mut().find(|(k, _)| *k == key) {
            Some((_, earlier)) => *earlier = value,
            None => out.push((key, value)),
        }
    }
    out
}

/// As [`Resource::set_metadata_map`].
pub(super) fn set_metadata_map(
    node: &mut Node,
    field: &str,
    mut map: Vec<(Arc<str>, Node)>,
) -> Result<()> {
    let span = node.span();
    let metadata = fields::lookup_or_create(node, &["metadata"], fields::Kind::Mapping, span)?;
    let Some(metadata) = metadata else {
        return Ok(());
    };
    let key_span = metadata.entry(field).map_or(span, |e| e.key.span());
    fields::clear(metadata, field)?;
    if map.is_empty() {
        return Ok(());
    }
    map.sort_by(|a, b| a.0.cmp(&b.0));
    let entries = map
        .into_iter()
        .map(|(key, value)| Entry {
            key: fields::untagged(key, value.span()),
            value,
        })
        .collect();
    let mut value = Node::mapping(entries, key_span);
    value.set_tag(Tag::Map);
    metadata.set(field, value);
    Ok(())
}

fn set_metadata_text(
    node: &mut Node,
    name: &str,
    text: impl Into<Arc<str>>,
    span: Span,
    links: &mut Links,
) -> Result<()> {
    let metadata = fields::lookup_or_create(node, &["metadata"], fields::Kind::Mapping, span)?;
    match metadata {
        Some(metadata) => fields::set_field(metadata, name, text, As::Written, span, links),
        None => Ok(()),
    }
}
