//! The compact form of schemas: one flat piece of bytes that is searched where
//! it lies.
//!
//! A pack is a list of 32-bit little-endian words, then one piece of text.
//! Everything in it is found by a word's index, so that a pack in the program's
//! own file costs nothing until a part of it is looked at, and threads share
//! it. Equal parts are stored once ([`Builder`](super::Builder) sees to that):
//! the seven Kubernetes versions together are little larger than one.
//!
//! | at | holds |
//! | --- | --- |
//! | word 0 | `FWS1` |
//! | word 1 | how many words there are |
//! | word 2 | the list of text offsets, one more than there are texts |
//! | word 3 | the list of API versions, each with the list of its kinds |
//! | word 4 | the list of definitions that references name, likewise |
//! | words | lists (a length, then the items) and schemas |
//! | after the words | the texts, end to end |
//!
//! A schema is a word of flags, a word with a bit for each [`Slot`] that it
//! has, and a word for each of these, in their order.

use std::borrow::Cow;

use crate::diag::{Error, Result};

pub(super) const MAGIC: u32 = u32::from_le_bytes(*b"FWS1");
pub(super) const HEADER_WORDS: usize = 5;

/// What a schema may have, in the order of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Slot {
    /// Pairs of names and schemas: a list of names in the order of their
    /// bytes, then the schemas.
    Properties,
    /// The schema of values under any other key.
    Additional,
    /// The schema of items.
    Items,
    /// The name of the definition that stands here instead.
    Reference,
    /// A list of names.
    Required,
    /// A text.
    Format,
    /// A list of texts, each a value as JSON.
    Enum,
    /// A text.
    Pattern,
    /// A number, as text.
    Minimum,
    /// A number, as text.
    Maximum,
    /// A number, as text.
    MultipleOf,
    /// A number.
    MinLength,
    /// A number.
    MaxLength,
    /// A number.
    MinItems,
    /// A number.
    MaxItems,
    /// A number.
    MinProperties,
    /// A number.
    MaxProperties,
    /// A list of schemas.
    AllOf,
    /// A list of schemas.
    AnyOf,
    /// A list of schemas.
    OneOf,
    /// A schema.
    Not,
    /// A text: the value as JSON.
    Default,
    /// A list of names.
    ListMapKeys,
    /// A text.
    PatchStrategy,
    /// A text.
    MergeKey,
    /// A list of [`Rule`]s, [`RULE_WORDS`] each.
    Rules,
}

/// What a schema is, without a word of its own.
pub(super) mod flag {
    pub(crate) const OBJECT: u32 = 1;
    pub(crate) const ARRAY: u32 = 1 << 1;
    pub(crate) const STRING: u32 = 1 << 2;
    pub(crate) const INTEGER: u32 = 1 << 3;
    pub(crate) const NUMBER: u32 = 1 << 4;
    pub(crate) const BOOLEAN: u32 = 1 << 5;
    pub(crate) const NULL: u32 = 1 << 6;
    pub(crate) const TYPES: u32 = (1 << 7) - 1;
    pub(crate) const NULLABLE: u32 = 1 << 7;
    pub(crate) const INT_OR_STRING: u32 = 1 << 8;
    pub(crate) const PRESERVE_UNKNOWN: u32 = 1 << 9;
    pub(crate) const EMBEDDED: u32 = 1 << 10;
    pub(crate) const EXCLUSIVE_MINIMUM: u32 = 1 << 11;
    pub(crate) const EXCLUSIVE_MAXIMUM: u32 = 1 << 12;
    pub(crate) const UNIQUE_ITEMS: u32 = 1 << 13;
    pub(crate) const LIST_SET: u32 = 1 << 14;
    pub(crate) const LIST_MAP: u32 = 1 << 15;
    pub(crate) const MAP_ATOMIC: u32 = 1 << 16;
    /// Fields that are not named are refused.
    pub(crate) const CLOSED: u32 = 1 << 17;
    /// Of a kind that Kubernetes has built in.
    pub(crate) const BUILT_IN: u32 = 1 << 18;
    /// Has rules, or what is in it has.
    pub(crate) const RULES: u32 = 1 << 19;
}

/// Schemas in their compact form.
#[derive(Clone)]
pub struct Pack {
    words: Cow<'static, [u8]>,
    text: Cow<'static, str>,
}

