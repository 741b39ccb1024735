//! Where the results of random calls land, as far as they are known again.
//!
//! In: pieces of the results, and the objects of a release. Out: for each call
//! the objects, and the fields in them, that hold a piece.

use std::collections::BTreeMap;

use memchr::memmem::Finder;

use super::manifest::{Manifest, Sorted};
use super::random::Landing;
use crate::diag::{FileId, pointer};
use crate::gotmpl::{Made, RandomCall, Site};
use crate::yaml::{self, Data, Node};

/// What finds a piece of what a call gave.
type Piece<'p> = (&'p Site, &'p Finder<'static>);

/// The landings of each of the calls that land somewhere, and of which all can
/// be known.
pub(super) fn of(
    made: &Made,
    calls: &[RandomCall],
    objects: &Sorted,
) -> BTreeMap<Site, Vec<Landing>> {
    let is_meant = |site: &Site| {
        !made.is_blurred(site)
            && (calls.iter()).any(|call| (&call.file, call.place) == (&site.0, site.1))
    };
    let pieces: Vec<Piece<'_>> = made.pieces().filter(|(site, _)| is_meant(site)).collect();
    let mut landings: BTreeMap<Site, Vec<Landing>> = BTreeMap::new();
    for object in objects.all() {
        let is_there = |(_, piece): &&Piece<'_>| piece.find(object.content.as_bytes()).is_some();
        let here: Vec<_> = pieces.iter().filter(is_there).copied().collect();
        if here.is_empty() {
            continue;
        }
        for (site, fields) in fields_of(object, &here) {
            let landings = landings.entry(site.clone()).or_default();
            landings.push((object.clone(), fields));
        }
    }
    landings
}

/// For each call the fields of an object with one of its pieces, as JSON
/// pointers; none for what has them in comments alone.
fn fields_of<'p>(object: &Manifest, pieces: &[Piece<'p>]) -> BTreeMap<&'p Site, Vec<String>> {
    let mut found = BTreeMap::new();
    let parse = || yaml::parse_one(&object.content, FileId::default()).ok()?;
    if let Some(node) = object.read.clone().or_else(parse) {
        search(&node, pieces, &mut String::new(), &mut found);
    }
    found
}

fn search<'p>(
    node: &Node,
    pieces: &[Piece<'p>],
    path: &mut String,
    found: &mut BTreeMap<&'p Site, Vec<String>>,
) {
    let below = |token: &str, path: &mut String| {
        let length = path.len();
        path.push('/');
        path.push_str(&pointer::escape(token));
        length
    };
    let note = |text: &str, path: &str, found: &mut BTreeMap<&'p Site, Vec<String>>| {
        for (site, piece) in pieces {
            if piece.find(text.as_bytes()).is_some() {
                let fields = found.entry(site).or_default();
                if fields.last().is_none_or(|last| last != path) {
                    fields.push(path.to_owned());
                }
            }
        }
    };
    match node.data() {
        Data::Mapping(entries) => {
            for entry in entries.iter() {
                let key = entry.key.text().unwrap_or_default();
                let length = below(key, path);
                note(key, path, found);
                search(&entry.value, pieces, path, found);
                path.truncate(length);
            }
        }
        Data::Sequence(items) => {
            for (i, item) in items.iter().enumerate() {
                let length = below(&i.to_string(), path);
                search(item, pieces, path, found);
                path.truncate(length);
            }
        }
        Data::Scalar(text) => note(text, path, found),
        Data::Alias(_) => {}
    }
}
