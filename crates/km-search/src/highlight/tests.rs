//! Where snippets begin and end, and what they mark.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::collections::HashSet;

use super::*;

fn marked(text: &str, query: &str, limits: SnippetLimits) -> Vec<Vec<String>> {
    let query = Query::parse(query).unwrap();
    let snippets = highlight(text, &query, limits);
    let words = |snippet: Snippet| {
        snippet.segments().filter(|(_, matches)| *matches).map(|(text, _)| text.to_owned()).collect()
    };
    snippets.into_iter().map(words).collect()
}

#[test]
fn matches_are_marked_as_they_were_written() {
    assert_eq!(marked("The Disks were full", "disk", SnippetLimits::default()), [["Disks"]]);
    assert_eq!(marked("清理磁碟空間", "磁碟空间", SnippetLimits::default()), [["磁碟空間"]]);
    assert_eq!(marked("KubePodCrashLooping fired", "crash", SnippetLimits::default()), [["Crash"]]);
    assert_eq!(marked("重启节点", "节", SnippetLimits::default()), [["节"]]);
    assert_eq!(marked("重启节点", "点", SnippetLimits::default()), [["点"]]);
}

#[test]
fn nothing_is_shown_where_nothing_matches() {
    assert!(marked("some text", "other", SnippetLimits::default()).is_empty());
}

#[test]
fn the_snippet_with_most_of_the_query_comes_first() {
    let text = format!("disk {} disk pressure", "filler ".repeat(100));
    let limits = SnippetLimits { snippets_max: 2, bytes_max: 60 };
    assert_eq!(marked(&text, "disk pressure", limits), [vec!["disk", "pressure"], vec!["disk"]]);
}

#[test]
fn snippets_keep_their_limits_and_never_overlap() {
    let text = "磁盘 disk ".repeat(200);
    let limits = SnippetLimits { snippets_max: 5, bytes_max: 50 };
    let mut found = highlight(&text, &Query::parse("磁盘 disk").unwrap(), limits);
    assert_eq!(found.len(), 5);
    found.sort_by_key(|snippet| snippet.range.start);
    assert!(found.iter().all(|snippet| snippet.text.len() <= 50));
    assert!(found.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
}

#[test]
fn snippets_do_not_begin_or_end_within_a_word() {
    let text = "abcdefghij ".repeat(20) + "disk " + &"klmnopqrst ".repeat(20);
    let limits = SnippetLimits { snippets_max: 1, bytes_max: 64 };
    let found = highlight(&text, &Query::parse("disk").unwrap(), limits);
    let words: HashSet<&str> = found[0].text.split_whitespace().collect();
    assert_eq!(words, HashSet::from(["abcdefghij", "disk", "klmnopqrst"]));
}

#[test]
fn what_stands_too_far_behind_is_not_shown() {
    let at = |bytes: usize| format!("{}disk", "x ".repeat(bytes / 2));
    let shown = |text: &str| !marked(text, "disk", SnippetLimits::default()).is_empty();
    assert!(shown(&at(HIGHLIGHT_BYTES_MAX - 4)));
    assert!(!shown(&at(HIGHLIGHT_BYTES_MAX)));
}

/// What the sliding window must find: every window is looked at.
fn best_of_all(marks: &[Mark], bytes_max: usize) -> Option<Range<usize>> {
    let mut best: Option<(usize, Range<usize>)> = None;
    for (first, mark) in marks.iter().enumerate() {
        let fits = |next: &&Mark| next.range.end <= mark.range.start + bytes_max;
        let inside: Vec<_> = marks[first..].iter().take_while(fits).collect();
        let terms = inside.iter().map(|mark| mark.term).collect::<HashSet<_>>().len();
        let end = inside.iter().map(|mark| mark.range.end).max().unwrap_or(mark.range.end);
        if best.as_ref().is_none_or(|(most, _)| terms > *most) {
            best = Some((terms, mark.range.start..end));
        }
    }
    best.map(|(_, window)| window)
}

#[test]
fn the_best_window_is_the_best_of_all() {
    let mut state = 1_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % end
    };
    for _ in 0..500 {
        let mark = |start: usize, bytes: usize, term: usize| Mark { range: start..start + bytes, term };
        let mut marks: Vec<Mark> =
            (0..below(30)).map(|_| mark(below(200), 1 + below(40), below(5))).collect();
        marks.sort_by_key(|mark| (mark.range.start, mark.range.end));
        let bytes_max = 16 + below(60);
        assert_eq!(best_window(&marks, bytes_max), best_of_all(&marks, bytes_max));
    }
}
