//! `.Files`: the files of a chart that have no meaning of their own.
//!
//! Compat: Helm 4.3.1 `pkg/engine/files.go`.

// Methods take their arguments as the tables declare them.
#![allow(clippy::needless_pass_by_value)]

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::chart::ChartFile;
use super::objects::json_text;
use crate::gostd::glob::Glob;
use crate::gostd::path;
use crate::gotmpl::function::{CallError, CallResult, method};
use crate::gotmpl::value::{Entries, Kind, List, Map, Object, Operand, Text, Value};
use crate::gotmpl::{Context, Function};
use crate::yaml;

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

    /// How many bytes all files hold.
    fn size(&self) -> usize {
        let size = |file: &Arc<ChartFile>| file.bytes().map_or(0, |bytes| bytes.len());
        self.0.values().map(size).sum()
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

fn get(context: &mut Context<'_>, files: &Value, name: Text) -> CallResult<Text> {
    let bytes = match Files::of(files) {
        Some(files) => files.bytes(&name.to_str())?,
        None => None,
    };
    let bytes = bytes.unwrap_or_default();
    context.take_bytes(bytes.len())?;
    Ok(Text::from(&bytes[..]))
}

fn get_bytes(_: &mut Context<'_>, files: &Value, name: Text) -> CallResult {
    let bytes = match Files::of(files) {
        Some(files) => files.bytes(&name.to_str())?,
        None => None,
    };
    Ok(Value::Bytes(bytes.unwrap_or_default()))
}

fn glob(context: &mut Context<'_>, files: &Value, pattern: Text) -> CallResult {
    let Some(files) = Files::of(files) else {
        return Ok(Value::Object(Rc::new(Files(BTreeMap::new()))));
    };
    // Each character of a path meets each part of the pattern.
    let paths: usize = files.0.keys().map(|name| 8 + name.len()).sum();
    context.take_steps((1 + pattern.len() as u64 / 8).saturating_mul(8 + paths as u64 / 8))?;
    let everything = || Glob::new("**", &[]).ok();
    let glob = Glob::new(&pattern.to_str(), &['/'])
        .ok()
        .or_else(everything);
    let matches = |name: &str| glob.as_ref().is_some_and(|glob| glob.is_match(name));
    let matching = files.0.iter().filter(|(name, _)| matches(name));
    let matching: BTreeMap<_, _> = matching
        .map(|(name, file)| (name.clone(), file.clone()))
        .collect();
    context.take_bytes(matching.keys().map(|name| 64 + name.len()).sum())?;
    Ok(Value::Object(Rc::new(Files(matching))))
}

fn lines(context: &mut Context<'_>, files: &Value, name: Text) -> CallResult<List> {
    let text = get(context, files, name)?;
    if text.is_empty() {
        return Ok(List::texts::<Text>([]));
    }
    let bytes = text.as_bytes();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let count = memchr::memchr_iter(b'\n', bytes).count() + 1;
    context.take_bytes(List::bytes(count))?;
    Ok(List::texts(bytes.split(|b| *b == b'\n')))
}

fn as_config(context: &mut Context<'_>, files: &Value) -> CallResult<String> {
    let Some(files) = Files::of(files) else {
        return Ok(String::new());
    };
    context.take_bytes(files.size().saturating_mul(2))?;
    files.flattened(|bytes| Text::from(bytes).to_string())
}

fn as_secrets(context: &mut Context<'_>, files: &Value) -> CallResult<String> {
    use base64::Engine as _;
    let Some(files) = Files::of(files) else {
        return Ok(String::new());
    };
    context.take_bytes(files.size().saturating_mul(3))?;
    files.flattened(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes))
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
                method!("Get", with get(name)),
                method!("GetBytes", with get_bytes(name)),
                method!("Glob", with glob(pattern)),
                method!("Lines", with lines(name)),
                method!("AsConfig", with as_config()),
                method!("AsSecrets", with as_secrets()),
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
