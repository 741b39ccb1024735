//! Answers of Flux's library, see `testdata/envsubst/SOURCE`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Answers {
    vars: BTreeMap<String, String>,
    /// Text, strict or not, the result in hexadecimal, or the error.
    cases: Vec<(String, bool, String, String)>,
}

#[test]
fn as_the_library_answers() {
    let answers: Answers =
        serde_json::from_str(include_str!("../../../testdata/envsubst/cases.json")).unwrap();
    assert!(answers.cases.len() > 300);
    let mut wrong = Vec::new();
    for (text, is_strict, want, error) in answers.cases {
        let value = |name: &str| answers.vars.get(name).map(String::as_str);
        let (got, said) = match substitute(&text, is_strict, value) {
            Ok(output) => {
                check_replacements(&text, &output);
                (hex::encode(output.bytes), String::new())
            }
            // The library crashes there.
            Err(e) if matches!(e.kind, ErrorKind::Length(_)) => (String::new(), "panic".into()),
            Err(e) => (String::new(), e.to_string()),
        };
        if (&got, &said) != (&want, &error) {
            wrong.push(format!("{text:?}: {got} {said}, not {want} {error}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

/// Outside of the replacements both texts are the same, and each replacement
/// stands where it says.
fn check_replacements(text: &str, output: &Output) {
    let (mut input_at, mut output_at) = (0, 0);
    for replacement in &output.replacements {
        let Replacement {
            input, output: out, ..
        } = replacement;
        assert_eq!(
            &text.as_bytes()[input_at..input.start],
            &output.bytes[output_at..out.start]
        );
        let from = &text[input.clone()];
        match &replacement.variable {
            Some(name) => assert!(from.starts_with("${") && from.contains(&**name), "{from}"),
            None => assert_eq!(from, "$$"),
        }
        (input_at, output_at) = (input.end, out.end);
    }
    assert_eq!(&text.as_bytes()[input_at..], &output.bytes[output_at..]);
}

fn value(name: &str) -> Option<&'static str> {
    match name {
        "region" => Some("eu-west-1"),
        "empty" => Some(""),
        _ => None,
    }
}

#[test]
fn what_was_asked_for_and_where_it_went() {
    let text = "a ${region/-/_} $${x} ${missing:-${empty}!}";
    let output = substitute(text, false, value).unwrap();
    assert_eq!(output.bytes, b"a eu_west-1 ${x} !");
    let places: Vec<_> = output
        .replacements
        .iter()
        .map(|r| {
            let out = String::from_utf8_lossy(&output.bytes[r.output.clone()]);
            (
                &text[r.input.clone()],
                out.into_owned(),
                r.variable.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ("${region/-/_}", "eu_west-1".to_owned(), Some("region")),
            ("$$", "$".to_owned(), None),
            ("${missing:-${empty}!}", "!".to_owned(), Some("missing")),
        ]
    );
    let uses: Vec<_> = output
        .uses
        .iter()
        .map(|u| {
            (
                &*u.variable,
                &text[u.input.clone()],
                u.is_set,
                u.has_default,
            )
        })
        .collect();
    assert_eq!(
        uses,
        [
            ("region", "${region/-/_}", true, false),
            ("empty", "${empty}", true, false),
            ("missing", "${missing:-${empty}!}", false, true),
        ]
    );
}

#[test]
fn errors_say_where_and_what_to_do() {
    for (text, message, offset, rule, help) in [
        (
            "a: ${missing}",
            "variable not set (strict mode): \"missing\"",
            3,
            "subst/unresolved",
            "give `missing` a value, a default as in `${missing:-default}`, or write \
             `$${missing}` to keep it as it is",
        ),
        (
            "é ${a-b}",
            "missing closing brace",
            3,
            "subst/invalid",
            "a name has letters, digits and `_` only, and `}` or an operator after it; write \
             `$${` for a literal `${`",
        ),
        (
            "${a:=${}}",
            "unable to parse variable name",
            5,
            "subst/invalid",
            "name a variable after `${`, or write `$${` for a literal `${`",
        ),
        (
            "${region:2:-1}",
            "negative length: `-1`",
            0,
            "subst/invalid",
            "give a length of zero or more, or none for all the rest",
        ),
    ] {
        let error = substitute(text, true, value).unwrap_err();
        assert_eq!((&*error.to_string(), error.offset), (message, offset));
        let sources = crate::diag::SourceMap::new();
        let span = Span::new(sources.add("a.yaml", text), 1, 1);
        let finding = error.at(span).to_finding(&sources);
        assert_eq!(&*finding.rule, rule);
        assert_eq!(finding.help.as_deref(), Some(help));
        assert_eq!(finding.location.unwrap().line, 1);
    }
}

#[test]
fn nesting_ends() {
    let nested = |depth| "${a:-".repeat(depth) + "x" + &"}".repeat(depth);
    let output = substitute(&nested(parse::MAX_DEPTH), true, value).unwrap();
    assert_eq!(output.bytes, b"x");
    let error = substitute(&nested(100_000), true, value).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooDeep);
}

#[test]
fn long_values_are_trimmed_in_time() {
    let long: &'static str = Box::leak("ab/".repeat(1 << 20).into_boxed_str());
    let expand = |text| substitute(text, true, |_| Some(long));
    let length = |text| expand(text).unwrap().bytes.len();
    assert_eq!(length("${x#*/}"), long.len() - 3);
    assert_eq!(length("${x##*/}"), 0);
    assert_eq!(length("${x%/*b*}"), long.len() - 4);
    assert_eq!(length("${x##*no}"), long.len());
    assert_eq!(length("${x%%c}"), long.len());
    assert_eq!(expand("${x#?}").unwrap_err().kind, ErrorKind::TooLong);
}

#[test]
fn names_of_variables() {
    for name in ["a", "_", "A_1"] {
        assert!(is_variable_name(name), "{name}");
    }
    for name in ["", "1", "a-b", "a.b", "é", "a\n"] {
        assert!(!is_variable_name(name), "{name}");
    }
}

proptest::proptest! {
    #[test]
    fn escaped_text_comes_back(text in r"(\PC|[${}\n]){0,30}") {
        let output = substitute(&text.replace('$', "$$"), true, value).unwrap();
        proptest::prop_assert_eq!(output.bytes, text.as_bytes());
    }

    #[test]
    fn no_text_panics(text in r"(\$\{(region|empty|x)?[-:=/#%^,*?\[\]\\0-9a-z}$]{0,8}|\PC|[${}]){0,8}") {
        if let Ok(output) = substitute(&text, false, value) {
            check_replacements(&text, &output);
        }
    }
}
