//! Paths and addresses.
//!
//! Compat: sprig 3.3.0 `functions.go`, `url.go`; Go's `path`, `path/filepath`
//! (on Unix) and `net/url`.

use crate::gostd::path;
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, function};
use crate::gotmpl::value::{Entries, Map, Text, Value};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("base", with base(path), "The last part of a path."),
    function!("dir", with dir(path), "A path without its last part."),
    function!("clean", with clean(path), "A path without `.`, `..` and doubled slashes."),
    function!("ext", with ext(path), "The end of a path from its last dot on."),
    function!("isAbs", is_abs(path), "Whether a path begins at the root."),
    function!("osBase", with os_base(path), "As `base`."),
    function!("osDir", with dir(path), "As `dir`."),
    function!("osClean", with clean(path), "As `clean`."),
    function!("osExt", with ext(path), "As `ext`."),
    function!("osIsAbs", is_abs(path), "As `isAbs`."),
    function!("urlParse", with url_parse(text), "The parts of an address: `scheme`, `host`, `hostname`, `path`, `query`, `opaque`, `fragment`, `userinfo`."),
    function!("urlJoin", with url_join(parts), "An address of parts as `urlParse` gives them."),
];

fn base(context: &mut Context<'_>, path: Text) -> CallResult<String> {
    context.take_bytes(path.len())?;
    Ok(path::base(&path.to_str()).to_owned())
}

fn os_base(context: &mut Context<'_>, path: Text) -> CallResult<String> {
    base(context, path)
}

fn dir(context: &mut Context<'_>, path: Text) -> CallResult<String> {
    context.take_bytes(path.len())?;
    Ok(path::dir(&path.to_str()))
}

fn clean(context: &mut Context<'_>, path: Text) -> CallResult<String> {
    context.take_bytes(path.len())?;
    Ok(path::clean(&path.to_str()))
}

fn ext(context: &mut Context<'_>, path: Text) -> CallResult<String> {
    context.take_bytes(path.len())?;
    Ok(path::ext(&path.to_str()).to_owned())
}

fn is_abs(path: Text) -> bool {
    path.as_bytes().starts_with(b"/")
}

fn url_parse(context: &mut Context<'_>, text: Text) -> CallResult<Map> {
    context.take_bytes(text.len() * 2 + 512)?;
    let text = text.to_str();
    let url = super::url::Url::parse(&text)
        .map_err(|e| CallError::new(format!("unable to parse url: {e}")))?;
    let entries: Entries = [
        ("scheme", url.scheme.clone()),
        ("host", url.host.clone()),
        ("hostname", url.hostname().to_owned()),
        ("path", url.path.clone()),
        ("query", url.query.clone()),
        ("opaque", url.opaque.clone()),
        ("fragment", url.fragment.clone()),
        ("userinfo", url.user_text()),
    ]
    .into_iter()
    .map(|(key, part)| (Text::from(key), Value::text(part)))
    .collect();
    Ok(Map::any(entries))
}

fn url_join(context: &mut Context<'_>, parts: Map) -> CallResult<String> {
    let part = |key: &str| -> CallResult<String> {
        match parts.get(key.as_bytes()) {
            None => Ok(String::new()),
            Some(Value::Text(text)) => Ok(text.to_string()),
            Some(Value::Nil) => Err(CallError::new(super::convert::NIL_POINTER)),
            Some(other) => Err(CallError::new(format!(
                "unable to parse {key} key, must be of type string, but {} found",
                other.kind_name()
            ))),
        }
    };
    let mut url = super::url::Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        ..super::url::Url::default()
    };
    let user = part("userinfo")?;
    if !user.is_empty() {
        let parsed = super::url::Url::parse(&format!("proto://{user}@host"))
            .map_err(|e| CallError::new(format!("unable to parse userinfo in dict: {e}")))?;
        url.user = parsed.user;
    }
    let joined = url.to_string();
    context.take_bytes(joined.len())?;
    Ok(joined)
}
