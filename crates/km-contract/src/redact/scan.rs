//! One pass over a text, and a look at each place that it stops at.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::commands::{self, COMMANDS};
use super::tokens::{self, TOKENS};
use super::{Secret, assignments, pem, schemes, urls};

/// Who looks at a place. One who has read up to some byte is not called again for places before it: that keeps the
/// whole linear, whatever a text repeats.
#[derive(Clone, Copy)]
enum Reader {
    Token(usize),
    Command(usize),
    Telegram,
    Pem,
    Url,
    Driver,
    Scheme,
    Quoted,
    Name,
}

const READERS: usize = TOKENS.len() + COMMANDS.len() + 7;

impl Reader {
    const fn number(self) -> usize {
        let behind = TOKENS.len() + COMMANDS.len();
        match self {
            Self::Token(nth) => nth,
            Self::Command(nth) => TOKENS.len() + nth,
            Self::Telegram => behind,
            Self::Pem => behind + 1,
            Self::Url => behind + 2,
            Self::Driver => behind + 3,
            Self::Scheme => behind + 4,
            Self::Quoted => behind + 5,
            Self::Name => behind + 6,
        }
    }

    fn needles(self) -> &'static [&'static str] {
        match self {
            Self::Token(nth) => std::slice::from_ref(&TOKENS[nth].prefix),
            Self::Command(nth) => std::slice::from_ref(&COMMANDS[nth].program),
            Self::Telegram => &[":AA"],
            Self::Pem => &[pem::BEGIN],
            Self::Url => &["://"],
            Self::Driver => &["@tcp(", "@unix("],
            Self::Scheme => &["bearer", "basic"],
            Self::Quoted => &["identified by"],
            Self::Name => &assignments::NEEDLES,
        }
    }

    /// Reads what stands at a needle, adds the secrets there, and says up to where it has read.
    fn read(self, text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
        match self {
            Self::Token(nth) => tokens::read(&TOKENS[nth], text, needle, found),
            Self::Command(nth) => commands::read(&COMMANDS[nth], text, needle, found),
            Self::Telegram => tokens::read_telegram(text, needle, found),
            Self::Pem => pem::read(text, needle, found),
            Self::Url => urls::read(text, needle, found),
            Self::Driver => urls::read_driver(text, needle, found),
            Self::Scheme => schemes::read(text, needle, found),
            Self::Quoted => assignments::read_quoted(text, needle, found),
            Self::Name => assignments::read(text, needle, found),
        }
    }
}

struct Search {
    needles: AhoCorasick,
    /// Whose each needle is.
    readers: Vec<Reader>,
}

#[expect(clippy::expect_used, reason = "the needles are constants that the tests build")]
static SEARCH: LazyLock<Search> = LazyLock::new(|| {
    let tokens = (0..TOKENS.len()).map(Reader::Token);
    let commands = (0..COMMANDS.len()).map(Reader::Command);
    let others = [
        Reader::Telegram,
        Reader::Pem,
        Reader::Url,
        Reader::Driver,
        Reader::Scheme,
        Reader::Quoted,
        Reader::Name,
    ];
    let owned =
        tokens.chain(commands).chain(others).flat_map(|one| one.needles().iter().map(move |n| (one, n)));
    let (readers, needles): (Vec<Reader>, Vec<&str>) = owned.unzip();
    let builder =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(needles);
    Search { needles: builder.expect("the needles build"), readers }
});

/// The secrets of a text in their order, without overlaps, and nothing of what is a placeholder already.
pub(super) fn secrets(text: &str) -> Vec<Secret> {
    let mut read_to = [0; READERS];
    let mut found = Vec::new();
    for needle in SEARCH.needles.find_overlapping_iter(text) {
        let reader = SEARCH.readers[needle.pattern().as_usize()];
        let read_to = &mut read_to[reader.number()];
        if needle.start() >= *read_to {
            *read_to = reader.read(text, needle.range(), &mut found);
        }
    }
    if found.is_empty() { found } else { outside_placeholders(text, united(found)) }
}

/// Secrets that overlap become one: its parts alone could leave a piece of it.
fn united(mut found: Vec<Secret>) -> Vec<Secret> {
    found.sort_by_key(|secret| (secret.at.start, secret.kind));
    let mut united: Vec<Secret> = Vec::with_capacity(found.len());
    for secret in found {
        match united.last_mut().filter(|last| secret.at.start < last.at.end) {
            Some(last) => {
                last.at.end = last.at.end.max(secret.at.end);
                last.kind = last.kind.min(secret.kind);
            }
            None => united.push(secret),
        }
    }
    united
}

/// What of the secrets is not a placeholder already.
fn outside_placeholders(text: &str, secrets: Vec<Secret>) -> Vec<Secret> {
    let mut placeholders = placeholders(text).peekable();
    let mut outside = Vec::with_capacity(secrets.len());
    for Secret { kind, at } in secrets {
        let mut start = at.start;
        while let Some(placeholder) = placeholders.next_if(|placeholder| placeholder.start < at.end) {
            outside.push(Secret { kind, at: start..placeholder.start.max(start) });
            start = start.max(placeholder.end);
        }
        outside.push(Secret { kind, at: start..at.end.max(start) });
    }
    outside.retain(|secret| !secret.at.is_empty());
    outside
}

const OPENING: &str = "[redacted:";

fn placeholders(text: &str) -> impl Iterator<Item = Range<usize>> {
    let openings = text.match_indices(OPENING);
    openings.filter_map(|(start, _)| Some(start..start + placeholder_len(&text[start..])?))
}

/// The length of the placeholder that a text begins with.
pub(super) fn placeholder_len(text: &str) -> Option<usize> {
    let rest = text.strip_prefix(OPENING)?;
    let kind = rest.bytes().take_while(u8::is_ascii_lowercase).count();
    let hash = rest[kind..].strip_prefix(':')?.as_bytes().first_chunk::<9>()?;
    let is_hash = hash[..8].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) && hash[8] == b']';
    (kind > 0 && is_hash).then_some(OPENING.len() + kind + 1 + 9)
}

/// `at`, or the beginning of the placeholder that stands across it.
pub(super) fn before_placeholder(text: &str, at: usize) -> usize {
    let before = &text[..at];
    let begun = (1..OPENING.len()).filter(|part| before.ends_with(&OPENING[..*part])).map(|part| at - part);
    let mut openings = begun.chain(before.rfind(OPENING));
    let is_across = |start: &usize| placeholder_len(&text[*start..]).is_some_and(|len| start + len > at);
    openings.find(is_across).unwrap_or(at)
}
