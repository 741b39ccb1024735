//! The packs that are part of the program.

use std::collections::BTreeSet;

use super::evaluate::resolve;
use super::set::built_in;
use super::*;
use crate::cel::Program;
use crate::gostd::regexp::Regexp;

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
