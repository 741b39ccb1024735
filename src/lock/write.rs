//! The lockfile as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ChartPin, ChartRequest, Lockfile, Pin, Signed, VERSION};
use crate::artifact::Digest;

const TITLE: &str =
    "# Every input of this repository, by digest. Written by `fluxwright lock`: commit it,
# and leave the editing to that command.
";

impl Lockfile {
    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut out = format!("{TITLE}version: {VERSION}\n");
        if !self.sources.is_empty() {
            out.push_str("sources:\n");
        }
        for (request, locked) in &self.sources {
            out.push('\n');
            line(&mut out, "- name", &request.source.to_string());
            line(&mut out, "  url", &request.url);
            if !request.reference.is_empty() {
                out.push_str("  ref:\n");
            }
            for (key, value) in &request.reference {
                line(&mut out, &format!("    {key}"), value);
            }
            if let Some(pin) = &locked.pin {
                write_pin(&mut out, pin);
                write_signed(&mut out, locked.signed.get(&pin.digest), "  ");
            }
            write_charts(&mut out, &locked.charts, &locked.signed);
        }
        if !self.dependencies.is_empty() {
            out.push_str("\ndependencies:\n");
        }
        for (url, charts) in &self.dependencies {
            out.push('\n');
            line(&mut out, "- url", url);
            write_charts(&mut out, charts, &BTreeMap::new());
        }
        if !self.remotes.is_empty() {
            out.push_str("\nremotes:\n");
        }
        for (url, pin) in &self.remotes {
            out.push('\n');
            line(&mut out, "- url", url);
            write_pin(&mut out, pin);
        }
        out
    }
}

fn write_charts(
    out: &mut String,
    charts: &BTreeMap<ChartRequest, ChartPin>,
    signed: &BTreeMap<Digest, Signed>,
) {
    if !charts.is_empty() {
        out.push_str("  charts:\n");
    }
    for (chart, pin) in charts {
        line(out, "  - chart", &chart.name);
        line(out, "    range", &chart.range);
        line(out, "    version", &pin.version);
        line(out, "    digest", &pin.digest.to_string());
        write_signed(out, signed.get(&pin.digest), "    ");
    }
}

fn write_pin(out: &mut String, pin: &Pin) {
    if !pin.revision.is_empty() {
        line(out, "  revision", &pin.revision);
    }
    line(out, "  digest", &pin.digest.to_string());
}

fn write_signed(out: &mut String, signed: Option<&Signed>, indent: &str) {
    let Some(signed) = signed else { return };
    let mut list = |key: &str, items: Vec<String>| {
        if !items.is_empty() {
            let _ = writeln!(out, "{indent}{key}:");
        }
        for item in items {
            let _ = writeln!(out, "{indent}- {item}");
        }
    };
    let signatures = signed.signatures.iter().map(ToString::to_string);
    list("signatures", signatures.collect());
    list(
        "verified",
        signed.verified.iter().map(|s| scalar(s)).collect(),
    );
}

fn line(out: &mut String, key: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{key}: {}", scalar(value));
}

/// A text as a YAML scalar that every reader takes for a string.
fn scalar(text: &str) -> String {
    // Words that some version of YAML takes for a boolean or null; numbers
    // begin with no letter.
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-@:+".contains(c);
    // Nor is anything with an `@` in it.
    let begins_plain =
        |c: char| c.is_ascii_alphabetic() || (c.is_ascii_digit() && text.contains('@'));
    if text.starts_with(begins_plain)
        && text.chars().all(is_plain)
        && !text.ends_with(':')
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
    {
        return text.to_owned();
    }
    let is_printed = |c: char| matches!(c, ' '..='~') || c.is_alphanumeric();
    if text.chars().all(is_printed) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            c if is_printed(c) => write!(quoted, "{c}"),
            c => write!(quoted, "\\U{:08X}", u32::from(c)),
        };
    }
    quoted.push('"');
    quoted
}
