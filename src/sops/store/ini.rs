//! INI files: sections of `name = value`, as gopkg.in/ini.v1 reads and writes
//! them for sops.

use super::{malformed, unfit};
use crate::diag::{Error, Result};
use crate::sops::tree::{Comment, Documents, Item, Key, Value, plain_text};

/// The section of what stands before the first one.
const DEFAULT: &str = "DEFAULT";

#[derive(Default)]
struct Section {
    name: String,
    comment: String,
    keys: Vec<Entry>,
}

struct Entry {
    name: String,
    value: String,
    comment: String,
}

impl Section {
    fn new(name: impl Into<String>) -> Section {
        Section {
            name: name.into(),
            ..Section::default()
        }
    }

    /// Sets a key: in its place, where it stands already.
    fn set(&mut self, name: String, value: String) -> Result<&mut Entry> {
        if name.is_empty() {
            return Err(malformed("INI", "a key has no name"));
        }
        let index = if let Some(index) = self.keys.iter().position(|k| k.name == name) {
            index
        } else {
            self.keys.push(Entry {
                name,
                value: String::new(),
                comment: String::new(),
            });
            self.keys.len() - 1
        };
        let Some(entry) = self.keys.get_mut(index) else {
            return Err(malformed("INI", "a key is lost"));
        };
        entry.value = value;
        Ok(entry)
    }
}

/// Compat: `stores/ini/store.go`: a key's comment comes after it.
pub(super) fn read(content: &[u8]) -> Result<Documents> {
    let mut items = Vec::new();
    for section in parse(content)? {
        let mut own = Vec::new();
        if !section.comment.is_empty() {
            own.push(Item::comment(bare(&section.comment), false));
        }
        for key in section.keys {
            own.push(Item::new(key.name, Value::Text(key.value.into_bytes())));
            if !key.comment.is_empty() {
                own.push(Item::comment(bare(&key.comment), false));
            }
        }
        items.push(Item::new(section.name, Value::Map(own)));
    }
    Ok(vec![items])
}

/// A comment without its mark.
fn bare(comment: &str) -> &str {
    match comment.chars().next() {
        Some(mark @ (';' | '#')) => comment.trim_start_matches([mark, ' ']),
        _ => comment,
    }
}

/// Compat: parser.go of ini.v1, with sections that may stand twice.
fn parse(content: &[u8]) -> Result<Vec<Section>> {
    let content = [&b"\xef\xbb\xbf"[..], b"\xfe\xff", b"\xff\xfe"]
        .into_iter()
        .find_map(|mark| content.strip_prefix(mark))
        .unwrap_or(content);
    let text = std::str::from_utf8(content).map_err(|_| malformed("INI", "it is not UTF-8"))?;
    let mut lines = Lines {
        rest: text,
        comment: String::new(),
    };
    let mut sections = Vec::new();
    let mut section = Section::new(DEFAULT);
    let mut count = 1;
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        if line.is_empty() {
            continue;
        }
        if line.starts_with(['#', ';']) {
            lines.comment.push_str(line);
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let Some((name, after)) = rest.rsplit_once(']') else {
                return Err(malformed(
                    "INI",
                    format!("a section has no end: `{}`", line.trim_end()),
                ));
            };
            if name.is_empty() {
                return Err(malformed("INI", "a section has no name"));
            }
            sections.push(std::mem::replace(&mut section, Section::new(name)));
            if let Some(at) = after.find(['#', ';']) {
                lines.comment.push_str(after.get(at..).unwrap_or_default());
            }
            section.comment = lines.take_comment();
            count = 1;
            continue;
        }
        let (mut name, value) = key_name(line)?;
        if name == "-" {
            name = format!("#{count}");
            count += 1;
        }
        let value = lines.value(value)?;
        let comment = lines.take_comment();
        section.set(name, value)?.comment = comment;
    }
    sections.push(section);
    Ok(sections)
}

/// The name of a key, and what follows its `=` or `:`.
fn key_name(line: &str) -> Result<(String, &str)> {
    let missing = || malformed("INI", "a line is neither a section nor `name = value`");
    let quote = if line.len() > 6 && line.starts_with("\"\"\"") {
        "\"\"\""
    } else if line.starts_with('"') {
        "\""
    } else if line.starts_with('`') {
        "`"
    } else {
        let at = line.find(['=', ':']).ok_or_else(missing)?;
        if at == 0 {
            return Err(malformed("INI", "a key has no name"));
        }
        let (name, value) = line.split_at(at);
        return Ok((name.trim().to_owned(), value.get(1..).unwrap_or_default()));
    };
    let rest = line.get(quote.len()..).unwrap_or_default();
    let (name, after) = rest
        .split_once(quote)
        .ok_or_else(|| malformed("INI", "a quoted name does not end"))?;
    let at = after.find(['=', ':']).ok_or_else(missing)?;
    Ok((
        name.trim().to_owned(),
        after.get(at + 1..).unwrap_or_default(),
    ))
}

struct Lines<'a> {
    rest: &'a str,
    /// Comments that wait for the next section or key.
    comment: String,
}

