//! Whether what is locked is signed as it must be.
//!
//! In: what is demanded, and what the store holds: commits with their trees,
//! manifests of signatures, provenance files. Out: who signed it. All of it is
//! done again whenever it is used, since keys and signatures expire.

use std::collections::BTreeMap;

use super::locked::Locked;
use super::trust::{Demand, FindSecret, Policy, Subject, Verdict, Wanted, refuse};
use super::{Filled, Key, Order};
use crate::artifact::{Digest, MemoryTree, pack};
use crate::diag::{Error, Result};
use crate::flux::api::{GitSpec, SourceSpec};
use crate::gostd::moment::Moment;
use crate::lock::Request;
use crate::verify::{KeyFile, Proof};

/// What is locked, as far as a signature goes.
struct Content {
    request: Request,
    digest: Digest,
    /// The revision, or a chart's version.
    revision: String,
}

impl Locked {
    /// Looks for the signatures that are demanded of what is locked; none where
    /// nothing is locked or at hand yet, which whoever reads it tells.
    ///
    /// # Errors
    ///
    /// A refusal; `lock/missing` and `store/missing` where the signatures are
    /// not there, with an order for them.
    pub fn verify(
        &self,
        subject: &Subject<'_>,
        secrets: &FindSecret<'_>,
    ) -> Result<Option<Verdict>> {
        let policy = self.policy();
        if !policy.asks(subject) {
            return Ok(Some(Verdict::Unasked));
        }
        if policy.skipped.contains(&subject.source.id) {
            return Ok(Some(Verdict::Skipped));
        }
        let Some(content) = self.locked_content(subject)? else {
            return Ok(None);
        };
        let name = match subject.chart {
            Some((chart, _)) => format!("`{} {}`", subject.source.id, chart.name),
            None => format!("`{}`", subject.source.id),
        };
        let signers = self
            .signers(policy, subject, &content, secrets)
            .map_err(|e| {
                let at = match subject.chart {
                    Some((_, Some(Ok(verification)))) => verification.span,
                    _ => subject.source.span,
                };
                e.context(name).at(at)
            })?;
        self.note_signers(content.request, content.digest, &signers);
        Ok(Some(Verdict::Signed(signers)))
    }

    /// What is locked; none where it is not, or not at hand.
    fn locked_content(&self, subject: &Subject<'_>) -> Result<Option<Content>> {
        let request = Request::of(subject.source);
        let Some(locked) = self.lockfile().sources.get(&request) else {
            return Ok(None);
        };
        let found = match subject.chart {
            Some((chart, _)) if matches!(subject.source.spec, SourceSpec::Helm(_)) => locked
                .charts
                .get(chart)
                .map(|pin| (pin.digest, pin.version.clone())),
            _ => (locked.pin.as_ref()).map(|pin| (pin.digest, pin.revision.clone())),
        };
        let Some((digest, revision)) = found else {
            return Ok(None);
        };
        Ok(self.read(digest)?.map(|_| Content {
            request,
            digest,
            revision,
        }))
    }

    fn signers(
        &self,
        policy: &Policy,
        subject: &Subject<'_>,
        content: &Content,
        secrets: &FindSecret<'_>,
    ) -> Result<Vec<String>> {
        let demands = policy.demands(subject, secrets)?;
        let Some(now) = policy.now else {
            return Err(refuse(
                "trust/unsupported",
                "nothing says what time it is",
                "give `--now`",
            ));
        };
        let mut proofs = Vec::new();
        for Demand { span, by, what } in demands {
            let met = self.meet(&what, subject, content, now).map_err(|e| {
                let e = e.at(span);
                match by {
                    Some(by) => e.context(by),
                    None => e,
                }
            })?;
            proofs.extend(met);
        }
        let mut signers: Vec<String> = proofs.iter().map(|p| p.signer.to_string()).collect();
        signers.sort();
        signers.dedup();
        Ok(signers)
    }

    #[cfg(not(feature = "verify"))]
    fn meet(&self, _: &Wanted, _: &Subject<'_>, _: &Content, _: Moment) -> Result<Vec<Proof>> {
        Err(refuse(
            "trust/unsupported",
            "this program was built without the verification of signatures",
            "build it with the feature `verify`",
        ))
    }

