//! The parts of a kustomization file.

use std::sync::Arc;

use super::read::{Mode, Object, Text, TextMap};
use crate::diag::{Result, Span};
use crate::kustomize::config::field_spec;
use crate::kustomize::fieldspec::FieldSpec;
use crate::kustomize::id::Id;
use crate::resource::Gvk;
use crate::yaml::Node;

/// Labels to add, and where.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Label {
    pub(in crate::kustomize) pairs: TextMap,
    pub(in crate::kustomize) include_selectors: bool,
    pub(in crate::kustomize) include_templates: bool,
    pub(in crate::kustomize) fields: Vec<FieldSpec>,
}

impl Label {
    pub(super) fn read(node: &Node) -> Result<Label> {
        let mut object = Object::of(node, "label entry", Mode::Strict)?;
        let fields = object.list("fields", |n| field_spec(n, Mode::Strict))?;
        let label = Label {
            pairs: object.text_map("pairs")?.unwrap_or_default(),
            include_selectors: object.flag("includeSelectors")?,
            include_templates: object.flag("includeTemplates")?,
            fields: fields.unwrap_or_default(),
        };
        object.finish()?;
        Ok(label)
    }
}

/// What a patch may change.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::kustomize) struct PatchOptions {
    pub(in crate::kustomize) allow_name_change: bool,
    pub(in crate::kustomize) allow_kind_change: bool,
}

/// A patch, from a file or written out.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Patch {
    pub(in crate::kustomize) path: Text,
    pub(in crate::kustomize) inline: Text,
    pub(in crate::kustomize) target: Option<Selector>,
    pub(in crate::kustomize) options: PatchOptions,
    pub(in crate::kustomize) span: Span,
}

impl Patch {
    pub(in crate::kustomize) fn read(node: &Node, mode: Mode) -> Result<Patch> {
        let mut object = Object::of(node, "patch", mode)?;
        let options = object.object("options", |n| read_patch_options(n, mode))?;
        let patch = Patch {
            path: object.text("path")?,
            inline: object.text("patch")?,
            target: object.object("target", |n| Selector::read(n, mode))?,
            options: options.unwrap_or_default(),
            span: object.span(),
        };
        object.finish()?;
        Ok(patch)
    }
}

fn read_patch_options(node: &Node, mode: Mode) -> Result<PatchOptions> {
    let mut object = Object::of(node, "patch's options", mode)?;
    let options = PatchOptions {
        allow_name_change: object.flag("allowNameChange")?,
        allow_kind_change: object.flag("allowKindChange")?,
    };
    object.finish()?;
    Ok(options)
}

/// Which objects are meant; what is empty says nothing.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Selector {
    pub(in crate::kustomize) group: Text,
    pub(in crate::kustomize) version: Text,
    pub(in crate::kustomize) kind: Text,
    pub(in crate::kustomize) name: Text,
    pub(in crate::kustomize) namespace: Text,
    pub(in crate::kustomize) annotations: Text,
    pub(in crate::kustomize) labels: Text,
    pub(in crate::kustomize) span: Span,
}

impl Selector {
    pub(in crate::kustomize) fn read(node: &Node, mode: Mode) -> Result<Selector> {
        let mut object = Object::of(node, "target", mode)?;
        let id = Selector::read_id(&mut object)?;
        let selector = Selector {
            annotations: object.text("annotationSelector")?,
            labels: object.text("labelSelector")?,
            ..id
        };
        object.finish()?;
        Ok(selector)
    }

    /// Group, version, kind, name and namespace.
    fn read_id(object: &mut Object<'_>) -> Result<Selector> {
        Ok(Selector {
            group: object.text("group")?,
            version: object.text("version")?,
            kind: object.text("kind")?,
            name: object.text("name")?,
            namespace: object.text("namespace")?,
            span: object.span(),
            ..Selector::default()
        })
    }

