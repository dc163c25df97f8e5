//! Secrets are taken out before anything is kept or logged.
//!
//! A secret becomes `[redacted:kind:hash8]`: eight digits of its SHA-256 keep equal secrets recognisable
//! without giving one away. Only the bytes of the secret change.
//!
//! One pass over a text finds the places where something is worth a look ([`scan`]): the beginning of a token,
//! a name such as `password`, `://`. What stands there is then read by hand, a bounded distance to either side:
//!
//! | room | finds |
//! |---|---|
//! | [`tokens`] | what is a secret by its own form, wherever it stands |
//! | [`pem`], [`urls`], [`schemes`], [`commands`] | what is one by its place: private keys, `user:password@host`, `Bearer …`, `curl -u` |
//! | [`assignments`] | what a name makes one: `password=…`, `"apiKey": "…"` |
//! | [`names`], [`values`] | which names do, and which values are none: variables, paths, plain words |
//! | [`json`] | the same in JSON, where a name can make a whole member secret |

mod assignments;
mod commands;
mod json;
mod names;
mod pem;
mod scan;
mod schemes;
mod tokens;
mod urls;
mod values;

use std::borrow::Cow;
use std::ops::Range;

use km_model::{ContentHash, text};
use serde_json::{Map, Value};

/// What kind of secret something is; of two for the same bytes the first here is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Pem,
    Jwt,
    Aws,
    Azure,
    Gcp,
    Github,
    Gitlab,
    Slack,
    Chat,
    Telegram,
    Km,
    Token,
    Dsn,
    Kubeconfig,
    Bearer,
    Basic,
    Credential,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pem => "pem",
            Self::Jwt => "jwt",
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Slack => "slack",
            Self::Chat => "chat",
            Self::Telegram => "telegram",
            Self::Km => "km",
            Self::Token => "token",
            Self::Dsn => "dsn",
            Self::Kubeconfig => "kubeconfig",
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::Credential => "credential",
        }
    }
}

/// Bytes of a text that are a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Secret {
    kind: Kind,
    at: Range<usize>,
}

/// Takes the secrets out of a text; a text without any comes back as it is, and so does one without them any more.
pub fn redact(text: String) -> String {
    let mut text = text;
    // Every round leaves fewer bytes outside of placeholders, so there is a last one; as a rule it is the second.
    loop {
        let secrets = scan::secrets(&text);
        if secrets.is_empty() {
            return text;
        }
        text = spliced(&text, &secrets);
    }
}

/// As [`redact`], and then at most `max` bytes: what is longer is cut, but no placeholder in half.
pub(crate) fn redact_within(text: String, max: usize) -> String {
    let mut text = redact(text);
    while text.len() > max {
        let keep = text.floor_char_boundary(max.saturating_sub(text::CUT.len()));
        // What a cut leaves can look like another secret, so the rest is looked at again.
        text = redact(text::cut_at(&text, scan::before_placeholder(&text, keep)));
    }
    text
}

/// Takes the secrets out of a body: of JSON member by member, of anything else as text. All other bytes stay, also
/// those that are not UTF-8.
pub fn redact_payload(payload: &[u8]) -> Vec<u8> {
    json::redacted(payload).unwrap_or_else(|| redact_bytes(payload.to_vec()))
}

fn redact_bytes(mut bytes: Vec<u8>) -> Vec<u8> {
    loop {
        let secrets = scan::secrets(&readable(&bytes));
        if secrets.is_empty() {
            return bytes;
        }
        bytes = spliced_bytes(&bytes, &secrets);
    }
}

/// The bytes as a text of the same length: one that is not UTF-8 is shown as a control character.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '\u{1a}'));
    }
    Cow::Owned(text)
}

/// Takes the secrets out of the value of a label: where the label's name says so, the whole value is one.
pub(crate) fn redact_member(name: &str, value: String, max: usize) -> String {
    redact_within(json::redacted_text(name, &value).unwrap_or(value), max)
}

/// A name without secrets. One that holds any goes whole: it is then short enough for every limit, and still
/// other than other names.
pub(crate) fn redact_name(name: String) -> String {
    match scan::secrets(&name).first() {
        Some(secret) => placeholder(secret.kind, name.as_bytes()),
        None => name,
    }
}

/// Takes the secrets out of every text and name of a JSON object, and out of every member whose name says so.
pub(crate) fn redact_json(map: &mut Map<String, Value>) {
    if map.is_empty() {
        return;
    }
    let text = Value::Object(std::mem::take(map)).to_string();
    let redacted = json::redacted(text.as_bytes()).unwrap_or_else(|| text.into_bytes());
    #[expect(
        clippy::expect_used,
        reason = "an object was shown, and its names and values were replaced by texts"
    )]
    let read = serde_json::from_slice(&redacted).expect("an object reads back");
    *map = read;
}

/// Whether a text holds anything that would be taken out.
pub(crate) fn holds_secret(text: &str) -> bool {
    !scan::secrets(text).is_empty()
}

fn spliced(text: &str, secrets: &[Secret]) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut at = 0;
    for secret in secrets {
        redacted.push_str(&text[at..secret.at.start]);
        redacted.push_str(&placeholder(secret.kind, text[secret.at.clone()].as_bytes()));
        at = secret.at.end;
    }
    redacted.push_str(&text[at..]);
    redacted
}

fn spliced_bytes(bytes: &[u8], secrets: &[Secret]) -> Vec<u8> {
    let mut redacted = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for secret in secrets {
        redacted.extend_from_slice(&bytes[at..secret.at.start]);
        redacted.extend_from_slice(placeholder(secret.kind, &bytes[secret.at.clone()]).as_bytes());
        at = secret.at.end;
    }
    redacted.extend_from_slice(&bytes[at..]);
    redacted
}

fn placeholder(kind: Kind, secret: &[u8]) -> String {
    format!("[redacted:{}:{}]", kind.as_str(), &ContentHash::of(secret).to_string()[..8])
}

#[cfg(test)]
mod tests;
