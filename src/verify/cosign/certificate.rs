//! Certificates: who they are for, and whether an authority vouches for it.

use der::asn1::{ObjectIdentifier, Utf8StringRef};
use der::{Decode as _, Encode as _};
use x509_cert::Certificate as X509;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::verify::publickey::{Hash, PublicKey};
use crate::verify::refuse;

const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
/// The list of signed certificate timestamps.
pub(super) const TIMESTAMPS: &str = "1.3.6.1.4.1.11129.2.4.2";
/// The issuer of the identity: as a DER string, and bare.
const ISSUER: &str = "1.3.6.1.4.1.57264.1.8";
const ISSUER_BARE: &str = "1.3.6.1.4.1.57264.1.1";
/// An identity that is neither an address nor a URI.
const OTHER_NAME: &str = "1.3.6.1.4.1.57264.1.7";

/// How many certificates a chain may have.
const MAX_CHAIN: usize = 8;

/// What a certificate is used for here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    CodeSigning,
    TimeStamping,
}

impl Purpose {
    fn oid(self) -> &'static str {
        match self {
            Purpose::CodeSigning => "1.3.6.1.5.5.7.3.3",
            Purpose::TimeStamping => "1.3.6.1.5.5.7.3.8",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Purpose::CodeSigning => "signing code",
            Purpose::TimeStamping => "timestamps",
        }
    }
}

/// A certificate.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) x509: X509,
    der: Vec<u8>,
    key: PublicKey,
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Certificate) -> bool {
        self.der == other.der
    }
}

