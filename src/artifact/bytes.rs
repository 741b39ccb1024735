//! Values one after the other in bytes: how records of the program's own are
//! written, and read again without trust in what is there.

/// Writes values.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// A number: seven bits in a byte, the lowest first.
    pub fn number(&mut self, mut value: u64) {
        loop {
            let [lowest, ..] = value.to_le_bytes();
            value >>= 7;
            if value == 0 {
                return self.0.push(lowest);
            }
            self.0.push(lowest | 0x80);
        }
    }

    /// A count or a length.
    pub fn count(&mut self, value: usize) {
        self.number(value as u64);
    }

    /// Bytes, behind their length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Bytes whose length the reader knows.
    pub fn plain(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what a [`Writer`] wrote; none where that is not what is there.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    /// As [`Writer::number`].
    pub fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A count of things that take at least a byte each.
    pub fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    /// As [`Writer::bytes`].
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.count()?;
        self.plain(length)
    }

    /// As [`Writer::plain`].
    pub fn plain(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Text, written as bytes.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::default();
        for number in [0, 127, 128, u64::MAX] {
            writer.number(number);
        }
        writer.bytes(b"abc");
        writer.plain(b"de");
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        let numbers: Vec<_> = (0..4).map(|_| reader.number()).collect();
        assert_eq!(numbers, [Some(0), Some(127), Some(128), Some(u64::MAX)]);
        assert_eq!(reader.text(), Some("abc"));
        assert_eq!(reader.plain(2), Some(&b"de"[..]));
        assert!(reader.is_empty());
        assert_eq!(reader.number(), None);
    }

    #[test]
    fn lengths_are_not_believed() {
        let mut writer = Writer::default();
        writer.number(u64::MAX);
        let bytes = writer.finish();
        assert_eq!(Reader::new(&bytes).bytes(), None);
        assert_eq!(Reader::new(&[0xff; 11]).number(), None);
    }
}
