//! What templates see besides plain data: capabilities, files, and the methods
//! of values.
//!
//! Compat: Helm 4.3.1 `pkg/chart/common/capabilities.go`, `values.go`,
//! `pkg/engine/files.go`.

// Methods take their arguments as the tables declare them.
#![allow(clippy::needless_pass_by_value)]

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::capabilities::{Capabilities, HELM_VERSION, KubeVersion};
use super::chart::ChartFile;
use super::dependencies::table_at;
use crate::gostd::glob::Glob;
use crate::gostd::{path, strconv};
use crate::gotmpl::Function;
use crate::gotmpl::function::{CallError, CallResult, method};
use crate::gotmpl::value::{Entries, Kind, List, Map, MapType, Object, Operand, Text, Value};
use crate::yaml;

/// `common.Values`: a map with methods.
pub(super) static VALUES: MapType = MapType {
    name: "common.Values",
    boxed: true,
    methods: &[
        method!("YAML", values_yaml()),
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

fn values_yaml(values: &Value) -> CallResult<String> {
    let mut meter = crate::gotmpl::limits::Meter::new(&crate::gotmpl::Limits::default());
    let data = values.to_json(&mut meter)?;
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

fn json_text(text: &str) -> yaml::Value {
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

/// `.Files`: the files of a chart by their paths.
#[derive(Debug)]
pub(super) struct Files(BTreeMap<String, Arc<ChartFile>>);

impl Files {
    /// The files that have no meaning of their own.
    pub(super) fn new(files: &[Arc<ChartFile>]) -> Files {
        Files(files.iter().map(|f| (f.name.clone(), f.clone())).collect())
    }

    fn of(value: &Value) -> Option<&Files> {
        match value {
            Value::Object(object) => object.as_any().downcast_ref(),
            _ => None,
        }
    }

    fn bytes(&self, name: &str) -> CallResult<Option<Arc<[u8]>>> {
        match self.0.get(name) {
            Some(file) => file
                .bytes()
                .map(Some)
                .map_err(|e| CallError::new(e.to_string())),
            None => Ok(None),
        }
    }

    /// The last parts of the paths, each with what `show` makes of the
    /// content, as YAML.
    fn flattened(&self, show: impl Fn(&[u8]) -> String) -> CallResult<String> {
        let mut map = yaml::Map::new();
        for name in self.0.keys() {
            let bytes = self.bytes(name)?.unwrap_or_default();
            let value = yaml::Value::String(show(&bytes).into());
            map.insert(path::base(name).into(), value);
        }
        let mut out = String::new();
        // Compat: what cannot be printed gives nothing.
        if yaml::emit::sorted_value(&yaml::Value::Mapping(map), &mut out).is_err() {
            return Ok(String::new());
        }
        Ok(out.strip_suffix('\n').unwrap_or(&out).to_owned())
    }
}

fn files_get(files: &Value, name: Text) -> CallResult<Text> {
    let bytes = match Files::of(files) {
        Some(files) => files.bytes(&name.to_str())?,
        None => None,
    };
    Ok(bytes.map_or_else(Text::default, |bytes| Text::from(&bytes[..])))
}

fn files_get_bytes(files: &Value, name: Text) -> CallResult {
    let bytes = match Files::of(files) {
        Some(files) => files.bytes(&name.to_str())?,
        None => None,
    };
    Ok(Value::Bytes(bytes.unwrap_or_default()))
}

fn files_glob(files: &Value, pattern: Text) -> Value {
    let everything = || Glob::new("**", &[]).ok();
    let glob = Glob::new(&pattern.to_str(), &['/'])
        .ok()
        .or_else(everything);
    let matching = match (Files::of(files), glob) {
        (Some(files), Some(glob)) => files
            .0
            .iter()
            .filter(|(name, _)| glob.is_match(name))
            .map(|(name, file)| (name.clone(), file.clone()))
            .collect(),
        _ => BTreeMap::new(),
    };
    Value::Object(Rc::new(Files(matching)))
}

fn files_lines(files: &Value, name: Text) -> CallResult<List> {
    let text = files_get(files, name)?;
    if text.is_empty() {
        return Ok(List::texts::<Text>([]));
    }
    let bytes = text.as_bytes();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    Ok(List::texts(bytes.split(|b| *b == b'\n')))
}

fn files_as_config(files: &Value) -> CallResult<String> {
    Files::of(files).map_or_else(
        || Ok(String::new()),
        |files| files.flattened(|bytes| Text::from(bytes).to_string()),
    )
}

fn files_as_secrets(files: &Value) -> CallResult<String> {
    use base64::Engine as _;
    Files::of(files).map_or_else(
        || Ok(String::new()),
        |files| files.flattened(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes)),
    )
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn methods(&self) -> &'static [Function] {
        const {
            &[
                method!("Get", files_get(name)),
                method!("GetBytes", files_get_bytes(name)),
                method!("Glob", files_glob(pattern)),
                method!("Lines", files_lines(name)),
                method!("AsConfig", files_as_config()),
                method!("AsSecrets", files_as_secrets()),
            ]
        }
    }

    fn get(&self, key: &[u8]) -> Option<Value> {
        let name = std::str::from_utf8(key).ok()?;
        let file = self.0.get(name)?;
        Some(Value::Bytes(file.bytes().unwrap_or_default()))
    }

    fn zero(&self) -> Operand {
        Operand::plain(Value::Bytes(Arc::from(&b""[..])))
    }

    fn length(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn entries(&self) -> Vec<(Value, Value)> {
        self.0
            .iter()
            .map(|(name, file)| {
                let bytes = file.bytes().unwrap_or_default();
                (Value::text(&**name), Value::Bytes(bytes))
            })
            .collect()
    }

    fn text(&self) -> String {
        let entries: Entries = self
            .entries()
            .into_iter()
            .filter_map(|(key, value)| match key {
                Value::Text(key) => Some((key, value)),
                _ => None,
            })
            .collect();
        crate::gotmpl::show_value(&Map::any(entries).into())
    }

    fn json(&self) -> yaml::Value {
        use base64::Engine as _;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        yaml::Value::Mapping(
            self.0
                .iter()
                .map(|(name, file)| {
                    let bytes = file.bytes().unwrap_or_default();
                    (Arc::from(&**name), json_text(&encode(&bytes)))
                })
                .collect(),
        )
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other.as_any().downcast_ref::<Files>().is_some_and(|other| {
            self.0.len() == other.0.len()
                && self
                    .0
                    .iter()
                    .zip(&other.0)
                    .all(|(a, b)| a.0 == b.0 && a.1.bytes().ok() == b.1.bytes().ok())
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
