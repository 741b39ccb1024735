//! Hashes of content in the names of generated objects.
//!
//! Compat: `hasher/hasher.go`, `HashTransformer.go` of kustomize.

use sha2::{Digest as _, Sha256};

use crate::diag::{Error, Result};
use crate::kustomize::resmap::ResMap;
use crate::schema::kustomize::OpenApi;
use crate::yaml::resolve::Version;
use crate::yaml::{self, Map, Node, Value};

/// Appends a hash to the name of every object that wants one.
///
/// # Errors
///
/// `yaml/invalid` for content that JSON cannot have.
pub(in crate::kustomize) fn add_hashes(map: &mut ResMap, api: &OpenApi) -> Result<()> {
    for resource in map.iter_mut().filter(|r| r.history.needs_hash) {
        let hash = of_object(resource.node())?;
        resource.store_previous_id(api)?;
        let name = resource.node().at_path(&["metadata", "name"]);
        let span = name.map_or(resource.node().span(), Node::span);
        let name = format!("{}-{hash}", resource.name());
        resource.set_name(name, span)?;
    }
    Ok(())
}

/// The hash of an object's content.
fn of_object(node: &Node) -> Result<String> {
    let kind = node.get("kind").and_then(Node::text).unwrap_or_default();
    let fields: &[(&str, bool)] = match kind {
        "ConfigMap" => &[("data", true), ("binaryData", false)],
        "Secret" => &[("type", true), ("data", true), ("stringData", false)],
        _ => {
            return Err(Error::new(
                "kustomize/hash",
                format!("a {kind} cannot have a hash of its content in its name"),
            )
            .at(node.span())
            .help("only ConfigMaps and Secrets can"));
        }
    };
    let mut map = Map::new();
    map.insert("kind".into(), Value::String(kind.into()));
    // Compat: the name is looked for under the key `metadata/name`.
    map.insert("name".into(), Value::String("".into()));
    for (field, is_always) in fields {
        let value = match node.get(field) {
            None => Value::String("".into()),
            Some(value) if value.is_scalar() => {
                Value::String(value.shared_text().cloned().unwrap_or_default())
            }
            Some(value) => as_floats(yaml::decode(value, Version::V3)?),
        };
        if *is_always || matches!(value, Value::Mapping(_)) {
            map.insert((*field).into(), value);
        }
    }
    let json = yaml::to_json(&Value::Mapping(map));
    Ok(encode(&hex::encode(Sha256::digest(json))))
}

/// Numbers as they are after JSON: floats all of them.
fn as_floats(value: Value) -> Value {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
        Value::Int(i) => Value::Float(i as f64),
        #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
        Value::Uint(u) => Value::Float(u as f64),
        Value::Sequence(items) => Value::Sequence(items.into_iter().map(as_floats).collect()),
        Value::Mapping(map) => {
            Value::Mapping(map.into_iter().map(|(k, v)| (k, as_floats(v))).collect())
        }
        value => value,
    }
}

/// Ten digits, those left out that make words.
fn encode(hex: &str) -> String {
    hex.chars()
        .take(10)
        .map(|c| match c {
            '0' => 'g',
            '1' => 'h',
            '3' => 'k',
            'a' => 'm',
            'e' => 't',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::FileId;

    fn hash(text: &str) -> String {
        of_object(&yaml::parse_one(text, FileId::default()).unwrap().unwrap()).unwrap()
    }

    #[test]
    fn hashes_of_content() {
        // From kustomize 5.8.1.
        assert_eq!(hash("kind: ConfigMap\ndata: {a: b}\n"), "4h2mbtbbt6");
        assert_eq!(hash("kind: ConfigMap\n"), "6ct58987ht");
        assert_eq!(
            hash("kind: Secret\ntype: Opaque\ndata: {a: Yg==}\n"),
            "k695gkmbtk"
        );
    }
}
