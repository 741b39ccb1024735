//! Provenance files of Helm charts: what `helm package --sign` writes beside
//! an archive.
//!
//! A provenance file is a text, signed in clear: the chart's metadata, then
//! the digest of the archive under its file name. The text that counts is the
//! one between the marks of the signature, and nothing around it.

use sha2::{Digest as _, Sha256};

use super::openpgp::{Keyring, read_signature};
use super::{KeyFile, MAX_KEY_FILE_BYTES, Proof, refuse};
use crate::diag::{Error, Result, Span};
use crate::gostd::moment::Moment;
use crate::yaml;

/// Verifies a chart archive by its provenance file.
///
/// `file_name` is the archive's name without folders: the digest is looked up
/// by it. The keyring may be armored or binary.
///
/// # Errors
///
/// A refusal.
pub fn verify(
    archive: &[u8],
    file_name: &str,
    provenance: &[u8],
    keyring: &KeyFile,
    now: Moment,
) -> Result<Proof> {
    let digest = hex::encode(Sha256::digest(archive));
    let signed = ClearSigned::parse(provenance)?;
    let signer = signed_by(&signed, keyring, now)?;
    let listed = listed_digest(&signed.text, file_name)?;
    if listed != format!("sha256:{digest}") {
        return Err(refuse(
            "trust/digest",
            format!(
                "the archive does not match its provenance: it has the digest `sha256:{digest}`, \
                 and {signer} signed `{listed}` for `{file_name}`"
            ),
            "the archive was changed after it was signed: do not trust it",
        ));
    }
    Ok(Proof {
        subject: format!("chart {file_name} (sha256:{digest})"),
        signer,
    })
}

fn signed_by(signed: &ClearSigned, keyring: &KeyFile, now: Moment) -> Result<super::Signer> {
    let mut keys = Keyring::default();
    if keyring.content.len() > MAX_KEY_FILE_BYTES {
        return Err(refuse(
            "trust/key-file",
            format!(
                "keyring `{}` is larger than {} MiB",
                keyring.name,
                MAX_KEY_FILE_BYTES >> 20
            ),
            "give a keyring of the keys that may sign, and no others",
        ));
    }
    keys.add_any(&keyring.name, &keyring.content)?;
    let signature = read_signature(&signed.signature)?;
    keys.verify(&signature, &signed.hashed, now)
}

/// The digest that the signed text lists for a file.
fn listed_digest(text: &str, file_name: &str) -> Result<String> {
    let malformed = |why: &str| {
        refuse(
            "trust/digest",
            format!("the provenance is malformed: {why}"),
            "sign the chart again: `helm package --sign`",
        )
    };
    // Compat: helm's ParseMessageBlock: the second part, and no other, counts.
    let Some(list) = text.split("\n...\n").nth(1) else {
        return Err(malformed("its list of files and digests is missing"));
    };
    let list = yaml::parse_one(list, Span::NONE.file)
        .and_then(|node| match node {
            Some(node) => yaml::decode(&node, yaml::resolve::Version::V3),
            None => Ok(yaml::Value::Null),
        })
        .map_err(|e| malformed(&e.to_string()))?;
    let digest = list
        .get("files")
        .and_then(|files| files.get(file_name))
        .and_then(yaml::Value::as_str);
    digest.map(str::to_owned).ok_or_else(|| {
        refuse(
            "trust/digest",
            format!("the provenance lists no digest for a file named `{file_name}`: it is of another archive, or the archive was renamed"),
            "give the archive the name that it was signed under",
        )
    })
}

/// A text signed in clear, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct ClearSigned {
    /// The text as it is meant, dash escapes undone.
    text: String,
    /// What the signature is over: CR LF between lines, blanks at their ends
    /// gone.
    hashed: Vec<u8>,
    /// The armored signature.
    signature: Vec<u8>,
}

