//! Schemes of HTTP authentication: `Bearer …`, `Basic …`, and whatever else an `Authorization` header brings.

use std::ops::Range;

use super::assignments::value;
use super::tokens::{dashed, inside_word, run};
use super::values::{is_blank, is_opaque, is_prose};
use super::{Kind, Secret};

/// Schemes that are followed by one text.
const ONE_TEXT: [&str; 12] = [
    "token",
    "apikey",
    "api-key",
    "api-token",
    "key",
    "genie-key",
    "geniekey",
    "ssws",
    "splunk",
    "negotiate",
    "ntlm",
    "bot",
];
/// Schemes that are followed by parameters, one of which proves the rest.
const PARAMETERS: [&str; 7] =
    ["digest", "oauth", "hawk", "mac", "signature", "aws4-hmac-sha256", "sharedaccesssignature"];

/// As much of a header with parameters as is read.
const HEADER_MAX: usize = 4 << 10;
/// The longest name of a scheme that is read.
const SCHEME_MAX: usize = 32;

/// Reads what stands behind the word `bearer` or `basic` in a text.
pub(super) fn read(text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    let bytes = text.as_bytes();
    let start = needle.end + run(&bytes[..bytes.len().min(needle.end + 4)], needle.end, |byte| byte == b' ');
    if inside_word(bytes, needle.start) || start == needle.end {
        return needle.end;
    }
    let end = start + run(bytes, start, credential);
    let proof = text[start..end].trim_end_matches('.');
    let is_basic = text[needle].eq_ignore_ascii_case("basic");
    let is_told = if is_basic { is_user_and_password(proof) } else { proof.len() >= 16 && is_opaque(proof) };
    if is_told {
        let kind = if is_basic { Kind::Basic } else { Kind::Bearer };
        found.push(Secret { kind, at: start..start + proof.len() });
    }
    end
}

/// Reads the value of an `Authorization` header that begins at `at`, and returns where its first word ends.
pub(super) fn read_header(text: &str, at: usize, found: &mut Vec<Secret>) -> usize {
    let bytes = text.as_bytes();
    let place = value(text, at);
    let start = place.at.start;
    let scheme = &text[start..start + run(&bytes[..bytes.len().min(start + SCHEME_MAX)], start, dashed)];
    let behind = start + scheme.len();
    let proof = behind + run(&bytes[..bytes.len().min(behind + 4)], behind, |byte| byte == b' ');
    let within = if place.is_delimited { &bytes[..place.at.end] } else { bytes };
    let told = if proof == behind {
        let judged = &text[place.at.clone()];
        is_opaque(judged).then(|| (Kind::Credential, place.whole(text)))
    } else {
        proof_at(scheme, text, proof.min(within.len()), within)
    };
    let read_to = told.as_ref().map_or(behind, |(_, secret)| secret.end);
    found.extend(told.map(|(kind, at)| Secret { kind, at }));
    read_to
}

/// The proof that begins at `at`, if the scheme is known and what follows is no prose.
fn proof_at(scheme: &str, text: &str, at: usize, within: &[u8]) -> Option<(Kind, Range<usize>)> {
    let scheme = scheme.to_ascii_lowercase();
    if PARAMETERS.contains(&scheme.as_str()) {
        let line = &within[..within.len().min(at + HEADER_MAX)];
        let end = at + run(line, at, |byte| !matches!(byte, b'\n' | b'\r' | b'`'));
        let has_parameters = within[at..end].contains(&b'=');
        return has_parameters.then_some((Kind::Credential, at..text.floor_char_boundary(end)));
    }
    let kind = match scheme.as_str() {
        "bearer" => Kind::Bearer,
        "basic" => Kind::Basic,
        other if ONE_TEXT.contains(&other) => Kind::Credential,
        _ => return None,
    };
    let end = at + run(within, at, |byte| byte.is_ascii_graphic() && !b"\"'`,<>\\".contains(&byte));
    let proof = text[at..end].trim_end_matches(['.', ')']);
    let is_told = !proof.starts_with('{') && !is_blank(proof) && !is_prose(proof);
    is_told.then(|| (kind, at..at + proof.len()))
}

/// The alphabet of RFC 6750, section 2.1.
const fn credential(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'+' | b'/' | b'-' | b'=')
}

/// Whether Base64 text holds `user:password` in readable characters.
pub(super) fn is_user_and_password(base64: &str) -> bool {
    let bare = base64.trim_end_matches('=');
    let is_base64 = bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let is_whole = bare.len() % 4 != 1 && (bare.len() == base64.len() || base64.len().is_multiple_of(4));
    if !is_base64 || !is_whole || bare.len() < 6 {
        return false;
    }
    let decoded = decoded(bare);
    decoded.iter().skip(1).any(|byte| *byte == b':')
        && std::str::from_utf8(&decoded).is_ok_and(|text| !text.chars().any(char::is_control))
}

fn decoded(base64: &str) -> Vec<u8> {
    let (mut bits, mut held) = (0_u32, 0);
    let mut bytes = Vec::with_capacity(base64.len());
    for byte in base64.bytes() {
        bits = bits << 6 | u32::from(sextet(byte));
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

const fn sextet(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    }
}
