//! A chart as it was loaded.

use std::sync::{Arc, OnceLock};

use super::metadata::{Dependency, Metadata};
use super::values::Defaults;
use crate::artifact::Tree;
use crate::diag::{Error, FileId, Result, SourceMap, Span};
use crate::gotmpl::value::{Entries, Map, Text, Value};
use crate::gotmpl::{self, ParseError, Source};
use crate::yaml;

/// The byte-order mark that Helm takes off every file.
const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// A file of a chart.
#[derive(Debug)]
pub struct ChartFile {
    /// Its path in the chart.
    pub name: String,
    /// Its path as users know it.
    pub display: String,
    content: Content,
    template: OnceLock<std::result::Result<Arc<Source>, ParseError>>,
    file: OnceLock<FileId>,
    /// How often it was parsed as a template.
    #[cfg(test)]
    pub(super) parses: std::sync::atomic::AtomicU32,
}

#[derive(Debug)]
enum Content {
    Known(Bytes),
    /// Read when it is first asked for.
    Later {
        tree: Arc<dyn Tree>,
        path: String,
        read: OnceLock<Result<Bytes>>,
    },
}

/// The content of a file without a byte-order mark, held once: what is text is
/// shared by all that want it as text, or as bytes.
#[derive(Clone, Debug)]
enum Bytes {
    Text(Arc<str>),
    Binary(Arc<[u8]>),
}

impl Bytes {
    fn new(bytes: &[u8]) -> Bytes {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => Bytes::Text(text.into()),
            Err(_) => Bytes::Binary(bytes.into()),
        }
    }
}

impl ChartFile {
    /// A file whose content is known.
    pub(super) fn new(name: String, display: String, bytes: &[u8]) -> ChartFile {
        ChartFile::with(name, display, Content::Known(Bytes::new(bytes)))
    }

    /// A file of a tree, which is read when its content is needed.
    pub(super) fn later(name: String, tree: &Arc<dyn Tree>, path: &str) -> ChartFile {
        let content = Content::Later {
            tree: tree.clone(),
            path: path.to_owned(),
            read: OnceLock::new(),
        };
        ChartFile::with(name, tree.display(path), content)
    }

    fn with(name: String, display: String, content: Content) -> ChartFile {
        ChartFile {
            name,
            display,
            content,
            template: OnceLock::new(),
            file: OnceLock::new(),
            #[cfg(test)]
            parses: std::sync::atomic::AtomicU32::new(0),
        }
    }

    /// The file under another name, as part of a subchart.
    pub(super) fn renamed(self, name: String) -> ChartFile {
        ChartFile { name, ..self }
    }

    fn content(&self) -> Result<Bytes> {
        match &self.content {
            Content::Known(bytes) => Ok(bytes.clone()),
            Content::Later { tree, path, read } => read
                .get_or_init(|| Ok(Bytes::new(&tree.read(path)?)))
                .clone(),
        }
    }

    /// How many bytes it holds; none as long as it is not read.
    fn size(&self) -> usize {
        let known = match &self.content {
            Content::Known(bytes) => Some(bytes),
            Content::Later { read, .. } => read.get().and_then(|read| read.as_ref().ok()),
        };
        match known {
            Some(Bytes::Text(text)) => text.len(),
            Some(Bytes::Binary(bytes)) => bytes.len(),
            None => 0,
        }
    }

    /// Its content, without a byte-order mark.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`].
    pub fn bytes(&self) -> Result<Arc<[u8]>> {
        Ok(match self.content()? {
            Bytes::Text(text) => text.into(),
            Bytes::Binary(bytes) => bytes,
        })
    }

    /// Its content as text, with U+FFFD for what is none.
    pub(super) fn text(&self) -> Result<Arc<str>> {
        Ok(match self.content()? {
            Bytes::Text(text) => text,
            Bytes::Binary(bytes) => String::from_utf8_lossy(&bytes).into(),
        })
    }

