//! Encrypted files, and what the repository's own `.sops.yaml` says of them.

use std::collections::BTreeSet;

use crate::artifact::ignore::regular_files;
use crate::artifact::path;
use crate::check::{Check, Out, Repository, Rule, View};
use crate::diag::Severity;
use crate::gostd::regexp::Regexp;
use crate::resource::Files;
use crate::yaml::{Document, Node};

pub(in crate::check) static UNPROTECTED: Rule = Rule {
    id: "secret/sops-mac",
    severity: Severity::Warning,
    title: "an encrypted file without a MAC",
    why: "The MAC binds all values of an encrypted file together: without it, values can be \
          exchanged and clear ones changed unseen. Flux takes an object without it for one that \
          is not encrypted, and applies the ciphertext.",
    mend: "Encrypt the file again with sops, and do not edit `sops` by hand.",
    bad: "\
-- secret.sops.yaml --
apiVersion: v1
kind: Secret
metadata:
  name: database
stringData:
  password: ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]
sops:
  lastmodified: '2026-01-01T00:00:00Z'
",
    good: "\
-- secret.sops.yaml --
apiVersion: v1
kind: Secret
metadata:
  name: database
stringData:
  password: ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]
sops:
  lastmodified: '2026-01-01T00:00:00Z'
  mac: ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]
",
    check: Check::Repository(unprotected),
};

pub(in crate::check) static RULES: Rule = Rule {
    id: "secret/sops-rules",
    severity: Severity::Warning,
    title: "a file that is not encrypted as .sops.yaml says",
    why: "`.sops.yaml` says which files are encrypted and for whom. A file whose name says that it \
          is encrypted and that is not was committed too early; one that was encrypted before a \
          key was added cannot be read with that key, which shows when it is needed.",
    mend: "`sops --encrypt --in-place FILE`; after a change of keys, `sops updatekeys FILE`.",
    bad: "\
-- .sops.yaml --
creation_rules:
- path_regex: \\.sops\\.yaml$
  age: age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq
-- secret.sops.yaml --
apiVersion: v1
kind: Secret
metadata:
  name: database
stringData:
  password: '${DB_PASSWORD}'
",
    good: "\
-- .sops.yaml --
creation_rules:
- path_regex: \\.sops\\.yaml$
  age: age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq
-- secret.sops.yaml --
apiVersion: v1
kind: Secret
metadata:
  name: database
stringData:
  password: ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]
sops:
  age:
  - recipient: age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq
  mac: ENC[AES256_GCM,data:Zm9v,iv:YQ==,tag:Yg==,type:str]
",
    check: Check::Repository(rules),
};

/// The YAML files of a repository, with their documents; those that cannot be
/// read are told of elsewhere.
fn manifests(files: &Files) -> Vec<(String, std::sync::Arc<[Document]>)> {
    let paths = regular_files(&**files.tree()).unwrap_or_default();
    let mut found = Vec::new();
    for path in paths {
        let yaml = [".yaml", ".yml"].iter().any(|end| path.ends_with(end));
        // Most files have nothing to do with sops: not parsed for this.
        let about = || {
            let bytes = files.bytes(&path).unwrap_or_default();
            memchr::memmem::find(&bytes, b"sops:").is_some() || says_encrypted(&path)
        };
        if yaml && path::name(&path) != ".sops.yaml" && about() {
            found.extend(
                files
                    .documents(&path)
                    .ok()
                    .map(|documents| (path, documents)),
            );
        }
    }
    found
}

/// Whether a file's name says that it is encrypted.
fn says_encrypted(path: &str) -> bool {
    let name = path::name(path);
    name.contains(".sops.") || name.contains(".enc.")
}

/// Whether any value below is encrypted.
fn is_encrypted(node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |node| {
        let text = node.text();
        found |= text.is_some_and(|text| text.starts_with("ENC[AES256_GCM,"));
    });
    found
}

