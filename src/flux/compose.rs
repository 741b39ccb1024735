//! Artifacts that an ArtifactGenerator composes of those of other sources.
//!
//! In: the generator, and the trees of its sources by alias. Out: the artifacts
//! by name, each a tree, or why it cannot be made.
//!
//! Compat: source-watcher 2.2 `internal/builder`, `internal/controller/
//! artifactgenerator_pathpattern.go`. Patterns of `from` are those of Go's
//! `fs.Glob`, where `**` is one part of a path as `*` is; `exclude`, and `from`
//! of archives, take `**` for any number of folders.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::api::{CopyOperation, Generator, OutputArtifact, Strategy};
use crate::artifact::ignore::{IgnoringTree, Matcher};
use crate::artifact::{Kind, MemoryTree, Tree, archive, path};
use crate::diag::{Error, FileId, Result, Span};
use crate::gostd::doublestar::Doublestar;
use crate::gostd::names;
use crate::gostd::path::Pattern;
use crate::helm::values;
use crate::yaml::{Value, emit};

/// The most files that an artifact may hold.
const MAX_FILES: usize = archive::MAX_ARCHIVE_FILES;

/// The artifacts of sources, by alias.
pub type Trees = BTreeMap<Arc<str>, Arc<dyn Tree>>;

/// An artifact.
#[derive(Clone, Debug)]
pub struct Composed {
    /// Its files, without what Flux leaves out of every artifact.
    pub tree: Arc<dyn Tree>,
    /// The alias of the source whose revision it takes.
    pub revision: Option<Arc<str>>,
}

/// Makes the artifacts of a generator, by name. One that cannot be made stops
/// those behind it, as it does in the cluster.
///
/// # Errors
///
/// `flux/artifact`, with the place, for a pattern that cannot be read or leads
/// to names that no object can have.
pub fn compose(generator: &Generator, trees: &Trees) -> Result<BTreeMap<String, Result<Composed>>> {
    let mut made = BTreeMap::new();
    let mut failed: Option<Error> = None;
    for request in requests(generator, trees)? {
        let result = match &failed {
            Some(earlier) => Err(earlier.clone()),
            None => artifact(&request, trees),
        };
        if let Err(e) = &result {
            failed.get_or_insert_with(|| e.clone());
        }
        made.insert(request.name.to_string(), result);
    }
    Ok(made)
}

/// Whether a generator may make an artifact of this name: with a pattern, only
/// its sources tell.
pub fn may_make(generator: &Generator, name: &str) -> bool {
    generator.artifacts.iter().any(|artifact| {
        if generator.path_pattern.is_none() {
            return &*artifact.name == name;
        }
        fits(&artifact.name, name)
    })
}

/// Whether a name can come of a template such as `{app}-{env}`, in which each
/// placeholder stands for a character or more.
fn fits(template: &str, name: &str) -> bool {
    let (first, placeholders) = template.split_once('{').unwrap_or((template, ""));
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let literals = placeholders
        .split('{')
        .filter_map(|part| part.split_once('}'));
    let mut literals = literals.map(|(_, literal)| literal).peekable();
    while let Some(literal) = literals.next() {
        let mut letters = rest.chars();
        if letters.next().is_none() {
            return false;
        }
        let behind = letters.as_str();
        if literals.peek().is_none() {
            return behind.ends_with(literal);
        }
        let Some((_, next)) = behind.split_once(literal) else {
            return false;
        };
        rest = next;
    }
    rest.is_empty()
}

