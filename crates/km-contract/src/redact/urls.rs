//! Passwords in addresses: `scheme://user:password@host`.

use std::ops::Range;

use super::values::is_blank;
use super::{Kind, Secret};

/// How far a password is looked for.
const USERINFO_MAX: usize = 1 << 10;
/// How far before a driver's `@tcp(` its user is looked for.
const DRIVER_MAX: usize = 256;
/// Ends of a password that are tried: it can hold an `@` itself, though RFC 3986 says it must not.
const ENDS_MAX: usize = 4;

/// Reads the address whose `://` stands at `needle`.
pub(super) fn read(text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    match password(text, needle.end).filter(|at| is_told(&text[at.clone()])) {
        Some(at) => {
            let end = at.end;
            found.push(Secret { kind: Kind::Dsn, at });
            end
        }
        None => needle.end,
    }
}

/// Reads `user:password@tcp(host)`, as drivers of Go write it; `needle` is what follows the password.
pub(super) fn read_driver(text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    let is_inside = |byte: &&u8| !byte.is_ascii_whitespace() && !b"\"'`".contains(byte);
    let before = text.as_bytes()[..needle.start].iter().rev().take(DRIVER_MAX).take_while(is_inside).count();
    let userinfo = &text[text.ceil_char_boundary(needle.start - before)..needle.start];
    if let Some((_, password)) = userinfo.split_once(':')
        && is_told(password)
    {
        found.push(Secret { kind: Kind::Dsn, at: needle.start - password.len()..needle.start });
    }
    needle.end
}

fn is_told(password: &str) -> bool {
    !password.is_empty() && !is_blank(password)
}

/// The password of the address that goes on at `begin`.
fn password(text: &str, begin: usize) -> Option<Range<usize>> {
    let rest = &text[begin..text.floor_char_boundary(begin + USERINFO_MAX)];
    let user = rest.find([':', '@', '/', '?', '#', '[', ' ', '\n', '"', '\'', '<', '`'])?;
    if !rest[user..].starts_with(':') {
        return None;
    }
    let start = user + 1;
    let ends = rest[start..].match_indices('@').take(ENDS_MAX).map(|(at, _)| start + at);
    let end = ends.clone().find(|end| is_host(&rest[end + 1..]))?;
    let password = &rest[start..end];
    let is_one = !password.starts_with('/') && !password.contains(outside) && !is_port(password);
    is_one.then(|| begin + start..begin + end)
}

/// White space and quotes end an address.
fn outside(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`')
}

/// A number and then a path or another host: the `@` stands further on.
fn is_port(password: &str) -> bool {
    let digits = password.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && password[digits..].starts_with(['/', '?', '#', ','])
}

/// Whether a host begins here: a name, an address in brackets, or a variable.
fn is_host(text: &str) -> bool {
    if text.starts_with(['[', '$', '{', '<', '%']) {
        return true;
    }
    let len = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte)).count();
    let is_digest = text.starts_with("sha256:");
    len > 0 && !is_digest && !text[len..].starts_with('@')
}
