//! Versions: reading, printing, precedence.

use std::cmp::Ordering;

use crate::gostd::strconv::{self, NumError};

/// The longest text that is read, in bytes.
const MAX_BYTES: usize = 256;

/// A version.
///
/// Two are equal when neither precedes the other: build metadata does not
/// count. [`Version::original`] tells them apart.
#[derive(Clone, Debug)]
pub struct Version {
    major: u64,
    minor: u64,
    patch: u64,
    prerelease: Box<str>,
    metadata: Box<str>,
    original: Box<str>,
}

/// Why a text is no version; reads as the library's error does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionError {
    /// It does not look like one.
    Invalid,
    /// It is empty.
    Empty,
    /// It is longer than 256 bytes.
    TooLong,
    /// A number has something else in it.
    Characters,
    /// A number begins with a needless zero.
    LeadingZero,
    /// What follows the `-` is not right.
    Prerelease,
    /// What follows the `+` is not right.
    Metadata,
    /// A number is too large.
    Number {
        /// What is said about the number.
        error: NumError,
        /// Whether the version was read strictly, which words it otherwise.
        is_strict: bool,
    },
}

impl std::fmt::Display for VersionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            VersionError::Invalid => "invalid semantic version",
            VersionError::Empty => "version string empty",
            VersionError::TooLong => "version string is too long (max 256 bytes)",
            VersionError::Characters => "invalid characters in version",
            VersionError::LeadingZero => "version segment starts with 0",
            VersionError::Prerelease => "invalid prerelease string",
            VersionError::Metadata => "invalid metadata string",
            VersionError::Number { error, is_strict } => {
                return if *is_strict {
                    write!(f, "{error}")
                } else {
                    write!(f, "error parsing version segment: {error}")
                };
            }
        })
    }
}

impl std::error::Error for VersionError {}

impl Version {
    /// `semver.NewVersion`: one to three numbers, a `v` before them, leading
    /// zeros.
    pub fn parse(text: &str) -> Result<Version, VersionError> {
        if text.len() > MAX_BYTES {
            return Err(VersionError::TooLong);
        }
        let (core, prerelease, metadata) = split(text);
        let mut numbers = core.strip_prefix('v').unwrap_or(core).splitn(3, '.');
        let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let [major, minor, patch] = [numbers.next(), numbers.next(), numbers.next()];
        let numbers = [major, minor, patch].map(|n| n.unwrap_or("0"));
        if !numbers.iter().all(|n| is_number(n))
            || !prerelease.is_none_or(are_identifiers)
            || !metadata.is_none_or(are_identifiers)
        {
            return Err(VersionError::Invalid);
        }
        let [major, minor, patch] = numbers.map(|n| {
            strconv::parse_uint(n, 10, 64).map_err(|error| VersionError::Number {
                error,
                is_strict: false,
            })
        });
        let version = Version {
            major: major?,
            minor: minor?,
            patch: patch?,
            prerelease: prerelease.unwrap_or_default().into(),
            metadata: metadata.unwrap_or_default().into(),
            original: text.into(),
        };
        if version.prerelease.split('.').any(has_leading_zero) {
            return Err(VersionError::LeadingZero);
        }
        Ok(version)
    }

    /// `semver.StrictNewVersion`: three numbers, and nothing that the
    /// specification does not allow.
    pub fn parse_strict(text: &str) -> Result<Version, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(VersionError::TooLong);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VersionError::Invalid);
        };
        let (patch, prerelease, metadata) = split(rest);
        if !metadata.is_none_or(are_identifiers) {
            return Err(VersionError::Metadata);
        }
        for part in prerelease.iter().flat_map(|p| p.split('.')) {
            if has_leading_zero(part) {
                return Err(VersionError::LeadingZero);
            }
            if !are_identifiers(part) {
                return Err(VersionError::Prerelease);
            }
        }
        for number in [major, minor, patch] {
            if !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(VersionError::Characters);
            }
            if has_leading_zero(number) {
                return Err(VersionError::LeadingZero);
            }
        }
        let [major, minor, patch] = [major, minor, patch].map(|n| {
            strconv::parse_uint(n, 10, 64).map_err(|error| VersionError::Number {
                error,
                is_strict: true,
            })
        });
        Ok(Version {
            major: major?,
            minor: minor?,
            patch: patch?,
            prerelease: prerelease.unwrap_or_default().into(),
            metadata: metadata.unwrap_or_default().into(),
            original: text.into(),
        })
    }

    /// The first number.
    pub fn major(&self) -> u64 {
        self.major
    }

    /// The second number.
    pub fn minor(&self) -> u64 {
        self.minor
    }

    /// The third number.
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// What follows the `-`; empty for a release.
    pub fn prerelease(&self) -> &str {
        &self.prerelease
    }

    /// What follows the `+`; may be empty.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }

    /// The text that it was read from.
    pub fn original(&self) -> &str {
        &self.original
    }
}

/// The parts before `-`, between `-` and `+`, and after `+`.
fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (text, metadata) = match text.split_once('+') {
        Some((text, metadata)) => (text, Some(metadata)),
        None => (text, None),
    };
    match text.split_once('-') {
        Some((core, prerelease)) => (core, Some(prerelease), metadata),
        None => (text, None, metadata),
    }
}

fn are_identifiers(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

fn has_leading_zero(part: &str) -> bool {
    part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
}

/// The whole version without a `v`.
impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.prerelease.is_empty() {
            write!(f, "-{}", self.prerelease)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        let core = |v: &Version| (v.major, v.minor, v.patch);
        core(self).cmp(&core(other)).then_with(|| {
            match (self.prerelease.is_empty(), other.prerelease.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => compare_prereleases(&self.prerelease, &other.prerelease),
            }
        })
    }
}

/// Numbers precede words, and what ends first precedes what goes on.
pub(super) fn compare_prereleases(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let (a, b) = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) => (a.unwrap_or_default(), b.unwrap_or_default()),
        };
        if a == b {
            continue;
        }
        // Compat: a number that does not fit in 64 bits compares as a word.
        let number = |part: &str| strconv::parse_uint(part, 10, 64).ok();
        return match (number(a), number(b)) {
            _ if a.is_empty() => Ordering::Less,
            _ if b.is_empty() => Ordering::Greater,
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
    }
}
