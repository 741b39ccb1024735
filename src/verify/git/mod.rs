//! Signatures of commits and tags, as GitRepository `spec.verify` asks for
//! them, and of every commit between two.

mod object;

pub use object::{Format, Signed};

use rayon::prelude::*;

use super::{Keys, Proof, refuse};
use crate::artifact::git::{Checkout, GitRepository, ObjectId, ObjectKind};
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;

/// What must be signed: `spec.verify.mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The commit that is checked out.
    #[default]
    Head,
    /// The tag that names it.
    Tag,
    /// Both.
    TagAndHead,
}

impl Mode {
    /// Reads a mode as it is written in a GitRepository.
    ///
    /// # Errors
    ///
    /// `trust/mode` for any other word.
    pub fn parse(text: &str) -> Result<Mode> {
        match text {
            // Compat: `head` is the spelling of API versions before v1.
            "HEAD" | "head" => Ok(Mode::Head),
            "Tag" => Ok(Mode::Tag),
            "TagAndHEAD" => Ok(Mode::TagAndHead),
            _ => {
                let known = ["HEAD", "Tag", "TagAndHEAD"];
                let help = match crate::diag::nearest(text, known) {
                    Some(near) => format!("write `{near}`"),
                    None => "supported are `HEAD`, `Tag` and `TagAndHEAD`".to_owned(),
                };
                Err(refuse(
                    "trust/mode",
                    format!("unsupported verification mode `{text}`"),
                    &help,
                ))
            }
        }
    }

    fn wants_tag(self) -> bool {
        self != Mode::Head
    }

    fn wants_head(self) -> bool {
        self != Mode::Tag
    }
}

/// Verifies what is checked out: the tag first, then the commit.
///
/// # Errors
///
/// A refusal, or what the repository cannot give.
pub fn verify(
    repository: &GitRepository,
    checkout: &Checkout,
    mode: Mode,
    keys: &Keys,
    now: Moment,
) -> Result<Vec<Proof>> {
    let mut proofs = Vec::new();
    if mode.wants_tag() {
        let Some(tag) = &checkout.tag else {
            return Err(refuse(
                "trust/mode",
                "this mode verifies a tag, but the reference names no tag",
                "refer to a tag, a range of versions or a name `refs/tags/…`, or verify `HEAD`",
            ));
        };
        let (kind, content) = repository.read(tag.target)?;
        if kind != ObjectKind::Tag {
            return Err(refuse(
                "trust/unsigned",
                format!("tag `{}` is not signed: it is a lightweight tag", tag.name),
                "sign the tag: `git tag --sign`; or verify `HEAD`, the commit that it names",
            ));
        }
        let subject = format!("tag {} ({})", tag.name, tag.target);
        let signed = Signed::of_tag(&content);
        let signer = verify_signed(&signed, keys, now).map_err(|e| e.context(subject.clone()))?;
        // A signature of one release must not pass for another.
        let named = crate::artifact::git::header(&content, "tag").unwrap_or_default();
        if named != tag.name {
            return Err(refuse(
                "trust/bad-signature",
                format!(
                    "reference `refs/tags/{}` leads to the signed tag `{named}`, which is another: \
                     the names do not match",
                    tag.name
                ),
                "make the tag anew under its own name",
            ));
        }
        proofs.push(Proof { subject, signer });
    }
    if mode.wants_head() {
        let (_, content) = repository.read(checkout.commit)?;
        proofs.push(verify_commit(checkout.commit, &content, keys, now)?);
    }
    Ok(proofs)
}

/// Verifies every commit in the history of `head` that is not in that of
/// `base`; the proofs are in order from new to old.
///
/// # Errors
///
/// For each commit that is not enough, its refusal; what the repository
/// cannot give.
pub fn verify_range(
    repository: &GitRepository,
    base: ObjectId,
    head: ObjectId,
    keys: &Keys,
    now: Moment,
) -> std::result::Result<Vec<Proof>, Vec<Error>> {
    let commits = repository.range(base, head).map_err(|e| vec![e])?;
    let checked: Vec<Result<Proof>> = commits
        .par_iter()
        .map(|(id, content)| verify_commit(*id, content, keys, now))
        .collect();
    let mut proofs = Vec::with_capacity(checked.len());
    let mut errors = Vec::new();
    for result in checked {
        match result {
            Ok(proof) => proofs.push(proof),
            Err(e) => errors.push(e),
        }
    }
    if errors.is_empty() {
        Ok(proofs)
    } else {
        Err(errors)
    }
}

fn verify_commit(id: ObjectId, content: &[u8], keys: &Keys, now: Moment) -> Result<Proof> {
    let subject = format!("commit {id}");
    let is_sha256 = subject.len() > "commit ".len() + 40;
    let signer = Signed::of_commit(content, is_sha256)
        .and_then(|signed| verify_signed(&signed, keys, now))
        .map_err(|e| e.context(subject.clone()))?;
    Ok(Proof { subject, signer })
}

/// Puts the signature of a commit or tag to the test.
///
/// # Errors
///
/// A refusal.
pub fn verify_signed(signed: &Signed, keys: &Keys, now: Moment) -> Result<super::Signer> {
    match signed.format {
        None => Err(refuse(
            "trust/unsigned",
            "it is not signed",
            "sign with `git commit --gpg-sign` or `git tag --sign`; see `git config gpg.format`",
        )),
        Some(Format::OpenPgp) => keys
            .openpgp
            .verify_armored(&signed.signature, &signed.payload, now)
            .map_err(|e| keys.explain(e, false)),
        Some(Format::Ssh) => keys
            .ssh
            .verify(&signed.signature, &signed.payload, "git")
            .map_err(|e| keys.explain(e, true)),
        Some(Format::X509) => Err(refuse(
            "trust/unsupported",
            "it is signed with X.509 (S/MIME), which is not supported, neither here nor by Flux",
            "sign with an OpenPGP or SSH key",
        )),
        Some(Format::Unknown) => Err(refuse(
            "trust/unsupported",
            "its signature is of an unknown type, which is not supported",
            "sign with an OpenPGP or SSH key",
        )),
    }
}
