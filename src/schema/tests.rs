//! The packs that are part of the program.

use std::collections::BTreeSet;

use super::evaluate::resolve;
use super::set::built_in;
use super::*;
use crate::cel::Program;
use crate::diag::SourceMap;
use crate::gostd::regexp::Regexp;
use crate::yaml::{self, Node};

/// Everything that lies in or below a schema, each once.
fn walk<'p>(schema: Schema<'p>, seen: &mut BTreeSet<u32>, f: &mut impl FnMut(Schema<'p>)) {
    if !seen.insert(schema.at()) {
        return;
    }
    f(schema);
    let target = resolve(schema).expect("a reference that leads somewhere");
    let properties = target.properties().map(|(_, property)| property);
    let parts = properties
        .chain(target.items())
        .chain(target.additional())
        .chain(target.forbidden())
        .chain(target.all_of())
        .chain(target.any_of())
        .chain(target.one_of());
    for part in parts.collect::<Vec<_>>() {
        walk(part, seen, f);
    }
}

fn every_schema<'p>(pack: &'p Pack, mut f: impl FnMut(Schema<'p>)) -> usize {
    let mut seen = BTreeSet::new();
    let kinds: Vec<_> = pack.kinds().collect();
    for (api_version, kind) in kinds {
        for variant in pack.kind(api_version, kind) {
            if let Some(schema) = variant.schema {
                walk(schema, &mut seen, &mut f);
            }
        }
    }
    seen.len()
}