/// The artifacts to make: those of the generator, or those that each folder
/// makes of them.
fn requests(generator: &Generator, trees: &Trees) -> Result<Vec<OutputArtifact>> {
    let Some((pattern, span)) = &generator.path_pattern else {
        return Ok(generator.artifacts.clone());
    };
    let wrong = |message: String| invalid(format!("`pathPattern: {pattern}`: {message}"), *span);
    let (alias, folders) = pattern
        .strip_prefix('@')
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| wrong("it is not `@ALIAS/PATTERN`".to_owned()))?;
    let tree = trees
        .get(alias)
        .ok_or_else(|| wrong(format!("no source has the alias `{alias}`")))?;
    let parts = template(folders).map_err(wrong)?;
    check_captures(&parts).map_err(wrong)?;
    let mut found = Vec::new();
    let mut names: BTreeMap<Arc<str>, String> = BTreeMap::new();
    for folder in folders_of(&**tree)? {
        let Some(captures) = captures(&parts, &folder) else {
            continue;
        };
        let lower: BTreeMap<&str, String> = captures
            .iter()
            .map(|(name, value)| (*name, value.to_lowercase()))
            .collect();
        for (name, value) in &lower {
            if let Some(reason) = names::label_value(value) {
                return Err(wrong(format!(
                    "`{value}` for `{{{name}}}` is no value of a label: {reason}"
                )));
            }
        }
        for artifact in &generator.artifacts {
            let fill = |text: &str, values: &BTreeMap<&str, String>| -> Result<Arc<str>> {
                filled(text, values)
                    .map(Into::into)
                    .map_err(|message| invalid(format!("`{text}`: {message}"), artifact.span))
            };
            let mut request = artifact.clone();
            request.name = fill(&artifact.name, &lower)?;
            for operation in &mut request.copy {
                operation.from = fill(&operation.from, &captures)?;
                operation.to = fill(&operation.to, &captures)?;
            }
            if let Some(reason) = names::dns_subdomain(&request.name) {
                return Err(wrong(format!(
                    "`{}` is no name of an object: {reason}",
                    request.name
                )));
            }
            if let Some(other) = names.insert(request.name.clone(), folder.clone()) {
                return Err(wrong(format!(
                    "the folders `{other}` and `{folder}` both lead to `{}`",
                    request.name
                ))
                .help("names are in lower case: rename one of the folders"));
            }
            found.push(request);
        }
    }
    Ok(found)
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part<'t> {
    Text(&'t str),
    Capture(&'t str),
}

/// Splits a text at its `{placeholders}`.
fn template(text: &str) -> std::result::Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, found) = rest.split_at(at);
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        let Some(inside) = found.strip_prefix('{') else {
            return Err("a `}` closes nothing".to_owned());
        };
        let (name, after) = inside
            .split_once('}')
            .ok_or_else(|| "a `{` is not closed".to_owned())?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty()
            || name.starts_with(|c: char| c.is_ascii_digit())
            || !name.chars().all(is_word)
        {
            return Err(format!("`{{{name}}}` is no placeholder"));
        }
        parts.push(Part::Capture(name));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

fn check_captures(parts: &[Part<'_>]) -> std::result::Result<(), String> {
    let mut seen: Vec<&str> = Vec::new();
    for part in parts {
        let Part::Capture(name) = part else { continue };
        if seen.contains(name) {
            return Err(format!("`{{{name}}}` stands twice"));
        }
        if let Some(reason) = names::qualified_name(name) {
            return Err(format!("`{name}` is no name of a label: {reason}"));
        }
        seen.push(*name);
    }
    Ok(())
}

/// What the placeholders of a pattern stand for in a folder; none where it does
/// not match. A placeholder takes as much of one part of the path as it can.
fn captures<'t>(parts: &[Part<'t>], folder: &str) -> Option<BTreeMap<&'t str, String>> {
    let Some((first, others)) = parts.split_first() else {
        return folder.is_empty().then(BTreeMap::new);
    };
    match first {
        Part::Text(text) => captures(others, folder.strip_prefix(text)?),
        Part::Capture(name) => {
            let length = folder.find('/').unwrap_or(folder.len());
            let ends = folder.char_indices().map(|(at, c)| at + c.len_utf8());
            let ends: Vec<usize> = ends.take_while(|end| *end <= length).collect();
            ends.into_iter().rev().find_map(|end| {
                let (value, rest) = folder.split_at_checked(end)?;
                let mut found = captures(others, rest)?;
                found.insert(*name, value.to_owned());
                Some(found)
            })
        }
    }
}

