//! Reports that are templates.
//!
//! In: a template and the data that it is given. Out: text. A template reads
//! nothing else, and has so much fuel and no more.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::escape;
use crate::diag::{Error, Result};

/// How much the program's own templates may cost, which a very large fleet asks
/// for: an instruction costs one, and so do 64 bytes of text that it makes.
pub(super) const FUEL: u64 = 50_000_000;

/// How much a user's own template may cost: some seconds, and no more text than
/// fits into memory.
pub(super) const FUEL_OF_USERS: u64 = 5_000_000;

fn environment<'a>(fuel: u64) -> Environment<'a> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    // Only delimiters of a user's choice could be refused.
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(fuel));
    environment.set_auto_escape_callback(|name| {
        if name.contains(".html") {
            AutoEscape::Html
        } else {
            AutoEscape::None
        }
    });
    environment.add_filter("fence", escape::fence);
    environment.add_filter("code", escape::code);
    environment.add_filter("tag", escape::tag);
    environment.add_filter("plain", escape::plain);
    environment
}

/// A template filled in.
///
/// # Errors
///
/// `report/template`, with the line, for a template that is none, asks for what
/// is not there, or does not end.
pub(super) fn render(name: &str, source: &str, data: &impl Serialize, fuel: u64) -> Result<String> {
    let environment = environment(fuel);
    let refused = |e: &minijinja::Error| {
        let place = e.line().map_or(String::new(), |n| format!(", line {n}"));
        let detail = e.detail().map_or(String::new(), |d| format!(": {d}"));
        Error::new(
            "report/template",
            format!("the template `{name}`{place}: {}{detail}", e.kind()),
        )
        .help("docs/diff.md and docs/ci.md list what a template is given")
    };
    environment
        .render_named_str(name, source, Value::from(Serde(data)))
        .map_err(|e| refused(&e))
}
