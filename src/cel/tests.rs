//! The table of answers that Kubernetes gives, and what it does not show.

use std::fmt::Write as _;

use super::value::{Key, Value};
use super::{Meter, Program};
use crate::gostd::regexp::Cache;
use crate::gostd::{duration, strconv};

fn map(entries: Vec<(&str, Value)>) -> Value {
    let entries = entries.into_iter();
    let map: super::Map = entries
        .map(|(name, value)| (Key::String(name.into()), value))
        .collect();
    map.into()
}

fn variable() -> Value {
    let item = |k| map(vec![("k", Value::Int(k))]);
    map(vec![
        ("name", "web".into()),
        ("replicas", Value::Int(3)),
        ("ratio", Value::Double(0.5)),
        ("tags", vec!["a".into(), "b".into()].into()),
        ("labels", map(vec![("app", "x".into())])),
        ("empty", "".into()),
        ("none", Value::Null),
        ("nested", map(vec![("list", vec![item(1), item(2)].into())])),
    ])
}

fn evaluate(text: &str, steps: u64) -> Result<Value, String> {
    let program = Program::compile(text, &["self"]).map_err(|e| e.to_string())?;
    let result = program.evaluate(
        &[("self", variable())],
        &mut Meter::new(steps, &Cache::default()),
    );
    result.map_err(|e| e.message)
}

/// A value as the table has it.
fn show(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Uint(u) => format!("{u}u"),
        Value::Double(d) => format!("double {}", strconv::format_float(*d)),
        Value::String(text) => strconv::quote(text),
        Value::Bytes(bytes) => format!("bytes {}", hex::encode(bytes)),
        Value::Duration(d) => format!("duration {}", duration::format(*d)),
        Value::Timestamp(t) => format!("timestamp {}", t.rfc3339()),
        Value::Optional(None) => "none".to_owned(),
        Value::Optional(Some(inner)) => format!("some {}", show(inner)),
        Value::List(list) => {
            let items: Vec<String> = list.items.iter().map(show).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let mut entries: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", show(&key.value()), show(value)))
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.type_name().to_owned(),
    }
}

#[test]
fn every_expression_has_kubernetes_value() {
    let table = include_str!("../../testdata/cel/expressions.txt");
    let mut wrong = String::new();
    let mut text = String::new();
    let mut count = 0;
    for line in table.lines() {
        if let Some(expected) = line.strip_prefix("  = ") {
            count += 1;
            let result = evaluate(&text, 100_000);
            let found = result.as_ref().map_or("error".to_owned(), show);
            if found != expected {
                writeln!(wrong, "{text}\n  is {result:?}, not {expected}").unwrap();
            }
            text.clear();
        } else if !line.starts_with('#') {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line);
        }
    }
    assert!(count > 350, "{count}");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn hostile_expressions_end_soon() {
    let deep = format!("{}1{}", "(".repeat(20_000), ")".repeat(20_000));
    assert!(evaluate(&deep, 1_000).unwrap_err().contains("too deeply"));
    // What is just allowed fits on the stack of a thread.
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    assert!(evaluate(&deep, 1_000).is_ok());
    assert!(evaluate(&vec!["1"; 190].join(" + "), 10_000).is_ok());
    let deep = "[1].map(x, ".repeat(60) + "1" + &")".repeat(60);
    assert!(evaluate(&deep, 10_000).is_ok());
    let long = vec!["self.name == 'a'"; 3_000].join(" || ");
    assert!(matches!(evaluate(&long, 100_000), Ok(Value::Bool(false))));
    let sum = vec!["1"; 2_000].join(" + ");
    assert!(evaluate(&sum, 100_000).unwrap_err().contains("too deeply"));
    let nested =
        "lists.range(1000).all(a, lists.range(1000).all(b, lists.range(1000).all(c, true)))";
    let error = evaluate(nested, 1_000_000).unwrap_err();
    assert_eq!(error, "the expression takes too many steps");
    // An error in one operand does not hide that the steps are used up.
    assert!(evaluate(&format!("true || {nested}"), 1_000_000).is_ok());
    assert!(evaluate(&format!("{nested} || true"), 1_000_000).is_err());
    let doubling = "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20].map(x, \
                    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replace('a', 'bbbbbbbbbbbbbbbbbbbb')\
                    .replace('b', 'cccccccccccccccccccc').replace('c', 'dddddddddddddddddddd'))";
    assert!(evaluate(doubling, 100_000).is_err());
}

#[test]
fn what_is_no_expression_says_where() {
    for (text, message) in [
        ("1 +", "unexpected the end at character 4"),
        ("self.a(", "unexpected the end at character 8"),
        ("nothing", "undeclared name `nothing` at character 1"),
        ("f(1)", "undeclared function `f` at character 1"),
        (
            "'a'.size(1)",
            "`size` has the wrong number of arguments at character 4",
        ),
        (
            "has(1)",
            "`has` asks for a field: `has(self.field)` at character 1",
        ),
        ("for", "`for` cannot be a name at character 1"),
        ("'\\q'", "unknown escape `\\q` at character 1"),
        ("1 # 2", "unexpected character `#` at character 3"),
        ("a.all(1, true)", "undeclared name `a` at character 1"),
        (
            "[1].all(1, true)",
            "expected the name of a variable, found a number at character 9",
        ),
        (
            "99999999999999999999",
            "this number is too large at character 1",
        ),
    ] {
        let error = Program::compile(text, &["self"]).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn a_program_knows_what_it_uses() {
    let program = Program::compile("self.a.all(oldSelf, oldSelf == 1)", &["self", "oldSelf"]);
    assert!(program.unwrap().uses("self"));
    let program = Program::compile("oldSelf.b == self", &["self", "oldSelf"]).unwrap();
    assert!(program.uses("oldSelf") && !program.uses("b"));
}
