//! A schema as it was read: its resources, their names, and what references
//! lead to.

use std::collections::BTreeMap;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::shape;
use crate::yaml::{Map, Value};

/// How deep schemas may lie in schemas.
pub(super) const MAX_DEPTH: usize = 200;

/// The address that Helm gives the file.
const ROOT: &str = "file:///values.schema.json";

/// The drafts of JSON Schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft2019,
    Draft2020,
}

impl Draft {
    /// The draft of a `$schema`.
    fn of(address: &str) -> Option<Draft> {
        let address = address.strip_suffix('#').unwrap_or(address);
        let rest = address
            .strip_prefix("http://")
            .or_else(|| address.strip_prefix("https://"))
            .unwrap_or(address);
        Some(match rest {
            "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Draft::Draft2020,
            "json-schema.org/draft/2019-09/schema" => Draft::Draft2019,
            "json-schema.org/draft-07/schema" => Draft::Draft7,
            "json-schema.org/draft-06/schema" => Draft::Draft6,
            "json-schema.org/draft-04/schema" => Draft::Draft4,
            _ => return None,
        })
    }
}

/// A schema that has an address of its own, with the schemas in it that have
/// none.
pub(super) struct Resource<'s> {
    pub(super) draft: Draft,
    pub(super) root: &'s Value,
    address: String,
    anchors: BTreeMap<&'s str, &'s Value>,
    dynamic_anchors: BTreeMap<&'s str, &'s Value>,
}

/// A schema and the resource that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct Schema<'s> {
    pub(super) value: &'s Value,
    pub(super) resource: usize,
}

/// Why a document cannot be used.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It refers to this address, which is not at hand.
    Remote(String),
    /// It is no schema.
    Invalid(String),
    /// A reference leads nowhere.
    Dangling(String),
}

pub(super) struct Document<'s> {
    resources: Vec<Resource<'s>>,
    /// Resources by the place of their root.
    by_place: HashMap<usize, usize>,
    /// Resources by the address that they were fetched from, where they call
    /// themselves something else.
    fetched: BTreeMap<&'s str, usize>,
}

/// Schemas that others refer to, by address.
pub(super) type Fetched = BTreeMap<String, Value>;

