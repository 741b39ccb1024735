//! Private keys, and the data keys that they open.
//!
//! Keys are wiped from memory when they are dropped: each type here is, or
//! holds one that is, wiped.

use std::io::Read as _;

use age::armor::ArmoredReader;
use openpgp::cert::CertParser;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse as _;
use openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper,
};
use openpgp::policy::StandardPolicy;
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle};
use sequoia_openpgp as openpgp;
use zeroize::Zeroizing;

use super::cipher::DataKey;
use super::hybrid::HybridIdentity;
use super::metadata::{KeyKind, MasterKey, Metadata};
use super::shamir;
use crate::diag::{Error, Result};

/// The largest key file that is read, in bytes.
pub const MAX_KEY_FILE_BYTES: usize = 1 << 20;

/// The longest data key: sops makes 32 bytes, and one more for a part.
const MAX_DATA_KEY_BYTES: u64 = 4096;

/// Private keys that may open data keys.
#[derive(Default)]
pub struct Keys {
    age: Vec<Box<dyn age::Identity + Send + Sync>>,
    openpgp: Vec<Cert>,
    /// OpenPGP keys of kinds that are not supported, by name.
    unsupported: Vec<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Keys({} age, {} OpenPGP)",
            self.age.len(),
            self.openpgp.len()
        )
    }
}

