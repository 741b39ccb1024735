//! `.helmignore`.
//!
//! Compat: Helm 4.3.1 `pkg/ignore/rules.go`: the first rule that matches
//! decides, and a negated rule ignores everything that it does not match.

use crate::diag::{Error, FileId, Result, Span};
use crate::gostd::path::{self, Pattern};

/// What a chart leaves out.
#[derive(Debug, Default)]
pub(super) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    /// What the pattern is held against.
    subject: Subject,
    negated: bool,
    folders_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// The whole path.
    Path,
    /// The last part of the path.
    Name,
}

impl Rules {
    /// The rules of a file, and those that every chart has.
    pub(super) fn parse(text: &str, file: FileId) -> Result<Rules> {
        let mut rules = Rules::default();
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        for (number, line) in (1..).zip(text.lines()) {
            let error = |message: &str, help: &str| {
                Error::new("helm/chart-invalid", message)
                    .at(Span::new(file, number, 1))
                    .help(help)
            };
            let rule = line.trim();
            if rule.contains("**") && !rule.starts_with('#') {
                return Err(error(
                    "double-star (**) syntax is not supported",
                    "name the folders one by one",
                ));
            }
            if !rules.add(rule) {
                return Err(error("syntax error in pattern", "escape `[` as `\\[`"));
            }
        }
        rules.add("templates/.?*");
        Ok(rules)
    }

    /// The rules that every chart has.
    pub(super) fn defaults() -> Rules {
        let mut rules = Rules::default();
        rules.add("templates/.?*");
        rules
    }

    /// Adds a rule; whether it can be understood.
    fn add(&mut self, rule: &str) -> bool {
        if rule.is_empty() || rule.starts_with('#') {
            return true;
        }
        if path::is_match(rule, "abc").is_err() {
            return false;
        }
        let (rule, negated) = match rule.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (rule, false),
        };
        let (rule, folders_only) = match rule.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rule, false),
        };
        let (pattern, subject) = match rule.strip_prefix('/') {
            Some(rest) => (rest, Subject::Path),
            None if rule.contains('/') => (rule, Subject::Path),
            None => (rule, Subject::Name),
        };
        self.0.push(Rule {
            pattern: Pattern::new(pattern),
            subject,
            negated,
            folders_only,
        });
        true
    }

    /// Whether a path is left out.
    pub(super) fn ignores(&self, path: &str, is_folder: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        for rule in &self.0 {
            if rule.folders_only && !is_folder {
                if rule.negated {
                    return true;
                }
                continue;
            }
            let subject = match rule.subject {
                Subject::Path => path,
                Subject::Name => path::base(path),
            };
            let matches = rule.pattern.is_match(subject).unwrap_or(false);
            if matches != rule.negated {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(rules: &str, path: &str) -> bool {
        let (path, is_folder) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        Rules::parse(rules, FileId::default())
            .unwrap()
            .ignores(path, is_folder)
    }

    #[test]
    fn the_first_match_decides() {
        assert!(ignores("*.md\n", "README.md"));
        assert!(ignores("*.md\n", "docs/a.md"));
        assert!(!ignores("# *.md\n", "README.md"));
        assert!(ignores("/a.md\n", "a.md"));
        assert!(!ignores("/a.md\n", "b/a.md"));
        assert!(ignores("b/*.md\n", "b/a.md"));
        assert!(!ignores("ci/\n", "ci"));
        assert!(ignores("ci/\n", "ci/"));
        assert!(ignores("ci/\n", "x/ci/"));
        // All that a negated rule does not match is left out.
        assert!(ignores("!a.md\n", "Chart.yaml"));
        assert!(!ignores("!a.md\n", "a.md"));
        assert!(ignores("!a.md\n*.md\n", "a.md"));
        assert!(ignores("", "templates/.x"));
        assert!(!ignores("", "templates/x"));
    }

    #[test]
    fn what_is_no_rule() {
        let error = Rules::parse("a\n**/b\n", FileId::default()).unwrap_err();
        assert_eq!((error.rule(), error.span().line), ("helm/chart-invalid", 2));
        assert!(Rules::parse("[", FileId::default()).is_err());
    }
}
