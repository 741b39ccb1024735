//! Scalars: which style a text allows, and how each style is written.

use super::super::Style;
use super::super::resolve::Version;
use super::emitter::{Emitter, Scalar};

/// What a text allows.
///
/// Compat: `yaml_emitter_analyze_scalar`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Analysis {
    /// It has line breaks.
    pub(super) multiline: bool,
    flow_plain: bool,
    block_plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Analysis {
    /// Looks at a text.
    pub(super) fn of(text: &str, version: Version) -> Analysis {
        if text.is_empty() {
            return Analysis {
                block_plain: true,
                single_quoted: true,
                ..Analysis::default()
            };
        }
        if is_simple(text.as_bytes()) {
            return Analysis {
                flow_plain: true,
                block_plain: true,
                single_quoted: true,
                block: true,
                multiline: false,
            };
        }
        Analysis::full(text, version)
    }

    fn full(text: &str, version: Version) -> Analysis {
        let mut block_indicators = text.starts_with("---") || text.starts_with("...");
        let mut flow_indicators = block_indicators;
        let (mut line_breaks, mut special, mut tabs) = (false, false, false);
        let (mut leading, mut trailing_space, mut trailing_break) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut after_space, mut after_break, mut after_white) = (false, false, true);
        let mut at = 0;
        while let Some(rest) = text.get(at..) {
            let i = at;
            let run = if i == 0 { 0 } else { dull_run(rest) };
            if run > 0 {
                at += run;
                (after_space, after_break, after_white) = (false, false, false);
                continue;
            }
            let mut chars = rest.chars();
            let Some(c) = chars.next() else { break };
            at += c.len_utf8();
            let next = chars.next();
            let before_white = next.is_none_or(|c| matches!(c, ' ' | '\t'));
            if i == 0 {
                match c {
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\''
                    | '"' | '%' | '@' | '`' => {
                        flow_indicators = true;
                        block_indicators = true;
                    }
                    '?' | ':' => {
                        flow_indicators = true;
                        block_indicators |= before_white;
                    }
                    '-' if before_white => {
                        flow_indicators = true;
                        block_indicators = true;
                    }
                    _ => {}
                }
            } else {
                match c {
                    ',' | '?' | '[' | ']' | '{' | '}' => flow_indicators = true,
                    ':' => {
                        flow_indicators = true;
                        block_indicators |= before_white;
                    }
                    '#' if after_white => {
                        flow_indicators = true;
                        block_indicators = true;
                    }
                    _ => {}
                }
            }
            if c == '\t' && version == Version::V3 {
                tabs = true;
            } else if !is_printable(c) {
                special = true;
            }
            if c == ' ' {
                leading |= i == 0;
                trailing_space |= next.is_none();
                break_space |= after_break;
                (after_space, after_break) = (true, false);
            } else if is_break(c) {
                line_breaks = true;
                leading |= i == 0;
                trailing_break |= next.is_none();
                space_break |= after_space;
                (after_space, after_break) = (false, true);
            } else {
                (after_space, after_break) = (false, false);
            }
            after_white = matches!(c, ' ' | '\t' | '\0') || is_break(c);
        }
        let odd = space_break || special;
        let plain = !(leading
            || trailing_space
            || trailing_break
            || break_space
            || odd
            || tabs
            || line_breaks);
        Analysis {
            multiline: line_breaks,
            flow_plain: plain && !flow_indicators,
            block_plain: plain && !block_indicators,
            single_quoted: !(break_space || odd || tabs),
            block: !(trailing_space || odd),
        }
    }

    /// The style that is taken, starting from the one that is wanted.
    ///
    /// Compat: `yaml_emitter_select_scalar_style`.
    pub(super) fn style(&self, scalar: &Scalar<'_>, in_flow: bool, simple_key: bool) -> Style {
        let mut style = scalar.style;
        if simple_key && self.multiline {
            style = Style::DoubleQuoted;
        }
        if matches!(style, Style::Plain | Style::Flow) {
            let allowed = if in_flow {
                self.flow_plain
            } else {
                self.block_plain
            };
            let empty = scalar.text.is_empty() && (in_flow || simple_key);
            style = if allowed && !empty {
                Style::Plain
            } else {
                Style::SingleQuoted
            };
        }
        if style == Style::SingleQuoted && !self.single_quoted {
            style = Style::DoubleQuoted;
        }
        if matches!(style, Style::Literal | Style::Folded) && (!self.block || in_flow || simple_key)
        {
            style = Style::DoubleQuoted;
        }
        style
    }
}

