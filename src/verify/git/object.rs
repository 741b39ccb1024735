//! What is signed in a commit or a tag, and the signature over it.

use super::refuse;
use crate::diag::Result;

/// What a signature is made with, as its first line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An OpenPGP key.
    OpenPgp,
    /// An SSH key.
    Ssh,
    /// A certificate, by S/MIME.
    X509,
    /// None of these.
    Unknown,
}

/// A commit or tag, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// What the signature is over.
    pub payload: Vec<u8>,
    /// The signature, armored; empty where there is none.
    pub signature: Vec<u8>,
    /// The kind of signature; none where there is none.
    pub format: Option<Format>,
}

/// The first line of signatures, as Git knows them.
const MARKS: [(&[u8], Format); 4] = [
    (b"-----BEGIN PGP SIGNATURE-----", Format::OpenPgp),
    (b"-----BEGIN PGP MESSAGE-----", Format::OpenPgp),
    (b"-----BEGIN SSH SIGNATURE-----", Format::Ssh),
    (b"-----BEGIN SIGNED MESSAGE-----", Format::X509),
];

fn format_of(text: &[u8]) -> Option<Format> {
    MARKS
        .iter()
        .find(|(mark, _)| text.starts_with(mark))
        .map(|(_, format)| *format)
}

impl Signed {
    /// Takes the signature out of a commit's headers.
    ///
    /// Compat: git's commit.c leaves every header that begins with `gpgsig`
    /// out of what is signed, and asks for `gpgsig-sha256` in SHA-256
    /// repositories.
    ///
    /// # Errors
    ///
    /// `trust/bad-signature` for a commit with more than one: Git and Flux
    /// look at the first alone, and whoever reads the others is misled.
    pub fn of_commit(content: &[u8], is_sha256: bool) -> Result<Signed> {
        let wanted: &[u8] = if is_sha256 {
            b"gpgsig-sha256"
        } else {
            b"gpgsig"
        };
        let mut payload = Vec::with_capacity(content.len());
        let mut signature = Vec::new();
        let mut count = 0;
        // What the lines that begin with a blank go on with.
        enum Header {
            Wanted,
            Other,
            Signed,
        }
        let mut current = Header::Signed;
        let mut rest = content;
        while !rest.is_empty() && rest.first() != Some(&b'\n') {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            if line.first() != Some(&b' ') {
                let value = line.strip_prefix(wanted).and_then(|l| l.strip_prefix(b" "));
                current = if let Some(value) = value {
                    count += 1;
                    signature.extend_from_slice(value);
                    Header::Wanted
                } else if line.starts_with(b"gpgsig") {
                    Header::Other
                } else {
                    payload.extend_from_slice(line);
                    Header::Signed
                };
                continue;
            }
            match current {
                Header::Wanted => signature.extend_from_slice(line.get(1..).unwrap_or_default()),
                Header::Other => {}
                Header::Signed => payload.extend_from_slice(line),
            }
        }
        payload.extend_from_slice(rest);
        if count > 1 {
            return Err(refuse(
                "trust/bad-signature",
                format!("it holds {count} signatures, more than one"),
                "sign the commit anew: `git commit --amend --gpg-sign`",
            ));
        }
        let signature = signature.trim_ascii().to_vec();
        let format =
            (!signature.is_empty()).then(|| format_of(&signature).unwrap_or(Format::Unknown));
        Ok(Signed {
            payload,
            signature,
            format,
        })
    }

    /// Takes the signature off the end of a tag.
    ///
    /// Compat: git's tag.c and gpg-interface.c: it begins with the last line
    /// that is the first line of a signature. Headers that begin with
    /// `gpgsig`, signatures for the other hash, are not signed.
    pub fn of_tag(content: &[u8]) -> Signed {
        let mut start = None;
        let mut at = 0;
        while let Some(rest) = content.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(format) = format_of(rest) {
                start = Some((at, format));
            }
            at += memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
        }
        let (end, format) = match start {
            Some((at, format)) => (at, Some(format)),
            None => (content.len(), None),
        };
        let (signed, signature) = content.split_at(end);
        let mut payload = Vec::with_capacity(signed.len());
        let mut rest = signed;
        let mut is_left_out = false;
        while !rest.is_empty() && rest.first() != Some(&b'\n') {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            is_left_out = match line.first() {
                Some(b' ') => is_left_out,
                _ => line.starts_with(b"gpgsig"),
            };
            if !is_left_out {
                payload.extend_from_slice(line);
            }
        }
        payload.extend_from_slice(rest);
        Signed {
            payload,
            signature: signature.trim_ascii().to_vec(),
            format,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_without_its_signature() {
        let commit = b"tree 1\nparent 2\nauthor A\ngpgsig -----BEGIN SSH SIGNATURE-----\n AAAA\n \n -----END SSH SIGNATURE-----\nencoding x\n\nmessage\ngpgsig no header\n";
        let signed = Signed::of_commit(commit, false).unwrap();
        assert_eq!(
            signed.payload,
            b"tree 1\nparent 2\nauthor A\nencoding x\n\nmessage\ngpgsig no header\n"
        );
        assert_eq!(
            signed.signature,
            b"-----BEGIN SSH SIGNATURE-----\nAAAA\n\n-----END SSH SIGNATURE-----"
        );
        assert_eq!(signed.format, Some(Format::Ssh));
    }

    #[test]
    fn the_signature_for_the_other_hash_is_not_signed() {
        let commit = b"tree 1\ngpgsig a\n b\ngpgsig-sha256 c\n d\nauthor A\n\nm";
        let sha1 = Signed::of_commit(commit, false).unwrap();
        assert_eq!(sha1.signature, b"a\nb");
        assert_eq!(sha1.payload, b"tree 1\nauthor A\n\nm");
        let sha256 = Signed::of_commit(commit, true).unwrap();
        assert_eq!(sha256.signature, b"c\nd");
        assert_eq!(sha256.payload, sha1.payload);
    }

    #[test]
    fn two_signatures_are_refused() {
        let commit = b"tree 1\ngpgsig a\nauthor A\ngpgsig b\n\nm";
        let error = Signed::of_commit(commit, false).unwrap_err();
        assert_eq!(error.rule(), "trust/bad-signature");
        assert_eq!(error.message(), "it holds 2 signatures, more than one");
    }

    #[test]
    fn unsigned_objects_are_all_payload() {
        for content in [&b"tree 1\n\nm\n"[..], b"", b"\n", b"tree 1"] {
            let commit = Signed::of_commit(content, false).unwrap();
            assert_eq!((commit.payload.as_slice(), commit.format), (content, None));
            let tag = Signed::of_tag(content);
            assert_eq!((tag.payload.as_slice(), tag.format), (content, None));
        }
    }

    #[test]
    fn a_tag_ends_at_the_last_signature() {
        let tag = b"object 1\ntype commit\ntag v1\ngpgsig-sha256 a\n b\ntagger T\n\ntext\n-----BEGIN PGP SIGNATURE-----\nfirst\n-----BEGIN SSH SIGNATURE-----\nsecond\n";
        let signed = Signed::of_tag(tag);
        assert_eq!(signed.format, Some(Format::Ssh));
        assert_eq!(signed.signature, b"-----BEGIN SSH SIGNATURE-----\nsecond");
        assert_eq!(
            signed.payload,
            b"object 1\ntype commit\ntag v1\ntagger T\n\ntext\n-----BEGIN PGP SIGNATURE-----\nfirst\n"
        );
    }
}
