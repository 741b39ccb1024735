//! Text to tokens.

use std::sync::Arc;

use super::parse::SyntaxError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Int(u64),
    Uint(u64),
    Double(f64),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    /// A name, or a word that has a meaning of its own.
    Name(Arc<str>),
    /// A name in backquotes, only behind a dot.
    QuotedName(Arc<str>),
    /// An operator or bracket.
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 26] = [
    "&&", "||", "==", "!=", "<=", ">=", "[?", "{?", ".?", "(", ")", "[", "]", "{", "}", ".", ",",
    ":", "?", "+", "-", "*", "/", "%", "<", ">",
];

/// All tokens, each with where it begins; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else {
            tokens.push((at, Token::End));
            return Ok(tokens);
        };
        if matches!(first, ' ' | '\t' | '\n' | '\r' | '\u{c}') {
            at += 1;
            continue;
        }
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        let (token, len) = if let Some(literal) = quoted(rest) {
            literal.map_err(|message| SyntaxError::new(at, message))?
        } else if first.is_ascii_digit()
            || first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())
        {
            number(rest).map_err(|message| SyntaxError::new(at, message))?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let len = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            (Token::Name(rest[..len].into()), len)
        } else if first == '`' {
            let name = rest[1..].split('`').next().unwrap_or_default();
            if name.is_empty() || rest.len() < name.len() + 2 {
                return Err(SyntaxError::new(at, "a backquote is not closed"));
            }
            (Token::QuotedName(name.into()), name.len() + 2)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else if first == '!' {
            (Token::Sign("!"), 1)
        } else {
            return Err(SyntaxError::new(
                at,
                format!("unexpected character `{first}`"),
            ));
        };
        tokens.push((at, token));
        at += len;
    }
}

fn number(text: &str) -> Result<(Token, usize), String> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let len = digits
            .find(|c: char| !c.is_ascii_hexdigit())
            .unwrap_or(digits.len());
        let value = u64::from_str_radix(&digits[..len], 16);
        let value = value.map_err(|_| "this is no number".to_owned())?;
        return Ok(if digits[len..].starts_with(['u', 'U']) {
            (Token::Uint(value), len + 3)
        } else {
            (Token::Int(value), len + 2)
        });
    }
    let digits = |from: usize| {
        let rest = &text[from..];
        from + rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len())
    };
    let whole = digits(0);
    let mut end = whole;
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = end + 1 + usize::from(text[end + 1..].starts_with(['+', '-']));
        if text[sign..].starts_with(|c: char| c.is_ascii_digit()) {
            end = digits(sign);
        }
    }
    if end > whole {
        let value = text[..end].parse().map_err(|_| "this is no number")?;
        return Ok((Token::Double(value), end));
    }
    let value = text[..whole]
        .parse()
        .map_err(|_| "this number is too large".to_owned())?;
    Ok(if text[whole..].starts_with(['u', 'U']) {
        (Token::Uint(value), whole + 1)
    } else {
        (Token::Int(value), whole)
    })
}

/// A literal of text or bytes and its length; none where none begins here.
fn quoted(text: &str) -> Option<Result<(Token, usize), String>> {
    let prefix_len = text
        .find(|c: char| !matches!(c, 'b' | 'B' | 'r' | 'R'))
        .unwrap_or(text.len());
    let prefix = text[..prefix_len].to_ascii_lowercase();
    if !matches!(&*prefix, "" | "b" | "r" | "br" | "rb") {
        return None;
    }
    let body = &text[prefix_len..];
    let quote = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| body.starts_with(quote))?;
    let (is_bytes, is_raw) = (prefix.contains('b'), prefix.contains('r'));
    Some(
        literal(&body[quote.len()..], quote, is_bytes, is_raw)
            .map(|(token, len)| (token, prefix_len + quote.len() + len)),
    )
}

/// What is between quotes, and its length with the closing quote.
fn literal(
    text: &str,
    quote: &str,
    is_bytes: bool,
    is_raw: bool,
) -> Result<(Token, usize), String> {
    let mut out: Vec<u8> = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        if rest.starts_with(quote) {
            at += quote.len();
            break;
        }
        let Some(c) = rest.chars().next() else {
            return Err("a quote is not closed".to_owned());
        };
        if c == '\n' && quote.len() == 1 {
            return Err("a quote is not closed on its line".to_owned());
        }
        if c == '\\' && !is_raw {
            let (len, escaped) = escape(&rest[1..], is_bytes)?;
            out.extend(escaped);
            at += 1 + len;
            continue;
        }
        if c == '\\' {
            // A raw literal keeps the backslash and what is behind it.
            let len = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            out.extend_from_slice(&rest.as_bytes()[..len]);
            at += len;
            continue;
        }
        out.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
        at += c.len_utf8();
    }
    if is_bytes {
        return Ok((Token::Bytes(out.into()), at));
    }
    let text = String::from_utf8(out).map_err(|_| "an escape is no character".to_owned())?;
    Ok((Token::String(text.into()), at))
}

/// What an escape stands for, and its length without the backslash.
fn escape(text: &str, is_bytes: bool) -> Result<(usize, Vec<u8>), String> {
    let Some(first) = text.chars().next() else {
        return Err("a backslash stands at the end".to_owned());
    };
    let one = |byte: u8| Ok((1, vec![byte]));
    let coded = |from: usize, len: usize, radix: u32| {
        let digits = text.get(from..from + len);
        let code = digits
            .and_then(|digits| u32::from_str_radix(digits, radix).ok())
            .ok_or_else(|| format!("`\\{first}` wants {len} digits"))?;
        if is_bytes {
            let byte = u8::try_from(code).map_err(|_| "an escape is no byte".to_owned())?;
            return Ok((from + len, vec![byte]));
        }
        let c = char::from_u32(code).ok_or_else(|| "an escape is no character".to_owned())?;
        Ok((from + len, c.to_string().into_bytes()))
    };
    match first {
        'a' => one(7),
        'b' => one(8),
        'f' => one(12),
        'n' => one(b'\n'),
        'r' => one(b'\r'),
        't' => one(b'\t'),
        'v' => one(11),
        '\\' => one(b'\\'),
        '?' => one(b'?'),
        '"' => one(b'"'),
        '\'' => one(b'\''),
        '`' => one(b'`'),
        'x' | 'X' => coded(1, 2, 16),
        'u' if !is_bytes => coded(1, 4, 16),
        'U' if !is_bytes => coded(1, 8, 16),
        '0'..='3' => coded(0, 3, 8),
        other => Err(format!("unknown escape `\\{other}`")),
    }
}
