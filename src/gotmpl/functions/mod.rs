//! The functions that templates may call.
//!
//! Each family is a file with a table, and a line in [`FAMILIES`]; the page
//! `docs/functions.md` is made from these tables. Compat notes name the
//! library that a family follows.

// Functions take their arguments as the tables declare them.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]

mod builtin;
mod case;
mod certificates;
mod convert;
mod data;
mod dates;
mod der;
mod dicts;
mod durations;
mod encodings;
mod flow;
mod keys;
mod lists;
mod logic;
mod math;
mod passwords;
mod paths;
mod primes;
mod printf;
mod random;
mod regex;
mod text;
mod toml;
mod url;
mod versions;

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use super::function::{Function, Functions};
pub(crate) use printf::{item, items};

use super::value::{IntType, Value};

/// Functions that belong together.
#[derive(Debug)]
pub struct Family {
    /// What they are about.
    pub title: &'static str,
    /// Where they come from.
    pub origin: &'static str,
    /// The functions.
    pub functions: &'static [Function],
}

/// All families; where two have a function of one name, the later counts.
pub const FAMILIES: &[Family] = &[
    Family {
        title: "Go templates",
        origin: "text/template",
        functions: builtin::FUNCTIONS,
    },
    Family {
        title: "Texts",
        origin: "sprig",
        functions: text::FUNCTIONS,
    },
    Family {
        title: "Upper and lower case",
        origin: "sprig",
        functions: case::FUNCTIONS,
    },
    Family {
        title: "Lists",
        origin: "sprig",
        functions: lists::FUNCTIONS,
    },
    Family {
        title: "Dicts",
        origin: "sprig",
        functions: dicts::FUNCTIONS,
    },
    Family {
        title: "Defaults, choices and types",
        origin: "sprig",
        functions: logic::FUNCTIONS,
    },
    Family {
        title: "Numbers",
        origin: "sprig",
        functions: math::FUNCTIONS,
    },
    Family {
        title: "Regular expressions",
        origin: "sprig",
        functions: regex::FUNCTIONS,
    },
    Family {
        title: "Versions",
        origin: "sprig",
        functions: versions::FUNCTIONS,
    },
    Family {
        title: "Paths and addresses",
        origin: "sprig",
        functions: paths::FUNCTIONS,
    },
    Family {
        title: "Encodings and digests",
        origin: "sprig",
        functions: encodings::FUNCTIONS,
    },
    Family {
        title: "Dates",
        origin: "sprig",
        functions: dates::FUNCTIONS,
    },
    Family {
        title: "Durations",
        origin: "Helm",
        functions: durations::FUNCTIONS,
    },
    Family {
        title: "Random values",
        origin: "sprig",
        functions: random::FUNCTIONS,
    },
    Family {
        title: "Passwords and encryption",
        origin: "sprig",
        functions: passwords::FUNCTIONS,
    },
    Family {
        title: "Keys and certificates",
        origin: "sprig",
        functions: certificates::FUNCTIONS,
    },
    Family {
        title: "YAML and JSON",
        origin: "Helm and sprig",
        functions: data::FUNCTIONS,
    },
    Family {
        title: "TOML",
        origin: "Helm",
        functions: toml::FUNCTIONS,
    },
    Family {
        title: "Templates and the world",
        origin: "Helm",
        functions: flow::FUNCTIONS,
    },
];

/// All functions.
pub fn all() -> &'static Arc<Functions> {
    static ALL: OnceLock<Arc<Functions>> = OnceLock::new();
    ALL.get_or_init(|| {
        let families: Vec<_> = FAMILIES.iter().map(|family| family.functions).collect();
        Arc::new(Functions::new(&families))
    })
}

/// The method of a value that has one of that name.
pub(super) fn method(value: &Value, name: &str) -> Option<&'static Function> {
    let methods = match value {
        Value::Map(map) => map.map_type().methods,
        Value::Object(object) => object.methods(),
        Value::Int(_, IntType::Duration) => durations::METHODS,
        Value::Int(_, IntType::Month | IntType::Weekday) => dates::NAMED_METHODS,
        _ => return None,
    };
    methods.iter().find(|method| method.name == name)
}

/// What `String()` of an integer gives, where its type has that.
pub(super) fn int_text(i: i64, kind: IntType) -> Option<String> {
    match kind {
        IntType::Int | IntType::Int32 | IntType::Int64 => None,
        IntType::Duration => Some(crate::gostd::duration::format(i)),
        IntType::Month => Some(dates::month_name(i)),
        IntType::Weekday => Some(dates::weekday_name(i)),
    }
}

/// The page about all functions, `docs/functions.md`.
pub fn reference() -> String {
    let mut page = String::from(PREFACE);
    for family in FAMILIES {
        let _ = write!(page, "\n## {}\n\nFrom {}.\n\n", family.title, family.origin);
        page.push_str("| function | gives | type |\n| --- | --- | --- |\n");
        for function in family.functions {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} |",
                function.usage().replace('|', "\\|"),
                function.doc.replace('|', "\\|"),
                plain_type(function.signature.result.name()),
            );
        }
    }
    page
}

/// What users call a type of Go.
fn plain_type(name: &'static str) -> &'static str {
    match name {
        "reflect.Value" | "interface {}" => "any",
        "[]interface {}" | "[]string" | "[]int" => "list",
        "map[string]interface {}" | "map[string]string" => "dict",
        "bool" => "boolean",
        "string" => "text",
        "int" | "int64" => "integer",
        "float64" => "float",
        "time.Time" => "time",
        "time.Duration" => "duration",
        "sprig.certificate" => "certificate",
        other => other,
    }
}

const PREFACE: &str = "\
# Functions of templates

What templates of charts may call: all of Helm 4.3's. This page is made from the
tables in `src/gotmpl/functions/`; `cargo test --lib write_functions -- --ignored`
writes it again.

Arguments are in capital letters, `...` stands for any number of the last one. A
value that is piped in is the last argument. Random functions, and those that
read a clock, give the same in every run: [charts.md](charts.md) says how.
";

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]

    use std::fs;

    use super::*;

    const PAGE: &str = "docs/functions.md";

    #[test]
    fn the_page_is_current() {
        let page = fs::read_to_string(PAGE).unwrap();
        assert!(page == reference(), "run the test `write_functions`");
    }

    #[test]
    #[ignore = "writes docs/functions.md"]
    fn write_functions() {
        fs::write(PAGE, reference()).unwrap();
    }

    #[test]
    fn every_function_is_told_of() {
        for function in FAMILIES.iter().flat_map(|family| family.functions) {
            let doc = function.doc;
            assert!(doc.len() > 5, "{}", function.name);
            assert!(!doc.contains('\n'), "{}", function.name);
        }
    }
}
