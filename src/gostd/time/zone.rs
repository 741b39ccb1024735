//! Time zones.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone.
#[derive(Clone, Debug)]
pub enum Zone {
    /// UTC, and what Go calls local.
    Utc,
    /// `FixedZone`: a name, which may be empty, and seconds east of UTC.
    Fixed(Box<str>, i64),
    /// A zone of the database.
    Named(Box<TimeZone>),
}

/// There is no such zone; reads as Go's error does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownZone(String);

impl std::fmt::Display for UnknownZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if is_refused(&self.0) {
            f.write_str("time: invalid location name")
        } else {
            write!(f, "unknown time zone {}", self.0)
        }
    }
}

impl std::error::Error for UnknownZone {}

/// Whether a name could lead out of the database's folder.
fn is_refused(name: &str) -> bool {
    name.contains("..") || name.starts_with(['/', '\\'])
}

impl Zone {
    /// `LoadLocation`: `UTC`, `Local`, or a name such as `Europe/Berlin`.
    pub fn load(name: &str) -> Result<Zone, UnknownZone> {
        static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
        if matches!(name, "" | "UTC" | "Local") {
            return Ok(Zone::Utc);
        }
        let unknown = || UnknownZone(name.to_owned());
        if is_refused(name) {
            return Err(unknown());
        }
        let database = DATABASE.get_or_init(TimeZoneDatabase::bundled);
        let zone = database.get(name).map_err(|_| unknown())?;
        // Names of files: upper and lower case count.
        if zone.iana_name() != Some(name) {
            return Err(unknown());
        }
        Ok(Zone::Named(Box::new(zone)))
    }

    /// The name and the seconds east of UTC that hold at a point in time.
    pub(super) fn at(&self, unix: i64) -> (String, i64) {
        match self {
            Zone::Utc => ("UTC".to_owned(), 0),
            Zone::Fixed(name, offset) => (name.to_string(), *offset),
            Zone::Named(zone) => {
                // Beyond the years that the library knows, its last rule holds.
                let limits = jiff::Timestamp::MIN.as_second()..=jiff::Timestamp::MAX.as_second();
                let within = unix.clamp(*limits.start(), *limits.end());
                let Ok(timestamp) = jiff::Timestamp::from_second(within) else {
                    return (String::new(), 0);
                };
                let info = zone.to_offset_info(timestamp);
                let offset = i64::from(info.offset().seconds());
                (info.abbreviation().to_owned(), offset)
            }
        }
    }

    /// The point in time of a local time, in seconds as if it were UTC.
    ///
    /// Compat: `time.Date` looks once with the offset of the local time taken
    /// as UTC, and once with what that gives.
    pub(super) fn to_utc(&self, local: i64) -> i64 {
        let (_, first) = self.at(local);
        let (_, second) = self.at(local.saturating_sub(first));
        local.saturating_sub(second)
    }
}
