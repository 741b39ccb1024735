//! The YAML module against what the Go libraries print, and against itself.

use std::path::{Path, PathBuf};

use fluxwright::diag::{FileId, Result};
use fluxwright::yaml::resolve::Version;
use fluxwright::yaml::{self, Value, emit};
use proptest::prelude::*;

use crate::fuzz_corpus::yaml_entries as entries;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/yaml")
}

/// Every document as kustomize prints it.
fn sorted(text: &[u8]) -> Result<String> {
    let text = yaml::text::decode(text)?;
    let mut out = String::new();
    for document in yaml::parse(&text, FileId::default())? {
        out.push_str("---\n");
        emit::sorted(&document.root, &mut out)?;
    }
    Ok(out)
}

/// The first document as sigs.k8s.io/yaml reads and prints it.
fn sigs(text: &[u8]) -> Result<String> {
    let text = yaml::text::decode(text)?;
    let value = match yaml::parse_one(&text, FileId::default())? {
        Some(root) => yaml::decode(&root, Version::V2)?,
        None => Value::Null,
    };
    let mut out = String::new();
    emit::sorted_value(&value, &mut out)?;
    Ok(out)
}

fn written(text: &[u8], indent: emit::Indent) -> Result<String> {
    let text = yaml::text::decode(text)?;
    let documents = yaml::parse(&text, FileId::default())?;
    let mut out = String::new();
    emit::documents_as_written(&documents, indent, &mut out);
    Ok(out)
}

type Printer = fn(&[u8]) -> Result<String>;

const PRINTERS: [(&str, Printer); 4] = [
    ("sorted", sorted),
    ("sigs", sigs),
    ("wide", |text| written(text, emit::Indent::Wide(4))),
    ("compact", |text| written(text, emit::Indent::Compact)),
];

#[test]
fn cases_are_printed_as_the_go_libraries_print_them() {
    let mut count = 0;
    for case in std::fs::read_dir(testdata().join("cases")).unwrap() {
        let folder = case.unwrap().path();
        let text = std::fs::read(folder.join("in.yaml")).unwrap();
        for (name, print) in PRINTERS {
            let file = folder.join(name).with_extension("yaml");
            let want = std::fs::read_to_string(&file).unwrap();
            let got = print(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            assert_eq!(got, want, "{}", file.display());
            count += 1;
        }
    }
    assert!(count >= 60, "{count} files");
}

#[track_caller]
fn check_table(name: &str, at_least: usize) {
    let table = std::fs::read_to_string(testdata().join(name)).unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&table).unwrap();
    assert!(rows.len() >= at_least);
    for row in rows {
        let text = row["text"].as_str().unwrap();
        for (name, print) in PRINTERS {
            let want = row.get(name).and_then(serde_json::Value::as_str);
            match (print(text.as_bytes()), want) {
                (Ok(got), Some(want)) => assert_eq!(got, want, "{name} of {text:?}"),
                (Err(_), None) => {}
                (Ok(got), None) => panic!("{name} of {text:?} is taken, and gives {got:?}"),
                (Err(e), Some(_)) => panic!("{name} of {text:?} is refused: {e}"),
            }
        }
    }
}

#[test]
fn edges_are_taken_and_refused_as_by_the_go_libraries() {
    check_table("edges.json", 500);
}

#[test]
fn generated_documents_are_printed_as_by_the_go_libraries() {
    check_table("generated.json", 500);
}

#[test]
fn nodes_are_where_their_spans_say() {
    let mut count = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml" || e == "json") {
                entries::parse(&std::fs::read(&path).unwrap());
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count} files");
}

/// Texts that are likely to be YAML, or nearly.
fn yaml_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b: ",
        "c:\n",
        "- ",
        "-\n",
        "? ",
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "# x\n",
        " # y\n",
        "\n\n",
        "|\n",
        ">-\n",
        "|+\n",
        "'",
        "\"",
        "\\",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "!t ",
        "!!str ",
        "---\n",
        "...\n",
        "<<: ",
        "true",
        "1.5",
        "~",
        "é",
        "\t",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "plain words",
        "k1: v1\n",
        "  k2: v2\n",
        "- i1\n",
        "  - i2\n",
        "%YAML 1.1\n",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_can_be_read(text in yaml_text()) {
        entries::parse(text.as_bytes());
    }

    #[test]
    fn what_is_printed_means_the_same(text in yaml_text()) {
        entries::round_trip(text.as_bytes());
    }

    #[test]
    fn any_string_survives_both_printers(text in "\\PC*|[ -~\n\t]*|[#:,\\[\\]{}&*!|>'\"%@` \n-]*") {
        let span = fluxwright::diag::Span::NONE;
        if !entries::is_faithful(&yaml::Node::string(text.as_str(), span)) {
            return Ok(());
        }
        let mut value = String::new();
        emit::sorted_value(&Value::String(text.as_str().into()), &mut value).unwrap();
        let node = yaml::parse_one(&value, FileId::default()).unwrap().unwrap();
        let decoded = yaml::decode(&node, Version::V2).unwrap();
        prop_assert_eq!(decoded.as_str(), Some(text.as_str()), "{:?}", value);

        let node = yaml::Node::string(text.as_str(), span);
        let mut written = String::new();
        emit::as_written(&node, emit::Indent::Compact, &mut written);
        let read = yaml::parse(&written, FileId::default()).unwrap();
        prop_assert_eq!(read[0].root.as_str(), Some(text.as_str()), "{:?}", written);
    }
}