    /// Group, version, kind, name and namespace.
    fn id_parts(&self) -> [(&'static str, &Text); 5] {
        [
            ("group", &self.group),
            ("version", &self.version),
            ("kind", &self.kind),
            ("name", &self.name),
            ("namespace", &self.namespace),
        ]
    }

    /// Whether it says nothing but what labels and annotations are like.
    pub(in crate::kustomize) fn is_without_id(&self) -> bool {
        self.id_parts().iter().all(|(_, text)| text.is_empty())
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels = [
            ("annotationSelector", &self.annotations),
            ("labelSelector", &self.labels),
        ];
        let mut separator = "";
        for (name, text) in self.id_parts().into_iter().chain(labels) {
            if !text.is_empty() {
                write!(f, "{separator}{name}: {text}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// A new name, tag or digest for an image.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Image {
    pub(in crate::kustomize) name: Text,
    pub(in crate::kustomize) new_name: Text,
    pub(in crate::kustomize) tag_suffix: Text,
    pub(in crate::kustomize) new_tag: Text,
    pub(in crate::kustomize) digest: Text,
    pub(in crate::kustomize) span: Span,
}

impl Image {
    pub(in crate::kustomize) fn read(node: &Node, mode: Mode) -> Result<Image> {
        let mut object = Object::of(node, "image", mode)?;
        let image = Image {
            name: object.text("name")?,
            new_name: object.text("newName")?,
            tag_suffix: object.text("tagSuffix")?,
            new_tag: object.text("newTag")?,
            digest: object.text("digest")?,
            span: object.span(),
        };
        object.finish()?;
        Ok(image)
    }
}

/// A number of replicas for objects of a name.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Replica {
    pub(in crate::kustomize) name: Text,
    pub(in crate::kustomize) count: i64,
    pub(in crate::kustomize) span: Span,
}

impl Replica {
    pub(in crate::kustomize) fn read(node: &Node, mode: Mode) -> Result<Replica> {
        let mut object = Object::of(node, "replica entry", mode)?;
        let (count, span) = object.integer("count")?;
        let replica = Replica {
            name: object.text("name")?,
            count,
            span,
        };
        object.finish()?;
        Ok(replica)
    }
}

/// A replacement, written out or in a file.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct ReplacementField {
    pub(in crate::kustomize) replacement: Replacement,
    pub(in crate::kustomize) path: Text,
}

impl ReplacementField {
    pub(in crate::kustomize) fn read(node: &Node, mode: Mode) -> Result<ReplacementField> {
        let mut object = Object::of(node, "replacement", mode)?;
        let field = ReplacementField {
            replacement: Replacement::read_fields(&mut object)?,
            path: object.text("path")?,
        };
        object.finish()?;
        Ok(field)
    }
}

/// A value and the fields it is copied to.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Replacement {
    pub(in crate::kustomize) source: Option<Source>,
    pub(in crate::kustomize) source_value: Option<Text>,
    pub(in crate::kustomize) targets: Option<Vec<Target>>,
    pub(in crate::kustomize) span: Span,
}

impl Replacement {
    pub(in crate::kustomize) fn read(node: &Node, mode: Mode) -> Result<Replacement> {
        let mut object = Object::of(node, "replacement", mode)?;
        let replacement = Replacement::read_fields(&mut object)?;
        object.finish()?;
        Ok(replacement)
    }

    fn read_fields(object: &mut Object<'_>) -> Result<Replacement> {
        let mode = object.mode();
        Ok(Replacement {
            source: object.object("source", |n| Source::read(n, mode))?,
            source_value: object.optional_text("sourceValue")?,
            targets: object.list("targets", |n| Target::read(n, mode))?,
            span: object.span(),
        })
    }
}

/// Where a replacement's value is read.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Source {
    pub(in crate::kustomize) object: Selector,
    pub(in crate::kustomize) field_path: Text,
    pub(in crate::kustomize) options: FieldOptions,
    pub(in crate::kustomize) span: Span,
}

impl Source {
    fn read(node: &Node, mode: Mode) -> Result<Source> {
        let mut object = Object::of(node, "replacement's source", mode)?;
        let options = object.object("options", |n| FieldOptions::read(n, mode))?;
        let source = Source {
            object: Selector::read_id(&mut object)?,
            field_path: object.text("fieldPath")?,
            options: options.unwrap_or_default(),
            span: object.span(),
        };
        object.finish()?;
        Ok(source)
    }
}

/// Where a replacement's value is written.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Target {
    pub(in crate::kustomize) select: Option<Selector>,
    pub(in crate::kustomize) reject: Vec<Selector>,
    pub(in crate::kustomize) field_paths: Vec<Text>,
    pub(in crate::kustomize) options: FieldOptions,
    pub(in crate::kustomize) span: Span,
}

