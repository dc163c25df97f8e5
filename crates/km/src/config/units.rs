//! Durations and sizes as people write them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

/// A duration above zero: a whole number with a unit (`250ms`, `5s`, `5m`, `1h`, `7d`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// A size above zero: a whole number of bytes, or with a unit (`64KiB`, `16MiB`, `1GiB`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

const SPAN_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZE_UNITS: [(&str, u64); 5] =
    [("", 1), ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads `number` + `unit`; zero and what does not fit are refused.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|amount| *amount > 0)
}

impl Span {
    pub(crate) const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse(text, &SPAN_UNITS).map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl ByteSize {
    pub(crate) const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse(text, &SIZE_UNITS).map(Self)
    }

    /// The size for an interface that counts in `usize`.
    pub(crate) fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZE_UNITS.iter().rev().find(|(_, factor)| self.0 >= *factor);
        match unit {
            Some((name, factor)) if *factor > 1 => {
                let tenths = self.0 / (factor / 10).max(1);
                write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
            }
            Some(_) | None => write!(f, "{} B", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format_args!(
                "`{text}` is no duration above zero, such as 250ms, 5s, 5m, 1h or 7d"
            ))
        })
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format_args!("`{text}` is no size above zero, such as 64KiB, 16MiB or 1GiB"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_are_never_zero() {
        assert_eq!(Span::parse("250ms"), Some(Span(Duration::from_millis(250))));
        assert_eq!(Span::parse("5m"), Some(Span::from_secs(300)));
        for text in ["5", "0s", "-1s", "1.5h", "s", "", "99999999999999999999s"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_without_a_unit_and_never_zero() {
        assert_eq!(ByteSize::parse("16MiB"), Some(ByteSize::mebibytes(16)));
        assert_eq!(ByteSize::parse("4096"), Some(ByteSize(4_096)));
        for text in ["0", "16MB", "MiB", "", "99999999999GiB"] {
            assert_eq!(ByteSize::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(ByteSize(512).to_string(), "512 B");
        assert_eq!(ByteSize(1_536).to_string(), "1.5 KiB");
        assert_eq!(ByteSize::mebibytes(3_072).to_string(), "3.0 GiB");
    }
}
