//! Why an execution failed.
//!
//! A failure keeps what Go puts into its messages as parts: the template, the
//! place and the expression of every call that was being executed, and the
//! message at the end. Texts are made from it as Go (`Failure::to_string`)
//! and Helm ([`Failure::helm_message`]) word them, and spans for excerpts.

use std::fmt;

use super::limits::Exhausted;
use crate::gostd::strconv::quote;

/// Where in a template something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the file, or of what stands for one.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The bytes before it on the line, as Go counts columns.
    pub bytes: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.bytes)
    }
}

/// Why an execution failed, from the outside in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// At a node of a template.
    At {
        /// Where.
        place: Place,
        /// The template that was being executed.
        template: String,
        /// The node, as Go writes it.
        expression: String,
        /// What is wrong there.
        message: String,
        /// What failed in the call that the message names.
        cause: Option<Box<Failure>>,
    },
    /// There is no template of that name.
    NoTemplate {
        /// The name.
        name: String,
    },
    /// What a function says.
    Function {
        /// What it says.
        message: String,
        /// An execution within it.
        cause: Option<Box<Failure>>,
    },
    /// What `required` and `fail` say.
    Chosen {
        /// What the chart's author says.
        message: String,
    },
    /// It costs too much.
    Exhausted(Exhausted),
}

/// What stands around the message of `required` and `fail` in Helm's engine;
/// it shows where Helm does not take it away again.
const CHOSEN: (&str, &str) = ("HELM_ERR_START", "HELM_ERR_END");

impl fmt::Display for Failure {
    /// The message as Go has it, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::At {
                place,
                template,
                expression,
                message,
                cause,
            } => {
                write!(
                    f,
                    "template: {place}: executing {} at <{expression}>: {message}",
                    quote(template)
                )?;
                match cause {
                    Some(cause) => write!(f, ": {cause}"),
                    None => Ok(()),
                }
            }
            Failure::NoTemplate { name } => write!(
                f,
                "template: no template {} associated with template \"gotpl\"",
                quote(name)
            ),
            Failure::Function { message, cause } => {
                f.write_str(message)?;
                match cause {
                    Some(cause) => write!(f, ": {cause}"),
                    None => Ok(()),
                }
            }
            Failure::Chosen { message } => write!(f, "{}{message}{}", CHOSEN.0, CHOSEN.1),
            Failure::Exhausted(exhausted) => f.write_str(exhausted.message()),
        }
    }
}

impl Failure {
    /// The failures from the outside in.
    pub fn chain(&self) -> impl Iterator<Item = &Failure> {
        std::iter::successors(Some(self), |failure| match failure {
            Failure::At { cause, .. } | Failure::Function { cause, .. } => cause.as_deref(),
            _ => None,
        })
    }

    /// The innermost place in a template.
    pub fn innermost_place(&self) -> Option<&Place> {
        self.chain()
            .filter_map(|failure| match failure {
                Failure::At { place, .. } => Some(place),
                _ => None,
            })
            .last()
    }

    /// The innermost expression.
    pub fn innermost_expression(&self) -> Option<&str> {
        self.chain()
            .filter_map(|failure| match failure {
                Failure::At { expression, .. } => Some(expression.as_str()),
                _ => None,
            })
            .last()
    }

    /// Whether a limit ended it.
    pub fn exhausted(&self) -> Option<Exhausted> {
        self.chain().find_map(|failure| match failure {
            Failure::Exhausted(exhausted) => Some(*exhausted),
            _ => None,
        })
    }

    /// The message as Helm shows it.
    ///
    /// Compat: `pkg/engine/engine.go` `reformatExecErrorMsg` of Helm 4.3: what
    /// `required` and `fail` say stands alone, behind the outermost place; a
    /// chain of template errors becomes a list of places; any other error of a
    /// function makes Helm show the whole line as it is.
    pub fn helm_message(&self) -> String {
        let Failure::At { place, .. } = self else {
            return self.to_string();
        };
        if let Some(message) = self.chosen_message() {
            return format!("execution error at ({place}): {message}");
        }
        let mut out = String::new();
        for failure in self.chain() {
            match failure {
                Failure::At {
                    place,
                    template,
                    expression,
                    message,
                    cause,
                } => {
                    out.push_str(&format!(
                        "{place}\n  executing {} at <{expression}>:\n    ",
                        quote(template)
                    ));
                    out.push_str(&cut_at_template(message, cause.as_deref()));
                    out.push('\n');
                }
                Failure::NoTemplate { .. } => {
                    out.push_str(&failure.to_string());
                    out.push('\n');
                }
                _ => return self.to_string(),
            }
        }
        out.trim().to_owned()
    }

    /// What the author of the chart says in `required` or `fail`.
    fn chosen_message(&self) -> Option<String> {
        self.chain().find_map(|failure| match failure {
            Failure::Chosen { message } => Some(message.clone()),
            _ => None,
        })
    }
}

/// The message of one link, without those of the links within.
fn cut_at_template(message: &str, cause: Option<&Failure>) -> String {
    let whole = match cause {
        Some(cause) => format!("{message}: {cause}"),
        None => message.to_owned(),
    };
    match whole.find(" template:") {
        Some(at) => whole[..at].to_owned(),
        None => whole,
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, expression: &str, message: &str, cause: Option<Failure>) -> Failure {
        Failure::At {
            place: Place {
                file: file.to_owned(),
                line: 1,
                bytes: 3,
                column: 4,
            },
            template: "t".to_owned(),
            expression: expression.to_owned(),
            message: message.to_owned(),
            cause: cause.map(Box::new),
        }
    }

    #[test]
    fn a_chain_of_includes() {
        let inner = at(
            "c/_h.tpl",
            ".a.b",
            "nil pointer evaluating interface {}.b",
            None,
        );
        let outer = at(
            "c/x.yaml",
            "include \"t\" .",
            "error calling include",
            Some(inner),
        );
        insta::assert_snapshot!(outer.to_string(), @r#"template: c/x.yaml:1:3: executing "t" at <include "t" .>: error calling include: template: c/_h.tpl:1:3: executing "t" at <.a.b>: nil pointer evaluating interface {}.b"#);
        insta::assert_snapshot!(outer.helm_message(), @r#"
        c/x.yaml:1:3
          executing "t" at <include "t" .>:
            error calling include:
        c/_h.tpl:1:3
          executing "t" at <.a.b>:
            nil pointer evaluating interface {}.b
        "#);
        assert_eq!(outer.innermost_place().unwrap().file, "c/_h.tpl");
    }

    #[test]
    fn what_the_author_says_stands_alone() {
        let chosen = Failure::Chosen {
            message: "set `a`".to_owned(),
        };
        let inner = at("c/_h.tpl", "fail", "error calling fail", Some(chosen));
        let outer = at("c/x.yaml", "include", "error calling include", Some(inner));
        assert_eq!(
            outer.helm_message(),
            "execution error at (c/x.yaml:1:3): set `a`"
        );
    }

    #[test]
    fn a_functions_own_error_keeps_the_line() {
        let own = Failure::Function {
            message: "index of untyped nil".to_owned(),
            cause: None,
        };
        let outer = at("c/x.yaml", "index nil 1", "error calling index", Some(own));
        assert_eq!(outer.helm_message(), outer.to_string());
    }
}
