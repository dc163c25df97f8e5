//! What holds for every text.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::collections::HashSet;

use km_search::{Matching, Query, SnippetLimits, TermKind, highlight, terms};
use proptest::prelude::*;

/// Texts of the kinds that break tokenizers: scripts, marks, identifiers, noise.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        any::<String>(),
        "[磁碟盤空間節點记忆體ー々カﾞﾊﾞ한국어서버]{1,6}",
        "[A-Za-z0-9._-]{1,20}",
        "[\\u{300}-\\u{36f}\\u{1100}-\\u{11ff}\\u{ff00}-\\u{ffef}\\u{fe00}-\\u{fe0f}\\u{1f1e6}-\\u{1f1ff}]{1,8}",
        "[ \\n\\t,;:!]{1,3}",
    ];
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

fn finds(query: &Query, document: &str) -> bool {
    let held: HashSet<String> = terms(document).into_iter().map(|term| term.text).collect();
    query.terms().iter().any(|term| match term.matching {
        Matching::Exact => held.contains(&*term.text),
        Matching::Prefix => held.iter().any(|text| text.starts_with(&*term.text)),
    })
}

proptest! {
    #[test]
    fn every_range_is_valid_and_every_term_is_named(text in texts()) {
        for term in terms(&text) {
            prop_assert!(!term.text.is_empty());
            prop_assert!(text.get(term.range.clone()).is_some_and(|source| !source.is_empty()));
            prop_assert!(text.get(term.range.start..term.first_end).is_some_and(|source| !source.is_empty()));
        }
    }

    #[test]
    fn a_document_is_found_by_its_own_text(text in texts()) {
        let query = Query::like(&text);
        prop_assert!(query.is_empty() || finds(&query, &text));
    }

    #[test]
    fn a_document_is_found_by_every_word_of_it(text in texts()) {
        for term in terms(&text).into_iter().filter(|term| term.kind == TermKind::Word) {
            let word = &text[term.range.clone()];
            let query = Query::like(word);
            prop_assert!(query.is_empty() || finds(&query, &text), "{word:?} does not find its text");
        }
    }

    #[test]
    fn a_cjk_run_is_found_by_any_piece_of_it(run in "[磁碟盤空間節點记忆體再起動する한국어]{1,12}", from in 0_usize..12, length in 1_usize..6) {
        let piece: String = run.chars().skip(from).take(length).collect();
        let query = Query::parse(&piece).unwrap();
        let document = format!("前後 {run}。");
        prop_assert!(piece.is_empty() || finds(&query, &document));
    }

    #[test]
    fn snippets_are_pieces_of_the_text_with_marks_inside(text in texts(), query in texts(), bytes_max in 0_usize..100) {
        let query = Query::like(&query);
        let limits = SnippetLimits { snippets_max: 3, bytes_max };
        for snippet in highlight(&text, &query, limits) {
            prop_assert_eq!(&text[snippet.range.clone()], &snippet.text);
            prop_assert!(!snippet.marks.is_empty());
            prop_assert_eq!(snippet.segments().map(|(text, _)| text).collect::<String>(), snippet.text.clone());
            prop_assert!(snippet.text.len() <= bytes_max.max(16));
        }
    }
}
