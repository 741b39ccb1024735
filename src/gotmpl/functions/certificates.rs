//! Keys and certificates.
//!
//! Compat: sprig 3.3.0 `crypto.go`; what stands in a certificate, and in which
//! order, is what `x509.CreateCertificate` of Go 1.27 writes.

use std::any::Any;
use std::net::IpAddr;
use std::rc::Rc;

use rand_chacha::rand_core::RngCore as _;
use sha2::{Digest as _, Sha256};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::der::{self, tag};
use super::encodings::decode_base64;
use super::keys::Key;
use super::random::generator;
use crate::gotmpl::exec::{Context, Seed};
use crate::gotmpl::function::{
    Argument, CallError, CallResult, Function, Int, Returned, Type, function,
};
use crate::gotmpl::value::{Kind, List, Object, Operand, Text, Value};
use crate::yaml;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    function!("genPrivateKey", with gen_private_key(kind), "A private key in PEM: `rsa` (4096 bits), `ecdsa` (P-256), `ed25519` or `dsa`."),
    function!("genCA", with gen_ca(name, days), "The certificate of an authority, with the fields `Cert` and `Key`."),
    function!("genCAWithKey", with gen_ca_with_key(name, days, key), "As `genCA`, for a key in PEM."),
    function!("genSelfSignedCert", with gen_self_signed(name, ips, hosts, days), "A certificate that its own key signs."),
    function!("genSelfSignedCertWithKey", with gen_self_signed_with_key(name, ips, hosts, days, key), "As `genSelfSignedCert`, for a key in PEM."),
    function!("genSignedCert", with gen_signed(name, ips, hosts, days, authority), "A certificate that an authority signs."),
    function!("genSignedCertWithKey", with gen_signed_with_key(name, ips, hosts, days, authority, key), "As `genSignedCert`, for a key in PEM."),
    function!("buildCustomCert", with build_custom_cert(certificate, key), "A certificate and a key, both in base 64, as `genCA` gives them."),
];

/// Steps that making a key takes.
const RSA_2048_STEPS: u64 = 700_000;
const RSA_4096_STEPS: u64 = 6_000_000;
const DSA_STEPS: u64 = 12_000_000;
const OTHER_KEY_STEPS: u64 = 5_000;
/// Steps that a signature takes.
const SIGNATURE_STEPS: u64 = 20_000;

/// `sprig.certificate`
#[derive(Clone, Debug, Default)]
pub(super) struct Certificate {
    certificate: Text,
    key: Text,
}

const TYPE: &str = "sprig.certificate";

impl Argument for Certificate {
    const TYPE: Type = Type::Named(TYPE);

    fn from_operand(operand: Operand) -> Certificate {
        match operand.value {
            Value::Object(object) => {
                let certificate: Option<&Certificate> = object.as_any().downcast_ref();
                certificate.cloned().unwrap_or_default()
            }
            _ => Certificate::default(),
        }
    }
}

impl Returned for Certificate {
    const TYPE: Type = Type::Named(TYPE);

    fn into_value(self) -> CallResult {
        Ok(Value::Object(Rc::new(self)))
    }
}

