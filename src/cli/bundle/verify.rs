//! `fluxwright bundle verify`

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;

use super::make::{self, Plan};
use crate::artifact::{MemoryTree, Tree};
use crate::bundle::{self, Opened, Signers, deviations};
use crate::cli::output::{self, Exit};
use crate::cli::read;
use crate::cli::settings::RepositoryArgs;
use crate::config::Config;
use crate::diag::{Error, Findings, Result, SourceMap, Span};
use crate::diff::{self, Comparison, Rendering};
use crate::gostd::moment::Moment;
use crate::report::difference::{self as report, Form, Titles};
use crate::resource::Files;
use crate::verify::cosign::Trust;
use crate::verify::openpgp_sign::OpenPgpTrust;
use crate::verify::{KeyFile, MAX_KEY_FILE_BYTES, is_refusal};

/// Prove that a bundle is whole, who signed it, and what it was made of
///
/// Hashes every byte of it, and looks for a signature by one of the keys; where
/// both kinds of keys are given, for one of each. An attestation by one of the
/// keys must say what the bundle says of itself. With --rebuild, makes it again
/// and compares object by object. Exits with 1 where it is damaged, signed by
/// nobody who is trusted, or other than what is made again.
///
/// Examples:
///   fluxwright bundle verify bundle --key cosign.pub
///   fluxwright bundle verify bundle --keyring release.asc
///   fluxwright bundle verify bundle.tar --digest sha256:87c1556f…
///   fluxwright bundle verify bundle --config .fluxwright.yaml
///   fluxwright bundle verify bundle.tar --key cosign.pub --rebuild .
///   fluxwright bundle verify bundle --rebuild . -- --kube-version 1.36
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The folder of the bundle, or its .tar file
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,

    /// A file with a public key that may sign, in PEM form (repeatable)
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,

    /// A file of OpenPGP public keys that may sign, armored or binary (repeatable)
    #[arg(long, value_name = "FILE")]
    keyring: Vec<PathBuf>,

    /// Ask for an attestation of the provenance by one of the keys
    #[arg(long)]
    attested: bool,

    /// A .fluxwright.yaml, whose `trust.bundles` names the keys that may sign
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The digest that it must have, where somebody you trust told you
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    /// The repository at the revision that it was made of: make the bundle again, and compare
    #[arg(long, value_name = "REPOSITORY")]
    rebuild: Option<PathBuf>,

    /// The time that keys must be valid at [default: the machine's clock]
    #[arg(long, value_name = "TIME", value_parser = read::moment)]
    now: Option<Moment>,

    /// What `bundle create` was given besides, behind --: how the repository is rendered
    #[arg(last = true, value_name = "OPTION", requires = "rebuild")]
    options: Vec<OsString>,
}

