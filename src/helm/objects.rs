//! What templates see besides plain data: capabilities, and the methods of
//! values.
//!
//! Compat: Helm 4.3.1 `pkg/chart/common/capabilities.go`, `values.go`.

// Methods take their arguments as the tables declare them.
#![allow(clippy::needless_pass_by_value)]

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use super::capabilities::{Capabilities, HELM_VERSION, KubeVersion};
use super::dependencies::table_at;
use crate::gostd::strconv;
use crate::gotmpl::function::{CallError, CallResult, method};
use crate::gotmpl::value::{Kind, Map, MapType, Object, Text, Value};
use crate::gotmpl::{Context, Function};
use crate::yaml;

/// `common.Values`: a map with methods.
pub(super) static VALUES: MapType = MapType {
    name: "common.Values",
    boxed: true,
    methods: &[
        method!("YAML", with values_yaml()),
        method!("Table", values_table(path)),
        method!("PathValue", values_path_value(path)),
        method!("AsMap", values_as_map()),
    ],
};

fn map_of(value: &Value) -> Map {
    match value {
        Value::Map(map) => map.clone(),
        _ => Map::nil(MapType::ANY),
    }
}

fn values_yaml(context: &mut Context<'_>, values: &Value) -> CallResult<String> {
    let data = values.to_json(context.meter())?;
    let mut out = String::new();
    yaml::emit::sorted_value(&data, &mut out)
        .map_err(|e| CallError::new(e.message().to_owned()))?;
    Ok(out)
}

fn values_table(values: &Value, path: Text) -> CallResult<Map> {
    let path = path.to_str();
    let mut table = map_of(values);
    for key in path.split('.') {
        table = table_at(&table, key)
            .ok_or_else(|| CallError::new(format!("{} is not a table", strconv::quote(key))))?;
    }
    Ok(table.typed(&VALUES))
}

fn values_path_value(values: &Value, path: Text) -> CallResult {
    let path = path.to_str();
    if path.is_empty() {
        return Err(CallError::new("YAML path cannot be empty"));
    }
    let map = map_of(values);
    let (table, key) = match path.rsplit_once('.') {
        Some((table, key)) => (table_at(&map, table), key),
        None => (Some(map), &*path),
    };
    table
        .and_then(|table| table.get(key.as_bytes()))
        .filter(|value| !matches!(value, Value::Map(_)))
        .ok_or_else(|| CallError::new(format!("{} is not a value", strconv::quote(key))))
}

fn values_as_map(values: &Value) -> Map {
    map_of(values).typed(MapType::ANY)
}

fn text_value(text: &str) -> Value {
    Value::text(text)
}

pub(super) fn json_text(text: &str) -> yaml::Value {
    yaml::Value::String(text.into())
}

fn json_map<const N: usize>(entries: [(&str, yaml::Value); N]) -> yaml::Value {
    yaml::Value::Mapping(
        entries
            .into_iter()
            .map(|(k, v)| (Arc::from(k), v))
            .collect(),
    )
}

/// `.Capabilities`
#[derive(Debug)]
pub(super) struct CapabilitiesObject(pub(super) Arc<Capabilities>);

impl Object for CapabilitiesObject {
    fn type_name(&self) -> &'static str {
        "*common.Capabilities"
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn field(&self, name: &str) -> Option<Value> {
        Some(match name {
            "KubeVersion" => Value::Object(Rc::new(KubeVersionObject(self.0.clone()))),
            "APIVersions" => Value::Object(Rc::new(ApiVersions(self.0.clone()))),
            "HelmVersion" => Value::Object(Rc::new(BuildInfo)),
            _ => return None,
        })
    }

    fn text(&self) -> String {
        let versions: Vec<&str> = self.0.all_api_versions().collect();
        format!(
            "&{{{} [{}] {}}}",
            KubeVersionObject(self.0.clone()).text(),
            versions.join(" "),
            BuildInfo.text()
        )
    }

