//! CRDs as the field `crds` names them: which fields of custom resources hold
//! labels, annotations and names.
//!
//! In: files of OpenAPI definitions by type name, with extensions that say what
//! a property is. Out: field specifications. Compat:
//! `accumulator/loadconfigfromcrds.go` of kustomize.

use std::borrow::Cow;

use super::config::{Config, NameReference};
use super::documents;
use super::fieldspec::FieldSpec;
use super::file::Text;
use super::id::GvkPattern;
use super::json;
use super::loader::Loader;
use crate::diag::{Error, Result};
use crate::yaml::Node;
use crate::yaml::resolve::Version;

/// How deep definitions may refer to each other.
const MAX_DEPTH: usize = 64;

/// Reads all files.
///
/// # Errors
///
/// `kustomize/crd` for what holds no definitions, as [`Loader::file`].
pub(super) fn load(loader: &Loader<'_>, names: &[Text]) -> Result<Config> {
    let mut config = Config::empty();
    for name in names {
        let file = loader.file(name)?;
        let wrong = || {
            Error::new("kustomize/crd", "the file holds no OpenAPI definitions")
                .at(name.span)
                .help("`crds` names OpenAPI definitions by type; CustomResourceDefinitions go under `resources`")
        };
        // Compat: kustomize crashes on an empty file.
        let document = documents::first_of_file(file.files(), &file.path)?.ok_or_else(wrong)?;
        let document = json::plain(&document, Version::V2)?;
        if document.is_null() {
            continue;
        }
        if !document.is_mapping() {
            return Err(wrong());
        }
        config.merge(&of_definitions(&document)?)?;
    }
    Ok(config)
}

fn of_definitions(definitions: &Node) -> Result<Config> {
    let mut result = Config::empty();
    for entry in definitions.entries() {
        let name = entry.key.text().unwrap_or_default();
        let properties = properties(&entry.value);
        let is_kind = ["kind", "apiVersion", "metadata"]
            .iter()
            .all(|field| properties.is_some_and(|p| p.get(field).is_some()));
        if !is_kind {
            continue;
        }
        let kind = name.rsplit('.').next().unwrap_or_default();
        let mut found = Found {
            definitions,
            kind,
            config: Config::empty(),
        };
        found.walk(name, &mut Vec::new())?;
        result.merge(&found.config)?;
    }
    Ok(result)
}

/// The properties of a definition.
fn properties(definition: &Node) -> Option<&Node> {
    let field = |node: &'_ Node, name: &str| -> Option<usize> {
        node.entries().iter().position(|e| {
            e.key
                .text()
                .is_some_and(|key| key.eq_ignore_ascii_case(name))
        })
    };
    let schema = &definition
        .entries()
        .get(field(definition, "schema")?)?
        .value;
    Some(&schema.entries().get(field(schema, "properties")?)?.value)
}

/// What has been found for one kind.
struct Found<'d> {
    definitions: &'d Node,
    kind: &'d str,
    config: Config,
}

impl Found<'_> {
    fn walk(&mut self, type_name: &str, path: &mut Vec<String>) -> Result<()> {
        let Some(definition) = self.definitions.get(type_name) else {
            return Ok(());
        };
        if path.len() >= MAX_DEPTH {
            // Compat: kustomize goes round until its stack is full.
            return Err(Error::new(
                "kustomize/crd",
                format!("the definitions refer to each other in a circle: `{type_name}`"),
            )
            .at(definition.span())
            .help("leave the reference out"));
        }
        let entries = properties(definition)
            .map(Node::entries)
            .unwrap_or_default();
        for entry in entries {
            let name = entry.key.text().unwrap_or_default();
            path.push(name.to_owned());
            self.property(&entry.value, path)?;
            path.pop();
        }
        Ok(())
    }

    fn property(&mut self, property: &Node, path: &mut Vec<String>) -> Result<()> {
        let extension = |name: &str| property.str_at(name);
        if extension("x-kubernetes-annotation").is_some() {
            let spec = self.spec(path);
            Config::add(&mut self.config.common_annotations, spec)?;
        }
        if extension("x-kubernetes-label-selector").is_some() {
            let spec = self.spec(path);
            Config::add(&mut self.config.common_labels, spec)?;
        }
        if extension("x-kubernetes-identity").is_some() {
            let spec = self.spec(path);
            Config::add(&mut self.config.name_prefix, spec)?;
        }
        let version = extension("x-kubernetes-object-ref-api-version");
        let kind = extension("x-kubernetes-object-ref-kind");
        if let (Some(version), Some(kind)) = (version, kind) {
            let key = extension("x-kubernetes-object-ref-name-key").unwrap_or("name");
            path.push(key.to_owned());
            let referrer = self.spec(path);
            path.pop();
            self.config.add_name_reference(NameReference {
                target: GvkPattern {
                    version: Cow::Owned(version.to_owned()),
                    kind: Cow::Owned(kind.to_owned()),
                    ..GvkPattern::default()
                },
                referrers: Cow::Owned(vec![referrer]),
            })?;
        }
        if let Some(reference) = property.str_at("$ref") {
            self.walk(reference, path)?;
        }
        Ok(())
    }

    fn spec(&self, path: &[String]) -> FieldSpec {
        FieldSpec {
            gvk: GvkPattern {
                kind: Cow::Owned(self.kind.to_owned()),
                ..GvkPattern::default()
            },
            path: Cow::Owned(path.join("/")),
            create: false,
        }
    }
}
