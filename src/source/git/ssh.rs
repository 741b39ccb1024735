//! SSH, through the machine's own `ssh`.
//!
//! It knows every kind of key, agent and token, and is kept up to date. With a
//! key from a Secret it gets nothing of the user's: its own configuration, that
//! key alone, those hosts alone. Hosts that are not known are refused.

#![expect(
    clippy::disallowed_methods,
    reason = "connections over SSH are those of the program `ssh`"
)]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::diag::{Error, Result};
use crate::source::credentials::Credentials;

/// Where a repository lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) user: String,
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) path: String,
}

impl Address {
    /// Reads `ssh://USER@HOST:PORT/PATH` and `USER@HOST:PATH`; none for other
    /// addresses.
    pub(super) fn parse(url: &str) -> Option<Address> {
        let (authority, path, port) = if let Some(rest) = url.strip_prefix("ssh://") {
            let (authority, path) = rest.split_at(rest.find('/')?);
            match authority.rsplit_once(':') {
                Some((authority, port)) => (authority, path, Some(port.parse().ok()?)),
                None => (authority, path, None),
            }
        } else {
            if url.contains("://") {
                return None;
            }
            let (authority, path) = url.split_once(':')?;
            (authority, path, None)
        };
        let (user, host) = authority.split_once('@').unwrap_or(("git", authority));
        // What `ssh` could take for an option names no host.
        if host.is_empty() || host.contains('/') || [user, host].iter().any(|w| w.starts_with('-'))
        {
            return None;
        }
        Some(Address {
            user: user.split(':').next().unwrap_or(user).to_owned(),
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

/// Starts `git-upload-pack` over there.
pub(super) fn start(
    address: &Address,
    credentials: &Credentials,
) -> Result<(Child, tempfile::TempDir)> {
    let failed = |e: std::io::Error| {
        Error::new(
            "source/ssh",
            format!("the program `ssh` cannot be started: {e}"),
        )
        .help("install OpenSSH's client, or use an https address")
    };
    if credentials.proxy()?.is_some() {
        return Err(
            Error::new("source/credentials", "proxies are not supported for SSH")
                .help("use the https address of the repository, or leave out `proxySecretRef`"),
        );
    }
    let files = tempfile::tempdir().map_err(failed)?;
    let mut command = Command::new("ssh");
    command
        .args(["-T", "-o", "ConnectTimeout=30"])
        .args(["-o", "SendEnv=GIT_PROTOCOL", "-o", "LogLevel=ERROR"])
        .env("GIT_PROTOCOL", "version=2")
        .env("LC_ALL", "C");
    if let Some(key) = credentials.entry(&["identity"]) {
        let path = files.path().join("identity");
        write_private(&path, key).map_err(failed)?;
        command
            .args([
                "-F",
                "none",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "IdentityAgent=none",
                "-i",
            ])
            .arg(path);
    }
    match credentials.passphrase()? {
        Some(passphrase) => answer(&mut command, files.path(), passphrase).map_err(failed)?,
        // Nobody is asked.
        None => drop(command.args(["-o", "BatchMode=yes"])),
    }
    if let Some(hosts) = credentials.entry(&["known_hosts"]) {
        let path = files.path().join("known_hosts");
        write_private(&path, hosts).map_err(failed)?;
        let option = |name: &str| format!("{name}={}", path.display());
        command
            .args([
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "GlobalKnownHostsFile=none",
                "-o",
            ])
            .arg(option("UserKnownHostsFile"));
    } else {
        command.args(["-o", "StrictHostKeyChecking=yes"]);
    }
    if let Some(port) = address.port {
        command.args(["-p", &port.to_string()]);
    }
    let quoted = address.path.replace('\'', r"'\''");
    let child = command
        .arg(format!("{}@{}", address.user, address.host))
        .arg(format!("git-upload-pack '{quoted}'"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    Ok((child, files))
}

/// Lets `ssh` ask a program for the passphrase of the key, once: it reads one
/// from a terminal or from such a program alone.
fn answer(command: &mut Command, folder: &Path, passphrase: &str) -> std::io::Result<()> {
    write_private(&folder.join("passphrase"), passphrase.as_bytes())?;
    let program = folder.join("askpass");
    write_private(&program, b"#!/bin/sh\nexec cat \"${0%/*}/passphrase\"\n")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
    command
        .args(["-o", "NumberOfPasswordPrompts=1"])
        .args(["-o", "PreferredAuthentications=publickey"])
        .env("SSH_ASKPASS", program)
        .env("SSH_ASKPASS_REQUIRE", "force")
        // What an older one looks for.
        .env("DISPLAY", ":");
    Ok(())
}

/// Writes a file for `ssh`, which takes line ends as Unix has them.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let content: Vec<u8> = content.iter().copied().filter(|b| *b != b'\r').collect();
    let mut file = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(&content)?;
    // OpenSSH refuses a key whose last line does not end.
    if content.last() != Some(&b'\n') {
        file.write_all(b"\n")?;
    }
    Ok(())
}

/// Whether a private key asks for a passphrase.
///
/// Source: OpenSSH's PROTOCOL.key; RFC 1421 for older forms.
fn is_encrypted(key: &[u8]) -> bool {
    use base64::Engine as _;
    const MAGIC: &[u8] = b"openssh-key-v1\0";
    let text = String::from_utf8_lossy(key);
    let lines = text.lines().map(str::trim);
    let packed: String = lines.filter(|l| !l.starts_with("-----")).collect();
    let unpacked = base64::engine::general_purpose::STANDARD.decode(packed);
    let unpacked = unpacked.unwrap_or_default();
    // The name of the cipher comes first, behind its length.
    let is_sealed = |rest: &[u8]| !rest.starts_with(b"\0\0\0\x04none");
    text.contains("ENCRYPTED") || unpacked.strip_prefix(MAGIC).is_some_and(is_sealed)
}

/// What `ssh` said before it ended.
pub(super) fn why_ended(child: &mut Child, address: &Address, credentials: &Credentials) -> Error {
    let mut said = String::new();
    if let Some(mut errors) = child.stderr.take() {
        // What cannot be read is not said.
        let _ = errors.by_ref().take(16 << 10).read_to_string(&mut said);
    }
    let host = &address.host;
    let last: String = said
        .lines()
        .rev()
        .find(|l| !l.trim().is_empty())
        .unwrap_or("it closed the connection")
        .chars()
        .take(300)
        .collect();
    let has_changed = said.contains("HOST IDENTIFICATION HAS CHANGED");
    if has_changed || said.contains("Host key verification failed") {
        let scan = match address.port {
            Some(port) => format!("ssh-keyscan -p {port} {host}"),
            None => format!("ssh-keyscan {host}"),
        };
        return Error::new(
            "source/host-key",
            if has_changed {
                format!("the SSH host `{host}` has another key than the one that is known")
            } else {
                format!("the key of the SSH host `{host}` is not known")
            },
        )
        .help(format!(
            "find out its key, then add it as `known_hosts` to the source's Secret, or to \
                 ~/.ssh/known_hosts: `{scan}` shows what it claims"
        ));
    }
    if said.contains("Permission denied") {
        return denied(&said, host, credentials);
    }
    if said.contains("does not appear to be a git repository") || said.contains("not found") {
        return Error::new(
            "source/missing",
            format!("`{}` is no repository on `{host}`", address.path),
        )
        .help("is the address right?");
    }
    Error::new(
        "source/unreachable",
        format!("`{host}` cannot be reached over SSH: {last}"),
    )
    .help("is the address right, and the network there?")
}

/// Why the host let nobody in.
fn denied(said: &str, host: &str, credentials: &Credentials) -> Error {
    let key = credentials.entry(&["identity"]);
    let is_sealed = key.is_some_and(is_encrypted);
    let has_passphrase = matches!(credentials.passphrase(), Ok(Some(_)));
    if said.contains("Load key") {
        return Error::new(
            "source/credentials",
            "`identity` in the Secret is no private SSH key",
        )
        .help("give the whole file of the private key, its first and last line included");
    }
    if is_sealed && !has_passphrase {
        return Error::new(
            "source/credentials",
            "the SSH key in the Secret has a passphrase",
        )
        .help("give it as `password` in the same Secret");
    }
    Error::new("source/denied", format!("`{host}` refused the SSH key")).help(if is_sealed {
        "is `password` the passphrase of the key, and may it read this?"
    } else {
        "is the key in the source's Secret, or in the agent, and may it read this?"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let read = |url| {
            Address::parse(url).map(|a| format!("{} {} {:?} {}", a.user, a.host, a.port, a.path))
        };
        let is = |url, want: &str| assert_eq!(read(url).as_deref(), Some(want));
        is("ssh://git@h/o/r.git", "git h None /o/r.git");
        is("ssh://h:2222/o/r", "git h Some(2222) /o/r");
        is("alice@h:o/r", "alice h None o/r");
        for url in [
            "https://h/o",
            "/srv/x",
            "ssh://-oProxyCommand=x/y",
            "ssh://h",
            "-x:y",
            "a/b:c",
        ] {
            assert_eq!(read(url), None, "{url}");
        }
    }
}
