//! Answers to `lookup` from objects that are at hand.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::gotmpl::Lookup;
use crate::yaml::{Map, Value};

/// What an object is found by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    api_version: Arc<str>,
    kind: Arc<str>,
    namespace: Arc<str>,
    name: Arc<str>,
}

/// Answers `lookup` from these objects, the last of those with one name; an
/// empty namespace asks for all.
///
/// Compat: Helm 4.3.1 `pkg/engine/lookup_func.go`: an object, or a list where
/// no name is given; nothing where there is none.
pub fn lookup_in(objects: impl IntoIterator<Item = Value>) -> Arc<Lookup> {
    let objects: BTreeMap<Key, Value> = objects
        .into_iter()
        .map(|object| {
            let text = |value: Option<&Value>| match value {
                Some(Value::String(text)) => text.clone(),
                _ => Arc::from(""),
            };
            let metadata = object.get("metadata");
            let key = Key {
                api_version: text(object.get("apiVersion")),
                kind: text(object.get("kind")),
                namespace: text(metadata.and_then(|m| m.get("namespace"))),
                name: text(metadata.and_then(|m| m.get("name"))),
            };
            (key, object)
        })
        .collect();
    Arc::new(move |api_version, kind, namespace, name| {
        let mut found = objects.iter().filter(|(key, _)| {
            &*key.api_version == api_version
                && &*key.kind == kind
                && (namespace.is_empty() || &*key.namespace == namespace)
                && (name.is_empty() || &*key.name == name)
        });
        if !name.is_empty() {
            return found.next().map(|(_, object)| object.clone());
        }
        let items: Vec<Value> = found.map(|(_, object)| object.clone()).collect();
        if items.is_empty() {
            return None;
        }
        let list: Map = [
            (Arc::from("apiVersion"), Value::String(api_version.into())),
            ("kind".into(), Value::String(format!("{kind}List").into())),
            ("metadata".into(), Value::Mapping(Map::new())),
            ("items".into(), Value::Sequence(items)),
        ]
        .into();
        Some(Value::Mapping(list))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;
    use crate::yaml::resolve::Version;
    use crate::yaml::{decode, parse_one};

    #[test]
    fn objects_by_name_and_lists_of_them() {
        let object = |text: &str| {
            let node = parse_one(text, FileId::default()).unwrap().unwrap();
            decode(&node, Version::V2).unwrap()
        };
        let find = lookup_in([
            object(
                "{apiVersion: v1, kind: Secret, metadata: {name: a, namespace: x}, data: {k: v}}",
            ),
            object("{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: y}}"),
        ]);
        let found = find("v1", "Secret", "x", "a").unwrap();
        assert_eq!(
            found.get("data").unwrap().get("k").unwrap().as_str(),
            Some("v")
        );
        assert_eq!(find("v1", "Secret", "y", "a"), None);
        let all = find("v1", "Secret", "", "").unwrap();
        assert_eq!(all.get("kind").unwrap().as_str(), Some("SecretList"));
        assert!(matches!(all.get("items"), Some(Value::Sequence(items)) if items.len() == 2));
        assert_eq!(find("v1", "ConfigMap", "", ""), None);
    }
}
