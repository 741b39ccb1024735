//! What is left out of an artifact: `.sourceignore` files, a source's
//! `spec.ignore`, and Flux's own exclusions.
//!
//! In: a tree and rules. Out: a [`Matcher`], or an [`IgnoringTree`] that holds
//! what remains.
//!
//! Compat: fluxcd/pkg/sourceignore. The rules look like Git's and are not:
//! the last rule that matches decides, folders that match are still looked
//! into, `[!a]` is a class of two characters, and `**` stands for folders only
//! where it is a part of its own.

use std::sync::Arc;

use rayon::prelude::*;

use super::{Entry, Kind, Tree, path};
use crate::diag::Result;
use crate::gostd::path::Pattern as Glob;

/// The name of the files that hold rules.
pub const FILE_NAME: &str = ".sourceignore";

/// What version control leaves behind: out of every artifact.
const VERSION_CONTROL: &[&str] = &[".git/", ".gitignore", ".gitmodules", ".gitattributes"];

/// What else is left out where there are no rules.
const DEFAULTS: &[&str] = &[
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];

/// Rules, in the order in which they were read; the last that matches decides.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    rules: Vec<Rule>,
}

/// A line of a `.sourceignore` file.
#[derive(Clone, Debug)]
struct Rule {
    /// The folder of the file that it stands in.
    folder: Arc<str>,
    is_inclusion: bool,
    is_for_folders: bool,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// Without a slash: matches a part of the path.
    Name(Glob),
    /// With a slash: matches the path from the folder on.
    Path(Vec<Part>),
}

/// A part of a rule between slashes.
#[derive(Clone, Debug)]
enum Part {
    Empty,
    /// `**`
    Folders,
    /// `**` and something else, which matches nothing.
    Nothing,
    Glob(Glob),
}

impl Matcher {
    /// What source-controller leaves out of the artifact of a Git or OCI
    /// repository: the rules of the tree, then those of `spec.ignore`. Flux's
    /// defaults hold only where there is no rule at all.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`] and [`Tree::list`].
    pub fn for_artifact(tree: &dyn Tree, spec_ignore: Option<&str>) -> Result<Matcher> {
        let mut rules = rules_of_tree(tree, "")?;
        rules.extend(parse(spec_ignore.unwrap_or_default(), &"".into()));
        let defaults = if rules.is_empty() { DEFAULTS } else { &[] };
        Ok(Matcher::with_lowest(defaults, "", rules))
    }

    /// What is left out of an automatic kustomization for a folder: Flux's
    /// defaults, and the rules of the folder and the folders in it.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`] and [`Tree::list`].
    pub fn for_kustomization(tree: &dyn Tree, folder: &str) -> Result<Matcher> {
        let rules = rules_of_tree(tree, folder)?;
        Ok(Matcher::with_lowest(DEFAULTS, folder, rules))
    }

    /// What is left out of a bucket: the rules in its root and those of
    /// `spec.ignore`, and nothing by default.
    ///
    /// # Errors
    ///
    /// As [`Tree::read`].
    pub fn for_bucket(tree: &dyn Tree, spec_ignore: Option<&str>) -> Result<Matcher> {
        let mut rules = match tree.kind(FILE_NAME)? {
            Some(Kind::File) => rules_of_file(tree, "")?,
            _ => Vec::new(),
        };
        rules.extend(parse(spec_ignore.unwrap_or_default(), &"".into()));
        Ok(Matcher { rules })
    }

    /// What Flux leaves out where nothing else is said.
    pub fn defaults() -> Matcher {
        Matcher::with_lowest(DEFAULTS, "", Vec::new())
    }

    fn with_lowest(defaults: &[&str], folder: &str, rules: Vec<Rule>) -> Matcher {
        let folder: Arc<str> = folder.into();
        let lowest = VERSION_CONTROL.iter().chain(defaults);
        let mut all: Vec<Rule> = lowest.map(|rule| Rule::new(rule, &folder)).collect();
        all.extend(rules);
        Matcher { rules: all }
    }

