//! What two versions of a repository have in common is rendered once, and that
//! never shows.

use std::path::Path;
use std::sync::Arc;

use fluxwright::artifact::{DiskTree, MemoryTree, Tree};
use fluxwright::diag::{Findings, Location, SourceMap};
use fluxwright::diff::{self, Comparison, Rendering};
use fluxwright::pipeline::cluster::Cluster;
use fluxwright::pipeline::{LocalSource, Reuse, Sources, build, entry, render};
use fluxwright::report::difference::{self as report, Form, Titles};
use fluxwright::resource::Files;
use rayon::prelude::*;

use crate::diff::Fixture;
use crate::fleet::{fleet, scalars};
use crate::program::{Run, run};

const ENTRIES: [&str; 2] = ["clusters/staging", "clusters/production"];

/// Both clusters of a version, as far as they render.
type Clusters = Vec<(Result<Cluster, String>, Findings)>;

fn clusters(sources: &Sources, map: &Arc<SourceMap>, reuse: Option<&Arc<Reuse>>) -> Clusters {
    let built = ENTRIES.iter().map(|folder| {
        let mut findings = Findings::new();
        let mut options = render::Options::new(map.clone());
        options.reuse = reuse.cloned();
        let cluster = entry::at(&sources.repository, folder)
            .and_then(|entry| build::build(&entry, sources, &options, &mut findings));
        (cluster.map_err(|e| e.to_string()), findings)
    });
    built.collect()
}

