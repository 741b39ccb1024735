//! What is told of values that a chart's templates made up.
//!
//! Such values come from a seed and the place of the call, so that two builds
//! never differ. Who knows the chart can make them again, unless the seed is
//! secret: that is what the findings are for.
//!
//! Where the result of a call lands is known by the result itself, and by what
//! functions made of it: so a value that is hashed, or kept for another template,
//! is told where it arrives. What cannot be known again (a few characters, a
//! time) lands in what differs when the release is rendered with another result
//! for that call alone; so does a value that is only decided on. A value that is
//! made and not used is not told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::again::Sites;
use super::chart::ChartFile;
use super::manifest::{Manifest, Output, Sorted};
use crate::diag::{FileId, Finding, Severity, SourceMap};
use crate::gotmpl::{RandomCall, Seed, Site};
use crate::yaml::{self, Data, Node};

/// How many calls are looked at one by one; those behind them are looked at
/// together.
const MAX_SITES: usize = 32;

/// How many fields of one object a message names.
const MAX_FIELDS: usize = 3;

/// The calls that are to be told, each place once: those whose results are random,
/// unless the seed is secret, or depend on the time. What is both counts as what
/// it asks for first.
pub(super) fn calls(outputs: &[Output], seed: &Seed) -> Vec<RandomCall> {
    let is_secret = matches!(seed, Seed::Secret(_));
    let mut sites = BTreeSet::new();
    outputs
        .iter()
        .flat_map(|output| &output.random)
        .filter(|call| sites.insert((&call.file, call.place)))
        .filter(|call| call.is_clock || !is_secret)
        .cloned()
        .collect()
}

/// An object and the fields in it where a result lands.
pub(super) type Landing = (Manifest, Vec<String>);

/// What is told of calls: where their results land.
///
/// `known` are the landings of calls whose results are known again, by their
/// places. `differing` says which objects differ, and in which fields, when the
/// calls at some places give something else; none where that cannot be seen.
pub(super) fn findings(
    calls: &[RandomCall],
    known: &BTreeMap<Site, Vec<Landing>>,
    differing: impl Fn(&Sites) -> Option<Vec<Landing>>,
    place: impl Fn(&RandomCall) -> crate::diag::Span,
    sources: &SourceMap,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut tell = |call: &RandomCall, landings: Option<&[Landing]>| {
        let span = place(call);
        let Some(landings) = landings else {
            findings.push(finding(call, None).at(span, sources));
            return;
        };
        for (manifest, fields) in landings {
            let landing = finding(call, Some((manifest, fields)));
            findings.push(landing.at(span, sources));
        }
    };
    let (found, open): (Vec<&RandomCall>, Vec<&RandomCall>) = calls
        .iter()
        .partition(|call| known.contains_key(&call.site()));
    for call in found {
        tell(call, known.get(&call.site()).map(Vec::as_slice));
    }
    let sites = |calls: &[&RandomCall]| calls.iter().map(|call| call.site()).collect();
    // Nearly always, nothing comes of any of them.
    if open.len() > 1 && differing(&sites(&open)).is_some_and(|landings| landings.is_empty()) {
        return findings;
    }
    let singles = open.len().min(MAX_SITES - 1);
    let (first, rest) = open
        .split_at_checked(singles)
        .unwrap_or((open.as_slice(), &[]));
    for group in first.chunks(1).chain(rest.chunks(rest.len().max(1))) {
        let Some(call) = group.first() else { continue };
        tell(call, differing(&sites(group)).as_deref());
    }
    findings
}

fn finding(call: &RandomCall, landing: Option<(&Manifest, &[String])>) -> Finding {
    let function = call.function;
    let place = landing.map_or_else(String::new, |(manifest, fields)| {
        let fields = fields.iter().filter(|field| !field.is_empty());
        let mut named: Vec<String> = fields.map(|field| format!("`{field}`")).collect();
        let more = named.len().saturating_sub(MAX_FIELDS);
        if more > 0 {
            named.truncate(MAX_FIELDS);
            named.push(format!("{more} more"));
        }
        let of = match (named.pop(), &named[..]) {
            (None, _) => String::new(),
            (Some(only), []) => format!("{only} of "),
            (Some(last), others) => format!("{} and {last} of ", others.join(", ")),
        };
        format!(" in {of}{} `{}`", manifest.kind, manifest.name)
    });
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
    let mut finding = Finding::new("render/random", severity, message).help(help);
    if let Some((manifest, fields)) = landing {
        finding = finding.object(manifest.object());
        if let Some(field) = fields.first().filter(|field| !field.is_empty()) {
            finding = finding.path(field.clone());
        }
    }
    finding
}

