//! References to objects whose names have changed.
//!
//! Compat: `filters/nameref`, `namereferencetransformer.go` of kustomize. An
//! object that had the name that a field holds is what the field refers to, if
//! kind, namespace and the kustomizations that both came through fit.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::labels::resource_ref;
use crate::diag::{Error, Result, Span};
use crate::kustomize::build::Context;
use crate::kustomize::config::NameReference;
use crate::kustomize::fields::{self, As, Kind};
use crate::kustomize::fieldspec::{self, FieldSpec};
use crate::kustomize::id::{CLUSTER, GvkPattern, Id};
use crate::kustomize::links::Links;
use crate::kustomize::resmap::ResMap;
use crate::kustomize::resource::{Affixes, Resource};
use crate::resource::Gvk;
use crate::schema::kustomize::OpenApi;
use crate::yaml::Node;

/// An object that may be referred to.
struct Candidate {
    current: Id,
    /// The identity it was read with.
    original: Id,
    previous: Vec<Id>,
    name: Arc<str>,
    name_span: Span,
    affixes: Affixes,
}

/// All objects that had other names, by those names.
struct Candidates {
    all: Vec<Candidate>,
    by_name: HashMap<Arc<str>, Vec<usize>>,
    /// Where the objects of a namespace are now, by the namespace in which they
    /// were read.
    by_namespace: HashMap<String, HashSet<Place>>,
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    namespace: Arc<str>,
    is_cluster_scoped: bool,
}

impl Place {
    fn of(id: &Id) -> Place {
        Place {
            namespace: id.namespace.clone(),
            is_cluster_scoped: id.is_cluster_scoped,
        }
    }
}

impl Candidates {
    fn of(map: &ResMap, context: &Context<'_>) -> Candidates {
        let mut all = Vec::new();
        let mut by_name: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        let mut by_namespace: HashMap<String, HashSet<Place>> = HashMap::new();
        for resource in map.iter() {
            let current = resource.current_id(&context.api);
            let previous: Vec<Id> = resource.previous_ids().collect();
            let original = previous.first().unwrap_or(&current).clone();
            let namespace = original.effective_namespace();
            if namespace != CLUSTER {
                let places = by_namespace.entry(namespace.to_owned()).or_default();
                places.insert(Place::of(&current));
            }
            if previous.is_empty() {
                continue;
            }
            let index = all.len();
            for id in &previous {
                let indexes = by_name.entry(id.name.clone()).or_default();
                if indexes.last() != Some(&index) {
                    indexes.push(index);
                }
            }
            let name = resource.node().at_path(&["metadata", "name"]);
            all.push(Candidate {
                current,
                original,
                previous,
                name: resource.name(),
                name_span: name.map_or(Span::NONE, Node::span),
                affixes: resource.history.affixes.clone(),
            });
        }
        Candidates {
            all,
            by_name,
            by_namespace,
        }
    }

    fn named(&self, name: &str) -> Vec<&Candidate> {
        let indexes = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        indexes.iter().filter_map(|i| self.all.get(*i)).collect()
    }
}

/// Brings every reference up to date.
///
/// # Errors
///
/// `kustomize/ambiguous` where several objects could be meant,
/// `kustomize/wrong-kind` where a field does not hold what it should.
pub(in crate::kustomize) fn update(
    map: &mut ResMap,
    references: &[NameReference],
    context: &mut Context<'_>,
) -> Result<()> {
    let candidates = Candidates::of(map, context);
    let api = &context.api;
    for resource in map.iter_mut() {
        let referrer = Referrer::of(resource, api)?;
        for reference in references {
            for spec in reference.referrers.iter() {
                if !spec.gvk.selects(&referrer.original) {
                    continue;
                }
                let update = Update {
                    referrer: &referrer,
                    candidates: &candidates,
                    target: &reference.target,
                    spec,
                };
                // Nearly nothing refers to anything: look before touching.
                if !fieldspec::any_leaf(resource.node(), spec, &|field| update.concerns(field)) {
                    continue;
                }
                resource
                    .edit(|node, links| update.apply(node, links))
                    .map_err(|e| e.object(resource_ref(resource.node())))?;
            }
        }
    }
    Ok(())
}

/// An object that may refer to others.
struct Referrer {
    current: Id,
    /// The kind it was read with.
    original: Gvk,
    affixes: Affixes,
    /// Namespaces of service accounts that a role binding names.
    namespaces: Vec<Arc<str>>,
    /// What a role binding says about its role: group and kind.
    role: Option<GvkPattern>,
}

