//! Keys that sign a bundle, as options.

use crate::bundle::{self, Bundle, Keys};
use crate::cli::{environment, read};
use crate::diag::Result;
use crate::gostd::moment::Moment;
use crate::verify::openpgp_sign::OpenPgpKey;
use crate::verify::sign::SigningKey;

/// Keys that sign a bundle.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SignArgs {
    /// A private key that signs, as cosign does: a PEM file (P-256 or Ed25519, in PKCS #8 or as
    /// `cosign generate-key-pair` encrypts it), or env://NAME (repeatable)
    #[arg(long, value_name = "FILE|env://NAME")]
    key: Vec<String>,

    /// An OpenPGP private key that signs, apart from the content: an exported key in a file, or
    /// env://NAME (repeatable)
    #[arg(long, value_name = "FILE|env://NAME")]
    sign_pgp_key: Vec<String>,

    /// The password of the keys that have one: the first line of a file, or env://NAME
    #[arg(long, value_name = "FILE|env://NAME")]
    key_password: Option<String>,
}

impl SignArgs {
    /// Signs a bundle with all of the keys; OpenPGP signatures are dated `now`.
    ///
    /// # Errors
    ///
    /// For keys and passwords that cannot be used.
    pub(in crate::cli) fn sign(&self, made: &mut Bundle, now: Moment) -> Result<()> {
        bundle::sign(made, &self.keys(now)?)
    }

    /// Reads the keys. What they were read from is wiped from memory.
    fn keys(&self, now: Moment) -> Result<Keys> {
        let mut keys = Keys::default();
        if self.key.is_empty() && self.sign_pgp_key.is_empty() {
            return Ok(keys);
        }
        environment::forbid_core_dumps();
        let password = self.key_password.as_deref().map(read::password);
        let password = password.transpose()?;
        let password = password.as_ref().map(|password| password.as_slice());
        for name in &self.key {
            let file = read::key_file(name)?;
            keys.cosign.push(SigningKey::read(&file, password)?);
        }
        for name in &self.sign_pgp_key {
            let file = read::key_file(name)?;
            keys.openpgp.push(OpenPgpKey::read(&file, password, now)?);
        }
        Ok(keys)
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files, and the memory of their own process"
)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use base64::Engine as _;

    use super::*;

    /// Text that is not in memory as it is.
    struct Masked(Vec<u8>);

    const MASK: u8 = 0x55;

    impl Masked {
        fn new(mut text: Vec<u8>) -> Masked {
            for byte in &mut text {
                *byte ^= MASK;
            }
            Masked(text)
        }

        fn part(&self, range: std::ops::Range<usize>) -> Masked {
            Masked(self.0[range].to_vec())
        }

        fn is_in(&self, memory: &[u8]) -> bool {
            let first = self.0[0] ^ MASK;
            memchr::memchr_iter(first, memory).any(|at| {
                let there = memory[at..].iter().take(self.0.len());
                there.len() == self.0.len() && there.zip(&self.0).all(|(a, b)| *a == *b ^ MASK)
            })
        }
    }

    /// How often something is in the memory of this process that can be written.
    fn count(texts: &[Masked]) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let memory = std::fs::File::open("/proc/self/mem").unwrap();
        let mut buffer = vec![0; 1 << 20];
        let mut found = 0;
        for line in maps.lines().filter(|line| line.contains(" rw")) {
            let (range, _) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let number = |hex| u64::from_str_radix(hex, 16).unwrap();
            let (mut at, end) = (number(start), number(end));
            while at < end {
                let room = usize::try_from((end - at).min(1 << 20)).unwrap();
                // What is not there any more holds nothing.
                let read = memory.read_at(&mut buffer[..room], at).unwrap_or(0);
                found += texts.iter().filter(|t| t.is_in(&buffer[..read])).count();
                buffer[..read].fill(0);
                at += room as u64;
            }
        }
        found
    }

    #[test]
    fn private_keys_are_wiped_after_use() {
        let path = "testdata/bundle/wiped.pem";
        // The body of the file, and what it encodes.
        let file = Masked::new(std::fs::read(path).unwrap());
        let body = file.part(28..92);
        let decoded = {
            let plain: Vec<u8> = body.0.iter().map(|byte| byte ^ MASK).collect();
            let plain = zeroize::Zeroizing::new(plain);
            let decoded = base64::engine::general_purpose::STANDARD.decode(&*plain);
            Masked::new(decoded.unwrap())
        };
        let texts = [body, decoded];
        assert_eq!(count(&texts), 0, "the test itself leaves something");
        let args = SignArgs {
            key: vec![path.to_owned()],
            sign_pgp_key: Vec::new(),
            key_password: None,
        };
        let keys = args.keys(Moment::from_unix(0)).unwrap();
        assert_eq!(count(&texts), 0);
        assert!(!keys.cosign[0].sign(b"text").is_empty());
        // It would be seen.
        let file = read::key_file(path).unwrap();
        assert_eq!(count(&texts), 1);
        drop(file);
        assert_eq!(count(&texts), 0);
    }
}
