//! The analyzer: from text to terms, for documents and queries alike.

use std::ops::Range;

use crate::fold::{Class, Glyph, fold};
use crate::words::{Stems, cut, is_stop_word};

/// Changes whenever the same text may give other terms: an index of another version must be built anew.
pub const ANALYSIS_VERSION: u32 = 1;

/// Longest run that is looked at as one: a longer one is cut, alike in documents and queries.
const RUN_CHARS_MAX: usize = 1_024;
/// Longest whole identifier that becomes a term, in bytes.
const WHOLE_BYTES_MAX: usize = 128;
/// Fewest letters before digits that become a term of their own (`node` in `node01`).
const LETTERS_BEFORE_DIGITS_MIN: usize = 3;

/// What a term is in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TermKind {
    /// A word, a part of an identifier, or a pair of CJK characters: it counts towards the text's length.
    Word,
    /// Another reading of characters that gave words already: a whole identifier, or `node` in `node01`.
    Reading,
    /// The last character of a CJK run. Only documents keep it: with it every CJK character is the first of
    /// some term, so that a query of one character finds all of them by prefix.
    Edge,
    /// A CJK character that stands alone. A query matches it as a prefix.
    Single,
}

/// One term of a text and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<T = String> {
    /// The term as it is indexed and compared.
    pub text: T,
    /// What it is in the text.
    pub kind: TermKind,
    /// The bytes of the original text it was read from, on character boundaries.
    pub range: Range<usize>,
    /// The end of its first character in the original text.
    pub first_end: usize,
}

/// Finds the terms of texts. Keeps buffers and known stems, so one that is used again is faster.
pub struct Analyzer {
    run: Vec<Glyph>,
    parts: Vec<Range<usize>>,
    text: String,
    stems: Stems,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self::new()
    }
}

/// The terms of `text`, in order; [`Analyzer::analyze`] gives the same without allocating each.
pub fn terms(text: &str) -> Vec<Term> {
    let mut found = Vec::new();
    Analyzer::new().analyze(text, |term| {
        found.push(Term {
            text: term.text.to_owned(),
            kind: term.kind,
            range: term.range,
            first_end: term.first_end,
        });
    });
    found
}

impl Analyzer {
    /// An analyzer that knows no stems yet.
    pub fn new() -> Self {
        Self { run: Vec::new(), parts: Vec::new(), text: String::new(), stems: Stems::new() }
    }

    /// Hands every term of `text` to `sink`, in the order of their starts within each run.
    ///
    /// Memory does not grow with the text: runs are cut at 1,024 characters.
    pub fn analyze(&mut self, text: &str, mut sink: impl FnMut(Term<&str>)) {
        fold(text, |glyph| {
            self.close_before(&glyph, &mut sink);
            if glyph.class != Class::Break {
                self.run.push(glyph);
            }
        });
        self.close(&mut sink);
    }

    /// Closes the run that `glyph` cannot go on.
    fn close_before(&mut self, glyph: &Glyph, sink: &mut impl FnMut(Term<&str>)) {
        let Some(last) = self.run.last() else { return };
        let goes_on = match (last.class, glyph.class) {
            (_, Class::Break) | (Class::Joint, Class::Joint) => false,
            (before, after) => (before == Class::Cjk) == (after == Class::Cjk),
        };
        if !goes_on {
            self.close(sink);
        } else if self.run.len() == RUN_CHARS_MAX {
            self.carry_over(sink);
        }
    }

    /// Cuts a run that is too long; CJK characters go on in the next as if there were no cut.
    fn carry_over(&mut self, sink: &mut impl FnMut(Term<&str>)) {
        let last = self.run.last().copied().filter(|glyph| glyph.class == Class::Cjk);
        if last.is_some() {
            self.pairs(sink);
            self.run.clear();
            self.run.extend(last);
        } else {
            self.close(sink);
        }
    }

    fn close(&mut self, sink: &mut impl FnMut(Term<&str>)) {
        match self.run.first().map(|glyph| glyph.class) {
            Some(Class::Cjk) => self.close_cjk(sink),
            Some(Class::Lower | Class::Upper | Class::Digit | Class::Joint) => self.close_word(sink),
            Some(Class::Break) | None => {}
        }
        self.run.clear();
    }

    fn close_cjk(&mut self, sink: &mut impl FnMut(Term<&str>)) {
        self.pairs(sink);
        let kind = if self.run.len() == 1 { TermKind::Single } else { TermKind::Edge };
        self.set_text(self.run.len() - 1..self.run.len());
        self.emit(self.run.len() - 1..self.run.len(), kind, sink);
    }

