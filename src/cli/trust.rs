//! Who must have signed what, as `.fluxwright.yaml` and the command line have
//! it.

use std::path::Path;

use clap::Args;

use super::read;
use super::settings::source_ref;
use crate::artifact::{Kind, path};
use crate::config::Config;
use crate::diag::{Error, Result};
use crate::gostd::moment::Moment;
use crate::resource::Files;
use crate::source::trust::{Demanded, NamedFile, Policy};
use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES};

/// How far signatures are looked at.
#[derive(Debug, Args)]
#[command(next_help_heading = "Signatures")]
pub(super) struct TrustArgs {
    /// Take this source although its signature is not verified; told everywhere (repeatable)
    #[arg(long, value_name = "KIND/NAMESPACE/NAME", value_delimiter = ',')]
    insecure_skip_verify: Vec<String>,

    /// The time that keys and signatures must be valid at [default: the machine's clock], and
    /// that `now` in a chart gives [default: that of the commit, else 1970-01-01]
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    pub(super) now: Option<Moment>,
}

impl TrustArgs {
    /// The time that keys and signatures must be valid at.
    pub(super) fn now(&self) -> Moment {
        read::now(self.now)
    }

    /// What the user asks for.
    ///
    /// # Errors
    ///
    /// What is no source or no Secret by its form; key files that cannot be
    /// read are errors of what needs them.
    pub(super) fn policy(&self, files: &Files, config: &Config, root: &Path) -> Result<Policy> {
        let open = |name: &String| key_file(name, files, root);
        let mut policy = Policy {
            now: Some(self.now()),
            trusted_root: config.trust.trusted_root.as_ref().map(open),
            ..Policy::default()
        };
        for argument in &self.insecure_skip_verify {
            let source = source_ref(argument).ok_or_else(|| {
                Error::new(
                    "usage/skip-verify",
                    format!("`{argument}` is not KIND/NAMESPACE/NAME"),
                )
                .help("as in `OCIRepository/flux-system/podinfo`")
            })?;
            policy.skipped.insert(source);
        }
        for keys in &config.keys {
            let (namespace, name) = keys.secret.split_once('/').ok_or_else(|| {
                Error::new(
                    "config/invalid",
                    format!("`keys`: `secret: {}` is not NAMESPACE/NAME", keys.secret),
                )
            })?;
            let key = (namespace.to_owned(), name.to_owned());
            policy
                .keys
                .insert(key, keys.files.iter().map(open).collect());
        }
        for of in &config.trust.sources {
            policy.sources.push(Demanded {
                keys: of.keys.iter().map(open).collect(),
                trusted_root: of.trusted_root.as_ref().map(open),
                of: of.clone(),
            });
        }
        Ok(policy)
    }
}

/// A key file: of the repository, in the version that is looked at; or, by a
/// path that leads out of it, of this machine.
fn key_file(name: &str, files: &Files, root: &Path) -> NamedFile {
    let about = |e: Error| {
        Error::new(
            "trust/key-file",
            format!("key file `{name}` cannot be read: {e}"),
        )
        .help("correct its path in .fluxwright.yaml: it counts from the root of the repository")
    };
    let inside = path::join("", name).filter(|_| !Path::new(name).is_absolute());
    let content = match inside {
        Some(inside) if matches!(files.kind(&inside), Ok(Some(Kind::File))) => {
            files.bytes(&inside).map(|bytes| bytes.to_vec())
        }
        _ => read::file(&root.join(name), MAX_KEY_FILE_BYTES),
    };
    Ok(KeyFile {
        name: name.to_owned(),
        content: content.map_err(about)?,
    })
}