    #[cfg(feature = "verify")]
    fn meet(
        &self,
        wanted: &Wanted,
        subject: &Subject<'_>,
        content: &Content,
        now: Moment,
    ) -> Result<Vec<Proof>> {
        use crate::verify::cosign::{Digest as ImageDigest, Identity, Trust, verify_signatures};

        let trust = match wanted {
            Wanted::Git { mode, keys } => {
                let SourceSpec::Git(git) = &subject.source.spec else {
                    return Err(refuse("trust/unsupported", "it is no repository", ""));
                };
                return self.git(git, content, mode, keys, now);
            }
            Wanted::Provenance(keyrings) => {
                return self.provenance(subject, content, keyrings, now);
            }
            Wanted::Keys(keys) => Trust::keys(keys)?,
            Wanted::Identities { root, identities } => {
                let identities = identities
                    .iter()
                    .map(|(issuer, subject)| Identity::new(issuer, subject));
                Trust::identities(root, identities.collect::<Result<_>>()?)?
            }
        };
        let signatures = self.signatures(subject, content)?;
        let layout = self.layout(subject, content, &signatures)?;
        let digest = ImageDigest::parse(&content.digest.to_string())?;
        verify_signatures(&layout, &digest, &trust)
    }

    /// The commit or tag of a repository, and its files.
    #[cfg(feature = "verify")]
    fn git(
        &self,
        spec: &GitSpec,
        content: &Content,
        mode: &str,
        keys: &[KeyFile],
        now: Moment,
    ) -> Result<Vec<Proof>> {
        use crate::artifact::git::{ObjectKind, check_files, name_of};
        use crate::verify::git::{Mode, Objects, TagObject, verify_objects};

        let mode = Mode::parse(mode)?;
        let Some(packed) = self.read(content.digest)? else {
            return Ok(Vec::new());
        };
        let tree = pack::unpack(&packed, "")?;
        let mut files: BTreeMap<&str, &[u8]> =
            tree.files().map(|(name, bytes)| (name, &**bytes)).collect();
        let mut part = |name: &str| files.remove(name);
        let (commit, trees, tag) = (part(".git/commit"), part(".git/trees"), part(".git/tag"));
        let (Some(commit), Some(trees)) = (commit, trees) else {
            return Err(refuse(
                "trust/digest",
                "its commit was not kept when it was fetched",
                "fetch it anew: `fluxwright lock --update NAME`",
            ));
        };
        let (label, id) = content
            .revision
            .rsplit_once('@')
            .unwrap_or(("", &content.revision));
        let (algorithm, hex) = id.split_once(':').unwrap_or(("sha1", id));
        let is_sha256 = algorithm == "sha256";
        if name_of(ObjectKind::Commit, commit, is_sha256).as_deref() != Some(hex) {
            return Err(refuse(
                "trust/digest",
                format!("what is locked as the commit {hex} is another one"),
                "fetch it anew: `fluxwright lock --update NAME`",
            ));
        }
        let proofs = verify_objects(
            &Objects {
                id: hex,
                commit,
                tag: spec.is_tag().then_some(TagObject {
                    name: label,
                    content: tag,
                }),
            },
            mode,
            &crate::verify::Keys::read(keys),
            now,
        )?;
        check_files(commit, trees, is_sha256, spec.recurse_submodules, &files)?;
        Ok(proofs)
    }

    /// The provenance of a chart.
    #[cfg(feature = "verify")]
    fn provenance(
        &self,
        subject: &Subject<'_>,
        content: &Content,
        keyrings: &[KeyFile],
        now: Moment,
    ) -> Result<Vec<Proof>> {
        use crate::verify::provenance;

        let signatures = self.signatures(subject, content)?;
        let chart = subject.chart.map(|(chart, _)| chart.name.as_str());
        let file = format!("{}-{}.tgz", chart.unwrap_or_default(), content.revision);
        let Some(signature) = signatures.first() else {
            return Err(provenance::missing(&format!("{file}.prov")));
        };
        let (Some(archive), Some(signed)) = (self.read(content.digest)?, self.read(*signature)?)
        else {
            return Err(self.unfetched_signatures(subject, content, &signatures));
        };
        let mut refusal = None;
        for keyring in keyrings {
            match provenance::verify(&archive, &file, &signed, keyring, now) {
                Ok(proof) => return Ok(vec![proof]),
                Err(e) => {
                    refusal.get_or_insert(e);
                }
            }
        }
        Err(refusal.unwrap_or_else(|| refuse("trust/key-file", "no keyring is given", "")))
    }

