//! A name, something between, a value: `password=…`, `"apiKey": "…"`, `--token …`, `<secret>…</secret>`.

use std::ops::Range;

use super::names::{self, NAME_BYTES_MAX, Says};
use super::tokens::{dotted, run, word};
use super::values::{is_address, is_blank, is_file, is_opaque, is_path, is_prose, is_rooted};
use super::{Kind, Secret, schemes};

/// What every name holds that says something; most names with one of these say nothing.
pub(super) const NEEDLES: [&str; 11] =
    ["pass", "pwd", "secret", "token", "key", "auth", "sig", "密码", "密碼", "口令", "密钥"];

/// Bytes between a name and its value, at most.
const BETWEEN_MAX: usize = 16;
/// How far the end of a quotation is looked for.
const QUOTED_MAX: usize = 4 << 10;
/// How much of a value without quotes is judged; one that is secret goes whole, however long.
const JUDGED_MAX: usize = 128;

/// How a name and a value are put together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    /// `=`, or quotes around the name: nothing else than a value can follow.
    Firm,
    /// `:`, with prose on either side as often as not.
    Loose,
    /// `<name>`.
    Element,
}

/// Where a value stands, or as much of it as is judged.
pub(super) struct Place {
    pub(super) at: Range<usize>,
    /// It stands between quotes or tags, which are not part of it.
    pub(super) is_delimited: bool,
}

/// Reads the assignment in whose name `needle` stands.
pub(super) fn read(text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    let name = name_around(text, &needle);
    let Some((join, value_at)) = join_behind(text, &name) else { return name.end };
    let Some(says) = names::says(&text[name.clone()]) else { return name.end };
    if says == Says::Authorization {
        return schemes::read_header(text, value_at, found);
    }
    if matches!(text.as_bytes().get(value_at), Some(b'(' | b'[')) {
        return name.end;
    }
    let place = if join == Join::Element { element(text, value_at) } else { value(text, value_at) };
    let judged = place.judged(text);
    let is_reference = !place.is_delimited && is_reference(&text[name.clone()], judged);
    if is_reference || !is_told(says, join, judged, place.is_delimited) {
        return name.end;
    }
    let kind = if says == Says::Kubeconfig { Kind::Kubeconfig } else { Kind::Credential };
    let at = place.whole(text);
    let end = at.end;
    found.push(Secret { kind, at });
    end
}

impl Place {
    fn judged<'t>(&self, text: &'t str) -> &'t str {
        &text[self.at.clone()]
    }

    /// The bytes of the value, also those behind what was judged.
    pub(super) fn whole(&self, text: &str) -> Range<usize> {
        let end = if self.is_delimited { self.at.end } else { bare_end(text, self.at.start, usize::MAX) };
        self.at.start..end
    }
}

/// Reads the quoted text behind `IDENTIFIED BY`.
pub(super) fn read_quoted(text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    let place = value(text, needle.end + spaces(text.as_bytes(), needle.end));
    let is_text = place.is_delimited && text.as_bytes()[place.at.start - 1] != b'`';
    if is_text && !is_blank(&text[place.at.clone()]) {
        found.push(Secret { kind: Kind::Credential, at: place.at });
    }
    needle.end
}

/// Whether the value is only the name again, as code hands it on: `self.password = password`, `token=new_token`.
fn is_reference(name: &str, value: &str) -> bool {
    let name = name.rsplit('.').next().unwrap_or(name).trim_matches(['_', '-']);
    let ends = |longer: &str, end: &str| {
        longer.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with(['_', '.']))
    };
    let is_name = value.len() >= 3 && value.bytes().all(|byte| word(byte) || byte == b'.');
    is_name && (ends(value, name) || ends(name, value))
}

/// Whether the value is a secret that stands there.
fn is_told(says: Says, join: Join, value: &str, is_delimited: bool) -> bool {
    let is_key = matches!(says, Says::Key | Says::Kubeconfig);
    let is_elsewhere = is_address(value) || (is_key || !is_delimited) && (is_path(value) || is_file(value));
    let is_firm = is_delimited || join == Join::Firm;
    let is_directory = says == Says::PasswordOrPath && is_rooted(value);
    if value.is_empty() || is_blank(value) || is_elsewhere || is_directory {
        return false;
    }
    match says {
        Says::Perhaps | Says::Authorization => is_opaque(value),
        Says::PerhapsAssigned => is_firm && is_opaque(value),
        Says::Password | Says::PasswordOrPath => is_firm || !is_prose(value),
        Says::Key | Says::Kubeconfig => is_firm || is_opaque(value),
    }
}

