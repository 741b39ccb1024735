//! Printing values as Go's `fmt` does: `Sprintf`, `Sprint`, `Sprintln`.
//!
//! Whatever is printed implements [`Value`]: what the value is ([`View`]), what
//! its type is called, and what its `String` or `Error` method gives, if Go's
//! type has one. What is wrong with a format is told within the text
//! (`%!d(string=hi)`), as in Go.

mod format;
mod layout;
#[cfg(test)]
mod tests;
mod value;
mod verb;

pub use value::{Item, Value, View};

use verb::Printer;

/// `fmt.Sprintf`.
pub fn sprintf(format: &str, args: &[&dyn Value]) -> String {
    format::print(format, args)
}

/// `fmt.Sprint`: blanks between values of which neither is a string.
pub fn sprint(args: &[&dyn Value]) -> String {
    let mut printer = Printer::default();
    let mut is_first = true;
    let mut is_after_string = false;
    for arg in args {
        let is_string = matches!(arg.view(), View::Str(_));
        if !is_first && !is_string && !is_after_string {
            printer.out.push(' ');
        }
        printer.arg(*arg, 'v');
        is_first = false;
        is_after_string = is_string;
    }
    printer.out
}

/// `fmt.Sprintln`: blanks between all values, and a line feed.
pub fn sprintln(args: &[&dyn Value]) -> String {
    let mut printer = Printer::default();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            printer.out.push(' ');
        }
        printer.arg(*arg, 'v');
    }
    printer.out.push('\n');
    printer.out
}