impl Pack {
    /// A pack that is part of the program.
    ///
    /// # Errors
    ///
    /// `schema/pack` for bytes that are no pack.
    pub fn open(bytes: &'static [u8]) -> Result<Pack> {
        let wrong = |what: &str| {
            Error::new("schema/pack", format!("not a pack of schemas: {what}"))
                .help("make the packs again, as schemas/README.md says")
        };
        let word = |i: usize| {
            let word = bytes.get(i * 4..)?.first_chunk::<4>()?;
            Some(u32::from_le_bytes(*word))
        };
        if word(0) != Some(MAGIC) {
            return Err(wrong("no magic number"));
        }
        let split = word(1).unwrap_or(0) as usize * 4;
        let (words, text) = bytes
            .split_at_checked(split)
            .ok_or_else(|| wrong("it ends early"))?;
        let text = std::str::from_utf8(text).map_err(|_| wrong("its text is no UTF-8"))?;
        Ok(Pack {
            words: Cow::Borrowed(words),
            text: Cow::Borrowed(text),
        })
    }

    pub(super) fn of_parts(words: &[u32], text: String) -> Pack {
        Pack {
            words: words.iter().flat_map(|w| w.to_le_bytes()).collect(),
            text: Cow::Owned(text),
        }
    }

    /// The bytes that [`Pack::open`] takes.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.words, self.text.as_bytes()].concat()
    }

    /// A word; 0 behind the end, which no well-formed pack asks for.
    fn word(&self, index: u32) -> u32 {
        self.words
            .get(index as usize * 4..)
            .and_then(<[u8]>::first_chunk::<4>)
            .map_or(0, |word| u32::from_le_bytes(*word))
    }

    fn text(&self, number: u32) -> &str {
        let offsets = self.word(2) + 1;
        let start = self.word(offsets + number) as usize;
        let end = self.word(offsets + number + 1) as usize;
        self.text.get(start..end).unwrap_or_default()
    }

    fn list(&self, index: u32) -> impl Iterator<Item = u32> {
        (index + 1..=index + self.word(index)).map(|i| self.word(i))
    }

    /// The position in a list of rows of `width` words, sorted by the text in
    /// their first.
    fn search(&self, list: u32, width: u32, name: &str) -> Option<u32> {
        let (mut low, mut high) = (0, self.word(list) / width);
        while low < high {
            let middle = low.midpoint(high);
            let row = list + 1 + middle * width;
            match self.text(self.word(row)).cmp(name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(row),
            }
        }
        None
    }

    /// What is known of a kind; nothing where it is unknown.
    pub fn kind(&self, api_version: &str, kind: &str) -> Variants<'_> {
        let found = self
            .search(self.word(3), 2, api_version)
            .and_then(|row| self.search(self.word(row + 1), 2, kind))
            .map(|row| self.word(row + 1));
        Variants {
            pack: self,
            next: found.map_or(0, |list| list + 1),
            left: found.map_or(0, |list| self.word(list) / VARIANT_WORDS),
        }
    }

    /// The `apiVersion` and kind of every kind, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = (&str, &str)> {
        rows(self, self.word(3)).flat_map(|(api_version, kinds)| {
            rows(self, kinds).map(move |(kind, _)| (api_version, kind))
        })
    }

    /// Every `apiVersion`, sorted.
    pub fn api_versions(&self) -> impl Iterator<Item = &str> {
        rows(self, self.word(3)).map(|(api_version, _)| api_version)
    }

    /// The kinds of an `apiVersion`, sorted.
    pub fn kinds_of(&self, api_version: &str) -> impl Iterator<Item = &str> {
        self.search(self.word(3), 2, api_version)
            .into_iter()
            .flat_map(|row| rows(self, self.word(row + 1)))
            .map(|(kind, _)| kind)
    }

    /// The definition of this name.
    pub fn definition(&self, name: &str) -> Option<Schema<'_>> {
        let row = self.search(self.word(4), 2, name)?;
        Some(Schema {
            pack: self,
            at: self.word(row + 1),
        })
    }
}

/// The rows of a list of names and what they stand for.
fn rows(pack: &Pack, list: u32) -> impl Iterator<Item = (&str, u32)> {
    (0..pack.word(list) / 2).map(move |row| {
        let row = list + 1 + row * 2;
        (pack.text(pack.word(row)), pack.word(row + 1))
    })
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pack")
            .field("words", &(self.words.len() / 4))
            .field("text_bytes", &self.text.len())
            .finish()
    }
}

/// Where objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster.
    Cluster,
}

pub(super) const VARIANT_WORDS: u32 = 4;
pub(super) const RULE_WORDS: u32 = 6;

// What the last word of a variant says.
pub(super) const NAMESPACED: u32 = 1;
pub(super) const CLUSTER: u32 = 2;
pub(super) const DEPRECATED: u32 = 4;

/// A kind as a range of versions of its product has it.
#[derive(Clone, Copy, Debug)]
pub struct Variant<'p> {
    /// The first minor version that has it so.
    pub first: u32,
    /// The last one.
    pub last: u32,
    /// Where its objects live; unknown for what no address serves.
    pub scope: Option<Scope>,
    /// Whether its definition says that it will go away.
    pub deprecated: bool,
    /// What its objects look like; none where only the scope is known.
    pub schema: Option<Schema<'p>>,
}

