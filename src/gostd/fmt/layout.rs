//! Numbers and strings with flags, width and precision.

use crate::gostd::strconv::{self, FloatVerb};
use crate::gostd::unicode;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    /// `%#v`, which is no alternate form but Go syntax.
    pub(super) go_syntax: bool,
    /// `%+v`, which names fields.
    pub(super) field_names: bool,
    pub(super) width: Option<usize>,
    pub(super) precision: Option<usize>,
}

impl Flags {
    /// The same without `0`, which pads with blanks.
    fn blank_padded(mut self) -> Flags {
        self.zero = false;
        self
    }

    fn padding(&self, width: usize, out: &mut String) {
        let missing = self.width.unwrap_or(0).saturating_sub(width);
        let zero = self.zero && !self.minus;
        out.extend(std::iter::repeat_n(if zero { '0' } else { ' ' }, missing));
    }

    /// Writes a text with its padding; the width counts characters.
    pub(super) fn pad(&self, text: &str, out: &mut String) {
        if self.width.is_none() {
            out.push_str(text);
            return;
        }
        let width = text.chars().count();
        if self.minus {
            out.push_str(text);
            self.padding(width, out);
        } else {
            self.padding(width, out);
            out.push_str(text);
        }
    }

    /// `%s`.
    pub(super) fn string(&self, text: &str, out: &mut String) {
        self.pad(self.truncated(text), out);
    }