#[test]
fn every_pack_is_whole() {
    let mut wrong = Vec::new();
    let mut counts = Vec::new();
    for pack in built_in() {
        counts.push(every_schema(pack, |schema| {
            if let Some(pattern) = schema.pattern()
                && let Err(e) = Regexp::new(pattern)
            {
                wrong.push(format!("{pattern}: {e}"));
            }
            for rule in schema.rules() {
                let texts = [Some(rule.rule), rule.message_expression];
                for text in texts.into_iter().flatten() {
                    if let Err(e) = Program::compile(text, &["self", "oldSelf"]) {
                        wrong.push(format!("{text}: {e}"));
                    }
                }
            }
            for json in schema
                .default()
                .into_iter()
                .chain(schema.values().into_iter().flatten())
            {
                if let Err(e) = serde_json::from_str::<serde_json::Value>(json) {
                    wrong.push(format!("{json}: {e}"));
                }
            }
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.iter().all(|count| *count > 400), "{counts:?}");
}

#[test]
fn versions_have_what_they_serve() {
    let serves = |kubernetes, flux, api_version, kind| {
        let version = format!("1.{kubernetes}").parse::<KubernetesVersion>();
        Schemas::new(version.unwrap().minor(), flux)
            .kind(api_version, kind)
            .is_some()
    };
    for (api_version, kind, first, last) in [
        ("apps/v1", "Deployment", 31, 37),
        ("resource.k8s.io/v1", "DeviceClass", 34, 37),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", 31, 31),
        ("networking.k8s.io/v1", "ServiceCIDR", 33, 37),
        ("policy/v1beta1", "PodDisruptionBudget", 38, 0),
    ] {
        for minor in 31..=37 {
            let expected = (first..=last).contains(&minor);
            assert_eq!(
                serves(minor, 9, api_version, kind),
                expected,
                "{kind} 1.{minor}"
            );
        }
    }
    for (api_version, kind, first, last) in [
        ("source.toolkit.fluxcd.io/v1", "GitRepository", 6, 9),
        ("source.toolkit.fluxcd.io/v1beta1", "GitRepository", 6, 6),
        ("source.toolkit.fluxcd.io/v1beta2", "GitRepository", 6, 7),
        ("image.toolkit.fluxcd.io/v1", "ImagePolicy", 7, 9),
        ("image.toolkit.fluxcd.io/v1beta2", "ImagePolicy", 6, 8),
        (
            "source.extensions.fluxcd.io/v1beta1",
            "ArtifactGenerator",
            7,
            9,
        ),
        ("helm.toolkit.fluxcd.io/v2", "HelmRelease", 6, 9),
    ] {
        for minor in 6..=9 {
            let expected = (first..=last).contains(&minor);
            assert_eq!(
                serves(36, minor, api_version, kind),
                expected,
                "{kind} 2.{minor}"
            );
        }
    }
}

#[test]
fn objects_live_where_they_live() {
    let schemas = Schemas::new(36, 9);
    for (api_version, kind, scope) in [
        ("v1", "Namespace", Some(Scope::Cluster)),
        ("v1", "ConfigMap", Some(Scope::Namespaced)),
        (
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            Some(Scope::Cluster),
        ),
        (
            "helm.toolkit.fluxcd.io/v2",
            "HelmRelease",
            Some(Scope::Namespaced),
        ),
        ("cert-manager.io/v1", "ClusterIssuer", Some(Scope::Cluster)),
        ("example.org/v1", "Thing", None),
    ] {
        assert_eq!(schemas.scope(api_version, kind), scope, "{kind}");
    }
}

fn parse(text: &str) -> Vec<yaml::Document> {
    yaml::parse(text, SourceMap::new().add("test.yaml", text)).unwrap()
}

/// The object of a document of `objects.yaml`.
fn object(body: &Node) -> Node {
    let span = body.span();
    let mut object = Node::mapping(Vec::new(), span);
    object.set("apiVersion", Node::string("example.org/v1", span));
    object.set("kind", Node::string("Thing", span));
    if let Some(metadata) = body.get("metadata") {
        object.set("metadata", metadata.clone());
        object.set("spec", Node::mapping(Vec::new(), span));
    } else {
        let metadata = parse("{name: thing, namespace: ns}").remove(0).root;
        object.set("metadata", metadata);
        object.set("spec", body.clone());
    }
    object
}

#[test]
fn custom_resources_are_judged_as_kubernetes_judges_them() {
    let definition = parse(include_str!(
        "../../testdata/schema/structural/definition.yaml"
    ));
    let objects = parse(include_str!(
        "../../testdata/schema/structural/objects.yaml"
    ));
    let expected = include_str!("../../testdata/schema/structural/expected.txt");
    assert_eq!(objects.len(), expected.lines().count());
    let mut schemas = Schemas::new(36, 9);
    assert!(
        schemas
            .add_definitions(definition.iter().map(|d| &d.root))
            .is_empty()
    );
    let mut wrong = Vec::new();
    for (document, expected) in objects.iter().zip(expected.lines()) {
        let verdict = schemas.check(&object(&document.root)).unwrap().remove(0);
        let paths: Vec<String> = verdict.violations.iter().map(|v| v.path.clone()).collect();
        let is_cel = verdict
            .violations
            .iter()
            .any(|v| v.rule == "schema/invalid-cel");
        let (stage, places) = expected.split_once(": ").unwrap_or((expected, ""));
        let stage_fits = match stage {
            "valid" => paths.is_empty(),
            "cel" => is_cel,
            _ => !paths.is_empty() && !is_cel,
        };
        let wanted: Vec<String> = places
            .split(' ')
            .filter(|place| !place.is_empty() && *place != "<nil>" && *place != "(malformed)")
            .map(|place| format!("/{}", place.replace(['.', '['], "/").replace(']', "")))
            .collect();
        // Labels and annotations are told one by one; what is missing is told
        // where it is missing.
        let near = |a: &str, b: &str| {
            let is_above = b.rsplit_once('/').is_some_and(|(above, _)| above == a);
            a == b || a.starts_with(&format!("{b}/")) || is_above
        };
        let all_found = wanted.iter().all(|w| paths.iter().any(|p| near(p, w)));
        let none_beyond = places.contains("<nil>")
            || paths
                .iter()
                .all(|p| wanted.iter().any(|w| near(p, w) || near(w, p)));
        if !(stage_fits && all_found && none_beyond) {
            let line = document.root.span().line;
            wrong.push(format!(
                "line {line}: {expected}, but {:#?}",
                verdict.violations
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
