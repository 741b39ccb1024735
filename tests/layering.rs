//! Holds the code to the table of `docs/architecture.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Module name to the modules it may know, in the order of the table.
fn table() -> Vec<(String, Vec<String>)> {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    page.split("## Layers")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .expect("a section on layers")
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, module, _, knows, _] = cells[..] else {
                return None;
            };
            let module = module.strip_prefix('`')?.strip_suffix('`')?;
            let knows = knows.split_whitespace().map(str::to_owned).collect();
            Some((module.to_owned(), knows))
        })
        .collect()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// Every `crate::name` in a file's code; documentation may name anything.
fn uses(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let rest = &code[at + "crate::".len()..];
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            assert!(
                !rest.starts_with('{'),
                "line {}: name one module in each `use crate::`",
                number + 1
            );
            if !name.is_empty() {
                found.push((number + 1, name));
            }
        }
    }
    found
}

#[test]
fn modules_know_only_what_the_table_lets_them() {
    let table = table();
    assert!(table.len() > 10, "the table was not found");
    let known: BTreeMap<_, _> = table.iter().cloned().collect();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (module, allowed) in &table {
        let folder = root().join("src").join(module);
        if !folder.exists() {
            continue;
        }
        seen += 1;
        let mut files = Vec::new();
        rust_files(&folder, &mut files);
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            for (line, name) in uses(&source) {
                if known.contains_key(&name) && name != *module && !allowed.contains(&name) {
                    wrong.push(format!(
                        "{}:{line}: {module} may not know {name}",
                        file.strip_prefix(root()).unwrap().display()
                    ));
                }
            }
        }
    }
    assert!(seen >= 5, "no modules were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rows_know_only_earlier_rows() {
    let table = table();
    for (i, (module, allowed)) in table.iter().enumerate() {
        for name in allowed {
            assert!(
                table[..i].iter().any(|(earlier, _)| earlier == name),
                "{module} names {name}, which does not come before it"
            );
        }
    }
}

#[test]
fn every_module_is_in_the_table() {
    let table = table();
    for entry in std::fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if ["lib.rs", "main.rs", "memory.rs"].contains(&&*name) {
            continue;
        }
        assert!(table.iter().any(|(m, _)| *m == name), "{name} is missing");
    }
}

#[test]
fn every_module_says_what_it_is() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    assert!(files.len() > 20);
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        assert!(
            source.starts_with("//! "),
            "{} does not begin with what it is",
            file.display()
        );
    }
}

#[test]
fn every_test_file_is_compiled() {
    let main = std::fs::read_to_string(root().join("tests/main.rs")).unwrap();
    for entry in std::fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module = path.is_dir() || path.extension().is_some_and(|e| e == "rs");
        if is_module && stem != "main" {
            assert!(
                main.contains(&format!("mod {stem};")),
                "{stem} is not compiled"
            );
        }
    }
}
