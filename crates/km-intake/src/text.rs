//! Fitting foreign text into km's limits: cut visibly, never refused.

use std::collections::BTreeMap;

use km_model::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX};
use km_model::{ContentHash, text};

/// A text of at most `max` bytes, without NUL. A longer one is cut on a character's edge and says so.
pub(crate) fn fit(text: &str, max: usize) -> String {
    if text.contains('\0') { text::fit(&text.replace('\0', "\u{fffd}"), max) } else { text::fit(text, max) }
}

/// Labels within km's limits: the first 64 by name, long values cut.
pub(crate) fn fit_labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named = labels.iter().filter(|(name, _)| !name.is_empty() && !name.contains('\0'));
    named
        .take(LABELS_MAX)
        .map(|(name, value)| (fit(name, LABEL_NAME_BYTES_MAX), fit(value, LABEL_VALUE_BYTES_MAX)))
        .collect()
}

/// The first line of a text that says something, without surrounding white space.
pub(crate) fn first_line(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}

/// Hexadecimal digits that tell apart two ids of which km keeps the same beginning.
const DIGEST_DIGITS: usize = 16;

/// Text of an id: no white space at its ends, no control characters, at most `max` bytes. Where more than white
/// space at the ends had to go, a digest of the whole stands at the end: two ids never become one.
pub(crate) fn fit_id(text: &str, max: usize) -> String {
    let id = text.trim();
    let clean: String = id.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean == id && id.len() <= max {
        return clean;
    }
    let digest = ContentHash::of(id.as_bytes()).to_string();
    let keep = clean.floor_char_boundary(max.saturating_sub(DIGEST_DIGITS + 1));
    format!("{}~{}", clean[..keep].trim(), &digest[..DIGEST_DIGITS])
}

/// The text without a byte order mark.
pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use km_model::IncidentId;
    use km_model::limits::ID_BYTES_MAX;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_at_the_limit_stays_and_one_past_it_ends_in_a_digest() {
        let id = "x".repeat(ID_BYTES_MAX);
        assert_eq!(fit_id(&id, ID_BYTES_MAX), id);
        assert_eq!(fit_id(&format!(" {id}\n"), ID_BYTES_MAX), id);
        let cut = fit_id(&format!("{id}x"), ID_BYTES_MAX);
        assert_eq!((cut.len(), cut.as_bytes()[ID_BYTES_MAX - 17]), (ID_BYTES_MAX, b'~'));
    }

    proptest! {
        #[test]
        fn two_ids_never_become_one(a in any_id(), b in any_id()) {
            let (fit_a, fit_b) = (fit_id(&a, ID_BYTES_MAX), fit_id(&b, ID_BYTES_MAX));
            prop_assert_eq!(a.trim() == b.trim(), fit_a == fit_b);
            if !a.trim().is_empty() {
                prop_assert!(IncidentId::parse(fit_a).is_ok());
            }
        }
    }

    /// Long ids that differ only at the end, and short ones with characters that cannot stay.
    fn any_id() -> impl Strategy<Value = String> {
        prop_oneof!["[a-b \t\u{1}]{0,3}", "[a-b \u{1}]{0,2}".prop_map(|end| "长/".repeat(70) + &end)]
    }
}
