//! Which findings count, and how much: `.fluxwright.yaml`, comments beside the
//! lines, the command line, a baseline.
//!
//! In: findings with the severities of their rules. Out: those that are left,
//! sorted; what settings themselves have wrong is among them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::place::{Place, glob};
use super::{RULES, Rule, rule, tenancy};
use crate::config::{Config, Level};
use crate::diag::{Error, Finding, Findings, Result, Severity, SourceMap, Span, nearest};
use crate::gostd::glob::Glob;

/// What decides on findings.
#[derive(Debug, Default)]
pub struct Settings {
    levels: Vec<Setting>,
    ignores: Vec<Ignore>,
    only: Vec<String>,
    today: Arc<str>,
}

/// A level for rules, in some files or in all.
#[derive(Debug)]
struct Setting {
    rules: String,
    place: Option<Place>,
    level: Level,
}

#[derive(Debug)]
struct Ignore {
    rules: String,
    place: Option<Place>,
    object: Option<Glob>,
    until: Option<String>,
    span: Span,
}

/// Whether a name in settings means a rule: its id, or its family.
fn names(name: &str, id: &str) -> bool {
    id == name
        || id
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// Refuses the name of a rule or a family that does not exist.
///
/// # Errors
///
/// `config/invalid`, with the nearest name.
pub fn check_name(name: &str) -> Result<()> {
    if RULES.iter().any(|rule| names(name, rule.id)) {
        return Ok(());
    }
    let families: BTreeSet<&str> = RULES.iter().map(|rule| rule.family()).collect();
    let candidates = RULES.iter().map(|rule| rule.id).chain(families);
    let error = Error::new("config/invalid", format!("no rule is named `{name}`"));
    Err(match nearest(name, candidates) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("`fluxwright rule` lists all rules"),
    })
}

impl Settings {
    /// The settings of `.fluxwright.yaml`, on a day (`2026-11-23`; empty where
    /// nothing ends). With `only`, other rules and families are left out.
    ///
    /// # Errors
    ///
    /// `config/invalid` for the name of a rule that does not exist, a pattern
    /// that is none, a date that is none, tenants that contradict each other.
    pub fn new(
        config: &Config,
        config_span: Span,
        only: &[String],
        today: &str,
    ) -> Result<Settings> {
        let at = |e: Error| e.at(config_span);
        let mut levels = Vec::new();
        for (name, level) in &config.rules {
            check_name(name).map_err(at)?;
            levels.push(Setting {
                rules: name.clone(),
                place: None,
                level: *level,
            });
        }
        for entry in &config.overrides {
            for (name, level) in &entry.rules {
                check_name(name).map_err(at)?;
                levels.push(Setting {
                    rules: name.clone(),
                    place: Some(Place::new(&entry.path).map_err(at)?),
                    level: *level,
                });
            }
        }
        let mut ignores = Vec::new();
        for entry in &config.ignore {
            check_name(&entry.rule).map_err(at)?;
            if let Some(until) = &entry.until
                && !is_date(until)
            {
                let message = format!("`until: {until}` is no date");
                return Err(at(
                    Error::new("config/invalid", message).help("write 2027-01-31")
                ));
            }
            ignores.push(Ignore {
                rules: entry.rule.clone(),
                place: entry
                    .path
                    .as_deref()
                    .map(Place::new)
                    .transpose()
                    .map_err(at)?,
                object: entry.object.as_deref().map(glob).transpose().map_err(at)?,
                until: entry.until.clone(),
                span: config_span,
            });
        }
        tenancy::declared::read(config).map_err(at)?;
        for name in only {
            check_name(name)?;
        }
        Ok(Settings {
            levels,
            ignores,
            only: only.to_vec(),
            today: today.into(),
        })
    }

    /// Whether a rule can have findings that count.
    pub(super) fn may_report(&self, rule: &Rule) -> bool {
        let wanted = self.only.is_empty() || self.only.iter().any(|name| names(name, rule.id));
        wanted && (self.level(rule.id, None) != Some(Level::Off) || self.has_overrides(rule.id))
    }

    fn has_overrides(&self, id: &str) -> bool {
        let mut settings = self.levels.iter();
        settings.any(|s| s.place.is_some() && names(&s.rules, id))
    }

    /// The level of a rule in a file: that of the narrowest setting. One for
    /// files is narrower than one for all, one for a rule than one for its
    /// family, and of two for files the later one wins.
    fn level(&self, id: &str, file: Option<&str>) -> Option<Level> {
        self.levels
            .iter()
            .enumerate()
            .filter(|(_, s)| names(&s.rules, id))
            .filter(|(_, s)| match (&s.place, file) {
                (None, _) => true,
                (Some(place), Some(file)) => place.holds(file),
                (Some(_), None) => false,
            })
            .max_by_key(|(i, s)| (s.place.is_some(), s.rules.len(), *i))
            .map(|(_, s)| s.level)
    }

