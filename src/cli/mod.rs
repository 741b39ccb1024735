//! The command line: arguments to settings to one operation; the only module
//! that prints, reads the environment, and writes output files.
//!
//! Each command is a file with its arguments and a function `run`, and one line
//! in `Command`. Standard output is for data, standard error for talk.

#[cfg(not(all(feature = "network", feature = "sops", feature = "verify")))]
mod absent;
mod build;
mod bundle;
mod cache;
mod check;
mod completion;
#[cfg(feature = "sops")]
mod decrypt;
mod diff;
mod environment;
mod envsubst;
mod fail_on;
#[cfg(feature = "network")]
mod fetch;
mod folder;
mod get;
mod graph;
mod head;
mod inflate;
mod inputs;
mod kustomize;
#[cfg(feature = "network")]
mod lock;
mod man;
mod merge;
mod migrate;
mod output;
mod progress;
mod rbac;
mod read;
mod rule;
#[cfg(feature = "sops")]
mod secrets;
mod settings;
mod shard;
mod store;
mod template;
mod trust;
#[cfg(feature = "verify")]
mod verify;
mod world;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{ArgMatches, Args as _, FromArgMatches as _};

pub use output::Exit;

/// A command: what it takes and what it does.
struct Command {
    name: &'static str,
    /// Adds its help and its arguments.
    define: fn(clap::Command) -> clap::Command,
    run: fn(&ArgMatches) -> Result<io::Result<Exit>, clap::Error>,
}

/// A command whose arguments are a type with a method `run`.
macro_rules! command {
    ($name:literal, $args:ty $(, $feature:literal)?) => {
        Command {
            name: $name,
            define: <$args>::augment_args,
            run: |matches| Ok(<$args>::from_arg_matches(matches)?.run($($feature)?)),
        }
    };
}

/// All commands, in the order of the help.
const COMMANDS: &[Command] = &[
    command!("build", build::Args),
    command!("bundle", bundle::Args),
    command!("check", check::Args),
    command!("completion", completion::Args),
    #[cfg(feature = "sops")]
    command!("decrypt", decrypt::Args),
    #[cfg(not(feature = "sops"))]
    command!("decrypt", absent::Args, "sops"),
    command!("diff", diff::Args),
    command!("envsubst", envsubst::Args),
    #[cfg(feature = "network")]
    command!("fetch", fetch::Args),
    #[cfg(not(feature = "network"))]
    command!("fetch", absent::Args, "network"),
    command!("get", get::Args),
    command!("graph", graph::Args),
    command!("kustomize", kustomize::Args),
    #[cfg(feature = "network")]
    command!("lock", lock::Args),
    #[cfg(not(feature = "network"))]
    command!("lock", absent::Args, "network"),
    command!("man", man::Args),
    command!("rbac", rbac::Args),
    command!("merge", merge::Args),
    command!("migrate", migrate::Args),
    command!("rule", rule::Args),
    command!("store", store::Args),
    #[cfg(feature = "verify")]
    command!("verify", verify::Args),
    #[cfg(not(feature = "verify"))]
    command!("verify", absent::Args, "verify"),
    #[cfg(feature = "network")]
    command!("vendor", fetch::VendorArgs),
    #[cfg(not(feature = "network"))]
    command!("vendor", absent::Args, "network"),
    command!("template", template::Args),
];

/// Runs the program with these arguments, the first of them its own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // Defining the arguments of all commands takes longer than building a
    // small kustomization does: one that is named needs no other.
    let named = args.get(1).and_then(|name| name.to_str());
    let definition = match named.and_then(command) {
        Some(command) => program(std::slice::from_ref(command)),
        None => definition(),
    };
    let result =
        definition
            .try_get_matches_from(args)
            .and_then(|matches| match matches.subcommand() {
                Some((name, matches)) => match command(name) {
                    Some(command) => (command.run)(matches),
                    None => Ok(Ok(Exit::Failed)),
                },
                None => Ok(Ok(Exit::Failed)),
            });
    match result {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(e)) => output::exit_of_io(&e).into(),
        Err(e) => {
            // clap prints help to standard output and errors to standard error.
            let code = e.exit_code();
            match e.print() {
                Ok(()) if code == 0 => Exit::Done.into(),
                Ok(()) => Exit::Failed.into(),
                Err(e) => output::exit_of_io(&e).into(),
            }
        }
    }
}

/// The command of a name.
fn command(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The definition of the command line, for completions and manual pages.
fn definition() -> clap::Command {
    program(COMMANDS)
}

/// The command line with these commands alone.
fn program(commands: &[Command]) -> clap::Command {
    let program = clap::Command::new("fluxwright")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "Renders and verifies Flux GitOps repositories without a cluster and without the \
             network",
        )
        .after_help(
            "Exit codes: 0 done; 1 the answer is no; 2 it could not be done, or not wholly.",
        )
        .propagate_version(true)
        .max_term_width(100)
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .arg_required_else_help(true);
    commands.iter().fold(program, |program, command| {
        program.subcommand((command.define)(clap::Command::new(command.name)))
    })
}

/// Today, as in `2026-11-23`: for questions of whether something has ended.
fn today() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "what ends on a day is asked of the machine's clock"
    )]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH);
    let seconds = since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or_default());
    jiff::Timestamp::from_second(seconds)
        .map(|now| now.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}
