//! Secrets in a build: what is decrypted, and what is shown in its place.
//!
//! In: files and objects as they lie in the repository, private keys. Out: the
//! same in clear, with marks on every secret value; at the end, digests in the
//! place of those values. Without a key, placeholders stand in.

use rayon::prelude::*;

use crate::diag::{Findings, Result};
use crate::flux::api::Kustomization;
use crate::resource::{Files, ResId};
#[cfg(feature = "sops")]
use crate::sops::{Decryptor, Keys};
use crate::yaml::Node;
use crate::yaml::secret::has_secret;
#[cfg(feature = "sops")]
use crate::yaml::secret::secret_texts;

use super::cluster::{Cluster, Object};
use super::render::Options;

#[cfg(feature = "sops")]
mod decrypt;

/// What a build does with encrypted values.
#[derive(Debug, Default)]
pub struct Secrets {
    #[cfg(feature = "sops")]
    opener: decrypt::Opener,
    are_shown: bool,
}

/// The files of a Kustomization as its build reads them.
#[derive(Debug)]
pub(super) struct Unsealed {
    /// With the inputs of generators and patches in clear.
    pub(super) files: Files,
    /// With shadows in place of all values that were encrypted; none where
    /// there are none.
    pub(super) shadows: Option<Files>,
    /// Whether there are placeholders for what no key opens.
    pub(super) has_placeholders: bool,
}

impl Secrets {
    /// Secrets that these keys open. With `is_required`, what none opens fails
    /// the Kustomization that it belongs to; with `are_shown`, decrypted
    /// values are printed.
    #[cfg(feature = "sops")]
    pub fn new(keys: Keys, is_required: bool, are_shown: bool) -> Secrets {
        Secrets {
            opener: decrypt::Opener::new(Decryptor::new(keys), is_required),
            are_shown,
        }
    }

    /// Decrypts what a build of the kustomization reads; none where nothing is
    /// encrypted.
    ///
    /// # Errors
    ///
    /// What was tampered with; with `is_required`, what no key opens.
    pub(super) fn open_sources(
        &self,
        files: &Files,
        folder: &str,
        kustomization: &Node,
        options: &Options,
        findings: &mut Findings,
    ) -> Result<Option<Unsealed>> {
        #[cfg(feature = "sops")]
        return self
            .opener
            .sources(files, folder, kustomization, options, findings);
        #[cfg(not(feature = "sops"))]
        {
            let _ = (files, folder, kustomization, options, findings);
            Ok(None)
        }
    }

    /// Decrypts the objects that a build gives. With `has_placeholders`, some
    /// of what they were made from was not decrypted: that is marked.
    ///
    /// # Errors
    ///
    /// As [`Secrets::open_sources`].
    pub(super) fn open_objects(
        &self,
        objects: &mut [Node],
        has_placeholders: bool,
        options: &Options,
        findings: &mut Findings,
    ) -> Result<()> {
        #[cfg(feature = "sops")]
        return self
            .opener
            .objects(objects, has_placeholders, options, findings);
        #[cfg(not(feature = "sops"))]
        {
            let _ = (objects, has_placeholders, options, findings);
            Ok(())
        }
    }

    /// Notes what became of secret values in objects that lead to others: what
    /// is told of those may name it.
    pub(super) fn learn(&self, cluster: &Cluster) {
        #[cfg(feature = "sops")]
        {
            let mut texts = Vec::new();
            for unit in &cluster.units {
                secret_texts(&unit.object, &mut texts);
                let objects = unit.outcome.iter().flatten();
                for object in objects.filter(|o| o.id.gvk.group.ends_with(".fluxcd.io")) {
                    secret_texts(&object.node, &mut texts);
                }
            }
            self.opener.learn(&texts);
        }
        #[cfg(not(feature = "sops"))]
        let _ = cluster;
    }

    /// Puts digests in place of all secret values, unless they are to be shown,
    /// and takes them out of messages. Nobody sees a cluster before.
    pub(super) fn hide(&self, cluster: &mut Cluster) {
        cluster.units.par_iter_mut().for_each(|unit| {
            match &mut unit.outcome {
                Ok(objects) => {
                    for object in objects {
                        let mut node = object.node.clone();
                        if self.mask(&mut node) {
                            let stays = object.stays;
                            *object = Object {
                                stays,
                                ..Object::new(node)
                            };
                        }
                    }
                }
                Err(e) => *e = e.clone().map_text(|text| self.redact(text)),
            }
            if self.mask(&mut unit.object) {
                unit.id = ResId::of(&unit.object);
            }
            for name in unit.parent.iter_mut().map(|parent| &mut parent.name) {
                *name = self.redact(name).into();
            }
        });
    }

    /// Puts digests in place of secret values; gives whether there are any.
    fn mask(&self, object: &mut Node) -> bool {
        let is_secret = !self.are_shown && has_secret(object);
        #[cfg(feature = "sops")]
        if is_secret {
            self.opener.mask(object);
        }
        is_secret
    }

    /// A message without secret values, shown or not.
    pub fn redact(&self, text: &str) -> String {
        #[cfg(feature = "sops")]
        return self.opener.redact(text);
        #[cfg(not(feature = "sops"))]
        text.to_owned()
    }
}

/// Whether a value stands in for one that is encrypted.
pub fn stands_in(value: &Node) -> bool {
    #[cfg(feature = "sops")]
    return value.is_placeholder() && value.text().is_some_and(crate::sops::is_stand_in);
    #[cfg(not(feature = "sops"))]
    value.is_placeholder()
}

/// Whether a Kustomization asks for decryption.
///
/// Compat: the controller knows one provider, and does nothing for another.
pub(super) fn is_asked_for(spec: &Kustomization) -> bool {
    let provider = spec.decryption.as_ref().and_then(Node::text);
    provider == Some("sops")
}
