//! Gives the program a name for its own build, `FLUXWRIGHT_BUILD`: a digest of
//! everything that it is made from. What one build rendered and kept is not
//! taken for what another one would render.
//!
//! On Linux the program lies at a fixed address, as kubectl's and Helm's do: the
//! loader has 40,000 pointers less to move at each start, which takes a fifth of
//! a short run (docs/performance.md). FLUXWRIGHT_PIE=1 makes one that is loaded
//! anywhere; libraries, stack and heap are at random places in both.

#![expect(
    clippy::disallowed_methods,
    reason = "this runs before the program is made"
)]

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

/// What the program is made from.
const PARTS: [&str; 4] = ["src", "schemas", "Cargo.toml", "Cargo.lock"];

fn main() {
    let mut files = Vec::new();
    for part in PARTS {
        println!("cargo::rerun-if-changed={part}");
        collect(Path::new(part), &mut files);
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(&file).unwrap_or_default().hash(&mut hasher);
    }
    let mut features: Vec<String> = std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("CARGO_FEATURE_"))
        .collect();
    features.sort();
    features.hash(&mut hasher);
    println!("cargo::rustc-env=FLUXWRIGHT_BUILD={:016x}", hasher.finish());
    println!("cargo::rerun-if-env-changed=FLUXWRIGHT_PIE");
    let is = |variable: &str, value: &str| std::env::var(variable).is_ok_and(|v| v == value);
    if is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && !is("FLUXWRIGHT_PIE", "1")
    {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(path) else {
        files.push(path.to_owned());
        return;
    };
    for entry in entries.flatten() {
        collect(&entry.path(), files);
    }
}
