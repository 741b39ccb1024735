//! Flux objects in a file, rewritten for the API versions of a Flux version.
//!
//! In: a file's text and its documents. Out: the text with `apiVersion`s and
//! renamed fields changed, every other byte as it was, and what was changed.
//! What a rewrite of single lines cannot do is told.

use std::ops::Range;

use super::FluxVersion;
use super::api::{self, HELM, KUSTOMIZE, SOURCE};
use crate::diag::Span;
use crate::resource::ResId;
use crate::yaml::{Document, Node};

/// Something that was changed, or that somebody has to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub span: Span,
    /// What was done, or is to be done, in words.
    pub what: String,
    /// Whether it was done.
    pub is_done: bool,
    /// The object.
    pub object: ResId,
}

/// Rewrites a file; none where nothing is to be changed.
pub fn migrate(text: &str, documents: &[Document], flux: FluxVersion) -> (String, Vec<Change>) {
    let mut migration = Migration {
        text,
        lines: line_starts(text),
        edits: Vec::new(),
        changes: Vec::new(),
        flux,
    };
    for document in documents {
        migration.document(&document.root, 0);
    }
    (apply(text, migration.edits), migration.changes)
}

struct Edit {
    range: Range<usize>,
    text: String,
}

struct Migration<'a> {
    text: &'a str,
    lines: Vec<usize>,
    edits: Vec<Edit>,
    changes: Vec<Change>,
    flux: FluxVersion,
}

/// Fields that later versions have under another name, or not at all.
struct Field {
    group: &'static str,
    kind: &'static str,
    path: &'static [&'static str],
    then: Then,
}

enum Then {
    /// It has no effect: its line goes.
    Remove,
    /// It has become a list of another name.
    List(&'static str),
    /// Somebody has to do it: how.
    Tell(&'static str),
}

const FIELDS: &[Field] = &[
    Field {
        group: HELM,
        kind: "HelmRelease",
        path: &["spec", "chart", "spec", "valuesFile"],
        then: Then::List("valuesFiles"),
    },
    Field {
        group: SOURCE,
        kind: "GitRepository",
        path: &["spec", "gitImplementation"],
        then: Then::Remove,
    },
    Field {
        group: KUSTOMIZE,
        kind: "Kustomization",
        path: &["spec", "validation"],
        then: Then::Remove,
    },
    Field {
        group: KUSTOMIZE,
        kind: "Kustomization",
        path: &["spec", "patchesStrategicMerge"],
        then: Then::Tell("write each patch as text under `spec.patches`, as `- patch: |`"),
    },
    Field {
        group: KUSTOMIZE,
        kind: "Kustomization",
        path: &["spec", "patchesJson6902"],
        then: Then::Tell("write each entry under `spec.patches`, its operations as text"),
    },
    Field {
        group: SOURCE,
        kind: "GitRepository",
        path: &["spec", "accessFrom"],
        then: Then::Tell("it was never in effect; take it out"),
    },
];

impl Migration<'_> {
    fn document(&mut self, node: &Node, depth: usize) {
        if depth < 8
            && node
                .str_at("kind")
                .is_some_and(|kind| kind.ends_with("List"))
        {
            for item in node.get("items").map_or(&[][..], Node::items) {
                self.document(item, depth + 1);
            }
        }
        let id = ResId::of(node);
        let Some((kind, version)) = api::kind_of(&id.gvk) else {
            return;
        };
        let Some(written) = node.get("apiVersion") else {
            return;
        };
        let newest = kind
            .versions
            .iter()
            .find(|v| v.deprecated.is_none() && v.is_served_by(self.flux));
        let Some(newest) = newest else { return };
        let is_old = version.is_none_or(|v| {
            !v.is_served_by(self.flux) || v.deprecated.is_some_and(|m| m <= self.flux.minor())
        });
        if is_old {
            let (from, to) = (
                id.gvk.api_version(),
                format!("{}/{}", kind.group, newest.name),
            );
            let found = self
                .offset(written.span())
                .and_then(|at| self.find(at, &from));
            let is_done = found.is_some();
            if let Some(at) = found {
                self.edits.push(Edit {
                    range: at..at + from.len(),
                    text: to.clone(),
                });
            }
            self.change(
                &id,
                written.span(),
                format!("`{from}` becomes `{to}`"),
                is_done,
            );
        }
        let fields = FIELDS
            .iter()
            .filter(|f| f.group == kind.group && f.kind == kind.name);
        for field in fields {
            self.field(node, &id, field);
        }
    }

    fn field(&mut self, object: &Node, id: &ResId, field: &Field) {
        let Some((last, way)) = field.path.split_last() else {
            return;
        };
        let Some(entry) = object.at_path(way).and_then(|parent| parent.entry(last)) else {
            return;
        };
        let span = entry.key.span();
        let name = field.path.join(".");
        match field.then {
            Then::Tell(how) => self.change(id, span, format!("`{name}` is gone: {how}"), false),
            Then::Remove => {
                let line = self.whole_line(span, last, &entry.value);
                let is_done = line.is_some();
                self.edits.extend(line.map(|range| Edit {
                    range,
                    text: String::new(),
                }));
                self.change(
                    id,
                    span,
                    format!("`{name}` has no effect and goes"),
                    is_done,
                );
            }
            Then::List(new) => {
                let range = self.whole_line(span, last, &entry.value);
                let rewritten = range.and_then(|range| {
                    let line = self.text.get(range.clone())?;
                    let (key, value) = line.split_once(':')?;
                    let (value, rest) = match value.split_once(" #") {
                        Some((value, comment)) => (value, format!(" #{comment}")),
                        None => (value, "\n".repeat(usize::from(value.ends_with('\n')))),
                    };
                    let key = key.replacen(last, new, 1);
                    let text = format!("{key}: [{}]{rest}", value.trim());
                    Some(Edit { range, text })
                });
                let is_done = rewritten.is_some();
                self.edits.extend(rewritten);
                self.change(
                    id,
                    span,
                    format!("`{name}` becomes the list `{new}`"),
                    is_done,
                );
            }
        }
    }

    fn change(&mut self, id: &ResId, span: Span, what: String, is_done: bool) {
        self.changes.push(Change {
            span,
            what,
            is_done,
            object: id.clone(),
        });
    }

    /// The line of an entry, its line break included, where the line holds the
    /// entry and nothing else.
    fn whole_line(&self, key: Span, name: &str, value: &Node) -> Option<Range<usize>> {
        let index = usize::try_from(key.line).ok()?.checked_sub(1)?;
        let start = *self.lines.get(index)?;
        let end = self
            .lines
            .get(index + 1)
            .copied()
            .unwrap_or(self.text.len());
        let line = self.text.get(start..end)?;
        let alone = line.trim_start().starts_with(name)
            && value.is_scalar()
            && value.span().line == key.line
            && !matches!(
                value.style(),
                crate::yaml::Style::Literal | crate::yaml::Style::Folded
            );
        // A scalar that goes on in the next line is indented further there.
        let next = self
            .lines
            .get(index + 1)
            .and_then(|next| self.text.get(*next..));
        let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let goes_on = next.is_some_and(|next| {
            let next = next.lines().next().unwrap_or_default();
            !next.trim().is_empty() && indent(next) > indent(line)
        });
        (alone && !goes_on).then_some(start..end)
    }

    /// The byte where a place is.
    fn offset(&self, span: Span) -> Option<usize> {
        let start = *self
            .lines
            .get(usize::try_from(span.line).ok()?.checked_sub(1)?)?;
        let rest = self.text.get(start..)?;
        let column = usize::try_from(span.column).ok()?.checked_sub(1)?;
        let (at, _) = rest.char_indices().nth(column)?;
        Some(start + at)
    }

    /// Where a text stands at a place, be it behind a quote.
    fn find(&self, at: usize, wanted: &str) -> Option<usize> {
        let rest = self.text.get(at..)?;
        let skipped = rest.len() - rest.trim_start_matches(['"', '\'']).len();
        let at = at + skipped;
        self.text.get(at..)?.starts_with(wanted).then_some(at)
    }
}

fn line_starts(text: &str) -> Vec<usize> {
    let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
    std::iter::once(0).chain(breaks).collect()
}

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.range.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        // An alias can bring a place twice.
        if edit.range.start < at {
            continue;
        }
        out.push_str(text.get(at..edit.range.start).unwrap_or_default());
        out.push_str(&edit.text);
        at = edit.range.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    #[track_caller]
    fn check(before: &str, after: &str) -> Vec<(String, bool)> {
        let documents = crate::yaml::parse(before, FileId::default()).unwrap();
        let (text, changes) = migrate(before, &documents, FluxVersion::NEWEST);
        assert_eq!(text, after);
        changes.into_iter().map(|c| (c.what, c.is_done)).collect()
    }

