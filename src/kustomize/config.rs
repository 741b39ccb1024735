//! Which fields the transformers change: the defaults, and what configuration
//! files and CRDs add to them.
//!
//! Compat: `internal/plugins/builtinconfig` of kustomize.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use super::fieldspec::{FieldSpec, merge_all, merge_one};
use super::file::read::{self, Mode, Object};
use super::id::GvkPattern;
use super::{defaults, json};
use crate::diag::Result;
use crate::yaml::Node;
use crate::yaml::resolve::Version;

/// Field specifications for all transformers.
///
/// A list that has not been changed is the program's own.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) name_prefix: Specs,
    pub(super) name_suffix: Specs,
    pub(super) namespace: Specs,
    pub(super) common_labels: Specs,
    pub(super) labels: Specs,
    pub(super) template_labels: Specs,
    pub(super) common_annotations: Specs,
    pub(super) var_reference: Specs,
    pub(super) images: Specs,
    pub(super) replicas: Specs,
    pub(super) name_reference: References,
}

/// A list of field specifications.
pub(super) type Specs = Cow<'static, [FieldSpec]>;

/// A list of what may be referred to.
pub(super) type References = Cow<'static, [NameReference]>;

/// What may be referred to by its name, and the fields that may do so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameReference {
    pub(super) target: GvkPattern,
    pub(super) referrers: Specs,
}

static DEFAULTS: LazyLock<Arc<Config>> = LazyLock::new(|| {
    Arc::new(Config {
        name_prefix: Cow::Borrowed(defaults::NAME),
        name_suffix: Cow::Borrowed(defaults::NAME),
        namespace: Cow::Borrowed(defaults::NAMESPACE),
        common_labels: Cow::Borrowed(&defaults::COMMON_LABELS),
        labels: Cow::Borrowed(&[]),
        template_labels: Cow::Borrowed(&defaults::TEMPLATE_LABELS),
        common_annotations: Cow::Borrowed(defaults::COMMON_ANNOTATIONS),
        var_reference: Cow::Borrowed(&defaults::VAR_REFERENCE),
        images: Cow::Borrowed(defaults::IMAGES),
        replicas: Cow::Borrowed(defaults::REPLICAS),
        name_reference: Cow::Borrowed(&defaults::NAME_REFERENCE),
    })
});

impl Config {
    /// Without any specification.
    pub(super) fn empty() -> Config {
        const NONE: Specs = Cow::Borrowed(&[]);
        Config {
            name_prefix: NONE,
            name_suffix: NONE,
            namespace: NONE,
            common_labels: NONE,
            labels: NONE,
            template_labels: NONE,
            common_annotations: NONE,
            var_reference: NONE,
            images: NONE,
            replicas: NONE,
            name_reference: Cow::Borrowed(&[]),
        }
    }

    /// What kustomize knows by itself.
    pub(super) fn defaults() -> Arc<Config> {
        DEFAULTS.clone()
    }

    /// Whether this is what [`Config::defaults`] gives.
    pub(super) fn is_default(config: &Arc<Config>) -> bool {
        Arc::ptr_eq(config, &DEFAULTS)
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// `kustomize/unknown-field`, `kustomize/invalid-field`,
    /// `yaml/invalid`.
    pub(super) fn read(document: Option<&Node>) -> Result<Config> {
        let mut config = Config::empty();
        let Some(document) = document.filter(|d| !d.is_null()) else {
            return Ok(config);
        };
        read::refuse_duplicates(document)?;
        let node = json::plain(document, Version::V2)?;
        let mut object = Object::of(&node, "configuration", Mode::Known)?;
        let specs = |object: &mut Object<'_>, name| -> Result<Specs> {
            Ok(Cow::Owned(
                object
                    .list(name, |n| field_spec(n, Mode::Known))?
                    .unwrap_or_default(),
            ))
        };
        config.name_prefix = specs(&mut object, "namePrefix")?;
        config.name_suffix = specs(&mut object, "nameSuffix")?;
        config.namespace = specs(&mut object, "namespace")?;
        config.common_labels = specs(&mut object, "commonLabels")?;
        config.labels = specs(&mut object, "labels")?;
        config.template_labels = specs(&mut object, "templateLabels")?;
        config.common_annotations = specs(&mut object, "commonAnnotations")?;
        config.var_reference = specs(&mut object, "varReference")?;
        config.images = specs(&mut object, "images")?;
        config.replicas = specs(&mut object, "replicas")?;
        let references = object.list("nameReference", |node| {
            let mut object = Object::of(node, "nameReference", Mode::Known)?;
            let target = gvk_pattern(&mut object)?;
            let referrers = object.list("fieldSpecs", |n| field_spec(n, Mode::Known))?;
            object.finish()?;
            Ok(NameReference {
                target,
                referrers: Cow::Owned(referrers.unwrap_or_default()),
            })
        })?;
        config.name_reference = Cow::Owned(references.unwrap_or_default());
        object.finish()?;
        config.sort();
        Ok(config)
    }