/// A value's place in memory, which tells schemas apart: the document is
/// borrowed and does not move.
pub(super) fn place(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

impl<'s> Document<'s> {
    /// Takes stock of a document, and of those that it refers to.
    pub(super) fn new(root: &'s Value, fetched: &'s Fetched) -> Result<Document<'s>, Refusal> {
        let mut document = Document {
            resources: Vec::new(),
            by_place: HashMap::new(),
            fetched: BTreeMap::new(),
        };
        document.add_resource(root, ROOT.to_owned(), Draft::Draft2020)?;
        document.collect(root, 0, true, 0)?;
        for (address, value) in fetched {
            let number = document.add_resource(value, address.clone(), Draft::Draft2020)?;
            document.fetched.insert(address, number);
            document.collect(value, number, true, 0)?;
        }
        let mut checked = HashSet::new();
        document.check(document.root(), &mut checked, 0)?;
        document.follow(document.root(), &mut checked, &mut HashSet::new(), 0)?;
        Ok(document)
    }

    pub(super) fn root(&self) -> Schema<'s> {
        Schema {
            value: self.resources[0].root,
            resource: 0,
        }
    }

    pub(super) fn draft(&self, schema: Schema<'s>) -> Draft {
        self.resources[schema.resource].draft
    }

    /// A schema that lies in another.
    pub(super) fn within(&self, parent: Schema<'s>, value: &'s Value) -> Schema<'s> {
        let own = self.by_place.get(&place(value)).copied();
        Schema {
            value,
            resource: own.unwrap_or(parent.resource),
        }
    }

    /// The root of a schema's resource.
    pub(super) fn resource_root(&self, schema: Schema<'s>) -> Schema<'s> {
        Schema {
            value: self.resources[schema.resource].root,
            resource: schema.resource,
        }
    }

    /// What has a dynamic anchor in a schema's resource.
    pub(super) fn dynamic_anchor(&self, schema: Schema<'s>, name: &str) -> Option<Schema<'s>> {
        let found = self.resources[schema.resource].dynamic_anchors.get(name)?;
        Some(self.within(schema, found))
    }

    fn add_resource(
        &mut self,
        root: &'s Value,
        address: String,
        draft: Draft,
    ) -> Result<usize, Refusal> {
        let draft = match root.get("$schema").and_then(Value::as_str) {
            // Compat: a name that is no address is let pass.
            Some(named) if named.starts_with("urn:") => draft,
            Some(named) => Draft::of(named).ok_or_else(|| Refusal::Remote(named.to_owned()))?,
            None => draft,
        };
        let number = self.resources.len();
        self.resources.push(Resource {
            draft,
            root,
            address,
            anchors: BTreeMap::new(),
            dynamic_anchors: BTreeMap::new(),
        });
        self.by_place.insert(place(root), number);
        Ok(number)
    }

    /// Finds resources and anchors.
    fn collect(
        &mut self,
        value: &'s Value,
        mut resource: usize,
        is_root: bool,
        depth: usize,
    ) -> Result<(), Refusal> {
        let Value::Mapping(map) = value else {
            return Ok(());
        };
        if depth > MAX_DEPTH {
            return Err(Refusal::Invalid("schemas nest too deep".to_owned()));
        }
        let draft = self.resources[resource].draft;
        let keyword = if draft == Draft::Draft4 { "id" } else { "$id" };
        let hides = draft < Draft::Draft2019 && map.contains_key("$ref");
        let id = map.get(keyword).and_then(Value::as_str).filter(|_| !hides);
        if let Some(id) = id {
            let (address, fragment) = id.split_once('#').unwrap_or((id, ""));
            if !address.is_empty() {
                let address = join(&self.resources[resource].address, address);
                if is_root {
                    self.resources[resource].address = address;
                } else {
                    resource = self.add_resource(value, address, draft)?;
                }
            }
            if draft < Draft::Draft2019 && !fragment.is_empty() && !fragment.starts_with('/') {
                self.resources[resource].anchors.insert(fragment, value);
            }
        }
        if draft >= Draft::Draft2019
            && let Some(name) = map.get("$anchor").and_then(Value::as_str)
        {
            self.resources[resource].anchors.insert(name, value);
        }
        if draft >= Draft::Draft2020
            && let Some(name) = map.get("$dynamicAnchor").and_then(Value::as_str)
        {
            let resource = &mut self.resources[resource];
            resource.anchors.insert(name, value);
            resource.dynamic_anchors.insert(name, value);
        }
        for below in subschemas(map, draft, Reach::All) {
            self.collect(below, resource, false, depth + 1)?;
        }
        Ok(())
    }

    /// Holds a schema and all that lie in it to the shapes of keywords.
    fn check(
        &self,
        schema: Schema<'s>,
        checked: &mut HashSet<usize>,
        depth: usize,
    ) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::Invalid("schemas nest too deep".to_owned()));
        }
        if !checked.insert(place(schema.value)) {
            return Ok(());
        }
        let draft = self.draft(schema);
        shape::check(schema.value, draft).map_err(Refusal::Invalid)?;
        if let Value::Mapping(map) = schema.value {
            for below in subschemas(map, draft, Reach::All) {
                self.check(self.within(schema, below), checked, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Makes sure that the references of every schema that takes part lead
    /// somewhere, and that what they lead to is a schema.
    fn follow(
        &self,
        schema: Schema<'s>,
        checked: &mut HashSet<usize>,
        seen: &mut HashSet<usize>,
        depth: usize,
    ) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(Refusal::Invalid("schemas nest too deep".to_owned()));
        }
        if !seen.insert(place(schema.value)) {
            return Ok(());
        }
        let Value::Mapping(map) = schema.value else {
            return Ok(());
        };
        let draft = self.draft(schema);
        for keyword in self.reference_keywords(schema) {
            if let Some(reference) = map.get(*keyword).and_then(Value::as_str)
                && let Some(target) = self.resolve(schema, reference)?
            {
                self.check(target, checked, depth + 1)?;
                self.follow(target, checked, seen, depth + 1)?;
            }
        }
        // What stands beside a reference counts only in later drafts.
        if draft < Draft::Draft2019 && map.contains_key("$ref") {
            return Ok(());
        }
        for below in subschemas(map, draft, Reach::InUse) {
            self.follow(self.within(schema, below), checked, seen, depth + 1)?;
        }
        Ok(())
    }

    fn reference_keywords(&self, schema: Schema<'s>) -> &'static [&'static str] {
        match self.draft(schema) {
            Draft::Draft2020 => &["$ref", "$dynamicRef"],
            Draft::Draft2019 => &["$ref", "$recursiveRef"],
            _ => &["$ref"],
        }
    }

    /// What a reference in a schema leads to; nothing for a name that is no
    /// address, which Helm lets pass.
    pub(super) fn resolve(
        &self,
        schema: Schema<'s>,
        reference: &str,
    ) -> Result<Option<Schema<'s>>, Refusal> {
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let own = schema.resource;
        let resource = if address.is_empty() {
            own
        } else {
            let address = join(&self.resources[own].address, address);
            let found = self.resources.iter().position(|r| r.address == address);
            match found {
                Some(found) => found,
                None if address == ROOT => 0,
                None if self.fetched.contains_key(&*address) => self.fetched[&*address],
                None if address.starts_with("urn:") => return Ok(None),
                None if address.starts_with("file:") => {
                    let path = address.trim_start_matches("file://");
                    return Err(Refusal::Dangling(format!(
                        "failing loading \"{address}\": open {path}: no such file or directory"
                    )));
                }
                None => return Err(Refusal::Remote(address)),
            }
        };
        let fragment = percent_decoded(fragment);
        let start = Schema {
            value: self.resources[resource].root,
            resource,
        };
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            self.pointed(start, &fragment)
        } else {
            let anchor = self.resources[resource].anchors.get(&*fragment);
            anchor.map(|value| self.within(start, value))
        };
        found.map(Some).ok_or_else(|| {
            Refusal::Dangling(if fragment.starts_with('/') {
                format!("json-pointer in \"{ROOT}#{fragment}\" not found")
            } else {
                format!("anchor in \"{ROOT}#{fragment}\" not found in schema \"{ROOT}#\"")
            })
        })
    }

    fn pointed(&self, start: Schema<'s>, pointer: &str) -> Option<Schema<'s>> {
        let mut schema = start;
        for token in pointer.split('/').skip(1) {
            let token = crate::diag::pointer::unescape(token);
            let value = match schema.value {
                Value::Mapping(map) => map.get(&*token)?,
                Value::Sequence(items) => items.get(token.parse::<usize>().ok()?)?,
                _ => return None,
            };
            schema = self.within(schema, value);
        }
        Some(schema)
    }
}