/// The variants of a kind, oldest first.
#[derive(Clone, Debug)]
pub struct Variants<'p> {
    pack: &'p Pack,
    next: u32,
    left: u32,
}

impl<'p> Variants<'p> {
    /// The one that a minor version has.
    pub fn at(mut self, minor: u32) -> Option<Variant<'p>> {
        self.find(|v| (v.first..=v.last).contains(&minor))
    }
}

impl<'p> Iterator for Variants<'p> {
    type Item = Variant<'p>;

    fn next(&mut self) -> Option<Variant<'p>> {
        self.left = self.left.checked_sub(1)?;
        let at = self.next;
        self.next += VARIANT_WORDS;
        let pack = self.pack;
        let (schema, flags) = (pack.word(at + 2), pack.word(at + 3));
        Some(Variant {
            first: pack.word(at),
            last: pack.word(at + 1),
            scope: match flags & (NAMESPACED | CLUSTER) {
                NAMESPACED => Some(Scope::Namespaced),
                CLUSTER => Some(Scope::Cluster),
                _ => None,
            },
            deprecated: flags & DEPRECATED != 0,
            schema: (schema != 0).then_some(Schema { pack, at: schema }),
        })
    }
}

/// A schema in a pack. Copies cost nothing.
#[derive(Clone, Copy)]
pub struct Schema<'p> {
    pack: &'p Pack,
    at: u32,
}

impl PartialEq for Schema<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.pack, other.pack) && self.at == other.at
    }
}

impl Eq for Schema<'_> {}

impl std::fmt::Debug for Schema<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema({})", self.at)
    }
}

