//! Cases of strategic merges; the expectations are what kustomize 5.8.1 gives.

use super::*;
use crate::diag::FileId;
use crate::yaml::{self, emit};

fn parse(text: &str) -> Node {
    yaml::parse_one(text, FileId::default()).unwrap().unwrap()
}

fn merged(object: &str, patch: &str) -> String {
    let mut node = parse(object);
    let api = OpenApi::new();
    match merge(&mut node, &parse(patch), &api, &mut Links::default()) {
        Ok(Outcome::Deleted) => "deleted".to_owned(),
        Ok(Outcome::Merged) => {
            let mut out = String::new();
            emit::sorted(&node, &mut out).unwrap();
            out
        }
        Err(e) => format!("{}: {e}", e.rule()),
    }
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: a
        image: old
        args: [x]
      - name: b
        image: old
";

fn patch(containers: &str) -> String {
    format!("apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n{containers}")
}

#[test]
fn mappings_merge_and_nulls_go() {
    assert_eq!(
        merged("a: 1\nb: {c: 2}\n", "b: {d: 3}\n"),
        "a: 1\nb:\n  c: 2\n  d: 3\n"
    );
    assert_eq!(merged("a: 1\nb: 2\n", "b: null\n"), "a: 1\n");
    assert_eq!(
        merged("a: 1\n", "b: {c: null, d: 1}\n"),
        "a: 1\nb:\n  d: 1\n"
    );
    // What was null stays if it was written out.
    assert_eq!(merged("a: null\nb:\nc: 1\n", "c: 2\n"), "a: null\nc: 2\n");
}

#[test]
fn directives_of_mappings() {
    assert_eq!(merged("a: {b: 1}\n", "a: {$patch: delete}\n"), "{}\n");
    assert_eq!(
        merged("a: {b: 1}\n", "a: {$patch: replace, c: 2}\n"),
        "a:\n  c: 2\n"
    );
    assert_eq!(
        merged("a: {b: 1}\n", "a: {$patch: merge, c: 2}\n"),
        "a:\n  b: 1\n  c: 2\n"
    );
    assert_eq!(merged("a: 1\n", "$patch: delete\n"), "deleted");
    // The whole object cannot be replaced.
    assert_eq!(merged("a: 1\n", "$patch: replace\nb: 1\n"), "a: 1\n");
    assert_eq!(
        merged("a: {b: 1}\n", "a: {$patch: drop}\n"),
        "kustomize/patch: unknown directive `$patch: drop`"
    );
}

#[test]
fn kinds_must_agree() {
    assert_eq!(
        merged("a: {b: 1}\n", "a: [1]\n"),
        "kustomize/wrong-kind: the patch has a list where the object has a mapping"
    );
}

#[test]
fn unknown_lists_are_replaced() {
    assert_eq!(
        merged("a: [{name: x}]\n", "a: [{name: y}]\n"),
        "a:\n- name: \"y\"\n"
    );
}

#[test]
fn known_lists_merge_by_key() {
    let out = merged(
        DEPLOYMENT,
        &patch("      containers:\n      - name: b\n        image: new\n      - name: c\n"),
    );
    let names: Vec<&str> = out.lines().filter(|l| l.contains("name:")).collect();
    assert_eq!(
        names.join(""),
        "        name: b      - name: c        name: a"
    );
    assert!(out.contains("image: new\n        name: b"), "{out}");
}

#[test]
fn directives_of_items_and_lists() {
    let out = merged(
        DEPLOYMENT,
        &patch("      containers:\n      - name: a\n        $patch: delete\n"),
    );
    assert!(!out.contains("name: a") && out.contains("name: b"), "{out}");
    let out = merged(
        DEPLOYMENT,
        &patch("      containers:\n      - $patch: replace\n      - name: c\n"),
    );
    assert!(!out.contains("name: a") && out.contains("name: c"), "{out}");
    // A single item cannot be replaced.
    let out = merged(
        DEPLOYMENT,
        &patch("      containers:\n      - name: a\n        $patch: replace\n        image: new\n"),
    );
    assert!(!out.contains("new") && out.contains("- x"), "{out}");
}