impl Object for Certificate {
    fn type_name(&self) -> &'static str {
        TYPE
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(Value::Text(self.certificate.clone())),
            "Key" => Some(Value::Text(self.key.clone())),
            _ => None,
        }
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Cert", Value::Text(self.certificate.clone())),
            ("Key", Value::Text(self.key.clone())),
        ]
    }

    fn text(&self) -> String {
        format!("{{{} {}}}", self.certificate, self.key)
    }

    fn json(&self) -> yaml::Value {
        yaml::Value::Mapping(
            [
                (
                    "Cert".into(),
                    yaml::Value::String(self.certificate.to_shared()),
                ),
                ("Key".into(), yaml::Value::String(self.key.to_shared())),
            ]
            .into(),
        )
    }

    fn equals(&self, other: &dyn Object) -> bool {
        other
            .as_any()
            .downcast_ref::<Certificate>()
            .is_some_and(|o| o.certificate == self.certificate && o.key == self.key)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn gen_private_key(context: &mut Context<'_>, kind: Text) -> CallResult<String> {
    let failed = |e: String| format!("failed to generate private key: {e}");
    let name = "genPrivateKey";
    let key = match kind.as_bytes() {
        b"" | b"rsa" | b"dsa" if is_disturbance(context) => {
            Key::ed25519(&mut generator(context, name))
        }
        b"" | b"rsa" => {
            context.take_steps(RSA_4096_STEPS)?;
            let secret = has_secret_seed(context);
            Key::rsa(&mut generator(context, name), 4096, secret)
        }
        b"dsa" => {
            context.take_steps(DSA_STEPS)?;
            Key::dsa(&mut generator(context, name))
        }
        b"ecdsa" => {
            context.take_steps(OTHER_KEY_STEPS)?;
            Key::ecdsa(&mut generator(context, name))
        }
        b"ed25519" => {
            context.take_steps(OTHER_KEY_STEPS)?;
            Key::ed25519(&mut generator(context, name))
        }
        _ => return Ok(format!("Unknown type {kind}")),
    };
    Ok(key.to_pem().unwrap_or_else(failed))
}

/// What a certificate is to say.
struct Wanted {
    name: Text,
    ips: Vec<IpAddr>,
    hosts: Vec<String>,
    days: Int,
    is_authority: bool,
}

impl Wanted {
    fn new(name: Text, ips: &List, hosts: &List, days: Int) -> CallResult<Wanted> {
        let mut addresses = Vec::new();
        for ip in ips.to_vec() {
            let Value::Text(text) = &ip else {
                let shown = crate::gotmpl::print::shown(&ip);
                return Err(CallError::new(format!(
                    "error parsing ip: {shown} is not a string"
                )));
            };
            let address = text.to_str().parse();
            addresses
                .push(address.map_err(|_| CallError::new(format!("error parsing ip: {text}")))?);
        }
        let mut names = Vec::new();
        for host in hosts.to_vec() {
            match &host {
                Value::Text(text) => names.push(text.to_string()),
                other => {
                    let shown = crate::gotmpl::print::shown(other);
                    return Err(CallError::new(format!(
                        "error processing alternate dns name: {shown} is not a string"
                    )));
                }
            }
        }
        Ok(Wanted {
            name,
            ips: addresses,
            hosts: names,
            days,
            is_authority: false,
        })
    }
}

/// Who signs.
struct Issuer<'k> {
    /// The name, in DER; that of the certificate itself where it signs itself.
    name: Option<Vec<u8>>,
    /// The id of the issuer's key.
    key_id: Option<Vec<u8>>,
    key: &'k Key,
}

fn has_secret_seed(context: &Context<'_>) -> bool {
    matches!(context.machine.environment.world.seed, Seed::Secret(_))
}

/// Whether any key will do.
fn is_disturbance(context: &Context<'_>) -> bool {
    context.machine.environment.world.disturbance.is_some()
}

fn new_rsa_key(context: &mut Context<'_>, function: &'static str) -> CallResult<Key> {
    if is_disturbance(context) {
        return Ok(Key::ed25519(&mut generator(context, function)));
    }
    context.take_steps(RSA_2048_STEPS)?;
    let secret = has_secret_seed(context);
    Ok(Key::rsa(&mut generator(context, function), 2048, secret))
}

fn key_of(text: &Text) -> CallResult<Key> {
    Key::from_pem(&text.to_str()).map_err(|e| CallError::new(format!("parsing private key: {e}")))
}

fn gen_ca(context: &mut Context<'_>, name: Text, days: Int) -> CallResult<Certificate> {
    let key = new_rsa_key(context, "genCA")?;
    authority(context, "genCA", name, days, &key)
}

fn gen_ca_with_key(
    context: &mut Context<'_>,
    name: Text,
    days: Int,
    key: Text,
) -> CallResult<Certificate> {
    authority(context, "genCAWithKey", name, days, &key_of(&key)?)
}

