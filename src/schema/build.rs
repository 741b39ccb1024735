//! Writing packs: every part once.

use foldhash::HashMap;
use std::collections::BTreeMap;

use super::pack::{
    CLUSTER, DEPRECATED, HEADER_WORDS, MAGIC, NAMESPACED, Pack, RULE_WORDS, Scope, Slot,
    VARIANT_WORDS, flag,
};
use crate::diag::{Error, Result};

/// Where a schema lies in the pack that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SchemaId(u32);

/// A schema before it is stored.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    flags: u32,
    slots: BTreeMap<u32, u32>,
}

impl Draft {
    pub(super) fn flag(&mut self, flag: u32) {
        self.flags |= flag;
    }

    pub(super) fn unflag(&mut self, flag: u32) {
        self.flags &= !flag;
    }

    pub(super) fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn set(&mut self, slot: Slot, word: u32) {
        self.slots.insert(slot as u32, word);
    }

    /// What a schema is because one in it is.
    pub(super) fn inherit(&mut self, flags: u32) {
        self.flags |= flags & flag::RULES;
    }

    pub(super) fn set_schema(&mut self, slot: Slot, schema: SchemaId) {
        self.set(slot, schema.0);
    }
}

/// A rule of `x-kubernetes-validations` before it is stored; empty text for
/// what it does not have.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleDraft<'t> {
    pub(super) rule: &'t str,
    pub(super) message: &'t str,
    pub(super) message_expression: &'t str,
    pub(super) reason: &'t str,
    pub(super) field_path: &'t str,
    pub(super) optional_old_self: bool,
}

/// Collects schemas, kinds and definitions, and makes a [`Pack`] of them.
///
/// Equal texts, lists and schemas are stored once, so that what versions and
/// kinds have in common costs nothing. The same calls give the same bytes.
#[derive(Debug)]
pub struct Builder {
    words: Vec<u32>,
    text: String,
    offsets: Vec<u32>,
    texts: HashMap<Box<str>, u32>,
    /// Runs of words to the index where they lie.
    stored: HashMap<Box<[u32]>, u32>,
    kinds: BTreeMap<String, BTreeMap<String, Vec<Known>>>,
    definitions: BTreeMap<String, u32>,
}

/// A kind in a range of versions.
#[derive(Debug)]
struct Known {
    first: u32,
    last: u32,
    schema: u32,
    flags: u32,
}

/// What is known of a kind in one version.
#[derive(Clone, Copy, Debug)]
pub struct KindDraft {
    /// What its objects look like.
    pub schema: Option<SchemaId>,
    /// Where they live.
    pub scope: Option<Scope>,
    /// Whether it will go away.
    pub deprecated: bool,
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    /// An empty one.
    pub fn new() -> Builder {
        Builder {
            words: vec![0; HEADER_WORDS],
            text: String::new(),
            offsets: vec![0],
            texts: HashMap::default(),
            stored: HashMap::default(),
            kinds: BTreeMap::new(),
            definitions: BTreeMap::new(),
        }
    }

    /// The number of a text.
    pub(super) fn text(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.texts.get(text) {
            return number;
        }
        let number = index(self.offsets.len() - 1);
        self.text.push_str(text);
        self.offsets.push(index(self.text.len()));
        self.texts.insert(text.into(), number);
        number
    }

    fn store(&mut self, words: &[u32]) -> u32 {
        if let Some(&at) = self.stored.get(words) {
            return at;
        }
        let at = index(self.words.len());
        self.words.extend_from_slice(words);
        self.stored.insert(words.into(), at);
        at
    }

    /// The index of a list.
    pub(super) fn list(&mut self, items: &[u32]) -> u32 {
        let mut words = Vec::with_capacity(items.len() + 1);
        words.push(index(items.len()));
        words.extend_from_slice(items);
        self.store(&words)
    }

    /// The index of a list of texts.
    pub(super) fn texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> u32 {
        let numbers: Vec<u32> = texts.into_iter().map(|t| self.text(t)).collect();
        self.list(&numbers)
    }

    /// The index of a list of names and schemas.
    pub(super) fn properties(&mut self, properties: &BTreeMap<&str, SchemaId>) -> u32 {
        let mut words = Vec::with_capacity(properties.len() * 2);
        for (name, schema) in properties {
            words.extend([self.text(name), schema.0]);
        }
        self.list(&words)
    }

