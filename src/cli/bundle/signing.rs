//! Keys that sign a bundle, as options.

use crate::bundle::{self, Bundle, Keys};
use crate::cli::read;
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
        let password = self.key_password.as_deref().map(read::password);
        let password = password.transpose()?;
        let password = password.as_deref();
        let mut keys = Keys::default();
        for name in &self.key {
            let file = read::key_file(name)?;
            keys.cosign.push(SigningKey::read(&file, password)?);
        }
        for name in &self.sign_pgp_key {
            let file = read::key_file(name)?;
            keys.openpgp.push(OpenPgpKey::read(&file, password, now)?);
        }
        bundle::sign(made, &keys)
    }
}
