//! A whole build: from the folder to the objects in their final order.
//!
//! Compat: `krusty/kustomizer.go` and `makeCustomizedResMap` of kustomize.

use foldhash::{HashSet, HashSetExt as _};

use super::config::Config;
use super::fieldspec::FieldSpec;
use super::file::{Kustomization, SortOptions, read::TextMap, said};
use super::id::Id;
use super::loader::Loader;
use super::resmap::ResMap;
use super::resource::{LOCAL_CONFIG, ORIGIN, Resource, TRANSFORMATIONS};
use super::target::{Accumulator, Target};
use super::transform::{Transform as _, hash, labels, name_reference, sort, variables};
use super::{Options, Output, Reorder, ahead, documents, post_render};
use crate::diag::{Error, Finding, Findings, Result, Severity, Span};
use crate::resource::Files;
use crate::schema::kustomize::OpenApi;

/// The version of kustomize whose behavior this is.
const KUSTOMIZE_VERSION: &str = "v5.8.1";

/// How many kustomizations one build may read, bases that are read again
/// counted again.
const MAX_TARGETS: usize = 100_000;

/// What is known in the course of a build.
pub(super) struct Context<'a> {
    pub(super) options: &'a Options<'a>,
    pub(super) findings: Findings,
    pub(super) api: OpenApi,
    /// Whether a kustomization said which schemas to use.
    is_api_set: bool,
    /// Whether the built-in schemas have been needed.
    pub(super) is_builtin_used: bool,
    /// Whether a remote resource was not at hand: what else is named is looked at
    /// for further ones, so that all are asked for at once.
    pub(super) is_remote_missing: bool,
    targets: usize,
}

impl<'a> Context<'a> {
    pub(super) fn new(options: &'a Options<'a>) -> Context<'a> {
        Context {
            options,
            findings: Findings::new(),
            api: OpenApi::new(),
            is_api_set: false,
            is_builtin_used: false,
            is_remote_missing: false,
            targets: 0,
        }
    }
}

/// Builds the kustomization in a folder.
///
/// # Errors
///
/// What is wrong, at its place: `ref/missing`, `file/escape`, `yaml/invalid`,
/// and rules of the family `kustomize`.
pub fn build(files: &Files, folder: &str, options: &Options<'_>) -> Result<Output> {
    let mut context = Context::new(options);
    let loader = Loader::new(files, folder, options)?;
    let mut target = Target::load(&loader, options.kustomization.as_ref(), &mut context)?;
    target.set_openapi(&loader, &mut context)?;
    target.start_origin();
    ahead::read(files, loader.root(), target.resources());
    let start = Accumulator {
        map: post_render::read(options.objects.clone(), &context)?,
        ..Accumulator::default()
    };
    let accumulator = target.accumulate(&loader, start, &mut context)?;
    let map = finish(accumulator, &target.kustomization, files, &mut context)?;
    Ok(Output {
        objects: map
            .into_vec()
            .into_iter()
            .map(Resource::into_node)
            .collect(),
        findings: context.findings,
    })
}

/// What is done once, when all layers are put together.
fn finish(
    accumulator: Accumulator,
    kustomization: &Kustomization,
    files: &Files,
    context: &mut Context<'_>,
) -> Result<ResMap> {
    let Accumulator {
        mut map,
        config,
        variables,
    } = accumulator;
    let config = config.unwrap_or_else(Config::defaults);
    hash::add_hashes(&mut map, &context.api)?;
    name_reference::update(&mut map, &config.name_reference, context)?;
    variables::replace(&mut map, &variables, &config.var_reference, files, context)?;
    drop_local(&mut map, context)?;
    order(&mut map, kustomization, context)?;

    if context.options.managed_by_label || kustomization.has_build_metadata("managedByLabel") {
        let span = kustomization
            .build_metadata
            .iter()
            .find(|option| &***option == "managedByLabel")
            .map_or(Span::NONE, |option| option.span);
        managed_by(span).transform(&mut map, context)?;
    }
    let keeps_origin = kustomization.has_build_metadata("originAnnotations");
    let keeps_transformations = kustomization.has_build_metadata("transformerAnnotations");
    for resource in map.iter_mut() {
        resource.finish_annotations(|key| {
            (key == ORIGIN && !keeps_origin) || (key == TRANSFORMATIONS && !keeps_transformations)
        })?;
        resource.write_again()?;
    }
    Ok(map)
}

