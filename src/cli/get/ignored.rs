//! `fluxwright get ignored DIR`

use std::io;
use std::path::PathBuf;

use crate::artifact::ignore::{self, Matcher};
use crate::artifact::{DiskTree, Kind};
use crate::cli::output::{self, Exit};
use crate::cli::read;
use crate::diag::Result;

/// The longest rules that are read, in bytes.
const MAX_RULES_BYTES: usize = 1 << 20;

/// List the files that remain after ignore rules
///
/// Prints what the artifact of a Git or OCI repository would hold: all regular
/// files below DIR without those that its `.sourceignore` files and the rules
/// of the source leave out. Without any rule, Flux's defaults leave out
/// pictures, archives and the files of CI systems; what version control leaves
/// behind is out unless a rule brings it back.
///
/// Examples:
///   fluxwright get ignored .
///   fluxwright get ignored --rules ignore.txt path/to/repository
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// A file with the rules of the source, its `spec.ignore`
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// The folder that the artifact is made of
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.remaining() {
            Ok(files) => {
                output::stdout(&lines(&files))?;
                Ok(Exit::Done)
            }
            Err(e) => {
                output::error(&e);
                Ok(Exit::Failed)
            }
        }
    }

    fn remaining(&self) -> Result<Vec<String>> {
        let rules = (self.rules.as_deref())
            .map(|path| read::text_file(path, MAX_RULES_BYTES))
            .transpose()?;
        let tree = DiskTree::open(&self.folder)?;
        let matcher = Matcher::for_artifact(&tree, rules.as_deref())?;
        let mut files = ignore::regular_files(&tree)?;
        files.retain(|file| !matcher.is_ignored(file, Kind::File));
        Ok(files)
    }
}

fn lines(files: &[String]) -> Vec<u8> {
    let mut out = Vec::new();
    for file in files {
        out.extend_from_slice(file.as_bytes());
        out.push(b'\n');
    }
    out
}
