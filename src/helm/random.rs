//! What is told of values that a chart's templates made up.
//!
//! Such values come from a seed and the place of the call, so that two builds
//! never differ. Who knows the chart can make them again, unless the seed is
//! secret: that is what the findings are for.

use super::chart::ChartFile;
use super::manifest::{Manifest, Output};
use crate::diag::{FileId, Finding, Severity, SourceMap};
use crate::gotmpl::{RandomCall, Seed};
use crate::yaml::{self, Data, Node};

/// What is told of the calls that wrote into one template's output.
pub(super) fn findings<'m>(
    output: &Output,
    manifests: impl Iterator<Item = &'m Manifest>,
    seed: &Seed,
    file_of: impl Fn(&str) -> Option<std::sync::Arc<ChartFile>>,
    sources: &SourceMap,
) -> Vec<Finding> {
    let manifests: Vec<&Manifest> = manifests
        .filter(|manifest| manifest.path == output.path)
        .collect();
    let is_secret = matches!(seed, Seed::Secret(_));
    let mut told: Vec<(&str, u32)> = Vec::new();
    let mut findings = Vec::new();
    for call in &output.random {
        if is_secret && !call.is_clock || told.contains(&(&*call.file, call.place)) {
            continue;
        }
        told.push((&*call.file, call.place));
        let landing = manifests.iter().find_map(|manifest| {
            let offset = manifest.origin.offset_of(call.output)?;
            (offset < manifest.content.len()).then_some((*manifest, offset))
        });
        findings.push(finding(call, landing, output, &file_of, sources));
    }
    findings
}

fn finding(
    call: &RandomCall,
    landing: Option<(&Manifest, usize)>,
    output: &Output,
    file_of: &impl Fn(&str) -> Option<std::sync::Arc<ChartFile>>,
    sources: &SourceMap,
) -> Finding {
    let function = call.function;
    let field = landing.and_then(|(manifest, offset)| field_at(&manifest.content, offset));
    let place = match (landing, &field) {
        (Some((manifest, _)), Some(field)) => {
            format!(" in `{field}` of {} `{}`", manifest.kind, manifest.name)
        }
        (Some((manifest, _)), None) => format!(" in {} `{}`", manifest.kind, manifest.name),
        (None, _) => String::new(),
    };
    let (severity, message, help) = if call.is_clock {
        (
            Severity::Info,
            format!("`{function}` gives the time of the build, not of the installation{place}"),
            "set the time by --now, or take the value from the chart's values",
        )
    } else {
        (
            Severity::Warning,
            format!("`{function}` makes a value that anybody can make again{place}"),
            "give the value yourself, or keep its seed secret by --seed-file",
        )
    };
    // What `tpl` was given has no file.
    let span = match file_of(&call.file) {
        Some(file) => match file.template() {
            Ok(Ok(source)) => {
                let (line, column) = source.line_and_column(call.place);
                file.span(sources, line, column)
            }
            _ => file.span(sources, 1, 1),
        },
        None => output.file.span(sources, 1, 1),
    };
    let mut finding = Finding::new("render/random", severity, message)
        .at(span, sources)
        .help(help);
    if let Some((manifest, _)) = landing {
        finding = finding.object(manifest.object());
    }
    if let Some(field) = field {
        finding = finding.path(field);
    }
    finding
}

/// The JSON pointer of the field that stands at an offset of an object's text.
fn field_at(text: &str, offset: usize) -> Option<String> {
    let before = text.get(..offset)?;
    let line = u32::try_from(before.matches('\n').count() + 1).ok()?;
    let root = yaml::parse_one(text, FileId::default()).ok()??;
    let mut path = String::new();
    let mut node = &root;
    while let Some((token, below)) = child_at(node, line) {
        path.push('/');
        path.push_str(&token.replace('~', "~0").replace('/', "~1"));
        node = below;
    }
    (!path.is_empty()).then_some(path)
}

/// The last child that begins no later than a line.
fn child_at(node: &Node, line: u32) -> Option<(String, &Node)> {
    match node.data() {
        Data::Mapping(entries) => entries
            .iter()
            .rev()
            .find(|entry| entry.key.span().line <= line)
            .and_then(|entry| Some((entry.key.text()?.to_owned(), &entry.value))),
        Data::Sequence(items) => items
            .iter()
            .enumerate()
            .rev()
            .find(|(_, item)| item.span().line <= line)
            .map(|(i, item)| (i.to_string(), item)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_behind_a_place() {
        let text =
            "kind: Secret\ndata:\n  a: x\n  b~c: |\n    line\n    more\nlist:\n- d: 1\n  e: 2\n";
        let at = |needle: &str| field_at(text, text.find(needle).unwrap());
        assert_eq!(at("Secret").as_deref(), Some("/kind"));
        assert_eq!(at("x\n").as_deref(), Some("/data/a"));
        assert_eq!(at("more").as_deref(), Some("/data/b~0c"));
        assert_eq!(at("2\n").as_deref(), Some("/list/0/e"));
        assert_eq!(field_at("just text", 3), None);
    }
}
