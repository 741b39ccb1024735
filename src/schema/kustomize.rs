//! The questions that kustomize asks of schemas, and its answers.
//!
//! In: a kind, and the names of fields below it. Out: how two lists or mappings
//! in that place are merged, and whether objects of the kind live in a
//! namespace.
//!
//! Compat: kyaml's package `openapi`. It knows Kubernetes 1.21.2 as a cluster
//! without alpha APIs serves it, kustomize's own kinds, and what the field
//! `openapi` of a kustomization adds.

use std::sync::LazyLock;

use super::openapi;
use super::pack::{Pack, Schema, Scope};
use crate::diag::Result;
use crate::yaml::Node;

/// Kubernetes 1.21.2.
static KUBERNETES: LazyLock<Pack> = LazyLock::new(|| {
    Pack::open(include_bytes!("../../schemas/kustomize.pack")).expect("made and tested here")
});

/// `ConfigMapArgs` and the like, which are there whatever else is.
static KUSTOMIZATION: LazyLock<Pack> = LazyLock::new(|| {
    Pack::open(include_bytes!("../../schemas/kustomization.pack")).expect("made and tested here")
});

/// References that lead to references; more than this many go in a circle.
const MAX_REFERENCES: usize = 64;

/// The schemas that a kustomize build goes by.
///
/// Cheap to make; without `openapi` in a kustomization nothing is allocated.
#[derive(Debug)]
pub struct OpenApi {
    /// Documents named by `openapi: path:`, the latest first.
    custom: Vec<Pack>,
    builtin: bool,
}

impl Default for OpenApi {
    fn default() -> OpenApi {
        OpenApi::new()
    }
}

impl OpenApi {
    /// The built-in schemas.
    pub const fn new() -> OpenApi {
        OpenApi {
            custom: Vec::new(),
            builtin: true,
        }
    }

    /// No schemas but kustomize's own: what a document that `openapi: path:`
    /// names is added to.
    ///
    /// Compat: a custom document takes the place of the built-in one, unless
    /// kyaml has needed that one before it read the field.
    pub const fn without_builtin() -> OpenApi {
        OpenApi {
            custom: Vec::new(),
            builtin: false,
        }
    }

    /// Adds a document; its definitions win over those that were there.
    ///
    /// # Errors
    ///
    /// `schema/definition`, with the place, for what is no OpenAPI document.
    pub fn add(&mut self, document: &Node) -> Result<()> {
        self.custom.insert(0, openapi::for_merging(document)?);
        Ok(())
    }

    /// The schema of a kind.
    pub fn kind(&self, api_version: &str, kind: &str) -> Option<FieldSchema<'_>> {
        self.packs().find_map(|pack| {
            let schema = pack.kind(api_version, kind).next()?.schema?;
            Some(FieldSchema { api: self, schema })
        })
    }

    /// Where objects of a kind live, as far as kustomize knows.
    pub fn scope(&self, api_version: &str, kind: &str) -> Option<Scope> {
        let of = |pack: &Pack| pack.kind(api_version, kind).next()?.scope;
        // Compat: a table of the built-in kinds is looked at before anything
        // else, whether these are in use or not.
        of(&KUBERNETES).or_else(|| self.custom.iter().find_map(of))
    }

    /// Whether objects of a kind live outside namespaces; false where that is
    /// not known.
    pub fn is_certainly_cluster_scoped(&self, api_version: &str, kind: &str) -> bool {
        self.scope(api_version, kind) == Some(Scope::Cluster)
    }

    fn packs(&self) -> impl Iterator<Item = &Pack> {
        std::iter::once(&*KUSTOMIZATION)
            .chain(&self.custom)
            .chain(self.builtin.then(|| &*KUBERNETES))
    }

    fn resolve<'a>(&'a self, mut schema: Schema<'a>) -> Option<FieldSchema<'a>> {
        for _ in 0..MAX_REFERENCES {
            let Some(name) = schema.reference() else {
                return Some(FieldSchema { api: self, schema });
            };
            schema = self.packs().find_map(|pack| pack.definition(name))?;
        }
        None
    }
}

/// The schema of a kind, a field or an item.
#[derive(Clone, Copy, Debug)]
pub struct FieldSchema<'a> {
    api: &'a OpenApi,
    schema: Schema<'a>,
}

