//! What a release is rendered from, as digests, before it is rendered; and what it
//! cannot lead to.

use super::{Asked, Context, charts, values};
use crate::artifact::{Digest, Hasher};
use crate::flux::api::{ChartOrigin, ChartSpec, HelmRelease, Image, Patch, PostRenderer};
use crate::pipeline::reuse::Inputs;
use crate::yaml::{Data, Node, secret};

/// What a release is rendered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) struct Basis {
    /// A digest of all that it depends on: the object as it stands in its file,
    /// so that findings and errors point to where they should.
    pub(in crate::pipeline) inputs: Digest,
    /// A digest of what decides which objects it applies, and to which cluster.
    pub(in crate::pipeline) content: Digest,
    /// A digest of what its templates are run with, places included; none where they
    /// could find more than is known now.
    pub(super) templates: Option<Digest>,
    /// Whether there are decrypted values among it, so that none of these digests is
    /// written anywhere.
    pub(in crate::pipeline) has_secrets: bool,
}

impl Basis {
    /// With what its templates found.
    pub(super) fn with(self, asked: &Asked) -> Basis {
        if asked.is_empty() {
            return self;
        }
        let asked = format!("{asked:?}");
        Basis {
            inputs: with(self.inputs, &asked),
            content: with(self.content, &asked),
            ..self
        }
    }

    /// What is made of it is kept under this digest, with definitions or without.
    pub(super) fn key(self, leaves_definitions: bool) -> Digest {
        if leaves_definitions {
            with(self.inputs, "without definitions")
        } else {
            self.inputs
        }
    }
}

fn with(digest: Digest, text: &str) -> Digest {
    let mut hasher = Hasher::default();
    hasher.update(digest.as_bytes());
    hasher.update(text.as_bytes());
    hasher.finish()
}

/// What a release is rendered from, save for what its templates find by
/// `lookup`; none where its chart is not at hand.
pub(in crate::pipeline) fn basis_of(
    object: &Node,
    release: &HelmRelease,
    context: &Context<'_>,
) -> Option<Basis> {
    let origin = &release.chart;
    let chart = context.charts.identity(origin, context).ok()??;
    // What its schema refers to is no part of the chart.
    let schemas = context.sources.key_of_schemas();
    let refers = || {
        let mut words = ["$ref", "$dynamicRef"].into_iter();
        words.any(|word| context.charts.may_mention(word, origin, context))
    };
    let schemas = if !schemas.is_empty() && refers() {
        schemas
    } else {
        String::new()
    };
    let begin = |inputs: &mut Inputs<'_>| {
        inputs.text(&chart.hex());
        inputs.text(&schemas);
    };
    let mut all = Inputs::new("release", context.sources, context.options);
    begin(&mut all);
    all.node(object);
    add_named(&mut all, release, context);
    let mut content = Inputs::without_places("content", context.sources, context.options);
    begin(&mut content);
    add_content(&mut content, object, release, context);
    let has_secrets = secret::has_secret(object) || values::have_secrets(release, context);
    let templates = (!has_secrets && context.shelf.is_none()).then(|| {
        let mut templates = Inputs::new("templates", context.sources, context.options);
        begin(&mut templates);
        add_templates(&mut templates, release, context);
        add_named(&mut templates, release, context);
        templates.finish()
    });
    Some(Basis {
        inputs: all.finish(),
        content: content.finish(),
        templates,
        has_secrets,
    })
}

/// The objects that a release names, with their places.
fn add_named(inputs: &mut Inputs<'_>, release: &HelmRelease, context: &Context<'_>) {
    let namespace = &release.id.namespace;
    let named = release
        .values_from
        .iter()
        .map(|r| (&r.kind, namespace, &r.name));
    let chart = match &release.chart {
        ChartOrigin::Reference { source, .. } => {
            Some((&source.kind, &source.namespace, &source.name))
        }
        ChartOrigin::Template(_) => None,
    };
    for (kind, namespace, name) in named.chain(chart) {
        inputs.node_if_any(context.objects.get(kind, namespace, name));
    }
}

/// What the templates of a release are run with, besides its chart.
fn add_templates(inputs: &mut Inputs<'_>, release: &HelmRelease, context: &Context<'_>) {
    inputs.text(&release.release_name);
    inputs.text(&release.target_namespace);
    match &release.chart {
        ChartOrigin::Template(spec) => add_chart(inputs, Some(spec)),
        ChartOrigin::Reference { source, .. } => {
            add_chart(inputs, charts::helm_chart(source, context.objects).as_ref());
        }
    }
    inputs.node_if_any(release.values.as_ref());
    for reference in &release.values_from {
        inputs.flag(true);
        inputs.node_if_any(reference.target_path.as_ref());
        inputs.flag(reference.literal);
        let found = values::text_of(reference, release, context);
        inputs.flag(found.is_some());
        if let Some((text, is_secret)) = found {
            inputs.text(&text);
            inputs.flag(is_secret);
        }
    }
    inputs.flag(false);
    inputs.flag(release.disables_hooks);
    inputs.flag(release.disables_schema);
}

