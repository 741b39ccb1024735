//! What must hold for every substitution: used by the fuzz target and by the
//! tests that replay its inputs.

use fluxwright::flux::envsubst::{Replacement, substitute};

/// The first line is the value of `a`, the rest the text. Nothing panics; what
/// is not replaced stays as it is; strict mode refuses more and changes
/// nothing.
pub(crate) fn expand(data: &[u8]) {
    let input = String::from_utf8_lossy(data);
    let (first, text) = input.split_once('\n').unwrap_or(("", &input));
    let value = |name: &str| match name {
        "a" => Some(first),
        "b" => Some(""),
        "c" => Some("/pfad/größe/x.tar.gz"),
        _ => None,
    };
    let lenient = substitute(text, false, value);
    match (&lenient, substitute(text, true, value)) {
        (Ok(lenient), Ok(strict)) => assert_eq!(*lenient, strict),
        (Err(_), Ok(_)) => panic!("strict mode takes what is refused otherwise"),
        (_, Err(error)) => {
            assert!(
                text.get(error.offset..)
                    .is_some_and(|t| t.starts_with("${"))
            );
            assert!(!error.to_string().is_empty());
        }
    }
    let Ok(output) = lenient else { return };
    // A NUL ends the text.
    let text = text.split('\0').next().unwrap_or_default();
    let (mut input_at, mut output_at) = (0, 0);
    for Replacement {
        input, output: out, ..
    } in &output.replacements
    {
        assert_eq!(
            &text.as_bytes()[input_at..input.start],
            &output.bytes[output_at..out.start]
        );
        (input_at, output_at) = (input.end, out.end);
    }
    assert_eq!(&text.as_bytes()[input_at..], &output.bytes[output_at..]);
}