impl<'a> Lines<'a> {
    /// The next line, with its end.
    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\n').map_or(self.rest.len(), |i| i + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(line)
    }

    fn take_comment(&mut self) -> String {
        std::mem::take(&mut self.comment).trim().to_owned()
    }

    /// The value that begins behind a key's `=`; it may take further lines.
    fn value(&mut self, text: &str) -> Result<String> {
        let text = text.trim_start();
        let quote = if text.len() > 3 && text.starts_with("\"\"\"") {
            Some("\"\"\"")
        } else if text.starts_with('`') {
            Some("`")
        } else {
            None
        };
        if let Some(quote) = quote {
            let rest = text.get(quote.len()..).unwrap_or_default();
            return match rest.rfind(quote) {
                Some(end) => Ok(rest.get(..end).unwrap_or_default().to_owned()),
                None => self.quoted_lines(rest, quote),
            };
        }
        let mut text = text.trim();
        if let Some(start) = text.strip_suffix('\\') {
            return Ok(self.continued(start));
        }
        if let Some(at) = text.find(['#', ';']) {
            let (value, comment) = text.split_at(at);
            self.comment.push_str(comment);
            text = value.trim();
        }
        for quote in ['\'', '"'] {
            let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
            if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
                return Ok(inner.to_owned());
            }
        }
        Ok(text.to_owned())
    }

    fn quoted_lines(&mut self, first: &str, quote: &str) -> Result<String> {
        let mut value = first.to_owned();
        while let Some(line) = self.next() {
            if let Some(at) = line.rfind(quote) {
                let (inside, outside) = line.split_at(at);
                let after = outside.get(quote.len()..).unwrap_or_default();
                if after.trim().ends_with('\\') {
                    value.push_str(line);
                    continue;
                }
                value.push_str(inside);
                if let Some(at) = outside.find(['#', ';']) {
                    self.comment
                        .push_str(outside.get(at..).unwrap_or_default().trim());
                }
                return Ok(value);
            }
            value.push_str(line);
        }
        Err(malformed("INI", "a quoted value does not end"))
    }

    fn continued(&mut self, first: &str) -> String {
        let mut value = first.to_owned();
        while let Some(line) = self.next() {
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            value.push_str(line);
            if !value.ends_with('\\') {
                break;
            }
            value.pop();
        }
        value
    }
}

/// Compat: `stores/ini/store.go`: the first comment of a section is the
/// section's, a later one that of the key before it.
pub(super) fn write(documents: &Documents) -> Result<Vec<u8>> {
    let mut sections = Vec::new();
    for item in documents.iter().flatten() {
        let name = match &item.key {
            Key::Comment(_) => continue,
            Key::Text(name) => name,
            Key::Other(kind) => return Err(unfit(format!("a section is named by {kind}"))),
        };
        if name.is_empty() {
            return Err(unfit("a section has no name"));
        }
        let Value::Map(items) = &item.value else {
            return Err(unfit(format!("`{name}` is no section but a value")));
        };
        sections.push(section(name, items)?);
    }
    print(&sections)
}

fn section(name: &str, items: &[Item]) -> Result<Section> {
    let text = |comment: &Comment| String::from_utf8_lossy(&comment.text).into_owned();
    let mut section = Section::new(name);
    let mut last = None;
    for (i, item) in items.iter().enumerate() {
        match &item.key {
            Key::Comment(comment) if i == 0 => section.comment = text(comment),
            Key::Comment(comment) => {
                let key = last.and_then(|at: usize| section.keys.get_mut(at));
                if let Some(key) = key {
                    key.comment = text(comment);
                }
            }
            Key::Text(key) => {
                if matches!(item.value, Value::Map(_) | Value::List(_)) {
                    return Err(unfit(format!(
                        "`{name}.{key}` is no value but holds several"
                    )));
                }
                if key.is_empty() {
                    return Err(unfit("a key has no name"));
                }
                let value = String::from_utf8_lossy(&plain_text(&item.value)).into_owned();
                section.set(key.clone(), value)?;
                last = section.keys.iter().position(|k| k.name == *key);
            }
            Key::Other(kind) => return Err(unfit(format!("a key is {kind}"))),
        }
    }
    Ok(section)
}

/// Compat: file.go `writeToBuffer`: `=` in one column for each section, an
/// empty line between two.
fn print(sections: &[Section]) -> Result<Vec<u8>> {
    let mut out = String::new();
    for (i, section) in sections.iter().enumerate() {
        print_comment(&section.comment, false, &mut out)?;
        if i > 0 || section.name.to_uppercase() != DEFAULT {
            out.push_str(&format!("[{}]\n", section.name));
        } else if section.keys.is_empty() {
            continue;
        }
        let names: Vec<String> = section.keys.iter().map(|k| quoted_name(&k.name)).collect();
        let width = names.iter().map(String::len).max().unwrap_or_default();
        for (key, name) in section.keys.iter().zip(names) {
            print_comment(&key.comment, true, &mut out)?;
            let blanks = " ".repeat(width - name.len());
            out.push_str(&format!("{name}{blanks} = {}\n", quoted_value(&key.value)));
        }
        if i + 1 < sections.len() {
            out.push('\n');
        }
    }
    Ok(out.into_bytes())
}

fn print_comment(comment: &str, is_trimmed: bool, out: &mut String) -> Result<()> {
    if comment.is_empty() {
        return Ok(());
    }
    for line in comment.split('\n') {
        let fault = || -> Error { unfit("a comment has an empty line") };
        let mark = line.chars().next().ok_or_else(fault)?;
        if mark == '#' || mark == ';' {
            let rest = line.get(1..).unwrap_or_default().trim();
            out.push_str(&format!("{mark} {rest}\n"));
        } else {
            let line = if is_trimmed { line.trim() } else { line };
            out.push_str(&format!("; {line}\n"));
        }
    }
    Ok(())
}

fn quoted_name(name: &str) -> String {
    if name.contains(['"', '=', ':']) {
        format!("`{name}`")
    } else if name.contains('`') {
        format!("\"\"\"{name}\"\"\"")
    } else {
        name.to_owned()
    }
}

fn quoted_value(value: &str) -> String {
    if value.contains(['\n', '`']) {
        format!("\"\"\"{value}\"\"\"")
    } else if value.contains(['#', ';']) {
        format!("`{value}`")
    } else if value.trim().len() != value.len() {
        format!("\"{value}\"")
    } else {
        value.to_owned()
    }
}
