//! Patches: strategic merge and JSON 6902, by files or written out.
//!
//! Compat: `PatchTransformer.go`, `PatchStrategicMergeTransformer.go`,
//! `PatchJson6902Transformer.go` of kustomize.

use super::Transform;
use super::labels::resource_ref;
use crate::diag::{Error, Result, Span};
use crate::kustomize::build::Context;
use crate::kustomize::documents;
use crate::kustomize::file::{Patch, Selector, Text};
use crate::kustomize::json_patch::JsonPatch;
use crate::kustomize::loader::Loader;
use crate::kustomize::merge::{self, Outcome};
use crate::kustomize::resmap::{self, ResMap};
use crate::kustomize::resource::Resource;
use crate::resource::Files;

/// Strategic merge patches that find their objects by their own identity, all
/// others under the same name left alone.
pub(in crate::kustomize) struct Strategic {
    patches: Vec<Resource>,
}

impl Strategic {
    /// Loads patches: each entry is a file's path, or the patch itself.
    pub(in crate::kustomize) fn new(
        entries: &[Text],
        written: Option<&Text>,
        loader: &Loader<'_>,
    ) -> Result<Strategic> {
        let mut patches = Vec::new();
        for entry in entries {
            // Compat: text that can be read as objects is the patch itself.
            match documents::of_inline(entry, loader.files()) {
                Ok(inline) => patches.extend(inline),
                Err(error) => {
                    let file = loader
                        .file(entry)
                        .map_err(|missing| if entry.contains('\n') { error } else { missing })?;
                    let loaded = documents::of_file(file.files(), &file.path);
                    patches.extend(loaded.map_err(|e| e.at(entry.span))?);
                }
            }
        }
        if let Some(text) = written {
            patches.extend(documents::of_inline(text, loader.files())?);
        }
        if patches.is_empty() {
            let span = entries.first().or(written).map_or(Span::NONE, |e| e.span);
            return Err(Error::new("kustomize/patch", "the patch is empty")
                .at(span)
                .help("take it out, or write the object with the fields to change"));
        }
        Ok(Strategic { patches })
    }
}

impl Transform for Strategic {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        for patch in &self.patches {
            let id = patch.original_id(&context.api);
            let found = map.find(&id, &context.api, patch.node().span())?;
            let id = map.as_slice()[found].current_id(&context.api);
            let same: Vec<usize> = positions_of(map, context, |other| *other == id);
            apply_to_all(map, &same, patch, context)?;
        }
        Ok(())
    }
}

fn positions_of(
    map: &ResMap,
    context: &Context<'_>,
    is: impl Fn(&crate::kustomize::id::Id) -> bool,
) -> Vec<usize> {
    let ids = map.iter().map(|r| r.current_id(&context.api));
    ids.enumerate()
        .filter(|(_, id)| is(id))
        .map(|(i, _)| i)
        .collect()
}

/// Applies a patch to selected objects, and refuses two of one identity.
///
/// Compat: `resWrangler.ApplySmPatch`.
fn apply_to_all(
    map: &mut ResMap,
    selected: &[usize],
    patch: &Resource,
    context: &mut Context<'_>,
) -> Result<()> {
    // The patch goes by the identity of each object it is applied to.
    let span = patch.node().span();
    let mut patch_of_all = patch.clone();
    resmap::copy_metadata(&mut patch_of_all, patch)?;
    for i in selected {
        let Some(resource) = map.as_mut_slice().get_mut(*i) else {
            continue;
        };
        let mut patch = patch_of_all.clone();
        let api_version = resource.gvk().api_version();
        let own = resource
            .node()
            .get("apiVersion")
            .map_or(span, crate::yaml::Node::span);
        let kind = patch.kind().to_owned();
        patch.set_api_version(api_version, own)?;
        patch.set_kind(kind, span)?;
        apply(resource, &patch, context)?;
    }
    map.drop_empties();
    map.check_unique(&context.api)
}

/// Applies a strategic merge patch to an object.
///
/// Compat: `Resource.ApplySmPatch`: name, kind and namespace stay unless the
/// patch may change them.
fn apply(resource: &mut Resource, patch: &Resource, context: &mut Context<'_>) -> Result<()> {
    let api = &context.api;
    context.is_builtin_used = true;
    let (name, namespace) = (resource.name(), resource.namespace());
    let kind = resource.kind().to_owned();
    let spans = Spans::of(resource);
    let options = (
        patch.history.allow_name_change,
        patch.history.allow_kind_change,
    );
    if options.0 || options.1 {
        resource.store_previous_id(api)?;
    }
    resource.show_memories()?;
    let object = resource_ref(resource.node());
    let outcome = resource
        .edit(|node, links| merge::merge(node, patch.node(), api, links))
        .map_err(|e| e.object(object))?;
    if outcome == Outcome::Deleted {
        resource.make_empty();
        return Ok(());
    }
    resource.hide_memories()?;
    if !options.1 {
        resource.set_kind(kind, spans.kind)?;
    }
    if !options.0 {
        resource.set_name(name, spans.name)?;
    }
    resource.set_namespace(&namespace, spans.namespace)
}

