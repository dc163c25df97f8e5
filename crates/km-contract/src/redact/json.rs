//! Secrets in JSON: each text by itself, and whole members whose names say that they are secret.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::names::{Says, says};
use super::values::{is_nothing, is_opaque, is_rooted};
use super::{Kind, placeholder, redact, redact_name};

/// The JSON text with its secrets replaced, or `None` when it is not JSON. Every other byte stays: the order and the
/// repetition of members, the form of numbers.
pub(super) fn redacted(payload: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(payload).ok()?;
    serde_json::from_str::<IgnoredAny>(text.trim_start_matches('\u{feff}')).ok()?;
    let mut walk = Walk { text, copied: 0, redacted: String::new() };
    let mut at = 0;
    while let Some(quote) = text[at..].find('"') {
        at = walk.string(at + quote);
    }
    walk.redacted.push_str(&text[walk.copied..]);
    Some(walk.redacted.into_bytes())
}

/// A text without secrets under this name, if the name says something of it.
pub(super) fn redacted_text(name: &str, text: &str) -> Option<String> {
    match says(name)? {
        Says::Authorization => redacted_header(text),
        says if is_secret_text(says, text) => Some(placeholder(kind_of(says), text.as_bytes())),
        _ => None,
    }
}

/// The scheme of a header stays readable.
fn redacted_header(text: &str) -> Option<String> {
    const NAME: &str = "authorization: ";
    redact(format!("{NAME}{text}")).strip_prefix(NAME).map(str::to_owned)
}

fn is_secret_text(says: Says, text: &str) -> bool {
    match says {
        Says::Password | Says::Key | Says::Kubeconfig => !is_nothing(text),
        Says::PasswordOrPath => !is_nothing(text) && !is_rooted(text),
        Says::Perhaps | Says::PerhapsAssigned | Says::Authorization => is_opaque(text),
    }
}

const fn kind_of(says: Says) -> Kind {
    match says {
        Says::Kubeconfig => Kind::Kubeconfig,
        _ => Kind::Credential,
    }
}

/// Goes through a text that is known to be JSON, from quote to quote.
struct Walk<'t> {
    text: &'t str,
    /// Up to where the text stands in `redacted`.
    copied: usize,
    redacted: String,
}

impl Walk<'_> {
    /// Reads the string that begins at `start`, and returns where to go on.
    fn string(&mut self, start: usize) -> usize {
        let end = end_of_string(self.text, start);
        let string = decoded(&self.text[start..end]);
        let Some(value) = value_behind(self.text, end) else {
            self.replace(start..end, &string, redact(string.clone().into_owned()));
            return end;
        };
        self.replace(start..end, &string, redact_name(string.clone().into_owned()));
        says(&string).and_then(|says| self.member(&string, says, value)).unwrap_or(end)
    }

    /// Reads the value of a member whose name says something; `None` leaves the value to the walk.
    fn member(&mut self, name: &str, says: Says, start: usize) -> Option<usize> {
        let text = self.text;
        let is_text = match text.as_bytes()[start] {
            b'"' => true,
            b't' | b'f' | b'n' => return None,
            _ if matches!(says, Says::Perhaps | Says::PerhapsAssigned | Says::Authorization) => return None,
            _ => false,
        };
        let end = end_of_value(text, start);
        let shown = &text[start..end];
        if is_text {
            let string = decoded(shown);
            self.replace(start..end, &string, redacted_text(name, &string)?);
        } else {
            self.replace(start..end, "", placeholder(kind_of(says), shown.as_bytes()));
        }
        Some(end)
    }

    /// Puts a string where another stands, if it is another.
    fn replace(&mut self, at: Range<usize>, before: &str, after: String) {
        if before == after {
            return;
        }
        self.redacted.push_str(&self.text[self.copied..at.start]);
        self.redacted.push_str(&serde_json::Value::String(after).to_string());
        self.copied = at.end;
    }
}

fn decoded(string: &str) -> Cow<'_, str> {
    let inside = &string[1..string.len() - 1];
    if !inside.contains('\\') {
        return Cow::Borrowed(inside);
    }
    // Half a surrogate pair passes for JSON and is no text: it stays as it is written.
    serde_json::from_str(string).map_or(Cow::Borrowed(inside), Cow::Owned)
}

/// Behind the closing quote of the string that begins at `start`.
fn end_of_string(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Where the value begins, if the string that ends at `end` is a member's name.
fn value_behind(text: &str, end: usize) -> Option<usize> {
    let behind = text[end..].trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
    Some(text.len() - behind.len())
}

fn end_of_value(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    match bytes[start] {
        b'"' => end_of_string(text, start),
        b'{' | b'[' => end_of_container(text, start),
        _ => start + bytes[start..].iter().take_while(|byte| !b",]} \t\r\n".contains(byte)).count(),
    }
}

fn end_of_container(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (start, 0_usize);
    loop {
        match bytes[at] {
            b'"' => {
                at = end_of_string(text, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
}