fn unprotected(repository: &Repository, _: &[View<'_>], out: &mut Out<'_>) {
    for (_, documents) in manifests(&repository.sources.repository) {
        for document in documents.iter() {
            let Some(block) = document.root.get("sops").filter(|n| n.is_mapping()) else {
                continue;
            };
            let mac = block.get("mac").and_then(Node::text);
            if mac.is_none_or(str::is_empty) && is_encrypted(&document.root) {
                out.push(
                    out.at(block.span(), "`sops` has no `mac`")
                        .path("/sops/mac")
                        .help("encrypt the file again with sops"),
                );
            }
        }
    }
}

/// A rule of `.sops.yaml`.
struct Creation {
    pattern: Option<Regexp>,
    age: BTreeSet<String>,
}

/// The rules of a `.sops.yaml`, in their order.
fn creation_rules(root: &Node) -> Vec<Creation> {
    let rules = root.get("creation_rules").map(Node::target);
    let rules = rules.map_or(&[][..], Node::items).iter().map(Node::target);
    rules
        .filter_map(|rule| {
            let pattern = match rule.get("path_regex").and_then(Node::text) {
                Some(text) => Some(Regexp::new(text).ok()?),
                None => None,
            };
            let mut age = BTreeSet::new();
            recipients(rule.get("age"), &mut age);
            let groups = rule.get("key_groups").map(Node::target);
            for group in groups.map_or(&[][..], Node::items) {
                recipients(group.target().get("age"), &mut age);
            }
            Some(Creation { pattern, age })
        })
        .collect()
}

/// Recipients: a text with commas, or a list.
fn recipients(node: Option<&Node>, found: &mut BTreeSet<String>) {
    let Some(node) = node.map(Node::target) else {
        return;
    };
    let texts = node.items().iter().chain([node]);
    let texts = texts.filter_map(|item| item.target().text());
    let parts = texts.flat_map(|text| text.split(','));
    found.extend(
        parts
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty()),
    );
}

fn rules(repository: &Repository, _: &[View<'_>], out: &mut Out<'_>) {
    let files = &repository.sources.repository;
    for (file, documents) in manifests(files) {
        let Some((folder, rules)) = configuration(files, &file) else {
            continue;
        };
        let relative = path::relative(&folder, &file);
        let matches = |rule: &&Creation| {
            rule.pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(&relative))
        };
        let Some(rule) = rules.iter().find(matches) else {
            continue;
        };
        for document in documents.iter() {
            one(&document.root, rule, &file, out);
        }
    }
}

/// The nearest `.sops.yaml` above a file: its folder and its rules.
fn configuration(files: &Files, file: &str) -> Option<(String, Vec<Creation>)> {
    let mut folder = path::parent(file)?;
    loop {
        let path = path::join(folder, ".sops.yaml")?;
        if let Ok(documents) = files.documents(&path) {
            let rules = documents.iter().flat_map(|d| creation_rules(&d.root));
            return Some((folder.to_owned(), rules.collect()));
        }
        folder = path::parent(folder).filter(|_| !folder.is_empty())?;
    }
}

fn one(root: &Node, rule: &Creation, file: &str, out: &mut Out<'_>) {
    let Some(block) = root.get("sops").filter(|n| n.is_mapping()) else {
        if says_encrypted(file) && root.is_mapping() && !is_encrypted(root) {
            out.push(
                out.at(
                    root.span(),
                    "the name says that the file is encrypted, and it is not",
                )
                .help("`sops --encrypt --in-place FILE`"),
            );
        }
        return;
    };
    let mut own = BTreeSet::new();
    let groups = block.get("key_groups").map(Node::target);
    let groups = groups.map_or(&[][..], Node::items).iter().map(Node::target);
    for holder in groups.chain([block]) {
        let age = holder.get("age").map(Node::target);
        for entry in age.map_or(&[][..], Node::items) {
            recipients(entry.target().get("recipient"), &mut own);
        }
    }
    let missing: Vec<&str> = rule.age.difference(&own).map(String::as_str).collect();
    if missing.is_empty() || own.is_empty() {
        return;
    }
    out.push(
        out.at(
            block.span(),
            format!(
                "not encrypted for `{}`, as .sops.yaml asks",
                missing.join("`, `")
            ),
        )
        .path("/sops/age")
        .help("`sops updatekeys FILE`"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::example::testing;

    #[test]
    fn keys_that_were_added_later_are_missed() {
        let text = RULES
            .good
            .replace("  age: age1qqq", "  age: age1second,age1qqq");
        assert_eq!(
            testing::found("secret/sops-rules", &text),
            ["warning secret.sops.yaml:8:3 not encrypted for `age1second`, as .sops.yaml asks"]
        );
    }
}