    /// Whether a path is left out. A folder that is may still hold files that
    /// are not.
    pub fn is_ignored(&self, path: &str, kind: Kind) -> bool {
        self.rules
            .iter()
            .rev()
            .find(|rule| rule.matches(path, kind))
            .is_some_and(|rule| !rule.is_inclusion)
    }
}

/// The rules in a folder, and the folders in it.
type Looked = (Option<Vec<Rule>>, Vec<String>);

/// The rules of a folder and of all folders in it, those of a folder before
/// those of the folders in it.
fn rules_of_tree(tree: &dyn Tree, folder: &str) -> Result<Vec<Rule>> {
    let mut found = Vec::new();
    // All folders of one depth are looked through in parallel.
    let mut level = vec![folder.to_owned()];
    while !level.is_empty() {
        let looked = level.par_iter().map(|folder| {
            let entries = tree.list(folder)?;
            let has_rules = (entries.iter()).any(|e| e.name == FILE_NAME && e.kind == Kind::File);
            let rules = has_rules.then(|| rules_of_file(tree, folder)).transpose()?;
            let inner = entries
                .iter()
                .filter(|e| e.kind == Kind::Directory && !e.is_symlink && e.name != ".git")
                .map(|e| below(folder, &e.name));
            Ok((rules, inner.collect()))
        });
        let looked: Vec<Result<Looked>> = looked.collect();
        let mut next = Vec::new();
        for (folder, looked) in level.into_iter().zip(looked) {
            let (rules, inner) = looked?;
            found.extend(rules.map(|rules| (folder, rules)));
            next.extend(inner);
        }
        level = next;
    }
    found.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    Ok(found.into_iter().flat_map(|(_, rules)| rules).collect())
}

fn rules_of_file(tree: &dyn Tree, folder: &str) -> Result<Vec<Rule>> {
    let content = tree.read(&below(folder, FILE_NAME))?;
    // A rule that is not UTF-8 matches no path.
    Ok(parse(&String::from_utf8_lossy(&content), &folder.into()))
}

fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn parse(text: &str, folder: &Arc<str>) -> Vec<Rule> {
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| Rule::new(line, folder))
        .collect()
}

impl Rule {
    fn new(line: &str, folder: &Arc<str>) -> Rule {
        let (line, is_inclusion) = match line.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        let line = if line.ends_with("\\ ") {
            line
        } else {
            line.trim_end_matches(' ')
        };
        let (line, is_for_folders) = match line.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        let form = if line.contains('/') {
            Form::Path(line.split('/').map(Part::new).collect())
        } else {
            Form::Name(Glob::new(line))
        };
        Rule {
            folder: folder.clone(),
            is_inclusion,
            is_for_folders,
            form,
        }
    }

    fn matches(&self, path: &str, kind: Kind) -> bool {
        if path.is_empty() || path == &*self.folder || !path::is_within(path, &self.folder) {
            return false;
        }
        let skipped = match self.folder.len() {
            0 => 0,
            length => length + 1,
        };
        let path = path.get(skipped..).unwrap_or_default();
        match &self.form {
            Form::Name(glob) => self.matches_name(glob, path, kind),
            Form::Path(parts) => self.matches_path(parts, path, kind),
        }
    }

