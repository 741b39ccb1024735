//! Slices.

use std::cell::RefCell;
use std::rc::Rc;

use super::Value;
use super::map::drop_values;

/// The type of a slice in Go.
#[derive(Debug, PartialEq, Eq)]
pub struct ListType {
    /// Its name.
    pub name: &'static str,
    /// Whether its items are of type `interface {}`.
    pub boxed: bool,
}

impl ListType {
    /// `[]interface {}`
    pub const ANY: &'static ListType = &ListType {
        name: "[]interface {}",
        boxed: true,
    };
    /// `[]string`
    pub const TEXTS: &'static ListType = &ListType {
        name: "[]string",
        boxed: false,
    };
    /// `[]int`
    pub const INTS: &'static ListType = &ListType {
        name: "[]int",
        boxed: false,
    };
    /// `[][]interface {}`
    pub const LISTS: &'static ListType = &ListType {
        name: "[][]interface {}",
        boxed: false,
    };
    /// `[]map[string]interface {}`
    pub const MAPS: &'static ListType = &ListType {
        name: "[]map[string]interface {}",
        boxed: false,
    };
}

/// A slice: copies see the same items.
#[derive(Clone)]
pub struct List {
    list_type: &'static ListType,
    items: Option<Rc<Items>>,
}

struct Items(RefCell<Vec<Value>>);

impl Drop for Items {
    fn drop(&mut self) {
        drop_values(self.0.get_mut().drain(..));
    }
}

impl List {
    /// A slice of that type.
    pub fn new(list_type: &'static ListType, items: Vec<Value>) -> List {
        List {
            list_type,
            items: Some(Rc::new(Items(RefCell::new(items)))),
        }
    }

    /// A nil slice of that type.
    pub fn nil(list_type: &'static ListType) -> List {
        List {
            list_type,
            items: None,
        }
    }

    /// The bytes that a slice of so many items takes, what they hold apart: its
    /// two blocks of memory are counted as allocators round them.
    pub fn bytes(items: usize) -> usize {
        items.saturating_mul(size_of::<Value>()).saturating_add(112)
    }

    /// `[]interface {}`
    pub fn any(items: Vec<Value>) -> List {
        List::new(ListType::ANY, items)
    }

    /// `[]string`
    pub fn texts<T: Into<super::Text>>(items: impl IntoIterator<Item = T>) -> List {
        List::new(
            ListType::TEXTS,
            items.into_iter().map(Value::text).collect(),
        )
    }

    /// Its type.
    pub fn list_type(&self) -> &'static ListType {
        self.list_type
    }

    /// Whether it is a nil of its type.
    pub fn is_nil(&self) -> bool {
        self.items.is_none()
    }

    /// How many items.
    pub fn len(&self) -> usize {
        self.items
            .as_ref()
            .map_or(0, |items| items.0.borrow().len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An item.
    pub fn get(&self, index: usize) -> Option<Value> {
        self.items.as_ref()?.0.borrow().get(index).cloned()
    }

    /// The items as they are now.
    pub fn to_vec(&self) -> Vec<Value> {
        self.with(<[Value]>::to_vec)
    }

    /// Looks at the items; `look` must not change any list.
    pub fn with<R>(&self, look: impl FnOnce(&[Value]) -> R) -> R {
        match &self.items {
            Some(items) => look(&items.0.borrow()),
            None => look(&[]),
        }
    }

    /// Changes the items; `change` must not look at any list.
    pub fn change(&self, change: impl FnOnce(&mut Vec<Value>)) {
        if let Some(items) = &self.items {
            change(&mut items.0.borrow_mut());
        }
    }

    /// Whether both are the same slice.
    pub fn is_same(&self, other: &List) -> bool {
        match (&self.items, &other.items) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (a, b) => a.is_none() == b.is_none(),
        }
    }

    /// The items, where this is the last copy.
    pub(super) fn into_items(self) -> Option<Vec<Value>> {
        let items = Rc::into_inner(self.items?)?;
        Some(items.0.take())
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.with(|items| f.debug_list().entries(items).finish())
    }
}
