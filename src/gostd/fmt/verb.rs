//! Values by verbs.

use super::layout::Flags;
use super::value::{Item, Value, View, compare_keys};

/// Lists in lists beyond this are told and not printed.
const MAX_DEPTH: usize = 500;

/// Compat: Go prints where in memory a thing lies, which tells nothing.
const ADDRESS: u64 = 0xc0_0001_0000;

#[derive(Default)]
pub(super) struct Printer {
    pub(super) out: String,
    pub(super) flags: Flags,
    /// Within `%!d(…)`, where methods are not asked.
    is_erroring: bool,
}

impl Printer {
    /// Prints an argument.
    pub(super) fn arg(&mut self, value: &dyn Value, verb: char) {
        match (verb, value.view()) {
            ('v' | 'T', View::Nil) => self.flags.pad("<nil>", &mut self.out),
            (_, View::Nil) => self.bad_verb(value, verb),
            ('T', _) => self.flags.string(&value.type_name(), &mut self.out),
            (
                'p',
                View::Bytes(_) | View::List(_) | View::Map(_) | View::Pointer(_) | View::Opaque,
            ) => self.address(!self.flags.sharp),
            ('p', _) => self.bad_verb(value, verb),
            _ => self.value(value, verb, 0),
        }
    }

    fn bad_verb(&mut self, value: &dyn Value, verb: char) {
        self.is_erroring = true;
        self.out.push_str("%!");
        self.out.push(verb);
        self.out.push('(');
        if matches!(value.view(), View::Nil) {
            self.out.push_str("<nil>");
        } else {
            self.out.push_str(&value.type_name());
            self.out.push('=');
            self.value(value, 'v', 0);
        }
        self.out.push(')');
        self.is_erroring = false;
    }