/// The places of what a patch may not change.
struct Spans {
    kind: Span,
    name: Span,
    namespace: Span,
}

impl Spans {
    fn of(resource: &Resource) -> Spans {
        let node = resource.node();
        let at = |path: &[&str]| {
            node.at_path(path)
                .map_or(node.span(), crate::yaml::Node::span)
        };
        Spans {
            kind: at(&["kind"]),
            name: at(&["metadata", "name"]),
            namespace: at(&["metadata", "namespace"]),
        }
    }
}

/// Applies a JSON patch to an object.
fn apply_json(resource: &mut Resource, patch: &JsonPatch) -> Result<()> {
    resource.show_memories()?;
    let object = resource_ref(resource.node());
    let patched = patch.apply(resource.node()).map_err(|e| e.object(object))?;
    resource.replace_node(patched);
    // Compat: the memories are put back whatever the patch did to them, and
    // the annotations are written anew.
    resource.forget_shown_memories()?;
    resource.rewrite_annotations(|_| false)
}

/// An entry of `patches`.
pub(in crate::kustomize) struct Patches {
    kind: PatchKind,
    target: Option<Selector>,
    files: Warnings,
    span: Span,
}

enum PatchKind {
    Strategic(Vec<Resource>),
    Json(JsonPatch),
    Nothing,
}

/// A warning about the patch, told when it is applied.
struct Warnings {
    /// Where the target is, as a finding names it.
    target: Option<(String, crate::diag::Location)>,
}

impl Patches {
    /// Loads a patch and finds out of which kind it is.
    ///
    /// # Errors
    ///
    /// `kustomize/patch` for what is neither kind, as [`Loader::file`].
    pub(in crate::kustomize) fn new(
        patch: &Patch,
        loader: &Loader<'_>,
        context: &mut Context<'_>,
    ) -> Result<Patches> {
        let files = loader.files();
        let inline = patch.inline.trim();
        let wrong = |message: &str, help: &str| {
            Err(Error::new("kustomize/patch", message)
                .at(patch.span)
                .help(help))
        };
        let (strategic, json, span) = match (inline.is_empty(), patch.path.is_empty()) {
            (true, true) => {
                return wrong(
                    "the patch says nothing",
                    "name a file under `path`, or write the patch under `patch`",
                );
            }
            (false, false) => {
                return wrong(
                    "the patch has a `path` and a `patch`",
                    "leave one of them out",
                );
            }
            (false, true) => {
                let text = &patch.inline;
                let strategic = documents::of_inline(text, files);
                let json = JsonPatch::of_inline(text, files);
                (strategic, json, text.span)
            }
            (true, false) => {
                let file = loader.file(&patch.path)?;
                let strategic = documents::of_file(file.files(), &file.path);
                let json = JsonPatch::of_file(file.files(), &file.path);
                let at = |e: Error| e.at(patch.path.span);
                (strategic.map_err(at), json.map_err(at), patch.path.span)
            }
        };
        let kind = match (strategic, json) {
            (Ok(strategic), Ok(json)) if !strategic.is_empty() && !json.is_empty() => {
                return wrong(
                    "the patch could be of either kind",
                    "write a strategic merge patch or a list of operations",
                );
            }
            (Ok(strategic), _) if strategic.is_empty() => PatchKind::Nothing,
            (Ok(mut strategic), _) => {
                let options = &patch.options;
                for resource in &mut strategic {
                    resource.history.allow_name_change |= options.allow_name_change;
                    resource.history.allow_kind_change |= options.allow_kind_change;
                    // Compat: they are kept in the patch's annotations, all of
                    // which become text: a null there takes nothing away.
                    resource.show_memories()?;
                    if options.allow_name_change || options.allow_kind_change {
                        resource.rewrite_annotations(|_| false)?;
                    }
                }
                PatchKind::Strategic(strategic)
            }
            (Err(_), Ok(json)) => {
                json.warn(files, &mut context.findings);
                PatchKind::Json(json)
            }
            (Err(strategic), Err(json)) => return Err(neither(strategic, json, span)),
        };
        if let (PatchKind::Json(_), None) = (&kind, &patch.target) {
            return wrong(
                "a JSON patch does not say which objects it is for",
                "add a `target`",
            );
        }
        Ok(Patches {
            kind,
            files: Warnings::of(patch.target.as_ref(), files),
            target: patch.target.clone(),
            span,
        })
    }
}