fn sources(tree: &MemoryTree, map: &Arc<SourceMap>) -> Sources {
    let files = |tree: Arc<dyn Tree>| Arc::new(Files::new(tree, map.clone()));
    let mut sources = Sources::new(files(Arc::new(tree.clone())));
    for (kind, name, path) in [
        ("GitRepository", "garden/garden", "testdata/herbs"),
        (
            "OCIRepository",
            "ingress/ingress-nginx",
            "testdata/charts/ingress-nginx",
        ),
    ] {
        let at = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let local = files(Arc::new(DiskTree::open(&at).unwrap().named(path)));
        let (namespace, name) = name.split_once('/').unwrap();
        let reference = fluxwright::flux::api::SourceRef {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        sources
            .local
            .insert(reference, LocalSource::folder(path, local));
    }
    sources
}

/// Both versions, with what they have in common rendered once.
fn together(old: &MemoryTree, new: &MemoryTree) -> (Clusters, Clusters, Arc<SourceMap>) {
    let map = Arc::new(SourceMap::new());
    let reuse = Arc::new(Reuse::default());
    let new = sources(new, &map);
    let new_clusters = clusters(&new, &map, Some(&reuse));
    let files = Files::new(Arc::new(old.clone()), map.clone());
    let old = new.beside(Arc::new(files));
    let old_clusters = clusters(&old, &map, Some(&reuse));
    (old_clusters, new_clusters, map)
}

/// Both versions, each by itself.
fn apart(old: &MemoryTree, new: &MemoryTree) -> (Clusters, Clusters, Arc<SourceMap>) {
    let map = Arc::new(SourceMap::new());
    let of = |tree| clusters(&sources(tree, &map), &map, None);
    (of(old), of(new), map)
}

/// All that a version renders to: the text of every object, the place of every
/// scalar, errors and findings.
fn described(clusters: &Clusters, map: &SourceMap) -> Vec<String> {
    let place = |span| match Location::of(span, map) {
        Some(l) => format!("{}:{}:{}", l.file, l.line, l.column),
        None => "nowhere".to_owned(),
    };
    let mut out = Vec::new();
    for (cluster, findings) in clusters {
        out.extend(
            findings
                .clone()
                .into_sorted()
                .iter()
                .map(|f| format!("{f:?}")),
        );
        let cluster = match cluster {
            Ok(cluster) => cluster,
            Err(e) => {
                out.push(e.clone());
                continue;
            }
        };
        for unit in &cluster.units {
            out.push(format!("{:?} {:?} {:?}", unit.id, unit.parent, unit.source));
            match &unit.outcome {
                Ok(objects) => out.extend(objects.iter().map(|object| {
                    let mut text = String::new();
                    object.print(&mut text).unwrap();
                    text
                })),
                Err(e) => out.push(format!("{e} {}", place(e.span()))),
            }
        }
        let scalars = scalars(cluster);
        out.extend(
            scalars
                .iter()
                .map(|(path, node)| format!("{path} {}", place(node.span()))),
        );
    }
    out
}

fn difference(old: Clusters, new: Clusters, map: &SourceMap) -> String {
    let rendering = |clusters: Clusters| {
        let mut rendering = Rendering::default();
        for cluster in clusters.into_iter().filter_map(|(cluster, _)| cluster.ok()) {
            rendering.add_cluster(cluster, map);
        }
        rendering
    };
    let (old, new) = (rendering(old), rendering(new));
    let difference = diff::compare(&old, &new, &Comparison::default(), map);
    let titles = Titles {
        old: "old".into(),
        new: "new".into(),
        show_noise: true,
    };
    report::difference(&difference, &titles, Form::Json).unwrap()
}

/// How many units have the same inputs in both versions, and how many there
/// are.
fn in_common(old: &Clusters, new: &Clusters) -> (usize, usize) {
    let units = |clusters: &Clusters| -> Vec<_> {
        let clusters = clusters
            .iter()
            .filter_map(|(cluster, _)| cluster.as_ref().ok());
        let units = clusters.flat_map(|cluster| &cluster.units);
        units.map(|unit| (unit.id.clone(), unit.inputs)).collect()
    };
    let (old, new) = (units(old), units(new));
    let common = new
        .iter()
        .filter(|unit| unit.1.is_some() && old.contains(unit));
    (common.count(), new.len())
}

/// Random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

/// The fleet after a random edit.
fn edited(tree: &MemoryTree, random: &mut Random) -> (MemoryTree, String) {
    let paths: Vec<String> = tree.paths().map(str::to_owned).collect();
    let path = &paths[random.below(paths.len())];
    let text = String::from_utf8(tree.read(path).unwrap().to_vec()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = random.below(lines.len().max(1));
    let what = random.below(6);
    let mut edited = MemoryTree::new("");
    for (other, content) in tree.files().filter(|(other, _)| other != path) {
        edited.insert(other, content.clone());
    }
    match what {
        // Another value, or something that cannot be read.
        0 | 1 if !lines.is_empty() => lines[at].push('7'),
        2 => lines.insert(at, "# a remark".to_owned()),
        3 if !lines.is_empty() => drop(lines.remove(at)),
        4 => {
            // Gone.
            return (edited, format!("{path} is removed"));
        }
        _ => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let object = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: new\n";
            edited.insert(format!("{folder}/new.yaml"), object.as_bytes());
        }
    }
    edited.insert(path.clone(), lines.join("\n").into_bytes());
    (edited, format!("{path}:{at} ({what})"))
}

#[test]
fn random_edits_give_what_two_full_renderings_give() {
    let fleet = fleet();
    let common: Vec<(usize, usize)> = (0..24u64)
        .into_par_iter()
        .map(|seed| {
            let (changed, what) = edited(&fleet, &mut Random(seed * 7919 + 1));
            let (old, new, map) = together(&fleet, &changed);
            let (old_full, new_full, map_full) = apart(&fleet, &changed);
            let common = in_common(&old, &new);
            assert_eq!(
                described(&old, &map),
                described(&old_full, &map_full),
                "{what}"
            );
            assert_eq!(
                described(&new, &map),
                described(&new_full, &map_full),
                "{what}"
            );
            assert_eq!(
                difference(old, new, &map),
                difference(old_full, new_full, &map_full),
                "{what}"
            );
            common
        })
        .collect();
    let (same, all) = common.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    assert!(same * 2 > all, "{same} of {all} units were rendered once");
    assert!(same < all, "no edit reached anything");
}

#[test]
fn a_change_reaches_who_reads_it_and_nobody_else() {
    let fleet = fleet();
    let reached = |path: &str, from: &str, to: &str| -> Vec<String> {
        let text = String::from_utf8(fleet.read(path).unwrap().to_vec()).unwrap();
        assert!(text.contains(from), "{path}");
        let mut changed = fleet.clone();
        changed.insert(path, text.replacen(from, to, 1).into_bytes());
        let (old, new, _) = together(&fleet, &changed);
        let mut reached = Vec::new();
        for ((old, _), (new, _)) in old.iter().zip(&new) {
            let (old, new) = (old.as_ref().unwrap(), new.as_ref().unwrap());
            for (old, new) in old.units.iter().zip(&new.units) {
                if old.inputs.is_none() || old.inputs != new.inputs {
                    reached.push(new.id.name.to_string());
                }
            }
        }
        reached
    };
    // Staging and production alike.
    let service = reached("apps/base/shop/service.yaml", "port: 80", "port: 81");
    assert_eq!(service, ["apps", "apps"]);
    let values = reached("charts/queue/values.yaml", "1", "2");
    assert_eq!(values, ["queue", "queue"]);
    let readme = reached("README.md", "a", "b");
    assert_eq!(readme, Vec::<String>::new());
}

/// A repository with two Kustomizations, each with an object that there is
/// something to say about.
fn repository() -> Fixture {
    let fixture = Fixture::new();
    for name in ["left", "right"] {
        fixture.write(
            &format!("cluster/{name}.yaml"),
            &format!(
                "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: \
                 {{name: {name}, namespace: flux-system}}\nspec:\n  path: ./{name}\n  prune: \
                 true\n  interval: 10m\n  sourceRef: {{kind: GitRepository, name: \
                 flux-system}}\n"
            ),
        );
        fixture.write(&format!("{name}/object.yaml"), &object(name, 1));
    }
    fixture.commit();
    fixture
}

fn object(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: \
         shop}}\nspec: {{replicas: {replicas}, wrong: true}}\n"
    )
}

fn check(fixture: &Fixture, more: &[&str]) -> Run {
    let mut args = vec![
        "check",
        fixture.path().to_str().unwrap(),
        "--output",
        "json",
    ];
    args.extend(more);
    run(&args, "")
}

fn names(run: &Run) -> Vec<String> {
    let findings: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let findings = findings.as_array().unwrap().iter();
    let mut names: Vec<String> = findings
        .map(|f| f["object"]["name"].as_str().unwrap_or("none").to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn check_tells_of_what_a_change_reaches() {
    let fixture = repository();
    let all = names(&check(&fixture, &[]));
    assert!(
        all.contains(&"left".to_owned()) && all.contains(&"right".to_owned()),
        "{all:?}"
    );
    let nothing = check(&fixture, &["--changed-from", "HEAD"]);
    assert_eq!(names(&nothing), Vec::<String>::new());
    assert_eq!(nothing.code, Some(0));

    fixture.write("left/object.yaml", &object("left", 2));
    let reached = check(&fixture, &["--changed-from", "HEAD"]);
    assert_eq!(names(&reached), ["left"]);
    assert_eq!(reached.code, check(&fixture, &[]).code);

    let missing = check(&fixture, &["--changed-from", "nowhere"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stdout.contains("nowhere"), "{}", missing.stdout);
}
