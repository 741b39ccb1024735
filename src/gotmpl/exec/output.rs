//! What an execution writes.

use crate::gotmpl::value::Text;

/// Output under way: text, until something that is none is written.
#[derive(Debug)]
pub(crate) enum Output {
    Text(String),
    Bytes(Vec<u8>),
}

impl Default for Output {
    fn default() -> Output {
        Output::Text(String::new())
    }
}

impl Output {
    pub(crate) fn len(&self) -> usize {
        match self {
            Output::Text(text) => text.len(),
            Output::Bytes(bytes) => bytes.len(),
        }
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        match self {
            Output::Text(out) => out.push_str(text),
            Output::Bytes(out) => out.extend_from_slice(text.as_bytes()),
        }
    }

    pub(crate) fn push(&mut self, text: &Text) {
        match text {
            Text::Utf8(text) => self.push_str(text),
            Text::Bytes(bytes) => {
                if let Output::Text(before) = self {
                    *self = Output::Bytes(std::mem::take(before).into_bytes());
                }
                if let Output::Bytes(out) = self {
                    out.extend_from_slice(bytes);
                }
            }
        }
    }

    pub(crate) fn into_text(self) -> Text {
        match self {
            Output::Text(text) => Text::from(text),
            Output::Bytes(bytes) => Text::from(bytes),
        }
    }
}

/// Room that outputs had, for others: templates include each other all the time.
#[derive(Debug, Default)]
pub(crate) struct Spare(Vec<String>);

impl Spare {
    /// How much is kept: so many, of so many bytes.
    const MAX: (usize, usize) = (16, 64 << 10);

    /// An empty output.
    pub(crate) fn output(&mut self) -> Output {
        Output::Text(self.0.pop().unwrap_or_default())
    }

    /// The text of an output, whose room is kept.
    pub(crate) fn text(&mut self, out: Output) -> Text {
        let Output::Text(mut room) = out else {
            return out.into_text();
        };
        let text = Text::from(&*room);
        if self.0.len() < Self::MAX.0 && room.capacity() <= Self::MAX.1 {
            room.clear();
            self.0.push(room);
        }
        text
    }
}
