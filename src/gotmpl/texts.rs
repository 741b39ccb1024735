//! What was read of texts as YAML, for all renderings that read the same: charts
//! write data and read it again, and four texts of five were read before.
//!
//! In: a text, and how it is read. Out: the data, read now or earlier.

use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;

use crate::yaml::Value;

/// Longer texts are read each time, in bytes: few are met twice.
const MAX_TEXT_BYTES: usize = 128 << 10;

/// How much text is kept, in bytes. What it holds takes some ten times as much.
const MAX_BYTES: usize = 4 << 20;

/// Texts that were read; shared by all threads.
#[derive(Debug, Default)]
pub struct Texts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    read: HashMap<Box<[u8]>, Arc<Value>>,
    /// How long the texts are.
    bytes: usize,
}

impl Texts {
    /// What a text holds; errors are not kept. Nothing is locked while it is read.
    pub(super) fn get<E>(
        &self,
        text: &[u8],
        read: impl FnOnce(&[u8]) -> Result<Value, E>,
    ) -> Result<Arc<Value>, E> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if text.len() <= MAX_TEXT_BYTES
            && let Some(known) = lock().read.get(text)
        {
            return Ok(known.clone());
        }
        let value = Arc::new(read(text)?);
        let mut known = lock();
        let bytes = known.bytes + text.len();
        if text.len() <= MAX_TEXT_BYTES && bytes <= MAX_BYTES {
            // Another thread may have read it meanwhile.
            if known.read.insert(text.into(), value.clone()).is_none() {
                known.bytes = bytes;
            }
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_once_and_errors_are_not_kept() {
        let texts = Texts::default();
        let read = |text: &str, value: Result<&str, &str>| {
            let value = value
                .map(|text| Value::String(text.into()))
                .map_err(str::to_owned);
            texts
                .get(text.as_bytes(), |_| value)
                .map(|value| (*value).clone())
        };
        assert_eq!(read("a", Err("wrong")), Err("wrong".to_owned()));
        let first = read("a", Ok("first"));
        assert_eq!(read("a", Ok("second")), first);
        assert_ne!(read("b", Ok("second")), first);
    }

    #[test]
    fn what_is_kept_has_an_end() {
        let texts = Texts::default();
        let counted = std::cell::Cell::new(0);
        let read = |text: &[u8]| {
            let value = texts.get(text, |_| {
                counted.set(counted.get() + 1);
                Ok::<_, ()>(Value::Null)
            });
            assert_eq!(value, Ok(Arc::new(Value::Null)));
        };
        let long = vec![b'x'; MAX_TEXT_BYTES + 1];
        read(&long);
        read(&long);
        assert_eq!(counted.get(), 2);
        for number in 0..=MAX_BYTES / MAX_TEXT_BYTES {
            read(&vec![u8::try_from(number).unwrap(); MAX_TEXT_BYTES]);
        }
        assert_eq!(texts.0.lock().unwrap().bytes, MAX_BYTES);
    }
}