impl Certificate {
    pub(super) fn from_der(der: &[u8]) -> Result<Certificate> {
        let x509 = X509::from_der(der).map_err(|_| malformed("it cannot be read"))?;
        let spki = x509.tbs_certificate.subject_public_key_info.to_der();
        let key = PublicKey::from_spki(&spki.map_err(|_| malformed("its key cannot be read"))?)?;
        Ok(Certificate {
            x509,
            der: der.to_vec(),
            key,
        })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The key in DER form.
    pub(super) fn spki(&self) -> Vec<u8> {
        let info = &self.x509.tbs_certificate.subject_public_key_info;
        info.to_der().unwrap_or_default()
    }

    fn extension(&self, oid: &str) -> Option<&Extension> {
        let extensions = self.x509.tbs_certificate.extensions.as_ref()?;
        extensions.iter().find(|e| is(&e.extn_id, oid))
    }

    pub(super) fn extension_value(&self, oid: &str) -> Option<&[u8]> {
        self.extension(oid).map(|e| e.extn_value.as_bytes())
    }

    /// The identities that the certificate is for.
    pub(super) fn identities(&self) -> Vec<String> {
        let Some(value) = self.extension_value(SUBJECT_ALT_NAME) else {
            return Vec::new();
        };
        let Ok(names) = SubjectAltName::from_der(value) else {
            return Vec::new();
        };
        names
            .0
            .iter()
            .filter_map(|name| match name {
                GeneralName::Rfc822Name(name) => Some(name.to_string()),
                GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
                GeneralName::OtherName(other) if is(&other.type_id, OTHER_NAME) => other
                    .value
                    .decode_as::<Utf8StringRef<'_>>()
                    .ok()
                    .map(|s| s.to_string()),
                _ => None,
            })
            .collect()
    }

    /// Who vouched for the identity.
    pub(super) fn issuer(&self) -> Option<String> {
        if let Some(value) = self.extension_value(ISSUER) {
            return Utf8StringRef::from_der(value).ok().map(|s| s.to_string());
        }
        let value = self.extension_value(ISSUER_BARE)?;
        std::str::from_utf8(value).ok().map(str::to_owned)
    }

    /// Whether it is valid at a point in time.
    pub(super) fn check_time(&self, time: Moment) -> Result<()> {
        let validity = &self.x509.tbs_certificate.validity;
        let from = Moment::from(validity.not_before.to_system_time());
        let until = Moment::from(validity.not_after.to_system_time());
        if time < from || until < time {
            return Err(refuse(
                "trust/expired",
                format!(
                    "the certificate is valid from {from} to {until}, and the signature is of {time}: it has expired, or was not yet valid"
                ),
                "sign again",
            ));
        }
        Ok(())
    }

    fn is_authority(&self) -> bool {
        let is_ca = self
            .extension_value(BASIC_CONSTRAINTS)
            .and_then(|v| BasicConstraints::from_der(v).ok())
            .is_some_and(|c| c.ca);
        // Without the extension, a key may be used for anything.
        let may_sign = self
            .extension_value(KEY_USAGE)
            .is_none_or(|v| KeyUsage::from_der(v).is_ok_and(|u| u.key_cert_sign()));
        is_ca && may_sign
    }

    /// How many authorities may stand below this one.
    fn path_length(&self) -> Option<u8> {
        let value = self.extension_value(BASIC_CONSTRAINTS)?;
        BasicConstraints::from_der(value).ok()?.path_len_constraint
    }

    fn check_purpose(&self, purpose: Purpose) -> Result<()> {
        let uses = self
            .extension_value(EXTENDED_KEY_USAGE)
            .and_then(|v| ExtendedKeyUsage::from_der(v).ok());
        if uses.is_none_or(|u| !u.0.iter().any(|oid| is(oid, purpose.oid()))) {
            return Err(refuse(
                "trust/key-usage",
                format!("the certificate is not for {}", purpose.describe()),
                "take a certificate of a Sigstore authority",
            ));
        }
        let may_sign = self
            .extension_value(KEY_USAGE)
            .is_none_or(|v| KeyUsage::from_der(v).is_ok_and(|u| u.digital_signature()));
        if !may_sign {
            return Err(refuse(
                "trust/key-usage",
                "the certificate's key may not sign",
                "take a certificate of a Sigstore authority",
            ));
        }
        Ok(())
    }

    /// Refuses demands of a certificate that are not known here.
    fn check_critical(&self) -> Result<()> {
        const KNOWN: [&str; 4] = [
            SUBJECT_ALT_NAME,
            BASIC_CONSTRAINTS,
            KEY_USAGE,
            EXTENDED_KEY_USAGE,
        ];
        let extensions = self.x509.tbs_certificate.extensions.iter().flatten();
        for extension in extensions.filter(|e| e.critical) {
            if !KNOWN.iter().any(|known| is(&extension.extn_id, known)) {
                return Err(refuse(
                    "trust/unsupported",
                    format!(
                        "the certificate has the critical extension {}, which is not supported",
                        extension.extn_id
                    ),
                    "take a certificate of a Sigstore authority",
                ));
            }
        }
        Ok(())
    }

    /// Whether another certificate's key signed this one.
    fn is_signed_by(&self, issuer: &Certificate) -> bool {
        let Some(signature) = self.x509.signature.as_bytes() else {
            return false;
        };
        let hash = match self.x509.signature_algorithm.oid.to_string().as_str() {
            "1.2.840.10045.4.3.2" | "1.2.840.113549.1.1.11" | "1.3.101.112" => Hash::Sha256,
            "1.2.840.10045.4.3.3" | "1.2.840.113549.1.1.12" => Hash::Sha384,
            "1.2.840.10045.4.3.4" | "1.2.840.113549.1.1.13" => Hash::Sha512,
            _ => return false,
        };
        // The inner name of the algorithm is what is signed.
        if self.x509.tbs_certificate.signature != self.x509.signature_algorithm {
            return false;
        }
        self.x509
            .tbs_certificate
            .to_der()
            .is_ok_and(|signed| issuer.key.holds_with(hash, &signed, signature))
    }
}

/// Finds the way from a certificate to a root.
///
/// `authority` is the chain of a trusted authority, its root last; `offered`
/// are further certificates that may stand between. Gives the certificate and
/// those above it.
///
/// # Errors
///
/// `trust/chain` where there is no way, and what is wrong with certificates on
/// it at this time.
pub(super) fn chain(
    leaf: &Certificate,
    authority: &[Certificate],
    offered: &[Certificate],
    time: Moment,
    purpose: Purpose,
) -> Result<Vec<Certificate>> {
    leaf.check_critical()?;
    leaf.check_purpose(purpose)?;
    leaf.check_time(time)?;
    let Some(root) = authority.last() else {
        return Err(no_way());
    };
    let mut way = vec![leaf.clone()];
    while let Some(last) = way.last() {
        if way.len() > MAX_CHAIN {
            return Err(no_way());
        }
        if last == root {
            return Ok(way);
        }
        let name = &last.x509.tbs_certificate.issuer;
        let above = authority
            .iter()
            .chain(offered)
            .find(|c| {
                c.x509.tbs_certificate.subject == *name
                    && c.is_authority()
                    && !way.contains(c)
                    && last.is_signed_by(c)
            })
            .ok_or_else(no_way)?;
        above.check_critical()?;
        above.check_time(time)?;
        // The leaf does not count among those below.
        if above
            .path_length()
            .is_some_and(|most| way.len() - 1 > usize::from(most))
        {
            return Err(no_way());
        }
        way.push(above.clone());
    }
    Err(no_way())
}

fn no_way() -> Error {
    refuse(
        "trust/chain",
        "the certificate is not signed by an authority of the trust root",
        "give the trust root of the authority that issued it: `--trust-root FILE`",
    )
}

fn malformed(why: &str) -> Error {
    refuse(
        "trust/bad-signature",
        format!("the certificate is malformed: {why}"),
        "sign again",
    )
}

fn is(oid: &ObjectIdentifier, text: &str) -> bool {
    ObjectIdentifier::new(text).is_ok_and(|other| other == *oid)
}