    fn json(&self) -> yaml::Value {
        json_map([
            ("KubeVersion", KubeVersionObject(self.0.clone()).json()),
            ("APIVersions", ApiVersions(self.0.clone()).json()),
            ("HelmVersion", BuildInfo.json()),
        ])
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<CapabilitiesObject>()
            .is_some_and(|o| o.0 == self.0)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.KubeVersion`
#[derive(Debug)]
struct KubeVersionObject(Arc<Capabilities>);

impl KubeVersionObject {
    fn version(&self) -> &KubeVersion {
        &self.0.kube_version
    }
}

fn kube_version(value: &Value) -> Option<&KubeVersion> {
    match value {
        Value::Object(object) => object
            .as_any()
            .downcast_ref::<KubeVersionObject>()
            .map(KubeVersionObject::version),
        _ => None,
    }
}

fn kube_version_string(value: &Value) -> String {
    kube_version(value).map_or_else(String::new, |v| v.normalized.to_string())
}

fn kube_version_git_version(value: &Value) -> String {
    kube_version(value).map_or_else(String::new, |v| v.version.to_string())
}

impl Object for KubeVersionObject {
    fn type_name(&self) -> &'static str {
        "common.KubeVersion"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn methods(&self) -> &'static [Function] {
        const {
            &[
                method!("String", kube_version_string()),
                method!("GitVersion", kube_version_git_version()),
            ]
        }
    }

    fn field(&self, name: &str) -> Option<Value> {
        let version = self.version();
        Some(match name {
            "Version" => text_value(&version.version),
            "Major" => text_value(&version.major),
            "Minor" => text_value(&version.minor),
            _ => return None,
        })
    }

    fn text(&self) -> String {
        let version = self.version();
        format!(
            "{{{} {} {} {}}}",
            version.version, version.normalized, version.major, version.minor
        )
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let version = self.version();
        vec![
            ("Version", text_value(&version.version)),
            ("normalizedVersion", text_value(&version.normalized)),
            ("Major", text_value(&version.major)),
            ("Minor", text_value(&version.minor)),
        ]
    }

    fn printed(&self) -> String {
        self.version().normalized.to_string()
    }

    fn json(&self) -> yaml::Value {
        let version = self.version();
        json_map([
            ("Version", json_text(&version.version)),
            ("Major", json_text(&version.major)),
            ("Minor", json_text(&version.minor)),
        ])
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<KubeVersionObject>()
            .is_some_and(|o| o.version() == self.version())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.HelmVersion`
#[derive(Debug)]
struct BuildInfo;

impl BuildInfo {
    const FIELDS: [(&str, &str); 5] = [
        ("Version", HELM_VERSION.version),
        ("GitCommit", HELM_VERSION.git_commit),
        ("GitTreeState", HELM_VERSION.git_tree_state),
        ("GoVersion", HELM_VERSION.go_version),
        ("KubeClientVersion", HELM_VERSION.kube_client_version),
    ];
}

impl Object for BuildInfo {
    fn type_name(&self) -> &'static str {
        "version.BuildInfo"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn field(&self, name: &str) -> Option<Value> {
        let (_, value) = Self::FIELDS.iter().find(|(known, _)| *known == name)?;
        Some(text_value(value))
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        let fields = Self::FIELDS.iter();
        fields
            .map(|(name, value)| (*name, text_value(value)))
            .collect()
    }

    fn text(&self) -> String {
        format!(
            "{{{} {} {} {} {}}}",
            HELM_VERSION.version,
            HELM_VERSION.git_commit,
            HELM_VERSION.git_tree_state,
            HELM_VERSION.go_version,
            HELM_VERSION.kube_client_version
        )
    }

    fn json(&self) -> yaml::Value {
        json_map([
            ("version", json_text(HELM_VERSION.version)),
            ("git_commit", json_text(HELM_VERSION.git_commit)),
            ("git_tree_state", json_text(HELM_VERSION.git_tree_state)),
            ("go_version", json_text(HELM_VERSION.go_version)),
            (
                "kube_client_version",
                json_text(HELM_VERSION.kube_client_version),
            ),
        ])
    }

    fn equals(&self, _: &dyn Object) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.APIVersions`
#[derive(Debug)]
struct ApiVersions(Arc<Capabilities>);

fn api_versions_has(value: &Value, version: Text) -> bool {
    let Value::Object(object) = value else {
        return false;
    };
    object
        .as_any()
        .downcast_ref::<ApiVersions>()
        .is_some_and(|versions| {
            let mut all = versions.0.all_api_versions();
            all.any(|known| known.as_bytes() == version.as_bytes())
        })
}

impl Object for ApiVersions {
    fn type_name(&self) -> &'static str {
        "common.VersionSet"
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn methods(&self) -> &'static [Function] {
        const { &[method!("Has", api_versions_has(version))] }
    }

    fn length(&self) -> Option<usize> {
        Some(self.0.all_api_versions().count())
    }

    fn entries(&self) -> Vec<(Value, Value)> {
        (0..)
            .map(Value::int)
            .zip(self.0.all_api_versions().map(Value::text))
            .collect()
    }

    fn text(&self) -> String {
        let versions: Vec<&str> = self.0.all_api_versions().collect();
        format!("[{}]", versions.join(" "))
    }

    fn json(&self) -> yaml::Value {
        yaml::Value::Sequence(self.0.all_api_versions().map(json_text).collect())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<ApiVersions>()
            .is_some_and(|o| o.0.api_versions == self.0.api_versions)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