fn managed_by(span: Span) -> labels::Labels {
    let value = format!("kustomize-{KUSTOMIZE_VERSION}");
    let pairs: TextMap = vec![(
        "app.kubernetes.io/managed-by".into(),
        super::Text::new(value, span),
    )];
    let fields = vec![FieldSpec::of_all("metadata/labels", true)];
    labels::Labels::new(pairs, fields.into())
}

/// Takes out objects that are configuration of the build alone.
///
/// # Errors
///
/// `kustomize/duplicate-id` where two of the others have one identity by now,
/// on which kustomize crashes.
fn drop_local(map: &mut ResMap, context: &Context<'_>) -> Result<()> {
    let api = &context.api;
    let mut kept: HashSet<Id> = HashSet::with_capacity(map.as_slice().len());
    let mut is_unique = true;
    for resource in map.iter().filter(|r| !r.is_empty()) {
        documents::check_object(resource.node())?;
        let is_local = resource
            .annotation(LOCAL_CONFIG)
            .is_some_and(|value| value != "false");
        if !is_local && !kept.insert(resource.current_id(api)) {
            is_unique = false;
        }
    }
    if !is_unique {
        map.check_unique(api)?;
    }
    // Compat: an object stays if one of its identity does.
    if kept.len() < map.as_slice().len() {
        map.retain(|resource| kept.contains(&resource.current_id(api)));
    }
    Ok(())
}

/// Puts the objects in the order that the kustomization or the caller wants.
fn order(map: &mut ResMap, kustomization: &Kustomization, context: &mut Context<'_>) -> Result<()> {
    let legacy = SortOptions {
        order: said("legacy", Span::NONE),
        ..SortOptions::default()
    };
    let options = match (&kustomization.sort_options, context.options.reorder) {
        (Some(options), _) => options,
        (None, Reorder::Legacy) => &legacy,
        (None, Reorder::None) => return Ok(()),
    };
    match (&*options.order, &options.legacy) {
        ("fifo", None) => Ok(()),
        ("fifo", Some(legacy)) => Err(Error::new(
            "kustomize/invalid-field",
            "`legacySortOptions` go with the order `legacy` alone",
        )
        .at(legacy.span)
        .help("write `order: legacy`, or leave them out")),
        ("legacy", Some(legacy)) => sort::legacy(map, Some(legacy), &context.api),
        ("legacy", None) => sort::legacy(map, None, &context.api),
        (other, _) => Err(Error::new(
            "kustomize/invalid-field",
            format!("`sortOptions.order` is `{other}`"),
        )
        .at(options.order.span.or(options.span))
        .help("write `legacy` or `fifo`")),
    }
}

impl Context<'_> {
    /// Adds a warning at a place.
    pub(super) fn warn(
        &mut self,
        files: &Files,
        rule: &'static str,
        message: impl Into<String>,
        span: Span,
        help: impl Into<String>,
    ) {
        let finding = Finding::new(rule, Severity::Warning, message)
            .at(span, files.sources())
            .help(help);
        self.findings.push(finding);
    }

    /// Counts a kustomization.
    ///
    /// # Errors
    ///
    /// `kustomize/too-large` for a build that grows without end.
    pub(super) fn count_target(&mut self, span: Span) -> Result<()> {
        self.targets += 1;
        if self.targets > MAX_TARGETS {
            return Err(Error::new(
                "kustomize/too-large",
                format!("the build reads more than {MAX_TARGETS} kustomizations"),
            )
            .at(span)
            .help("look for bases that name each other many times over"));
        }
        Ok(())
    }

    /// Whether schemas may still be chosen; they are after this, if `chooses`.
    pub(super) fn may_choose_schemas(&mut self, chooses: bool) -> bool {
        let may = !self.is_api_set;
        self.is_api_set |= chooses;
        may
    }
}