/// The error for a patch that can be read in neither way.
fn neither(strategic: Error, json: Error, span: Span) -> Error {
    // What is a list was meant as operations; everything else as an object.
    let error = match (json.rule(), strategic.rule()) {
        ("kustomize/patch", _) => json,
        (_, "kustomize/no-object") => Error::new(
            "kustomize/patch",
            "the patch is neither an object nor a list of operations",
        )
        .at(strategic.span()),
        _ => strategic,
    };
    error.at(span).help(
        "a patch is an object with the fields to change, or a list of operations: \
         `- op: replace`",
    )
}

impl Warnings {
    fn of(target: Option<&Selector>, files: &Files) -> Warnings {
        let target = target.and_then(|target| {
            let location = crate::diag::Location::of(target.span, files.sources())?;
            Some((target.to_string(), location))
        });
        Warnings { target }
    }

    /// Tells that a target means no object.
    fn nothing_selected(&self, context: &mut Context<'_>) {
        if let Some((target, location)) = &self.target {
            let mut finding = crate::diag::Finding::new(
                "ref/missing",
                crate::diag::Severity::Warning,
                format!("the patch's target matches nothing: {target}"),
            )
            .cause(crate::diag::Cause::NothingMatched)
            .help("correct the target, or take the patch out");
            finding.location = Some(location.clone());
            context.findings.push(finding);
        }
    }
}

impl Transform for Patches {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        match (&self.kind, &self.target) {
            (PatchKind::Nothing, _) | (PatchKind::Json(_), None) => Ok(()),
            (PatchKind::Strategic(patches), Some(target)) => {
                let [patch] = patches.as_slice() else {
                    return Err(Error::new(
                        "kustomize/patch",
                        "several patches in one entry have a `target`",
                    )
                    .at(self.span)
                    .help("give each patch an entry of its own"));
                };
                let selected = map.select(target, &context.api)?;
                if selected.is_empty() {
                    self.files.nothing_selected(context);
                }
                let ids: Vec<_> = selected
                    .iter()
                    .map(|i| map.as_slice()[*i].current_id(&context.api))
                    .collect();
                let same = positions_of(map, context, |id| ids.contains(id));
                apply_to_all(map, &same, patch, context)
            }
            (PatchKind::Strategic(patches), None) => {
                for patch in patches {
                    let id = patch.original_id(&context.api);
                    let found = map.find(&id, &context.api, patch.node().span())?;
                    if let Some(resource) = map.as_mut_slice().get_mut(found) {
                        apply(resource, patch, context)?;
                    }
                }
                Ok(())
            }
            (PatchKind::Json(patch), Some(target)) => {
                let selected = map.select(target, &context.api)?;
                if selected.is_empty() {
                    self.files.nothing_selected(context);
                }
                for i in selected {
                    if let Some(resource) = map.as_mut_slice().get_mut(i) {
                        resource.store_previous_id(&context.api)?;
                        apply_json(resource, patch)?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// An entry of `patchesJson6902`.
pub(in crate::kustomize) struct Json6902 {
    patch: JsonPatch,
    target: Selector,
    files: Warnings,
}

impl Json6902 {
    /// Loads a patch.
    ///
    /// # Errors
    ///
    /// `kustomize/patch` for what is none, as [`Loader::file`].
    pub(in crate::kustomize) fn new(patch: &Patch, loader: &Loader<'_>) -> Result<Json6902> {
        let wrong = |message: &str, help: &str| {
            Err(Error::new("kustomize/patch", message)
                .at(patch.span)
                .help(help))
        };
        // Compat: kustomize crashes without a target.
        let Some(target) = patch.target.as_ref().filter(|t| !t.name.is_empty()) else {
            return wrong(
                "the patch does not name the object it is for",
                "add a `target` with a `name`",
            );
        };
        let loaded = match (patch.inline.is_empty(), patch.path.is_empty()) {
            (true, true) => {
                return wrong(
                    "the patch says nothing",
                    "name a file under `path`, or write the operations under `patch`",
                );
            }
            (false, false) => {
                return wrong(
                    "the patch has a `path` and a `patch`",
                    "leave one of them out",
                );
            }
            (false, true) => JsonPatch::of_inline(&patch.inline, loader.files()),
            (true, false) => {
                let file = loader.file(&patch.path)?;
                JsonPatch::of_file(file.files(), &file.path).map_err(|e| e.at(patch.path.span))
            }
        }?;
        if loaded.is_empty() {
            return wrong("the patch is empty", "write a list of operations");
        }
        Ok(Json6902 {
            patch: loaded,
            files: Warnings::of(Some(target), loader.files()),
            target: target.clone(),
        })
    }
}

impl Transform for Json6902 {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        let selected = map.select(&self.target, &context.api)?;
        if selected.is_empty() {
            self.files.nothing_selected(context);
        }
        for i in selected {
            if let Some(resource) = map.as_mut_slice().get_mut(i) {
                apply_json(resource, &self.patch)?;
            }
        }
        Ok(())
    }
}
