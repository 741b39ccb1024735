//! The error type of every stage.

use super::hidden;
use super::{Cause, FileId, Finding, Location, ObjectRef, Severity, SourceMap, Span};

/// What a fallible step gives.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a step could not be done: a rule id, a message, where, and what to do.
///
/// A step adds to an error as it travels up: [`Error::at`] gives it a place
/// where it has none yet, [`Error::context`] says what was being done. At the
/// border of a stage it becomes a [`Finding`].
#[derive(Clone, Debug)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    rule: &'static str,
    message: String,
    span: Span,
    help: Option<String>,
    context: Vec<String>,
    object: Option<ObjectRef>,
    cause: Option<Cause>,
}

impl Error {
    /// An error of the rule `family/name`.
    ///
    /// Messages are phrases in lower case without a final period, with values
    /// in backticks.
    pub fn new(rule: &'static str, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            rule,
            message: message.into(),
            span: Span::NONE,
            help: None,
            context: Vec::new(),
            object: None,
            cause: None,
        }))
    }

    /// Sets the place, unless the error has one already.
    #[must_use]
    pub fn at(mut self, span: Span) -> Error {
        self.0.span = self.0.span.or(span);
        self
    }

    /// Names the file that the place is in.
    #[must_use]
    pub fn in_file(mut self, file: FileId) -> Error {
        self.0.span.file = file;
        self
    }

    /// Puts the place it has somewhere else: for text that stands within a
    /// file and was read by itself.
    #[must_use]
    pub fn moved(mut self, span: Span) -> Error {
        self.0.span = span;
        self
    }

    /// Says what to do about it; the innermost help stays.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.0.help.get_or_insert_with(|| help.into());
        self
    }

    /// Says what to do about it, whatever was said before.
    #[must_use]
    pub fn helped(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// Says what was being done, from the inside out.
    #[must_use]
    pub fn context(mut self, what: impl Into<String>) -> Error {
        self.0.context.push(what.into());
        self
    }

    /// Names the Kubernetes object concerned, unless one is named already.
    #[must_use]
    pub fn object(mut self, object: ObjectRef) -> Error {
        self.0.object.get_or_insert(object);
        self
    }

    /// Says what it comes from, for who takes its finding further.
    #[must_use]
    pub fn cause(mut self, cause: Cause) -> Error {
        self.0.cause = Some(cause);
        self
    }

    /// Changes all its texts: to take out what nobody may see.
    #[must_use]
    pub fn map_text(mut self, change: impl Fn(&str) -> String) -> Error {
        self.0.message = change(&self.0.message);
        self.0.help = self.0.help.as_deref().map(&change);
        for context in &mut self.0.context {
            *context = change(context);
        }
        if let Some(Cause::Remote(address)) = &mut self.0.cause {
            *address = change(address).into();
        }
        if let Some(object) = &mut self.0.object {
            object.map_text(change);
        }
        self
    }

    /// Leaves out of its texts what comes of secret values: whatever differs from
    /// `shadow`, the error where other values stood in their place. Where that
    /// was no error, or one of another kind, no text can be trusted.
    #[must_use]
    pub fn without_secrets(mut self, shadow: Option<&Error>) -> Error {
        let same = shadow.filter(|s| {
            s.0.rule == self.0.rule
                && s.0.help.is_some() == self.0.help.is_some()
                && s.0.context.len() == self.0.context.len()
        });
        let Some(shadow) = same else {
            hidden::LEFT_OUT.clone_into(&mut self.0.message);
            self.0.help = None;
            self.0.context.clear();
            self.0.object = None;
            self.0.cause = None;
            return self;
        };
        self.0.message = hidden::common(&self.0.message, &shadow.0.message);
        if let (Some(help), Some(other)) = (&mut self.0.help, &shadow.0.help) {
            *help = hidden::common(help, other);
        }
        for (context, other) in self.0.context.iter_mut().zip(&shadow.0.context) {
            *context = hidden::common(context, other);
        }
        if self.0.cause != shadow.0.cause {
            self.0.cause = None;
        }
        let object = self.0.object.take();
        self.0.object = object
            .zip(shadow.0.object.as_ref())
            .map(|(object, other)| object.without_secrets(other));
        self
    }

    /// The rule id, `family/name`.
    pub fn rule(&self) -> &'static str {
        self.0.rule
    }

    /// The message alone, without context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Where it happened; may be none.
    pub fn span(&self) -> Span {
        self.0.span
    }

    /// The finding that a user sees, at severity error.
    pub fn to_finding(&self, sources: &SourceMap) -> Finding {
        Finding {
            rule: self.0.rule.into(),
            severity: Severity::Error,
            message: self.to_string(),
            help: self.0.help.clone(),
            object: self.0.object.clone(),
            location: Location::of(self.0.span, sources),
            path: None,
            cluster: None,
            cause: self.0.cause.clone(),
        }
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for context in self.0.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_place_and_help_stay() {
        let sources = SourceMap::new();
        let inner = Span::new(sources.add("a.yaml", ""), 2, 5);
        let outer = Span::new(sources.add("b.yaml", ""), 9, 1);
        let error = Error::new("yaml/invalid", "no closing quote")
            .at(inner)
            .help("close it")
            .context("reading a.yaml")
            .at(outer)
            .help("something else")
            .context("building b");
        assert_eq!(
            error.to_string(),
            "building b: reading a.yaml: no closing quote"
        );
        let finding = error.to_finding(&sources);
        assert_eq!(finding.help.as_deref(), Some("close it"));
        let location = finding.location.unwrap();
        assert_eq!(
            (&*location.file, location.line, location.column),
            ("a.yaml", 2, 5)
        );
    }
}