impl Referrer {
    fn of(resource: &Resource, api: &OpenApi) -> Result<Referrer> {
        let current = resource.current_id(api);
        let original = resource.previous_ids().next();
        Ok(Referrer {
            namespaces: if current.is_cluster_scoped {
                Vec::new()
            } else {
                account_namespaces(resource)?
            },
            role: role_of(resource.node()),
            affixes: resource.history.affixes.clone(),
            original: original.map_or_else(|| current.gvk.clone(), |id| id.gvk),
            current,
        })
    }

    /// Whether an object in another namespace may be meant at all.
    fn can_refer_to(&self, place: &Place) -> bool {
        let effective = |namespace: &Arc<str>| {
            if namespace.is_empty() {
                Arc::from("default")
            } else {
                namespace.clone()
            }
        };
        self.current.is_cluster_scoped
            || place.is_cluster_scoped
            || effective(&place.namespace) == effective(&self.current.namespace)
            || self.namespaces.contains(&place.namespace)
    }
}

/// The namespaces of the service accounts that a RoleBinding names.
fn account_namespaces(resource: &Resource) -> Result<Vec<Arc<str>>> {
    if resource.kind() != "RoleBinding" {
        return Ok(Vec::new());
    }
    let mut namespaces = Vec::new();
    let subjects = resource.node().get("subjects").map(Node::items);
    for subject in subjects.unwrap_or_default() {
        // Compat: kustomize crashes on a subject that is no mapping, and on a
        // kind that is no string.
        if !subject.is_mapping() {
            return Err(Error::new(
                "kustomize/wrong-kind",
                format!("a subject is {}, not a mapping", subject.describe()),
            )
            .at(subject.span())
            .object(resource_ref(resource.node()))
            .help("write `kind`, `name` and `namespace` of who is bound"));
        }
        let (Some(namespace), Some(kind)) = (subject.get("namespace"), subject.get("kind")) else {
            continue;
        };
        if kind.text() != Some("ServiceAccount") {
            continue;
        }
        match namespace.as_str() {
            Some(_) => namespaces.extend(namespace.shared_text().cloned()),
            None => {
                return Err(Error::new(
                    "kustomize/wrong-kind",
                    format!(
                        "the namespace of a subject is {}, not a string",
                        namespace.describe()
                    ),
                )
                .at(namespace.span())
                .object(resource_ref(resource.node()))
                .help("write the name of a namespace, in quotes if need be"));
            }
        }
    }
    Ok(namespaces)
}

/// The group and kind of the role that a binding names.
fn role_of(node: &Node) -> Option<GvkPattern> {
    let role = node.get("roleRef")?;
    let text = |name| Some(role.get(name)?.text()?.to_owned());
    Some(GvkPattern {
        group: text("apiGroup")?.into(),
        kind: text("kind")?.into(),
        ..GvkPattern::default()
    })
}

/// One field of one object, for one kind that it may refer to.
struct Update<'u> {
    referrer: &'u Referrer,
    candidates: &'u Candidates,
    target: &'u GvkPattern,
    spec: &'u FieldSpec,
}

impl<'u> Update<'u> {
    fn apply(&self, node: &mut Node, links: &mut Links) -> Result<()> {
        fieldspec::apply_to_selected(node, self.spec, None, links, &mut |field, links| {
            self.set(field, links)
        })
    }

