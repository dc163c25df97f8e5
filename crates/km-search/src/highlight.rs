//! Snippets: where a query stands in a text, as it was written.

use std::collections::HashMap;
use std::ops::Range;

use crate::{Analyzer, Matching, Query, Term};

/// How much of a text is looked at, in bytes: what matches further behind is not shown.
pub const HIGHLIGHT_BYTES_MAX: usize = 65_536;
/// Most places that are considered in one text.
const MARKS_MAX: usize = 512;
/// Shortest limit of a snippet: below it a single character might not fit.
const SNIPPET_BYTES_MIN: usize = 16;

/// How much is shown of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnippetLimits {
    /// Most snippets of one text.
    pub snippets_max: usize,
    /// Longest snippet, in bytes of UTF-8 and at least 16; a single match that is longer is cut.
    pub bytes_max: usize,
}

impl Default for SnippetLimits {
    fn default() -> Self {
        Self { snippets_max: 3, bytes_max: 240 }
    }
}

/// A piece of a text with the places that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snippet {
    /// Where the piece stands in the text, in bytes, on character boundaries.
    pub range: Range<usize>,
    /// The piece, as it was written.
    pub text: String,
    /// The bytes of [`Self::text`] that match: on character boundaries, in order, apart from each other.
    pub marks: Vec<Range<usize>>,
}

impl Snippet {
    /// The piece in order, cut where a match begins or ends; `true` for what matches.
    pub fn segments(&self) -> impl Iterator<Item = (&str, bool)> {
        let mut at = 0;
        let mut cuts = Vec::with_capacity(self.marks.len() * 2 + 1);
        for mark in &self.marks {
            cuts.push((&self.text[at..mark.start], false));
            cuts.push((&self.text[mark.clone()], true));
            at = mark.end;
        }
        cuts.push((&self.text[at..], false));
        cuts.into_iter().filter(|(text, _)| !text.is_empty())
    }
}

/// The pieces of `text` that say most about `query`, best first, none of them overlapping.
///
/// Empty when nothing matches within its first [`HIGHLIGHT_BYTES_MAX`]. Works on any text; ranges are bytes of
/// `text` on character boundaries.
pub fn highlight(text: &str, query: &Query, limits: SnippetLimits) -> Vec<Snippet> {
    let bytes_max = limits.bytes_max.max(SNIPPET_BYTES_MIN);
    let mut marks = marks(&text[..text.floor_char_boundary(HIGHLIGHT_BYTES_MAX)], query);
    let mut snippets: Vec<Snippet> = Vec::new();
    while snippets.len() < limits.snippets_max
        && let Some(window) = best_window(&marks, bytes_max)
    {
        let range = widen(text, &snippets, window, bytes_max);
        snippets.push(cut(text, &marks, range.clone()));
        marks.retain(|mark| mark.range.end <= range.start || mark.range.start >= range.end);
    }
    snippets
}

/// A place that matches one term of the query.
struct Mark {
    range: Range<usize>,
    /// Which term of the query.
    term: usize,
}

fn marks(text: &str, query: &Query) -> Vec<Mark> {
    let wanted = Wanted::of(query);
    let mut marks = Vec::new();
    Analyzer::new().analyze(text, |term| {
        if marks.len() < MARKS_MAX {
            marks.extend(wanted.mark(&term));
        }
    });
    marks.sort_by_key(|mark| (mark.range.start, mark.range.end));
    marks
}

/// The query's terms by text.
struct Wanted<'q> {
    exact: HashMap<&'q str, usize>,
    prefix: HashMap<&'q str, usize>,
}

impl<'q> Wanted<'q> {
    fn of(query: &'q Query) -> Self {
        let named = |matching| {
            let terms = query.terms().iter().enumerate();
            terms
                .filter(move |(_, term)| term.matching == matching)
                .map(|(at, term)| (&*term.text, at))
                .collect()
        };
        Self { exact: named(Matching::Exact), prefix: named(Matching::Prefix) }
    }

    fn mark(&self, term: &Term<&str>) -> Option<Mark> {
        if let Some(&at) = self.exact.get(term.text) {
            return Some(Mark { range: term.range.clone(), term: at });
        }
        let first = term.text.chars().next()?.len_utf8();
        let &at = self.prefix.get(&term.text[..first])?;
        Some(Mark { range: term.range.start..term.first_end, term: at })
    }
}

/// The marks that fit into one snippet and match most different terms; the earliest such.
fn best_window(marks: &[Mark], bytes_max: usize) -> Option<Range<usize>> {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    let (mut end, mut best) = (0, None);
    for (first, mark) in marks.iter().enumerate() {
        end = end.max(first);
        while let Some(next) = marks.get(end).filter(|next| next.range.end <= mark.range.start + bytes_max) {
            *counts.entry(next.term).or_default() += 1;
            end += 1;
        }
        if best.as_ref().is_none_or(|(terms, _)| counts.len() > *terms) {
            best = Some((counts.len(), first..end));
        }
        if first < end {
            leave(&mut counts, mark.term);
        }
    }
    let (_, window) = best?;
    let ends = marks[window.clone()].iter().map(|mark| mark.range.end);
    let first = &marks[window.start].range;
    Some(first.start..ends.max().unwrap_or(first.end))
}

fn leave(counts: &mut HashMap<usize, usize>, term: usize) {
    if let Some(count) = counts.get_mut(&term) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&term);
        }
    }
}

/// Shows what stands around a window, as far as the limit and the snippets that are shown already allow.
fn widen(text: &str, shown: &[Snippet], window: Range<usize>, bytes_max: usize) -> Range<usize> {
    let room = bytes_max.saturating_sub(window.len());
    let ends = shown.iter().map(|snippet| snippet.range.end);
    let free_from = ends.filter(|&end| end <= window.start).max().unwrap_or(0);
    let starts = shown.iter().map(|snippet| snippet.range.start);
    let free_to = starts.filter(|&start| start > window.start).min().unwrap_or(text.len());
    let start = text.ceil_char_boundary(window.start.saturating_sub(room / 3).max(free_from));
    let end = text.floor_char_boundary(free_to.min(start + bytes_max));
    between_words(text, start..end, &window)
}

/// Takes cut words off both ends, but nothing of the window.
fn between_words(text: &str, range: Range<usize>, window: &Range<usize>) -> Range<usize> {
    let in_word = |c: char| c.is_ascii_alphanumeric();
    let cuts = |at: usize| text[..at].ends_with(in_word) && text[at..].starts_with(in_word);
    let Range { mut start, mut end } = range;
    if cuts(start) {
        let rest = &text[start..window.start.max(start)];
        start = rest.find(|c: char| !in_word(c)).map_or(start, |skipped| start + skipped);
    }
    if cuts(end) {
        let rest = &text[window.end.min(end)..end];
        end = rest.rfind(|c: char| !in_word(c)).map_or(end, |kept| window.end + kept);
    }
    start..end
}

fn cut(text: &str, marks: &[Mark], range: Range<usize>) -> Snippet {
    let mut inside: Vec<Range<usize>> = Vec::new();
    for mark in marks {
        let (start, end) = (mark.range.start.max(range.start), mark.range.end.min(range.end));
        match inside.last_mut() {
            _ if start >= end => {}
            Some(last) if start - range.start <= last.end => last.end = last.end.max(end - range.start),
            Some(_) | None => inside.push(start - range.start..end - range.start),
        }
    }
    Snippet { text: text[range.clone()].to_owned(), range, marks: inside }
}

#[cfg(test)]
mod tests;
