//! The kustomization file, read into types.
//!
//! Compat: `types/kustomization.go` of kustomize 5.8.1, with what its
//! `FixKustomization` makes of older fields.

mod kinds;
pub(super) mod read;

pub(super) use kinds::{
    FieldOptions, GeneratorArgs, GeneratorKind, GeneratorOptions, Image, Label, LegacyOrder, Patch,
    Replacement, ReplacementField, Replica, Selector, SortOptions, Source, Target, Var, said,
};
pub use kinds::{HelmChart, HelmGlobals};
pub use read::Text;
use read::{Mode, Object, TextMap};

use super::json;
use crate::diag::{Error, Result, Span};
use crate::yaml::Node;
use crate::yaml::resolve::Version;

/// The names that a kustomization file may have, in the order in which they are
/// looked for.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const API_VERSION: &str = "kustomize.config.k8s.io/v1beta1";
const COMPONENT_API_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";

/// Older fields, and what to use instead.
const DEPRECATED: [(&str, &str); 6] = [
    ("bases", "resources"),
    ("commonLabels", "labels"),
    ("imageTags", "images"),
    ("patchesJson6902", "patches"),
    ("patchesStrategicMerge", "patches"),
    ("vars", "replacements"),
];

/// A kustomization or a component.
#[derive(Clone, Debug, Default)]
pub(super) struct Kustomization {
    pub(super) is_component: bool,
    pub(super) openapi_version: Option<Text>,
    pub(super) openapi_path: Option<Text>,
    pub(super) name_prefix: Text,
    pub(super) name_suffix: Text,
    pub(super) namespace: Text,
    pub(super) common_labels: TextMap,
    pub(super) labels: Vec<Label>,
    pub(super) common_annotations: TextMap,
    pub(super) patches_strategic_merge: Vec<Text>,
    pub(super) patches_json6902: Vec<Patch>,
    pub(super) patches: Vec<Patch>,
    pub(super) images: Vec<Image>,
    pub(super) replacements: Vec<ReplacementField>,
    pub(super) replicas: Vec<Replica>,
    pub(super) vars: Vec<Var>,
    pub(super) sort_options: Option<SortOptions>,
    pub(super) resources: Vec<Text>,
    pub(super) components: Vec<Text>,
    pub(super) crds: Vec<Text>,
    pub(super) config_map_generator: Vec<GeneratorArgs>,
    pub(super) secret_generator: Vec<GeneratorArgs>,
    pub(super) helm_globals: HelmGlobals,
    pub(super) helm_charts: Vec<HelmChart>,
    pub(super) generator_options: Option<GeneratorOptions>,
    pub(super) configurations: Vec<Text>,
    pub(super) generators: Vec<Text>,
    pub(super) transformers: Vec<Text>,
    pub(super) validators: Vec<Text>,
    pub(super) build_metadata: Vec<Text>,
    /// Fields with a newer name: the field, the newer one, the place.
    pub(super) deprecated: Vec<(&'static str, &'static str, Span)>,
}

impl Kustomization {
    /// Reads a kustomization file's first document.
    ///
    /// # Errors
    ///
    /// `kustomize/unknown-field`, `kustomize/invalid-field`, `kustomize/empty`,
    /// and what [`yaml::decode`](crate::yaml::decode) gives; each with its
    /// place, or that of the file.
    pub(super) fn read(document: Option<&Node>, file: Span) -> Result<Kustomization> {
        let Some(document) = document.filter(|d| !d.is_null()) else {
            return Err(empty(file));
        };
        let node = json::plain(document, Version::V2)?;
        let mut object = Object::of(&node, "kustomization", Mode::Strict)?;
        let mut fields = Fields {
            object: &mut object,
            says_something: false,
        };
        let k = fields.kustomization()?;
        let says_something = fields.says_something;
        object.finish()?;
        if !says_something {
            return Err(empty(file));
        }
        Ok(k)
    }

    /// Whether one of the build's metadata options is set.
    pub(super) fn has_build_metadata(&self, option: &str) -> bool {
        self.build_metadata.iter().any(|o| &**o == option)
    }
}

fn empty(file: Span) -> Error {
    Error::new("kustomize/empty", "the kustomization says nothing")
        .at(file)
        .help("name what it is made of: `resources: [deployment.yaml]`")
}

/// The fields of a kustomization, as they are read.
struct Fields<'o, 'a> {
    object: &'o mut Object<'a>,
    /// Whether any field makes a difference.
    ///
    /// Compat: `CheckEmpty`: empty text says nothing, an empty list does.
    says_something: bool,
}

