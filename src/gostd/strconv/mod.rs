//! Numbers and quoted text as Go's `strconv` reads and writes them.

mod float;
mod number;
mod quote;
#[cfg(test)]
mod tests;

pub use float::{FloatVerb, format_float, format_float_as, format_float32, format_json_float};
pub use number::{NumError, NumErrorKind, atoi, parse_bool, parse_float, parse_int, parse_uint};
pub use quote::{
    Unquoted, can_backquote, quote, quote_bytes, quote_bytes_to_ascii, quote_char,
    quote_char_to_ascii, quote_to_ascii, unquote, unquote_char,
};