impl ClearSigned {
    /// Takes apart the first signed text of a file.
    ///
    /// Compat: go-crypto/openpgp/clearsign: no headers but `Hash`.
    fn parse(content: &[u8]) -> Result<ClearSigned> {
        const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
        const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
        if content.trim_ascii().is_empty() {
            return Err(malformed("it is empty"));
        }
        let text = std::str::from_utf8(content).map_err(|_| malformed("it is no text"))?;
        let mut lines = text.lines();
        if !lines.by_ref().any(|line| line == BEGIN) {
            return Err(malformed("its signed text is missing"));
        }
        for line in lines.by_ref() {
            if line.trim().is_empty() {
                break;
            }
            let is_hash = line
                .split_once(':')
                .is_some_and(|(name, _)| name.trim() == "Hash");
            if !is_hash {
                return Err(malformed("it has a header that is not allowed"));
            }
        }
        let mut signed = ClearSigned {
            text: String::new(),
            hashed: Vec::new(),
            signature: Vec::new(),
        };
        let mut is_first = true;
        for line in lines.by_ref() {
            if line == SIGNATURE {
                signed.signature.extend_from_slice(line.as_bytes());
                break;
            }
            if !is_first {
                signed.text.push('\n');
                signed.hashed.extend_from_slice(b"\r\n");
            }
            is_first = false;
            let line = line
                .strip_prefix("- ")
                .unwrap_or(line)
                .trim_end_matches([' ', '\t']);
            signed.text.push_str(line);
            signed.hashed.extend_from_slice(line.as_bytes());
        }
        if signed.signature.is_empty() {
            return Err(malformed("its signature is missing"));
        }
        for line in lines {
            signed.signature.push(b'\n');
            signed.signature.extend_from_slice(line.as_bytes());
            if line.starts_with("-----END PGP SIGNATURE-----") {
                signed.signature.push(b'\n');
                return Ok(signed);
            }
        }
        Err(malformed("its signature is cut off"))
    }
}

fn malformed(why: &str) -> Error {
    refuse(
        "trust/bad-signature",
        format!("the provenance file is malformed: {why}"),
        "sign the chart again: `helm package --sign`",
    )
}

/// The refusal of a chart that has no provenance file.
pub fn missing(path: &str) -> Error {
    refuse(
        "trust/unsigned",
        format!("no provenance file: `{path}` not found"),
        "the chart is not signed: fetch it with `helm pull --prov`, or sign it with `helm package --sign`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(body: &str) -> String {
        format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{body}\n-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
        )
    }

    #[test]
    fn a_text_signed_in_clear() {
        let signed = ClearSigned::parse(file("a: b  \n- - x\n\n...\n").as_bytes()).unwrap();
        assert_eq!(signed.text, "a: b\n- x\n\n...\n");
        assert_eq!(signed.hashed, b"a: b\r\n- x\r\n\r\n...\r\n");
        assert_eq!(
            signed.signature,
            b"-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"
        );
        let dos = file("a: b").replace('\n', "\r\n");
        let signed = ClearSigned::parse(dos.as_bytes()).unwrap();
        assert_eq!(
            (signed.text.as_str(), signed.hashed.as_slice()),
            ("a: b", &b"a: b"[..])
        );
    }

    #[test]
    fn what_is_around_the_signed_text_does_not_count() {
        let whole = file("in");
        let around = format!("files: {{}}\n{whole}after\n");
        let signed = ClearSigned::parse(around.as_bytes()).unwrap();
        assert_eq!(signed.text, "in");
    }

    #[test]
    fn malformed_files_say_why() {
        let whole = file("a: b");
        for (content, why) in [
            (String::new(), "it is empty"),
            ("hello".to_owned(), "its signed text is missing"),
            (
                whole.replace("Hash", "Comment"),
                "it has a header that is not allowed",
            ),
            (
                whole.replace("-----BEGIN PGP SIGNATURE", ""),
                "its signature is missing",
            ),
            (whole.replace("-----END", ""), "its signature is cut off"),
        ] {
            let error = ClearSigned::parse(content.as_bytes()).unwrap_err();
            assert_eq!(error.rule(), "trust/bad-signature");
            assert_eq!(
                error.message(),
                format!("the provenance file is malformed: {why}")
            );
            assert!(error.help_text().is_some());
        }
    }

    #[test]
    fn the_digest_is_looked_up_by_name() {
        let text = "name: web\n\n...\nfiles:\n  web-1.0.0.tgz: sha256:ab\n";
        assert_eq!(listed_digest(text, "web-1.0.0.tgz").unwrap(), "sha256:ab");
        for (text, name) in [
            (text, "web-2.0.0.tgz"),
            ("files:\n  web-1.0.0.tgz: sha256:ab\n", "web-1.0.0.tgz"),
            ("a\n...\nfiles: {web-1.0.0.tgz: 1}\n", "web-1.0.0.tgz"),
            ("a\n...\nfiles: {x: a, x: b}\n", "x"),
        ] {
            assert_eq!(
                listed_digest(text, name).unwrap_err().rule(),
                "trust/digest"
            );
        }
    }
}
