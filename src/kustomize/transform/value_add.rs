//! A value, put into fields of selected objects.
//!
//! Compat: `ValueAddTransformer.go`, `filters/valueadd` of kustomize; for
//! configuration files alone, no field of a kustomization asks for it.

use super::Transform;
use super::namespace::Namespace;
use crate::artifact::path;
use crate::diag::{Error, Result};
use crate::kustomize::build::Context;
use crate::kustomize::documents;
use crate::kustomize::fields::{self, As, Kind};
use crate::kustomize::fieldspec::split_path;
use crate::kustomize::file::read::{Mode, Object};
use crate::kustomize::file::{Selector, Text};
use crate::kustomize::json;
use crate::kustomize::links::Links;
use crate::kustomize::loader::Loader;
use crate::kustomize::resmap::ResMap;
use crate::yaml::Node;
use crate::yaml::resolve::Version;

/// Adds a value.
pub(in crate::kustomize) struct ValueAdd {
    value: Text,
    targets: Vec<Target>,
}

/// Where the value goes.
struct Target {
    selector: Option<Selector>,
    path: Text,
    /// Which part of a file path is meant, counted from 1; 0 for the whole
    /// field.
    position: usize,
}

impl Target {
    fn read(node: &Node) -> Result<Target> {
        let mut object = Object::of(node, "target", Mode::Lenient)?;
        let (position, span) = object.integer("filePathPosition")?;
        let path = object.text("fieldPath")?;
        if path.is_empty() {
            return Err(
                Error::new("kustomize/plugin", "a target has no `fieldPath`")
                    .at(object.span())
                    .help("say which field is meant: `fieldPath: spec/path`"),
            );
        }
        let position = usize::try_from(position).map_err(|_| {
            Error::new("kustomize/plugin", "`filePathPosition` is negative")
                .at(span)
                .help("1 is the first part of the path")
        })?;
        Ok(Target {
            selector: object.object("selector", |n| Selector::read(n, Mode::Lenient))?,
            path,
            position,
        })
    }
}

impl ValueAdd {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// `kustomize/plugin` where it has no target.
    pub(in crate::kustomize) fn read(node: &Node, loader: &Loader<'_>) -> Result<ValueAdd> {
        let mut object = Object::of(node, "ValueAddTransformer", Mode::Lenient)?;
        let value = object.text("value")?;
        let trimmed = value.trim();
        let value = if trimmed.is_empty() {
            Text::new(path::name(loader.root()), node.span())
        } else {
            Text::new(trimmed, value.span)
        };
        let mut targets = object.list("targets", Target::read)?.unwrap_or_default();
        let file = object.text("targetFilePath")?;
        if !file.is_empty() {
            let file = loader.file(&file)?;
            if let Some(document) = documents::first_of_file(file.files(), &file.path)? {
                let document = json::plain(&document, Version::V2)?;
                let mut object = Object::of(&document, "list of targets", Mode::Lenient)?;
                targets.extend(object.list("targets", Target::read)?.unwrap_or_default());
            }
        }
        if targets.is_empty() {
            return Err(Error::new("kustomize/plugin", "there is no target")
                .at(node.span())
                .help("add `targets`"));
        }
        Ok(ValueAdd { value, targets })
    }

    fn set(&self, node: &mut Node, target: &Target, links: &mut Links) -> Result<()> {
        let parts = split_path_keeping_slash(&target.path);
        let span = self.value.span;
        let field = fields::lookup_or_create(node, &parts, Kind::Scalar, span)?;
        let Some(field) = field else {
            return Ok(());
        };
        fields::expect(field, Kind::Scalar)?;
        let value = match target.position {
            0 => self.value.to_string(),
            n => with_part(field.text().unwrap_or_default(), n - 1, &self.value),
        };
        fields::set_text(field, value, As::Written, span, links)
    }
}

/// The parts of a path; a slash with a `\` before it is part of a name.
///
/// Compat: other than in field specifications, a leading slash counts for
/// nothing because empty parts do.
fn split_path_keeping_slash(path: &str) -> Vec<String> {
    split_path(path, '/')
        .into_iter()
        .map(String::from)
        .collect()
}

/// A file path with a part put in.
///
/// Compat: `filesys.InsertPathPart`.
fn with_part(path: &str, position: usize, part: &str) -> String {
    if part.is_empty() {
        return path.to_owned();
    }
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    let joined = parts.join("/");
    if is_absolute {
        format!("/{joined}")
    } else {
        joined
    }
}

impl Transform for ValueAdd {
    fn transform(&self, map: &mut ResMap, context: &mut Context<'_>) -> Result<()> {
        for target in &self.targets {
            let selected: Vec<usize> = match &target.selector {
                None => (0..map.as_slice().len()).collect(),
                Some(selector) => map.select(selector, &context.api)?,
            };
            for i in selected {
                let Some(resource) = map.as_mut_slice().get_mut(i) else {
                    continue;
                };
                if &*target.path == "metadata/namespace" {
                    let namespace = Namespace::new(&self.value, Vec::new().into());
                    let id = resource.id(&context.api).clone();
                    resource.edit(|node, links| namespace.set_all(node, &id, links))?;
                } else {
                    resource.edit(|node, links| self.set(node, target, links))?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_file_paths() {
        for (path, position, want) in [
            ("", 0, "P"),
            ("/", 0, "/P"),
            ("pie", 0, "P/pie"),
            ("/pie", 0, "/P/pie"),
            ("raw", 1, "raw/P"),
            ("a/nice/pie", 2, "a/nice/P/pie"),
            ("/a/b", 9, "/a/b/P"),
        ] {
            assert_eq!(with_part(path, position, "P"), want, "{path}");
        }
    }
}
