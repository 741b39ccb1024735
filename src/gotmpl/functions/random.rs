//! What is random: texts, numbers, orders.
//!
//! Random values come from a seed, the place of the call and how often it was
//! made there, so that two executions never differ by chance; who keeps the
//! seed secret keeps the values secret. Each call is noted, for those who are
//! to be told.
//!
//! Compat: sprig 3.3.0 `strings.go`, `crypto.go`, `functions.go`; the lengths
//! and alphabets are the reference's, the values nobody's.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest as _, Sha256};

use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Int, function};
use crate::gotmpl::value::Text;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("randAlphaNum", with rand_alpha_num(length), "Random letters and digits."),
    function!("randAlpha", with rand_alpha(length), "Random letters."),
    function!("randNumeric", with rand_numeric(length), "Random digits."),
    function!("randAscii", with rand_ascii(length), "Random printable characters."),
    function!("randBytes", with rand_bytes(length), "Random bytes in base 64."),
    function!("randInt", with rand_int(least, end), "A random integer from `least` to before `end`."),
    function!("shuffle", with shuffle(text), "The characters of the text in random order."),
    function!("uuidv4", with uuidv4(), "A random UUID."),
];

/// The random numbers of this call.
pub(super) fn generator(context: &mut Context<'_>, function: &'static str) -> ChaCha20Rng {
    let site = context.note_random(function);
    let mut hash = Sha256::new();
    hash.update(context.machine.environment.world.seed.bytes());
    for part in [function.as_bytes(), site.file.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(site.place.to_be_bytes());
    hash.update(site.count.to_be_bytes());
    if site.is_disturbed {
        hash.update(b"disturbed");
    }
    ChaCha20Rng::from_seed(hash.finalize().into())
}

/// A number below `end`, all of them equally likely.
fn below(random: &mut ChaCha20Rng, end: u64) -> u64 {
    // Numbers from the last, incomplete round of `end` are thrown away.
    let limit = u64::MAX - u64::MAX % end.max(1);
    loop {
        let number = random.next_u64();
        if number < limit {
            return number % end.max(1);
        }
    }
}

fn characters(
    context: &mut Context<'_>,
    function: &'static str,
    length: Int,
    alphabet: &[u8],
) -> CallResult<String> {
    // Compat: a negative length gives nothing.
    let length = usize::try_from(length.0).unwrap_or(0);
    context.take_bytes(length)?;
    context.take_steps(length as u64 / 8)?;
    let mut random = generator(context, function);
    let pick = |_| {
        let index = below(&mut random, alphabet.len() as u64);
        let byte = usize::try_from(index).ok().and_then(|i| alphabet.get(i));
        char::from(byte.copied().unwrap_or_default())
    };
    Ok((0..length).map(pick).collect())
}

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LETTERS_AND_DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn rand_alpha_num(context: &mut Context<'_>, length: Int) -> CallResult<String> {
    characters(context, "randAlphaNum", length, LETTERS_AND_DIGITS)
}

fn rand_alpha(context: &mut Context<'_>, length: Int) -> CallResult<String> {
    characters(context, "randAlpha", length, LETTERS)
}

fn rand_numeric(context: &mut Context<'_>, length: Int) -> CallResult<String> {
    characters(context, "randNumeric", length, DIGITS)
}

fn rand_ascii(context: &mut Context<'_>, length: Int) -> CallResult<String> {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    characters(context, "randAscii", length, &printable)
}

fn rand_bytes(context: &mut Context<'_>, length: Int) -> CallResult<String> {
    use base64::Engine as _;
    let Ok(length) = usize::try_from(length.0) else {
        return Err(CallError::new("runtime error: makeslice: len out of range"));
    };
    context.take_bytes(length.saturating_mul(3))?;
    let mut bytes = vec![0; length];
    generator(context, "randBytes").fill_bytes(&mut bytes);
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

fn rand_int(context: &mut Context<'_>, least: Int, end: Int) -> CallResult<Int> {
    let Some(range) = u64::try_from(end.0.wrapping_sub(least.0))
        .ok()
        .filter(|range| *range > 0)
    else {
        return Err(CallError::new("invalid argument to Intn"));
    };
    let offset = below(&mut generator(context, "randInt"), range);
    Ok(Int(least.0.wrapping_add_unsigned(offset)))
}

fn shuffle(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    let mut characters: Vec<char> = text.to_str().chars().collect();
    context.take_bytes(characters.len() * 5)?;
    context.take_steps(characters.len() as u64 / 2)?;
    let mut random = generator(context, "shuffle");
    for i in (1..characters.len()).rev() {
        let other = below(&mut random, i as u64 + 1);
        characters.swap(i, usize::try_from(other).unwrap_or(i));
    }
    Ok(characters.into_iter().collect())
}

fn uuidv4(context: &mut Context<'_>) -> String {
    let mut bytes = [0; 16];
    generator(context, "uuidv4").fill_bytes(&mut bytes);
    // The version and the variant.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts: Vec<&str> = parts
        .into_iter()
        .map(|range| text.get(range).unwrap_or_default())
        .collect();
    parts.join("-")
}
