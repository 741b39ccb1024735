//! The kustomization that is built for a Kustomization: the file at its path, or
//! one made from what lies there, with the fields of its spec merged in.
//!
//! In: the tree of the source and the Kustomization. Out: the content that
//! kustomize builds in place of the file, as nodes that keep the places of both.
//!
//! Compat: fluxcd/pkg `kustomize/kustomize_generator.go`.

use crate::artifact::{Kind, path};
use crate::diag::{Error, Finding, Findings, Result, Severity, Span};
use crate::resource::{Files, Gvk};
use crate::yaml::{self, Node, Style};

use super::FluxVersion;
use super::api::{self, Image, Kustomization};

/// Names of kustomization files, in the order in which Flux looks for them.
pub const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Which files of a folder a generated kustomization leaves out.
pub type Ignored<'a> = dyn Fn(&str, Kind) -> bool + 'a;

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The kustomization.
    pub kustomization: Node,
    /// Whether there was no file, and one was made.
    pub created: bool,
}

/// Makes the kustomization of a folder.
///
/// `ignored` says what the source's ignore rules leave out of the folder.
///
/// # Errors
///
/// `ref/missing` where the folder is not there, `kustomize/…` for a file that
/// cannot be read or taken, and for components that are not local.
pub fn generate(
    files: &Files,
    folder: &str,
    spec: &Kustomization,
    flux: FluxVersion,
    ignored: &Ignored<'_>,
    findings: &mut Findings,
) -> Result<Generated> {
    if files.kind(folder)? != Some(Kind::Directory) {
        return Err(Error::new(
            "ref/missing",
            format!("`spec.path` names no folder: `{}`", files.display(folder)),
        )
        .at(spec.path_span)
        .help("paths count from the root of the source"));
    }
    let Base { mut root, created } = base(files, folder, spec.path_span, ignored)?;
    if !created {
        leave_out(&mut root, files, folder, ignored, findings)?;
    }
    merge(&mut root, files, folder, spec, flux, findings)?;
    Ok(Generated {
        kustomization: root,
        created,
    })
}

/// The kustomization of a folder as it is, or one made from what lies there:
/// what a build of the folder itself takes.
///
/// A file named `kustomization.yaml` that holds a Kustomization of Flux is no
/// kustomization: the folder was applied file by file.
///
/// # Errors
///
/// As [`generate`].
pub fn plain(files: &Files, folder: &str) -> Result<Node> {
    let found = base(files, folder, Span::NONE, &|_, _| false)?;
    if !api::is_kustomization(&Gvk::of(&found.root)) {
        return Ok(found.root);
    }
    Ok(made(files, folder, Span::NONE, &|_, _| false)?.root)
}

struct Base {
    root: Node,
    created: bool,
}

/// The file of a folder, or one made from what lies there.
fn base(files: &Files, folder: &str, made_at: Span, ignored: &Ignored<'_>) -> Result<Base> {
    for name in FILE_NAMES {
        let file = join(folder, name);
        if files.kind(&file)? != Some(Kind::File) {
            continue;
        }
        let text = files.text(&file)?;
        let start = Span::new(text.file, 1, 1);
        let mut root = yaml::parse_one(&text.text, text.file)?
            .filter(|n| !n.is_null())
            .unwrap_or_else(|| Node::mapping(Vec::new(), start));
        if !root.is_mapping() {
            return Err(Error::new(
                "kustomize/invalid",
                format!("a kustomization must be a mapping, not {}", root.describe()),
            )
            .at(root.span()));
        }
        default_type(&mut root, start);
        if list(&root, "resources").is_empty() {
            // Keeps kustomize from refusing a file that holds nothing.
            let option = Node::string("originAnnotations", root.span());
            root.set("buildMetadata", Node::sequence(vec![option], root.span()));
        }
        return Ok(Base {
            root,
            created: false,
        });
    }
    made(files, folder, made_at, ignored)
}

/// A kustomization made from what lies in a folder.
fn made(files: &Files, folder: &str, made_at: Span, ignored: &Ignored<'_>) -> Result<Base> {
    let mut resources = Vec::new();
    scan(files, folder, folder, ignored, &mut resources)?;
    let span = made_at;
    let mut root = Node::mapping(Vec::new(), span);
    default_type(&mut root, span);
    if resources.is_empty() {
        // Keeps kustomize from refusing a folder that holds nothing.
        root.set("namespace", Node::string("_placeholder", span));
    } else {
        let resources = resources.into_iter().map(|r| Node::string(r, span));
        root.set("resources", Node::sequence(resources.collect(), span));
    }
    Ok(Base {
        root,
        created: true,
    })
}