    /// Leaves out what is switched off or ignored, sets severities, sorts.
    pub(super) fn apply(&self, findings: Findings, sources: &SourceMap) -> Vec<Finding> {
        let mut comments = Comments::new(sources);
        let mut kept = Vec::new();
        let mut ended = BTreeSet::new();
        for mut finding in findings.into_sorted() {
            let id = finding.rule.clone();
            if !self.only.is_empty() && !self.only.iter().any(|name| names(name, &id)) {
                continue;
            }
            let file = finding.location.as_ref().map(|l| l.file.clone());
            match self.level(&id, file.as_deref()) {
                Some(Level::Off) => continue,
                Some(level) => finding.severity = level.severity().unwrap_or(finding.severity),
                None => {}
            }
            let mut ignored = false;
            for (i, ignore) in self.ignores.iter().enumerate() {
                if ignore.covers(&finding) {
                    if self.is_over(ignore.until.as_deref()) {
                        ended.insert(i);
                    } else {
                        ignored = true;
                    }
                }
            }
            if let Some(comment) = comments.ignoring(&finding) {
                ignored |= !self.is_over(comment.until.as_deref());
            }
            if !ignored {
                kept.push(finding);
            }
        }
        let mut all = Findings::new();
        for i in ended {
            let Some(ignore) = self.ignores.get(i) else {
                continue;
            };
            let until = ignore.until.as_deref().unwrap_or_default();
            all.push(
                Finding::new(
                    "config/ignore-ended",
                    rule("config/ignore-ended").map_or(Severity::Warning, |r| r.severity),
                    format!("an ignore of `{}` ended on {until}", ignore.rules),
                )
                .at(ignore.span, sources)
                .help("mend what it hid, or give it a later date and say why"),
            );
        }
        all.extend(kept);
        all.into_sorted()
    }

    /// Whether a day has passed.
    fn is_over(&self, until: Option<&str>) -> bool {
        // Dates in this form sort as text.
        until.is_some_and(|until| !self.today.is_empty() && *self.today > *until)
    }
}

impl Ignore {
    fn covers(&self, finding: &Finding) -> bool {
        let place = self.place.as_ref().is_none_or(|place| {
            let location = finding.location.as_ref();
            location.is_some_and(|location| place.holds(&location.file))
        });
        let object = self.object.as_ref().is_none_or(|glob| {
            let object = finding.object.as_ref();
            object.is_some_and(|object| glob.is_match(&object.to_string()))
        });
        names(&self.rules, &finding.rule) && place && object
    }
}

/// What begins an ignore in a comment.
const MARK: &str = "fluxwright:ignore";

/// The comments of files that findings are in.
struct Comments<'s> {
    sources: &'s SourceMap,
    /// The lines with an ignore in them, and those that hold a comment alone,
    /// by their numbers; none where a file has no ignore.
    files: BTreeMap<Arc<str>, Option<BTreeMap<u32, String>>>,
}

impl<'s> Comments<'s> {
    fn new(sources: &'s SourceMap) -> Comments<'s> {
        Comments {
            sources,
            files: BTreeMap::new(),
        }
    }

    /// Whether a comment on the line of a finding, or on lines above it that
    /// hold nothing else, says to ignore it; and until when.
    ///
    /// `# fluxwright:ignore secret/plaintext until 2027-01-31: a throw-away key`
    fn ignoring(&mut self, finding: &Finding) -> Option<Comment> {
        let location = finding.location.as_ref()?;
        if !self.files.contains_key(&location.file) {
            let lines = self.read(&location.file);
            self.files.insert(location.file.clone(), lines);
        }
        let lines = self.files.get(&location.file)?.as_ref()?;
        let mut line = location.line;
        let own = lines.get(&line).map(String::as_str).unwrap_or_default();
        if let Some(comment) = ignore_in(own, &finding.rule) {
            return Some(comment);
        }
        loop {
            line = line.checked_sub(1)?;
            let text = lines.get(&line).filter(|text| is_comment(text))?;
            if let Some(comment) = ignore_in(text, &finding.rule) {
                return Some(comment);
            }
        }
    }

    fn read(&self, path: &str) -> Option<BTreeMap<u32, String>> {
        let file = self.sources.by_path(path)?;
        if !file.text.contains(MARK) {
            return None;
        }
        let lines = (1..).zip(file.text.lines());
        let lines = lines.filter(|(_, text)| is_comment(text) || text.contains(MARK));
        Some(lines.map(|(n, text)| (n, text.to_owned())).collect())
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// What a comment says that ignores a rule.
struct Comment {
    until: Option<String>,
}

fn ignore_in(line: &str, id: &str) -> Option<Comment> {
    let comment = line.split_once('#').map(|(_, comment)| comment)?;
    let (_, rest) = comment.split_once(MARK)?;
    let named = rest.split(':').next().unwrap_or_default();
    let (rules, until) = match named.split_once(" until ") {
        Some((rules, until)) => (rules, Some(until.trim().to_owned())),
        None => (named, None),
    };
    let mut rules = rules.split([' ', ',']).filter(|name| !name.is_empty());
    rules
        .any(|name| names(name, id))
        .then_some(Comment { until })
}

/// Whether a text is a date as in `2026-11-23`.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let number = |text: &str, digits: usize, range: std::ops::RangeInclusive<u32>| {
        text.len() == digits && text.parse().is_ok_and(|n| range.contains(&n))
    };
    number(year, 4, 1970..=9999) && number(month, 2, 1..=12) && number(day, 2, 1..=31)
}

#[cfg(test)]
mod tests {
    use super::super::example::testing::{check, found};
    use super::*;
    use crate::diag::FileId;

