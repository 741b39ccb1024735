//! Manifests as nodes that know the line of the template that wrote them.

use super::manifest::{Manifest, Origin};
use super::parsed::{Parsed, Written};
use super::render::Definition;
use crate::diag::{Error, FileId, Result, SourceMap, Span};
use crate::gotmpl::Mark;
use crate::yaml::{self, Node};

impl Manifest {
    /// The object, each node at its place in the template; none where there is
    /// none. What was `parsed` before is not parsed again.
    ///
    /// # Errors
    ///
    /// `helm/manifest-invalid` for what is no YAML.
    pub fn into_node(
        mut self,
        parsed: Option<&Parsed>,
        sources: &SourceMap,
    ) -> Result<Option<Node>> {
        let read = self.read.take();
        let places = Places::new(&self.origin, &self.content, sources);
        let make = || {
            let read = match read {
                Some(read) => Some(read),
                None => self.parse(sources)?,
            };
            let Some(mut root) = read else {
                return Ok(None);
            };
            match &places {
                Some(places) => Lines::of(places).put(&mut root),
                None => root.set_span(self.origin.line(1, sources)),
            }
            Ok(Some(root))
        };
        match (parsed, &places, self.number) {
            (Some(parsed), Some(places), Some(number)) => {
                parsed.placed(places.written(number), make)
            }
            _ => make(),
        }
    }

    fn parse(&self, sources: &SourceMap) -> Result<Option<Node>> {
        // Compat: every document is printed with a newline behind it.
        let text = format!("{}\n", self.content);
        yaml::parse_one(&text, FileId::default()).map_err(|e| {
            let line = e.span().line.max(1);
            Error::new(
                "helm/manifest-invalid",
                format!(
                    "YAML parse error on {}: line {line}: {}",
                    self.path,
                    e.message()
                ),
            )
            .at(self.origin.line(line, sources))
        })
    }
}

impl Definition {
    /// The objects in the file, at their places.
    ///
    /// # Errors
    ///
    /// `helm/manifest-invalid` for what is no YAML.
    pub fn nodes(&self, parsed: Option<&Parsed>, sources: &SourceMap) -> Result<Vec<Node>> {
        let file = self.file.span(sources, 1, 1).file;
        let read = || {
            let bytes = self.file.bytes()?;
            let text = yaml::text::decode(&bytes)?;
            let documents = yaml::parse(&text, file).map_err(|e| {
                Error::new("helm/manifest-invalid", e.message().to_owned()).at(e.span())
            })?;
            let roots = documents.into_iter().map(|d| d.root);
            Ok(roots.filter(|root| !root.is_null()).collect())
        };
        match parsed {
            Some(parsed) => parsed.definitions(file, read),
            None => read(),
        }
    }
}

/// From places in what a template wrote to places in the template.
struct Places<'m> {
    file: FileId,
    /// What each stretch of the object begins with: offset in the output, place
    /// in the template, and whether it is the template's own text.
    stretches: Vec<(usize, usize, bool)>,
    /// Where the object begins in the output.
    start: usize,
    text: &'m str,
    template: &'m str,
}

/// The same, with where lines begin, as offsets.
struct Lines<'p> {
    places: &'p Places<'p>,
    of_object: Vec<usize>,
    of_template: Vec<usize>,
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1))
        .collect()
}

impl<'m> Places<'m> {
    fn new(origin: &'m Origin, text: &'m str, sources: &SourceMap) -> Option<Places<'m>> {
        let Ok(Ok(source)) = origin.file().template() else {
            return None;
        };
        let (output, start, marks) = origin.parts();
        let template: &str = source.text();
        let end = start + text.len();
        let first = marks
            .partition_point(|m| m.output <= start)
            .saturating_sub(1);
        let stretches = marks
            .iter()
            .enumerate()
            .skip(first)
            .take_while(|(_, mark)| mark.output < end)
            .map(|(i, mark): (usize, &Mark)| {
                let until = marks.get(i + 1).map_or(output.len(), |next| next.output);
                let written = output.get(mark.output..until).unwrap_or_default();
                let place = mark.place as usize;
                let own = template
                    .get(place..)
                    .is_some_and(|t| t.starts_with(written));
                (mark.output, place, own)
            })
            .collect();
        Some(Places {
            file: origin.file().span(sources, 1, 1).file,
            stretches,
            start,
            text,
            template,
        })
    }

    /// The document as it is known by.
    fn written(&self, number: usize) -> Written {
        let from = |output: usize| {
            let [output, start] = [output, self.start].map(|n| isize::try_from(n).unwrap_or(0));
            output - start
        };
        let stretches = self.stretches.iter();
        Written {
            file: self.file,
            number,
            stretches: stretches
                .map(|(o, place, own)| (from(*o), *place, *own))
                .collect(),
        }
    }
}

impl<'p> Lines<'p> {
    fn of(places: &'p Places<'p>) -> Lines<'p> {
        Lines {
            places,
            of_object: line_starts(places.text),
            of_template: line_starts(places.template),
        }
    }

    fn put(&self, node: &mut Node) {
        node.set_span(self.place(node.span()));
        for item in node.items_mut().into_iter().flatten() {
            self.put(item);
        }
        for entry in node.entries_mut().into_iter().flatten() {
            let span = self.place(entry.key.span());
            entry.key.set_span(span);
            self.put(&mut entry.value);
        }
    }

    fn place(&self, span: Span) -> Span {
        let line_start = (span.line as usize)
            .checked_sub(1)
            .and_then(|line| self.of_object.get(line))
            .copied()
            .unwrap_or_default();
        let rest = self.places.text.get(line_start..).unwrap_or_default();
        let skipped = (span.column as usize).saturating_sub(1);
        let column: usize = rest.chars().take(skipped).map(char::len_utf8).sum();
        let at = self.places.start + line_start + column;
        let after = self
            .places
            .stretches
            .partition_point(|(output, ..)| *output <= at);
        let Some((output, place, own)) = after
            .checked_sub(1)
            .and_then(|i| self.places.stretches.get(i))
        else {
            return Span::new(self.places.file, 1, 1);
        };
        self.in_template(if *own { place + (at - output) } else { *place })
    }

    fn in_template(&self, place: usize) -> Span {
        let line = self.of_template.partition_point(|start| *start <= place);
        let start = line
            .checked_sub(1)
            .and_then(|i| self.of_template.get(i))
            .copied()
            .unwrap_or_default();
        let before = self.places.template.get(start..place).unwrap_or_default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span::new(
            self.places.file,
            number(line),
            number(before.chars().count() + 1),
        )
    }
}
