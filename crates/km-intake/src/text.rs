//! Fitting foreign text into km's limits: cut visibly, never refused.

use std::collections::BTreeMap;

use km_model::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_MAX};

/// What stands at the end of a text that was cut.
const CUT: &str = "…[cut]";

/// A text of at most `max` bytes, without NUL. A longer one is cut on a character's edge and says so.
pub(crate) fn fit(text: &str, max: usize) -> String {
    let clean = if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() };
    if clean.len() <= max {
        return clean;
    }
    let keep = clean.floor_char_boundary(max.saturating_sub(CUT.len()));
    format!("{}{CUT}", &clean[..keep])
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

/// Text of an id: no control characters, no white space at its ends, at most `max` bytes.
pub(crate) fn fit_id(text: &str, max: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let clean = clean.trim();
    clean[..clean.floor_char_boundary(max)].trim_end().to_owned()
}

/// The text without a byte order mark.
pub(crate) fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}
