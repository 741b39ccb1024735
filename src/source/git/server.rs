//! A git server: which references it has, and packs of commits.
//!
//! Version 2 of the protocol is asked for, which lists only what is asked for
//! and gives any commit by its name; servers that know version 0 alone are
//! spoken to in that.
//!
//! Source: git's Documentation/gitprotocol-v2.adoc, gitprotocol-pack.adoc.

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::process::{Child, ChildStdin, ChildStdout};

use super::ssh;
use super::wire::{self, Packet, Packets};
use crate::diag::{Error, Result};
use crate::source::credentials::Credentials;
use crate::source::http::{Failure, Http, retrying};

/// The largest pack that is taken, in bytes.
const MAX_PACK_BYTES: usize = 1 << 30;

/// References by their full names; those of tag objects have what they lead to
/// under their name with `^{}` behind it.
pub(super) type References = BTreeMap<String, String>;

/// A connection to a repository.
pub(super) struct Server {
    line: Line,
    /// What the server says it can do.
    capabilities: Vec<String>,
    /// All references, where the server told them at once: version 0.
    told: Option<References>,
}

/// How the server is spoken to.
enum Line {
    Http { http: Http, url: String },
    Ssh(Session),
}

/// A running `ssh`.
struct Session {
    child: Child,
    input: ChildStdin,
    output: Packets<ChildStdout>,
    /// Its key files; removed with this.
    _files: tempfile::TempDir,
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is to be fetched.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Objects by name.
    pub(super) objects: Vec<String>,
    /// How many commits of history; none for all.
    pub(super) depth: Option<u32>,
    /// Commits alone, without what is in them.
    pub(super) commits_only: bool,
}

impl Server {
    /// Connects to a repository.
    pub(super) fn connect(url: &str, credentials: &Credentials) -> Result<Server> {
        if let Some(address) = ssh::Address::parse(url) {
            let (child, files) = ssh::start(&address, credentials)?;
            return Server::over_ssh(child, files, &address, credentials);
        }
        let http = Http::new(url, credentials, false)?;
        Server::over_http(http, url)
    }

    fn over_http(http: Http, url: &str) -> Result<Server> {
        let url = url.trim_end_matches('/').to_owned();
        let target = format!("{url}/info/refs?service=git-upload-pack");
        let response = http.get(&target, &headers())?;
        let mut packets = Packets::new(response);
        let mut first = packets.lines()?;
        if first.first().is_some_and(|l| l.starts_with("# service=")) {
            first = packets.lines()?;
        }
        let (capabilities, told) = read_greeting(first)?;
        Ok(Server {
            line: Line::Http { http, url },
            capabilities,
            told,
        })
    }

