//! What templates wrote, cut into objects: manifests, hooks, and the order
//! between them.
//!
//! Compat: Helm 4.3.1 `pkg/release/v1/util/manifest.go`, `manifest_sorter.go`.

use std::sync::Arc;

use rayon::prelude::*;

use super::chart::ChartFile;
use super::parsed::Parsed;
use super::typed::Fields;
use super::{load, order};
use crate::diag::{Error, FileId, ObjectRef, Result, SourceMap, Span};
use crate::gotmpl::{Mark, RandomCall, RandomCounts};
use crate::yaml::{self, Data, Node, Style, Value};

/// What one template file wrote.
#[derive(Clone, Debug)]
pub(super) struct Output {
    /// The path of the template below its root chart, with the names that
    /// charts go by.
    pub(super) path: Arc<str>,
    /// The template.
    pub(super) file: Arc<ChartFile>,
    /// What it wrote.
    pub(super) text: Arc<str>,
    /// Where it comes from.
    pub(super) marks: Vec<Mark>,
    /// The calls in it whose results are random, or depend on the time.
    pub(super) random: Vec<RandomCall>,
    /// How often random values were given before.
    pub(super) counts: RandomCounts,
    /// The number of the template among all of the release.
    pub(super) template: usize,
    /// Whether it changed what later templates see.
    pub(super) leaves_changes: bool,
}

/// An object as a template wrote it.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The path of the template below its root chart.
    pub path: Arc<str>,
    /// The text of the object.
    pub content: Arc<str>,
    /// Its `apiVersion`; empty where it has none.
    pub api_version: Arc<str>,
    /// Its kind; empty where it has none.
    pub kind: Arc<str>,
    /// Its name; empty where it has none.
    pub name: Arc<str>,
    /// Its namespace; empty where it has none.
    pub namespace: Arc<str>,
    /// Where its lines come from.
    pub origin: Origin,
    /// The object as it was read for its head, where a newline behind the text
    /// changes nothing in it.
    pub(super) read: Option<Node>,
    /// Its number among the documents that are kept.
    pub(super) number: Option<usize>,
}

impl Manifest {
    /// The object as findings name it.
    pub fn object(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// Where the lines of an object come from.
#[derive(Clone, Debug)]
pub struct Origin {
    output: Arc<Output>,
    /// Where the object begins in the output.
    start: usize,
}

impl Origin {
    /// The template.
    pub fn file(&self) -> &Arc<ChartFile> {
        &self.output.file
    }

    /// What the template wrote, where the object begins in it, and where its
    /// stretches come from.
    pub(super) fn parts(&self) -> (&str, usize, &[Mark]) {
        (&self.output.text, self.start, &self.output.marks)
    }

    /// The place in the template that wrote a line of the object, from 1.
    pub fn line(&self, line: u32, sources: &SourceMap) -> Span {
        let text = self.output.text.get(self.start..).unwrap_or_default();
        let before = text
            .split_inclusive('\n')
            .take((line as usize).saturating_sub(1));
        let offset = self.start + before.map(str::len).sum::<usize>();
        self.offset(offset, sources)
    }

    /// The place in the template that wrote what stands at an offset.
    fn offset(&self, offset: usize, sources: &SourceMap) -> Span {
        let file = &self.output.file;
        let Ok(Ok(source)) = file.template() else {
            return file.span(sources, 1, 1);
        };
        let after = self.output.marks.partition_point(|m| m.output <= offset);
        let Some(mark) = after.checked_sub(1).and_then(|i| self.output.marks.get(i)) else {
            return file.span(sources, 1, 1);
        };
        let written = self
            .output
            .text
            .get(mark.output..offset)
            .unwrap_or_default();
        // Text is written as it stands; what an action writes comes from the
        // action.
        let is_text = source
            .text()
            .get(mark.place as usize..)
            .is_some_and(|rest| rest.starts_with(written));
        let place = if is_text {
            mark.place + u32::try_from(written.len()).unwrap_or_default()
        } else {
            mark.place
        };
        let (line, column) = source.line_and_column(place);
        file.span(sources, line, column)
    }
}

/// An object that Helm creates at certain moments.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The object.
    pub manifest: Manifest,
    /// When.
    pub events: Vec<HookEvent>,
    /// The order among those of one moment: small ones first.
    pub weight: i64,
    /// When it is deleted again, as written.
    pub delete_policies: Vec<String>,
}

impl Hook {
    /// Whether `helm test` creates it.
    pub fn is_test(&self) -> bool {
        self.events.contains(&HookEvent::Test)
    }
}

/// A moment in the life of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "Helm's names")]
pub enum HookEvent {
    PreInstall,
    PostInstall,
    PreDelete,
    PostDelete,
    PreUpgrade,
    PostUpgrade,
    PreRollback,
    PostRollback,
    Test,
}

impl HookEvent {
    fn of(name: &str) -> Option<HookEvent> {
        Some(match name {
            "pre-install" => HookEvent::PreInstall,
            "post-install" => HookEvent::PostInstall,
            "pre-delete" => HookEvent::PreDelete,
            "post-delete" => HookEvent::PostDelete,
            "pre-upgrade" => HookEvent::PreUpgrade,
            "post-upgrade" => HookEvent::PostUpgrade,
            "pre-rollback" => HookEvent::PreRollback,
            "post-rollback" => HookEvent::PostRollback,
            "test" | "test-success" => HookEvent::Test,
            _ => return None,
        })
    }
}

/// The annotations that make a hook.
const HOOK: &str = "helm.sh/hook";
const HOOK_WEIGHT: &str = "helm.sh/hook-weight";
const HOOK_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";

/// The objects of all templates, in the order of their installation.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub(super) manifests: Vec<Manifest>,
    pub(super) hooks: Vec<Hook>,
    /// Objects that are left out since Helm does not know their kind of hook.
    pub(super) unknown_hooks: Vec<(Manifest, String)>,
}