    /// Adds the specifications of another configuration.
    ///
    /// # Errors
    ///
    /// `kustomize/field-spec` where the two contradict each other.
    pub(super) fn merge(&mut self, other: &Config) -> Result<()> {
        for (mine, theirs) in self.lists_mut().into_iter().zip(other.lists()) {
            match theirs {
                // The program's own lists hold nothing twice.
                Cow::Borrowed(_) if mine.is_empty() => mine.clone_from(theirs),
                _ if theirs.is_empty() || is_same(mine, theirs) => {}
                // An empty list too takes one after the other: what comes
                // later and is covered by what came earlier is left out.
                _ => merge_all(mine.to_mut(), theirs)?,
            }
        }
        let theirs = &other.name_reference;
        if self.name_reference.is_empty() {
            self.name_reference.clone_from(theirs);
        } else if !theirs.is_empty() && !is_same(&self.name_reference, theirs) {
            for reference in theirs.iter() {
                self.add_name_reference(reference.clone())?;
            }
        }
        self.sort();
        Ok(())
    }

    /// Adds fields that may refer to something by its name.
    pub(super) fn add_name_reference(&mut self, reference: NameReference) -> Result<()> {
        let list = self.name_reference.to_mut();
        let mut is_known = false;
        for known in list.iter_mut().filter(|r| r.target == reference.target) {
            merge_all(known.referrers.to_mut(), &reference.referrers)?;
            is_known = true;
        }
        if !is_known {
            list.push(reference);
        }
        Ok(())
    }

    /// Adds a specification to one of the lists.
    pub(super) fn add(list: &mut Specs, spec: FieldSpec) -> Result<()> {
        merge_one(list.to_mut(), spec)
    }

    fn lists(&self) -> [&Specs; 10] {
        [
            &self.name_prefix,
            &self.name_suffix,
            &self.namespace,
            &self.common_labels,
            &self.labels,
            &self.template_labels,
            &self.common_annotations,
            &self.var_reference,
            &self.images,
            &self.replicas,
        ]
    }

    fn lists_mut(&mut self) -> [&mut Specs; 10] {
        [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.common_annotations,
            &mut self.var_reference,
            &mut self.images,
            &mut self.replicas,
        ]
    }

    /// Sorts every list by kind; what is the program's own is sorted already.
    fn sort(&mut self) {
        for list in self.lists_mut() {
            if let Cow::Owned(list) = list {
                list.sort_by(|a, b| order(&a.gvk, &b.gvk));
            }
        }
        if let Cow::Owned(list) = &mut self.name_reference {
            list.sort_by(|a, b| order(&a.target, &b.target));
        }
    }
}

/// Whether two lists are one and the same.
fn is_same<T: Clone>(a: &[T], b: &[T]) -> bool {
    std::ptr::eq(a, b)
}

/// The order of kinds in kustomize: those that others need first.
///
/// Compat: `Gvk.IsLessThan` of kyaml.
fn order(a: &GvkPattern, b: &GvkPattern) -> Ordering {
    let rank = |gvk: &GvkPattern| defaults::rank(&gvk.kind);
    rank(a).cmp(&rank(b)).then_with(|| {
        let text = |gvk: &GvkPattern| sort_text(&gvk.group, &gvk.version, &gvk.kind);
        text(a).cmp(&text(b))
    })
}

/// The text by which kinds of the same rank are sorted.
pub(super) fn sort_text(group: &str, version: &str, kind: &str) -> String {
    let part = |text: &str, none: &'static str| -> String {
        if text.is_empty() { none } else { text }.to_owned()
    };
    format!(
        "{}_{}_{}",
        part(group, "~G"),
        part(version, "~V"),
        part(kind, "~K")
    )
}

/// Reads the fields `group`, `version` and `kind`.
pub(super) fn gvk_pattern(object: &mut Object<'_>) -> Result<GvkPattern> {
    let part = |object: &mut Object<'_>, name| -> Result<Cow<'static, str>> {
        Ok(Cow::Owned(object.text(name)?.text.to_string()))
    };
    Ok(GvkPattern {
        group: part(object, "group")?,
        version: part(object, "version")?,
        kind: part(object, "kind")?,
    })
}

/// Reads a field specification.
pub(super) fn field_spec(node: &Node, mode: Mode) -> Result<FieldSpec> {
    let mut object = Object::of(node, "field specification", mode)?;
    let spec = FieldSpec {
        gvk: gvk_pattern(&mut object)?,
        path: Cow::Owned(object.text("path")?.text.to_string()),
        create: object.flag("create")?,
    };
    object.finish()?;
    Ok(spec)
}