    fn over_ssh(
        mut child: Child,
        files: tempfile::TempDir,
        address: &ssh::Address,
        credentials: &Credentials,
    ) -> Result<Server> {
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new("source/ssh", "ssh has no standard streams"));
        };
        let mut session = Session {
            child,
            input,
            output: Packets::new(output),
            _files: files,
        };
        let greeting = match session.output.lines() {
            Ok(lines) if !lines.is_empty() => lines,
            _ => return Err(ssh::why_ended(&mut session.child, address, credentials)),
        };
        let (capabilities, told) = read_greeting(greeting)?;
        Ok(Server {
            line: Line::Ssh(session),
            capabilities,
            told,
        })
    }

    /// Whether objects are named by SHA-256.
    pub(super) fn is_sha256(&self) -> bool {
        self.can("object-format=sha256")
    }

    fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|c| c == capability)
    }

    /// Whether it gives commits without what is in them.
    pub(super) fn can_leave_out_content(&self) -> bool {
        self.capabilities.iter().any(|c| {
            c == "filter"
                || c.strip_prefix("fetch=")
                    .is_some_and(|f| f.split(' ').any(|f| f == "filter"))
        })
    }

    /// References that begin with one of these.
    pub(super) fn references(&mut self, prefixes: &[String]) -> Result<References> {
        let is_wanted = |name: &str| prefixes.iter().any(|p| name.starts_with(p.as_str()));
        if let Some(told) = &self.told {
            let found = told.iter().filter(|(name, _)| is_wanted(name));
            return Ok(found.map(|(k, v)| (k.clone(), v.clone())).collect());
        }
        let mut request = Vec::new();
        self.begin(&mut request, "ls-refs");
        wire::line(&mut request, "peel");
        for prefix in prefixes {
            wire::line(&mut request, &format!("ref-prefix {prefix}"));
        }
        wire::flush(&mut request);
        #[expect(
            clippy::redundant_closure_for_method_calls,
            reason = "the method alone is not general enough in its lifetimes"
        )]
        let lines = self.ask(&request, |packets| packets.lines())?;
        let mut references = References::new();
        for line in lines {
            let mut words = line.split(' ');
            let (Some(id), Some(name)) = (words.next(), words.next()) else {
                continue;
            };
            for word in words {
                if let Some(peeled) = word.strip_prefix("peeled:") {
                    references.insert(format!("{name}^{{}}"), peeled.to_owned());
                }
            }
            references.insert(name.to_owned(), id.to_owned());
        }
        references.retain(|name, _| is_wanted(name));
        Ok(references)
    }

    /// A pack of these objects and what is in them.
    pub(super) fn fetch(&mut self, wanted: &Wanted) -> Result<Vec<u8>> {
        let mut request = Vec::new();
        if self.told.is_some() {
            self.ask_in_version_0(&mut request, wanted);
            let is_shallow = wanted.depth.is_some();
            return self.ask(&request, |packets| {
                if is_shallow {
                    packets.lines()?;
                }
                // NAK: nothing in common.
                packets.next()?;
                packets.pack(MAX_PACK_BYTES)
            });
        }
        self.begin(&mut request, "fetch");
        wire::line(&mut request, "no-progress");
        wire::line(&mut request, "ofs-delta");
        for object in &wanted.objects {
            wire::line(&mut request, &format!("want {object}"));
        }
        if let Some(depth) = wanted.depth {
            wire::line(&mut request, &format!("deepen {depth}"));
        }
        if wanted.commits_only && self.can_leave_out_content() {
            wire::line(&mut request, "filter tree:0");
        }
        wire::line(&mut request, "done");
        wire::flush(&mut request);
        self.ask(&request, |packets| {
            loop {
                match packets.next()? {
                    Some(Packet::Line(section)) if section == b"packfile" => {
                        return packets.pack(MAX_PACK_BYTES);
                    }
                    Some(_) => {}
                    None => {
                        return Err(Error::new("source/failed", "the git server sent no pack")
                            .help("the server could not do it: try again later"));
                    }
                }
            }
        })
    }

    fn begin(&self, request: &mut Vec<u8>, command: &str) {
        wire::line(request, &format!("command={command}"));
        if self.is_sha256() {
            wire::line(request, "object-format=sha256");
        }
        wire::delimiter(request);
    }

    fn ask_in_version_0(&self, request: &mut Vec<u8>, wanted: &Wanted) {
        let mut asked = vec!["side-band-64k", "ofs-delta", "no-progress"];
        asked.retain(|c| self.can(c));
        if self.is_sha256() {
            asked.push("object-format=sha256");
        }
        for (i, object) in wanted.objects.iter().enumerate() {
            let more = if i == 0 {
                format!(" {}", asked.join(" "))
            } else {
                String::new()
            };
            wire::line(request, &format!("want {object}{more}"));
        }
        if let Some(depth) = wanted.depth {
            wire::line(request, &format!("deepen {depth}"));
        }
        wire::flush(request);
        wire::line(request, "done");
    }

    /// Sends a request and reads the answer; where that breaks off, again from
    /// the beginning.
    fn ask<T>(
        &mut self,
        request: &[u8],
        read: impl Fn(&mut Packets<&mut dyn Read>) -> Result<T>,
    ) -> Result<T> {
        match &mut self.line {
            Line::Http { http, url } => {
                let mut headers = headers();
                let content_type = "application/x-git-upload-pack-request";
                headers.insert(
                    reqwest::header::CONTENT_TYPE,
                    reqwest::header::HeaderValue::from_static(content_type),
                );
                let target = format!("{url}/git-upload-pack");
                retrying(|| {
                    let answer = http.post(&target, &headers, request);
                    let mut answer = answer.map_err(Failure::final_)?;
                    read(&mut Packets::new(&mut answer)).map_err(|e| match e.rule() {
                        "source/broken" => Failure::later(e),
                        _ => Failure::final_(e),
                    })
                })
            }
            Line::Ssh(session) => {
                session
                    .input
                    .write_all(request)
                    .and_then(|()| session.input.flush())
                    .map_err(|e| {
                        Error::new("source/broken", format!("the connection broke off: {e}"))
                    })?;
                read(&mut Packets::new(session.output.input()))
            }
        }
    }
}

fn headers() -> reqwest::header::HeaderMap {
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert(
        "Git-Protocol",
        reqwest::header::HeaderValue::from_static("version=2"),
    );
    headers
}

/// Capabilities, and references where the server lists them unasked.
fn read_greeting(lines: Vec<String>) -> Result<(Vec<String>, Option<References>)> {
    let lines: Vec<String> = match lines.first().map(String::as_str) {
        Some("version 2") => return Ok((lines.into_iter().skip(1).collect(), None)),
        Some("version 1") => lines.into_iter().skip(1).collect(),
        _ => lines,
    };
    let mut capabilities = Vec::new();
    let mut references = References::new();
    for (i, line) in lines.iter().enumerate() {
        let (reference, more) = line.split_once('\0').unwrap_or((line, ""));
        if i == 0 {
            capabilities = more.split(' ').map(str::to_owned).collect();
        }
        let Some((id, name)) = reference.split_once(' ') else {
            return Err(
                Error::new("source/failed", "what answers there is no git server")
                    .help("is the address that of a git repository?"),
            );
        };
        // An empty repository lists its capabilities under this name.
        if name != "capabilities^{}" {
            references.insert(name.to_owned(), id.to_owned());
        }
    }
    Ok((capabilities, Some(references)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_of_both_versions() {
        let lines = |text: &[&str]| text.iter().map(|l| (*l).to_owned()).collect();
        let (capabilities, told) = read_greeting(lines(&[
            "version 2",
            "ls-refs=unborn",
            "fetch=shallow filter",
        ]))
        .unwrap();
        assert_eq!(capabilities, ["ls-refs=unborn", "fetch=shallow filter"]);
        assert!(told.is_none());
        let (capabilities, told) = read_greeting(lines(&[
            "aa HEAD\0side-band-64k shallow",
            "bb refs/tags/v1",
            "aa refs/tags/v1^{}",
        ]))
        .unwrap();
        assert_eq!(capabilities, ["side-band-64k", "shallow"]);
        assert_eq!(told.unwrap()["refs/tags/v1^{}"], "aa");
        let (_, told) = read_greeting(lines(&["00 capabilities^{}\0shallow"])).unwrap();
        assert!(told.unwrap().is_empty());
        assert!(read_greeting(lines(&["<html>"])).is_err());
    }
}