fn authority(
    context: &mut Context<'_>,
    function: &'static str,
    name: Text,
    days: Int,
    key: &Key,
) -> CallResult<Certificate> {
    let wanted = Wanted {
        is_authority: true,
        ..Wanted::new(name, &List::default(), &List::default(), days)?
    };
    let issuer = Issuer {
        name: None,
        key_id: None,
        key,
    };
    certificate(context, function, &wanted, key, &issuer)
}

fn gen_self_signed(
    context: &mut Context<'_>,
    name: Text,
    ips: List,
    hosts: List,
    days: Int,
) -> CallResult<Certificate> {
    let wanted = Wanted::new(name, &ips, &hosts, days)?;
    let key = new_rsa_key(context, "genSelfSignedCert")?;
    self_signed(context, "genSelfSignedCert", &wanted, &key)
}

fn gen_self_signed_with_key(
    context: &mut Context<'_>,
    name: Text,
    ips: List,
    hosts: List,
    days: Int,
    key: Text,
) -> CallResult<Certificate> {
    let key = key_of(&key)?;
    let wanted = Wanted::new(name, &ips, &hosts, days)?;
    self_signed(context, "genSelfSignedCertWithKey", &wanted, &key)
}

fn self_signed(
    context: &mut Context<'_>,
    function: &'static str,
    wanted: &Wanted,
    key: &Key,
) -> CallResult<Certificate> {
    let issuer = Issuer {
        name: None,
        key_id: None,
        key,
    };
    certificate(context, function, wanted, key, &issuer)
}

fn gen_signed(
    context: &mut Context<'_>,
    name: Text,
    ips: List,
    hosts: List,
    days: Int,
    authority: Certificate,
) -> CallResult<Certificate> {
    let key = new_rsa_key(context, "genSignedCert")?;
    let wanted = Wanted::new(name, &ips, &hosts, days);
    signed(context, "genSignedCert", wanted, &authority, &key)
}

fn gen_signed_with_key(
    context: &mut Context<'_>,
    name: Text,
    ips: List,
    hosts: List,
    days: Int,
    authority: Certificate,
    key: Text,
) -> CallResult<Certificate> {
    let key = key_of(&key)?;
    let wanted = Wanted::new(name, &ips, &hosts, days);
    signed(context, "genSignedCertWithKey", wanted, &authority, &key)
}

fn signed(
    context: &mut Context<'_>,
    function: &'static str,
    wanted: CallResult<Wanted>,
    authority: &Certificate,
    key: &Key,
) -> CallResult<Certificate> {
    let Some((_, bytes)) = der::from_pem(&authority.certificate.to_str()) else {
        return Err(CallError::new("unable to decode certificate"));
    };
    let parsed = x509_cert::Certificate::from_der(&bytes).map_err(|e| {
        CallError::new(format!(
            "error parsing certificate: decodedSignerCert.Bytes: {e}"
        ))
    })?;
    let signer = Key::from_pem(&authority.key.to_str())
        .map_err(|e| CallError::new(format!("error parsing private key: {e}")))?;
    let wanted = wanted?;
    let creating = |e: String| CallError::new(format!("error creating certificate: {e}"));
    let public = parsed
        .tbs_certificate
        .subject_public_key_info
        .to_der()
        .map_err(|e| creating(e.to_string()))?;
    if signer.public().map_err(creating)?.info != public {
        return Err(creating(
            "x509: provided PrivateKey doesn't match parent's PublicKey".to_owned(),
        ));
    }
    let name = parsed.tbs_certificate.subject.to_der();
    let key_id = parsed.tbs_certificate.get::<SubjectKeyIdentifier>();
    let issuer = Issuer {
        name: Some(name.map_err(|e| creating(e.to_string()))?),
        key_id: match key_id {
            Ok(Some((_, id))) => Some(id.0.as_bytes().to_vec()),
            _ => None,
        },
        key: &signer,
    };
    certificate(context, function, &wanted, key, &issuer)
}

