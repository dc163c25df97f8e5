//! What is kept of a text, and what is refused.

use super::*;

fn read(text: &str) -> Parsed {
    parse(text).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

fn why(text: &str) -> Unreadable {
    parse(text).err().unwrap_or_else(|| panic!("was read: {text}"))
}

/// The node along keys, from the first item of every list on the way.
fn at<'a>(document: &'a Node, path: &[&str]) -> &'a Node {
    path.iter().fold(document, |node, key| {
        let node = node.items().first().map_or(node, |item| item);
        node.at(&[key]).unwrap_or_else(|| panic!("no {key}"))
    })
}

#[test]
fn nodes_know_their_place_and_what_they_are() {
    let documents = read("a: 1\n---\nb:\n  - x: ~\n    y: 'é'\n").documents;
    assert_eq!(at(&documents[1], &["b"]).items()[0].mark, Mark { line: 4, column: 5 });
    assert_eq!(at(&documents[1], &["b", "y"]).text(), Some("é"));
    assert_eq!(at(&documents[1], &["b", "x"]).what(), "nothing");
    assert_eq!((documents[1].what(), at(&documents[1], &["b"]).what()), ("a mapping", "a list"));
}

#[test]
fn collections_in_brackets_end_at_the_bracket() {
    let list = read("a: [x,\n  éé]\n").documents[0].at(&["a"]).map(|list| (list.style, list.end));
    assert_eq!(list, Some((Style::Flow, Mark { line: 2, column: 5 })), "a column is a character");
}

#[test]
fn scalars_keep_how_they_are_written() {
    let document = &read("a: x\nb: \"x\"\nc: |\n  x\nd: >\n  x\ne:\n  - x\n").documents[0];
    let styles: Vec<Style> = document.entries().iter().map(|(_, value)| value.style).collect();
    assert_eq!(styles, [Style::Plain, Style::Quoted, Style::Literal, Style::Folded, Style::Block]);
}

#[test]
fn only_plain_scalars_are_not_text() {
    for (text, kind) in [
        ("true", Some("a boolean")),
        ("'true'", None),
        ("!!str true", None),
        (">-\n  true", None),
        ("on", Some("a boolean of YAML 1.1")),
        ("-1_000.5", Some("a number")),
        ("0x1F", Some("a number")),
        (".NaN", Some("a number")),
        ("NaN", None),
        ("1.2.3", None),
        ("~", None),
        ("word", None),
    ] {
        assert_eq!(read(&format!("a: {text}\n")).documents[0].at(&["a"]).map(Node::is_not_text), Some(kind));
    }
}

#[test]
fn plain_scalars_are_read_as_flags_and_numbers() {
    let scalar = |text: &str| {
        let document = read(&format!("a: {text}\n")).documents.remove(0);
        let node = at(&document, &["a"]);
        (node.flag(), node.number())
    };
    for (text, flag) in [("true", Some(true)), ("Off", Some(false)), ("tRUE", None), ("'true'", None)] {
        assert_eq!(scalar(text).0, flag, "{text}");
    }
    for (text, number) in [
        ("99.9", Some(99.9)),
        ("-1_000.5", Some(-1000.5)),
        ("+.5e1", Some(5.0)),
        ("007", Some(7.0)),
        ("0x1F", Some(31.0)),
        ("-0b101", Some(-5.0)),
        ("-.inf", Some(f64::NEG_INFINITY)),
        ("1e999", Some(f64::INFINITY)),
        ("inf", None),
        ("--1", None),
        ("0x", None),
        ("12h", None),
        ("\"1\"", None),
    ] {
        assert_eq!(scalar(text).1, number, "{text}");
    }
    assert!(scalar(".nan").1.is_some_and(f64::is_nan));
}

#[test]
fn a_path_leads_through_mappings_alone() {
    let document = &read("a: {b: {c: x}}\nl: [{b: x}]\n").documents[0];
    assert_eq!(document.at(&["a", "b", "c"]).and_then(Node::text), Some("x"));
    assert!(document.at(&["a", "c"]).is_none() && document.at(&["l", "b"]).is_none());
}

#[test]
fn a_key_that_stands_twice_is_told_and_the_first_one_is_taken() {
    let read = read("a: 1\nb: {a: 2}\na: 3\n");
    assert_eq!(read.twice, [(Mark { line: 3, column: 1 }, "a".to_owned())]);
    assert_eq!(at(&read.documents[0], &["a"]).text(), Some("1"));
}

#[test]
fn merges_fill_what_is_not_there() {
    let document = &read("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [{x: 4}, *a]}\n").documents[0];
    for (path, text) in [(["b", "x"], "1"), (["b", "y"], "3"), (["c", "x"], "4"), (["c", "y"], "2")] {
        assert_eq!(document.at(&path).and_then(Node::text), Some(text), "{path:?}");
    }
}

#[test]
fn what_cannot_be_merged_stays() {
    for text in ["<<: x\n", "<<:\n", "<<: [{x: 1}, y]\n", "'<<': {x: 1}\n"] {
        let document = &read(text).documents[0];
        assert!(document.at(&["<<"]).is_some() && document.at(&["x"]).is_none(), "{text}");
    }
}

#[test]
fn what_is_broken_is_named_with_its_place() {
    assert!(why("a: 1\nb: [1, 2\n").mark.line >= 2);
    assert_eq!(why("a: *nobody\n").mark, Mark { line: 1, column: 4 });
}

#[test]
fn an_alias_inside_its_own_anchor_is_refused() {
    let error = why("a: &a [1, *a]\n");
    assert_eq!(error.mark, Mark { line: 1, column: 11 });
    assert_eq!(error.why, "an alias stands inside of what it names");
}

#[test]
fn aliases_that_multiply_are_refused() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    assert!(why(&text).why.contains("aliases written out"));
}

#[test]
fn documents_that_each_multiply_are_refused_together() {
    let document = format!("---\na: &a [{}]\nb: [{}]\n", "x, ".repeat(1_000), "*a, ".repeat(100));
    assert_eq!(read(&document.repeat(4)).documents.len(), 4);
    assert!(why(&document.repeat(5)).why.contains("aliases written out"));
}

#[test]
fn depth_is_bounded() {
    assert!(parse(&"[".repeat(100_000)).is_err());
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&nested(DEPTH_MAX)).is_ok());
    assert!(why(&nested(DEPTH_MAX + 1)).why.contains("levels deep"));
    let half = nested(DEPTH_MAX / 2);
    assert!(why(&format!("a: &a {half}\nb: {}*a{}\n", &half[..32], &half[32..])).why.contains("levels deep"));
}

#[test]
fn large_merges_take_no_longer_than_their_keys() {
    let keys = |start: char| (0..50_000).map(|at| format!("  {start}{at}: x\n")).collect::<String>();
    let document = &read(&format!("a: &a\n{}b:\n  <<: *a\n{}", keys('k'), keys('l'))).documents[0];
    assert_eq!(document.at(&["b"]).map(|b| b.entries().len()), Some(100_000));
}