    /// The first part of the path that matches decides.
    fn matches_name(&self, glob: &Glob, path: &str, kind: Kind) -> bool {
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            match glob.is_match(name) {
                Err(_) => return false,
                Ok(false) => {}
                Ok(true) => {
                    let is_last = names.peek().is_none();
                    return !(is_last && self.is_for_folders && kind == Kind::File);
                }
            }
        }
        false
    }

    fn matches_path(&self, parts: &[Part], path: &str, kind: Kind) -> bool {
        let mut names = path.split('/').peekable();
        let mut is_matched = false;
        let mut skips_folders = false;
        for (i, part) in parts.iter().enumerate() {
            let glob = match part {
                Part::Empty => {
                    skips_folders = false;
                    continue;
                }
                Part::Folders if i + 1 == parts.len() => break,
                Part::Folders => {
                    skips_folders = true;
                    continue;
                }
                Part::Nothing => return false,
                Part::Glob(glob) => glob,
            };
            if names.peek().is_none() {
                return false;
            }
            if !skips_folders {
                if names.next().map(|name| glob.is_match(name)) != Some(Ok(true)) {
                    return false;
                }
                is_matched = true;
                continue;
            }
            skips_folders = false;
            while let Some(name) = names.next() {
                match glob.is_match(name) {
                    Err(_) => return false,
                    Ok(true) => {
                        is_matched = true;
                        break;
                    }
                    // Nothing is left to match.
                    Ok(false) if names.peek().is_none() => is_matched = false,
                    Ok(false) => {}
                }
            }
        }
        let is_whole = names.peek().is_none();
        is_matched && !(is_whole && self.is_for_folders && kind == Kind::File)
    }
}

impl Part {
    fn new(text: &str) -> Part {
        match text {
            "" => Part::Empty,
            "**" => Part::Folders,
            text if text.contains("**") => Part::Nothing,
            text => Part::Glob(Glob::new(text)),
        }
    }
}

/// A tree without what a matcher leaves out, and without symbolic links, which
/// artifacts do not hold.
#[derive(Clone, Debug)]
pub struct IgnoringTree {
    tree: Arc<dyn Tree>,
    matcher: Matcher,
}

impl IgnoringTree {
    /// The tree as the artifact would hold it.
    pub fn new(tree: Arc<dyn Tree>, matcher: Matcher) -> IgnoringTree {
        IgnoringTree { tree, matcher }
    }

    /// Whether an entry is there: a file that is not left out, a folder that is
    /// not, or that holds something that is not.
    fn holds(&self, path: &str, kind: Kind) -> Result<bool> {
        if path.is_empty() || !self.matcher.is_ignored(path, kind) {
            return Ok(true);
        }
        if kind == Kind::File {
            return Ok(false);
        }
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in self.tree.list(&folder)? {
                let path = below(&folder, &entry.name);
                if !self.matcher.is_ignored(&path, entry.kind) {
                    return Ok(true);
                }
                if entry.kind == Kind::Directory && !entry.is_symlink {
                    folders.push(path);
                }
            }
        }
        Ok(false)
    }
}

impl IgnoringTree {
    /// Whether a symbolic link is on the way to what a path names.
    fn is_linked(&self, path: &str) -> Result<bool> {
        Ok(self.tree.resolve(path)?.is_some_and(|real| real != path))
    }
}

impl Tree for IgnoringTree {
    fn kind(&self, path: &str) -> Result<Option<Kind>> {
        Ok(match self.tree.kind(path)? {
            Some(kind) if self.holds(path, kind)? && !self.is_linked(path)? => Some(kind),
            _ => None,
        })
    }

    fn read(&self, path: &str) -> Result<Arc<[u8]>> {
        if self.is_linked(path)? {
            return Err(super::disk::missing(&self.display(path))
                .help("a symbolic link is on the way, and Flux's artifacts hold none"));
        }
        if self.matcher.is_ignored(path, Kind::File) && self.tree.kind(path)? == Some(Kind::File) {
            return Err(super::disk::missing(&self.display(path)).help(format!(
                "it is left out of the artifact: see `{FILE_NAME}` and the source's `spec.ignore`"
            )));
        }
        self.tree.read(path)
    }

