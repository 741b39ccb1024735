//! Templates by name.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use super::parse::ParseError;
use super::tree::{NodeId, Source};
use super::value::Text;
use crate::gostd::strconv::quote;

/// A parsed file under a name.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: Arc<str>,
    pub(super) source: Arc<Source>,
}

/// A template that can be executed.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) name: Text,
    pub(super) file: Arc<File>,
    pub(super) root: NodeId,
    pub(super) is_empty: bool,
}

/// Templates that see each other.
///
/// Files are added one after the other, and a later definition replaces an
/// earlier one of the same name, unless it holds nothing but blanks.
///
/// Compat: `text/template/template.go` `AddParseTree`.
#[derive(Debug, Default)]
pub struct Set {
    templates: HashMap<Text, Template>,
}

impl Set {
    /// A set without templates.
    pub fn new() -> Set {
        Set {
            templates: HashMap::new(),
        }
    }

    /// Adds a file, under its name, and what it defines.
    ///
    /// # Errors
    ///
    /// Where the file defines a template of its own name and is not empty.
    pub fn add(
        &mut self,
        name: impl Into<Arc<str>>,
        source: Arc<Source>,
    ) -> Result<(), ParseError> {
        self.insert(name.into(), source, |_| false).map(|_| ())
    }

    /// Adds a file to a set that lies over others: `is_known` tells whether
    /// one of them has a template of that name. Gives the template of the file
    /// itself.
    pub(super) fn insert(
        &mut self,
        name: Arc<str>,
        source: Arc<Source>,
        is_known: impl Fn(&Text) -> bool,
    ) -> Result<Option<Template>, ParseError> {
        let file = Arc::new(File {
            name: name.clone(),
            source,
        });
        let own_name = Text::Utf8(name);
        let mut itself = None;
        for tree in &file.source.trees {
            let template = Template {
                name: tree.name.clone().unwrap_or_else(|| own_name.clone()),
                file: file.clone(),
                root: tree.root,
                is_empty: tree.is_empty,
            };
            if tree.name.is_none() {
                let defined = file
                    .source
                    .trees
                    .iter()
                    .any(|t| t.name.as_ref() == Some(&own_name) && !t.is_empty);
                if defined && !tree.is_empty {
                    let end = u32::try_from(file.source.text().len()).unwrap_or(u32::MAX);
                    return Err(ParseError {
                        message: format!(
                            "template: multiple definition of template {}",
                            quote(&own_name.to_string())
                        ),
                        line: file.source.line_and_bytes(end).0,
                        place: end,
                        action: None,
                    });
                }
                itself = Some(template.clone());
                if defined {
                    continue;
                }
            }
            let known = self.templates.contains_key(&template.name) || is_known(&template.name);
            if !known || !template.is_empty {
                self.templates.insert(template.name.clone(), template);
            }
        }
        Ok(itself)
    }

    /// The template of that name.
    pub(super) fn get(&self, name: &[u8]) -> Option<&Template> {
        self.templates.get(name)
    }

    /// Whether there is a template of that name.
    pub fn has(&self, name: &str) -> bool {
        self.templates.contains_key(name.as_bytes())
    }
}
