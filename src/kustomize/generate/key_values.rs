//! Keys and values from literals, files and env files.
//!
//! Compat: `kv/kv.go` of kustomize.

use std::borrow::Cow;
use std::sync::Arc;

use crate::artifact::{is_lfs_pointer, path};
use crate::diag::{Error, Result, Span};
use crate::kustomize::build::Context;
use crate::kustomize::file::{GeneratorArgs, Text};
use crate::kustomize::loader::Loader;

/// A key and its value, which need not be text.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) key: Arc<str>,
    pub(super) value: Arc<[u8]>,
    /// What to edit for another value.
    pub(super) span: Span,
}

/// The longest line of an env file that is read.
///
/// Compat: `bufio.Scanner`, whose error kustomize does not look at: it reads
/// nothing from a longer line on.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// All pairs of a generator: of env files, literals, and files.
///
/// # Errors
///
/// `kustomize/generator` for what is no pair and for a key that stands twice;
/// as [`Loader::file`].
pub(super) fn load(
    args: &GeneratorArgs,
    loader: &Loader<'_>,
    context: &mut Context<'_>,
) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for name in &args.envs {
        env_file(name, loader, context, &mut pairs)?;
    }
    for literal in &args.literals {
        pairs.push(of_literal(literal)?);
    }
    for source in &args.files {
        pairs.push(of_file(source, loader, context)?);
    }
    refuse_repeated(&pairs)?;
    Ok(pairs)
}

fn refuse_repeated(pairs: &[Pair]) -> Result<()> {
    let mut seen = foldhash::HashSet::default();
    for pair in pairs {
        if !seen.insert(&pair.key) {
            return Err(
                error(format!("the key `{}` stands twice", pair.key), pair.span)
                    .help("remove one of the two, or give it another key"),
            );
        }
    }
    Ok(())
}

fn error(message: String, span: Span) -> Error {
    Error::new("kustomize/generator", message).at(span)
}

fn of_literal(literal: &Text) -> Result<Pair> {
    let Some((key, value)) = literal.split_once('=').filter(|(key, _)| !key.is_empty()) else {
        return Err(error(format!("`{literal}` is no literal"), literal.span)
            .help("write it as `key=value`"));
    };
    Ok(Pair {
        key: key.into(),
        value: without_quotes(value).as_bytes().into(),
        span: literal.span,
    })
}

/// Text without the one pair of quotes around it.
fn without_quotes(text: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    text
}

fn of_file(source: &Text, loader: &Loader<'_>, context: &mut Context<'_>) -> Result<Pair> {
    let (key, name) = match source.split_once('=') {
        None => (base(source), &**source),
        Some((_, name)) if name.contains('=') => {
            return Err(
                error(format!("`{source}` holds more than one `=`"), source.span)
                    .help("rename the file: no `=` may be in its name or in the key"),
            );
        }
        Some(("", name)) => {
            return Err(error(format!("`{source}` has no key"), source.span)
                .help(format!("write `{name}` alone, or a key before the `=`")));
        }
        Some((key, "")) => {
            return Err(error(format!("the key `{key}` has no file"), source.span)
                .help("write the file's path behind the `=`"));
        }
        Some((key, name)) => (key, name),
    };
    let name = Text::new(name, source.span);
    let (bytes, span) = read(&name, loader, context)?;
    Ok(Pair {
        key: key.into(),
        value: bytes,
        span,
    })
}

/// The last part of a path, as Go's `path.Base`.
fn base(text: &str) -> &str {
    let trimmed = text.trim_end_matches('/');
    match (text, trimmed) {
        ("", _) => ".",
        (_, "") => "/",
        _ => path::name(trimmed),
    }
}

