//! Format strings.

use super::layout::Flags;
use super::value::{Value, View};
use super::verb::Printer;

/// Widths, precisions and indexes beyond this are refused.
const MAX_NUMBER: u64 = 1_000_000;

/// `Sprintf`.
pub(super) fn print(format: &str, args: &[&dyn Value]) -> String {
    let mut formatter = Formatter {
        printer: Printer::default(),
        rest: format,
        args,
        next: 0,
        is_good_index: true,
        is_after_index: false,
        has_indexes: false,
    };
    formatter.printer.out.reserve(format.len() + 8 * args.len());
    formatter.run();
    formatter.extra();
    formatter.printer.out
}

struct Formatter<'f> {
    printer: Printer,
    rest: &'f str,
    args: &'f [&'f dyn Value],
    /// The argument that the next verb takes.
    next: usize,
    /// Whether the indexes of this verb name arguments.
    is_good_index: bool,
    /// Whether an index was read last.
    is_after_index: bool,
    /// Whether any verb had one: arguments left over are fine then.
    has_indexes: bool,
}

impl Formatter<'_> {
    fn run(&mut self) {
        while let Some((text, rest)) = self.rest.split_once('%') {
            self.printer.out.push_str(text);
            self.rest = rest;
            if !self.directive() {
                return;
            }
        }
        self.printer.out.push_str(self.rest);
    }

    /// Prints what follows a `%`; false at the end of the format.
    fn directive(&mut self) -> bool {
        self.printer.flags = Flags::default();
        self.is_good_index = true;
        if self.flags() {
            return true;
        }
        self.index();
        self.width();
        self.precision();
        if !self.is_after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            self.printer.out.push_str("%!(NOVERB)");
            return false;
        };
        self.skip(verb.len_utf8());
        let problem = match self.args.get(self.next) {
            _ if verb == '%' => {
                self.printer.out.push('%');
                return true;
            }
            _ if !self.is_good_index => "(BADINDEX)",
            None => "(MISSING)",
            Some(_) => {
                self.verb(verb);
                return true;
            }
        };
        self.printer.out.push_str("%!");
        self.printer.out.push(verb);
        self.printer.out.push_str(problem);
        true
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Prints the next argument.
    fn verb(&mut self, verb: char) {
        if matches!(verb, 'v' | 'w') {
            let flags = &mut self.printer.flags;
            flags.go_syntax = std::mem::take(&mut flags.sharp);
            flags.field_names = std::mem::take(&mut flags.plus);
        }
        if let Some(arg) = self.args.get(self.next) {
            self.printer.arg(*arg, verb);
        }
        self.next += 1;
    }

    /// Reads flags, and prints at once where a small letter follows them.
    ///
    /// Compat: an index that was read before goes on counting as read.
    fn flags(&mut self) -> bool {
        while let Some(byte) = self.rest.bytes().next() {
            let flags = &mut self.printer.flags;
            match byte {
                b'#' => flags.sharp = true,
                b'0' => flags.zero = true,
                b'+' => flags.plus = true,
                b'-' => flags.minus = true,
                b' ' => flags.space = true,
                b'a'..=b'z' if self.next < self.args.len() => {
                    self.skip(1);
                    self.verb(char::from(byte));
                    return true;
                }
                _ => return false,
            }
            self.skip(1);
        }
        false
    }

    /// Reads `[2]`.
    fn index(&mut self) {
        self.is_after_index = false;
        let Some(text) = self.rest.strip_prefix('[') else {
            return;
        };
        self.has_indexes = true;
        let closing = if text.len() < 2 { None } else { text.find(']') };
        let Some(closing) = closing else {
            self.is_good_index = false;
            self.skip(1);
            return;
        };
        let number = text.get(..closing).unwrap_or_default();
        self.skip(closing + 2);
        let index = match number_at_start(number) {
            Number::Read(index, "") => Some(index),
            _ => None,
        };
        self.is_after_index = index.is_some();
        match index.and_then(|i| i.checked_sub(1)) {
            Some(index) if index < self.args.len() => self.next = index,
            _ => self.is_good_index = false,
        }
    }

    fn width(&mut self) {
        if self.rest.starts_with('*') {
            self.skip(1);
            let width = self.number_argument();
            let flags = &mut self.printer.flags;
            flags.width = width.map(|width| {
                if width < 0 {
                    flags.minus = true;
                    flags.zero = false;
                }
                usize::try_from(width.unsigned_abs()).unwrap_or(0)
            });
            if width.is_none() {
                self.printer.out.push_str("%!(BADWIDTH)");
            }
            self.is_after_index = false;
            return;
        }
        let width = self.number();
        if self.is_after_index && width.is_some() {
            self.is_good_index = false;
        }
        self.printer.flags.width = width;
    }

    fn precision(&mut self) {
        // Compat: a point at the very end is taken for the verb.
        if self.rest.len() < 2 || !self.rest.starts_with('.') {
            return;
        }
        self.skip(1);
        if self.is_after_index {
            self.is_good_index = false;
        }
        self.index();
        if self.rest.starts_with('*') {
            self.skip(1);
            let precision = self.number_argument();
            let precision = precision.and_then(|p| usize::try_from(p).ok());
            if precision.is_none() {
                self.printer.out.push_str("%!(BADPREC)");
            }
            self.printer.flags.precision = precision;
            self.is_after_index = false;
        } else {
            let precision = self.number();
            self.printer.flags.precision = Some(precision.unwrap_or(0));
        }
    }

    /// A number in the format. One that is too large takes all the rest.
    fn number(&mut self) -> Option<usize> {
        match number_at_start(self.rest) {
            Number::None => None,
            Number::Read(number, rest) => {
                self.rest = rest;
                Some(number)
            }
            Number::TooLarge => {
                self.rest = "";
                None
            }
        }
    }

    /// The number that `*` stands for; none where the argument is missing or
    /// no number.
    fn number_argument(&mut self) -> Option<i64> {
        let arg = self.args.get(self.next)?;
        self.next += 1;
        let number = match arg.view() {
            View::Int(n) => n,
            View::Uint(n) => i64::try_from(n).ok()?,
            _ => return None,
        };
        (number.unsigned_abs() <= MAX_NUMBER).then_some(number)
    }

    /// Tells of arguments that no verb took.
    fn extra(&mut self) {
        let left = self.args.get(self.next..).unwrap_or_default();
        if self.has_indexes || left.is_empty() {
            return;
        }
        self.printer.flags = Flags::default();
        self.printer.out.push_str("%!(EXTRA ");
        for (i, arg) in left.iter().enumerate() {
            if i > 0 {
                self.printer.out.push_str(", ");
            }
            if !matches!(arg.view(), View::Nil) {
                self.printer.out.push_str(&arg.type_name());
                self.printer.out.push('=');
            }
            self.printer.arg(*arg, 'v');
        }
        self.printer.out.push(')');
    }
}

enum Number<'f> {
    None,
    Read(usize, &'f str),
    TooLarge,
}

fn number_at_start(text: &str) -> Number<'_> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits).unwrap_or((text, ""));
    if number.is_empty() {
        return Number::None;
    }
    let mut value: u64 = 0;
    for digit in number.bytes() {
        // Compat: the limit is looked at before each digit, so that a number
        // may have one digit more.
        if value > MAX_NUMBER {
            return Number::TooLarge;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    Number::Read(usize::try_from(value).unwrap_or(usize::MAX), rest)
}
