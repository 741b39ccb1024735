//! Sources on real servers, on loopback: git's `http-backend` behind a small
//! HTTP server, `sshd`, Debian's `docker-registry`, static chart repositories;
//! well-behaved and not.
//!
//! A server that is not installed is said by name, and its tests do not run.

#![expect(
    clippy::print_stderr,
    reason = "what does not run is said, with its reason"
)]
#![expect(
    clippy::zombie_processes,
    reason = "servers are waited for when what holds them is dropped"
)]

mod bad_input;
mod bucket;
mod bundle;
mod bundle_secure;
mod charts;
mod composed;
#[cfg(feature = "verify")]
mod cosign;
mod dependencies;
mod fleet;
mod git;
pub(crate) mod http;
mod merge;
mod offline;
mod registry;
mod remotes;
mod secure;
mod ssh;
mod tls;
mod trouble;
#[cfg(feature = "verify")]
mod trust;

use std::path::PathBuf;

/// A program that a test needs; none, said by name, where it is not installed.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/bin"].map(PathBuf::from));
    let found = folders
        .map(|folder| folder.join(name))
        .find(|path| path.exists());
    if found.is_none() {
        // Libtest shows it with --nocapture; CI installs them all.
        eprintln!("not run: `{name}` is not installed");
    }
    found
}

/// Whether this machine gives namespaces; said where it does not.
fn has_namespaces() -> bool {
    let made = std::process::Command::new("unshare")
        .args(["-rn", "true"])
        .status();
    let is_there = made.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("not run: this machine gives no namespaces");
    }
    is_there
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