fn build_custom_cert(
    context: &mut Context<'_>,
    certificate: Text,
    key: Text,
) -> CallResult<Certificate> {
    context.take_bytes(certificate.len() + key.len())?;
    let decoded = |text: &Text, what: &str| {
        decode_base64(text.as_bytes())
            .map(Text::from)
            .map_err(|_| CallError::new(format!("unable to decode base64 {what}")))
    };
    let certificate = decoded(&certificate, "certificate")?;
    let key = decoded(&key, "private key")?;
    let Some((_, bytes)) = der::from_pem(&certificate.to_str()) else {
        return Err(CallError::new("unable to decode certificate"));
    };
    x509_cert::Certificate::from_der(&bytes).map_err(|e| {
        CallError::new(format!("error parsing certificate: decodedCert.Bytes: {e}"))
    })?;
    Key::from_pem(&key.to_str())
        .map_err(|e| CallError::new(format!("error parsing private key: {e}")))?;
    Ok(Certificate { certificate, key })
}

/// `2.5.4.3`, the common name.
const OID_COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// `2.5.29.*`, extensions.
const OID_SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const OID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const OID_ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const OID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const OID_AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// `1.3.6.1.5.5.7.3.*`, authentication of servers and clients.
const OID_SERVERS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
const OID_CLIENTS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

fn certificate(
    context: &mut Context<'_>,
    function: &'static str,
    wanted: &Wanted,
    key: &Key,
    issuer: &Issuer<'_>,
) -> CallResult<Certificate> {
    context.take_steps(SIGNATURE_STEPS)?;
    let creating = |e: String| CallError::new(format!("error creating certificate: {e}"));
    let public = key
        .public()
        .map_err(|e| CallError::new(format!("error retrieving public key from signee key: {e}")))?;
    let mut serial = [0; 16];
    generator(context, function).fill_bytes(&mut serial);
    let subject = name_of(&wanted.name);
    let from = i64::try_from(context.machine.environment.world.now_nanos / 1_000_000_000)
        .unwrap_or_default();
    // Compat: a duration is nanoseconds in 64 bits, and wraps.
    let nanoseconds = wanted.days.0.wrapping_mul(86_400_000_000_000);
    let to = from.wrapping_add(nanoseconds.div_euclid(1_000_000_000));
    let is_other = issuer.name.as_ref().is_some_and(|name| *name != subject);
    let authority_key = issuer.key_id.as_deref().filter(|_| is_other);
    let extensions = extensions(wanted, &public.bytes, authority_key).map_err(creating)?;
    let algorithm = issuer.key.signature_algorithm();
    let signed_part = der::sequence(&[
        der::value(0xa0, &der::integer(&[2])),
        der::integer(&serial),
        algorithm.clone(),
        issuer.name.clone().unwrap_or_else(|| subject.clone()),
        der::sequence(&[time(from), time(to)]),
        subject,
        public.info,
        der::value(0xa3, &extensions),
    ]);
    let signature = issuer.key.sign(&signed_part).map_err(creating)?;
    let whole = der::sequence(&[signed_part, algorithm, der::bits(&signature)]);
    let key = key
        .to_pem()
        .map_err(|e| CallError::new(format!("error pem-encoding key: {e}")))?;
    context.take_bytes(whole.len() * 2 + key.len())?;
    Ok(Certificate {
        certificate: der::to_pem("CERTIFICATE", &whole).into(),
        key: key.into(),
    })
}

/// A name of a common name alone; nothing where that is empty.
fn name_of(common_name: &Text) -> Vec<u8> {
    if common_name.is_empty() {
        return der::sequence(&[]);
    }
    let is_printable = |b: &u8| b.is_ascii_alphanumeric() || b"'()+,-./ :=?".contains(b);
    let kind = if common_name.as_bytes().iter().all(is_printable) {
        tag::PRINTABLE_STRING
    } else {
        tag::UTF8_STRING
    };
    let attribute = der::sequence(&[
        der::value(tag::OBJECT_ID, OID_COMMON_NAME),
        der::value(kind, common_name.to_str().as_bytes()),
    ]);
    der::sequence(&[der::nested(tag::SET, &[attribute])])
}

