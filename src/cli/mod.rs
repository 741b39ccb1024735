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
mod migrate;
mod output;
mod progress;
mod rbac;
mod read;
mod rule;
#[cfg(feature = "sops")]
mod secrets;
mod settings;
mod store;
mod template;
mod trust;
#[cfg(feature = "verify")]
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use output::Exit;

/// Renders and verifies Flux GitOps repositories without a cluster and without
/// the network
#[derive(Debug, Parser)]
#[command(name = "fluxwright", version, propagate_version = true)]
#[command(max_term_width = 100, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 the answer is no; 2 it could not be done, or not wholly."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Build(Box<build::Args>),
    Bundle(bundle::Args),
    Check(Box<check::Args>),
    Completion(completion::Args),
    #[cfg(feature = "sops")]
    Decrypt(decrypt::Args),
    #[cfg(not(feature = "sops"))]
    Decrypt(absent::Args),
    Diff(Box<diff::Args>),
    Envsubst(envsubst::Args),
    #[cfg(feature = "network")]
    Fetch(Box<fetch::Args>),
    #[cfg(not(feature = "network"))]
    Fetch(absent::Args),
    Get(Box<get::Args>),
    Graph(Box<graph::Args>),
    Kustomize(Box<kustomize::Args>),
    #[cfg(feature = "network")]
    Lock(Box<lock::Args>),
    #[cfg(not(feature = "network"))]
    Lock(absent::Args),
    Man(man::Args),
    Rbac(Box<rbac::Args>),
    Migrate(migrate::Args),
    Rule(rule::Args),
    Store(store::Args),
    #[cfg(feature = "verify")]
    Verify(Box<verify::Args>),
    #[cfg(not(feature = "verify"))]
    Verify(absent::Args),
    #[cfg(feature = "network")]
    Vendor(Box<fetch::VendorArgs>),
    #[cfg(not(feature = "network"))]
    Vendor(absent::Args),
    Template(Box<template::Args>),
}

/// Runs the program with these arguments, the first of them its own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(e) => {
            // clap prints help to standard output and errors to standard error.
            let code = e.exit_code();
            return match e.print() {
                Ok(()) if code == 0 => Exit::Done.into(),
                Ok(()) => Exit::Failed.into(),
                Err(e) => output::exit_of_io(&e).into(),
            };
        }
    };
    let result = match cli.command {
        Command::Build(args) => args.run(),
        Command::Bundle(args) => args.run(),
        Command::Check(args) => args.run(),
        Command::Completion(args) => args.run(),
        #[cfg(feature = "sops")]
        Command::Decrypt(args) => args.run(),
        #[cfg(not(feature = "sops"))]
        Command::Decrypt(args) => args.run("sops"),
        Command::Diff(args) => args.run(),
        Command::Envsubst(args) => args.run(),
        #[cfg(feature = "network")]
        Command::Fetch(args) => args.run(),
        #[cfg(not(feature = "network"))]
        Command::Fetch(args) => args.run("network"),
        Command::Get(args) => args.run(),
        Command::Graph(args) => args.run(),
        Command::Kustomize(args) => args.run(),
        #[cfg(feature = "network")]
        Command::Lock(args) => args.run(),
        #[cfg(not(feature = "network"))]
        Command::Lock(args) => args.run("network"),
        Command::Man(args) => args.run(),
        Command::Rbac(args) => args.run(),
        Command::Migrate(args) => args.run(),
        Command::Rule(args) => args.run(),
        Command::Store(args) => args.run(),
        #[cfg(feature = "verify")]
        Command::Verify(args) => args.run(),
        #[cfg(not(feature = "verify"))]
        Command::Verify(args) => args.run("verify"),
        #[cfg(feature = "network")]
        Command::Vendor(args) => args.run(),
        #[cfg(not(feature = "network"))]
        Command::Vendor(args) => args.run("network"),
        Command::Template(args) => args.run(),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(e) => output::exit_of_io(&e).into(),
    }
}

/// The definition of the command line, for completions and manual pages.
fn definition() -> clap::Command {
    use clap::CommandFactory as _;
    Cli::command()
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
