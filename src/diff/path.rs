//! Ways to fields, as people and JSON Pointer write them.

use std::fmt;
use std::sync::Arc;

/// A step into an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The value under a key.
    Key(Arc<str>),
    /// An item of a list.
    Item {
        /// What tells it from its neighbours, `name=app`; none where its place
        /// does.
        label: Option<Arc<str>>,
        /// Its place in the old list; none where it is new.
        old: Option<usize>,
        /// Its place in the new list; none where it is gone.
        new: Option<usize>,
    },
}

/// The way from an object to a field of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(pub Vec<Step>);

impl FieldPath {
    /// The way to a key behind this one.
    #[must_use]
    pub fn key(&self, key: &Arc<str>) -> FieldPath {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.clone()));
        FieldPath(steps)
    }

    /// The way to an item behind this one.
    #[must_use]
    pub fn item(
        &self,
        label: Option<Arc<str>>,
        old: Option<usize>,
        new: Option<usize>,
    ) -> FieldPath {
        let mut steps = self.0.clone();
        steps.push(Step::Item { label, old, new });
        FieldPath(steps)
    }

    /// Whether the way begins with these keys; `*` stands for any step.
    pub fn starts_with(&self, keys: &[&str]) -> bool {
        self.0.len() >= keys.len()
            && keys.iter().zip(&self.0).all(|(key, step)| match step {
                _ if *key == "*" => true,
                Step::Key(name) => **name == **key,
                Step::Item { .. } => false,
            })
    }

    /// The last key on the way.
    pub fn last_key(&self) -> Option<&str> {
        self.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(&**key),
            Step::Item { .. } => None,
        })
    }

    /// A JSON pointer into the new object; into the old one for what is gone.
    pub fn pointer(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, step| {
            text.push('/');
            match step {
                Step::Key(key) => text.push_str(&crate::diag::pointer::escape(key)),
                Step::Item { old, new, .. } => {
                    let index = new.or(*old).unwrap_or_default();
                    text.push_str(&index.to_string());
                }
            }
            text
        })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if key.contains(['.', '[', '/', '"', ' ']) => {
                    write!(f, "[\"{}\"]", key.replace('"', "\\\""))?;
                }
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Item {
                    label: Some(label), ..
                } => write!(f, "[{label}]")?,
                Step::Item { old, new, .. } => {
                    write!(f, "[{}]", new.or(*old).unwrap_or_default())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_written_in_two_forms() {
        let path = FieldPath::default()
            .key(&"spec".into())
            .key(&"containers".into())
            .item(Some("name=app".into()), Some(0), Some(1))
            .key(&"a.b/c~d".into());
        assert_eq!(path.to_string(), "spec.containers[name=app][\"a.b/c~d\"]");
        assert_eq!(path.pointer(), "/spec/containers/1/a.b~1c~0d");
        assert!(path.starts_with(&["spec", "containers", "*"]));
        assert!(!path.starts_with(&["spec", "containers", "0"]));
        assert_eq!(path.last_key(), Some("a.b/c~d"));
    }
}
