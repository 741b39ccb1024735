//! `fluxwright get version --range RANGE`

use std::io;

use crate::cli::output::{self, Exit};
use crate::cli::read;
use crate::diag::{Error, Result};
use crate::gostd::semver::{self, Constraints};

/// Print the version that Flux chooses from a range
///
/// Reads versions from standard input, one on each line, and prints the latest
/// one in the range. What is no version of three numbers is passed over.
///
/// Examples:
///   git tag | fluxwright get version --range '>=1.2.0 <2.0.0'
///   git tag | fluxwright get version --range '^1.0.0-0'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The range, as in `spec.ref.semver` or the `version` of a chart
    #[arg(long, allow_hyphen_values = true)]
    range: String,

    /// Choose as for charts: the very version named first, and `*` for an empty range
    #[arg(long)]
    chart: bool,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        match self.answer() {
            Ok(version) => {
                output::stdout(format!("{version}\n").as_bytes())?;
                Ok(Exit::Done)
            }
            Err((error, exit)) => {
                output::error(&error);
                Ok(exit)
            }
        }
    }

    fn answer(&self) -> std::result::Result<String, (Error, Exit)> {
        let failed = |e| (e, Exit::Failed);
        let input = read::stdin().map_err(failed)?;
        let versions: Vec<&str> = input.lines().collect();
        let chosen = choose(&versions, &self.range, self.chart).map_err(failed)?;
        chosen.map(str::to_owned).ok_or_else(|| {
            let error = Error::new(
                "source/version",
                format!("no version is in the range `{}`", self.range),
            )
            .help(format!(
                "none of the {} on standard input will do: a version has three numbers, and \
                 prereleases need a range with one, such as `>=1.0.0-0`",
                versions.len()
            ));
            (error, Exit::No)
        })
    }
}

fn choose<'v>(versions: &[&'v str], range: &str, is_chart: bool) -> Result<Option<&'v str>> {
    let chosen = if is_chart {
        semver::chart_version(versions, range)
    } else {
        Constraints::parse(range).map(|r| semver::latest(versions.iter().copied(), &r, |_| ()))
    };
    let chosen = chosen.map_err(|e| {
        Error::new("source/version", e.to_string())
            .help("write a range such as `>=1.2.0 <2.0.0`, `^1.2.0` or `1.2.x`")
    })?;
    Ok(chosen.and_then(|i| versions.get(i)).copied())
}
