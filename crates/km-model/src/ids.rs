//! Ids: bounded text that was checked once, and the digest that names an entry.

use std::borrow::Cow;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::limits::{ID_BYTES_MAX, TENANT_BYTES_MAX, WRITE_ID_BYTES_MAX};
use crate::{EntryKey, Rule, Violation};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:expr, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes the text if it keeps the rules of this id.
            ///
            /// # Errors
            /// A [`Violation`] that names this id's field.
            pub fn parse(text: impl Into<Box<str>>) -> Result<Self, Violation> {
                let text = text.into();
                $check(&text, $max).map_err(|rule| Violation::new($field, rule))?;
                Ok(Self(text))
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// The incident a write is about, in the words of the system that opened it.
    IncidentId, "incident_id", ID_BYTES_MAX, printable
);
text_id!(
    /// The approval a write is about.
    ApprovalId, "approval_id", ID_BYTES_MAX, printable
);
text_id!(
    /// The execution (a run of an action) a write is about.
    ExecutionId, "execution_id", ID_BYTES_MAX, printable
);
text_id!(
    /// The playbook a write is about.
    PlaybookSlug, "playbook", ID_BYTES_MAX, printable
);
text_id!(
    /// What kind of knowledge an entry is, in the producer's words (`incident_case`, `runbook`, …).
    EntryType, "entry_type", ID_BYTES_MAX, printable
);
text_id!(
    /// The identity of an alert: equal labels, equal fingerprint.
    Fingerprint, "fingerprint", ID_BYTES_MAX, printable
);
text_id!(
    /// The caller's idempotency key: 1–128 visible ASCII characters.
    WriteId, "write_id", WRITE_ID_BYTES_MAX, visible_ascii
);
text_id!(
    /// Whose knowledge it is: lower-case ASCII letters, digits, `-` and `_`.
    TenantId, "tenant", TENANT_BYTES_MAX, tenant_name
);

impl TenantId {
    /// The tenant of an installation without keys.
    #[expect(clippy::expect_used, reason = "a constant that a test parses")]
    pub fn default_tenant() -> Self {
        Self::parse("default").expect("`default` is a valid tenant name")
    }
}

fn bounded(text: &str, max: usize) -> Result<(), Rule> {
    match text.len() {
        0 => Err(Rule::Missing { because: "it must not be empty" }),
        bytes if bytes > max => Err(Rule::TooLong { bytes, max }),
        _ => Ok(()),
    }
}

fn printable(text: &str, max: usize) -> Result<(), Rule> {
    bounded(text, max)?;
    match text.chars().find(|c| c.is_control()) {
        Some(c) => Err(Rule::ControlCharacter { code_point: c.into() }),
        None if text.trim() != text => Err(Rule::Malformed { expected: "no white space at either end" }),
        None => Ok(()),
    }
}

fn visible_ascii(text: &str, max: usize) -> Result<(), Rule> {
    bounded(text, max)?;
    if text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Rule::Malformed { expected: "visible ASCII characters" })
}

fn tenant_name(text: &str, max: usize) -> Result<(), Rule> {
    bounded(text, max)?;
    if text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_') {
        return Ok(());
    }
    Err(Rule::Malformed { expected: "lower-case ASCII letters, digits, `-` and `_`" })
}

/// The public name of an entry: a digest of its tenant and key, so every process names it alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId([u8; 16]);

impl EntryId {
    /// The id of the entry that `tenant` keeps under `key`.
    pub fn of(tenant: &TenantId, key: &EntryKey) -> Self {
        let mut digest = Sha256::new_with_prefix(b"km.entry.v1\0");
        digest.update(tenant.as_str());
        digest.update(b"\0");
        digest.update(key.to_string());
        let mut id = [0; 16];
        id.copy_from_slice(&digest.finalize()[..16]);
        Self(id)
    }

    /// The id from its 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads 32 hexadecimal digits.
    ///
    /// # Errors
    /// A [`Violation`] of the field `entry_id`.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        let malformed = || {
            let field: Cow<'static, str> = Cow::Borrowed("entry_id");
            Violation::new(field, Rule::Malformed { expected: "32 hexadecimal digits" })
        };
        let mut bytes = [0; 16];
        crate::hash::read_hex(text, &mut bytes).ok_or_else(malformed)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hash::write_hex(&self.0, f)
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_taken_at_its_limit_and_refused_one_past_it() {
        assert!(IncidentId::parse("x".repeat(ID_BYTES_MAX)).is_ok());
        assert!(IncidentId::parse("x".repeat(ID_BYTES_MAX + 1)).is_err());
        assert!(WriteId::parse("x".repeat(WRITE_ID_BYTES_MAX)).is_ok());
        assert!(WriteId::parse("x".repeat(WRITE_ID_BYTES_MAX + 1)).is_err());
        assert!(TenantId::parse("x".repeat(TENANT_BYTES_MAX)).is_ok());
        assert!(TenantId::parse("x".repeat(TENANT_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn empty_and_unprintable_ids_are_refused() {
        assert!(IncidentId::parse("").is_err());
        assert!(IncidentId::parse("a\0b").is_err());
        assert!(IncidentId::parse(" INC-1").is_err());
        assert!(WriteId::parse("two words").is_err());
        assert!(WriteId::parse("schlüssel").is_err());
        assert!(TenantId::parse("Team").is_err());
    }

    #[test]
    fn an_entry_id_reads_back() {
        let id = EntryId::from_bytes([0xab; 16]);
        assert_eq!(EntryId::parse(&id.to_string()), Ok(id));
        assert!(EntryId::parse("abc").is_err());
    }

    #[test]
    fn the_default_tenant_is_valid() {
        assert_eq!(TenantId::default_tenant().as_str(), "default");
    }
}