fn filled(text: &str, values: &BTreeMap<&str, String>) -> std::result::Result<String, String> {
    let mut out = String::new();
    for part in template(text)? {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Capture(name) => out.push_str(
                values
                    .get(name)
                    .ok_or_else(|| format!("`pathPattern` has no `{{{name}}}`"))?,
            ),
        }
    }
    Ok(out)
}

/// All folders of a tree but its root, as Go's `filepath.WalkDir` meets them.
fn folders_of(tree: &dyn Tree) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        let mut below: Vec<String> = tree
            .list(&folder)?
            .into_iter()
            .filter(|entry| entry.kind == Kind::Directory)
            .map(|entry| below(&folder, &entry.name))
            .collect();
        below.sort();
        open.extend(below.into_iter().rev());
        if !folder.is_empty() {
            found.push(folder);
        }
    }
    Ok(found)
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn artifact(request: &OutputArtifact, trees: &Trees) -> Result<Composed> {
    let mut staged = MemoryTree::new(format!("ExternalArtifact/{}", request.name));
    for operation in &request.copy {
        copy(operation, trees, &mut staged).map_err(|e| {
            e.context(format!("the artifact `{}`", request.name))
                .at(operation.span)
        })?;
    }
    // Compat: `SourceIgnoreFilter(nil, nil)`.
    let tree = IgnoringTree::new(Arc::new(staged), Matcher::defaults());
    Ok(Composed {
        tree: Arc::new(tree),
        revision: request.revision.clone(),
    })
}

/// What an operation copies and where to.
struct Copying<'c> {
    from: &'c dyn Tree,
    /// The path or pattern in it.
    pattern: String,
    to: String,
    to_is_folder: bool,
    exclude: Vec<(bool, Doublestar)>,
    strategy: Strategy,
    /// How many files were copied.
    count: usize,
    staged: &'c mut MemoryTree,
}

fn copy(operation: &CopyOperation, trees: &Trees, staged: &mut MemoryTree) -> Result<()> {
    let span = operation.span;
    let wrong = |message: String| invalid(message, span);
    let (alias, pattern) = operation
        .from
        .strip_prefix('@')
        .and_then(|rest| rest.split_once('/'))
        .ok_or_else(|| wrong(format!("`from: {}` is not `@ALIAS/PATH`", operation.from)))?;
    let to = operation.to.strip_prefix("@artifact/").ok_or_else(|| {
        wrong(format!(
            "`to: {}` does not begin with `@artifact/`",
            operation.to
        ))
    })?;
    let from = trees
        .get(alias)
        .ok_or_else(|| wrong(format!("no source has the alias `{alias}`")))?;
    let exclude = operation.exclude.iter().map(|text| {
        let pattern = Doublestar::new(text)
            .map_err(|_| wrong(format!("`exclude: {text}` cannot be read")))?;
        Ok((!text.contains('/'), pattern))
    });
    Copying {
        from: &**from,
        pattern: pattern.to_owned(),
        to: inside(to).ok_or_else(|| wrong(format!("`to: {to}` leads out of the artifact")))?,
        to_is_folder: operation.to.ends_with('/'),
        exclude: exclude.collect::<Result<_>>()?,
        strategy: operation.strategy,
        count: 0,
        staged,
    }
    .run(span)
}

/// A path without `.` and `..`; none where it leads out.
fn inside(path: &str) -> Option<String> {
    path::join("", path.trim_start_matches('/'))
}

