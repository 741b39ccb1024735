//! Signatures of commits and tags, as GitRepository `spec.verify` asks for
//! them, and of every commit between two.

mod object;

pub use object::{Format, Signed};

use rayon::prelude::*;

use super::{Keys, Proof, refuse};
use crate::artifact::git::{Checkout, GitRepository, ObjectId, ObjectKind, name_of};
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
    let id = checkout.commit.to_string();
    let commit = if mode.wants_head() {
        repository.read(checkout.commit)?.1
    } else {
        Vec::new()
    };
    let tag = match &checkout.tag {
        Some(tag) if mode.wants_tag() => {
            let (kind, content) = repository.read(tag.target)?;
            Some((tag, (kind == ObjectKind::Tag).then_some(content)))
        }
        _ => None,
    };
    let objects = Objects {
        id: &id,
        commit: &commit,
        tag: tag.as_ref().map(|(tag, content)| TagObject {
            name: &tag.name,
            content: content.as_deref(),
        }),
    };
    verify_objects(&objects, mode, keys, now)
}

/// A commit, and the tag that led to it.
#[derive(Clone, Copy, Debug)]
pub struct Objects<'a> {
    /// The commit's name, in hexadecimal.
    pub id: &'a str,
    /// The commit; not looked at where only the tag counts.
    pub commit: &'a [u8],
    /// The tag; none where no tag led there.
    pub tag: Option<TagObject<'a>>,
}

/// A tag.
#[derive(Clone, Copy, Debug)]
pub struct TagObject<'a> {
    /// The name that it is reached by, without `refs/tags/`.
    pub name: &'a str,
    /// The tag object; none for a lightweight tag, which is no object.
    pub content: Option<&'a [u8]>,
}

/// Verifies objects that have the names that they are given: the tag first,
/// then the commit.
///
/// # Errors
///
/// A refusal.
pub fn verify_objects(
    objects: &Objects<'_>,
    mode: Mode,
    keys: &Keys,
    now: Moment,
) -> Result<Vec<Proof>> {
    let mut proofs = Vec::new();
    if mode.wants_tag() {
        let Some(tag) = &objects.tag else {
            return Err(refuse(
                "trust/mode",
                "this mode verifies a tag, but the reference names no tag",
                "refer to a tag, a range of versions or a name `refs/tags/…`, or verify `HEAD`",
            ));
        };
        let Some(content) = tag.content else {
            return Err(refuse(
                "trust/unsigned",
                format!("tag `{}` is not signed: it is a lightweight tag", tag.name),
                "sign the tag: `git tag --sign`; or verify `HEAD`, the commit that it names",
            ));
        };
        proofs.push(verify_tag(objects.id, tag.name, content, keys, now)?);
    }
    if mode.wants_head() {
        proofs.push(verify_commit(objects.id, objects.commit, keys, now)?);
    }
    Ok(proofs)
}

fn verify_tag(commit: &str, name: &str, content: &[u8], keys: &Keys, now: Moment) -> Result<Proof> {
    let is_sha256 = commit.len() > 40;
    let id = name_of(ObjectKind::Tag, content, is_sha256).unwrap_or_default();
    let subject = format!("tag {name} ({id})");
    let signed = Signed::of_tag(content);
    let signer = verify_signed(&signed, keys, now).map_err(|e| e.context(subject.clone()))?;
    // A signature of one release must not pass for another.
    let header = |key| crate::artifact::git::header(content, key).unwrap_or_default();
    let named = header("tag");
    if named != name {
        return Err(refuse(
            "trust/bad-signature",
            format!(
                "reference `refs/tags/{name}` leads to the signed tag `{named}`, which is another: \
                 the names do not match"
            ),
            "make the tag anew under its own name",
        ));
    }
    if header("type") == "commit" && header("object") != commit {
        return Err(refuse(
            "trust/bad-signature",
            format!(
                "tag `{name}` is of the commit {}, which does not match {commit}",
                header("object")
            ),
            "fetch it anew",
        ));
    }
    Ok(Proof { subject, signer })
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
        .map(|(id, content)| verify_commit(&id.to_string(), content, keys, now))
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

fn verify_commit(id: &str, content: &[u8], keys: &Keys, now: Moment) -> Result<Proof> {
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
