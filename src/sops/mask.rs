//! Digests that stand for secret values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::cipher::DataKey;

/// The key of digests, derived from a data key; wiped when dropped.
#[derive(Clone)]
pub(super) struct MaskKey(Zeroizing<[u8; 64]>);

impl std::fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MaskKey")
    }
}

impl MaskKey {
    pub(super) fn derive(key: &DataKey) -> MaskKey {
        let mut derived = Zeroizing::new([0; 64]);
        let expanded = Hkdf::<Sha256>::new(None, key.bytes())
            .expand(b"fluxwright/mask/v1", derived.as_mut_slice());
        debug_assert!(expanded.is_ok(), "64 bytes are few enough");
        MaskKey(derived)
    }

    fn digest(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new((&*self.0).into());
        mac.update(text.as_bytes());
        let digest = hex::encode(mac.finalize().into_bytes());
        format!("secret-{}", digest.get(..32).unwrap_or_default())
    }
}

/// The shortest value that is looked for in other text: anything shorter
/// stands everywhere.
const SHORTEST_REDACTED: usize = 4;

/// The keys of a run, and which value belongs to which.
#[derive(Default)]
pub(super) struct Masks {
    keys: Vec<MaskKey>,
    /// The place of the key by the digest of a value.
    values: BTreeMap<[u8; 32], usize>,
    /// The values, shared with the nodes that hold them, and their lines.
    texts: BTreeSet<Arc<str>>,
}

impl std::fmt::Debug for Masks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Masks({} values)", self.values.len())
    }
}

impl Masks {
    /// Notes values and the key of the file that they come from.
    pub(super) fn add(&mut self, key: MaskKey, values: &[Arc<str>]) {
        let index = self
            .keys
            .iter()
            .position(|k| k.0 == key.0)
            .unwrap_or_else(|| {
                self.keys.push(key);
                self.keys.len() - 1
            });
        for value in values {
            self.note_text(value);
            let slot = self.values.entry(digest(value)).or_insert(index);
            // One value of two files has the key of one of them, whichever
            // was read first.
            let bytes = |at: usize| self.keys.get(at).map(|k| *k.0);
            if bytes(index) < bytes(*slot) {
                *slot = index;
            }
        }
    }

    /// Notes texts that were made of values.
    pub(super) fn learn(&mut self, texts: &[Arc<str>]) {
        for text in texts {
            self.note_text(text);
        }
    }

    fn note_text(&mut self, value: &Arc<str>) {
        let is_long = |text: &str| text.trim().len() >= SHORTEST_REDACTED;
        if !is_long(value) {
            return;
        }
        if value.contains('\n') {
            // Errors show single lines.
            let lines = value.lines().map(str::trim).filter(|line| is_long(line));
            self.texts.extend(lines.map(Arc::from));
        }
        self.texts.insert(value.clone());
    }

    /// Text with masks in place of all secret values in it, and of their
    /// base64 forms.
    pub(super) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut found: Vec<(String, &Arc<str>)> = Vec::new();
        for value in &self.texts {
            let forms = [value.to_string(), STANDARD.encode(&**value)];
            found.extend(
                forms
                    .into_iter()
                    .filter(|form| text.contains(form.as_str()))
                    .map(|form| (form, value)),
            );
        }
        // A value may be a part of another: the longest first.
        found.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
        found
            .into_iter()
            .fold(Cow::Borrowed(text), |text, (form, value)| {
                Cow::Owned(text.replace(&form, &self.mask(value)))
            })
    }

    /// The digest that stands for a value, or for its base64 form.
    pub(super) fn mask(&self, text: &str) -> String {
        let decoded = STANDARD
            .decode(text)
            .ok()
            .and_then(|b| String::from_utf8(b).ok());
        let index = self
            .values
            .get(&digest(text))
            .or_else(|| decoded.and_then(|text| self.values.get(&digest(&text))));
        let key = match index {
            Some(index) => self.keys.get(*index),
            None => self.keys.iter().min_by_key(|k| *k.0),
        };
        // Nothing is marked as secret before a key was used; without one,
        // nothing can be said of the text.
        key.map_or_else(|| "secret".to_owned(), |key| key.digest(text))
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MaskKey {
        MaskKey::derive(&DataKey::new(Zeroizing::new(vec![byte; 32])))
    }

    #[test]
    fn a_value_keeps_its_digest_whatever_else_is_decrypted() {
        let mut alone = Masks::default();
        alone.add(key(1), &["p4ss".into()]);
        for order in [[1, 2], [2, 1]] {
            let mut masks = Masks::default();
            for byte in order {
                let value: &[Arc<str>] = if byte == 1 {
                    &["p4ss".into()]
                } else {
                    &["other".into()]
                };
                masks.add(key(byte), value);
            }
            assert_eq!(masks.mask("p4ss"), alone.mask("p4ss"));
            assert_eq!(masks.mask("cDRzcw=="), alone.mask("cDRzcw=="));
            assert_ne!(masks.mask("p4ss"), masks.mask("other"));
        }
        let mut both = Masks::default();
        both.add(key(2), &["p4ss".into()]);
        both.add(key(1), &["p4ss".into()]);
        let mut turned = Masks::default();
        turned.add(key(1), &["p4ss".into()]);
        turned.add(key(2), &["p4ss".into()]);
        assert_eq!(both.mask("p4ss"), turned.mask("p4ss"));
    }

    #[test]
    fn values_are_taken_out_of_other_text() {
        let mut masks = Masks::default();
        let values = ["p4ss", "p4ss-word", "abc", "first line\nsecond"];
        masks.add(key(1), &values.map(Arc::from));
        let mask = |text: &str| masks.mask(text);
        assert_eq!(masks.redact("abc is in clear"), "abc is in clear");
        assert_eq!(
            masks.redact("is p4ss-word or p4ss"),
            format!("is {} or {}", mask("p4ss-word"), mask("p4ss"))
        );
        assert_eq!(masks.redact("cDRzcw=="), mask("p4ss"));
        assert_eq!(masks.redact("`second`"), format!("`{}`", mask("second")));
        assert!(!format!("{masks:?}").contains("p4ss"));
    }

    #[test]
    fn digests_depend_on_the_key_and_hide_the_value() {
        let (mut a, mut b) = (Masks::default(), Masks::default());
        a.add(key(1), &["p4ss".into()]);
        b.add(key(2), &["p4ss".into()]);
        assert_ne!(a.mask("p4ss"), b.mask("p4ss"));
        assert!(a.mask("x p4ss y").starts_with("secret-"));
        assert!(!format!("{a:?}").contains("p4ss"));
        assert_eq!(Masks::default().mask("p4ss"), "secret");
    }
}