impl<'a> FieldSchema<'a> {
    /// The schema of a field: the property of that name, else that of a
    /// mapping's values. None where the schemas say nothing about it.
    pub fn field(self, name: &str) -> Option<FieldSchema<'a>> {
        let field = self
            .schema
            .property(name)
            .or_else(|| self.schema.additional())?;
        self.api.resolve(field)
    }

    /// The schema of the items of a list; none for what is no list.
    pub fn elements(self) -> Option<FieldSchema<'a>> {
        let items = self.schema.items().filter(|_| self.schema.is_list())?;
        self.api.resolve(items)
    }

    /// The patch strategy and the keys that tell items of a list apart. No
    /// strategy, no keys.
    ///
    /// `x-kubernetes-list-map-keys` wins over `x-kubernetes-patch-merge-key`;
    /// a list of plain values may have a strategy and no key.
    pub fn patch_strategy_and_keys(self) -> (&'a str, Vec<&'a str>) {
        let Some(strategy) = self.schema.patch_strategy() else {
            return ("", Vec::new());
        };
        let keys = if self.schema.has_list_map_keys() {
            self.schema.list_map_keys().collect()
        } else {
            self.schema.merge_key().into_iter().collect()
        };
        (strategy, keys)
    }

    /// Whether lists in this place are merged item by item.
    ///
    /// Compat: `IsAssociative` in kyaml's `yaml/schema/schema.go`, for a node
    /// that has a schema.
    pub fn is_associative(self) -> bool {
        self.schema
            .patch_strategy()
            .is_some_and(|strategies| strategies.split(',').any(|s| s == "merge"))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::diag::SourceMap;
    use crate::yaml;

    /// Every kind with its scope, the number of its places, and each place
    /// that has a patch strategy.
    fn describe(api: &OpenApi) -> String {
        let mut kinds: Vec<(&str, &str)> = api
            .packs()
            .flat_map(Pack::kinds)
            .filter(|(api_version, kind)| api.kind(api_version, kind).is_some())
            .collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in [
            ("v1", "NodeProxyOptions"),
            ("v1", "PodAttachOptions"),
            ("v1", "PodExecOptions"),
            ("v1", "PodPortForwardOptions"),
            ("v1", "PodProxyOptions"),
            ("v1", "ServiceProxyOptions"),
            ("rbac.authorization.k8s.io/v1alpha1", "Role"),
            ("v1", "EphemeralContainers"),
            ("apps/v1beta1", "Deployment"),
            ("example.org/v1", "Cluster"),
            ("", "Namespace"),
        ] {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let mut out = String::new();
        for (api_version, kind) in kinds {
            let scope = match api.scope(api_version, kind) {
                Some(Scope::Namespaced) => "namespaced",
                Some(Scope::Cluster) => "cluster",
                None => "unknown",
            };
            let (mut places, mut lines) = (0, String::new());
            if let Some(schema) = api.kind(api_version, kind) {
                walk(schema, &mut Vec::new(), &mut places, &mut lines);
            }
            writeln!(out, "{api_version} {kind}: {scope}, {places} places").unwrap();
            out.push_str(&lines);
        }
        out
    }

    fn walk<'a>(
        schema: FieldSchema<'a>,
        path: &mut Vec<&'a str>,
        places: &mut usize,
        lines: &mut String,
    ) {
        *places += 1;
        let (strategy, keys) = schema.patch_strategy_and_keys();
        if !strategy.is_empty() {
            write!(lines, "  {}: {strategy}", path.join(".")).unwrap();
            if !keys.is_empty() {
                write!(lines, " by {}", keys.join(",")).unwrap();
            }
            lines.push('\n');
        }
        if path.iter().rev().skip(1).any(|p| *p == "openAPIV3Schema") {
            return;
        }
        let fields = schema.schema.properties().map(|(name, _)| name);
        for name in fields.chain(["any name"]) {
            if let Some(field) = schema.field(name) {
                path.push(name);
                walk(field, path, places, lines);
                path.pop();
            }
        }
        if let Some(elements) = schema.elements() {
            path.push("[]");
            walk(elements, path, places, lines);
            path.pop();
        }
    }

    fn custom() -> Node {
        let text = include_str!("../../testdata/schema/kustomize/custom.yaml");
        let file = SourceMap::new().add("custom.yaml", text);
        yaml::parse_one(text, file).unwrap().unwrap()
    }

    #[test]
    fn every_built_in_kind_is_as_kyaml_has_it() {
        let expected = include_str!("../../testdata/schema/kustomize/builtin.txt");
        assert!(
            describe(&OpenApi::new()) == expected,
            "not as testdata/schema/kustomize/builtin.txt"
        );
    }

    #[test]
    fn a_custom_document_stands_alone() {
        let mut api = OpenApi::without_builtin();
        api.add(&custom()).unwrap();
        let expected = include_str!("../../testdata/schema/kustomize/custom.txt");
        assert_eq!(describe(&api), expected);
        assert_eq!(api.scope("apps/v1", "Deployment"), Some(Scope::Namespaced));
    }

    #[test]
    fn a_custom_document_changes_built_in_definitions() {
        let mut api = OpenApi::new();
        api.add(&custom()).unwrap();
        let expected = include_str!("../../testdata/schema/kustomize/both.txt");
        assert!(
            describe(&api) == expected,
            "not as testdata/schema/kustomize/both.txt"
        );
    }

    #[test]
    fn references_in_a_circle_lead_nowhere() {
        let text = "definitions:\n  a:\n    properties: {b: {$ref: '#/definitions/b'}}\n    \
                    x-kubernetes-group-version-kind: [{version: v1, kind: A}]\n  \
                    b: {$ref: '#/definitions/b'}\n";
        let node = yaml::parse_one(text, SourceMap::new().add("a", text)).unwrap();
        let mut api = OpenApi::without_builtin();
        api.add(&node.unwrap()).unwrap();
        assert!(api.kind("v1", "A").unwrap().field("b").is_none());
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_place() {
        let sources = SourceMap::new();
        let text = "definitions:\n  a:\n    properties:\n      b: [1]\n";
        let node = yaml::parse_one(text, sources.add("openapi.yaml", text)).unwrap();
        let finding = OpenApi::new()
            .add(&node.unwrap())
            .unwrap_err()
            .to_finding(&sources);
        assert_eq!(&*finding.rule, "schema/definition");
        assert_eq!(finding.message, "a schema is a list, not a mapping");
        assert_eq!(finding.location.unwrap().line, 4);
        assert!(finding.help.is_some());
    }
}