    /// Prints what a method gives; false if there is none to ask.
    fn method(&mut self, value: &dyn Value, verb: char) -> bool {
        if self.is_erroring {
            return false;
        }
        if verb == 'w' {
            self.bad_verb(value, verb);
            return true;
        }
        if self.flags.go_syntax {
            let Some(text) = value.go_string() else {
                return false;
            };
            self.flags.string(&text, &mut self.out);
            return true;
        }
        if !matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') {
            return false;
        }
        let Some(text) = value.text() else {
            return false;
        };
        self.string(value, &text, verb);
        true
    }

    fn value(&mut self, value: &dyn Value, verb: char, depth: usize) {
        if depth > MAX_DEPTH {
            self.out.push_str("%!");
            self.out.push(verb);
            self.out.push_str("(TOODEEP)");
            return;
        }
        let view = value.view();
        let has_methods = match view {
            View::Nil => false,
            // Compat: an argument of bytes is printed before methods are asked.
            View::Bytes(_) => depth > 0,
            _ => true,
        };
        if has_methods && self.method(value, verb) {
            return;
        }
        match view {
            View::Nil if self.flags.go_syntax => self.out.push_str("interface {}(nil)"),
            View::Nil => self.out.push_str("<nil>"),
            View::Bool(b) if matches!(verb, 't' | 'v') => {
                let text = if b { "true" } else { "false" };
                self.flags.pad(text, &mut self.out);
            }
            View::Bool(_) => self.bad_verb(value, verb),
            View::Int(n) => {
                #[expect(clippy::cast_sign_loss, reason = "verbs for characters see it so")]
                let bits = n as u64;
                self.integer(value, bits, n.unsigned_abs(), n < 0, verb);
            }
            View::Uint(n) if verb == 'v' && self.flags.go_syntax => self.hexadecimal(n, true),
            View::Uint(n) => self.integer(value, n, n, false, verb),
            View::Float(f) => self.float(value, f, 64, verb),
            View::Float32(f) => self.float(value, f64::from(f), 32, verb),
            View::Str(text) => self.string(value, text, verb),
            View::Bytes(bytes) => self.bytes(bytes, verb, depth),
            View::List(items) => {
                self.list(value, items.iter(), verb, depth);
            }
            View::Map(entries) => self.map(value, entries, verb, depth),
            View::Struct(fields) => self.fields(value, &fields, verb, depth),
            View::Pointer(target) => self.pointer(value, &target, verb, depth),
            View::Opaque => self.address_by(value, verb),
        }
    }

    fn integer(
        &mut self,
        value: &dyn Value,
        bits: u64,
        magnitude: u64,
        negative: bool,
        verb: char,
    ) {
        let out = &mut self.out;
        match verb {
            'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X' => {
                self.flags.integer(magnitude, negative, verb, out);
            }
            'c' => self.flags.character(bits, false, out),
            'q' => self.flags.character(bits, true, out),
            'U' => self.flags.unicode(bits, out),
            _ => self.bad_verb(value, verb),
        }
    }

    /// With a prefix or without, whatever the flags say.
    fn hexadecimal(&mut self, number: u64, has_prefix: bool) {
        let mut flags = self.flags;
        flags.sharp = has_prefix;
        flags.integer(number, false, 'x', &mut self.out);
    }

    fn float(&mut self, value: &dyn Value, f: f64, bits: u32, verb: char) {
        let out = &mut self.out;
        match verb {
            'v' => self.flags.float(f, bits, 'g', None, out),
            'b' | 'g' | 'G' | 'x' | 'X' => self.flags.float(f, bits, verb, None, out),
            'e' | 'E' | 'f' | 'F' => self.flags.float(f, bits, verb, Some(6), out),
            _ => self.bad_verb(value, verb),
        }
    }

    fn string(&mut self, value: &dyn Value, text: &str, verb: char) {
        let out = &mut self.out;
        match verb {
            'v' if self.flags.go_syntax => self.flags.quoted(text, out),
            'v' | 's' => self.flags.string(text, out),
            'x' | 'X' => self.flags.hexadecimal(text.as_bytes(), verb == 'X', out),
            'q' => self.flags.quoted(text, out),
            _ => self.bad_verb(value, verb),
        }
    }

    fn bytes(&mut self, bytes: &[u8], verb: char, depth: usize) {
        match verb {
            's' => {
                let text = String::from_utf8_lossy(bytes);
                self.flags.string(&text, &mut self.out);
            }
            'q' => self.flags.quoted_bytes(bytes, &mut self.out),
            'x' | 'X' => self.flags.hexadecimal(bytes, verb == 'X', &mut self.out),
            _ => {
                // Compat: only the argument itself has the short name, and only
                // with these verbs.
                let is_short = depth == 0 && matches!(verb, 'v' | 'd');
                let name = if is_short { "[]byte" } else { "[]uint8" };
                self.open(name, '[', '{');
                for (i, byte) in bytes.iter().enumerate() {
                    self.separate(i);
                    self.value(byte, verb, depth + 1);
                }
                self.close(']');
            }
        }
    }

    fn list<'v>(
        &mut self,
        value: &dyn Value,
        items: impl Iterator<Item = &'v Item<'v>>,
        verb: char,
        depth: usize,
    ) {
        self.open(&value.type_name(), '[', '{');
        for (i, item) in items.enumerate() {
            self.separate(i);
            self.value(&**item, verb, depth + 1);
        }
        self.close(']');
    }

    fn map(
        &mut self,
        value: &dyn Value,
        mut entries: Vec<(Item<'_>, Item<'_>)>,
        verb: char,
        depth: usize,
    ) {
        entries.sort_by(|(a, _), (b, _)| compare_keys(&**a, &**b));
        if !self.flags.go_syntax {
            self.out.push_str("map");
        }
        self.open(&value.type_name(), '[', '{');
        for (i, (key, item)) in entries.iter().enumerate() {
            self.separate(i);
            self.value(&**key, verb, depth + 1);
            self.out.push(':');
            self.value(&**item, verb, depth + 1);
        }
        self.close(']');
    }

    fn fields(&mut self, value: &dyn Value, fields: &[(&str, Item<'_>)], verb: char, depth: usize) {
        self.open(&value.type_name(), '{', '{');
        for (i, (name, item)) in fields.iter().enumerate() {
            self.separate(i);
            if self.flags.field_names || self.flags.go_syntax {
                self.out.push_str(name);
                self.out.push(':');
            }
            // Unlike an element, a field without a value takes any verb.
            self.value(&**item, verb, depth + 1);
        }
        self.close('}');
    }

    fn pointer(&mut self, value: &dyn Value, target: &Item<'_>, verb: char, depth: usize) {
        let shows_target = depth == 0
            && matches!(
                target.view(),
                View::List(_) | View::Bytes(_) | View::Map(_) | View::Struct(_)
            );
        if shows_target {
            self.out.push('&');
            self.value(&**target, verb, depth + 1);
        } else {
            self.address_by(value, verb);
        }
    }

    fn address_by(&mut self, value: &dyn Value, verb: char) {
        match verb {
            'v' if self.flags.go_syntax => {
                self.out.push('(');
                self.out.push_str(&value.type_name());
                self.out.push_str(")(");
                self.address(true);
                self.out.push(')');
            }
            'v' | 'p' => self.address(!self.flags.sharp),
            'b' | 'o' | 'd' | 'x' | 'X' => {
                self.flags.integer(ADDRESS, false, verb, &mut self.out);
            }
            _ => self.bad_verb(value, verb),
        }
    }

    fn address(&mut self, has_prefix: bool) {
        self.hexadecimal(ADDRESS, has_prefix);
    }

    /// Opens a composite; in Go syntax with its type.
    fn open(&mut self, type_name: &str, plain: char, go_syntax: char) {
        if self.flags.go_syntax {
            self.out.push_str(type_name);
            self.out.push(go_syntax);
        } else {
            self.out.push(plain);
        }
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out
                .push_str(if self.flags.go_syntax { ", " } else { " " });
        }
    }

    fn close(&mut self, plain: char) {
        self.out
            .push(if self.flags.go_syntax { '}' } else { plain });
    }
}
