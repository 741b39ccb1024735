//! Differences for people and machines.
//!
//! In: a [`Difference`] and what its sides are called. Out: text in one of the
//! [`Form`]s. All forms but the coloured one for terminals are made of one
//! [`Model`], which is also what `--output json` prints and what a user's own
//! template is given; its schema is `schemas/fluxwright/diff.json`.

mod human;
mod model;
mod template;

use std::fmt::Write as _;

use crate::diag::Result;
use crate::diff::Difference;

use model::Detail;
pub use model::Model;
pub use template::GITHUB_LIMIT_BYTES;

/// How a difference is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a terminal: field by field.
    Human {
        /// Whether ANSI escapes are written.
        color: bool,
        /// How many columns there are.
        width: usize,
    },
    /// Lines of YAML, as `diff -u` shows them.
    Unified {
        /// Whether ANSI escapes are written.
        color: bool,
    },
    /// The model, with RFC 6902 patches.
    Json,
    /// A page of Markdown.
    Markdown,
    /// Markdown for a comment on a pull request: what matters first, the rest
    /// folded, within the limit of a comment.
    Github,
    /// One HTML file that needs nothing else.
    Html,
    /// One line for each object.
    Brief,
}

/// What is shown besides the difference.
#[derive(Clone, Debug)]
pub struct Titles {
    /// What the old side is called.
    pub old: String,
    /// What the new side is called.
    pub new: String,
    /// Whether objects in which all changes are noise are shown in full.
    pub show_noise: bool,
}

/// A difference as text.
///
/// # Errors
///
/// None but those of a template that cannot be filled in, which would be a
/// fault of the program.
pub fn difference(difference: &Difference, titles: &Titles, form: Form) -> Result<String> {
    match form {
        Form::Human { color, width } => Ok(human::render(difference, titles, color, width)),
        Form::Json => of_model(Model::new(difference, titles), form),
        Form::Brief => of_model(Model::with(difference, titles, Detail::Names), form),
        form => of_model(Model::with(difference, titles, Detail::Lines), form),
    }
}

/// A model as text. Of a model alone there is no form for a terminal: the lines
/// of YAML take its place.
///
/// # Errors
///
/// As [`difference`].
pub fn of_model(model: Model, form: Form) -> Result<String> {
    let model = match form {
        Form::Json => model,
        _ => model.for_people(),
    };
    match form {
        Form::Human { color, .. } | Form::Unified { color } => Ok(human::unified(&model, color)),
        Form::Json => {
            let mut text = serde_json::to_string_pretty(&model).unwrap_or_default();
            text.push('\n');
            Ok(text)
        }
        Form::Markdown => template::markdown(model),
        Form::Github => template::github(model),
        Form::Html => template::html(&model),
        Form::Brief => Ok(brief(&model)),
    }
}

/// A difference by a template of the user.
///
/// # Errors
///
/// `report/template`, with the line, for a template that is none or asks for
/// what is not there.
pub fn with_template(
    difference: &Difference,
    titles: &Titles,
    name: &str,
    source: &str,
) -> Result<String> {
    of_model_by_template(&Model::new(difference, titles), name, source)
}

/// A model by a template of the user.
///
/// # Errors
///
/// As [`with_template`].
pub fn of_model_by_template(model: &Model, name: &str, source: &str) -> Result<String> {
    template::own(model, name, source)
}

fn brief(model: &Model) -> String {
    let mut text = String::new();
    let several = model.clusters.len() > 1;
    for cluster in &model.clusters {
        for part in &cluster.unrendered {
            let _ = writeln!(text, "! {}{}", prefix(several, &cluster.name), part.what);
        }
        for object in cluster.objects.iter().filter(|o| o.shown) {
            let sign = match &*object.action {
                "added" => '+',
                "removed" => '-',
                _ => '~',
            };
            let _ = writeln!(
                text,
                "{sign} {}{}",
                prefix(several, &cluster.name),
                object.name
            );
        }
    }
    let _ = writeln!(text, "{}", model.summary.sentence);
    text
}

fn prefix(several: bool, cluster: &str) -> String {
    if several {
        format!("{cluster}: ")
    } else {
        String::new()
    }
}