    #[test]
    fn versions_change_and_nothing_else_does() {
        let changes = check(
            "# top\n---\napiVersion:   \"helm.toolkit.fluxcd.io/v2beta1\"  # old\nkind: \
             HelmRelease\r\nmetadata: {name: a}\n---\nkind: Alert\napiVersion: \
             notification.toolkit.fluxcd.io/v1beta2\n---\napiVersion: v1\nkind: ConfigMap\n",
            "# top\n---\napiVersion:   \"helm.toolkit.fluxcd.io/v2\"  # old\nkind: \
             HelmRelease\r\nmetadata: {name: a}\n---\nkind: Alert\napiVersion: \
             notification.toolkit.fluxcd.io/v1beta3\n---\napiVersion: v1\nkind: ConfigMap\n",
        );
        assert_eq!(changes.len(), 2);
        assert!(changes.iter().all(|(_, is_done)| *is_done));
    }

    #[test]
    fn fields_are_renamed_and_removed() {
        check(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  chart:\n    \
             spec:\n      valuesFile: a.yaml # why\n      chart: x\n",
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  chart:\n    \
             spec:\n      valuesFiles: [a.yaml] # why\n      chart: x\n",
        );
        check(
            "apiVersion: source.toolkit.fluxcd.io/v1beta1\nkind: GitRepository\nspec:\n  \
             gitImplementation: libgit2\n  url: x\n",
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nspec:\n  url: x\n",
        );
    }

    #[test]
    fn what_takes_more_is_told() {
        let text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  \
                    patchesStrategicMerge:\n  - kind: X\n";
        let changes = check(text, text);
        assert_eq!(
            changes,
            [(
                "`spec.patchesStrategicMerge` is gone: write each patch as text under \
                 `spec.patches`, as `- patch: |`"
                    .into(),
                false
            )]
        );
    }
}