/// A time: with two digits of the year where that is allowed.
fn time(seconds: i64) -> Vec<u8> {
    let (year, month, day) = civil_date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if (1950..2050).contains(&year) {
        let text = format!("{:02}{rest}", year % 100);
        der::value(tag::UTC_TIME, text.as_bytes())
    } else {
        der::value(tag::GENERALIZED_TIME, format!("{year:04}{rest}").as_bytes())
    }
}

/// The date of a number of days after 1970-01-01.
fn civil_date(days: i64) -> (i64, i64, i64) {
    // Years begin in March here, so that the odd day is the last of one.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn extensions(
    wanted: &Wanted,
    public_key: &[u8],
    authority_key: Option<&[u8]>,
) -> Result<Vec<u8>, String> {
    let extension = |oid: &[u8], critical: bool, content: &[u8]| {
        let mut parts = vec![der::value(tag::OBJECT_ID, oid)];
        if critical {
            parts.push(der::value(tag::BOOLEAN, &[0xff]));
        }
        parts.push(der::value(tag::OCTET_STRING, content));
        der::sequence(&parts)
    };
    // Signatures and encipherment of keys; for authorities also of
    // certificates.
    let usage: &[u8] = if wanted.is_authority {
        &[2, 0b1010_0100]
    } else {
        &[5, 0b1010_0000]
    };
    let uses = [OID_SERVERS, OID_CLIENTS].map(|oid| der::value(tag::OBJECT_ID, oid));
    let constraints = if wanted.is_authority {
        vec![der::value(tag::BOOLEAN, &[0xff])]
    } else {
        Vec::new()
    };
    let mut extensions = vec![
        extension(OID_KEY_USAGE, true, &der::value(tag::BIT_STRING, usage)),
        extension(OID_EXTENDED_KEY_USAGE, false, &der::sequence(&uses)),
        extension(OID_BASIC_CONSTRAINTS, true, &der::sequence(&constraints)),
    ];
    if wanted.is_authority {
        let id = Sha256::digest(public_key);
        let id = der::value(tag::OCTET_STRING, id.get(..20).unwrap_or_default());
        extensions.push(extension(OID_SUBJECT_KEY_ID, false, &id));
    }
    if let Some(id) = authority_key {
        let id = der::sequence(&[der::value(0x80, id)]);
        extensions.push(extension(OID_AUTHORITY_KEY_ID, false, &id));
    }
    let names = alternative_names(wanted)?;
    if !names.is_empty() {
        let is_critical = wanted.name.is_empty();
        let names = der::sequence(&names);
        extensions.push(extension(OID_ALTERNATIVE_NAMES, is_critical, &names));
    }
    Ok(der::sequence(&extensions))
}

fn alternative_names(wanted: &Wanted) -> Result<Vec<Vec<u8>>, String> {
    let mut names = Vec::new();
    for host in &wanted.hosts {
        if !host.is_ascii() {
            let shown = crate::gostd::strconv::quote(host);
            return Err(format!("x509: {shown} cannot be encoded as an IA5String"));
        }
        names.push(der::value(0x82, host.as_bytes()));
    }
    for ip in &wanted.ips {
        names.push(match ip.to_canonical() {
            IpAddr::V4(ip) => der::value(0x87, &ip.octets()),
            IpAddr::V6(ip) => der::value(0x87, &ip.octets()),
        });
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(19_782), (2024, 2, 29));
        assert_eq!(civil_date(-719_468), (0, 3, 1));
        assert_eq!(time(0), der::value(tag::UTC_TIME, b"700101000000Z"));
        let far = time(2_524_608_000);
        assert_eq!(far, der::value(tag::GENERALIZED_TIME, b"20500101000000Z"));
    }
}