fn default_type(root: &mut Node, span: Span) {
    for (key, value) in [
        ("apiVersion", "kustomize.config.k8s.io/v1beta1"),
        ("kind", "Kustomization"),
    ] {
        if root.get(key).is_none_or(Node::is_null) {
            root.set(key, Node::string(value, span));
        }
    }
}

/// The YAML files below a folder, and the folders with a kustomization of
/// their own, in the order in which they are walked.
///
/// Compat: `scanManifests`.
fn scan(
    files: &Files,
    base: &str,
    folder: &str,
    ignored: &Ignored<'_>,
    resources: &mut Vec<String>,
) -> Result<()> {
    let relative = |at: &str| format!("./{}", path::relative(base, at));
    for entry in files.list(folder)? {
        let at = join(folder, &entry.name);
        match entry.kind {
            Kind::Directory => {
                let own = FILE_NAMES
                    .iter()
                    .map(|name| files.kind(&join(&at, name)))
                    .any(|kind| matches!(kind, Ok(Some(Kind::File))));
                if own {
                    resources.push(relative(&at));
                } else {
                    scan(files, base, &at, ignored, resources)?;
                }
            }
            Kind::File => {
                let extension = entry.name.rsplit_once('.').map(|(_, e)| e);
                if matches!(extension, Some("yaml" | "yml")) && !ignored(&at, Kind::File) {
                    resources.push(relative(&at));
                }
            }
        }
    }
    Ok(())
}

/// Takes what the source ignores out of `resources`, `components` and `crds`.
///
/// Compat: `filters.go`: the Flux CLI does so with the file at the path alone.
fn leave_out(
    root: &mut Node,
    files: &Files,
    folder: &str,
    ignored: &Ignored<'_>,
    findings: &mut Findings,
) -> Result<()> {
    for field in ["resources", "components", "crds"] {
        let mut kept = Vec::new();
        let mut changed = false;
        for item in list(root, field) {
            let Some(text) = item.text() else {
                kept.push(item.clone());
                continue;
            };
            let target = path::join(folder, text).filter(|_| !has_scheme(text));
            let kind = match &target {
                Some(target) => files.kind(target)?,
                None => None,
            };
            match (target, kind) {
                (Some(target), Some(kind)) if ignored(&target, kind) => {
                    changed = true;
                    findings.push(
                        Finding::new(
                            "kustomize/ignored",
                            Severity::Warning,
                            format!("`{text}` is left out: the source ignores it"),
                        )
                        .at(item.span(), files.sources())
                        .help("take it out of the list, or out of the ignore rules"),
                    );
                }
                _ => kept.push(item.clone()),
            }
        }
        if changed {
            let span = root.get(field).map_or(root.span(), Node::span);
            root.set(field, Node::sequence(kept, span));
        }
    }
    Ok(())
}

/// Whether text is an absolute address, as Go's `url.ParseRequestURI` sees it.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
    })
}

/// Merges the fields of the spec into the kustomization.
fn merge(
    root: &mut Node,
    files: &Files,
    folder: &str,
    spec: &Kustomization,
    flux: FluxVersion,
    findings: &mut Findings,
) -> Result<()> {
    let replaced = [
        ("namespace", &spec.target_namespace),
        ("namePrefix", &spec.name_prefix),
        ("nameSuffix", &spec.name_suffix),
        ("buildMetadata", &spec.build_metadata),
    ];
    for (field, value) in replaced {
        if let Some(value) = value {
            root.set(field, value.clone());
        }
    }
    append(
        root,
        "patches",
        spec.patches
            .iter()
            .map(|p| entry_of(p.patch.clone(), p.target.as_ref())),
    );
    append(
        root,
        "components",
        components(files, folder, spec, findings)?,
    );
    append(
        root,
        "patchesStrategicMerge",
        spec.patches_strategic_merge.iter().map(as_text),
    );
    append(
        root,
        "patchesJson6902",
        spec.patches_json6902
            .iter()
            .map(|p| entry_of(as_text(&p.patch), p.target.as_ref())),
    );
    for image in &spec.images {
        merge_image(root, image, flux);
    }
    Ok(())
}

fn entry_of(patch: Node, target: Option<&Node>) -> Node {
    let mut entry = Node::mapping(Vec::new(), patch.span());
    entry.set("patch", patch);
    if let Some(target) = target {
        entry.set("target", target.clone());
    }
    entry
}

/// A node as the JSON text that kustomize reads where it wants a string.
fn as_text(node: &Node) -> Node {
    let json = yaml::decode(node, yaml::resolve::Version::V3)
        .map_or_else(|_| String::new(), |value| yaml::to_json(&value));
    Node::string(json, node.span()).with_style(Style::DoubleQuoted)
}

