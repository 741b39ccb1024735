//! What must hold for every text: used by the fuzz targets and by the tests
//! that replay their inputs.

use fluxwright::diag::{FileId, Span};
use fluxwright::yaml::resolve::Version;
use fluxwright::yaml::{self, Data, Node, Style, Tag, emit};

/// Reads a text in every way there is. Nothing panics, every node is where its
/// span says, and data is the same with nodes between and without.
pub(crate) fn parse(data: &[u8]) {
    let Ok(text) = yaml::text::decode(data) else {
        return;
    };
    let file = FileId::default();
    let of_nodes = yaml::parse_one(&text, file)
        .and_then(|root| {
            root.map(|root| yaml::decode(&root, Version::V2))
                .transpose()
        })
        .map_err(|e| (e.message().to_owned(), e.span()));
    let of_text = yaml::decode_one(&text, file).map_err(|e| (e.message().to_owned(), e.span()));
    assert_eq!(of_text, of_nodes, "with and without nodes between");
    let documents = match yaml::parse(&text, file) {
        Ok(documents) => documents,
        Err(error) => {
            let lines = lines(&text).len();
            let line = error.span().line as usize;
            assert!(line <= lines + 1, "line {line} of {lines}");
            assert!(!error.message().is_empty());
            return;
        }
    };
    let lines = lines(&text);
    for document in &documents {
        check_spans(&document.root, &lines);
        let _ = yaml::decode(&document.root, Version::V3);
    }
}

/// Prints what was read and reads it again: both printers give text that
/// means the same.
pub(crate) fn round_trip(data: &[u8]) {
    let Ok(text) = yaml::text::decode(data) else {
        return;
    };
    let Ok(documents) = yaml::parse(&text, FileId::default()) else {
        return;
    };
    for mut document in documents {
        let mut once = String::new();
        if emit::sorted(&document.root, &mut once).is_ok() && is_faithful(&document.root) {
            let again = read(&once);
            let mut twice = String::new();
            emit::sorted(&again, &mut twice).expect("what was printed can be printed again");
            assert_eq!(once, twice, "sorted, from {text:?}");
        }
        // Comments within brackets are printed so that they swallow what
        // follows, and block scalars that begin with blanks so that they lose
        // some: as go-yaml prints them.
        strip(&mut document.root);
        for indent in [emit::Indent::Compact, emit::Indent::Wide(4)] {
            let mut out = String::new();
            emit::as_written(&document.root, indent, &mut out);
            let again = read(&out);
            assert_eq!(
                outline(&document.root),
                outline(&again),
                "{indent:?}, from {text:?} by way of {out:?}"
            );
        }
    }
}

fn read(text: &str) -> Node {
    let documents = yaml::parse(text, FileId::default());
    let mut documents = documents.unwrap_or_else(|e| panic!("{e} in {text:?}"));
    // A null that was left out is printed as an empty line, which is nothing.
    documents
        .pop()
        .map_or_else(|| Node::null(Span::NONE), |document| document.root)
}

/// Whether go-yaml v2 prints what it reads as the same: lines that begin with
/// a tab, and the string `<<`, are not.
pub(crate) fn is_faithful(root: &Node) -> bool {
    let mut is_faithful = true;
    root.walk(&mut |node| {
        let text = node.target().text().unwrap_or_default();
        let begins_with_tab = text.starts_with('\t') && text.contains('\n');
        is_faithful &= !begins_with_tab && text != "<<";
    });
    is_faithful
}

/// Takes comments away, and what go-yaml v3 does not print faithfully.
fn strip(node: &mut Node) {
    if node.comments().is_some() {
        *node.comments_mut() = yaml::Comments::default();
    }
    if matches!(node.style(), Style::Literal | Style::Folded) {
        node.set_style(Style::DoubleQuoted);
    }
    if node.is_null() {
        // As a key, nothing is printed as an empty string.
        node.set_text("null");
        node.set_style(Style::Plain);
    }
    for item in node.items_mut().into_iter().flatten() {
        strip(item);
    }
    for entry in node.entries_mut().into_iter().flatten() {
        strip(&mut entry.key);
        strip(&mut entry.value);
    }
}

