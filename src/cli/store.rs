//! `fluxwright store list`, `verify`, `prune`.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Subcommand, ValueEnum};

use super::output::{self, Exit};
use crate::diag::{Error, Findings, Result, SourceMap};
use crate::store::{Entry, Keep, Store};

/// Look after the store of fetched sources and rendered results
///
/// Examples:
///   fluxwright store list
///   fluxwright store verify                            # is everything as it was fetched?
///   fluxwright store prune --older-than 30d            # what nobody used for a month
///   fluxwright store prune --max-size 5GiB             # what was used last stays
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what is in the store: digest, size, and the days since it was used
    List {
        #[command(flatten)]
        store: StoreArgs,

        /// How the list is printed
        #[arg(long, value_enum, default_value_t)]
        output: Format,
    },
    /// Read everything in the store and tell what is damaged
    Verify {
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Remove what was not used for long, or what is too much
    ///
    /// Nothing is lost that `fluxwright fetch` cannot bring back, or `build` make again.
    Prune {
        #[command(flatten)]
        store: StoreArgs,

        /// Remove what was not used for this long, as in 30d or 12h
        #[arg(long, value_name = "TIME", value_parser = duration)]
        older_than: Option<Duration>,

        /// Keep no more than this, what was used last first, as in 10GiB or 500MiB
        #[arg(long, value_name = "SIZE", value_parser = size)]
        max_size: Option<u64>,
    },
}

/// Where the store is.
#[derive(Debug, clap::Args)]
pub(super) struct StoreArgs {
    /// The folder of the store [default: fluxwright in $XDG_CACHE_HOME, else in ~/.cache]
    #[arg(long = "store", value_name = "DIR", env = "FLUXWRIGHT_STORE")]
    folder: Option<PathBuf>,
}

impl StoreArgs {
    /// Opens the store.
    ///
    /// # Errors
    ///
    /// `usage/store` where nothing says where it is.
    #[expect(clippy::disallowed_methods, reason = "the command line reads it")]
    pub(super) fn open(&self) -> Result<Store> {
        let variable = |name| std::env::var_os(name).filter(|v| !v.is_empty());
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => match (variable("XDG_CACHE_HOME"), variable("HOME")) {
                (Some(caches), _) => PathBuf::from(caches).join("fluxwright"),
                (None, Some(home)) => PathBuf::from(home).join(".cache/fluxwright"),
                (None, None) => {
                    return Err(Error::new(
                        "usage/store",
                        "neither XDG_CACHE_HOME nor HOME is set, so there is no place for the store",
                    )
                    .help("give a folder: `--store DIR`"));
                }
            },
        };
        Ok(Store::new(folder))
    }
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each entry
    #[default]
    Text,
    /// One JSON list
    Json,
}

impl Args {
    pub(super) fn run(self) -> io::Result<Exit> {
        let result = match self.what {
            What::List { store, output } => list(&store, output),
            What::Verify { store } => verify(&store),
            What::Prune {
                store,
                older_than,
                max_size,
            } => prune(&store, older_than, max_size),
        };
        match result {
            Ok((text, exit)) => {
                output::stdout(text.as_bytes())?;
                Ok(exit)
            }
            Err(e) => {
                output::error(&e);
                Ok(Exit::Failed)
            }
        }
    }
}

fn list(store: &StoreArgs, format: Format) -> Result<(String, Exit)> {
    let store = store.open()?;
    let entries = store.list()?;
    let text = match format {
        Format::Json => {
            let list: Vec<_> = entries
                .iter()
                .map(|e| {
                    serde_json::json!({
                        "digest": e.digest.to_string(),
                        "sizeBytes": e.size_bytes,
                        "daysUnused": days_unused(e),
                    })
                })
                .collect();
            format!("{:#}\n", serde_json::Value::Array(list))
        }
        Format::Text => {
            let total = entries.iter().map(|e| e.size_bytes).sum();
            let lines = entries.iter().map(|e| {
                let days = days_unused(e);
                format!("{}  {:>10}  {days:>4} d\n", e.digest, shown(e.size_bytes))
            });
            let lines: String = lines.collect();
            let rendered = match store.rendered_size()? {
                (0, _) => String::new(),
                (count, size) => format!("{count} results of rendering, {}\n", shown(size)),
            };
            let count = entries.len();
            format!("{lines}{count} entries, {}\n{rendered}", shown(total))
        }
    };
    Ok((text, Exit::Done))
}

#[expect(clippy::disallowed_methods, reason = "the age of a file, for people")]
fn days_unused(entry: &Entry) -> u64 {
    let age = SystemTime::now().duration_since(entry.used);
    age.unwrap_or_default().as_secs() / (24 * 60 * 60)
}

fn verify(store: &StoreArgs) -> Result<(String, Exit)> {
    let store = store.open()?;
    let count = store.list()?.len() + store.rendered_size()?.0;
    let errors = store.verify()?;
    if errors.is_empty() {
        return Ok((format!("{count} entries are whole\n"), Exit::Done));
    }
    let sources = SourceMap::new();
    let mut findings = Findings::new();
    for error in &errors {
        findings.push(error.to_finding(&sources));
    }
    output::findings(&findings.into_sorted(), &sources);
    Ok((String::new(), Exit::No))
}

fn prune(
    store: &StoreArgs,
    used_within: Option<Duration>,
    total_bytes: Option<u64>,
) -> Result<(String, Exit)> {
    if used_within.is_none() && total_bytes.is_none() {
        return Err(
            Error::new("usage/prune", "nothing says what is to be removed")
                .help("give `--older-than 30d`, `--max-size 10GiB`, or both"),
        );
    }
    let pruned = store.open()?.prune(&Keep {
        used_within,
        total_bytes,
    })?;
    let text = format!(
        "removed {} files, {}\n",
        pruned.count,
        shown(pruned.size_bytes)
    );
    Ok((text, Exit::Done))
}

/// A size as people read it.
fn shown(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut unit = "B";
    let mut tenths = bytes.saturating_mul(10);
    for next in units {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = next;
    }
    if unit == "B" {
        format!("{bytes} B")
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// Splits a number from the unit behind it.
fn number(text: &str) -> std::result::Result<(u64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let number = digits
        .parse()
        .map_err(|_| format!("`{text}` does not begin with a number"))?;
    Ok((number, unit))
}

fn duration(text: &str) -> std::result::Result<Duration, String> {
    let (number, unit) = number(text)?;
    let seconds = match unit {
        "d" => 24 * 60 * 60,
        "h" => 60 * 60,
        "m" => 60,
        "s" => 1,
        _ => return Err("a time is a number with d, h, m or s behind it, as in 30d".into()),
    };
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

fn size(text: &str) -> std::result::Result<u64, String> {
    let (number, unit) = number(text)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err("a size is a number of bytes, KiB, MiB or GiB, as in 10GiB".into()),
    };
    Ok(number.saturating_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(size("10GiB"), Ok(10 << 30));
        assert_eq!(size("12"), Ok(12));
        assert!(size("10 GiB").is_err());
        assert!(size("GiB").is_err());
        assert_eq!(duration("30d"), Ok(Duration::from_hours(720)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert!(duration("5").is_err());
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1023), "1023 B");
        assert_eq!(shown(1536), "1.5 KiB");
        assert_eq!(shown(10 << 30), "10.0 GiB");
    }
}
