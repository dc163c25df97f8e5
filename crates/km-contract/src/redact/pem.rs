//! Private keys between `-----BEGIN … PRIVATE KEY-----` and its end, which can be missing.

use std::ops::Range;

use super::{Kind, Secret};

pub(super) const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
/// The longest label (RFC 7468) that is read.
const LABEL_MAX: usize = 64;
/// The longest header line (RFC 1421, RFC 4880).
const HEADER_MAX: usize = 200;
/// A text of so many characters of the alphabet is part of a key, wherever it stands.
const LONG: usize = 24;

/// Reads the key that begins at `needle`. Where the marker is only spoken of, nothing is secret: behind it must stand
/// what a key is made of, and the secret ends where that ends.
pub(super) fn read(text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    let Some(label) = label(&text[needle.end..]) else { return needle.end };
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
        return needle.end;
    }
    let begin = needle.end + label.len() + DASHES.len();
    let Some(end) = end_of_key(text, begin) else { return begin };
    let end = end_of_marker(text, end);
    found.push(Secret { kind: Kind::Pem, at: needle.start..end });
    end
}

/// Capital letters up to the next dashes.
fn label(text: &str) -> Option<&str> {
    let within = &text[..text.floor_char_boundary(LABEL_MAX)];
    let label = &within[..within.find(DASHES)?];
    label
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ')
        .then_some(label)
}

/// Where the last piece of a key ends; `None` when there is none.
fn end_of_key(text: &str, begin: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut end) = (begin, None);
    loop {
        let start = at + between(bytes, at);
        let is_new_line =
            start == begin || bytes[at..start].iter().any(|byte| matches!(byte, b'\n' | b'n' | b'r'));
        if let Some(header) = header(&text[start..]).filter(|_| is_new_line && end.is_none()) {
            at = start + header;
            continue;
        }
        let piece = bytes[start..].iter().take_while(|byte| is_base64(**byte)).count();
        let next = start + piece;
        let is_alone = is_new_line && ends_line(bytes, next);
        if piece == 0 || !(is_alone || piece >= LONG) {
            return end;
        }
        (at, end) = (next, Some(next));
    }
}

/// The end marker belongs to the secret, if it follows.
fn end_of_marker(text: &str, key: usize) -> usize {
    let at = key + between(text.as_bytes(), key);
    let Some(rest) = text[at..].strip_prefix("-----END ") else { return key };
    label(rest).map_or(key, |label| text.len() - rest.len() + label.len() + DASHES.len())
}

/// What can stand between the lines of a key: white space, also escaped, and the marks of quotations.
fn between(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(byte) = bytes.get(end) {
        let escaped = *byte == b'\\' && matches!(bytes.get(end + 1), Some(b'n' | b'r' | b't' | b'\\' | b'"'));
        match byte {
            _ if escaped => end += 2,
            b'"' | b'\'' | b',' | b'>' | b'|' => end += 1,
            _ if byte.is_ascii_whitespace() => end += 1,
            _ => break,
        }
    }
    end - at
}

/// Whether nothing but the end of a line, or of the text, follows.
fn ends_line(bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at..];
    let rest = &rest[rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count()..];
    rest.is_empty()
        || rest.starts_with(b"\n")
        || rest.starts_with(b"\\")
        || rest.starts_with(b"\"")
        || rest.starts_with(b"-----END")
}

/// The length of a line such as `Proc-Type: 4,ENCRYPTED` or `Version: GnuPG v2`, up to its end.
fn header(text: &str) -> Option<usize> {
    let line = &text[..text.floor_char_boundary(HEADER_MAX)];
    let line = &line[..line.find(['\n', '\\', '"'])?];
    let (name, _) = line.split_once(": ")?;
    let is_name = name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    is_name.then_some(line.len())
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}