/// What a node is, without places, styles and comments.
fn outline(node: &Node) -> String {
    let mut out = String::new();
    write_outline(node, &mut out);
    out
}

fn write_outline(node: &Node, out: &mut String) {
    if let Some(anchor) = node.anchor() {
        out.push_str(&format!("&{anchor} "));
    }
    match node.data() {
        Data::Scalar(text) => {
            // A null can be written in several ways.
            let text = if node.tag() == Tag::Null { "" } else { text };
            out.push_str(&format!("{:?} {text:?}", node.tag()));
        }
        Data::Sequence(items) => {
            out.push('[');
            for item in items.iter() {
                write_outline(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Data::Mapping(entries) => {
            out.push('{');
            for entry in entries.iter() {
                write_outline(&entry.key, out);
                out.push(':');
                write_outline(&entry.value, out);
                out.push(',');
            }
            out.push('}');
        }
        Data::Alias(alias) => out.push_str(&format!("*{}", alias.0)),
    }
    if let Some(tag) = node.custom_tag() {
        out.push_str(&format!(" {tag}"));
    }
}

/// The lines of a text as YAML counts them.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
        lines.push(&rest[..at]);
        rest = &rest[at..];
        let width = match rest.strip_prefix("\r\n") {
            Some(_) => 2,
            None => rest.chars().next().map_or(0, char::len_utf8),
        };
        rest = &rest[width..];
    }
    lines.push(rest);
    lines
}

/// Checks that every node begins where its span is.
fn check_spans(node: &Node, lines: &[&str]) {
    node.walk(&mut |node| {
        let span = node.span();
        let line = lines
            .get((span.line as usize).wrapping_sub(1))
            .copied()
            .unwrap_or_else(|| panic!("no line {}", span.line));
        let (at, _) = line
            .char_indices()
            .chain([(line.len(), '\n')])
            .nth(span.column as usize - 1)
            .unwrap_or_else(|| panic!("no column {} in {line:?}", span.column));
        let here = &line[at..];
        assert!(begins(node, here), "{node:?} is not at {here:?}");
    });
}

/// Whether a node can begin with this text.
fn begins(node: &Node, here: &str) -> bool {
    // A tag or an anchor stands before what it belongs to.
    let is_bare_tag = here
        .strip_prefix('!')
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', ',', ']', '}']));
    if node.is_tagged() || node.anchor().is_some() || is_bare_tag {
        return here.starts_with(['!', '&']);
    }
    match node.data() {
        Data::Alias(alias) => here
            .strip_prefix('*')
            .is_some_and(|h| h.starts_with(&*alias.0)),
        Data::Scalar(text) => match node.style() {
            Style::SingleQuoted => here.starts_with('\''),
            Style::DoubleQuoted => here.starts_with('"'),
            Style::Literal => here.starts_with('|'),
            Style::Folded => here.starts_with('>'),
            // What was left out is nowhere.
            Style::Plain if text.is_empty() => true,
            Style::Plain | Style::Flow => {
                let ends_word =
                    |c| matches!(c, ' ' | '\t' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
                let word = text.split(ends_word).next().unwrap_or_default();
                !word.is_empty() && here.starts_with(word)
            }
        },
        Data::Sequence(_) if node.style() == Style::Flow => here.starts_with('['),
        Data::Sequence(_) => here.starts_with('-'),
        Data::Mapping(_) if here.starts_with(['{', '?']) => true,
        // A mapping without brackets begins with its first key.
        Data::Mapping(entries) => entries
            .first()
            .is_some_and(|entry| entry.key.span() == node.span() || here.starts_with(':')),
    }
}
