//! What two versions of a repository have in common is rendered once, and that
//! never shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use fluxwright::artifact::{DiskTree, MemoryTree, Tree};
use fluxwright::diag::{Findings, Location, SourceMap, Span};
use fluxwright::diff::{self, Comparison, Rendering};
use fluxwright::pipeline::build::Prepared;
use fluxwright::pipeline::cluster::{Cluster, Unit};
use fluxwright::pipeline::{Entry, LocalSource, Reuse, Sources, build, entry, render};
use fluxwright::report::difference::{self as report, Form, Titles};
use fluxwright::resource::Files;
use rayon::prelude::*;
use serde_json::Value;

use crate::diff::Fixture;
use crate::fleet::{fleet, scalars_in};
use crate::program::{Run, run};

const ENTRIES: [&str; 2] = ["clusters/staging", "clusters/production"];

/// Both clusters of a version, as far as they render.
type Clusters = Vec<(Result<Cluster, String>, Findings)>;

fn clusters(sources: &Sources, map: &Arc<SourceMap>) -> Clusters {
    let built = ENTRIES.iter().map(|folder| {
        let mut findings = Findings::new();
        let options = render::Options::new(map.clone());
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

fn prepare<'a>(
    entry: &'a fluxwright::diag::Result<Entry>,
    sources: &Sources,
    options: &'a render::Options,
) -> fluxwright::diag::Result<Prepared<'a>> {
    let entry = entry.as_ref().map_err(Clone::clone);
    entry.and_then(|entry| build::prepare(entry, sources, options))
}

/// Both versions as a comparison renders them: what they have in common is built
/// once, and HelmReleases that are the same in both are not rendered.
fn together(old: &MemoryTree, new: &MemoryTree) -> (Clusters, Clusters, Arc<SourceMap>) {
    let map = Arc::new(SourceMap::new());
    let mut options = render::Options::new(map.clone());
    options.reuse = Some(Arc::new(Reuse::default()));
    let new = sources(new, &map);
    let files = Files::new(Arc::new(old.clone()), map.clone());
    let old = new.beside(Arc::new(files));
    let (mut old_clusters, mut new_clusters) = (Clusters::new(), Clusters::new());
    for folder in ENTRIES {
        let entries = [&new, &old].map(|sources| entry::at(&sources.repository, folder));
        let mut new_build = prepare(&entries[0], &new, &options);
        let mut old_build = prepare(&entries[1], &old, &options);
        build::render_both(new_build.as_mut().ok(), old_build.as_mut().ok());
        let finish = |build: fluxwright::diag::Result<Prepared<'_>>| {
            let mut findings = Findings::new();
            let cluster = build.map(|build| build.finish(&mut findings));
            (cluster.map_err(|e| e.to_string()), findings)
        };
        new_clusters.push(finish(new_build));
        old_clusters.push(finish(old_build));
    }
    (old_clusters, new_clusters, map)
}

/// Both versions, each by itself.
fn apart(old: &MemoryTree, new: &MemoryTree) -> (Clusters, Clusters, Arc<SourceMap>) {
    let map = Arc::new(SourceMap::new());
    let of = |tree| clusters(&sources(tree, &map), &map);
    (of(old), of(new), map)
}

fn place(span: Span, map: &SourceMap) -> String {
    match Location::of(span, map) {
        Some(l) => format!("{}:{}:{}", l.file, l.line, l.column),
        None => "nowhere".to_owned(),
    }
}

/// All that a unit renders to: the text of every object, or the error.
fn texts(unit: &Unit) -> Vec<String> {
    match &unit.outcome {
        Ok(objects) => {
            let print = |object: &fluxwright::pipeline::cluster::Object| {
                let mut text = String::new();
                object.print(&mut text).unwrap();
                text
            };
            objects.iter().map(print).collect()
        }
        Err(e) => vec![e.to_string()],
    }
}