/// The options of a repository that is rebuilt.
#[derive(Debug, Parser)]
#[command(
    name = "fluxwright bundle verify --rebuild",
    disable_help_subcommand = true
)]
struct Rebuild {
    #[command(flatten)]
    repository: RepositoryArgs,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.verify() {
            Ok(lines) => {
                output::stdout(lines.as_bytes())?;
            }
            Err(e) => {
                output::error(&e);
                let is_no = is_refusal(&e) || e.rule().starts_with("bundle/");
                return Ok(if is_no { Exit::No } else { Exit::Failed });
            }
        }
        match &self.rebuild {
            Some(path) => self.rebuild(path),
            None => Ok(Exit::Done),
        }
    }

    fn verify(&self) -> Result<String> {
        let has_keys = !self.key.is_empty() || !self.keyring.is_empty() || self.config.is_some();
        if !has_keys && self.digest.is_none() && self.rebuild.is_none() {
            return Err(
                Error::new("usage/keys", "nobody is named who may have signed").help(
                    "name a public key (`--key FILE`), OpenPGP keys (`--keyring FILE`) or a policy \
                 (`--config .fluxwright.yaml`); or give the digest that it must have \
                 (`--digest DIGEST`), or the repository that it is made of (`--rebuild DIR`)",
                ),
            );
        }
        let tree = super::tree(&self.bundle)?;
        let opened = bundle::open(&*tree)?;
        if let Some(digest) = &self.digest
            && *digest != opened.digest
        {
            return Err(Error::new(
                "bundle/digest",
                format!("its digest is {}, not {digest}", opened.digest),
            )
            .help("it is another bundle than the one you were told of"));
        }
        let mut lines = format!("whole: {} ({})\n", opened.digest, opened.tag);
        if let Some(part) = opened.part() {
            lines.push_str(&format!("part: {part} of a bundle, not the whole\n"));
        }
        for source in opened.unverified() {
            lines.push_str(&format!(
                "unverified: {source} must be signed, and nobody looked when it was made\n"
            ));
        }
        for proof in bundle::prove(&tree, &opened, &self.signers()?)? {
            lines.push_str(&format!(
                "verified: {} is signed by {}\n",
                proof.subject, proof.signer
            ));
        }
        Ok(lines)
    }

    fn signers(&self) -> Result<Signers> {
        let files = |paths: &[PathBuf]| -> Result<Vec<KeyFile>> {
            let files = paths.iter().map(|path| {
                Ok(KeyFile {
                    name: path.display().to_string(),
                    content: read::file(path, MAX_KEY_FILE_BYTES)?,
                })
            });
            files.collect()
        };
        let policy = self.policy()?;
        let named = |given: &[PathBuf], by_policy: Vec<PathBuf>| {
            files(&given.iter().cloned().chain(by_policy).collect::<Vec<_>>())
        };
        let cosign = named(&self.key, policy.keys)?;
        let openpgp = named(&self.keyring, policy.keyrings)?;
        if self.attested && cosign.is_empty() {
            return Err(
                Error::new("usage/attested", "nobody is named who may attest")
                    .help("name a public key: `--key FILE`, or `trust.bundles.keys`"),
            );
        }
        Ok(Signers {
            cosign: match &cosign[..] {
                [] => None,
                files => Some(Trust::keys(files)?),
            },
            openpgp: match &openpgp[..] {
                [] => None,
                files => Some(OpenPgpTrust::read(files)?),
            },
            attested: self.attested,
            now: read::now(self.now),
        })
    }

    /// Makes the bundle again, and says what is other.
    fn rebuild(&self, path: &PathBuf) -> io::Result<Exit> {
        let program = OsString::from("fluxwright");
        let arguments = [program, path.into()].into_iter();
        let again = match Rebuild::try_parse_from(arguments.chain(self.options.iter().cloned())) {
            Ok(again) => again.repository,
            Err(e) => {
                e.print()?;
                return Ok(Exit::Failed);
            }
        };
        let sources = Arc::new(SourceMap::new());
        let mut told = Findings::new();
        match again.with_jobs(|| self.compare(&again, &sources, &mut told)) {
            Ok(None) => {
                output::stdout(b"rebuilt: the same, byte for byte\n")?;
                Ok(Exit::Done)
            }
            Ok(Some(text)) => {
                output::stdout(text.as_bytes())?;
                Ok(Exit::No)
            }
            Err(e) => {
                told.push(e.to_finding(&sources));
                output::findings(&told.into_sorted(), &sources);
                Ok(Exit::Failed)
            }
        }
    }

    /// What differs from the bundle when it is made again; none where nothing
    /// does.
    fn compare(
        &self,
        again: &RepositoryArgs,
        sources: &Arc<SourceMap>,
        told: &mut Findings,
    ) -> Result<Option<String>> {
        let tree = super::tree(&self.bundle)?;
        let bundle = bundle::open(&*tree)?;
        let source = bundle
            .annotations
            .get("org.opencontainers.image.source")
            .map(String::as_str);
        let plan = Plan {
            tag: &bundle.tag,
            source,
            release: false,
            output: None,
            shard: None,
        };
        let made = make::make(again, plan, sources, told)?;
        let mut files = MemoryTree::new("rebuilt");
        for (path, content) in made.files {
            files.insert(path, content);
        }
        let rebuilt = bundle::open(&files)?;
        let found = deviations(&bundle, &rebuilt);
        if found.is_empty() {
            return Ok(None);
        }
        let mut text = format!(
            "rebuilt: another bundle, {}\n{} {}:\n",
            rebuilt.digest,
            found.len(),
            if found.len() == 1 {
                "part deviates"
            } else {
                "parts deviate"
            },
        );
        for deviation in &found {
            text.push_str(&format!("- {deviation}\n"));
        }
        text.push_str(&objects(&bundle, &rebuilt, sources)?);
        Ok(Some(text))
    }

    /// The key files that the configuration names; their paths count from its
    /// folder.
    fn policy(&self) -> Result<Policy> {
        const MAX_CONFIG_BYTES: usize = 1 << 20;
        let Some(path) = &self.config else {
            return Ok(Policy::default());
        };
        let text = read::text_file(path, MAX_CONFIG_BYTES)?;
        let config = Config::parse(&text, Span::NONE.file)
            .map_err(|e| e.context(format!("`{}`", path.display())))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = |names: &[String]| names.iter().map(|name| folder.join(name)).collect();
        let policy = Policy {
            keys: files(&config.trust.bundles.keys),
            keyrings: files(&config.trust.bundles.keyrings),
        };
        if policy.keys.is_empty() && policy.keyrings.is_empty() {
            return Err(Error::new(
                "trust/key-file",
                format!("`{}` names no keys that may sign bundles", path.display()),
            )
            .help("name them under `trust.bundles.keys`, or `trust.bundles.keyrings`"));
        }
        Ok(policy)
    }
}

/// The files of keys that are enough by the policy of a repository.
#[derive(Default)]
struct Policy {
    keys: Vec<PathBuf>,
    keyrings: Vec<PathBuf>,
}

/// The objects that differ, field by field; nothing where none does.
fn objects(bundle: &Opened, rebuilt: &Opened, sources: &Arc<SourceMap>) -> Result<String> {
    let side = |opened: &Opened| -> Result<Rendering> {
        let tree: Arc<dyn Tree> = Arc::new(opened.build.clone());
        diff::output::read(&Files::new(tree, sources.clone()))
    };
    let (old, new) = (side(bundle)?, side(rebuilt)?);
    let difference = diff::compare(&old, &new, &Comparison::default(), sources);
    if difference.is_empty() {
        return Ok(String::new());
    }
    let titles = Titles {
        old: "the bundle".to_owned(),
        new: "rebuilt".to_owned(),
        show_noise: true,
    };
    let form = Form::Unified { color: false };
    let text = report::difference(&difference, &titles, form)?;
    Ok(format!("\n{text}"))
}