/// The bytes of a file, as they are or as the caller wants them changed, and
/// the place of their beginning.
fn read(name: &Text, loader: &Loader<'_>, context: &mut Context<'_>) -> Result<(Arc<[u8]>, Span)> {
    let file = loader.file(name)?;
    let raw = file.files().raw(&file.path);
    let raw = raw.map_err(|e| e.at(name.span))?;
    if is_lfs_pointer(&raw.bytes) {
        context.warn(
            loader.files(),
            "file/lfs-pointer",
            format!("`{name}` is a pointer of Git LFS, and the pointer is what is taken"),
            name.span,
            "keep the file in Git itself: Flux's sources do not fetch what Git LFS keeps",
        );
    }
    let changed = match context.options.source_transform {
        // Compat: what is decrypted are the files of the source itself.
        Some(transform) if !file.is_remote => transform
            .transform(&file.path, &raw.bytes)
            .map_err(|e| e.at(name.span))?,
        _ => None,
    };
    Ok((changed.unwrap_or(raw.bytes), Span::new(raw.file, 1, 1)))
}

fn env_file(
    name: &Text,
    loader: &Loader<'_>,
    context: &mut Context<'_>,
    pairs: &mut Vec<Pair>,
) -> Result<()> {
    let (bytes, start) = read(name, loader, context)?;
    let mut lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    for (i, line) in lines.into_iter().enumerate() {
        let number = u32::try_from(i + 1).unwrap_or(u32::MAX);
        let span = Span::new(start.file, number, 1);
        if line.len() >= MAX_LINE_BYTES {
            context.warn(
                loader.files(),
                "kustomize/env-line-too-long",
                format!(
                    "nothing is read of `{name}` from this line on: it is longer than {} KiB",
                    MAX_LINE_BYTES >> 10
                ),
                span,
                "kustomize reads no more either: put the value in a file of its own",
            );
            return Ok(());
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(mut line) = std::str::from_utf8(line) else {
            return Err(error(format!("`{name}` is no text here"), span)
                .help("name files that are no text under `files`"));
        };
        if i == 0 {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        let line = line.trim_start();
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !line.starts_with('#') && !key.is_empty() {
            pairs.push(Pair {
                key: key.into(),
                value: value.as_bytes().into(),
                span,
            });
        }
    }
    Ok(())
}

/// Bytes in base64, broken into lines of 70 characters where they are longer.
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    use base64::Engine as _;
    const LINE: usize = 70;
    let packed = base64::engine::general_purpose::STANDARD.encode(bytes);
    if packed.len() < LINE {
        return packed;
    }
    let mut out = String::with_capacity(packed.len() + packed.len() / LINE + 1);
    let mut rest = packed.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(LINE.min(rest.len()));
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out
}

/// Bytes as text, if they are.
pub(super) fn as_text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    std::str::from_utf8(bytes).ok().map(Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        let value = |text: &str| {
            let pair = of_literal(&Text::new(text, Span::NONE)).ok()?;
            Some((
                pair.key.to_string(),
                String::from_utf8(pair.value.to_vec()).unwrap(),
            ))
        };
        let pair = |k: &str, v: &str| Some((k.to_owned(), v.to_owned()));
        assert_eq!(value("a=b=c"), pair("a", "b=c"));
        assert_eq!(value("a='b'"), pair("a", "b"));
        assert_eq!(value("a=\"b'"), pair("a", "\"b'"));
        assert_eq!(value("a='"), pair("a", "'"));
        assert_eq!(value("a="), pair("a", ""));
        assert_eq!(value("=a"), None);
        assert_eq!(value("a"), None);
    }

    #[test]
    fn names_of_files() {
        assert_eq!(base("a/b.txt"), "b.txt");
        assert_eq!(base("a/"), "a");
        assert_eq!(base(""), ".");
        assert_eq!(base("//"), "/");
    }

    #[test]
    fn long_base64_is_broken() {
        assert_eq!(base64_lines(b"abc"), "YWJj");
        let long = base64_lines(&[0; 60]);
        let lines: Vec<_> = long.lines().map(str::len).collect();
        assert_eq!(lines, [70, 10]);
        assert!(long.ends_with('\n'));
    }
}
