//! Maps.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Text, Value};
use crate::gotmpl::function::Function;

/// The type of a map in Go; its keys are strings.
#[derive(Debug)]
pub struct MapType {
    /// Its name.
    pub name: &'static str,
    /// Whether its values are of type `interface {}`; else they are strings.
    pub boxed: bool,
    /// Its methods; only named types have some.
    pub methods: &'static [Function],
}

impl PartialEq for MapType {
    fn eq(&self, other: &MapType) -> bool {
        self.name == other.name
    }
}

impl MapType {
    /// `map[string]interface {}`
    pub const ANY: &'static MapType = &MapType {
        name: "map[string]interface {}",
        boxed: true,
        methods: &[],
    };
    /// `map[string]string`
    pub const TEXTS: &'static MapType = &MapType {
        name: "map[string]string",
        boxed: false,
        methods: &[],
    };

    /// Whether it is a plain map type, which named ones pass for.
    pub fn is_unnamed(&self) -> bool {
        self.name.starts_with("map[")
    }

    /// What a key that is not there gives, where that is Go's zero value.
    pub fn zero(&self) -> super::Operand {
        if self.boxed {
            super::Operand::boxed(Value::Nil)
        } else {
            super::Operand::plain(Value::text(""))
        }
    }
}

/// The entries of a map, in the order in which Go prints them.
pub type Entries = BTreeMap<Text, Value>;

/// A map: copies see the same entries.
#[derive(Clone)]
pub struct Map {
    map_type: &'static MapType,
    entries: Option<Rc<Cell>>,
}

struct Cell {
    entries: RefCell<Entries>,
    /// Whether changes are counted.
    is_watched: std::cell::Cell<bool>,
}