    fn set(&self, field: &mut Node, links: &mut Links) -> Result<()> {
        if field.is_null() {
            return Ok(());
        }
        match Kind::of(field) {
            Kind::Scalar => self.set_scalar(field, links),
            Kind::Mapping => self.set_mapping(field, links),
            Kind::Sequence => {
                for item in field.items_mut().into_iter().flatten() {
                    match Kind::of(item) {
                        _ if item.is_null() => {}
                        Kind::Scalar => self.set_scalar(item, links)?,
                        Kind::Mapping => self.set_mapping(item, links)?,
                        Kind::Sequence => {
                            return Err(Error::new(
                                "kustomize/wrong-kind",
                                "a list where a name is needed",
                            )
                            .at(item.span())
                            .help("write the names in one list"));
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// Whether a field holds the name of a candidate, or what it should not.
    fn concerns(&self, field: &Node) -> bool {
        if field.is_null() {
            return false;
        }
        if field.is_sequence() {
            let mut items = field.items().iter();
            return items.any(|item| item.is_sequence() || self.concerns(item));
        }
        let name = if field.is_mapping() {
            field
                .get("name")
                .map(|name| name.text().unwrap_or_default())
        } else {
            field.text()
        };
        name.is_none_or(|name| self.candidates.by_name.contains_key(name))
    }

    fn set_scalar(&self, field: &mut Node, links: &mut Links) -> Result<()> {
        let name = field.text().unwrap_or_default();
        let candidates = self.candidates.named(name);
        let found = self.select(candidates, field.span(), |a, b| a.name == b.name)?;
        match found {
            Some(found) if *found.name != *name => {
                let (name, span) = (found.name.clone(), found.name_span.or(field.span()));
                fields::set_text(field, name, As::Written, span, links)
            }
            _ => Ok(()),
        }
    }

    fn set_mapping(&self, field: &mut Node, links: &mut Links) -> Result<()> {
        let Some(name) = field.get("name") else {
            return Err(Error::new(
                "kustomize/wrong-kind",
                format!("in `{}` there is no `name`", self.spec.path),
            )
            .at(field.span())
            .help("a reference is the name of an object, or a mapping with its `name`"));
        };
        let span = name.span();
        let name = name.text().unwrap_or_default();
        let mut candidates = self.candidates.named(name);
        if let Some(namespace) = field.get("namespace") {
            candidates = self.in_namespace(candidates, namespace.text().unwrap_or_default());
        }
        let found = self.select(candidates, span, |a, b| {
            a.name == b.name && a.current.namespace == b.current.namespace
        })?;
        let Some(found) = found else {
            return Ok(());
        };
        let namespace = found.current.namespace.clone();
        if *found.name == *name && namespace.is_empty() {
            return Ok(());
        }
        let referent = found.name_span.or(span);
        // A name that stays comes from where it stands.
        let at = if *found.name == *name { span } else { referent };
        fields::set_field(field, "name", found.name.clone(), As::Written, at, links)?;
        if namespace.is_empty() {
            return Ok(());
        }
        fields::set_field(field, "namespace", namespace, As::Written, referent, links)
    }

    /// The candidates of a namespace, as it was or else as it is.
    ///
    /// Compat: if any object at all was in that namespace, the one of now does
    /// not count.
    fn in_namespace(&self, candidates: Vec<&'u Candidate>, namespace: &str) -> Vec<&'u Candidate> {
        if namespace == CLUSTER {
            return Vec::new();
        }
        let was_there = |c: &Candidate| c.original.effective_namespace() == namespace;
        let is_there = |c: &Candidate| c.current.effective_namespace() == namespace;
        let places = self.candidates.by_namespace.get(namespace);
        let any_was_there = places
            .is_some_and(|places| places.iter().any(|place| self.referrer.can_refer_to(place)));
        candidates
            .into_iter()
            .filter(|c| {
                if any_was_there {
                    was_there(c)
                } else {
                    is_there(c)
                }
            })
            .collect()
    }

    /// The one object that is meant.
    fn select(
        &self,
        candidates: Vec<&'u Candidate>,
        span: Span,
        is_same: impl Fn(&Candidate, &Candidate) -> bool,
    ) -> Result<Option<&'u Candidate>> {
        let is_role = self.spec.path.ends_with("roleRef/name");
        let mut candidates = candidates;
        candidates.retain(|c| {
            self.referrer.can_refer_to(&Place::of(&c.current))
                && c.previous.iter().any(|id| self.target.selects(&id.gvk))
                && self.is_of_role(c, is_role)
                && self.is_near(c)
        });
        if let [one] = candidates.as_slice() {
            return Ok(Some(one));
        }
        let affixes = &self.referrer.affixes;
        candidates.retain(|c| c.affixes.are_same(affixes, true));
        if candidates.len() > 1 {
            candidates.retain(|c| c.affixes.are_same(affixes, false));
        }
        let Some((first, rest)) = candidates.split_first() else {
            return Ok(None);
        };
        if rest.iter().all(|c| is_same(first, c)) {
            return Ok(Some(first));
        }
        let names: Vec<String> = candidates.iter().map(|c| c.current.to_string()).collect();
        Err(Error::new(
            "kustomize/ambiguous",
            format!("the reference could mean any of {}", names.join(", ")),
        )
        .at(span)
        .help("add the namespace, or give the objects different names"))
    }

    fn is_of_role(&self, candidate: &Candidate, is_role: bool) -> bool {
        match &self.referrer.role {
            Some(role) if is_role => candidate.previous.iter().any(|id| role.selects(&id.gvk)),
            _ => true,
        }
    }

    /// Whether an object is in the namespace of the referrer, or may be meant
    /// from everywhere.
    fn is_near(&self, candidate: &Candidate) -> bool {
        self.referrer.current.is_cluster_scoped
            || candidate.current.is_cluster_scoped
            || &*candidate.current.gvk.kind == "ServiceAccount"
            || candidate.current.is_namespace_equal(&self.referrer.current)
    }
}