impl<'a> Fields<'_, 'a> {
    fn kustomization(&mut self) -> Result<Kustomization> {
        let mut k = Kustomization {
            is_component: self.is_component()?,
            name_prefix: self.text("namePrefix")?,
            name_suffix: self.text("nameSuffix")?,
            namespace: self.text("namespace")?,
            common_labels: self.text_map("commonLabels")?,
            labels: self.list("labels", Label::read)?,
            common_annotations: self.text_map("commonAnnotations")?,
            patches_strategic_merge: self.texts("patchesStrategicMerge")?,
            patches_json6902: self.list("patchesJson6902", |n| Patch::read(n, Mode::Strict))?,
            patches: self.list("patches", |n| Patch::read(n, Mode::Strict))?,
            images: self.list("images", |n| Image::read(n, Mode::Strict))?,
            replacements: self.list("replacements", |n| ReplacementField::read(n, Mode::Strict))?,
            replicas: self.list("replicas", |n| Replica::read(n, Mode::Strict))?,
            vars: self.list("vars", Var::read)?,
            sort_options: self.part("sortOptions", SortOptions::read)?,
            resources: self.texts("resources")?,
            components: self.texts("components")?,
            crds: self.texts("crds")?,
            config_map_generator: self.list("configMapGenerator", |n| {
                GeneratorArgs::read(n, GeneratorKind::ConfigMap)
            })?,
            secret_generator: self.list("secretGenerator", |n| {
                GeneratorArgs::read(n, GeneratorKind::Secret)
            })?,
            helm_charts: self.list("helmCharts", HelmChart::read)?,
            generator_options: self.part("generatorOptions", |n| {
                GeneratorOptions::read(n, Mode::Strict)
            })?,
            configurations: self.texts("configurations")?,
            generators: self.texts("generators")?,
            transformers: self.texts("transformers")?,
            validators: self.texts("validators")?,
            build_metadata: self.texts("buildMetadata")?,
            ..Kustomization::default()
        };
        self.metadata()?;
        self.openapi(&mut k)?;
        self.older_names(&mut k)?;
        self.helm(&mut k)?;
        for (old, new) in DEPRECATED {
            if self.object.get(old).is_some() {
                k.deprecated.push((old, new, self.object.key_span(old)));
            }
        }
        Ok(k)
    }

    /// Reads `kind` and `apiVersion`, and whether this is a component.
    fn is_component(&mut self) -> Result<bool> {
        let api_version = self.object.text("apiVersion")?;
        let kind = self.object.text("kind")?;
        let invalid = |text: &Text, field: &str, wanted: &str| {
            let message = format!("`{field}` must be `{wanted}`, not `{text}`");
            Err(Error::new("kustomize/invalid-field", message)
                .at(text.span)
                .help(format!("write `{field}: {wanted}`, or leave it out")))
        };
        let is_component = &*kind == "Component";
        if !is_component && !kind.is_empty() && &*kind != "Kustomization" {
            return invalid(&kind, "kind", "Kustomization");
        }
        let wanted = if is_component {
            COMPONENT_API_VERSION
        } else {
            API_VERSION
        };
        if !api_version.is_empty() && &*api_version != wanted {
            return invalid(&api_version, "apiVersion", wanted);
        }
        Ok(is_component)
    }

    /// Metadata is read for its shape alone.
    fn metadata(&mut self) -> Result<()> {
        let metadata = self
            .object
            .object("metadata", |n| Metadata::read(n, Mode::Strict))?;
        self.says_something |= metadata.is_some();
        Ok(())
    }

    fn openapi(&mut self, k: &mut Kustomization) -> Result<()> {
        for (key, value) in self.text_map("openapi")? {
            match &*key {
                "path" => k.openapi_path = Some(value),
                "version" => k.openapi_version = Some(value),
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds what is under older names. An empty list there says nothing.
    fn older_names(&mut self, k: &mut Kustomization) -> Result<()> {
        let bases = self.object.texts("bases")?.unwrap_or_default();
        let images = self
            .object
            .list("imageTags", |n| Image::read(n, Mode::Strict))?
            .unwrap_or_default();
        self.says_something |= !bases.is_empty() || !images.is_empty();
        k.resources.extend(bases);
        k.images.extend(images);
        Ok(())
    }

    /// Reads settings for charts, and the older way to name charts.
    fn helm(&mut self, k: &mut Kustomization) -> Result<()> {
        let globals = self.part("helmGlobals", HelmGlobals::read)?;
        let older = self
            .object
            .list("helmChartInflationGenerator", HelmChart::read_older)?;
        let mut from_older = HelmGlobals::default();
        for (chart, globals) in older.unwrap_or_default() {
            self.says_something = true;
            k.helm_charts.push(chart);
            if !globals.config_home.is_empty() {
                from_older.config_home = globals.config_home;
            }
            if !globals.chart_home.is_empty() {
                from_older.chart_home = globals.chart_home;
            }
        }
        self.says_something |= !from_older.is_empty();
        k.helm_globals = globals.unwrap_or(from_older);
        Ok(())
    }

    fn text(&mut self, name: &'static str) -> Result<Text> {
        let text = self.object.text(name)?;
        self.says_something |= !text.is_empty();
        Ok(text)
    }

    fn texts(&mut self, name: &'static str) -> Result<Vec<Text>> {
        let texts = self.object.texts(name)?;
        Ok(self.known(texts).unwrap_or_default())
    }

    fn text_map(&mut self, name: &'static str) -> Result<TextMap> {
        let map = self.object.text_map(name)?;
        Ok(self.known(map).unwrap_or_default())
    }

    fn list<T>(
        &mut self,
        name: &'static str,
        item: impl Fn(&'a Node) -> Result<T>,
    ) -> Result<Vec<T>> {
        let list = self.object.list(name, item)?;
        Ok(self.known(list).unwrap_or_default())
    }

    fn part<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&'a Node) -> Result<T>,
    ) -> Result<Option<T>> {
        let part = self.object.object(name, read)?;
        Ok(self.known(part))
    }

    fn known<T>(&mut self, value: Option<T>) -> Option<T> {
        self.says_something |= value.is_some();
        value
    }
}

/// The name and namespace that metadata gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Metadata {
    pub(super) name: Text,
    pub(super) namespace: Text,
}

impl Metadata {
    pub(super) fn read(node: &Node, mode: Mode) -> Result<Metadata> {
        let mut object = Object::of(node, "metadata entry", mode)?;
        let metadata = Metadata {
            name: object.text("name")?,
            namespace: object.text("namespace")?,
        };
        object.text_map("labels")?;
        object.text_map("annotations")?;
        object.finish()?;
        Ok(metadata)
    }
}