thread_local! {
    /// Changes of watched maps on this thread.
    static CHANGES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

impl Drop for Cell {
    fn drop(&mut self) {
        let entries = std::mem::take(self.entries.get_mut());
        drop_values(entries.into_values());
    }
}

thread_local! {
    /// How many maps and lists are being dropped within each other.
    static DROPPING: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Values within each other that are dropped by recursion.
const MAX_DROPPING: u32 = 64;

/// Drops values, however deep they nest.
pub(super) fn drop_values(values: impl Iterator<Item = Value>) {
    let depth = DROPPING.get();
    if depth == MAX_DROPPING {
        return dismantle(values);
    }
    DROPPING.set(depth + 1);
    values.for_each(drop);
    DROPPING.set(depth);
}

/// Drops values one level after the other, so that no depth of nesting
/// overflows the stack.
fn dismantle(values: impl Iterator<Item = Value>) {
    let mut pending: Vec<Value> = values
        .filter(|v| matches!(v, Value::List(_) | Value::Map(_)))
        .collect();
    while let Some(value) = pending.pop() {
        let inner: Vec<Value> = match value {
            Value::List(list) => list.into_items().unwrap_or_default(),
            Value::Map(map) => match map.entries.and_then(Rc::into_inner) {
                Some(cell) => cell.entries.take().into_values().collect(),
                None => continue,
            },
            _ => continue,
        };
        pending.extend(
            inner
                .into_iter()
                .filter(|v| matches!(v, Value::List(_) | Value::Map(_))),
        );
    }
}

impl Map {
    /// A map of that type.
    pub fn new(map_type: &'static MapType, entries: Entries) -> Map {
        Map {
            map_type,
            entries: Some(Rc::new(Cell {
                entries: RefCell::new(entries),
                is_watched: std::cell::Cell::new(false),
            })),
        }
    }

    /// A nil map of that type.
    pub fn nil(map_type: &'static MapType) -> Map {
        Map {
            map_type,
            entries: None,
        }
    }

    /// The bytes that a map of so many entries takes, keys and values apart:
    /// its tree has nodes of eleven, of which half may be empty.
    pub fn bytes(entries: usize) -> usize {
        const NODE: usize = 11 * (size_of::<Text>() + size_of::<Value>()) + 16;
        entries.div_ceil(6).saturating_mul(NODE).saturating_add(48)
    }

    /// `map[string]interface {}`
    pub fn any(entries: Entries) -> Map {
        Map::new(MapType::ANY, entries)
    }

    /// Its type.
    pub fn map_type(&self) -> &'static MapType {
        self.map_type
    }

    /// The same map under another type.
    #[must_use]
    pub fn typed(&self, map_type: &'static MapType) -> Map {
        Map {
            map_type,
            entries: self.entries.clone(),
        }
    }

    /// Whether it is a nil of its type.
    pub fn is_nil(&self) -> bool {
        self.entries.is_none()
    }

    /// How many entries.
    pub fn len(&self) -> usize {
        self.with(Entries::len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Value> {
        self.with(|entries| entries.get(key).cloned())
    }

    /// Whether a key is there.
    pub fn has(&self, key: &[u8]) -> bool {
        self.with(|entries| entries.contains_key(key))
    }

    /// The entries as they are now.
    pub fn to_entries(&self) -> Entries {
        self.with(Entries::clone)
    }

    /// Looks at the entries; `look` must not change any map.
    pub fn with<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        match &self.entries {
            Some(cell) => look(&cell.entries.borrow()),
            None => look(&Entries::new()),
        }
    }

    /// Changes the entries; `change` must not look at any map. Does nothing,
    /// and says so, where this is a nil.
    pub fn change<R>(&self, change: impl FnOnce(&mut Entries) -> R) -> Option<R> {
        let cell = self.entries.as_ref()?;
        let result = change(&mut cell.entries.borrow_mut());
        if cell.is_watched.get() {
            CHANGES.set(CHANGES.get() + 1);
            cell.is_watched.set(false);
            // What was put into it is watched from now on.
            self.watch();
        }
        Some(result)
    }

    /// As [`Map::change`], and not counted.
    pub(crate) fn change_quietly(&self, change: impl FnOnce(&mut Entries)) {
        if let Some(cell) = &self.entries {
            change(&mut cell.entries.borrow_mut());
        }
    }

    /// Begins to count the changes of this map and all maps in it.
    pub(crate) fn watch(&self) {
        let mut pending = vec![Value::Map(self.clone())];
        let is_inner = |value: &&Value| matches!(value, Value::List(_) | Value::Map(_));
        while let Some(value) = pending.pop() {
            match value {
                Value::Map(map) => {
                    let cell = map.entries.as_ref();
                    if cell.is_some_and(|cell| !cell.is_watched.replace(true)) {
                        map.with(|e| pending.extend(e.values().filter(is_inner).cloned()));
                    }
                }
                Value::List(list) => {
                    list.with(|items| pending.extend(items.iter().filter(is_inner).cloned()));
                }
                _ => {}
            }
        }
    }

    /// How many changes of watched maps there were on this thread.
    pub(crate) fn changes() -> u64 {
        CHANGES.get()
    }

    /// Whether both are the same map.
    pub fn is_same(&self, other: &Map) -> bool {
        match (&self.entries, &other.entries) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (a, b) => a.is_none() == b.is_none(),
        }
    }
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.with(|entries| f.debug_map().entries(entries).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::super::List;
    use super::*;

    #[test]
    fn copies_are_the_same_map() {
        let map = Map::any(Entries::new());
        let copy = map.clone();
        copy.change(|e| e.insert("a".into(), Value::int(1)));
        assert_eq!(map.len(), 1);
        assert!(map.is_same(&copy));
        assert!(
            Map::nil(MapType::ANY)
                .change(std::collections::BTreeMap::clear)
                .is_none()
        );
    }

    #[test]
    fn deep_nesting_is_dropped() {
        let mut value = Value::Nil;
        for i in 0..300_000 {
            value = if i % 2 == 0 {
                List::any(vec![value]).into()
            } else {
                Map::any([("a".into(), value)].into()).into()
            };
        }
        drop(value);
    }
}
