//! The sample fleet, built in this process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use fluxwright::artifact::{DiskTree, MemoryTree, Tree};
use fluxwright::diag::{Findings, SourceMap};
use fluxwright::pipeline::cluster::Cluster;
use fluxwright::pipeline::{Sources, build, entry, render};
use fluxwright::resource::Files;
use fluxwright::yaml::Node;
use rayon::prelude::*;

/// The fleet's files, in memory.
pub(crate) fn fleet() -> MemoryTree {
    fn add(from: &DiskTree, folder: &str, to: &mut MemoryTree) {
        for entry in from.list(folder).unwrap() {
            let path = format!("{folder}/{}", entry.name);
            let path = path.trim_start_matches('/').to_owned();
            match entry.kind {
                fluxwright::artifact::Kind::Directory => add(from, &path, to),
                fluxwright::artifact::Kind::File => {
                    to.insert(path.clone(), from.read(&path).unwrap());
                }
            }
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fleet");
    let mut tree = MemoryTree::new("");
    add(&DiskTree::open(&folder).unwrap(), "", &mut tree);
    tree
}

/// Builds an entry point of a tree; the findings are those of errors.
fn built(tree: MemoryTree, folder: &str) -> (Result<Cluster, String>, Arc<SourceMap>) {
    let source_map = Arc::new(SourceMap::new());
    let files = Arc::new(Files::new(Arc::new(tree), source_map.clone()));
    let sources = Sources::new(files.clone());
    let options = render::Options::new(source_map.clone());
    let cluster = entry::at(&files, folder)
        .and_then(|entry| build::build(&entry, &sources, &options, &mut Findings::new()))
        .map_err(|e| e.to_string());
    (cluster, source_map)
}

/// Every value of what a cluster applies that is a scalar: the unit, the object, the way to
/// the scalar, and the scalar.
pub(crate) fn scalars(cluster: &Cluster) -> Vec<(String, Node)> {
    let mut found = Vec::new();
    for (unit, object) in cluster.objects() {
        let id = object.id.to_object_ref();
        scalars_in(&object.node, &format!("{} {id}", unit.id.name), &mut found);
    }
    found
}

/// The same in a node, which is at the end of `path`.
pub(crate) fn scalars_in(node: &Node, path: &str, found: &mut Vec<(String, Node)>) {
    if node.is_scalar() {
        found.push((path.to_owned(), node.clone()));
    }
    for (i, item) in node.items().iter().enumerate() {
        scalars_in(item, &format!("{path}/{i}"), found);
    }
    for entry in node.entries() {
        let key = entry.key.text().unwrap();
        scalars_in(&entry.value, &format!("{path}/{key}"), found);
    }
}

/// A place to edit: the line and the column behind which something is put in.
type Place = (String, usize, usize);

/// Where to edit the line that a scalar is said to come from: behind the
/// scalar's own text where that stands there, else behind the variable, the
/// first word of the template's action, or the last word.
fn place_of(tree: &MemoryTree, file: &str, line: u32, text: &str) -> Place {
    let content = String::from_utf8(tree.read(file).unwrap().to_vec()).unwrap();
    let lines: Vec<&str> = content.lines().collect();
    let mut number = line as usize - 1;
    let head = text.lines().next().unwrap_or_default();
    let column = |line: &str| {
        let own = line.rfind(head).filter(|_| !head.is_empty());
        let variable = line.rfind('}').filter(|_| line.contains("${"));
        let action = line.rfind("{{").map(|at| word_end(line, at));
        let word = line.rfind(|c: char| c.is_ascii_alphanumeric());
        own.map(|at| at + head.len())
            .or(variable.map(|at| at + 1))
            .or(action)
            .or(word.map(|at| at + 1))
            .unwrap_or(line.len())
    };
    // The text of a block scalar begins on the line after its indicator.
    let block = lines[number].ends_with(['|', '>', '-', '+']) && !lines[number].contains(head);
    if block && number + 1 < lines.len() {
        number += 1;
    }
    (file.to_owned(), number, column(lines[number]))
}

/// Where the first word ends that begins behind a place.
fn word_end(line: &str, from: usize) -> usize {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let start = line[from..].find(is_word).map_or(from, |at| from + at);
    let length = line[start..].find(|c| !is_word(c));
    length.map_or(line.len(), |length| start + length)
}

fn edited(tree: &MemoryTree, (file, line, column): &Place) -> MemoryTree {
    let text = String::from_utf8(tree.read(file).unwrap().to_vec()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines[*line].insert(*column, '7');
    let mut tree = tree.clone();
    tree.insert(file, lines.join("\n").into_bytes());
    tree
}

#[test]
fn every_scalar_changes_with_the_line_it_is_said_to_come_from() {
    let tree = fleet();
    for folder in ["clusters/staging", "clusters/production"] {
        let (cluster, source_map) = built(tree.clone(), folder);
        let before = scalars(&cluster.unwrap());
        assert!(before.len() > 300, "{} scalars", before.len());

        // Each place is edited once, for all scalars that come from it.
        let mut places: BTreeMap<Place, Vec<&(String, Node)>> = BTreeMap::new();
        for scalar in &before {
            let span = scalar.1.span();
            let file = source_map.get(span.file);
            let file = file.unwrap_or_else(|| panic!("{} has no place", scalar.0));
            let place = place_of(&tree, &file.path, span.line, scalar.1.text().unwrap());
            places.entry(place).or_default().push(scalar);
        }
        let wrong: Vec<String> = places
            .par_iter()
            .flat_map_iter(|(place, from_there)| {
                let after = built(edited(&tree, place), folder).0;
                let after: BTreeMap<String, Node> = after
                    .map(|cluster| scalars(&cluster).into_iter().collect())
                    .unwrap_or_default();
                let unchanged = from_there.iter().filter(|(path, node)| {
                    let now = after.get(path);
                    now.is_some_and(|now| now.text() == node.text())
                });
                unchanged
                    .map(|(path, node)| {
                        let (file, line, _) = place;
                        format!(
                            "{path}: `{}` from {file}:{}",
                            node.text().unwrap(),
                            line + 1
                        )
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(
            wrong.is_empty(),
            "{} of {} scalars did not change:\n{}",
            wrong.len(),
            before.len(),
            wrong.join("\n")
        );
    }
}
