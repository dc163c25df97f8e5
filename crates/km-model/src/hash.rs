//! The digest that proves that content is unchanged.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// SHA-256 of a write's canonical form; shown as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentHash([u8; 32]);

/// Text that is not 64 hexadecimal digits.
#[derive(Debug, Error)]
#[error("a content hash has 64 hexadecimal digits")]
pub struct MalformedHash;

impl ContentHash {
    /// The hash of canonical bytes.
    pub fn of(canonical: &[u8]) -> Self {
        Self(Sha256::digest(canonical).into())
    }

    /// The hash from its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`MalformedHash`] for anything else.
    pub fn parse(text: &str) -> Result<Self, MalformedHash> {
        let mut bytes = [0; 32];
        read_hex(text, &mut bytes).ok_or(MalformedHash)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

pub(crate) fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

pub(crate) fn read_hex(text: &str, into: &mut [u8]) -> Option<()> {
    if text.len() != into.len() * 2 {
        return None;
    }
    for (byte, pair) in into.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_reads_back() -> Result<(), MalformedHash> {
        let hash = ContentHash::of(b"km");
        assert_eq!(ContentHash::parse(&hash.to_string())?, hash);
        assert!(ContentHash::parse("00").is_err());
        assert!(ContentHash::parse(&"é".repeat(32)).is_err());
        Ok(())
    }
}