/// What decides which objects a release applies, besides its chart.
fn add_content(
    inputs: &mut Inputs<'_>,
    object: &Node,
    release: &HelmRelease,
    context: &Context<'_>,
) {
    // Every field is looked at, so that a new one is not forgotten.
    let HelmRelease {
        id,
        name,
        namespace,
        chart: _,
        release_name: _,
        target_namespace: _,
        values: _,
        values_from: _,
        post_renderers,
        post_render_strategy,
        common_labels,
        common_annotations,
        skips_definitions,
        disables_hooks: _,
        disables_schema: _,
        suspend: _,
        remote: _,
        dropped: _,
    } = release;
    inputs.text(&id.namespace);
    inputs.text(&id.name);
    inputs.node(name);
    inputs.node(namespace);
    add_templates(inputs, release, context);
    for renderer in post_renderers {
        inputs.flag(true);
        add_renderer(inputs, renderer);
    }
    inputs.flag(false);
    inputs.text(&format!("{post_render_strategy:?}"));
    for common in [common_labels, common_annotations] {
        for (key, value) in common {
            inputs.flag(true);
            inputs.text(key);
            inputs.node(value);
        }
        inputs.flag(false);
    }
    inputs.flag(*skips_definitions);
    // To which cluster.
    inputs.node_if_any(object.at_path(&["spec", "kubeConfig"]));
}

/// What goes into a chart besides what it is loaded from.
fn add_chart(inputs: &mut Inputs<'_>, spec: Option<&ChartSpec>) {
    inputs.flag(spec.is_some());
    let Some(ChartSpec {
        chart: _,
        version: _,
        version_span: _,
        source: _,
        source_span: _,
        values_files,
        ignores_missing_values_files,
        verify: _,
        follows_revision: _,
        is_secret: _,
    }) = spec
    else {
        return;
    };
    for name in values_files {
        inputs.flag(true);
        inputs.node(name);
    }
    inputs.flag(false);
    inputs.flag(*ignores_missing_values_files);
}

fn add_renderer(inputs: &mut Inputs<'_>, renderer: &PostRenderer) {
    let PostRenderer {
        patches,
        images,
        span: _,
    } = renderer;
    for Patch { patch, target } in patches {
        inputs.flag(true);
        inputs.node(patch);
        inputs.node_if_any(target.as_ref());
    }
    inputs.flag(false);
    for image in images {
        let Image {
            name,
            new_name,
            new_tag,
            digest,
        } = image;
        inputs.flag(true);
        inputs.node(name);
        for node in [new_name, new_tag, digest] {
            inputs.node_if_any(node.as_ref());
        }
    }
    inputs.flag(false);
}

/// The word without which no object of Flux can be named: it is part of their
/// groups.
pub(super) const FLUX: &str = "fluxcd";

/// Whether a release may render objects of Flux, which lead to others, for what it is
/// told: the word stands in what its chart is told, or in what its templates can look
/// up.
pub(in crate::pipeline) fn is_told_of_flux(
    object: &Node,
    release: &HelmRelease,
    context: &Context<'_>,
) -> bool {
    let in_entries = |node: &Node, but: &[&str]| {
        let entries = node.entries().iter();
        let mut told = entries.filter(|e| !e.key.text().is_some_and(|key| but.contains(&key)));
        told.any(|e| mentions(&e.key, FLUX) || mentions(&e.value, FLUX))
    };
    let metadata = object.get("metadata");
    let names = ["annotations", "labels"];
    let of_itself = metadata.is_some_and(|metadata| in_entries(metadata, &names))
        || object.get("spec").is_some_and(|spec| {
            // Where the chart comes from is not told to it.
            in_entries(spec, &["chart", "chartRef", "dependsOn"])
        });
    of_itself
        || context.options.lookups.may_mention(FLUX)
        || values::mention(release, FLUX, context)
}

/// Whether a word stands in any scalar of a node.
fn mentions(node: &Node, word: &str) -> bool {
    match node.data() {
        Data::Scalar(text) => text.contains(word),
        Data::Sequence(items) => items.iter().any(|item| mentions(item, word)),
        Data::Mapping(entries) => entries
            .iter()
            .any(|e| mentions(&e.key, word) || mentions(&e.value, word)),
        Data::Alias(alias) => mentions(&alias.1, word),
    }
}