    /// What the lockfile names as the signatures of something.
    ///
    /// # Errors
    ///
    /// `lock/missing` where it names none, with an order for them.
    fn signatures(&self, subject: &Subject<'_>, content: &Content) -> Result<Vec<Digest>> {
        let signed = self.lockfile().sources.get(&content.request);
        let signed = signed.and_then(|s| s.signed.get(&content.digest));
        let key = signatures_key(subject, content);
        match signed {
            Some(signed) if !signed.signatures.is_empty() => {
                let signatures = signed.signatures.clone();
                self.note_use(key, Filled::Signatures(signatures.clone()));
                Ok(signatures)
            }
            // They were looked for, and there are none.
            Some(_) if self.looked_for(&key) => Ok(Vec::new()),
            _ => Err(self.unlocked_signatures(
                &key,
                Order {
                    source: Some(subject.source.clone()),
                    address: None,
                    span: subject.source.url_span,
                    pin: None,
                },
            )),
        }
    }

    fn unfetched_signatures(
        &self,
        subject: &Subject<'_>,
        content: &Content,
        signatures: &[Digest],
    ) -> Error {
        self.unfetched(
            &signatures_key(subject, content),
            Order {
                source: Some(subject.source.clone()),
                address: None,
                span: subject.source.url_span,
                pin: Some(Filled::Signatures(signatures.to_vec())),
            },
        )
    }

    /// The signatures as an OCI layout has them.
    #[cfg(feature = "verify")]
    fn layout(
        &self,
        subject: &Subject<'_>,
        content: &Content,
        signatures: &[Digest],
    ) -> Result<crate::verify::cosign::Layout> {
        use super::oci_manifest::{self, Manifest};

        let mut tree = MemoryTree::new("");
        let blob = |digest: Digest| format!("blobs/sha256/{}", digest.hex());
        let (mut bundles, mut simple) = (Vec::new(), Vec::new());
        for signature in signatures {
            let Some(manifest) = self.read(*signature)? else {
                return Err(self.unfetched_signatures(subject, content, signatures));
            };
            let descriptor = serde_json::json!({
                "digest": signature.to_string(),
                "size": manifest.len(),
            });
            if let Ok(Manifest::Layers(layers)) = oci_manifest::read(&manifest) {
                for layer in &layers {
                    let Some(content_of) = self.read(layer.digest)? else {
                        return Err(self.unfetched_signatures(subject, content, signatures));
                    };
                    tree.insert(blob(layer.digest), content_of);
                }
            }
            if oci_manifest::is_bundle(&manifest) {
                bundles.push(descriptor);
            } else {
                simple.push(descriptor);
            }
            tree.insert(blob(*signature), manifest);
        }
        let hex = content.digest.hex();
        let mut listed = Vec::new();
        let mut tag = |mut descriptor: serde_json::Value, tag: String| {
            if let Some(map) = descriptor.as_object_mut() {
                let name = serde_json::json!({ "org.opencontainers.image.ref.name": tag });
                map.insert("annotations".to_owned(), name);
            }
            listed.push(descriptor);
        };
        if !bundles.is_empty() {
            let index = serde_json::json!({ "manifests": bundles }).to_string();
            let digest = Digest::of(index.as_bytes());
            tag(
                serde_json::json!({ "digest": digest.to_string(), "size": index.len() }),
                format!("sha256-{hex}"),
            );
            tree.insert(blob(digest), index.into_bytes());
        }
        for descriptor in simple {
            tag(descriptor, format!("sha256-{hex}.sig"));
        }
        let index = serde_json::json!({ "manifests": listed }).to_string();
        tree.insert("index.json", index.into_bytes());
        crate::verify::cosign::Layout::open(std::sync::Arc::new(tree))
    }
}

fn signatures_key(subject: &Subject<'_>, content: &Content) -> Key {
    Key::Signatures {
        request: content.request.clone(),
        chart: subject.chart.map(|(chart, _)| chart.clone()),
        version: content.revision.clone(),
        of: content.digest,
    }
}
