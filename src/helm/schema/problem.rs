//! What is wrong with values, in the words of Helm's library.
//!
//! Compat: `santhosh-tekuri/jsonschema` 6.0.3, `output.go`, `kind/kind.go`;
//! what has no order there, as in Go's maps, comes in the order of keys.

use crate::gostd::strconv;
use crate::yaml::Value;

/// Something wrong with a value.
#[derive(Debug)]
pub(super) struct Problem {
    /// The keys and indexes that lead to the value.
    pub(super) path: Vec<String>,
    pub(super) message: String,
    pub(super) kind: Kind,
    pub(super) causes: Vec<Problem>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of one keyword.
    Keyword,
    /// Several things are wrong.
    Group,
    /// What a reference leads to is wrong with it.
    Reference,
}

impl Problem {
    /// Appends its lines, and those of its causes.
    pub(super) fn write(&self, out: &mut String, level: usize) {
        let mut level = level;
        // A reference with one cause says nothing of its own.
        if self.kind != Kind::Reference || self.causes.len() != 1 {
            if !out.is_empty() {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n("  ", level));
            out.push_str("- at ");
            out.push_str(&quoted(&pointer(&self.path)));
            out.push_str(": ");
            out.push_str(&self.message);
            level += 1;
        }
        for cause in &self.causes {
            cause.write(out, level);
        }
    }

    /// The problems that have no cause but themselves.
    pub(super) fn leaves<'p>(&'p self, out: &mut Vec<&'p Problem>) {
        if self.causes.is_empty() {
            out.push(self);
        }
        for cause in &self.causes {
            cause.leaves(out);
        }
    }
}

/// `/a/b~1c`
fn pointer(path: &[String]) -> String {
    let mut out = String::new();
    for token in path {
        out.push('/');
        out.push_str(&crate::diag::pointer::escape(token));
    }
    out
}

/// Text in single quotes.
pub(super) fn quoted(text: &str) -> String {
    let quoted = strconv::quote(text);
    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
    format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"))
}

/// Texts in quotes, with commas between.
pub(super) fn all_quoted<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let quoted: Vec<String> = texts.into_iter().map(quoted).collect();
    quoted.join(", ")
}

/// A value that is neither a list nor a mapping.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => u.to_string(),
        Value::Float(f) => written(*f),
        Value::String(text) => quoted(text),
        Value::Sequence(_) | Value::Mapping(_) => "value".to_owned(),
    }
}

/// A number as it stands in a schema.
fn written(f: f64) -> String {
    if f.fract() == 0.0 && f.abs() < 1e21 {
        format!("{f:.0}")
    } else {
        strconv::format_float(f)
    }
}

/// A number as Go's printer for English writes it: `70,000`, `1.5×10⁰⁶`.
pub(super) fn number(f: f64) -> String {
    let text = strconv::format_float(f);
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let exponent: String = exponent.chars().filter_map(superscript).collect();
            format!("{digits}×10{exponent}")
        }
        None => grouped(&text),
    }
}

/// As [`number`], for a count.
pub(super) fn count(n: usize) -> String {
    grouped(&n.to_string())
}

/// Digits with commas between the thousands.
fn grouped(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push_str(fraction);
    out
}

fn superscript(c: char) -> Option<char> {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    match c.to_digit(10) {
        Some(digit) => DIGITS.get(usize::try_from(digit).ok()?).copied(),
        None => (c == '-').then_some('⁻'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (f, want) in [
            (70_000.0, "70,000"),
            (-1234.5, "-1,234.5"),
            (999.0, "999"),
            (1_234_567.891, "1.234567891×10⁰⁶"),
            (1e-7, "1×10⁻⁰⁷"),
        ] {
            assert_eq!(number(f), want);
        }
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(shown(&Value::Float(1_000_000.0)), "1000000");
        assert_eq!(quoted("a'b\"\n"), "'a\\'b\"\\n'");
    }
}