impl Copying<'_> {
    fn run(&mut self, span: Span) -> Result<()> {
        let wrong = |message: String| invalid(message, span);
        let pattern = self.pattern.clone();
        if !pattern.contains(['*', '?', '[', ']']) {
            let source = inside(&pattern)
                .ok_or_else(|| wrong(format!("`{pattern}` leads out of the source")))?;
            return match self.from.kind(&source)? {
                None => Err(wrong(format!("there is no `{source}` in the source"))),
                Some(Kind::Directory) if self.strategy == Strategy::Extract => {
                    Err(wrong(format!("`{source}` is a folder, and no archive")))
                }
                Some(Kind::Directory) => {
                    let to = below_path(&self.to, path::name(&source));
                    self.folder(&source, &to, &source)
                }
                Some(Kind::File) => self.single(&source, span),
            };
        }
        let matches: Vec<String> = if self.strategy == Strategy::Extract {
            let read = Doublestar::new(&pattern)
                .map_err(|_| wrong(format!("`{pattern}` is no pattern")))?;
            let all = all_paths(self.from)?;
            all.into_iter().filter(|p| read.is_match(p)).collect()
        } else {
            glob(self.from, &pattern)
                .ok_or_else(|| wrong(format!("`{pattern}` is no pattern")))??
        };
        if matches.is_empty() {
            return Err(wrong(format!("nothing in the source matches `{pattern}`"))
                .help("in `from`, `**` stands for one part of a path, and a folder is copied with all in it"));
        }
        let base = literal_folder(&pattern);
        let kept: Vec<&String> = matches
            .iter()
            .filter(|found| !self.is_excluded(found, &base))
            .collect();
        if kept.is_empty() {
            return Err(wrong(format!("all that matches `{pattern}` is excluded")));
        }
        for found in kept {
            if self.strategy == Strategy::Extract {
                if is_archive(found) && self.from.kind(found)? == Some(Kind::File) {
                    self.extract(found)?;
                }
                continue;
            }
            // Compat: `dir/**` is copied without the folder before it.
            let rest = pattern
                .strip_suffix("/**")
                .and_then(|folder| found.strip_prefix(folder)?.strip_prefix('/'));
            let to = below_path(&self.to, rest.unwrap_or(found));
            match self.from.kind(found)? {
                Some(Kind::Directory) => self.folder(found, &to, &base)?,
                _ => self.file(found, &to, self.strategy)?,
            }
        }
        Ok(())
    }

    /// One file, named without a pattern.
    fn single(&mut self, source: &str, span: Span) -> Result<()> {
        if self.is_excluded(source, "") {
            return Ok(());
        }
        if self.strategy == Strategy::Extract {
            if !is_archive(source) {
                return Err(invalid(
                    format!("`{source}` is no archive: it ends in neither .tar.gz nor .tgz"),
                    span,
                ));
            }
            return self.extract(source);
        }
        let is_folder = self.to_is_folder || self.staged.kind(&self.to)? == Some(Kind::Directory);
        let to = if is_folder {
            below_path(&self.to, path::name(source))
        } else {
            self.to.clone()
        };
        self.file(source, &to, self.strategy)
    }

    /// A folder with all in it. Compat: what lies in it is never merged.
    fn folder(&mut self, source: &str, to: &str, base: &str) -> Result<()> {
        let mut open = vec![(source.to_owned(), to.to_owned())];
        while let Some((source, to)) = open.pop() {
            for entry in self.from.list(&source)? {
                let found = below(&source, &entry.name);
                if self.is_excluded(&found, base) {
                    continue;
                }
                let to = below_path(&to, &entry.name);
                match entry.kind {
                    Kind::Directory => open.push((found, to)),
                    Kind::File => self.file(&found, &to, Strategy::Overwrite)?,
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, source: &str, to: &str, strategy: Strategy) -> Result<()> {
        let content = self.from.read(source)?;
        if strategy == Strategy::Merge && self.staged.kind(to)? == Some(Kind::File) {
            let mut merged = yaml_of(&self.staged.read(to)?, to)?;
            values::merge(&mut merged, yaml_of(&content, source)?);
            let mut text = String::new();
            emit::sorted_value(&Value::Mapping(merged), &mut text)?;
            return self.put(to, text.into_bytes().into());
        }
        self.put(to, content)
    }

    fn extract(&mut self, source: &str) -> Result<()> {
        let mut unpacked = MemoryTree::new("");
        archive::unpack(&self.from.read(source)?, &mut unpacked)
            .map_err(|e| e.context(format!("`{source}`")))?;
        for (file, content) in unpacked.files() {
            self.put(&below_path(&self.to.clone(), file), content.clone())?;
        }
        Ok(())
    }

    fn put(&mut self, to: &str, content: Arc<[u8]>) -> Result<()> {
        let blocks = |path: &str| -> Result<bool> {
            let is_file = !path.is_empty() && self.staged.kind(path)? == Some(Kind::File);
            Ok(is_file)
        };
        let mut folder = path::parent(to);
        while let Some(above) = folder {
            if blocks(above)? {
                return Err(artifact_error(format!(
                    "`{above}` is a file, and `{to}` would lie in it"
                )));
            }
            folder = path::parent(above);
        }
        if to.is_empty() || self.staged.kind(to)? == Some(Kind::Directory) {
            return Err(artifact_error(format!(
                "`{to}` is a folder, and a file would replace it"
            )));
        }
        self.count += 1;
        if self.count > MAX_FILES {
            return Err(artifact_error(format!(
                "it holds more than {MAX_FILES} files"
            )));
        }
        self.staged.insert(to, content);
        Ok(())
    }

    /// Compat: `shouldExcludePath`.
    fn is_excluded(&self, found: &str, base: &str) -> bool {
        let relative = found
            .strip_prefix(base)
            .and_then(|rest| rest.strip_prefix('/'))
            .filter(|_| !base.is_empty());
        let matches = |path: &str| {
            self.exclude.iter().any(|(is_simple, pattern)| {
                pattern.is_match(path) || (*is_simple && pattern.is_match(path::name(path)))
            })
        };
        matches(found) || relative.is_some_and(matches)
    }
}

fn below_path(folder: &str, name: &str) -> String {
    path::join("", &format!("{folder}/{name}")).unwrap_or_default()
}

/// The YAML documents of a file, merged into one mapping.
fn yaml_of(content: &[u8], name: &str) -> Result<crate::yaml::Map> {
    let text = String::from_utf8_lossy(content);
    values::parse_values(&text, FileId::default())
        .map_err(|e| artifact_error(format!("`{name}` cannot be merged: {}", e.message())))
}

fn is_archive(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".tar.gz", ".tgz"].iter().any(|end| path.ends_with(end))
}

/// The folder that a pattern names before its first part with a wildcard.
fn literal_folder(pattern: &str) -> String {
    let parts = pattern
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    let literal: Vec<&str> = parts
        .take_while(|part| !part.contains(['*', '?', '[', ']']))
        .collect();
    literal.join("/")
}

/// All files and folders but the root.
fn all_paths(tree: &dyn Tree) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(folder) = open.pop() {
        for entry in tree.list(&folder)? {
            let path = below(&folder, &entry.name);
            if entry.kind == Kind::Directory {
                open.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// What Go's `fs.Glob` finds; none for what is no pattern.
fn glob(tree: &dyn Tree, pattern: &str) -> Option<Result<Vec<String>>> {
    let mut found = vec![String::new()];
    for part in pattern.split('/') {
        let read = Pattern::new(part);
        // What is wrong with a pattern shows wherever it is tried.
        read.is_match("").ok()?;
        let mut next = Vec::new();
        for folder in &found {
            match tree.kind(folder) {
                Ok(Some(Kind::Directory)) => {}
                Ok(_) => continue,
                Err(e) => return Some(Err(e)),
            }
            let mut entries = match tree.list(folder) {
                Ok(entries) => entries,
                Err(e) => return Some(Err(e)),
            };
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in entries {
                if read.is_match(&entry.name).ok()? {
                    next.push(below(folder, &entry.name));
                }
            }
        }
        found = next;
    }
    Some(Ok(found))
}

fn artifact_error(message: String) -> Error {
    Error::new("flux/artifact", message)
}

fn invalid(message: String, span: Span) -> Error {
    artifact_error(message).at(span)
}

#[cfg(test)]
mod tests;