    const FLOATING: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: a
  namespace: b
spec:
  interval: 1h
  url: https://git.example.com/a
  ref:
";

    /// What is found of an address and a branch, with a configuration.
    fn with(branch: &str, config: &str) -> Vec<String> {
        found(
            "pin/floating",
            &format!("{FLOATING}{branch}-- .fluxwright.yaml --\n{config}"),
        )
        .iter()
        .map(|f| f.split(' ').next().unwrap().to_owned())
        .collect()
    }

    #[test]
    fn the_narrowest_setting_decides() {
        let branch = "    branch: main\n";
        assert_eq!(with(branch, ""), ["warning"]);
        assert_eq!(with(branch, "rules: {pin: error}\n"), ["error"]);
        assert_eq!(
            with(branch, "rules: {pin: error, pin/floating: info}\n"),
            ["info"]
        );
        assert_eq!(with(branch, "rules: {pin/floating: off}\n"), [""; 0]);
        let config = "rules: {pin/floating: off}\noverrides:\n- path: clusters/*\n  rules: {pin: \
                      error}\n";
        assert_eq!(with(branch, config), ["error"]);
    }

    #[test]
    fn ignores_have_a_place_an_object_and_an_end() {
        let branch = "    branch: main\n";
        let ignore = |more: &str| {
            let config = format!("ignore:\n- rule: pin\n  reason: known\n{more}");
            with(branch, &config).len()
        };
        assert_eq!(ignore(""), 0);
        assert_eq!(ignore("  path: apps\n"), 1);
        assert_eq!(ignore("  path: clusters/prod/\n"), 0);
        assert_eq!(ignore("  object: GitRepository/b/*\n"), 0);
        assert_eq!(ignore("  object: GitRepository/*\n"), 1);
        assert_eq!(ignore("  until: 2026-11-23\n"), 0);
        assert_eq!(ignore("  until: 2026-11-22\n"), 1);
        let ended = check(&format!(
            "{FLOATING}{branch}-- .fluxwright.yaml --\nignore:\n- rule: pin\n  reason: known\n  \
             until: 2026-01-01\n"
        ));
        assert!(ended.iter().any(|f| *f.rule == *"config/ignore-ended"));
    }

    #[test]
    fn comments_ignore_their_line() {
        for (comment, count) in [
            (
                "    branch: main # fluxwright:ignore pin/floating: we test it\n",
                0,
            ),
            (
                "    # fluxwright:ignore pin\n    # more\n    branch: main\n",
                0,
            ),
            ("    # fluxwright:ignore image\n    branch: main\n", 1),
            (
                "    # fluxwright:ignore pin until 2026-11-22: x\n    branch: main\n",
                1,
            ),
            (
                "    # fluxwright:ignore image, pin until 2027-01-01\n    branch: main\n",
                0,
            ),
        ] {
            assert_eq!(with(comment, "").len(), count, "{comment}");
        }
    }

    #[test]
    fn names_and_dates_are_checked() {
        for (config, message, help) in [
            (
                "rules: {pin/flaoting: off}",
                "no rule is named `pin/flaoting`",
                "did you mean `pin/floating`?",
            ),
            (
                "ignore: [{rule: pin, reason: x, until: soon}]",
                "`until: soon` is no date",
                "write 2027-01-31",
            ),
        ] {
            let config = Config::parse(config, FileId::default()).unwrap();
            let error = Settings::new(&config, Span::NONE, &[], "").unwrap_err();
            assert_eq!(error.rule(), "config/invalid");
            assert_eq!(error.message(), message);
            assert_eq!(error.help_text(), Some(help));
        }
    }
}