impl Sorted {
    /// All objects: manifests, then hooks.
    pub(super) fn all(&self) -> impl Iterator<Item = &Manifest> {
        let hooks = self.hooks.iter().map(|hook| &hook.manifest);
        self.manifests.iter().chain(hooks)
    }

    /// How many objects there are.
    pub(super) fn len(&self) -> usize {
        self.manifests.len() + self.hooks.len()
    }
}

/// What templates wrote, uncut, by their paths.
pub(super) fn as_one_text(outputs: &[Output]) -> String {
    let mut outputs: Vec<&Output> = outputs.iter().collect();
    outputs.sort_by(|a, b| a.path.cmp(&b.path));
    let mut text = String::new();
    for output in outputs.iter().filter(|o| !o.text.trim().is_empty()) {
        text.push_str("---\n# Source: ");
        text.push_str(&output.path);
        text.push('\n');
        text.push_str(&output.text);
        text.push('\n');
    }
    text
}

/// Cuts what templates wrote, by their paths, into objects; these are kept as
/// they are read, where they are wanted so.
///
/// # Errors
///
/// `helm/manifest-invalid` for what is no YAML, or has a head that Helm cannot
/// read.
pub(super) fn sort(
    mut outputs: Vec<Output>,
    with_objects: bool,
    parsed: Option<&Parsed>,
    sources: &SourceMap,
) -> Result<Sorted> {
    outputs.sort_by(|a, b| a.path.cmp(&b.path));
    let outputs = outputs.into_iter().filter(|output| {
        let name = output.path.rsplit('/').next().unwrap_or_default();
        !name.starts_with('_') && !output.text.trim().is_empty()
    });
    let outputs: Vec<Arc<Output>> = outputs.map(Arc::new).collect();
    let separators =
        |output: &Arc<Output>| memchr::memmem::find_iter(output.text.as_bytes(), "\n---").count();
    if outputs.iter().map(separators).sum::<usize>() > MAX_OBJECTS {
        let most = outputs.iter().max_by_key(|output| separators(output));
        return Err(Error::new(
            "helm/limit",
            format!("the templates write more than {MAX_OBJECTS} objects"),
        )
        .at(most.map_or(Span::NONE, |output| output.file.span(sources, 1, 1)))
        .help("look for a loop that does not end; split the chart if it means to"));
    }
    let documents = outputs
        .iter()
        .flat_map(|output| {
            let documents = split(&output.text).into_iter();
            documents.map(move |(start, document)| (output, start, document))
        })
        .collect::<Vec<_>>();
    let bytes: usize = outputs.iter().map(|output| output.text.len()).sum();
    let read = |(_, _, document): &(_, _, &str)| match parsed {
        Some(parsed) if with_objects => parsed.head(document, || read(document, true)),
        _ => read(document, with_objects),
    };
    let heads: Vec<_> = if load::is_worth_threads(bytes, MANY_BYTES) {
        documents.par_iter().map(read).collect()
    } else {
        documents.iter().map(read).collect()
    };
    let mut sorted = Sorted::default();
    for ((output, start, document), head) in documents.into_iter().zip(heads) {
        let origin = Origin {
            output: output.clone(),
            start,
        };
        add(&mut sorted, document, head, origin, sources)?;
    }
    sorted
        .manifests
        .sort_by(|a, b| order::compare(&a.kind, &b.kind));
    sorted
        .hooks
        .sort_by(|a, b| order::compare(&a.manifest.kind, &b.manifest.kind));
    Ok(sorted)
}