impl Keys {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.age.is_empty() && self.openpgp.is_empty()
    }

    /// Adds age identities: one on each line, comments and empty lines apart,
    /// or one SSH private key. `name` is for messages.
    ///
    /// # Errors
    ///
    /// `sops/key-file` for what is none, or needs a passphrase or a plugin.
    pub fn add_age(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let refused = |why: &str, help: &str| {
            Err(Error::new("sops/key-file", format!("key file `{name}` {why}")).help(help))
        };
        const HELP: &str =
            "an age identity is a line `AGE-SECRET-KEY-1…`, as `age-keygen` writes it";
        let Ok(text) = std::str::from_utf8(content) else {
            return refused("is no text", HELP);
        };
        if text.contains("PRIVATE KEY-----") {
            let identity = age::ssh::Identity::from_buffer(text.trim_start().as_bytes(), None);
            return match identity {
                Ok(age::ssh::Identity::Unencrypted(key)) => {
                    self.age
                        .push(Box::new(age::ssh::Identity::Unencrypted(key)));
                    Ok(())
                }
                Ok(age::ssh::Identity::Encrypted(_)) => refused(
                    "is an SSH key with a passphrase, which cannot be asked for here",
                    "make a copy without one: `ssh-keygen -p -N '' -f COPY`",
                ),
                _ => refused(
                    "is an SSH key of a kind that age does not know",
                    "age takes Ed25519 and RSA keys",
                ),
            };
        }
        if text.starts_with("age-encryption.org/") || text.contains("BEGIN AGE ENCRYPTED FILE") {
            return refused(
                "is encrypted with a passphrase, which cannot be asked for here",
                "decrypt it: `age --decrypt KEYFILE`",
            );
        }
        let mut found = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let identity: Option<Box<dyn age::Identity + Send + Sync>> =
                if line.starts_with("AGE-SECRET-KEY-PQ-1") {
                    HybridIdentity::parse(line).map(|i| Box::new(i) as _)
                } else if line.starts_with("AGE-SECRET-KEY-1") {
                    line.parse::<age::x25519::Identity>()
                        .ok()
                        .map(|i| Box::new(i) as _)
                } else if line.starts_with("AGE-PLUGIN-") {
                    return refused(
                        &format!(
                            "needs an age plugin (line {}), and no program is run here",
                            i + 1
                        ),
                        "use a key that lies in a file",
                    );
                } else if line.starts_with("age1") {
                    return refused(
                        &format!(
                            "holds a recipient (line {}), the public half of a key",
                            i + 1
                        ),
                        HELP,
                    );
                } else {
                    None
                };
            match identity {
                Some(identity) => found.push(identity),
                None => return refused(&format!("holds no age identity in line {}", i + 1), HELP),
            }
        }
        if found.is_empty() {
            return refused("holds no keys", HELP);
        }
        self.age.append(&mut found);
        Ok(())
    }

    /// Adds OpenPGP keys, armored or binary.
    ///
    /// # Errors
    ///
    /// `sops/key-file` where there is none, or a secret half is missing or
    /// has a passphrase.
    pub fn add_openpgp(&mut self, name: &str, content: &[u8]) -> Result<()> {
        const HELP: &str = "export it: `gpg --export-secret-keys --armor ID`";
        let refused_with = |why: &str, help: &str| {
            Err(Error::new("sops/key-file", format!("key file `{name}` {why}")).help(help))
        };
        let refused = |why: &str| refused_with(why, HELP);
        let mut found = Vec::new();
        let mut has_locked = false;
        let mut has_public = false;
        if let Ok(certs) = CertParser::from_bytes(content) {
            for cert in certs.flatten() {
                let has_open = cert.keys().unencrypted_secret().next().is_some();
                for key in cert.keys() {
                    if let Some(kind) = unsupported(key.key().mpis()) {
                        self.unsupported
                            .push(format!("OpenPGP key {} is {kind}", key.key().fingerprint()));
                    }
                }
                has_locked |= !has_open && cert.is_tsk();
                has_public |= !cert.is_tsk();
                if has_open {
                    found.push(cert);
                }
            }
        }
        if found.is_empty() {
            return if has_locked {
                refused_with(
                    "holds a secret key with a passphrase, which cannot be asked for here",
                    "take the passphrase off a copy (`gpg --edit-key ID passwd` with another \
                     GNUPGHOME), and export that: `gpg --export-secret-keys --armor ID`",
                )
            } else if has_public {
                refused("holds a public key alone; decryption takes the secret one")
            } else {
                refused("holds no OpenPGP key that can be read")
            };
        }
        self.openpgp.append(&mut found);
        Ok(())
    }

    /// Opens the data key of a file.
    ///
    /// # Errors
    ///
    /// `sops/key` where no key that is given opens enough of its parts; the
    /// message names the keys that would.
    pub(super) fn data_key(&self, metadata: &Metadata) -> Result<DataKey> {
        let parts: Vec<Zeroizing<Vec<u8>>> = metadata
            .groups
            .iter()
            .filter_map(|group| self.group(group))
            .collect();
        let key = if metadata.groups.len() > 1 {
            if parts.len() < metadata.threshold {
                return Err(self.missing(metadata, parts.len()));
            }
            shamir::combine(&parts)
        } else {
            parts.into_iter().next()
        };
        key.map(DataKey::new)
            .ok_or_else(|| self.missing(metadata, 0))
    }

    /// The part that a group of keys holds.
    fn group(&self, group: &[MasterKey]) -> Option<Zeroizing<Vec<u8>>> {
        let of = |kind| group.iter().filter(move |key| key.kind == kind);
        of(KeyKind::Age)
            .find_map(|key| self.open_age(&key.encrypted))
            .or_else(|| of(KeyKind::OpenPgp).find_map(|key| self.open_openpgp(&key.encrypted)))
    }

    fn open_age(&self, encrypted: &str) -> Option<Zeroizing<Vec<u8>>> {
        if self.age.is_empty() {
            return None;
        }
        let reader = ArmoredReader::new(encrypted.as_bytes());
        let decryptor = age::Decryptor::new_buffered(reader).ok()?;
        let identities = self.age.iter().map(|i| &**i as &dyn age::Identity);
        read_key(decryptor.decrypt(identities).ok()?)
    }

    fn open_openpgp(&self, encrypted: &str) -> Option<Zeroizing<Vec<u8>>> {
        if self.openpgp.is_empty() {
            return None;
        }
        let mut policy = StandardPolicy::new();
        // What a key asks to be written to is as old as the key.
        for cipher in SymmetricAlgorithm::variants() {
            policy.accept_symmetric_algo(cipher);
        }
        let helper = Helper {
            keys: &self.openpgp,
        };
        let decryptor = DecryptorBuilder::from_bytes(encrypted.trim().as_bytes())
            .ok()?
            .with_policy(&policy, std::time::UNIX_EPOCH, helper)
            .ok()?;
        read_key(decryptor)
    }

    /// The error that names the keys that would open a file.
    pub(super) fn missing(&self, metadata: &Metadata, opened: usize) -> Error {
        let keys: Vec<&MasterKey> = metadata.groups.iter().flatten().collect();
        let names: Vec<String> = keys
            .iter()
            .map(|key| format!("{} `{}`", key.kind.describe(), key.name))
            .collect();
        let mut message = if self.is_empty() {
            "no key is given to decrypt it".to_owned()
        } else {
            "none of the keys given decrypts it".to_owned()
        };
        if metadata.groups.len() > 1 {
            message = format!(
                "the keys given open {opened} of {} key groups, and it takes {} to decrypt it",
                metadata.groups.len(),
                metadata.threshold.max(2)
            );
        }
        message.push_str(&format!("; it is encrypted for {}", names.join(", ")));
        for reason in &self.unsupported {
            message.push_str(&format!("; {reason}, which is not supported"));
        }
        let has_local = keys.iter().any(|key| !key.kind.is_remote());
        let remote = keys.iter().find(|key| key.kind.is_remote());
        let error = Error::new("sops/key", message);
        match remote {
            Some(key) if !has_local => error.help(format!(
                "{} is a service and needs the network, which is never used here: add an age recipient \
                 to the file (`sops rotate --in-place --add-age age1… FILE`) and give its key",
                key.kind.describe()
            )),
            _ => error.help(
                "give a private key: `--age-key-file FILE`, `SOPS_AGE_KEY_FILE`, or `--pgp-key FILE`",
            ),
        }
    }
}

