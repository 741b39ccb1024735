//! SHA-256 digests of content.

use sha2::{Digest as _, Sha256};

use crate::diag::{Error, Result};

/// The SHA-256 of some content; written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    /// Reads `sha256:HEX`.
    ///
    /// # Errors
    ///
    /// `digest/invalid` for everything else; other algorithms are named.
    pub fn parse(text: &str) -> Result<Digest> {
        let invalid = |why: String| Error::new("digest/invalid", why);
        let (algorithm, hex) = text.split_once(':').ok_or_else(|| {
            invalid(format!("`{text}` is no digest"))
                .help("a digest is `sha256:` and 64 hexadecimal digits")
        })?;
        if algorithm != "sha256" {
            return Err(invalid(format!(
                "`{algorithm}` is no algorithm for digests that is known here"
            ))
            .help("use `sha256`"));
        }
        let mut bytes = [0; 32];
        let lower = !hex.bytes().any(|b| b.is_ascii_uppercase());
        if !lower || hex::decode_to_slice(hex, &mut bytes).is_err() {
            return Err(invalid(format!("`{text}` is no digest"))
                .help("`sha256:` is followed by 64 hexadecimal digits in lower case"));
        }
        Ok(Digest(bytes))
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// The 64 hexadecimal digits alone.
    pub fn hex(self) -> String {
        hex::encode(self.0)
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// A digest of content that comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_they_are_written() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), digest);
    }

    #[test]
    fn everything_else_is_refused() {
        let upper = Digest::of(b"abc").to_string().replace("ba78", "BA78");
        for text in ["", "sha256", "sha256:", "sha256:00", "sha512:00", &upper] {
            let error = Digest::parse(text).unwrap_err();
            assert_eq!(error.rule(), "digest/invalid", "{text}");
            assert!(error.help_text().is_some());
        }
    }
}