/// The most objects of a release: each takes some hundred bytes besides its text.
const MAX_OBJECTS: usize = 500_000;

/// What is written that several threads read, in bytes.
const MANY_BYTES: usize = 256 << 10;

/// The documents of a text that are not blank.
pub fn documents(text: &str) -> impl Iterator<Item = &str> {
    split(text).into_iter().map(|(_, document)| document)
}

/// The documents of a text that are not blank, with their offsets.
///
/// Compat: whatever begins a line with `---` separates, be it followed by
/// something; blanks around a document are cut at its beginning alone.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let body = text.trim_start();
    let first = text.len() - body.len();
    let mut start = first;
    let mut push = |from: usize, to: usize| {
        let document = text.get(from..to).unwrap_or_default();
        let trimmed = document.trim_start();
        if !trimmed.is_empty() {
            documents.push((to - trimmed.len(), trimmed));
        }
    };
    let bytes = text.as_bytes();
    let mut at = first;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.starts_with(b"---") {
            push(start, at);
            let blanks = rest[3..].iter().take_while(|b| matches!(b, b' ' | b'\t'));
            start = at + 3 + blanks.count();
            at = start;
        }
        match memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default()) {
            Some(line) => at += line + 1,
            None => break,
        }
    }
    push(start, text.len());
    documents
}

/// The fields of an object that Helm looks at.
const HEAD: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// What Helm looks at in an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    api_version: Arc<str>,
    kind: Arc<str>,
    name: Arc<str>,
    namespace: Arc<str>,
    annotations: Vec<(Arc<str>, Arc<str>)>,
}

impl Head {
    fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations
            .iter()
            .find(|(key, _)| &**key == name)
            .map(|(_, value)| &**value)
    }
}

/// A document, read.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    head: Head,
    /// The object, where it is wanted and a newline behind the text changes
    /// nothing in it.
    object: Option<Node>,
    /// Its number among the documents that are kept.
    pub(super) number: Option<usize>,
}

impl Read {
    fn new(head: Head, object: Option<Node>) -> Read {
        Read {
            head,
            object,
            number: None,
        }
    }
}

/// Reads what Helm looks at, and with it the object where that is wanted.
fn read(document: &str, with_object: bool) -> Result<Read> {
    let text = yaml::text::decode(document.as_bytes())?;
    let is_head = |key: &str| HEAD.iter().any(|name| key.eq_ignore_ascii_case(name));
    let parse = || yaml::parse_one(&text, FileId::default());
    if !with_object {
        let Some(value) = yaml::decode_entries(&text, FileId::default(), is_head)? else {
            return Ok(Read::default());
        };
        return match head(&value) {
            Ok(head) => Ok(Read::new(head, None)),
            Err(error) => Err(error.at(parse()?.map_or(Span::NONE, |node| node.span()))),
        };
    }
    let Some(node) = parse()? else {
        return Ok(Read::default());
    };
    let value = yaml::decode_entries_of(&node, is_head)?;
    let head = head(&value).map_err(|e| e.at(node.span()))?;
    Ok(Read::new(head, (!ends_in_block(&node)).then_some(node)))
}