fn components(
    files: &Files,
    folder: &str,
    spec: &Kustomization,
    findings: &mut Findings,
) -> Result<Vec<Node>> {
    let mut kept = Vec::new();
    for component in &spec.components {
        let text = component.text().unwrap_or_default();
        if !is_local(text) {
            return Err(Error::new(
                "kustomize/remote",
                format!("component path `{text}` must be local and relative"),
            )
            .at(component.span())
            .help("copy the component into the source"));
        }
        let there = match path::join(folder, text) {
            Some(target) => files.kind(&target)?.is_some(),
            None => false,
        };
        if !there && spec.ignore_missing_components {
            findings.push(
                Finding::new(
                    "kustomize/missing-component",
                    Severity::Info,
                    format!("component `{text}` is not there and left out"),
                )
                .at(component.span(), files.sources()),
            );
            continue;
        }
        kept.push(component.clone());
    }
    Ok(kept)
}

/// Compat: `IsLocalRelativePath`.
fn is_local(text: &str) -> bool {
    const REMOTE: [&str; 8] = [
        "git::",
        "gh:",
        "ssh://",
        "https://",
        "http://",
        "git@",
        "github.com:",
        "github.com/",
    ];
    let lower = text.to_lowercase();
    let remote = REMOTE
        .iter()
        .any(|p| lower.starts_with(p) && lower.len() > p.len());
    let file = lower.strip_prefix("file://").unwrap_or(&lower);
    !remote && !file.starts_with('/')
}

/// Adds an entry of `spec.images` to those of the kustomization.
fn merge_image(root: &mut Node, image: &Image, flux: FluxVersion) {
    let name = image.name.text().unwrap_or_default();
    let index = list(root, "images")
        .iter()
        .position(|i| i.get("name").and_then(Node::text) == Some(name));
    let mut fresh = Node::mapping(Vec::new(), image.name.span());
    fresh.set("name", image.name.clone());
    let written = |node: &Option<Node>| node.clone().filter(|n| n.text() != Some(""));
    let (new_name, new_tag, digest) = (
        written(&image.new_name),
        written(&image.new_tag),
        written(&image.digest),
    );
    let existing = index.filter(|_| flux.merges_images()).and_then(|i| {
        let images = root.get_mut("images")?;
        images.items_mut()?.get_mut(i)
    });
    let merges = existing.is_some();
    let entry = existing.unwrap_or(&mut fresh);
    if let Some(new_name) = new_name {
        entry.set("newName", new_name);
    }
    // Tag and digest both choose the version: one replaces the other.
    if new_tag.is_some() || digest.is_some() {
        for (field, value) in [("newTag", new_tag), ("digest", digest)] {
            match value {
                Some(value) => entry.set(field, value),
                None => {
                    entry.remove(field);
                }
            }
        }
    }
    if merges {
        return;
    }
    match index {
        Some(i) => {
            let images = root.get_mut("images").and_then(Node::items_mut);
            if let Some(slot) = images.and_then(|images| images.get_mut(i)) {
                *slot = fresh;
            }
        }
        None => append(root, "images", [fresh]),
    }
}

/// The items of a list; empty for what is none.
fn list<'a>(root: &'a Node, field: &str) -> &'a [Node] {
    root.get(field).map_or(&[], |n| n.target().items())
}

