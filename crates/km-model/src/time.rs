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
        if !is_rfc_3339(text.as_bytes()) {
            return Err(MalformedTime);
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| MalformedTime)?;
        let at = Self(instant.as_microsecond());
        if at < YEAR_1 { Err(MalformedTime) } else { Ok(at) }
    }
}

/// 0001-01-01T00:00:00Z. An offset can put a time of year 1 before it, where no text could be read back.
const YEAR_1: Timestamp = Timestamp(-62_135_596_800_000_000);

/// Whether a text has the form of RFC 3339, section 5.6. The parser takes more: expanded years, zones in
/// brackets, hours alone.
fn is_rfc_3339(text: &[u8]) -> bool {
    let Some((seconds, rest)) = text.split_at_checked(b"dddd-dd-ddTdd:dd:dd".len()) else { return false };
    let fraction = match rest {
        [b'.', digits @ ..] => 1 + digits.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        _ => 0,
    };
    let has_digits = fraction != 1;
    let offset = &rest[fraction..];
    has_digits
        && has_form(seconds, b"dddd-dd-ddTdd:dd:dd")
        && (has_form(offset, b"Z") || has_form(offset, b"+dd:dd") || has_form(offset, b"-dd:dd"))
}

/// `d` stands for a digit and `T` also for the space that section 5.6 allows; letters in either case.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let fits = |(byte, kind): (&u8, &u8)| match kind {
        b'd' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't' | b' '),
        kind => byte.eq_ignore_ascii_case(kind),
    };
    text.len() == form.len() && text.iter().zip(form).all(fits)
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
            ("2026-11-23t10:00:00z", "2026-11-23T10:00:00Z"),
            ("2026-11-23 10:00:00.5-00:30", "2026-11-23T10:30:00.5Z"),
        ] {
            assert_eq!(Timestamp::parse(text)?.to_string(), shown);
        }
        Ok(())
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "2026-11-23T10:00:00",
            "yesterday",
            "",
            "-000099-01-01T00:00:00Z",
            "+002026-11-23T10:00:00Z",
            "0000-12-31T23:59:59Z",
            "0001-01-01T00:00:00+01:00",
            "2026-11-23T10:00:00+01:00[Europe/Berlin]",
            "2026-11-23 10:00:00+01[Europe/Berlin]",
            "2026-11-23T10:00:00+01",
            "2026-11-23T10:00Z",
            "2026-11-23T10:00:00.Z",
            "2026-11-23T10:00:00,5Z",
            "2026-13-23T10:00:00Z",
            "20261123T100000Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_shown_reads_back(micros in YEAR_1.0..=253_402_207_200_000_000) {
            let at = Timestamp::from_micros(micros);
            proptest::prop_assert_eq!(Timestamp::parse(&at.to_string()).ok(), Some(at));
        }
    }
}