impl Target {
    fn read(node: &Node, mode: Mode) -> Result<Target> {
        let mut object = Object::of(node, "replacement's target", mode)?;
        let reject = object.list("reject", |n| Selector::read(n, mode))?;
        let options = object.object("options", |n| FieldOptions::read(n, mode))?;
        let target = Target {
            select: object.object("select", |n| Selector::read(n, mode))?,
            reject: reject.unwrap_or_default(),
            field_paths: object.texts("fieldPaths")?.unwrap_or_default(),
            options: options.unwrap_or_default(),
            span: object.span(),
        };
        object.finish()?;
        Ok(target)
    }
}

/// How a field is taken apart.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct FieldOptions {
    pub(in crate::kustomize) delimiter: Text,
    pub(in crate::kustomize) index: i64,
    pub(in crate::kustomize) create: bool,
}

impl FieldOptions {
    fn read(node: &Node, mode: Mode) -> Result<FieldOptions> {
        let mut object = Object::of(node, "replacement's options", mode)?;
        let options = FieldOptions {
            delimiter: object.text("delimiter")?,
            index: object.integer("index")?.0,
            create: object.flag("create")?,
        };
        // Known, and without effect in kustomize.
        object.text("encoding")?;
        object.finish()?;
        Ok(options)
    }
}

/// A name for a field of an object.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct Var {
    pub(in crate::kustomize) name: Text,
    pub(in crate::kustomize) object: Selector,
    pub(in crate::kustomize) field_path: Text,
    pub(in crate::kustomize) span: Span,
}

impl Var {
    pub(super) fn read(node: &Node) -> Result<Var> {
        let mut object = Object::of(node, "var", Mode::Strict)?;
        let target = object.object("objref", Var::read_object)?;
        let field_path = object.object("fieldref", Var::read_field)?;
        let mut var = Var {
            name: object.text("name")?,
            object: target.unwrap_or_default(),
            field_path: field_path.unwrap_or_default(),
            span: object.span(),
        };
        object.finish()?;
        if var.field_path.is_empty() {
            var.field_path = Text::new("metadata.name", var.span);
        }
        Ok(var)
    }

    /// The identity of the object that it names.
    pub(in crate::kustomize) fn object_id(&self) -> Id {
        let object = &self.object;
        Id {
            gvk: Gvk {
                group: object.group.text.clone(),
                version: object.version.text.clone(),
                kind: object.kind.text.clone(),
            },
            name: object.name.text.clone(),
            namespace: object.namespace.text.clone(),
            is_cluster_scoped: false,
        }
    }

    fn read_object(node: &Node) -> Result<Selector> {
        let mut object = Object::of(node, "var's objref", Mode::Strict)?;
        let api_version = object.text("apiVersion")?;
        let mut selector = Selector::read_id(&mut object)?;
        object.finish()?;
        let part = |text: &str| Text::new(text, api_version.span);
        if !api_version.is_empty() {
            match api_version.split_once('/') {
                None => selector.version = part(&api_version),
                // Compat: with more than one slash it counts for nothing.
                Some((_, version)) if version.contains('/') => {}
                Some((group, version)) => {
                    selector.group = part(group);
                    selector.version = part(version);
                }
            }
        }
        Ok(selector)
    }

    fn read_field(node: &Node) -> Result<Text> {
        let mut object = Object::of(node, "var's fieldref", Mode::Strict)?;
        let path = object.text("fieldPath")?;
        object.finish()?;
        Ok(path)
    }
}

/// The order of the output.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct SortOptions {
    pub(in crate::kustomize) order: Text,
    pub(in crate::kustomize) legacy: Option<LegacyOrder>,
    pub(in crate::kustomize) span: Span,
}

/// Kinds that come first and last.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct LegacyOrder {
    pub(in crate::kustomize) first: Vec<Text>,
    pub(in crate::kustomize) last: Vec<Text>,
    pub(in crate::kustomize) span: Span,
}

impl SortOptions {
    pub(super) fn read(node: &Node) -> Result<SortOptions> {
        let mut object = Object::of(node, "sort order", Mode::Strict)?;
        let options = SortOptions {
            order: object.text("order")?,
            legacy: object.object("legacySortOptions", LegacyOrder::read)?,
            span: object.span(),
        };
        object.finish()?;
        Ok(options)
    }
}