/// The same with the place of every scalar, or of the error.
fn rendered(unit: &Unit, map: &SourceMap) -> Vec<String> {
    let mut out = vec![format!("{:?} {:?} {:?}", unit.id, unit.parent, unit.source)];
    match &unit.outcome {
        Ok(objects) => {
            for object in objects {
                let mut text = String::new();
                object.print(&mut text).unwrap();
                out.push(text);
                let mut found = Vec::new();
                scalars_in(&object.node, "", &mut found);
                let places = found
                    .iter()
                    .map(|(path, node)| format!("{path} {}", place(node.span(), map)));
                out.extend(places);
            }
        }
        Err(e) => out.push(format!("{e} {}", place(e.span(), map))),
    }
    out
}

fn name_of(unit: &Unit) -> String {
    unit.id.to_object_ref().to_string()
}

/// The units of each cluster.
fn units(clusters: &Clusters) -> Vec<BTreeMap<String, &Unit>> {
    let units = clusters.iter().map(|(cluster, _)| {
        let units = cluster.iter().flat_map(|cluster| &cluster.units);
        units.map(|unit| (name_of(unit), unit)).collect()
    });
    units.collect()
}

/// Holds one version as a comparison rendered it to the same as it is rendered
/// by itself: what was rendered is the same, findings included, and the rest is
/// left out.
fn same_as_full(
    limited: &Clusters,
    full: &Clusters,
    (map, map_full): (&SourceMap, &SourceMap),
    what: &str,
) {
    for ((limited, full), (one, other)) in limited
        .iter()
        .zip(full)
        .zip(units(limited).iter().zip(&units(full)))
    {
        assert_eq!(limited.0.as_ref().err(), full.0.as_ref().err(), "{what}");
        assert!(one.keys().eq(other.keys()), "{what}");
        let mut about_left = BTreeSet::new();
        for (name, unit) in one {
            if unit.is_left {
                about_left.insert(name.clone());
                let objects = other[name].outcome.iter().flatten();
                about_left.extend(objects.map(|o| o.id.to_object_ref().to_string()));
            } else {
                assert_eq!(
                    rendered(unit, map),
                    rendered(other[name], map_full),
                    "{what}"
                );
            }
        }
        let texts = |findings: &Findings| -> Vec<(String, Option<String>)> {
            let all = findings.clone().into_sorted().into_iter();
            all.map(|f| (format!("{f:?}"), f.object.map(|o| o.to_string())))
                .collect()
        };
        let told: BTreeSet<_> = texts(&limited.1).into_iter().collect();
        for finding in texts(&full.1) {
            let is_left = finding.1.as_ref().is_some_and(|o| about_left.contains(o));
            assert!(told.contains(&finding) || is_left, "{what}: {}", finding.0);
        }
        assert!(told.len() <= texts(&full.1).len(), "{what}");
    }
}