    fn pairs(&mut self, sink: &mut impl FnMut(Term<&str>)) {
        for first in 1..self.run.len() {
            self.set_text(first - 1..first + 1);
            self.emit(first - 1..first + 1, TermKind::Word, sink);
        }
    }

    fn close_word(&mut self, sink: &mut impl FnMut(Term<&str>)) {
        self.split();
        let parts = std::mem::take(&mut self.parts);
        for part in &parts {
            self.emit_part(part.clone(), sink);
        }
        if let ([first, .., last], true) = (parts.as_slice(), self.run.len() > 1) {
            self.emit_whole(first.start..last.end, sink);
        }
        self.parts = parts;
    }

    /// Finds the parts of the word in the run: split at joints and where the case says so.
    fn split(&mut self) {
        self.parts.clear();
        let mut start = 0;
        for at in 0..self.run.len() {
            if self.run[at].class == Class::Joint {
                self.parts.extend((start < at).then_some(start..at));
                start = at + 1;
            } else if start < at && self.case_splits_at(at) {
                self.parts.push(start..at);
                start = at;
            }
        }
        self.parts.extend((start < self.run.len()).then_some(start..self.run.len()));
    }

    /// `fooBar` splits before `B`, and `HTTPServer` before `S`. A character that folds into several, such as a
    /// Roman numeral, stays whole.
    fn case_splits_at(&self, at: usize) -> bool {
        if self.run[at - 1].start == self.run[at].start {
            return false;
        }
        let class = |index: usize| self.run.get(index).map(|glyph| glyph.class);
        match (class(at - 1), class(at)) {
            (Some(Class::Lower | Class::Digit), Some(Class::Upper)) => true,
            (Some(Class::Upper), Some(Class::Upper)) => class(at + 1) == Some(Class::Lower),
            _ => false,
        }
    }

    fn emit_part(&mut self, part: Range<usize>, sink: &mut impl FnMut(Term<&str>)) {
        self.set_text(part.clone());
        if is_stop_word(&self.text) {
            return;
        }
        self.stems.stem(&mut self.text);
        self.emit(part.clone(), TermKind::Word, sink);
        let letters = self.run[part.clone()].iter().take_while(|glyph| glyph.class != Class::Digit).count();
        let digits = &self.run[part.start + letters..part.end];
        let numbered = letters >= LETTERS_BEFORE_DIGITS_MIN && !digits.is_empty();
        if numbered && digits.iter().all(|glyph| glyph.class == Class::Digit) {
            self.emit_reading(part.start..part.start + letters, sink);
            self.emit_reading(part.start + letters..part.end, sink);
        }
    }

    fn emit_reading(&mut self, part: Range<usize>, sink: &mut impl FnMut(Term<&str>)) {
        self.set_text(part.clone());
        self.stems.stem(&mut self.text);
        self.emit(part, TermKind::Reading, sink);
    }

    /// The whole identifier, without its joints, so that `pod-crash`, `pod_crash` and `PodCrash` are one.
    /// Joints between digits stay: 1.2 is not 12.
    fn emit_whole(&mut self, whole: Range<usize>, sink: &mut impl FnMut(Term<&str>)) {
        self.text.clear();
        for at in whole.clone() {
            let glyph = self.run[at];
            let between_digits =
                || [at - 1, at + 1].iter().all(|&beside| self.run[beside].class == Class::Digit);
            if glyph.class != Class::Joint || between_digits() {
                self.text.push(glyph.ch);
            }
        }
        cut(&mut self.text, WHOLE_BYTES_MAX);
        self.stems.stem(&mut self.text);
        self.emit(whole, TermKind::Reading, sink);
    }

    fn set_text(&mut self, glyphs: Range<usize>) {
        self.text.clear();
        self.text.extend(self.run[glyphs].iter().map(|glyph| glyph.ch));
    }

    /// Emits the text that was set, as read from these characters of the run.
    fn emit(&self, glyphs: Range<usize>, kind: TermKind, sink: &mut impl FnMut(Term<&str>)) {
        let (first, last) = (self.run[glyphs.start], self.run[glyphs.end - 1]);
        sink(Term { text: &self.text, kind, range: first.start..last.end, first_end: first.end });
    }
}

#[cfg(test)]
mod tests;