    /// The index of a list of schemas.
    pub(super) fn schemas(&mut self, schemas: &[SchemaId]) -> u32 {
        let words: Vec<u32> = schemas.iter().map(|s| s.0).collect();
        self.list(&words)
    }

    /// The index of a list of rules.
    pub(super) fn rules(&mut self, rules: &[RuleDraft<'_>]) -> u32 {
        let mut words = Vec::with_capacity(rules.len() * RULE_WORDS as usize);
        for rule in rules {
            words.extend([
                self.text(rule.rule),
                self.text(rule.message),
                self.text(rule.message_expression),
                self.text(rule.reason),
                self.text(rule.field_path),
                u32::from(rule.optional_old_self),
            ]);
        }
        self.list(&words)
    }

    /// Stores a schema.
    pub(super) fn schema(&mut self, draft: &Draft) -> SchemaId {
        let mask = draft.slots.keys().fold(0, |mask, slot| mask | 1 << slot);
        let mut words = vec![draft.flags, mask];
        words.extend(draft.slots.values());
        SchemaId(self.store(&words))
    }

    /// What a schema is, as it was stored.
    pub(super) fn flags(&self, schema: SchemaId) -> u32 {
        self.words.get(schema.0 as usize).copied().unwrap_or(0)
    }

    /// Gives a name to a schema, for references; the name must be new.
    pub(super) fn define(&mut self, name: &str, schema: SchemaId) {
        self.definitions.insert(name.to_owned(), schema.0);
    }

    /// Says that a minor version of the product has this kind. Versions come
    /// in their order; those that have the same are joined.
    pub fn kind(&mut self, api_version: &str, kind: &str, minor: u32, known: KindDraft) {
        let schema = known.schema.map_or(0, |s| s.0);
        let mut flags = match known.scope {
            None => 0,
            Some(Scope::Namespaced) => NAMESPACED,
            Some(Scope::Cluster) => CLUSTER,
        };
        if known.deprecated {
            flags |= DEPRECATED;
        }
        let variants = self
            .kinds
            .entry(api_version.to_owned())
            .or_default()
            .entry(kind.to_owned())
            .or_default();
        match variants.last_mut() {
            Some(last)
                if (last.schema, last.flags) == (schema, flags) && last.last + 1 >= minor =>
            {
                last.last = minor;
            }
            _ => variants.push(Known {
                first: minor,
                last: minor,
                schema,
                flags,
            }),
        }
    }

    /// Makes the pack.
    ///
    /// # Errors
    ///
    /// `schema/pack` for more than 32 bits can count.
    pub fn finish(mut self) -> Result<Pack> {
        let mut versions = Vec::new();
        for (api_version, kinds) in std::mem::take(&mut self.kinds) {
            let mut rows = Vec::new();
            for (kind, variants) in kinds {
                let words: Vec<u32> = variants
                    .iter()
                    .flat_map(|v| [v.first, v.last, v.schema, v.flags])
                    .collect();
                debug_assert_eq!(words.len() % VARIANT_WORDS as usize, 0);
                rows.extend([self.text(&kind), self.list(&words)]);
            }
            versions.extend([self.text(&api_version), self.list(&rows)]);
        }
        let versions = self.list(&versions);
        let mut rows = Vec::new();
        for (name, schema) in std::mem::take(&mut self.definitions) {
            rows.extend([self.text(&name), schema]);
        }
        let definitions = self.list(&rows);
        let offsets = std::mem::take(&mut self.offsets);
        let offsets = self.list(&offsets);
        let header = [
            MAGIC,
            index(self.words.len()),
            offsets,
            versions,
            definitions,
        ];
        self.words.splice(..HEADER_WORDS, header);
        if self.words.len() >= TOO_MANY as usize || self.text.len() >= TOO_MANY as usize {
            return Err(Error::new("schema/pack", "the schemas are too large")
                .help("give fewer or smaller CustomResourceDefinitions"));
        }
        Ok(Pack::of_parts(&self.words, self.text))
    }
}

/// More words or bytes than a pack may have.
const TOO_MANY: u32 = u32::MAX / 4;

/// An index or offset; one that is too large is found by [`Builder::finish`].
fn index(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
