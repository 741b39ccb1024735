//! What is said of a difference, and how: the arguments of every command that
//! compares.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::cli::fail_on::FailOn;
use crate::cli::output::{Exit, stdout_takes_color};
use crate::cli::{environment, read};
use crate::diag::{Error, Result};
use crate::diff::{self, Comparison, Difference, Ignore};
use crate::report::difference::{self as report, Form, Titles};

/// What is left out, what counts, and the form of the report.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ShownArgs {
    /// A field that is left out, as a JSON pointer: [KIND:]/a/b, * for any part (repeatable); or a
    /// rule that is left out: change/restart
    #[arg(long, value_name = "FIELD|RULE")]
    ignore: Vec<String>,

    /// Show objects, too, in which nothing but noise changed: version labels, checksums
    #[arg(long)]
    show_noise: bool,

    /// Which findings make the answer no
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,

    /// Exit with 1 where anything differs
    #[arg(long)]
    exit_code: bool,

    /// The form of the report
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: Format,

    /// Fill in this template (MiniJinja) instead; docs/diff.md lists what it is given
    #[arg(long, value_name = "FILE", conflicts_with = "output")]
    template: Option<PathBuf>,
}

/// The forms of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// Field by field, for a terminal
    Human,
    /// Lines of YAML, as `diff -u` shows them
    Unified,
    /// All of it as data, with RFC 6902 patches
    Json,
    /// A page of Markdown
    Markdown,
    /// A comment for a pull request, within its limit
    Github,
    /// One HTML file
    Html,
    /// One line for each object
    Brief,
}

/// The arguments, read.
#[derive(Debug)]
pub(in crate::cli) struct Shown {
    /// How it is compared.
    pub(in crate::cli) comparison: Comparison,
    /// The rules that are left out.
    rules: Vec<String>,
    form: Form,
    /// The user's template: its name, and its text.
    template: Option<(String, String)>,
    show_noise: bool,
    fail_on: FailOn,
    exit_code: bool,
}

impl ShownArgs {
    /// Whether the report is to have another form than it has by itself.
    pub(super) fn chooses_a_form(&self) -> bool {
        self.template.is_some() || self.output != Format::Human
    }

    /// The fields and rules that are left out.
    pub(in crate::cli) fn ignored(&self) -> &[String] {
        &self.ignore
    }

    /// Reads the arguments.
    ///
    /// # Errors
    ///
    /// For fields that are none, rules that are not known, and a template that
    /// cannot be read.
    pub(in crate::cli) fn read(&self) -> Result<Shown> {
        let (rules, fields): (Vec<&String>, Vec<&String>) = self
            .ignore
            .iter()
            .partition(|text| text.starts_with("change/"));
        for rule in &rules {
            known_rule(rule)?;
        }
        let ignore = fields.into_iter().map(|text| Ignore::parse(text));
        let template = self.template.as_deref().map(read::template);
        Ok(Shown {
            comparison: Comparison {
                is_part: false,
                ignore: ignore.collect::<Result<_>>()?,
            },
            rules: rules.into_iter().cloned().collect(),
            form: self.output.form(),
            template: template.transpose()?,
            show_noise: self.show_noise,
            fail_on: self.fail_on,
            exit_code: self.exit_code,
        })
    }
}

impl Format {
    /// The form, as it suits standard output.
    pub(in crate::cli) fn form(self) -> Form {
        let color = stdout_takes_color();
        match self {
            Format::Human => Form::Human {
                color,
                width: environment::columns(),
            },
            Format::Unified => Form::Unified { color },
            Format::Json => Form::Json,
            Format::Markdown => Form::Markdown,
            Format::Github => Form::Github,
            Format::Html => Form::Html,
            Format::Brief => Form::Brief,
        }
    }
}

impl Shown {
    /// Takes out the findings of rules that are left out.
    pub(in crate::cli) fn narrow(&self, difference: &mut Difference) {
        for cluster in &mut difference.clusters {
            let findings = &mut cluster.findings;
            findings.retain(|f| !self.rules.iter().any(|rule| **rule == *f.rule));
        }
    }

    /// What the sides are called.
    pub(in crate::cli) fn titles(&self, old: String, new: String) -> Titles {
        Titles {
            old,
            new,
            show_noise: self.show_noise,
        }
    }

    /// The report.
    ///
    /// # Errors
    ///
    /// For a template that cannot be filled in.
    pub(in crate::cli) fn text(&self, difference: &Difference, titles: &Titles) -> Result<String> {
        match &self.template {
            Some((name, source)) => report::with_template(difference, titles, name, source),
            None => report::difference(difference, titles, self.form),
        }
    }

    /// How a run ends that found a difference.
    pub(in crate::cli) fn exit(&self, difference: &Difference) -> Exit {
        if difference.clusters.iter().any(|c| !c.unrendered.is_empty()) {
            return Exit::Failed;
        }
        if self.exit_code && !difference.is_empty() {
            return Exit::No;
        }
        self.fail_on.exit(difference.findings())
    }

    /// What a report and the end of a run depend on besides the difference.
    pub(super) fn key(&self) -> String {
        format!("{self:?}")
    }
}

fn known_rule(id: &str) -> Result<()> {
    let ids = || diff::RULES.iter().map(|rule| rule.id);
    if ids().any(|known| known == id) {
        return Ok(());
    }
    let error = Error::new("usage/ignore", format!("no such rule: `{id}`"));
    Err(match crate::diag::nearest(id, ids()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("docs/diff.md lists the rules"),
    })
}
