//! Passwords and encryption.
//!
//! Compat: sprig 3.3.0 `crypto.go`. Faults come as the result, as there.

use aes::Aes256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockDecryptMut as _, BlockEncryptMut as _, KeyIvInit as _};
use rand_chacha::rand_core::RngCore as _;
use sha2::{Digest as _, Sha256};

use super::random::generator;
use crate::gotmpl::exec::Context;
use crate::gotmpl::function::{CallError, CallResult, Function, Uint32, function};
use crate::gotmpl::value::Text;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("bcrypt", with bcrypt(text), "The bcrypt hash of a password, with a random salt."),
    function!("htpasswd", with htpasswd(user, password), "A line of an htpasswd file, with a bcrypt hash."),
    function!("derivePassword", with derive_password(counter, kind, password, user, site), "A password for a site, made of a master password. Kinds are `maximum`, `long`, `medium`, `short`, `basic` and `pin`."),
    function!("encryptAES", with encrypt_aes(password, text), "The text encrypted by AES-256-CBC, in base 64, with a random initialization vector."),
    function!("decryptAES", with decrypt_aes(password, text), "The text that `encryptAES` encrypted."),
];

/// Steps that a bcrypt hash takes.
const BCRYPT_STEPS: u64 = 800_000;
/// Steps that deriving a key takes.
const SCRYPT_STEPS: u64 = 2_000_000;

/// Compat: Go's default cost.
const BCRYPT_COST: u32 = 10;

fn bcrypt_hash(
    context: &mut Context<'_>,
    function: &'static str,
    password: &Text,
) -> CallResult<String> {
    let is_disturbance = context.machine.environment.world.disturbance.is_some();
    let cost = if is_disturbance { 4 } else { BCRYPT_COST };
    context.take_steps(if is_disturbance {
        BCRYPT_STEPS >> 6
    } else {
        BCRYPT_STEPS
    })?;
    if password.len() > 72 {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
                .to_owned(),
        );
    }
    let mut salt = [0; 16];
    generator(context, function).fill_bytes(&mut salt);
    Ok(
        match ::bcrypt::hash_with_salt(password.as_bytes(), cost, salt) {
            Ok(hash) => hash.format_for_version(::bcrypt::Version::TwoA),
            Err(e) => format!("failed to encrypt string with bcrypt: {e}"),
        },
    )
}

fn bcrypt(context: &mut Context<'_>, text: Text) -> CallResult<String> {
    bcrypt_hash(context, "bcrypt", &text)
}

fn htpasswd(context: &mut Context<'_>, user: Text, password: Text) -> CallResult<String> {
    if user.as_bytes().contains(&b':') {
        return Ok(format!("invalid username: {user}"));
    }
    let hash = bcrypt_hash(context, "htpasswd", &password)?;
    Ok(format!("{user}:{hash}"))
}

/// The shapes of a kind of password: each letter stands for a set of
/// characters.
fn shapes(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

/// The characters that a letter of a shape stands for.
fn letters(shape: u8) -> &'static [u8] {
    match shape {
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// What all salts begin with, see <https://masterpassword.app>.
const SCOPE: &[u8] = b"com.lyndir.masterpassword";

fn derive_password(
    context: &mut Context<'_>,
    counter: Uint32,
    kind: Text,
    password: Text,
    user: Text,
    site: Text,
) -> CallResult<String> {
    let Some(shapes) = shapes(kind.as_bytes()) else {
        return Ok(format!("cannot find password template {kind}"));
    };
    context.take_steps(SCRYPT_STEPS)?;
    let length = |text: &Text| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SCOPE, &length(&user), user.as_bytes()].concat();
    let failed = |e: &dyn std::fmt::Display| format!("failed to derive password: {e}");
    let parameters = match scrypt::Params::new(15, 8, 2, 64) {
        Ok(parameters) => parameters,
        Err(e) => return Ok(failed(&e)),
    };
    let mut key = [0; 64];
    if let Err(e) = scrypt::scrypt(password.as_bytes(), &salt, &parameters, &mut key) {
        return Ok(failed(&e));
    }
    let message = [
        SCOPE,
        &length(&site),
        site.as_bytes(),
        &counter.0.to_be_bytes(),
    ]
    .concat();
    let seed = hmac_sha256(&key, &message);
    let shape = shapes[usize::from(seed[0]) % shapes.len()];
    Ok(shape
        .bytes()
        .zip(&seed[1..])
        .map(|(shape, byte)| {
            let letters = letters(shape);
            char::from(letters[usize::from(*byte) % letters.len()])
        })
        .collect())
}

/// HMAC of a key that is as long as a block.
fn hmac_sha256(key: &[u8; 64], message: &[u8]) -> [u8; 32] {
    let inner = Sha256::new()
        .chain_update(key.map(|b| b ^ 0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(key.map(|b| b ^ 0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

/// The length of a block of AES.
const BLOCK: usize = 16;

/// The key: the first 32 bytes of the password, or zeros behind it.
fn aes_key(password: &Text) -> [u8; 32] {
    let mut key = [0; 32];
    let used = password.len().min(32);
    key[..used].copy_from_slice(&password.as_bytes()[..used]);
    key
}

fn encrypt_aes(context: &mut Context<'_>, password: Text, text: Text) -> CallResult<String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    context.take_bytes(text.len() * 3)?;
    context.take_steps(10 + text.len() as u64 / 16)?;
    let mut vector = [0; BLOCK];
    generator(context, "encryptAES").fill_bytes(&mut vector);
    let mut content = text.as_bytes().to_vec();
    let padding = BLOCK - content.len() % BLOCK;
    #[expect(clippy::cast_possible_truncation, reason = "no more than 16")]
    content.extend(std::iter::repeat_n(padding as u8, padding));
    let cipher = cbc::Encryptor::<Aes256>::new(&aes_key(&password).into(), &vector.into());
    let encrypted = cipher.encrypt_padded_vec_mut::<NoPadding>(&content);
    Ok(STANDARD.encode([&vector[..], &encrypted].concat()))
}

fn decrypt_aes(context: &mut Context<'_>, password: Text, text: Text) -> CallResult<Text> {
    if text.is_empty() {
        return Ok(Text::default());
    }
    context.take_bytes(text.len() * 2)?;
    context.take_steps(10 + text.len() as u64 / 16)?;
    let bytes = super::encodings::decode_base64(text.as_bytes())
        .map_err(|at| CallError::new(format!("illegal base64 data at input byte {at}")))?;
    let Some((vector, encrypted)) = bytes.split_first_chunk::<BLOCK>() else {
        return Err(CallError::new(format!(
            "runtime error: slice bounds out of range [:{BLOCK}] with capacity {}",
            bytes.len()
        )));
    };
    let cipher = cbc::Decryptor::<Aes256>::new(&aes_key(&password).into(), vector.into());
    let Ok(mut content) = cipher.decrypt_padded_vec_mut::<NoPadding>(encrypted) else {
        return Err(CallError::new("crypto/cipher: input not full blocks"));
    };
    let Some(&padding) = content.last() else {
        return Err(CallError::new("runtime error: index out of range [-1]"));
    };
    match content.len().checked_sub(usize::from(padding)) {
        Some(length) => content.truncate(length),
        None => {
            return Err(CallError::new(format!(
                "runtime error: slice bounds out of range [:-{}]",
                usize::from(padding) - content.len()
            )));
        }
    }
    Ok(content.into())
}