/// What kind of key it is, where the library cannot use it.
fn unsupported(key: &openpgp::crypto::mpi::PublicKey) -> Option<String> {
    use openpgp::crypto::mpi::PublicKey::{ECDH, ECDSA, EdDSA, ElGamal};
    match key {
        ECDH { curve, .. } | ECDSA { curve, .. } | EdDSA { curve, .. } => {
            (!curve.is_supported()).then(|| format!("on the curve {curve}"))
        }
        ElGamal { .. } => Some("an ElGamal key".to_owned()),
        _ => None,
    }
}

/// Reads a decrypted data key.
fn read_key(reader: impl std::io::Read) -> Option<Zeroizing<Vec<u8>>> {
    // All at once: a buffer that grows leaves copies behind.
    let capacity = usize::try_from(MAX_DATA_KEY_BYTES).ok()? + 1;
    let mut key = Zeroizing::new(Vec::with_capacity(capacity));
    reader.take(MAX_DATA_KEY_BYTES).read_to_end(&mut key).ok()?;
    (!key.is_empty()).then_some(key)
}

/// Opens OpenPGP messages with secret keys.
struct Helper<'a> {
    keys: &'a [Cert],
}

impl VerificationHelper for Helper<'_> {
    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, _: MessageStructure<'_>) -> openpgp::Result<()> {
        // Data keys are not signed: the digest of the file speaks for it.
        Ok(())
    }
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        packets: &[PKESK],
        _: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &openpgp::crypto::SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for packet in packets {
            let recipient = packet.recipient();
            for key in self.keys.iter().flat_map(|c| c.keys().unencrypted_secret()) {
                let key = key.key();
                // Without a recipient every key is tried.
                if recipient
                    .as_ref()
                    .is_some_and(|r| !r.aliases(key.key_handle()))
                {
                    continue;
                }
                let Ok(mut pair) = key.clone().into_keypair() else {
                    continue;
                };
                let opened = packet
                    .decrypt(&mut pair, algorithm)
                    .is_some_and(|(algorithm, session)| decrypt(algorithm, &session));
                if opened {
                    return Ok(None);
                }
            }
        }
        Err(openpgp::Error::MissingSessionKey("none of the keys fits".into()).into())
    }
}