impl<'p> Schema<'p> {
    pub(super) fn pack(self) -> &'p Pack {
        self.pack
    }

    /// Where it lies in its pack.
    #[cfg(test)]
    pub(super) fn at(self) -> u32 {
        self.at
    }

    pub(super) fn flags(self) -> u32 {
        self.pack.word(self.at)
    }

    pub(super) fn has(self, flag: u32) -> bool {
        self.flags() & flag != 0
    }

    fn slot(self, slot: Slot) -> Option<u32> {
        let mask = self.pack.word(self.at + 1);
        let bit = 1 << slot as u32;
        (mask & bit != 0).then(|| {
            self.pack
                .word(self.at + 2 + (mask & (bit - 1)).count_ones())
        })
    }

    fn schema_in(self, slot: Slot) -> Option<Schema<'p>> {
        self.slot(slot).map(|at| Schema { at, ..self })
    }

    fn text_in(self, slot: Slot) -> Option<&'p str> {
        self.slot(slot).map(|number| self.pack.text(number))
    }

    fn texts_in(self, slot: Slot) -> impl Iterator<Item = &'p str> {
        let pack = self.pack;
        self.slot(slot)
            .into_iter()
            .flat_map(|list| pack.list(list))
            .map(|number| pack.text(number))
    }

    fn schemas_in(self, slot: Slot) -> impl Iterator<Item = Schema<'p>> {
        let pack = self.pack;
        self.slot(slot)
            .into_iter()
            .flat_map(|list| pack.list(list))
            .map(move |at| Schema { pack, at })
    }

    fn number_in(self, slot: Slot) -> Option<f64> {
        self.text_in(slot)?.parse().ok()
    }

    fn count_in(self, slot: Slot) -> Option<usize> {
        self.slot(slot).map(|count| count as usize)
    }

    /// The schema of a property that is named.
    pub fn property(self, name: &str) -> Option<Schema<'p>> {
        let list = self.slot(Slot::Properties)?;
        let row = self.pack.search(list, 2, name)?;
        Some(Schema {
            at: self.pack.word(row + 1),
            ..self
        })
    }

    /// The named properties, in the order of their names' bytes.
    pub fn properties(self) -> impl Iterator<Item = (&'p str, Schema<'p>)> {
        let pack = self.pack;
        self.slot(Slot::Properties)
            .into_iter()
            .flat_map(move |list| rows(pack, list))
            .map(move |(name, at)| (name, Schema { pack, at }))
    }

    /// The schema of values under names that are not listed.
    pub fn additional(self) -> Option<Schema<'p>> {
        self.schema_in(Slot::Additional)
    }

    /// The schema of the items of a list.
    pub fn items(self) -> Option<Schema<'p>> {
        self.schema_in(Slot::Items)
    }

    /// The name of the definition that stands in this place.
    pub fn reference(self) -> Option<&'p str> {
        self.text_in(Slot::Reference)
    }

    /// Whether the only type is that of lists.
    pub fn is_list(self) -> bool {
        self.flags() & flag::TYPES == flag::ARRAY
    }

    /// The keys that tell the items of a list apart, for lists that are maps.
    pub fn list_map_keys(self) -> impl Iterator<Item = &'p str> {
        self.texts_in(Slot::ListMapKeys)
    }

    /// Whether [`Schema::list_map_keys`] are given.
    pub fn has_list_map_keys(self) -> bool {
        self.slot(Slot::ListMapKeys).is_some()
    }

    /// `x-kubernetes-patch-strategy`
    pub fn patch_strategy(self) -> Option<&'p str> {
        self.text_in(Slot::PatchStrategy)
    }

    /// `x-kubernetes-patch-merge-key`
    pub fn merge_key(self) -> Option<&'p str> {
        self.text_in(Slot::MergeKey)
    }

    /// The names of the properties that must be there, sorted.
    pub fn required(self) -> impl Iterator<Item = &'p str> {
        self.texts_in(Slot::Required)
    }

    /// `format`
    pub fn format(self) -> Option<&'p str> {
        self.text_in(Slot::Format)
    }

    /// `pattern`, in Go's syntax.
    pub fn pattern(self) -> Option<&'p str> {
        self.text_in(Slot::Pattern)
    }

    /// The values of `enum`, each as JSON; none where there is no such limit.
    pub fn values(self) -> Option<impl Iterator<Item = &'p str>> {
        self.slot(Slot::Enum)?;
        Some(self.texts_in(Slot::Enum))
    }

    /// `minimum`
    pub fn minimum(self) -> Option<f64> {
        self.number_in(Slot::Minimum)
    }

    /// `maximum`
    pub fn maximum(self) -> Option<f64> {
        self.number_in(Slot::Maximum)
    }

    /// `multipleOf`
    pub fn multiple_of(self) -> Option<f64> {
        self.number_in(Slot::MultipleOf)
    }

    /// `minLength`
    pub fn min_length(self) -> Option<usize> {
        self.count_in(Slot::MinLength)
    }

    /// `maxLength`
    pub fn max_length(self) -> Option<usize> {
        self.count_in(Slot::MaxLength)
    }

    /// `minItems`
    pub fn min_items(self) -> Option<usize> {
        self.count_in(Slot::MinItems)
    }

    /// `maxItems`
    pub fn max_items(self) -> Option<usize> {
        self.count_in(Slot::MaxItems)
    }

    /// `minProperties`
    pub fn min_properties(self) -> Option<usize> {
        self.count_in(Slot::MinProperties)
    }

    /// `maxProperties`
    pub fn max_properties(self) -> Option<usize> {
        self.count_in(Slot::MaxProperties)
    }

    /// `allOf`
    pub fn all_of(self) -> impl Iterator<Item = Schema<'p>> {
        self.schemas_in(Slot::AllOf)
    }

    /// `anyOf`
    pub fn any_of(self) -> impl Iterator<Item = Schema<'p>> {
        self.schemas_in(Slot::AnyOf)
    }

    /// `oneOf`
    pub fn one_of(self) -> impl Iterator<Item = Schema<'p>> {
        self.schemas_in(Slot::OneOf)
    }

    /// `not`
    pub fn forbidden(self) -> Option<Schema<'p>> {
        self.schema_in(Slot::Not)
    }

    /// `default`, as JSON.
    pub fn default(self) -> Option<&'p str> {
        self.text_in(Slot::Default)
    }

    /// `x-kubernetes-validations`
    pub fn rules(self) -> impl Iterator<Item = Rule<'p>> {
        let pack = self.pack;
        let list = self.slot(Slot::Rules);
        let count = list.map_or(0, |list| pack.word(list) / RULE_WORDS);
        (0..count).map(move |i| {
            let at = list.unwrap_or_default() + 1 + i * RULE_WORDS;
            let text = |offset| Some(pack.text(pack.word(at + offset))).filter(|t| !t.is_empty());
            Rule {
                rule: pack.text(pack.word(at)),
                message: text(1),
                message_expression: text(2),
                reason: text(3),
                field_path: text(4),
                optional_old_self: pack.word(at + 5) != 0,
            }
        })
    }
}

/// A rule of `x-kubernetes-validations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'p> {
    /// The expression, in CEL.
    pub rule: &'p str,
    /// What to say where it does not hold.
    pub message: Option<&'p str>,
    /// An expression for what to say.
    pub message_expression: Option<&'p str>,
    /// `FieldValueInvalid` and the like.
    pub reason: Option<&'p str>,
    /// The field concerned, as a path below the schema's place.
    pub field_path: Option<&'p str>,
    /// Whether it is asked for new objects too, although it compares with the
    /// old ones.
    pub optional_old_self: bool,
}
