//! Time as a count of microseconds, the finest that every store keeps.

use std::fmt;

use thiserror::Error;

/// Microseconds since 1970-01-01T00:00:00Z. Reads and writes RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// Text that is not an RFC 3339 time with an offset, or lies outside the years 0001–9999.
#[derive(Debug, Error)]
#[error("not an RFC 3339 time such as 2026-11-23T10:00:00Z")]
pub struct MalformedTime;

impl Timestamp {
    /// The instant `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds from `earlier` to this instant, rounded towards zero; negative when it is later.
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0) / 1_000_000
    }

    /// The instant `seconds` later.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// Reads an RFC 3339 time; finer digits than microseconds are cut.
    ///
    /// # Errors
    /// [`MalformedTime`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MalformedTime> {
        let instant: jiff::Timestamp = text.parse().map_err(|_| MalformedTime)?;
        Ok(Self(instant.as_microsecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "{}µs", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_reads_back() -> Result<(), MalformedTime> {
        for (text, shown) in [
            ("2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z"),
            ("2018-11-04T22:43:58.283995108+01:00", "2018-11-04T21:43:58.283995Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(Timestamp::parse(text)?.to_string(), shown);
        }
        Ok(())
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        assert!(Timestamp::parse("2026-11-23T10:00:00").is_err());
        assert!(Timestamp::parse("yesterday").is_err());
    }
}