    fn truncated<'t>(&self, text: &'t str) -> &'t str {
        let end = (self.precision)
            .and_then(|characters| text.char_indices().nth(characters))
            .map_or(text.len(), |(end, _)| end);
        text.get(..end).unwrap_or(text)
    }

    /// `%q` of a string.
    pub(super) fn quoted(&self, text: &str, out: &mut String) {
        let text = self.truncated(text);
        let quoted = if self.sharp && strconv::can_backquote(text) {
            format!("`{text}`")
        } else if self.plus {
            strconv::quote_to_ascii(text)
        } else {
            strconv::quote(text)
        };
        self.pad(&quoted, out);
    }

    /// `%q` of bytes that need not be UTF-8.
    pub(super) fn quoted_bytes(&self, bytes: &[u8], out: &mut String) {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return self.quoted(text, out);
        }
        let mut end = 0;
        let mut left = self.precision.unwrap_or(usize::MAX);
        for chunk in bytes.utf8_chunks() {
            // Each byte that is none of a character counts as one.
            let widths = chunk.valid().chars().map(char::len_utf8);
            for width in widths.chain(chunk.invalid().iter().map(|_| 1)).take(left) {
                end += width;
                left -= 1;
            }
        }
        let bytes = bytes.get(..end).unwrap_or(bytes);
        let quoted = if self.plus {
            strconv::quote_bytes_to_ascii(bytes)
        } else {
            strconv::quote_bytes(bytes)
        };
        self.pad(&quoted, out);
    }

    /// `%x` of bytes.
    pub(super) fn hexadecimal(&self, bytes: &[u8], upper: bool, out: &mut String) {
        let shown = self.precision.unwrap_or(bytes.len());
        let bytes = bytes.get(..shown).unwrap_or(bytes);
        let prefix = match (self.sharp, upper) {
            (false, _) => "",
            (true, false) => "0x",
            (true, true) => "0X",
        };
        let mut text = String::with_capacity(bytes.len() * 2);
        for (i, byte) in bytes.iter().enumerate() {
            if i == 0 {
                text.push_str(prefix);
            } else if self.space {
                text.push(' ');
                text.push_str(prefix);
            }
            if upper {
                text.push_str(&format!("{byte:02X}"));
            } else {
                text.push_str(&format!("{byte:02x}"));
            }
        }
        self.pad(&text, out);
    }

    /// `%d` and its kin, of an integer that is given by sign and magnitude.
    pub(super) fn integer(&self, magnitude: u64, negative: bool, verb: char, out: &mut String) {
        if self.precision == Some(0) && magnitude == 0 {
            self.blank_padded().padding(0, out);
            return;
        }
        let mut digits = match verb {
            'b' => format!("{magnitude:b}"),
            'o' | 'O' => format!("{magnitude:o}"),
            'x' => format!("{magnitude:x}"),
            'X' => format!("{magnitude:X}"),
            _ => magnitude.to_string(),
        };
        let has_sign = negative || self.plus || self.space;
        let least = match (self.precision, self.width) {
            (Some(precision), _) => precision,
            // Compat: prefixes come on top of the width.
            (None, Some(width)) if self.zero && !self.minus => {
                width.saturating_sub(usize::from(has_sign))
            }
            _ => 0,
        };
        if digits.len() < least {
            digits.insert_str(0, &"0".repeat(least - digits.len()));
        }
        let prefix = match verb {
            'O' if self.sharp && !digits.starts_with('0') => "0o0",
            'O' => "0o",
            'b' if self.sharp => "0b",
            'o' if self.sharp && !digits.starts_with('0') => "0",
            'x' if self.sharp => "0x",
            'X' if self.sharp => "0X",
            _ => "",
        };
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        self.blank_padded()
            .pad(&format!("{sign}{prefix}{digits}"), out);
    }

    /// `%U`.
    pub(super) fn unicode(&self, number: u64, out: &mut String) {
        let digits = self.precision.unwrap_or(0).max(4);
        let mut text = format!("U+{number:0digits$X}");
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        if let Some(c) = c.filter(|c| self.sharp && unicode::is_print(*c)) {
            text.push_str(&format!(" '{c}'"));
        }
        self.blank_padded().pad(&text, out);
    }

    /// `%c` and, in quotes, `%q` of an integer.
    pub(super) fn character(&self, number: u64, quoted: bool, out: &mut String) {
        let c = u32::try_from(number).ok().and_then(char::from_u32);
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        let text = match (quoted, self.plus) {
            (false, _) => c.to_string(),
            (true, false) => strconv::quote_char(c),
            (true, true) => strconv::quote_char_to_ascii(c),
        };
        self.pad(&text, out);
    }

    /// `%e` and its kin. `precision` holds where the format has none.
    pub(super) fn float(
        &self,
        f: f64,
        bits: u32,
        verb: char,
        precision: Option<usize>,
        out: &mut String,
    ) {
        let precision = self.precision.or(precision);
        let upper = verb.is_ascii_uppercase();
        let layout = match verb {
            'e' | 'E' => FloatVerb::Scientific { upper },
            'f' | 'F' => FloatVerb::Fixed,
            'b' => FloatVerb::Binary,
            'x' | 'X' => FloatVerb::Hexadecimal { upper },
            _ => FloatVerb::General { upper },
        };
        let text = strconv::format_float_as(f, layout, precision, bits);
        let (is_negative, number) = match text.strip_prefix(['+', '-']) {
            Some(number) => (text.starts_with('-'), number),
            None => (false, &*text),
        };
        let sign = match (is_negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        if !f.is_finite() {
            // Compat: infinity always has a sign.
            let sign = if f.is_infinite() && sign.is_empty() {
                "+"
            } else {
                sign
            };
            self.blank_padded().pad(&format!("{sign}{number}"), out);
            return;
        }
        let mut number = number.to_owned();
        if self.sharp && verb != 'b' {
            number = with_point(&number, verb, precision);
        }
        if !sign.is_empty() && self.zero && !self.minus {
            // Zeros go between the sign and the digits.
            out.push_str(sign);
            self.padding(number.len() + sign.len(), out);
            out.push_str(&number);
        } else {
            self.pad(&format!("{sign}{number}"), out);
        }
    }
}

/// The alternate form of a float: always a point, and the zeros that `%g`
/// leaves out.
fn with_point(number: &str, verb: char, precision: Option<usize>) -> String {
    let is_hexadecimal = matches!(verb, 'x' | 'X');
    let tail_at = number
        .find(|c| matches!(c, 'p' | 'P') || (!is_hexadecimal && matches!(c, 'e' | 'E')))
        .unwrap_or(number.len());
    let (head, tail) = number.split_at(tail_at);
    let wanted = if matches!(verb, 'g' | 'G' | 'v' | 'x') {
        precision.unwrap_or(6)
    } else {
        0
    };
    // Compat: format.go counts from the first character that is no zero, the
    // `x` of a hexadecimal prefix too, and takes a lone zero for a digit.
    let significant = head
        .chars()
        .filter(|c| *c != '.')
        .skip_while(|c| *c == '0')
        .count();
    let has_point = head.contains('.');
    let counted = significant + usize::from(!has_point && head == "0");
    let mut out = head.to_owned();
    if !has_point {
        out.push('.');
    }
    out.extend(std::iter::repeat_n('0', wanted.saturating_sub(counted)));
    out.push_str(tail);
    out
}