/// The names of units, cluster by cluster, that have the same content in both
/// versions; these render to the same when each version is rendered by itself,
/// and from the same inputs at the same places.
fn unreached(
    (old, new): (&Clusters, &Clusters),
    (old_full, new_full, map): (&Clusters, &Clusters, &SourceMap),
    what: &str,
) -> Vec<BTreeSet<String>> {
    let all = units(old).into_iter().zip(units(new));
    let full = units(old_full).into_iter().zip(units(new_full));
    let same = all.zip(full).map(|((old, new), (old_full, new_full))| {
        let has_same = |(name, unit): &(&String, &&Unit)| {
            let before = old.get(*name).and_then(|unit| unit.content);
            unit.content.is_some() && before == unit.content
        };
        let same: BTreeSet<String> = new
            .iter()
            .filter(has_same)
            .map(|(n, _)| n.clone())
            .collect();
        for name in &same {
            let (before, now) = (old_full[name], new_full[name]);
            assert_eq!(texts(before), texts(now), "{what}: {name}");
            let inputs = new[name].inputs;
            if inputs.is_some() && old[name].inputs == inputs {
                assert_eq!(rendered(before, map), rendered(now, map), "{what}: {name}");
            }
        }
        for (name, unit) in &new {
            assert!(
                !unit.is_left || same.contains(name),
                "{what}: {name} is left"
            );
        }
        same
    });
    same.collect()
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

/// A report without what is said of units that the change does not reach: how
/// many objects they hold is only known where they are rendered.
fn of_reached(report: &str, unreached: &[BTreeSet<String>], objects: &[usize]) -> Value {
    let mut report: Value = serde_json::from_str(report).unwrap();
    let name = |object: &Value| {
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        match text("namespace") {
            "" => format!("{}/{}", text("kind"), text("name")),
            namespace => format!("{}/{namespace}/{}", text("kind"), text("name")),
        }
    };
    let all: BTreeSet<&String> = unreached.iter().flatten().collect();
    let is_of_them = |owner: &Value| all.contains(&name(owner));
    for (cluster, objects) in report["clusters"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .zip(objects)
    {
        let count = cluster["unchanged"].as_u64().unwrap();
        cluster["unchanged"] = (count - *objects as u64).into();
        cluster["unreached"] = Value::Null;
        let parts = cluster["unrendered"].as_array_mut().unwrap();
        parts.retain(|part| !(part["side"] == "both" && is_of_them(&part["owner"])));
    }
    let findings = report["findings"].as_array_mut().unwrap();
    findings.retain(|f| !(f["rule"] == "change/unrendered" && is_of_them(&f["object"])));
    report["summary"] = Value::Null;
    report
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
    let counts: Vec<[usize; 3]> = (0..24u64)
        .into_par_iter()
        .map(|seed| {
            let (changed, what) = edited(&fleet, &mut Random(seed * 7919 + 1));
            let (old, new, map) = together(&fleet, &changed);
            let (old_full, new_full, map_full) = apart(&fleet, &changed);
            for (limited, full) in [(&old, &old_full), (&new, &new_full)] {
                same_as_full(limited, full, (&map, &map_full), &what);
            }
            let full = (&old_full, &new_full, &*map_full);
            let unreached = unreached((&old, &new), full, &what);
            let objects = |(units, names): (BTreeMap<String, &Unit>, &BTreeSet<String>)| {
                let outcomes = names.iter().map(|name| &units[name].outcome);
                outcomes.flatten().map(Vec::len).sum()
            };
            let in_unreached: Vec<usize> = units(&new_full)
                .into_iter()
                .zip(&unreached)
                .map(objects)
                .collect();
            let all = units(&new).iter().map(BTreeMap::len).sum();
            let left = units(&new)
                .iter()
                .flat_map(BTreeMap::values)
                .filter(|u| u.is_left)
                .count();
            let limited = difference(old, new, &map);
            let full = difference(old_full, new_full, &map_full);
            assert_eq!(
                of_reached(&limited, &unreached, &[0, 0]),
                of_reached(&full, &unreached, &in_unreached),
                "{what}"
            );
            [unreached.iter().map(BTreeSet::len).sum(), left, all]
        })
        .collect();
    let sum = |at: usize| counts.iter().map(|counts| counts[at]).sum::<usize>();
    let (same, left, all) = (sum(0), sum(1), sum(2));
    assert!(same * 2 > all, "{same} of {all} units were rendered once");
    assert!(same < all, "no edit reached anything");
    assert!(left * 8 > all, "{left} of {all} units were not rendered");
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

/// What does not render since a change is told, whatever object and file the error is
/// about.
#[test]
fn check_tells_of_what_a_change_breaks_as_a_whole() {
    let fixture = repository();
    // What it applied is applied twice: the second is no file that changed.
    let left = fs::read_to_string(fixture.path().join("cluster/left.yaml")).unwrap();
    fixture.write("right/more/object.yaml", &object("right", 1));
    fixture.write(
        "right/more/kustomization.yaml",
        "resources: [object.yaml]\n",
    );
    fixture.commit();
    fixture.write(
        "right/kustomization.yaml",
        "resources: [object.yaml, more]\n",
    );
    let run = check(&fixture, &["--changed-from", "HEAD"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(
        run.stdout.contains("kustomize/duplicate-id"),
        "{}",
        run.stdout
    );
    // A cluster whose folder is gone is not fine.
    fixture.write("right/kustomization.yaml", "resources: [object.yaml]\n");
    fixture.write(
        "other/flux-system/gotk-sync.yaml",
        &left.replace("./left", "./other"),
    );
    fixture.write("other/object.yaml", &object("other", 1));
    fixture.commit();
    fs::rename(fixture.path().join("other"), fixture.path().join("moved")).unwrap();
    let run = check(&fixture, &["--changed-from", "HEAD"]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(
        run.stdout.contains("no such file or folder: `other`"),
        "{}",
        run.stdout
    );
}