impl LegacyOrder {
    fn read(node: &Node) -> Result<LegacyOrder> {
        let mut object = Object::of(node, "legacy sort order", Mode::Strict)?;
        let order = LegacyOrder {
            first: object.texts("orderFirst")?.unwrap_or_default(),
            last: object.texts("orderLast")?.unwrap_or_default(),
            span: object.span(),
        };
        object.finish()?;
        Ok(order)
    }
}

/// What is added to generated objects.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct GeneratorOptions {
    pub(in crate::kustomize) labels: TextMap,
    pub(in crate::kustomize) annotations: TextMap,
    pub(in crate::kustomize) disable_name_suffix_hash: bool,
    /// The place that says so.
    pub(in crate::kustomize) immutable: Option<Span>,
}

impl GeneratorOptions {
    pub(in crate::kustomize) fn read(node: &Node, mode: Mode) -> Result<GeneratorOptions> {
        let mut object = Object::of(node, "generator's options", mode)?;
        let immutable = object.flag("immutable")?;
        let span = object.get("immutable").map(Node::span);
        let options = GeneratorOptions {
            labels: object.text_map("labels")?.unwrap_or_default(),
            annotations: object.text_map("annotations")?.unwrap_or_default(),
            disable_name_suffix_hash: object.flag("disableNameSuffixHash")?,
            immutable: span.filter(|_| immutable),
        };
        object.finish()?;
        Ok(options)
    }

    /// Adds what the kustomization says for all generators; what is said here
    /// stays.
    pub(in crate::kustomize) fn merge(&mut self, global: &GeneratorOptions) {
        let add = |mine: &mut TextMap, theirs: &TextMap| {
            for (key, value) in theirs {
                if !mine.iter().any(|(k, _)| k == key) {
                    mine.push((key.clone(), value.clone()));
                }
            }
            mine.sort_by(|a, b| a.0.cmp(&b.0));
        };
        add(&mut self.labels, &global.labels);
        add(&mut self.annotations, &global.annotations);
        self.disable_name_suffix_hash |= global.disable_name_suffix_hash;
        self.immutable = self.immutable.or(global.immutable);
    }
}

/// What is generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::kustomize) enum GeneratorKind {
    #[default]
    ConfigMap,
    Secret,
}

/// A ConfigMap or Secret to be generated.
#[derive(Clone, Debug, Default)]
pub(in crate::kustomize) struct GeneratorArgs {
    pub(in crate::kustomize) kind: GeneratorKind,
    pub(in crate::kustomize) name: Text,
    pub(in crate::kustomize) namespace: Text,
    pub(in crate::kustomize) behavior: Text,
    pub(in crate::kustomize) literals: Vec<Text>,
    pub(in crate::kustomize) files: Vec<Text>,
    pub(in crate::kustomize) envs: Vec<Text>,
    pub(in crate::kustomize) options: Option<GeneratorOptions>,
    /// The type of a Secret.
    pub(in crate::kustomize) secret_type: Text,
    pub(in crate::kustomize) span: Span,
}

impl GeneratorArgs {
    pub(super) fn read(node: &Node, kind: GeneratorKind) -> Result<GeneratorArgs> {
        let mut object = Object::of(node, "generator", Mode::Strict)?;
        let args = GeneratorArgs::read_fields(&mut object, kind)?;
        object.finish()?;
        Ok(args)
    }

    pub(in crate::kustomize) fn read_fields(
        object: &mut Object<'_>,
        kind: GeneratorKind,
    ) -> Result<GeneratorArgs> {
        let mode = object.mode();
        let mut args = GeneratorArgs {
            kind,
            name: object.text("name")?,
            namespace: object.text("namespace")?,
            behavior: object.text("behavior")?,
            literals: object.texts("literals")?.unwrap_or_default(),
            files: object.texts("files")?.unwrap_or_default(),
            envs: object.texts("envs")?.unwrap_or_default(),
            options: object.object("options", |n| GeneratorOptions::read(n, mode))?,
            secret_type: Text::default(),
            span: object.span(),
        };
        // The older name for one file.
        let env = object.text("env")?;
        if !env.is_empty() {
            args.envs.push(env);
        }
        if kind == GeneratorKind::Secret {
            args.secret_type = object.text("type")?;
        }
        Ok(args)
    }
}

/// Settings for all charts.
#[derive(Clone, Debug, Default)]
pub struct HelmGlobals {
    /// The folder of the charts.
    pub chart_home: Text,
    /// The folder of Helm's own configuration.
    pub config_home: Text,
}

