//! `fluxwright bundle inspect`

use std::io;
use std::path::PathBuf;

use clap::ValueEnum;

use crate::artifact::Tree as _;
use crate::bundle::{self, Opened};
use crate::cli::output::{self, Exit};
use crate::pipeline::index::INDEX_NAME;

/// Show what a bundle holds
///
/// Proves that the bundle is whole first. Who signed it is `verify`'s to say.
///
/// Examples:
///   fluxwright bundle inspect bundle
///   fluxwright bundle inspect bundle.tar --part images
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The folder of the bundle, or its .tar file
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,

    /// One part of it, as it is
    #[arg(long, value_name = "PART", default_value = "summary")]
    part: Part,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// What it is and how much is in it
    Summary,
    /// The index of the build, JSON
    Index,
    /// The bill of images, JSON
    Images,
    /// The findings, JSON
    Findings,
    /// The provenance statement, JSON
    Provenance,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let opened = super::tree(&self.bundle).and_then(|tree| bundle::open(&*tree));
        let opened = match opened {
            Ok(opened) => opened,
            Err(e) => {
                output::error(&e);
                return Ok(Exit::Failed);
            }
        };
        let bytes = match self.part {
            Part::Summary => summary(&opened).into_bytes(),
            Part::Index => opened
                .build
                .read(INDEX_NAME)
                .map(|b| b.to_vec())
                .unwrap_or_default(),
            Part::Images => line(&opened.images),
            Part::Findings => line(&opened.findings),
            Part::Provenance => line(&opened.provenance),
        };
        output::stdout(&bytes)?;
        Ok(Exit::Done)
    }
}

fn line(bytes: &[u8]) -> Vec<u8> {
    [bytes, b"\n"].concat()
}

fn summary(opened: &Opened) -> String {
    let count = |bytes: &[u8]| {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
        value.as_array().map_or(0, Vec::len)
    };
    let mut text = format!(
        "digest      {}\ntag         {}\n",
        opened.digest, opened.tag
    );
    if let Some(part) = opened.part() {
        text.push_str(&format!(
            "{:<12}{part} of a bundle, not the whole\n",
            "part"
        ));
    }
    for (title, name) in [
        ("source", "source"),
        ("revision", "revision"),
        ("created", "created"),
    ] {
        let key = format!("org.opencontainers.image.{name}");
        if let Some(value) = opened.annotations.get(&key) {
            text.push_str(&format!("{title:<12}{value}\n"));
        }
    }
    for source in opened.unverified() {
        text.push_str(&format!("{:<12}{source}\n", "unverified"));
    }
    text.push_str(&format!(
        "files       {}\nimages      {}\nfindings    {}\nsignatures  {}, attestations {} (not verified here)\n",
        opened.build.paths().count() - 1,
        count(&opened.images),
        count(&opened.findings),
        opened.signatures,
        opened.attestations
    ));
    text
}