    fn list(&self, path: &str) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in self.tree.list(path)? {
            if !entry.is_symlink && self.holds(&below(path, &entry.name), entry.kind)? {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn display(&self, path: &str) -> String {
        self.tree.display(path)
    }
}

/// The regular files of a tree, in the order of their bytes. Symbolic links
/// are none: artifacts do not hold them.
///
/// # Errors
///
/// As [`Tree::list`].
pub fn regular_files(tree: &dyn Tree) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in tree.list(&folder)? {
            let path = below(&folder, &entry.name);
            match entry.kind {
                _ if entry.is_symlink => {}
                Kind::File => files.push(path),
                Kind::Directory => folders.push(path),
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::artifact::MemoryTree;

    #[derive(Deserialize)]
    struct Answers {
        files: Vec<String>,
        cases: Vec<Case>,
    }

    /// Rules, and what they leave: folders end in a slash.
    #[derive(Deserialize)]
    struct Case {
        rules: Option<String>,
        ignore_files: BTreeMap<String, String>,
        folder: String,
        artifact: Vec<String>,
        kustomization: Vec<String>,
        bucket: Vec<String>,
    }

    fn tree(files: &[String], more: &BTreeMap<String, String>) -> MemoryTree {
        let mut tree = MemoryTree::new("");
        for file in files {
            tree.insert(file, b"x".as_slice());
        }
        for (file, content) in more {
            tree.insert(file, content.as_bytes());
        }
        tree
    }

    fn remaining(tree: &MemoryTree, matcher: &Matcher) -> Vec<String> {
        let mut remaining = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in tree.list(&folder).unwrap() {
                let path = below(&folder, &entry.name);
                let is_ignored = matcher.is_ignored(&path, entry.kind);
                let is_folder = entry.kind == Kind::Directory;
                if is_folder {
                    folders.push(path.clone());
                }
                if !is_ignored {
                    remaining.push(if is_folder { path + "/" } else { path });
                }
            }
        }
        remaining.sort();
        remaining
    }

    #[test]
    fn as_the_library_answers() {
        let answers: Answers =
            serde_json::from_str(include_str!("../../testdata/sourceignore/cases.json")).unwrap();
        assert!(answers.cases.len() >= 50);
        for case in answers.cases {
            let tree = tree(&answers.files, &case.ignore_files);
            let rules = case.rules.as_deref();
            let what = format!("{rules:?} {:?}", case.ignore_files);
            let matcher = Matcher::for_artifact(&tree, rules).unwrap();
            assert_eq!(remaining(&tree, &matcher), case.artifact, "{what}");
            let matcher = Matcher::for_kustomization(&tree, &case.folder).unwrap();
            let what = format!("{what} in {}", case.folder);
            assert_eq!(remaining(&tree, &matcher), case.kustomization, "{what}");
            let matcher = Matcher::for_bucket(&tree, rules).unwrap();
            assert_eq!(remaining(&tree, &matcher), case.bucket, "{what}");
        }
    }

    #[test]
    fn a_tree_holds_what_remains() {
        let files = ["a/x.yaml", "a/b/y.yaml", "c/z.yaml", "d.png", "e/f.txt"];
        let more = BTreeMap::from([(
            ".sourceignore".to_owned(),
            "a/\n!a/b/y.yaml\nc/\n*.txt\n".to_owned(),
        )]);
        let tree = tree(&files.map(str::to_owned), &more);
        let matcher = Matcher::for_artifact(&tree, None).unwrap();
        let tree = IgnoringTree::new(Arc::new(tree), matcher);
        assert_eq!(
            regular_files(&tree).unwrap(),
            [".sourceignore", "a/b/y.yaml", "d.png"]
        );
        let names = |path| -> Vec<String> {
            let entries = tree.list(path).unwrap();
            entries.into_iter().map(|e| e.name).collect()
        };
        // A folder stays for what remains in it; one that is not left out
        // itself stays empty.
        assert_eq!(names(""), [".sourceignore", "a", "d.png", "e"]);
        assert_eq!(names("e"), [""; 0]);
        assert_eq!(tree.kind("c").unwrap(), None);
        assert_eq!(tree.kind("a/b").unwrap(), Some(Kind::Directory));
        assert_eq!(tree.kind("a/x.yaml").unwrap(), None);
        assert_eq!(&*tree.read("a/b/y.yaml").unwrap(), b"x");
        let error = tree.read("a/x.yaml").unwrap_err();
        assert_eq!(error.rule(), "ref/missing");
        let finding = error.to_finding(&crate::diag::SourceMap::new());
        assert!(finding.help.unwrap().contains(".sourceignore"));
    }
}
