//! Answers of Go's `regexp`, see `testdata/gostd/SOURCE`.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "p")]
    pattern: String,
    #[serde(rename = "e", default)]
    error: String,
    #[serde(rename = "n", default)]
    names: Vec<String>,
    #[serde(rename = "t", default)]
    texts: Vec<Text>,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "t")]
    on: String,
    /// Starts and ends of groups, -1 for none.
    #[serde(rename = "m")]
    matches: Option<Vec<Vec<i64>>>,
    /// A template and what replacing by it gives.
    #[serde(rename = "r")]
    replaced: (String, String),
    #[serde(rename = "n")]
    limit: i64,
    #[serde(rename = "s")]
    split: Option<Vec<String>>,
}

fn flat(groups: &Submatches) -> Vec<i64> {
    let number = |n: usize| i64::try_from(n).unwrap();
    groups
        .iter()
        .flat_map(|range| match range {
            Some(range) => [number(range.start), number(range.end)],
            None => [-1, -1],
        })
        .collect()
}

#[test]
fn as_go_answers() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../testdata/gostd/regexp.json")).unwrap();
    assert!(cases.len() > 500);
    let mut wrong = Vec::new();
    for case in &cases {
        let pattern = &case.pattern;
        let regexp = match Regexp::new(pattern) {
            Err(e) => {
                if e.to_string() != case.error {
                    wrong.push(format!("{pattern:?}: {e}, not {:?}", case.error));
                }
                continue;
            }
            Ok(_) if !case.error.is_empty() => {
                wrong.push(format!("{pattern:?}: taken, not {}", case.error));
                continue;
            }
            Ok(regexp) => regexp,
        };
        let names: Vec<&str> = (regexp.group_names().iter())
            .map(|n| n.as_deref().unwrap_or_default())
            .collect();
        if names != case.names {
            wrong.push(format!("{pattern:?}: {names:?}, not {:?}", case.names));
        }
        for case in &case.texts {
            let text = &case.on;
            let all = regexp.find_all_submatches(text);
            let got: Vec<_> = all.iter().map(flat).collect();
            let want = case.matches.clone().unwrap_or_default();
            if got != want {
                wrong.push(format!("{pattern:?} on {text:?}: {got:?}, not {want:?}"));
                continue;
            }
            assert_eq!(regexp.is_match(text), !want.is_empty());
            assert_eq!(regexp.find_submatches(text).as_ref(), all.first());
            assert_eq!(
                regexp.find_all(text).map(Some).collect::<Vec<_>>(),
                all.iter().map(|g| g[0].clone()).collect::<Vec<_>>()
            );
            let (template, replaced) = &case.replaced;
            if regexp.replace_all(text, template) != *replaced {
                wrong.push(format!("{pattern:?} on {text:?} by {template:?}"));
            }
            if regexp.split(text, case.limit) != case.split.clone().unwrap_or_default() {
                wrong.push(format!("{pattern:?} splitting {text:?} in {}", case.limit));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}

fn error(pattern: &str) -> String {
    Regexp::new(pattern).unwrap_err().to_string()
}

/// Go's limits, tried on go1.26 at both sides of each.
#[test]
fn limits_are_those_of_go() {
    let nested =
        |open: &str, close: &str, n| Regexp::new(&(open.repeat(n) + "a" + &close.repeat(n)));
    let is_too_deep =
        |result: Result<Regexp, SyntaxError>| result.unwrap_err().kind == ErrorKind::NestingDepth;
    assert!(nested("(", ")", 999).unwrap().is_match("a"));
    assert!(is_too_deep(nested("(", ")", 1000)));
    assert!(nested("(?:", ")*", 999).is_ok());
    assert!(is_too_deep(nested("(?:", ")*", 1000)));
    assert!(nested("(a|", ")", 500).is_ok());
    assert!(is_too_deep(nested("(^", ")", 500)));
    // Groups that only group have no height of their own.
    assert!(nested("(?:", ")", 100_000).unwrap().is_match("a"));
    assert!(nested("(?:^", ")", 2000).is_ok());

    let copies = "(?:a{1000})".repeat(3356);
    let large = Regexp::new(&copies).unwrap_err();
    assert_eq!(large.kind, ErrorKind::Large);
    assert_eq!(large.expression(), copies);
    assert_eq!(
        error("((a{100}){10}){2}"),
        "error parsing regexp: invalid repeat count: `{2}`"
    );
    assert_eq!(
        error(&"(".repeat(100_000)),
        format!(
            "error parsing regexp: missing closing ): `{}`",
            "(".repeat(100_000)
        )
    );
}

#[test]
fn from_end_to_end() {
    let regexp = Regexp::anchored("a|ab").unwrap();
    assert!(regexp.is_match("ab") && regexp.is_match("a"));
    assert!(!regexp.is_match("abc") && !regexp.is_match("xa"));
    assert_eq!(
        Regexp::anchored("a)").unwrap_err().to_string(),
        "error parsing regexp: unexpected ): `^(?:a))$`"
    );
}

#[test]
fn quoting() {
    assert_eq!(
        quote_meta(r"a.b\+*?()|[]{}^$-é"),
        r"a\.b\\\+\*\?\(\)\|\[\]\{\}\^\$-é"
    );
}

proptest::proptest! {
    #[test]
    fn no_pattern_panics(pattern in r"(\PC|[\[\](){}|*+?^$.\\PpdwsQE]){0,20}", text in r"\PC{0,10}") {
        if let Ok(regexp) = Regexp::new(&pattern) {
            let _ = regexp.find_all_submatches(&text);
            let _ = regexp.replace_all(&text, &pattern);
        }
    }

    #[test]
    fn quoted_text_matches_itself(text in r"\PC{0,20}") {
        let regexp = Regexp::anchored(&quote_meta(&text)).unwrap();
        proptest::prop_assert!(regexp.is_match(&text));
    }

    #[test]
    fn splitting_loses_only_the_matches(text in "[ab,]{0,12}") {
        let parts = Regexp::new(",").unwrap().split(&text, -1);
        proptest::prop_assert_eq!(parts.join(","), text);
    }
}