/// Whether a text is made of characters that never need a thought: most are.
fn is_simple(text: &[u8]) -> bool {
    text.first()
        .is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'$'))
        && text.iter().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-' | b'.' | b'$' | b'+' | b'=')
        })
}

/// How many bytes at the beginning say nothing about the style, wherever they
/// stand but at the very beginning: printable ASCII save for blanks and
/// indicators.
fn dull_run(text: &str) -> usize {
    const DULL: [bool; 256] = {
        let mut dull = [false; 256];
        let mut b = b'!';
        while b <= b'~' {
            dull[b as usize] = !matches!(b, b',' | b'?' | b'[' | b']' | b'{' | b'}' | b':' | b'#');
            b += 1;
        }
        dull
    };
    let bytes = text.as_bytes();
    let end = bytes.iter().position(|b| !DULL[usize::from(*b)]);
    end.unwrap_or(bytes.len())
}

/// Compat: `is_printable` of `yamlprivateh.go`.
fn is_printable(c: char) -> bool {
    matches!(c,
        '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}')
        && c != '\u{FEFF}'
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

impl Emitter {
    pub(super) fn write_scalar(&mut self, text: &str, style: Style, may_fold: bool) {
        match style {
            Style::Plain | Style::Flow => self.write_plain(text, may_fold),
            Style::SingleQuoted => self.write_single_quoted(text, may_fold),
            Style::DoubleQuoted => self.write_double_quoted(text, may_fold),
            Style::Literal => self.write_literal(text),
            Style::Folded => self.write_folded(text),
        }
    }

    /// Whether no fold can fall into what is written next.
    fn fits(&self, text: &str) -> bool {
        self.column + text.len() <= self.config.width
    }

    fn write_plain(&mut self, text: &str, may_fold: bool) {
        let silent = self.is_v3() && text.is_empty();
        if !self.whitespace && !silent {
            self.put(' ');
        }
        if !may_fold || self.fits(text) {
            self.put_str(text);
        } else {
            self.write_folding(text, |_| true, false);
        }
        if !silent {
            self.whitespace = false;
        }
        self.indention = false;
    }

    fn write_single_quoted(&mut self, text: &str, may_fold: bool) {
        self.write_indicator("'", true);
        if text.contains(is_break) {
            self.write_single_quoted_lines(text, may_fold);
        } else if !may_fold || self.fits(text) {
            self.put_str(&text.replace('\'', "''"));
        } else {
            let last = text.len() - 1;
            self.write_folding(text, |i| i > 0 && i < last, true);
        }
        self.write_indicator("'", false);
        self.whitespace = false;
        self.indention = false;
    }

    /// Writes text of one line, which is broken at blanks beyond the width.
    fn write_folding(&mut self, text: &str, may_break: impl Fn(usize) -> bool, quoted: bool) {
        let mut at = 0;
        for (n, word) in text.split(' ').enumerate() {
            if n > 0 {
                // The blank before the word, of several the last alone is none
                // to break at, and the first only where no other follows.
                let doubled = word.is_empty() && at + 1 < text.len();
                let after_space = text.as_bytes().get(at.wrapping_sub(1)) == Some(&b' ');
                if !after_space && self.column > self.config.width && !doubled && may_break(at) {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                at += 1;
            }
            if word.is_empty() {
                continue;
            }
            if quoted && word.contains('\'') {
                self.put_str(&word.replace('\'', "''"));
            } else {
                self.put_str(word);
            }
            self.indention = false;
            at += word.len();
        }
    }

    fn write_single_quoted_lines(&mut self, text: &str, may_fold: bool) {
        let (mut after_space, mut after_break) = (false, false);
        let last = text.len() - 1;
        let mut chars = text.char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            if c == ' ' {
                let doubled = chars.peek().is_some_and(|(_, c)| *c == ' ');
                if may_fold
                    && !after_space
                    && self.column > self.config.width
                    && i > 0
                    && i < last
                    && !doubled
                {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                after_space = true;
            } else if is_break(c) {
                if !after_break && c == '\n' {
                    self.put_break('\n');
                }
                self.put_break(c);
                self.indention = true;
                after_break = true;
            } else {
                if after_break {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                (after_space, after_break) = (false, false);
            }
        }
    }

    fn write_double_quoted(&mut self, text: &str, may_fold: bool) {
        self.write_indicator("\"", true);
        // Compat: the check for a byte-order mark looks at the beginning of
        // the text whatever character it is asked about.
        let all_escaped = text.starts_with('\u{FEFF}');
        let last = text.len().saturating_sub(1);
        let mut after_space = false;
        let mut chars = text.char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            if all_escaped || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.put_escape(c);
                after_space = false;
            } else if c == ' ' {
                if may_fold && !after_space && self.column > self.config.width && i > 0 && i < last
                {
                    self.write_indent();
                    if chars.peek().is_some_and(|(_, c)| *c == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                after_space = true;
            } else {
                self.put(c);
                after_space = false;
            }
        }
        self.write_indicator("\"", false);
        self.whitespace = false;
        self.indention = false;
    }

    fn put_escape(&mut self, c: char) {
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{A0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            c => {
                let code = u32::from(c);
                let escape = match code {
                    0..=0xFF => format!("\\x{code:02X}"),
                    0x100..=0xFFFF => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                };
                self.put_str(&escape);
                return;
            }
        };
        self.put('\\');
        self.put(short);
    }

    /// Writes what stands behind `|` or `>`.
    ///
    /// Compat: `yaml_emitter_write_block_scalar_hints`.
    fn write_block_hints(&mut self, text: &str) {
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            let hint = self.config.indent.to_string();
            self.write_indicator(&hint, false);
        }
        let mut backwards = text.chars().rev();
        match backwards.next() {
            Some(c) if is_break(c) => {
                if backwards.next().is_none_or(is_break) {
                    self.write_indicator("+", false);
                }
            }
            _ => self.write_indicator("-", false),
        }
        self.end_block_header();
    }

    fn write_literal(&mut self, text: &str) {
        self.write_indicator("|", true);
        self.write_block_hints(text);
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(is_break).unwrap_or(rest.len());
            if end > 0 {
                self.write_indent();
                self.put_str(&rest[..end]);
                self.indention = false;
            }
            rest = &rest[end..];
            if let Some(c) = rest.chars().next() {
                self.put_break(c);
                self.indention = true;
                rest = &rest[c.len_utf8()..];
            }
        }
    }

    fn write_folded(&mut self, text: &str) {
        self.write_indicator(">", true);
        self.write_block_hints(text);
        let (mut after_break, mut leading_blank) = (true, true);
        let mut chars = text.char_indices().peekable();
        while let Some((_, c)) = chars.next() {
            if is_break(c) {
                if !after_break && !leading_blank && c == '\n' {
                    // Compat: the look ahead begins at the start of the text,
                    // not here.
                    let ahead = text.trim_start_matches(is_break).chars().next();
                    if ahead.is_some_and(|c| !matches!(c, ' ' | '\t' | '\0')) {
                        self.put_break('\n');
                    }
                }
                self.put_break(c);
                self.indention = true;
                after_break = true;
            } else {
                if after_break {
                    self.write_indent();
                    leading_blank = matches!(c, ' ' | '\t');
                }
                let doubled = chars.peek().is_some_and(|(_, c)| *c == ' ');
                if !after_break && c == ' ' && !doubled && self.column > self.config.width {
                    self.write_indent();
                } else {
                    self.put(c);
                }
                self.indention = false;
                after_break = false;
            }
        }
    }
}