    /// The file as a template, parsed once.
    pub(super) fn template(&self) -> Result<std::result::Result<&Arc<Source>, &ParseError>> {
        if self.template.get().is_none() {
            // What cannot be read is told each time.
            self.text()?;
        }
        let parsed = self.template.get_or_init(|| {
            #[cfg(test)]
            self.parses
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let text = self.text().unwrap_or_else(|_| Arc::from(""));
            gotmpl::parse(text, gotmpl::functions::all()).map(Arc::new)
        });
        Ok(parsed.as_ref())
    }

    /// A place in it.
    pub fn span(&self, sources: &SourceMap, line: u32, column: u32) -> Span {
        let file = self.file.get_or_init(|| {
            let text = self.text().unwrap_or_else(|_| Arc::from(""));
            sources.add(self.display.clone(), text)
        });
        Span::new(*file, line, column)
    }
}

/// A chart: immutable, shared by the releases that use it.
#[derive(Debug)]
pub struct Chart {
    pub(super) metadata: Metadata,
    pub(super) metadata_file: Arc<ChartFile>,
    pub(super) templates: Vec<Arc<ChartFile>>,
    pub(super) files: Vec<Arc<ChartFile>>,
    pub(super) values: Defaults,
    pub(super) schema: Option<Arc<ChartFile>>,
    pub(super) parsed_schema: OnceLock<Result<yaml::Value>>,
    pub(super) dependencies: Vec<Arc<Chart>>,
    /// What `Chart.lock` says of dependencies; none where there is no such file.
    pub(super) lock: Option<Vec<Dependency>>,
}

impl Chart {
    /// What `Chart.yaml` says.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Its `Chart.yaml`.
    pub fn metadata_file(&self) -> &Arc<ChartFile> {
        &self.metadata_file
    }

    /// The files below `templates/`.
    pub fn templates(&self) -> &[Arc<ChartFile>] {
        &self.templates
    }

    /// All files that have no meaning of their own, and those below `crds/`.
    pub fn files(&self) -> &[Arc<ChartFile>] {
        &self.files
    }

    /// The charts below `charts/`.
    pub fn dependencies(&self) -> &[Arc<Chart>] {
        &self.dependencies
    }

    /// Its `values.schema.json`.
    pub fn schema(&self) -> Option<&Arc<ChartFile>> {
        self.schema.as_ref()
    }

    /// How many bytes of templates and definitions it and the charts below hold, as
    /// far as they were read: about how long they take to render.
    pub fn size(&self) -> usize {
        let files = self.templates.iter().chain(self.definitions());
        let own: usize = files.map(|file| file.size()).sum();
        own + self
            .dependencies
            .iter()
            .map(|chart| chart.size())
            .sum::<usize>()
    }

    /// What the schema says, read once; none where there is none.
    pub(super) fn values_schema(&self) -> Option<&Result<yaml::Value>> {
        let file = self.schema.as_ref()?;
        Some(self.parsed_schema.get_or_init(|| {
            let text = file.text()?;
            gotmpl::json::parse(&text).map_err(|message| Error::new("helm/schema-invalid", message))
        }))
    }

    /// What `values.yaml` says.
    pub fn defaults(&self) -> &Defaults {
        &self.values
    }

    /// The defaults, in tables that are not shared.
    pub(super) fn default_values(&self) -> Map {
        Map::any(entries_of(&self.values.map))
    }

    /// The definitions in `crds/`, with their paths: its own and those of the
    /// charts below.
    pub(super) fn definitions(&self) -> impl Iterator<Item = &Arc<ChartFile>> {
        self.files.iter().filter(|file| {
            let name = file.name.rsplit('/').next().unwrap_or_default();
            let extension = name.rsplit_once('.').map(|(_, extension)| extension);
            file.name.starts_with("crds/")
                && extension.is_some_and(|e| {
                    ["yaml", "yml", "json"]
                        .iter()
                        .any(|known| e.eq_ignore_ascii_case(known))
                })
        })
    }
}

/// Data as the entries of a table, in tables of its own.
pub(super) fn entries_of(map: &yaml::Map) -> Entries {
    map.iter()
        .map(|(key, value)| (Text::Utf8(key.clone()), Value::from_yaml(value)))
        .collect()
}