/// Whether what stands last is a block scalar, whose end depends on newlines.
fn ends_in_block(node: &Node) -> bool {
    match node.data() {
        Data::Sequence(items) => items.last().is_some_and(ends_in_block),
        Data::Mapping(entries) => entries.last().is_some_and(|e| ends_in_block(&e.value)),
        Data::Scalar(_) => matches!(node.style(), Style::Literal | Style::Folded),
        Data::Alias(_) => false,
    }
}

fn head(value: &Value) -> Result<Head> {
    let wrong = |message: String| Error::new("helm/manifest-invalid", message);
    let namespace = value
        .get("metadata")
        .and_then(|metadata| metadata.get("namespace"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut head = Head {
        namespace: namespace.into(),
        ..Head::default()
    };
    let Some(fields) = Fields::of(value, "SimpleHead.").map_err(wrong)? else {
        return Ok(head);
    };
    head.api_version = fields.text("apiVersion").map_err(wrong)?;
    head.kind = fields.text("kind").map_err(wrong)?;
    if let Some(metadata) = fields.value("metadata") {
        let metadata = Fields::of(metadata, "SimpleHead.metadata.").map_err(wrong)?;
        if let Some(metadata) = metadata {
            head.name = metadata.text("name").map_err(wrong)?;
            head.annotations = metadata
                .text_map("annotations")
                .map_err(wrong)?
                .unwrap_or_default();
        }
    }
    Ok(head)
}

fn add(
    sorted: &mut Sorted,
    document: &str,
    read: Result<Read>,
    origin: Origin,
    sources: &SourceMap,
) -> Result<()> {
    let Read {
        head,
        object,
        number,
    } = read.map_err(|e| {
        let path = &origin.output.path;
        let line = e.span().line.max(1);
        Error::new(
            "helm/manifest-invalid",
            format!("YAML parse error on {path}: line {line}: {}", e.message()),
        )
        .at(origin.line(line, sources))
        .help("render with --debug to see what the template writes")
    })?;
    let hook = head.annotation(HOOK).map(str::to_owned);
    let weight = head
        .annotation(HOOK_WEIGHT)
        .and_then(|weight| crate::gostd::strconv::atoi(weight).ok())
        .unwrap_or_default();
    let delete_policies = head
        .annotation(HOOK_DELETE_POLICY)
        .map(|policies| {
            policies
                .split(',')
                .map(|policy| policy.trim().to_lowercase())
                .collect()
        })
        .unwrap_or_default();
    let manifest = Manifest {
        path: origin.output.path.clone(),
        content: document.into(),
        api_version: head.api_version,
        kind: head.kind,
        name: head.name,
        namespace: head.namespace,
        origin,
        read: object,
        number,
    };
    let Some(hook) = hook else {
        sorted.manifests.push(manifest);
        return Ok(());
    };
    let events: Option<Vec<HookEvent>> = hook
        .split(',')
        .map(|event| HookEvent::of(&event.trim().to_lowercase()))
        .collect();
    match events {
        Some(events) => sorted.hooks.push(Hook {
            manifest,
            events,
            weight,
            delete_policies,
        }),
        None => sorted.unknown_hooks.push((manifest, hook)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_split_at_every_line_that_begins_so() {
        let texts = |text| -> Vec<&str> { split(text).into_iter().map(|d| d.1).collect() };
        assert_eq!(texts("\n\na: 1\n---\nb: 2\n"), ["a: 1\n", "b: 2\n"]);
        assert_eq!(texts("---\n---  \n # c\n--- a: 1"), ["# c\n", "a: 1"]);
        assert_eq!(texts("a: 1\n---b: 2\n----\n"), ["a: 1\n", "b: 2\n", "-\n"]);
        assert_eq!(texts("a: '\n ---'\n"), ["a: '\n ---'\n"]);
        assert_eq!(texts(" \n---\n \n"), Vec::<&str>::new());
        assert_eq!(split(" \n a: 1\n---\n  b\n"), [(3, "a: 1\n"), (14, "b\n")]);
    }
}