/// The objects that differ, and the fields in them; none where the objects are
/// not the same ones.
pub(super) fn differences(before: &Sorted, after: &Sorted) -> Option<Vec<Landing>> {
    if before.len() != after.len() {
        return None;
    }
    let mut found = Vec::new();
    for (a, b) in before.all().zip(after.all()) {
        if (&a.path, &a.kind) != (&b.path, &b.kind) {
            return None;
        }
        if a.content != b.content {
            let fields = differing_fields(&a.content, &b.content);
            // What differs in comments alone is no value.
            if fields.as_ref().is_none_or(|fields| !fields.is_empty()) {
                found.push((a.clone(), fields.unwrap_or_default()));
            }
        }
    }
    Some(found)
}

/// JSON pointers of what differs; none for what cannot be read.
fn differing_fields(before: &str, after: &str) -> Option<Vec<String>> {
    let parse = |text| yaml::parse_one(text, FileId::default()).ok()?;
    let mut fields = Vec::new();
    compare(
        &parse(before)?,
        &parse(after)?,
        &mut String::new(),
        &mut fields,
    );
    Some(fields)
}

fn compare(before: &Node, after: &Node, path: &mut String, fields: &mut Vec<String>) {
    let mut below = |token: &str, before: &Node, after: &Node| {
        let length = path.len();
        path.push('/');
        path.push_str(&crate::diag::pointer::escape(token));
        compare(before, after, path, fields);
        path.truncate(length);
    };
    match (before.data(), after.data()) {
        (Data::Mapping(a), Data::Mapping(b))
            if a.len() == b.len()
                && a.iter()
                    .zip(&**b)
                    .all(|(a, b)| a.key.text() == b.key.text()) =>
        {
            for (a, b) in a.iter().zip(&**b) {
                below(a.key.text().unwrap_or_default(), &a.value, &b.value);
            }
        }
        (Data::Sequence(a), Data::Sequence(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(&**b).enumerate() {
                below(&i.to_string(), a, b);
            }
        }
        (Data::Scalar(a), Data::Scalar(b)) if a == b => {}
        (Data::Alias(a), Data::Alias(b)) if a.0 == b.0 => {}
        _ => fields.push(path.clone()),
    }
}

/// The place of a call; of what `tpl` was given, which has no file, the first
/// line of the chart's description.
pub(super) fn place_of(
    call: &RandomCall,
    file: Option<&Arc<ChartFile>>,
    description: &ChartFile,
    sources: &SourceMap,
) -> crate::diag::Span {
    let Some(file) = file else {
        return description.span(sources, 1, 1);
    };
    match file.template() {
        Ok(Ok(source)) => {
            let (line, column) = source.line_and_column(call.place);
            file.span(sources, line, column)
        }
        _ => file.span(sources, 1, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_differ() {
        let fields = |a, b| differing_fields(a, b).map(|fields| fields.join(" "));
        let text = "kind: Secret\ndata:\n  a: x\n  b~c: |\n    one\nlist:\n- d: 1\n  e/f: 2\n";
        assert_eq!(fields(text, text).as_deref(), Some(""));
        let other = text.replace("one", "two").replace("f: 2", "f: 3");
        assert_eq!(
            fields(text, &other).as_deref(),
            Some("/data/b~0c /list/0/e~1f")
        );
        let longer = text.replace("- d", "- d: 0\n- d");
        assert_eq!(fields(text, &longer).as_deref(), Some("/list"));
        let renamed = text.replace("a: x", "z: x");
        assert_eq!(fields(text, &renamed).as_deref(), Some("/data"));
        assert_eq!(fields("a: 1 # x\n", "a: 1 # y\n").as_deref(), Some(""));
        assert_eq!(fields("a", "b: ["), None);
    }
}