/// Adds items to the end of a list, which is made where it is missing.
fn append(root: &mut Node, field: &str, items: impl IntoIterator<Item = Node>) {
    let mut items = items.into_iter().peekable();
    let Some(first) = items.peek() else { return };
    let span = first.span();
    match root.get_mut(field) {
        Some(node) if node.target().is_sequence() => {
            if node.is_alias() {
                *node = node.target().clone();
            }
            if let Some(list) = node.items_mut() {
                list.extend(items);
            }
        }
        // Something else under that name is kustomize's to refuse.
        Some(node) if !node.is_null() => {}
        _ => root.set(field, Node::sequence(items.collect(), span)),
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::artifact::MemoryTree;
    use crate::diag::{FileId, SourceMap};

    fn files(content: &[(&str, &str)]) -> Files {
        let mut tree = MemoryTree::new("");
        for (path, text) in content {
            tree.insert(*path, text.as_bytes());
        }
        Files::new(Arc::new(tree), Arc::new(SourceMap::new()))
    }

    fn spec(text: &str) -> Kustomization {
        let text = format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  \
             name: apps\n  namespace: flux-system\nspec:\n  sourceRef: {{kind: GitRepository, \
             name: fleet}}\n  path: ./apps\n{text}"
        );
        let node = yaml::parse_one(&text, FileId::default()).unwrap().unwrap();
        Kustomization::read(&node, FluxVersion::NEWEST).unwrap()
    }

    fn print(files: &Files, spec: &Kustomization, flux: FluxVersion) -> String {
        let mut findings = Findings::new();
        let generated = generate(files, "apps", spec, flux, &|_, _| false, &mut findings);
        let mut out = String::new();
        yaml::emit::sorted(&generated.unwrap().kustomization, &mut out).unwrap();
        out
    }

    #[test]
    fn a_folder_without_file_gets_one() {
        let files = files(&[
            ("apps/b.yml", ""),
            ("apps/a/x.yaml", ""),
            ("apps/a/notes.txt", ""),
            ("apps/own/kustomization.yml", ""),
            ("apps/own/deep/y.yaml", ""),
            ("other/z.yaml", ""),
        ]);
        insta::assert_snapshot!(print(&files, &spec(""), FluxVersion::NEWEST), @r"
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        resources:
        - ./a/x.yaml
        - ./b.yml
        - ./own
        ");
    }

    #[test]
    fn fields_of_the_spec_are_merged() {
        let files = files(&[
            (
                "apps/kustomization.yaml",
                "namespace: old\nresources: [a.yaml]\npatches:\n- path: p.yaml\nimages:\n- name: \
                 web\n  newName: shop\n  newTag: '1'\n- name: db\n  digest: sha256:1\n",
            ),
            ("components/x/kustomization.yaml", ""),
        ]);
        let spec = spec(
            "  targetNamespace: new\n  namePrefix: p-\n  ignoreMissingComponents: true\n  \
             components: [../components/x, ../components/y]\n  patches:\n  - patch: |\n      - op: \
             remove\n    target:\n      kind: Pod\n      unknown: dropped\n  images:\n  - name: \
             web\n    newTag: '2'\n  - name: db\n    newTag: '3'\n  - name: cache\n    newTag: '4'\n",
        );
        insta::assert_snapshot!(print(&files, &spec, FluxVersion::V2_9), @r#"
        apiVersion: kustomize.config.k8s.io/v1beta1
        components:
        - ../components/x
        images:
        - name: web
          newName: shop
          newTag: "2"
        - name: db
          newTag: "3"
        - name: cache
          newTag: "4"
        kind: Kustomization
        namePrefix: p-
        namespace: new
        patches:
        - path: p.yaml
        - patch: |
            - op: remove
          target:
            kind: Pod
        resources:
        - a.yaml
        "#);
        let older = print(&files, &spec, FluxVersion::V2_8);
        // Before 2.9 an entry replaced the one that was there.
        assert!(!older.contains("newName: shop"), "{older}");
    }

    #[test]
    fn nothing_to_build_is_no_error() {
        let empty = files(&[("apps/README.md", "")]);
        insta::assert_snapshot!(print(&empty, &spec(""), FluxVersion::NEWEST), @"
        apiVersion: kustomize.config.k8s.io/v1beta1
        kind: Kustomization
        namespace: _placeholder
        ");
        let bare = files(&[("apps/kustomization.yaml", "resources: []\n")]);
        insta::assert_snapshot!(print(&bare, &spec(""), FluxVersion::NEWEST), @"
        apiVersion: kustomize.config.k8s.io/v1beta1
        buildMetadata:
        - originAnnotations
        kind: Kustomization
        resources: []
        ");
    }

    #[test]
    fn what_cannot_be_taken_is_refused_with_its_place() {
        let files = files(&[("apps/kustomization.yaml", "- a\n"), ("x", "")]);
        let refused = |spec: &Kustomization, folder: &str| {
            let none = |_: &str, _| false;
            let mut findings = Findings::new();
            let error = generate(
                &files,
                folder,
                spec,
                FluxVersion::NEWEST,
                &none,
                &mut findings,
            );
            let error = error.unwrap_err();
            (error.rule(), error.to_string(), error.span().line)
        };
        assert_eq!(
            refused(&spec(""), "apps"),
            (
                "kustomize/invalid",
                "a kustomization must be a mapping, not a list".into(),
                1
            )
        );
        assert_eq!(
            refused(&spec(""), "nowhere"),
            (
                "ref/missing",
                "`spec.path` names no folder: `nowhere`".into(),
                8
            )
        );
    }

    #[test]
    fn components_are_local() {
        assert!(is_local("../x"));
        assert!(is_local("github.com/"));
        for remote in ["https://x", "GitHub.com/a/b", "git@x", "/abs", "file:///x"] {
            assert!(!is_local(remote), "{remote}");
        }
    }
}
