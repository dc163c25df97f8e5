//! As much of PromQL as judging a query takes: its words, its brackets, and where it selects series. It is no
//! parser: what it does not know it passes over, and Prometheus has the last word.

use std::ops::Range;

/// A piece of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) at: usize,
    /// How many round brackets are open around it.
    pub(crate) depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    Number,
    Text,
    Sign,
}

/// A place where a query selects series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    /// Its bytes in the query, without a range.
    pub(crate) bytes: Range<usize>,
    /// Whether a range in square brackets follows.
    pub(crate) has_range: bool,
}

/// Operators that make few series of many.
const AGGREGATORS: [&str; 13] = [
    "sum",
    "avg",
    "count",
    "min",
    "max",
    "group",
    "stddev",
    "stdvar",
    "topk",
    "bottomk",
    "quantile",
    "count_values",
    "limitk",
];
/// What says by which labels an operator aggregates.
const CLAUSES: [&str; 2] = ["by", "without"];
/// Words that a list of labels in round brackets follows.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words that are no names of metrics.
const OTHER_WORDS: [&str; 10] =
    ["and", "or", "unless", "atan2", "bool", "offset", "start", "end", "nan", "inf"];
/// The longest signs come first.
const SIGNS: [&str; 7] = ["==", "!=", ">=", "<=", "=~", "!~", ">"];

/// The tokens of a query, without white space and comments.
pub(crate) fn tokens(query: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = query.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or_default();
        let length = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '#' => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            c if is_word(c) && !c.is_ascii_digit() => run(rest, is_word),
            c if c.is_ascii_digit() => run(rest, |c| c.is_ascii_alphanumeric() || c == '.'),
            '"' | '\'' | '`' => quoted(rest, first),
            _ => sign(rest, first),
        };
        let kind = match first {
            c if c.is_ascii_digit() => Kind::Number,
            c if is_word(c) => Kind::Word,
            '"' | '\'' | '`' => Kind::Text,
            _ => Kind::Sign,
        };
        if first == ')' {
            depth = depth.saturating_sub(1);
        }
        found.push(Token { kind, text: rest.get(..length).unwrap_or(rest), at, depth });
        if first == '(' {
            depth += 1;
        }
        at += length;
    }
    found
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn run(rest: &str, belongs: impl Fn(char) -> bool) -> usize {
    rest.find(|c: char| !belongs(c)).unwrap_or(rest.len())
}

/// The length of a text in quotes; one that is not closed goes to the end. Backquotes know no escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn sign(rest: &str, first: char) -> usize {
    SIGNS.iter().find(|sign| rest.starts_with(**sign)).map_or(first.len_utf8(), |sign| sign.len())
}

impl Token<'_> {
    /// Whether it is this keyword, which may be written in any case.
    pub(crate) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub(crate) fn is_aggregator(&self) -> bool {
        self.is_one_of(&AGGREGATORS)
    }
}

/// The functions and operators that a query calls.
pub(crate) fn functions(query: &str) -> Vec<&str> {
    let tokens = tokens(query);
    let called = |(at, token): (usize, &Token<'_>)| {
        let opens = tokens.get(at + 1).is_some_and(|next| next.text == "(" || next.is_one_of(&CLAUSES));
        token.kind == Kind::Word && opens
    };
    tokens.iter().enumerate().filter(|pair| called(*pair)).map(|(_, token)| token.text).collect()
}

/// Every place where a query selects series.
pub(crate) fn selectors(query: &str) -> Vec<Selector> {
    let tokens = tokens(query);
    let reads = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match (token.kind, token.text) {
            (Kind::Word, _) if token.is_one_of(&BEFORE_LABELS) => {
                at = if reads(at, "(") { after(&tokens, at, ")") } else { at };
                continue;
            }
            (Kind::Word, _) => {
                let clause = tokens.get(at).is_some_and(|next| next.is_one_of(&CLAUSES));
                let calls = reads(at, "(") || token.is_aggregator() && clause;
                if calls || token.is_one_of(&OTHER_WORDS) {
                    continue;
                }
                at = if reads(at, "{") { after(&tokens, at, "}") } else { at };
            }
            (_, "{") => at = after(&tokens, at, "}"),
            (_, "[") => {
                at = after(&tokens, at, "]");
                continue;
            }
            (_, _) => continue,
        }
        let last = tokens.get(at.saturating_sub(1)).unwrap_or(token);
        found.push(Selector { bytes: token.at..last.at + last.text.len(), has_range: reads(at, "[") });
    }
    found
}

/// The index behind the next token that reads so.
fn after(tokens: &[Token<'_>], from: usize, closing: &str) -> usize {
    let rest = tokens.get(from..).unwrap_or_default();
    from + rest.iter().position(|token| token.text == closing).map_or(rest.len(), |at| at + 1)
}

/// Whether quotes and brackets are closed.
pub(crate) fn is_closed(query: &str) -> bool {
    let mut open = Vec::new();
    let closed = |token: Token<'_>| match (token.kind, token.text) {
        (Kind::Text, text) => text.len() >= 2 && text.chars().next() == text.chars().next_back(),
        (_, "(") => opened(&mut open, ")"),
        (_, "[") => opened(&mut open, "]"),
        (_, "{") => opened(&mut open, "}"),
        (_, closing @ (")" | "]" | "}")) => open.pop() == Some(closing),
        _ => true,
    };
    tokens(query).into_iter().all(closed) && open.is_empty()
}

fn opened(open: &mut Vec<&'static str>, closing: &'static str) -> bool {
    open.push(closing);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(query: &str) -> Vec<(&str, bool)> {
        let text =
            |selector: &Selector| (query.get(selector.bytes.clone()).unwrap_or_default(), selector.has_range);
        selectors(query).iter().map(text).collect()
    }

    #[test]
    fn selectors_are_told_from_functions_labels_and_keywords() {
        let query = r#"sum by (job) (rate(http_requests_total{code=~"5..|4}",job="a"}[5m])) / on(job) group_left(x)
            sum(x:y:z) > bool 0 or vector(0) unless {__name__="up"} offset 5m # comment{a="b"}"#;
        assert_eq!(
            selected(query),
            [
                (r#"http_requests_total{code=~"5..|4}",job="a"}"#, true),
                ("x:y:z", false),
                (r#"{__name__="up"}"#, false),
            ]
        );
        assert_eq!(selected("max_over_time(sum(up)[30d:5m] @ end())"), [("up", false)]);
        assert_eq!(selected("1 + Inf OR on() SUM BY (job) (up) OFFSET 5m"), [("up", false)]);
        assert_eq!(selected(r#"{"#), [("{", false)]);
    }

    #[test]
    fn what_is_not_closed_is_seen() {
        for closed in ["", "sum(rate(x{a=\"}\"}[5m]))", r#"x{a="\""}"#, "x{a=`\\`}"] {
            assert!(is_closed(closed), "{closed}");
        }
        for open in ["sum(x", "x{a=\"b}", "x]", "(x}", "x{a='"] {
            assert!(!is_closed(open), "{open}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,60}") {
            let pieces: usize = tokens(&text).iter().map(|token| token.text.len()).sum();
            proptest::prop_assert!(pieces <= text.len());
            for selector in selectors(&text) {
                proptest::prop_assert!(text.get(selector.bytes).is_some());
            }
        }
    }
}
