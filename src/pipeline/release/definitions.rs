//! The definitions of kinds that a release brings along: the files in the `crds/`
//! folders of its chart, and of those charts below that its values enable.
//!
//! Which files these are is known once the chart is rendered; to read them is much
//! of the work, and left to who needs what they say.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Context, origin_labels};
use crate::diag::{Findings, Result};
use crate::flux::api::HelmRelease;
use crate::helm::Definition;
use crate::kustomize::post_render;
use crate::pipeline::cluster::Object;

/// Group and kind of objects.
pub(in crate::pipeline) type Kinds = BTreeSet<(Arc<str>, Arc<str>)>;

/// Files of definitions, in the order in which they are applied.
#[derive(Clone, Debug, Default)]
pub(in crate::pipeline) struct Definitions(Arc<[Definition]>);

impl Definitions {
    /// Those that a release applies, of all that its chart has.
    pub(super) fn of(release: &HelmRelease, all: Arc<[Definition]>) -> Definitions {
        if release.skips_definitions {
            return Definitions::default();
        }
        Definitions(all)
    }

    pub(in crate::pipeline) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they are the same files, by their content. What cannot be read is
    /// like nothing.
    pub(in crate::pipeline) fn is_same(&self, other: &Definitions) -> bool {
        let is_same = |(a, b): (&Definition, &Definition)| {
            Arc::ptr_eq(&a.file, &b.file)
                || matches!((a.file.bytes(), b.file.bytes()), (Ok(a), Ok(b)) if a == b)
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&*other.0).all(is_same)
    }

    /// Whether a word stands in any of them; where that is not known, it does.
    pub(in crate::pipeline) fn may_mention(&self, word: &str) -> bool {
        self.0.iter().any(|one| may_mention(one, &[word]))
    }

    /// Takes out those that may define any of these kinds; all, where none are given.
    pub(super) fn take(&mut self, kinds: Option<&Kinds>) -> Definitions {
        let is_wanted = |one: &&Definition| {
            let mut kinds = kinds.into_iter().flatten();
            kinds.any(|(group, kind)| may_mention(one, &[group, kind]))
        };
        if kinds.is_none() {
            return std::mem::take(self);
        }
        let (wanted, left): (Vec<_>, Vec<_>) = self.0.iter().partition(is_wanted);
        let [wanted, left] = [wanted, left].map(|all| all.into_iter().cloned().collect());
        self.0 = left;
        Definitions(wanted)
    }

    /// The objects in them, as a release applies them.
    ///
    /// # Errors
    ///
    /// `helm/manifest-invalid` for what is no YAML, and as [`post_render`].
    pub(super) fn read(
        &self,
        release: &HelmRelease,
        context: &Context<'_>,
        findings: &mut Findings,
    ) -> Result<Vec<Object>> {
        let sources = &context.options.source_map;
        let parsed = context.options.reuse.as_ref().map(|r| &*r.parsed);
        let labels = [origin_labels(release)];
        let mut objects = Vec::new();
        for definition in &*self.0 {
            for node in definition.nodes(parsed, sources)? {
                let made = post_render(vec![node], &labels, sources, findings)?;
                objects.extend(made.into_iter().map(|node| Object {
                    stays: true,
                    ..Object::new(node)
                }));
            }
        }
        Ok(objects)
    }
}

fn may_mention(definition: &Definition, words: &[&str]) -> bool {
    definition.file.bytes().map_or(true, |bytes| {
        let is_there = |word: &&str| memchr::memmem::find(&bytes, word.as_bytes()).is_some();
        words.iter().all(is_there)
    })
}
