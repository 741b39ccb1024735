//! Answers of Masterminds/semver, see `testdata/gostd/SOURCE`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Answers {
    versions: Vec<VersionAnswer>,
    ranges: Vec<RangeAnswer>,
}

#[derive(Deserialize)]
struct VersionAnswer {
    #[serde(rename = "t")]
    text: String,
    #[serde(rename = "l")]
    lenient: String,
    #[serde(rename = "s")]
    strict: String,
    /// Another version, and how this one compares to it.
    #[serde(rename = "c")]
    compared: (String, i8),
}

#[derive(Deserialize)]
struct RangeAnswer {
    #[serde(rename = "t")]
    text: String,
    #[serde(rename = "e")]
    error: String,
    #[serde(rename = "v")]
    checked: BTreeMap<String, bool>,
}

fn answers() -> Answers {
    serde_json::from_str(include_str!("../../../testdata/gostd/semver.json")).unwrap()
}

fn said(result: Result<Version, VersionError>) -> String {
    match result {
        Err(e) => format!("error: {e}"),
        Ok(v) => format!(
            "{}|{}|{}|{}|{}|{}|{v}",
            v.major(),
            v.minor(),
            v.patch(),
            v.prerelease(),
            v.metadata(),
            v.original()
        ),
    }
}

#[test]
fn versions() {
    let versions = answers().versions;
    assert!(versions.len() >= 200);
    for answer in versions {
        let text = &answer.text;
        assert_eq!(said(Version::parse(text)), answer.lenient, "{text}");
        assert_eq!(said(Version::parse_strict(text)), answer.strict, "{text}");
        if let Ok(version) = Version::parse(text) {
            let (other, ordering) = answer.compared;
            let other = Version::parse(&other).unwrap();
            assert_eq!(version.cmp(&other) as i8, ordering, "{text} and {other}");
        }
    }
}

#[test]
fn ranges() {
    let ranges = answers().ranges;
    assert!(ranges.len() >= 200);
    for answer in ranges {
        let text = &answer.text;
        match Constraints::parse(text) {
            Err(e) => assert_eq!(e.to_string(), answer.error, "{text}"),
            Ok(range) => {
                assert_eq!(answer.error, "", "{text}");
                for (version, is_in) in answer.checked {
                    let checked = range.check(&Version::parse(&version).unwrap());
                    assert_eq!(checked, is_in, "{version} in {text}");
                }
            }
        }
    }
}

#[test]
fn the_latest_in_a_range() {
    let versions = [
        "v1.2.0",
        "1.10.0",
        "1.9",
        "2.0.0-rc.1",
        "latest",
        "1.10.0+b",
    ];
    let range = |text| Constraints::parse(text).unwrap();
    let latest = |text| latest(versions, &range(text), |_| ()).map(|i| versions[i]);
    assert_eq!(latest(">=1"), Some("1.10.0"));
    assert_eq!(latest("1.2.x"), Some("v1.2.0"));
    assert_eq!(latest(">=1-0"), Some("2.0.0-rc.1"));
    // Two parts are not enough.
    assert_eq!(latest("~1.9"), None);
    // The younger of two that are equal.
    let tied = super::latest(versions, &range("1.10.0"), |i| i);
    assert_eq!(tied, Some(5));
}

proptest::proptest! {
    #[test]
    fn a_printed_version_is_the_same(
        numbers: [u64; 3],
        prerelease in "(-(0|[1-9][0-9]?|[a-z-]{1,3})(\\.[a-z]{1,2})?)?",
    ) {
        let [major, minor, patch] = numbers;
        let text = format!("{major}.{minor}.{patch}{prerelease}");
        let version = Version::parse_strict(&text).unwrap();
        proptest::prop_assert_eq!(version.to_string(), text.clone());
        let range = Constraints::parse(&format!("={text}")).unwrap();
        proptest::prop_assert!(range.check(&version));
        let range = Constraints::parse(&format!("<{text} || >{text}")).unwrap();
        proptest::prop_assert!(!range.check(&version));
    }

    #[test]
    fn no_range_panics(text in r"[-0-9xX*.,|<>=!~^v+ a\u{e9}]{0,24}") {
        let _ = Constraints::parse(&text);
        let _ = Version::parse(&text);
        let _ = Version::parse_strict(&text);
    }
}
