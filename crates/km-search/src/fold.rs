//! Folding: every character as it is compared, with its bytes in the text as it was written.

use std::iter;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use crate::tables::simplified;

/// Most characters that are composed into one: longer heaps of marks are folded in pieces.
const CLUSTER_CHARS_MAX: usize = 16;

/// What a folded character does in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A letter that was written small, or has no case.
    Lower,
    /// A letter that was written as a capital.
    Upper,
    /// A digit or another number.
    Digit,
    /// A Chinese, Japanese or Korean character.
    Cjk,
    /// `.`, `-` or `_`: joins the parts of an identifier when it stands between them.
    Joint,
    /// Everything else.
    Break,
}

/// One folded character.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glyph {
    /// The character as it is compared.
    pub(crate) ch: char,
    /// What it does in a run, from how it was written.
    pub(crate) class: Class,
    /// First byte of its source in the text.
    pub(crate) start: usize,
    /// One past the last byte of its source.
    pub(crate) end: usize,
}

/// Hands every folded character of `text` to `sink`, in order.
pub(crate) fn fold(text: &str, mut sink: impl FnMut(Glyph)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let alone = bytes.get(at + 1).is_none_or(u8::is_ascii);
        if bytes[at].is_ascii() && alone {
            sink(ascii(bytes[at], at));
            at += 1;
        } else {
            let end = cluster_end(text, at);
            fold_cluster(&text[at..end], at, &mut sink);
            at = end;
        }
    }
}

fn ascii(byte: u8, at: usize) -> Glyph {
    let class = match byte {
        b'a'..=b'z' => Class::Lower,
        b'A'..=b'Z' => Class::Upper,
        b'0'..=b'9' => Class::Digit,
        b'.' | b'-' | b'_' => Class::Joint,
        _ => Class::Break,
    };
    Glyph { ch: char::from(byte.to_ascii_lowercase()), class, start: at, end: at + 1 }
}

/// The end of the character at `at` together with the marks that compose with it.
fn cluster_end(text: &str, at: usize) -> usize {
    let mut characters = text[at..].chars().take(CLUSTER_CHARS_MAX);
    let first = characters.next().map_or(1, char::len_utf8);
    at + first + characters.take_while(|&c| composes(c)).map(char::len_utf8).sum::<usize>()
}

fn composes(c: char) -> bool {
    match c {
        '\0'..='\u{2ff}' => false,
        // Half-width voicing marks of kana, and the vowels and final consonants of Korean.
        '\u{ff9e}' | '\u{ff9f}' | '\u{1160}'..='\u{11ff}' => true,
        _ => canonical_combining_class(c) != 0,
    }
}

fn fold_cluster(cluster: &str, at: usize, sink: &mut impl FnMut(Glyph)) {
    let end = at + cluster.len();
    let mut characters = cluster.chars();
    match (characters.next(), characters.next()) {
        (Some(c @ '\u{4e00}'..='\u{9fff}'), None) => {
            sink(Glyph { ch: simplified(c), class: Class::Cjk, start: at, end });
        }
        (Some(c), None) => iter::once(c).nfkc().for_each(|c| fold_one(c, at, end, sink)),
        _ => cluster.nfkc().for_each(|c| fold_one(c, at, end, sink)),
    }
}

fn fold_one(c: char, start: usize, end: usize, sink: &mut impl FnMut(Glyph)) {
    if is_invisible(c) {
        return;
    }
    let class = class_of(c);
    let mut push = |ch| sink(Glyph { ch: simplified(ch), class, start, end });
    match c {
        'ß' | 'ẞ' => ['s', 's'].into_iter().for_each(push),
        'ς' => push('σ'),
        'İ' => push('i'),
        _ => c.to_lowercase().for_each(push),
    }
}

/// Characters that only steer how others are drawn: the word goes on through them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180d}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

fn class_of(c: char) -> Class {
    match c {
        '\0'..='\x7f' => ascii(c as u8, 0).class,
        _ if is_cjk(c) => Class::Cjk,
        _ if c.is_numeric() => Class::Digit,
        _ if c.is_uppercase() => Class::Upper,
        _ if c.is_alphabetic() || canonical_combining_class(c) != 0 => Class::Lower,
        _ => Class::Break,
    }
}

fn is_cjk(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3041}'..='\u{3096}' | '\u{3099}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}'
        | '\u{3105}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}'
        | '\u{ac00}'..='\u{d7ff}' | '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' | '\u{a960}'..='\u{a97c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = String::new();
        fold(text, |glyph| out.push(glyph.ch));
        out
    }

    #[test]
    fn width_case_marks_and_script_fold() {
        assert_eq!(folded("ＡＢＣ１２"), "abc12");
        assert_eq!(folded("ﾊﾞｯｸｱｯﾌﾟ"), "バックアップ");
        assert_eq!(folded("e\u{301}"), folded("É"));
        assert_eq!(folded("STRASSE"), folded("Straße"));
        assert_eq!(folded("\u{1112}\u{1161}\u{11ab}"), "한");
        assert_eq!(folded("葛\u{e0100}飾"), folded("葛飾"));
    }

    #[test]
    fn every_folded_character_knows_its_bytes() {
        let text = "aﾊﾞ㍿é";
        fold(text, |glyph| {
            assert!(text.get(glyph.start..glyph.end).is_some_and(|source| !source.is_empty()))
        });
    }
}