impl HelmGlobals {
    pub(super) fn read(node: &Node) -> Result<HelmGlobals> {
        let mut object = Object::of(node, "helmGlobals entry", Mode::Strict)?;
        let globals = HelmGlobals::read_fields(&mut object)?;
        object.finish()?;
        Ok(globals)
    }

    pub(in crate::kustomize) fn read_fields(object: &mut Object<'_>) -> Result<HelmGlobals> {
        Ok(HelmGlobals {
            chart_home: object.text("chartHome")?,
            config_home: object.text("configHome")?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chart_home.is_empty() && self.config_home.is_empty()
    }
}

/// A Helm chart to be rendered.
#[derive(Clone, Debug, Default)]
pub struct HelmChart {
    /// Its name.
    pub name: Text,
    /// Its version.
    pub version: Text,
    /// The repository it comes from.
    pub repo: Text,
    /// The name of the release.
    pub release_name: Text,
    /// The namespace of the release.
    pub namespace: Text,
    /// Further files of values.
    pub additional_values_files: Vec<Text>,
    /// The file of values that takes the place of the chart's own.
    pub values_file: Text,
    /// Values written out.
    pub values_inline: Option<Node>,
    /// How values written out and those of the file are put together.
    pub values_merge: Text,
    /// Whether definitions are rendered.
    pub include_crds: bool,
    /// Whether hooks are left out.
    pub skip_hooks: bool,
    /// API versions of the cluster.
    pub api_versions: Vec<Text>,
    /// The version of the cluster.
    pub kube_version: Text,
    /// A template for the name of the release.
    pub name_template: Text,
    /// Whether tests are left out.
    pub skip_tests: bool,
    /// The place of the entry.
    pub span: Span,
}

impl HelmChart {
    pub(super) fn read(node: &Node) -> Result<HelmChart> {
        let mut object = Object::of(node, "Helm chart", Mode::Strict)?;
        let chart = HelmChart::read_fields(&mut object)?;
        object.finish()?;
        Ok(chart)
    }

    pub(in crate::kustomize) fn read_fields(object: &mut Object<'_>) -> Result<HelmChart> {
        let more_values = object.texts("additionalValuesFiles")?;
        let chart = HelmChart {
            name: object.text("name")?,
            version: object.text("version")?,
            repo: object.text("repo")?,
            release_name: object.text("releaseName")?,
            namespace: object.text("namespace")?,
            additional_values_files: more_values.unwrap_or_default(),
            values_file: object.text("valuesFile")?,
            values_inline: object.get("valuesInline").cloned(),
            values_merge: object.text("valuesMerge")?,
            include_crds: object.flag("includeCRDs")?,
            skip_hooks: object.flag("skipHooks")?,
            api_versions: object.texts("apiVersions")?.unwrap_or_default(),
            kube_version: object.text("kubeVersion")?,
            name_template: object.text("nameTemplate")?,
            skip_tests: object.flag("skipTests")?,
            span: object.span(),
        };
        // Helm's own talk and its look into repositories.
        object.flag("debug")?;
        object.flag("devel")?;
        Ok(chart)
    }

    /// Reads the older form, in which each chart says what holds for all.
    pub(super) fn read_older(node: &Node) -> Result<(HelmChart, HelmGlobals)> {
        let mut object = Object::of(node, "Helm chart", Mode::Strict)?;
        let chart = HelmChart {
            name: object.text("chartName")?,
            version: object.text("chartVersion")?,
            repo: object.text("chartRepoUrl")?,
            values_file: object.text("values")?,
            values_inline: object.get("valuesLocal").cloned(),
            values_merge: object.text("valuesMerge")?,
            release_name: object.text("releaseName")?,
            span: object.span(),
            ..HelmChart::default()
        };
        let globals = HelmGlobals {
            chart_home: object.text("chartHome")?,
            config_home: object.text("helmHome")?,
        };
        for ignored in ["chartRepoName", "helmBin", "releaseNamespace"] {
            object.text(ignored)?;
        }
        object.texts("extraArgs")?;
        object.finish()?;
        Ok((chart, globals))
    }
}

/// Text that the program itself says, at the place that made it do so.
pub(in crate::kustomize) fn said(text: &'static str, span: Span) -> Text {
    Text::new(Arc::<str>::from(text), span)
}