fn name_around(text: &str, needle: &Range<usize>) -> Range<usize> {
    let bytes = text.as_bytes();
    if !bytes[needle.start].is_ascii() {
        return needle.clone();
    }
    let mut start = word_before(bytes, needle.start);
    let end = needle.end + run(bytes, needle.end, dotted);
    // In prose the key's kind is a word of its own: `API key: …`.
    let is_key = ["key", "keys"].iter().any(|key| text[start..end].eq_ignore_ascii_case(key));
    if is_key && start > 0 && bytes[start - 1] == b' ' {
        start = word_before(bytes, start - 1);
    }
    start..end
}

/// Where the word begins that ends at `end`.
fn word_before(bytes: &[u8], end: usize) -> usize {
    end - bytes[..end].iter().rev().take(NAME_BYTES_MAX).take_while(|byte| dotted(**byte)).count()
}

/// What stands between a name and a value, and where the value begins.
fn join_behind(text: &str, name: &Range<usize>) -> Option<(Join, usize)> {
    let bytes = text.as_bytes();
    if bytes.get(name.end) == Some(&b'>') && name.start > 0 && bytes[name.start - 1] == b'<' {
        return Some((Join::Element, name.end + 1));
    }
    let closed = name.end + run(&bytes[..bytes.len().min(name.end + BETWEEN_MAX)], name.end, closes);
    let is_closed = bytes[name.end..closed].iter().any(|byte| matches!(byte, b'"' | b'\''));
    let at = closed + spaces(bytes, closed);
    let (mut join, len) = match joint(&text[at..]) {
        Some(joint) => joint,
        None => (option(text, name, closed, at)?, 0),
    };
    if is_closed && join == Join::Loose {
        join = Join::Firm;
    }
    let behind = at + len;
    let behind = behind + run(&bytes[..bytes.len().min(behind + 2)], behind, |byte| byte == b'*');
    let value = behind + spaces(bytes, behind);
    if join == Join::Firm && closed == at && value > behind && is_parameter(bytes, value) {
        return None;
    }
    // Of a list the first item is read.
    let is_list = is_closed && bytes.get(value) == Some(&b'[');
    Some((join, value + usize::from(is_list)))
}

/// Whether the next parameter stands where a value could: `password= host=db`.
fn is_parameter(bytes: &[u8], at: usize) -> bool {
    let name = run(bytes, at, |byte| byte.is_ascii_lowercase() || byte == b'_');
    (1..NAME_BYTES_MAX / 2).contains(&name)
        && bytes.get(at + name) == Some(&b'=')
        && bytes.get(at + name + 1) != Some(&b'=')
}

/// What can close a name: quotes, also escaped ones, an index, emphasis.
const fn closes(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b'*' | b')')
}

fn joint(text: &str) -> Option<(Join, usize)> {
    let firm = ["=>", ":=", "===", "==", "=", "＝"];
    if let Some(joint) = firm.iter().find(|joint| text.starts_with(**joint)) {
        return Some((Join::Firm, joint.len()));
    }
    let joint = ["：", ":", "为：", "是：", "为:", "是:", "为", "是"]
        .iter()
        .find(|joint| text.starts_with(**joint))?;
    (!text.starts_with("::")).then_some((Join::Loose, joint.len()))
}

/// `--password x`, `requirepass x`, `PASSWORD 'x'`: white space alone.
fn option(text: &str, name: &Range<usize>, closed: usize, at: usize) -> Option<Join> {
    let named = &text[name.clone()];
    if closed != name.end || at == closed {
        return None;
    }
    if matches!(named, "requirepass" | "masterauth")
        && (name.start == 0 || text[..name.start].ends_with('\n'))
    {
        return Some(Join::Firm);
    }
    let is_sql = named.eq_ignore_ascii_case("password") && text[at..].starts_with('\'');
    let next_is_option = text[at..].starts_with('-');
    (is_sql || named.starts_with('-') && !next_is_option).then_some(Join::Loose)
}

