//! Semantic versions.
//!
//! Compat: sprig 3.3.0 `semver.go`; the library `Masterminds/semver` 3.5.0.

use std::any::Any;
use std::rc::Rc;

use crate::gostd::semver::{Constraints, Version};
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Int, function, method};
use crate::gotmpl::value::{Kind, Object, Text, UintType, Value};
use crate::yaml;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("semver", with semver(text), "The version that the text is, with the methods `Major`, `Minor`, `Patch`, `Prerelease`, `Metadata`, `Original`, `Compare` and more."),
    function!("semverCompare", with semver_compare(range, version), "Whether a version is in a range such as `>=1.2.0 <2`, `~1.2`, `^1.2.3-0` or `1.x || 2.x`."),
];

fn parse(text: &Text) -> CallResult<Version> {
    Version::parse(&text.to_str()).map_err(|e| CallError::new(e.to_string()))
}

fn semver(context: &mut Context<'_>, text: Text) -> CallResult {
    context.take_bytes(text.len() + 128)?;
    Ok(version_value(parse(&text)?))
}

fn semver_compare(context: &mut Context<'_>, range: Text, version: Text) -> CallResult<bool> {
    context.take_steps(20 + range.len() as u64)?;
    let range = Constraints::parse(&range.to_str()).map_err(|e| CallError::new(e.to_string()))?;
    Ok(range.check(&parse(&version)?))
}

fn version_value(version: Version) -> Value {
    Value::Object(Rc::new(VersionObject(version)))
}

/// `*semver.Version`
#[derive(Debug)]
struct VersionObject(Version);

fn version_of(value: &Value) -> Option<&Version> {
    match value {
        Value::Object(object) => {
            let version: Option<&VersionObject> = object.as_any().downcast_ref();
            version.map(|v| &v.0)
        }
        _ => None,
    }
}

/// The version that a method belongs to.
fn own(value: &Value) -> CallResult<&Version> {
    version_of(value).ok_or_else(|| CallError::new("not a version"))
}

/// The version that a method is given.
fn other(value: &Value) -> CallResult<&Version> {
    version_of(value).ok_or_else(|| CallError::new(super::convert::NIL_POINTER))
}

fn number(number: u64) -> Value {
    Value::Uint(number, UintType::Uint64)
}

fn major(version: &Value) -> CallResult {
    Ok(number(own(version)?.major()))
}

fn minor(version: &Value) -> CallResult {
    Ok(number(own(version)?.minor()))
}

fn patch(version: &Value) -> CallResult {
    Ok(number(own(version)?.patch()))
}

fn prerelease(version: &Value) -> CallResult<String> {
    Ok(own(version)?.prerelease().to_owned())
}

fn metadata(version: &Value) -> CallResult<String> {
    Ok(own(version)?.metadata().to_owned())
}

fn original(version: &Value) -> CallResult<String> {
    Ok(own(version)?.original().to_owned())
}

fn string(version: &Value) -> CallResult<String> {
    Ok(own(version)?.to_string())
}

fn compare(version: &Value, with: Value) -> CallResult<Int> {
    Ok(Int(own(version)?.cmp(other(&with)?) as i64))
}

fn equal(version: &Value, with: Value) -> CallResult<bool> {
    Ok(own(version)? == other(&with)?)
}

fn less_than(version: &Value, with: Value) -> CallResult<bool> {
    Ok(own(version)? < other(&with)?)
}

fn less_than_equal(version: &Value, with: Value) -> CallResult<bool> {
    Ok(own(version)? <= other(&with)?)
}

fn greater_than(version: &Value, with: Value) -> CallResult<bool> {
    Ok(own(version)? > other(&with)?)
}

fn greater_than_equal(version: &Value, with: Value) -> CallResult<bool> {
    Ok(own(version)? >= other(&with)?)
}

/// A version of these numbers, with the `v` that the other was written with.
fn next(version: &Version, numbers: [u64; 3]) -> CallResult {
    let [major, minor, patch] = numbers;
    let prefix = if version.original().starts_with('v') {
        "v"
    } else {
        ""
    };
    let text = format!("{prefix}{major}.{minor}.{patch}");
    Version::parse(&text)
        .map(version_value)
        .map_err(|e| CallError::new(e.to_string()))
}

fn inc_major(version: &Value) -> CallResult {
    let version = own(version)?;
    next(version, [version.major().wrapping_add(1), 0, 0])
}

fn inc_minor(version: &Value) -> CallResult {
    let version = own(version)?;
    next(
        version,
        [version.major(), version.minor().wrapping_add(1), 0],
    )
}

fn inc_patch(version: &Value) -> CallResult {
    let version = own(version)?;
    // Compat: a prerelease becomes the release that it leads to.
    let step = u64::from(version.prerelease().is_empty());
    next(
        version,
        [
            version.major(),
            version.minor(),
            version.patch().wrapping_add(step),
        ],
    )
}

impl Object for VersionObject {
    fn type_name(&self) -> &'static str {
        "*semver.Version"
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn methods(&self) -> &'static [Function] {
        const {
            &[
                method!("Major", major()),
                method!("Minor", minor()),
                method!("Patch", patch()),
                method!("Prerelease", prerelease()),
                method!("Metadata", metadata()),
                method!("Original", original()),
                method!("String", string()),
                method!("Compare", compare(with)),
                method!("Equal", equal(with)),
                method!("LessThan", less_than(with)),
                method!("LessThanEqual", less_than_equal(with)),
                method!("GreaterThan", greater_than(with)),
                method!("GreaterThanEqual", greater_than_equal(with)),
                method!("IncMajor", inc_major()),
                method!("IncMinor", inc_minor()),
                method!("IncPatch", inc_patch()),
            ]
        }
    }

    fn text(&self) -> String {
        self.0.to_string()
    }

    fn is_stringer(&self) -> bool {
        true
    }

    fn json(&self) -> yaml::Value {
        yaml::Value::String(self.0.to_string().into())
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<VersionObject>()
            .is_some_and(|o| o.0.original() == self.0.original())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
