//! What must hold for every template, its values, and every chart archive: used
//! by the fuzz targets and by the tests that replay their inputs.

use std::sync::Arc;

use fluxwright::diag::{FileId, SourceMap};
use fluxwright::gotmpl::{
    self, Environment, Limits, Machine, MissingKey, ParseError, Set, Source, Value, World,
};
use fluxwright::helm::{Capabilities, Chart, ReleaseOptions, RenderOptions, UserValues, render};
use fluxwright::yaml::{self, resolve::Version};

/// Little enough for a fuzzer to run often.
const LIMITS: Limits = Limits {
    steps: 20_000,
    bytes: 1 << 20,
    depth: 500,
};

fn parsed(text: &str) -> Result<Source, ParseError> {
    gotmpl::parse(Arc::<str>::from(text), gotmpl::functions::all())
}

/// Nothing panics; what is wrong is in a line that is there.
pub(crate) fn parse(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(error) = parsed(&text) {
        let lines = text.matches('\n').count() + 1;
        assert!(error.line >= 1 && error.line as usize <= lines + 1);
        assert!(!error.message_in("fuzz").is_empty());
    }
}

/// The first line is YAML, the value; the rest the template. Nothing panics,
/// and the same template writes the same text again.
pub(crate) fn execute(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (values, template) = text.split_once('\n').unwrap_or(("", &text));
    let value = match yaml::parse_one(values, FileId::default()) {
        Ok(Some(node)) => yaml::decode(&node, Version::V2).unwrap_or_default(),
        _ => yaml::Value::Null,
    };
    let first = executed(template, &value);
    assert_eq!(first, executed(template, &value));
}

fn executed(template: &str, value: &yaml::Value) -> Option<Result<String, String>> {
    let source = Arc::new(parsed(template).ok()?);
    let mut set = Set::new();
    set.add(Arc::<str>::from("fuzz"), source).ok()?;
    let set = Arc::new(set);
    gotmpl::with_large_stack(move || {
        let mut machine = Machine::new(Environment {
            missing_key: MissingKey::Zero,
            functions: gotmpl::functions::all().clone(),
            limits: LIMITS,
            world: World::default(),
        });
        let rendering = machine.render(&set, "fuzz", Value::from_yaml(value));
        Some(match rendering {
            Ok(rendering) => Ok(rendering.text.to_string()),
            Err(failure) => Err(failure.helm_message()),
        })
    })
}

/// The first line is a layout, the others are arguments in YAML.
pub(crate) fn printf(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (layout, arguments) = text.split_once('\n').unwrap_or((&text, ""));
    let mut entries = yaml::Map::new();
    entries.insert("layout".into(), yaml::Value::String(layout.into()));
    let mut template = String::from("{{ printf .layout");
    for (i, argument) in arguments.lines().take(8).enumerate() {
        let value = match yaml::parse_one(argument, FileId::default()) {
            Ok(Some(node)) => yaml::decode(&node, Version::V2).unwrap_or_default(),
            _ => yaml::Value::Null,
        };
        entries.insert(format!("a{i}").into(), value);
        template.push_str(&format!(" .a{i}"));
    }
    template.push_str(" }}");
    let value = yaml::Value::Mapping(entries);
    assert!(executed(&template, &value).is_some());
}

/// Nothing panics; what is a chart renders within its limits.
pub(crate) fn archive(data: &[u8]) {
    let sources = SourceMap::new();
    let Ok(chart) = Chart::from_archive(data, "fuzz.tgz", &sources) else {
        return;
    };
    let options = RenderOptions {
        limits: LIMITS,
        ..RenderOptions::default()
    };
    let _ = render(
        &chart,
        &UserValues::new(),
        &ReleaseOptions::new("fuzz", "default"),
        &Arc::new(Capabilities::default()),
        &options,
        &sources,
    );
}