fn spaces(bytes: &[u8], at: usize) -> usize {
    run(&bytes[..bytes.len().min(at + BETWEEN_MAX)], at, |byte| matches!(byte, b' ' | b'\t'))
}

/// The value that begins at `at`: between quotes, or up to what parts it from the rest.
pub(super) fn value(text: &str, at: usize) -> Place {
    let bytes = text.as_bytes();
    let escapes = run(&bytes[..bytes.len().min(at + BETWEEN_MAX)], at, |byte| byte == b'\\');
    let quote = at + escapes;
    if let Some(mark @ (b'"' | b'\'' | b'`')) = bytes.get(quote).copied() {
        let begin = quote + 1;
        if let Some(end) = closing(bytes, begin, mark, escapes) {
            return Place { at: begin..end, is_delimited: true };
        }
        return Place { at: begin..bare_end(text, begin, JUDGED_MAX), is_delimited: false };
    }
    Place { at: at..bare_end(text, at, JUDGED_MAX), is_delimited: false }
}

/// Where the quotation ends that began with `escapes` backslashes and a mark: at the next mark with as many.
fn closing(bytes: &[u8], begin: usize, mark: u8, escapes: usize) -> Option<usize> {
    let within = &bytes[..bytes.len().min(begin + QUOTED_MAX)];
    let mut at = begin;
    loop {
        let found = at + within[at..].iter().position(|byte| *byte == mark || *byte == b'\n')?;
        if within[found] == b'\n' {
            return None;
        }
        let before = within[begin..found].iter().rev().take_while(|byte| **byte == b'\\').count();
        // An even number of backslashes is text of its own; one more escapes the mark.
        let is_closing = if escapes == 0 { before.is_multiple_of(2) } else { before <= escapes };
        if is_closing {
            return Some(found - before.min(escapes));
        }
        at = found + 1;
    }
}

/// Where a value without quotes ends, or what is read of it.
fn bare_end(text: &str, begin: usize, max: usize) -> usize {
    let bytes = &text.as_bytes()[..text.floor_char_boundary(begin.saturating_add(max))];
    let mut opened = 0_usize;
    let mut at = begin;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'(' | b'[' | b'{' => opened += 1,
            b')' | b']' | b'}' if opened > 0 => opened -= 1,
            b')' | b']' | b'}' | b'"' | b'\'' | b'`' | b'<' if at > begin || *byte != b'<' => break,
            b'>' if !bytes[begin..].starts_with(b"<") => break,
            b',' | b';' | b'&' | b'|' if another_follows(bytes, at + 1) => break,
            b'\\' if matches!(bytes.get(at + 1), Some(b'n' | b'r' | b't' | b'"' | b'\'' | b'\\')) => break,
            // From here on: punctuation and letters of East Asia, which part words by themselves.
            0xe2.. if is_wide(&bytes[at..]) => break,
            _ if byte.is_ascii_whitespace() => break,
            _ => {}
        }
        at += 1;
    }
    let bare = text[begin..at].trim_end_matches(['.', ',', ':', ';']);
    begin + bare.len()
}

/// From U+2E80 on, which begins with 0xe2 0xba in UTF-8.
fn is_wide(bytes: &[u8]) -> bool {
    bytes[0] > 0xe2 || bytes.get(1).is_some_and(|second| *second >= 0xba)
}

/// Whether a separator ends the value: the text goes on with a space, ends, or names the next one.
fn another_follows(bytes: &[u8], at: usize) -> bool {
    let name = run(&bytes[..bytes.len().min(at + NAME_BYTES_MAX)], at, dotted);
    match bytes.get(at + name) {
        None => true,
        Some(b'=' | b':' | b';') => name > 0,
        Some(byte) => name == 0 && (byte.is_ascii_whitespace() || matches!(byte, b'"' | b'&' | b'|')),
    }
}

/// The text of an element, up to the next tag.
fn element(text: &str, at: usize) -> Place {
    let within = &text[at..text.floor_char_boundary(at + QUOTED_MAX)];
    let len = within.find('<').unwrap_or(0);
    let trimmed = within[..len].trim_start();
    let start = at + len - trimmed.len();
    Place { at: start..start + trimmed.trim_end().len(), is_delimited: true }
}
