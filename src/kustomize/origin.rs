//! Where an object came from and what changed it, as annotations say it.
//!
//! Compat: `resource/origin.go` of kustomize; `buildMetadata` asks for it.

use super::remote::RepoSpec;
use super::resource::{ORIGIN, Resource, TRANSFORMATIONS};
use crate::diag::{FileId, Result, Span};
use crate::yaml::emit::{Indent, as_written};
use crate::yaml::{self, Entry, Node};

/// Where a file or a kustomization is, seen from the folder that is built.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    path: String,
    repository: String,
    reference: String,
    configured_in: String,
    /// API version, kind, name and namespace of a configuration.
    configured_by: Option<[String; 4]>,
}

impl Origin {
    /// The origin of what a kustomization of this origin names.
    pub(super) fn append(&self, name: &str) -> Origin {
        let mut origin = self.clone();
        let path = match RepoSpec::parse(name) {
            Some(spec) => {
                origin.repository = spec.repository;
                origin.reference = spec.reference.unwrap_or_default();
                origin.path.clear();
                spec.folder
            }
            None => name.to_owned(),
        };
        origin.path = clean(&origin.path, &path);
        origin
    }

    /// The origin of what a transformer or generator of the program makes.
    pub(super) fn of_builtin(&self, file_name: &str, kind: &str) -> Origin {
        self.configured(
            clean(&self.path, file_name),
            ["builtin", kind, "", ""].map(str::to_owned),
        )
    }

    /// The origin of what a configuration file makes.
    pub(super) fn of_plugin(resource: &Resource) -> Option<Origin> {
        let origin = Origin::read(resource.annotation(ORIGIN)?)?;
        let gvk = resource.gvk();
        let by = [
            gvk.api_version(),
            gvk.kind.to_string(),
            resource.name().to_string(),
            resource.namespace().to_string(),
        ];
        let path = origin.path.clone();
        Some(origin.configured(path, by))
    }

    fn configured(&self, configured_in: String, configured_by: [String; 4]) -> Origin {
        Origin {
            path: String::new(),
            repository: self.repository.clone(),
            reference: self.reference.clone(),
            configured_in,
            configured_by: Some(configured_by),
        }
    }

    fn read(text: &str) -> Option<Origin> {
        let node = yaml::parse_one(text, FileId::default()).ok()??;
        let field = |name| node.str_at(name).unwrap_or_default().to_owned();
        Some(Origin {
            path: field("path"),
            repository: field("repo"),
            reference: field("ref"),
            configured_in: field("configuredIn"),
            configured_by: None,
        })
    }

    fn to_node(&self) -> Node {
        let entry = |(name, text): (&str, &String)| Entry {
            key: Node::string(name, Span::NONE),
            value: Node::string(text.as_str(), Span::NONE),
        };
        let fields = [
            ("path", &self.path),
            ("repo", &self.repository),
            ("ref", &self.reference),
            ("configuredIn", &self.configured_in),
        ];
        let is_set = |(_, text): &(&str, &String)| !text.is_empty();
        let mut entries: Vec<Entry> = fields.into_iter().filter(is_set).map(entry).collect();
        if let Some(by) = &self.configured_by {
            let names = ["apiVersion", "kind", "name", "namespace"];
            let by: Vec<Entry> = names
                .into_iter()
                .zip(by)
                .filter(is_set)
                .map(entry)
                .collect();
            entries.push(Entry {
                key: Node::string("configuredBy", Span::NONE),
                value: Node::mapping(by, Span::NONE),
            });
        }
        Node::mapping(entries, Span::NONE)
    }

    /// Says that an object came from here.
    pub(super) fn annotate(&self, resource: &mut Resource, span: Span) -> Result<()> {
        let text = written(&self.to_node());
        resource.set_annotation(ORIGIN, text, span)?;
        resource.rewrite_annotations(|_| false)
    }

    /// Says that an object was changed, or made, by what is here.
    pub(super) fn annotate_change(&self, resource: &mut Resource, span: Span) -> Result<()> {
        if resource.annotation(ORIGIN).is_none() {
            return self.annotate(resource, span);
        }
        let earlier = resource.annotation(TRANSFORMATIONS).unwrap_or_default();
        let mut list = yaml::parse_one(earlier, FileId::default())?
            .filter(Node::is_sequence)
            .unwrap_or_else(|| Node::sequence(Vec::new(), Span::NONE));
        if let Some(items) = list.items_mut() {
            items.push(self.to_node());
        }
        resource.set_annotation(TRANSFORMATIONS, written(&list), span)?;
        resource.rewrite_annotations(|_| false)
    }
}

fn written(node: &Node) -> String {
    let mut text = String::new();
    as_written(node, Indent::Compact, &mut text);
    text
}

/// A path joined to a folder, `.` and `..` taken out where that is possible.
fn clean(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    let is_absolute = folder.starts_with('/') || (folder.is_empty() && path.starts_with('/'));
    match (joined.is_empty(), is_absolute) {
        (true, false) if folder.is_empty() && path.is_empty() => String::new(),
        (true, false) => ".".to_owned(),
        (_, true) => format!("/{joined}"),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_folder_that_is_built() {
        assert_eq!(clean("", "../base"), "../base");
        assert_eq!(clean("../base", "../x/a.yaml"), "../x/a.yaml");
        assert_eq!(clean("a", "./b//c"), "a/b/c");
        assert_eq!(clean("a", ".."), ".");
    }

    #[test]
    fn the_text_of_an_origin() {
        let origin = Origin::default().append("../base").append("a.yaml");
        assert_eq!(written(&origin.to_node()), "path: ../base/a.yaml\n");
        let builtin = Origin::default()
            .append("https://github.com/o/r//x?ref=v1")
            .of_builtin("kustomization.yaml", "ImageTagTransformer");
        insta::assert_snapshot!(written(&builtin.to_node()), @r"
        repo: https://github.com/o/r
        ref: v1
        configuredIn: x/kustomization.yaml
        configuredBy:
          apiVersion: builtin
          kind: ImageTagTransformer
        ");
    }
}