/// Which of the schemas within one are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// All of them.
    All,
    /// Those that values are held to when they are held to the one.
    InUse,
}

/// How schemas lie under a keyword.
#[derive(Clone, Copy)]
enum Under {
    /// The value is one.
    Itself,
    /// Its items are; the value may be one itself.
    Items,
    /// Its values are.
    Names,
}

/// How schemas lie under a keyword, in the drafts that know it.
fn under(keyword: &str, draft: Draft) -> Option<Under> {
    use Draft::{Draft4, Draft6, Draft7, Draft2019, Draft2020};
    let (first, under) = match keyword {
        "additionalItems" if draft >= Draft2020 => return None,
        "additionalItems" | "additionalProperties" | "not" => (Draft4, Under::Itself),
        "contains" | "propertyNames" => (Draft6, Under::Itself),
        "else" | "if" | "then" => (Draft7, Under::Itself),
        "contentSchema" | "unevaluatedItems" | "unevaluatedProperties" => {
            (Draft2019, Under::Itself)
        }
        "allOf" | "anyOf" | "items" | "oneOf" => (Draft4, Under::Items),
        "prefixItems" => (Draft2020, Under::Items),
        "definitions" | "dependencies" | "patternProperties" | "properties" => {
            (Draft4, Under::Names)
        }
        "$defs" | "dependentSchemas" => (Draft2019, Under::Names),
        _ => return None,
    };
    (draft >= first).then_some(under)
}

/// The schemas directly within one, under the keywords that its draft knows.
fn subschemas(map: &Map, draft: Draft, reach: Reach) -> impl Iterator<Item = &Value> {
    let is_in_use = move |keyword: &str| match keyword {
        "$defs" | "definitions" | "contentSchema" => false,
        "then" | "else" => map.contains_key("if"),
        "additionalItems" => matches!(map.get("items"), Some(Value::Sequence(_))),
        _ => true,
    };
    map.iter()
        .filter_map(move |(keyword, value)| {
            let under = under(keyword, draft)?;
            let is_meant = reach == Reach::All || is_in_use(keyword);
            is_meant.then_some((under, keyword, value))
        })
        .flat_map(|(under, keyword, value)| {
            let (itself, items, names) = match (under, value) {
                (Under::Itself, value) => (Some(value), None, None),
                (Under::Items, Value::Sequence(items)) => (None, Some(items), None),
                (Under::Items, value) => {
                    (Some(value).filter(|_| &**keyword == "items"), None, None)
                }
                (Under::Names, Value::Mapping(names)) => (None, None, Some(names)),
                (Under::Names, _) => (None, None, None),
            };
            let items = items.into_iter().flatten();
            let names = names.into_iter().flat_map(|names| names.values());
            itself.into_iter().chain(items).chain(names)
        })
        .filter(|value| matches!(value, Value::Mapping(_) | Value::Bool(_)))
}

/// An address relative to another.
fn join(base: &str, address: &str) -> String {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    };
    if address
        .split_once(':')
        .is_some_and(|(scheme, _)| is_scheme(scheme))
    {
        return address.to_owned();
    }
    let Some((scheme, rest)) = base.split_once("://") else {
        return address.to_owned();
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if address.starts_with('/') {
        address.to_owned()
    } else {
        let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
        format!("{folder}{address}")
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("{scheme}://{host}/{}", parts.join("/"))
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        if byte == b'%' {
            let mut ahead = bytes.clone();
            if let (Some(high), Some(low)) = (hex(ahead.next()), hex(ahead.next())) {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                bytes = ahead;
                continue;
            }
        }
        out.push(byte);
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (base, address, want) in [
            (ROOT, "other.json", "file:///other.json"),
            ("https://a.b/c/d.json", "../e.json", "https://a.b/e.json"),
            ("https://a.b/c/d.json", "/x/./y", "https://a.b/x/y"),
            ("https://a.b", "x", "https://a.b/x"),
            (ROOT, "urn:x:y", "urn:x:y"),
        ] {
            assert_eq!(join(base, address), want);
        }
        assert_eq!(percent_decoded("/a%25b%2Fc%"), "/a%b/c%");
    }
}
