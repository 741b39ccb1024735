//! Packet lines: how git frames what it sends.
//!
//! Source: git's Documentation/gitprotocol-common.adoc: four hexadecimal digits
//! of length, themselves included, then the content; 0000, 0001 and 0002 are
//! marks.

use std::io::Read;

use crate::diag::{Error, Result};

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// Content, its line break taken off.
    Line(Vec<u8>),
    /// `0000`
    Flush,
    /// `0001`
    Delimiter,
    /// `0002`
    End,
}

/// Adds a line.
pub(super) fn line(out: &mut Vec<u8>, text: &str) {
    // No command here comes near the limit of 65,516 bytes.
    out.extend_from_slice(format!("{:04x}{text}\n", text.len() + 5).as_bytes());
}

/// Adds a flush.
pub(super) fn flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0000");
}

/// Adds a delimiter.
pub(super) fn delimiter(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0001");
}

/// Reads packets.
pub(super) struct Packets<R> {
    input: R,
}

impl<R: Read> Packets<R> {
    pub(super) fn new(input: R) -> Packets<R> {
        Packets { input }
    }

    /// What it reads from.
    pub(super) fn input(&mut self) -> &mut R {
        &mut self.input
    }

    /// The next packet as it is, its line break included; none at the end.
    pub(super) fn next_raw(&mut self) -> Result<Option<Packet>> {
        let mut length = [0; 4];
        match self.input.read(&mut length[..1]) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(e) => return Err(broken(&e.to_string())),
        }
        self.fill(&mut length[1..])?;
        let text = std::str::from_utf8(&length).unwrap_or_default();
        let length = usize::from_str_radix(text, 16).map_err(|_| no_git())?;
        match length {
            0 => Ok(Some(Packet::Flush)),
            1 => Ok(Some(Packet::Delimiter)),
            2 => Ok(Some(Packet::End)),
            3 => Err(no_git()),
            length => {
                let mut content = vec![0; length - 4];
                self.fill(&mut content)?;
                Ok(Some(Packet::Line(content)))
            }
        }
    }

    /// The next packet; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Packet>> {
        let mut packet = self.next_raw()?;
        if let Some(Packet::Line(content)) = &mut packet {
            if content.last() == Some(&b'\n') {
                content.pop();
            }
            if let Some(message) = content.strip_prefix(b"ERR ") {
                return Err(told(message));
            }
        }
        Ok(packet)
    }

    /// The lines up to the next mark, as text.
    pub(super) fn lines(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        while let Some(Packet::Line(content)) = self.next()? {
            lines.push(String::from_utf8(content).map_err(|_| no_git())?);
        }
        Ok(lines)
    }

    /// The pack that follows, multiplexed with messages.
    pub(super) fn pack(&mut self, limit: usize) -> Result<Vec<u8>> {
        let mut pack = Vec::new();
        loop {
            let content = match self.next_raw()? {
                Some(Packet::Line(content)) => content,
                Some(_) => return Ok(pack),
                None => return Err(broken("it ends before its pack does")),
            };
            match content.split_first() {
                Some((1, data)) => pack.extend_from_slice(data),
                Some((2, _)) => {}
                Some((3, message)) => return Err(told(message)),
                _ => return Err(no_git()),
            }
            if pack.len() > limit {
                return Err(Error::new(
                    "source/too-large",
                    format!("the repository's pack is larger than {} MiB", limit >> 20),
                ));
            }
        }
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        self.input
            .read_exact(buffer)
            .map_err(|e| broken(&e.to_string()))
    }
}

/// What the server says went wrong.
fn told(message: &[u8]) -> Error {
    let message = String::from_utf8_lossy(message);
    let message: String = message.trim().chars().take(300).collect();
    let error = Error::new("source/failed", format!("the git server says: {message}"));
    if message.contains("not our ref") || message.contains("unadvertised") {
        return Error::new("ref/missing", format!("the git server says: {message}")).help(
            "the commit is not, or no longer, on a branch or tag of the repository: run \
             `fluxwright lock --update NAME`",
        );
    }
    error.help("is the address that of a git repository?")
}

fn broken(why: &str) -> Error {
    Error::new(
        "source/broken",
        format!("the answer of the git server broke off: {why}"),
    )
    .help("try again: what is already there is not fetched twice")
}

fn no_git() -> Error {
    Error::new("source/failed", "what answers there is no git server")
        .help("is the address that of a git repository?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_as_they_are_written() {
        let mut out = Vec::new();
        line(&mut out, "command=fetch");
        delimiter(&mut out);
        flush(&mut out);
        assert_eq!(out, b"0012command=fetch\n00010000");
        let mut packets = Packets::new(out.as_slice());
        assert_eq!(
            packets.next().unwrap(),
            Some(Packet::Line(b"command=fetch".to_vec()))
        );
        assert_eq!(packets.next().unwrap(), Some(Packet::Delimiter));
        assert_eq!(packets.next().unwrap(), Some(Packet::Flush));
        assert_eq!(packets.next().unwrap(), None);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let rule = |bytes: &[u8]| Packets::new(bytes).next().unwrap_err().rule();
        assert_eq!(rule(b"<html>"), "source/failed");
        assert_eq!(rule(b"00"), "source/broken");
        assert_eq!(rule(b"0010abc"), "source/broken");
        assert_eq!(rule(b"0003"), "source/failed");
        assert_eq!(rule(b"000fERR no way\n"), "source/failed");
        assert_eq!(rule(b"0013ERR not our ref"), "ref/missing");
        let mut packets = Packets::new(b"0009\x01PACK".as_slice());
        assert_eq!(packets.pack(10).unwrap_err().rule(), "source/broken");
        let mut packets = Packets::new(b"0009\x01PACK0000".as_slice());
        assert_eq!(packets.pack(10).unwrap(), b"PACK");
        let mut packets = Packets::new(b"0009\x01PACK0000".as_slice());
        assert_eq!(packets.pack(3).unwrap_err().rule(), "source/too-large");
    }
}
