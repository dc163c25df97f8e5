//! Versions of Alertmanager.

use std::fmt;
use std::str::FromStr;

/// A release of Alertmanager, such as 0.28.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

/// A text that is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAVersion;

impl fmt::Display for NotAVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a version is written as 0.28 or 0.28.1")
    }
}

impl std::error::Error for NotAVersion {}

impl Version {
    /// A release.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    /// Reads `0.28`, `0.28.1`, `v0.28.1` and what distributions append to it.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let text = text.trim().trim_start_matches('v');
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers =
            text.get(..end).unwrap_or_default().trim_end_matches('.').split('.').map(str::parse);
        let mut next = || numbers.next().transpose().map_err(|_| NotAVersion);
        let (major, minor) = (next()?.ok_or(NotAVersion)?, next()?.ok_or(NotAVersion)?);
        Ok(Self { major, minor, patch: next()?.unwrap_or_default() })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_as_people_and_servers_write_them() {
        for (text, version) in [
            ("0.28", Version::new(0, 28, 0)),
            ("v0.28.1", Version::new(0, 28, 1)),
            ("0.25.0-rc.1", Version::new(0, 25, 0)),
            ("0.25.0+ds", Version::new(0, 25, 0)),
        ] {
            assert_eq!(text.parse(), Ok(version), "{text}");
        }
        for text in ["", "28", "new", "0.x"] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text}");
        }
    }
}
