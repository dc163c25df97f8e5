//! What is probably wrong with an objective, though it can be read. The judgement is by the shape of a query and not
//! by a parser, so that nothing here is more than a warning unless it is certain.

use crate::objective::{Indicator, Objective, Place, Query};
use crate::promql::{self, Kind, Token};

/// A file, or an objective in it, cannot be read. Stated by [`crate::load()`].
pub const UNREADABLE: &str = "SL001";
const COMPARISON: &str = "SL101";
const OR_VECTOR: &str = "SL102";
const NO_AGGREGATION: &str = "SL103";
const NO_WINDOW: &str = "SL104";
const IRATE: &str = "SL105";
const TARGET: &str = "SL106";
const MIXED: &str = "SL107";

/// Operators that filter.
const COMPARISONS: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];
/// Functions that take a range and give a rate in events a second.
const RATES: [&str; 2] = ["rate", "irate"];

/// Something that is probably wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The check; its page is `docs/checks/<code>.md`.
    pub code: &'static str,
    /// Whether it is certain.
    pub certain: bool,
    /// What is wrong, and with which objective.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
    /// Where.
    pub place: Place,
}

/// Everything that is probably wrong with the objectives.
pub fn lint(objectives: &[Objective]) -> Vec<Finding> {
    objectives.iter().flat_map(of_objective).collect()
}

fn of_objective(objective: &Objective) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        objective.indicator.queries().flat_map(|query| of_query(objective, query)).collect();
    if objective.target <= 0.0 || objective.target >= 1.0 {
        findings.push(Finding {
            code: TARGET,
            certain: objective.target >= 1.0,
            message: format!("{}: the target {} lies not between 0 and 1", objective.id, objective.target),
            help: "a target of 1 leaves no error budget, and one of 0 is always met",
            place: objective.place.clone(),
        });
    }
    findings.extend(mixed(objective));
    findings
}

fn of_query(objective: &Objective, query: &Query) -> Vec<Finding> {
    let text = query.over("5m");
    let tokens = without_ranges(promql::tokens(&text));
    let inner = without_brackets(&tokens);
    let calls = promql::functions(&text);
    let follows = query.follows_window();
    let ranged = text.contains('[');
    let found = [
        (
            compares(inner),
            COMPARISON,
            true,
            "compares at its top",
            "a comparison that is false gives nothing, which looks like an absent metric; take it away, or write `bool`",
        ),
        (
            or_vector(&tokens),
            OR_VECTOR,
            false,
            "falls back to a vector",
            "an absent metric then looks like a quiet one; an absent part is understood as none without it",
        ),
        (
            !aggregates(inner),
            NO_AGGREGATION,
            false,
            "may give several series",
            "aggregate to one series, as with sum(…) without `by`",
        ),
        (
            !ranged,
            NO_WINDOW,
            false,
            "looks at one instant and at no window",
            "count over the window, as with increase(…[{{.window}}])",
        ),
        (
            ranged && !follows,
            NO_WINDOW,
            false,
            "looks at a window of its own",
            "write `{{.window}}` for the length of the window",
        ),
        (
            calls.contains(&"irate"),
            IRATE,
            true,
            "calls irate",
            "irate looks at the last two samples only: use rate or increase",
        ),
    ];
    let finding = |(_, code, certain, what, help): (bool, &'static str, bool, &str, &'static str)| Finding {
        code,
        certain,
        message: format!("{}: `{}` {what}", objective.id, query.path),
        help,
        place: Place { file: objective.place.file.clone(), line: query.line },
    };
    found.into_iter().filter(|(wrong, ..)| *wrong).map(finding).collect()
}

/// A rate divided by a count, or the other way round.
fn mixed(objective: &Objective) -> Option<Finding> {
    let (Indicator::Bad { bad: part, total } | Indicator::Good { good: part, total }) = &objective.indicator
    else {
        return None;
    };
    let unit = |query: &Query| {
        let text = query.over("5m");
        let calls = promql::functions(&text);
        let rates = calls.iter().any(|call| RATES.contains(call));
        let counts = calls.contains(&"increase");
        (rates != counts).then_some(rates)
    };
    let (Some(of_part), Some(of_total)) = (unit(part), unit(total)) else { return None };
    (of_part != of_total).then(|| Finding {
        code: MIXED,
        certain: true,
        message: format!("{}: one query counts a rate and the other an increase", objective.id),
        help: "use the same function in both queries",
        place: Place { file: objective.place.file.clone(), line: part.line },
    })
}

/// The tokens outside of ranges and of the conditions on labels, in which nothing is computed.
fn without_ranges(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let mut open = 0_usize;
    let outside = |token: &Token<'_>| {
        match token.text {
            "[" | "{" if token.kind == Kind::Sign => open += 1,
            "]" | "}" if token.kind == Kind::Sign => open = open.saturating_sub(1),
            _ => return open == 0,
        }
        false
    };
    tokens.into_iter().filter(outside).collect()
}

/// The tokens within brackets that enclose everything.
fn without_brackets<'a, 'b>(tokens: &'b [Token<'a>]) -> &'b [Token<'a>] {
    let [first, inner @ .., last] = tokens else { return tokens };
    let encloses = first.text == "("
        && last.text == ")"
        && first.depth == last.depth
        && inner.iter().all(|token| token.depth > first.depth);
    if encloses { without_brackets(inner) } else { tokens }
}

/// Whether a comparison without `bool` stands outside all further brackets.
fn compares(tokens: &[Token<'_>]) -> bool {
    let Some(top) = tokens.iter().map(|token| token.depth).min() else { return false };
    tokens.iter().enumerate().any(|(at, token)| {
        let filters = tokens.get(at + 1).is_none_or(|next| !next.is("bool"));
        token.kind == Kind::Sign && token.depth == top && COMPARISONS.contains(&token.text) && filters
    })
}

/// `or vector(…)`, with or without `on ()` between.
fn or_vector(tokens: &[Token<'_>]) -> bool {
    tokens.iter().enumerate().filter(|(_, token)| token.is("or")).any(|(at, _)| {
        let rest = tokens.get(at + 1..).unwrap_or_default();
        let rest = match rest {
            [on, ..] if on.is("on") || on.is("ignoring") => {
                let close = rest.iter().position(|token| token.text == ")");
                close.and_then(|at| rest.get(at + 1..)).unwrap_or_default()
            }
            _ => rest,
        };
        rest.first().is_some_and(|token| token.is("vector"))
    })
}

/// Whether some operand at the top gives one series, as far as its words tell.
fn aggregates(tokens: &[Token<'_>]) -> bool {
    let tokens = without_brackets(tokens);
    let Some(top) = tokens.iter().map(|token| token.depth).min() else { return false };
    let words = tokens.iter().enumerate().filter(|(_, token)| token.depth == top && token.kind == Kind::Word);
    let mut words = words.peekable();
    if words.peek().is_none() {
        // Numbers, and operands in brackets of their own, which are not looked into.
        let selects = tokens.iter().any(|token| token.kind != Kind::Number);
        return !selects || tokens.iter().any(Token::is_aggregator);
    }
    words.any(|(at, word)| {
        let rest = tokens.get(at + 1..).unwrap_or_default();
        if ["scalar", "vector", "time", "absent"].iter().any(|one| word.is(one)) {
            return true;
        }
        if word.is_aggregator() {
            return keeps_no_labels(rest, top);
        }
        let close = rest.iter().position(|token| token.text == ")" && token.depth == top);
        match (rest.first(), close) {
            // A histogram is aggregated by `le`, which the quantile takes away.
            (Some(open), Some(_)) if open.text == "(" && word.is("histogram_quantile") => {
                rest.iter().any(Token::is_aggregator)
            }
            // Other functions give as many series as they take.
            (Some(open), Some(close)) if open.text == "(" => {
                aggregates(rest.get(1..close).unwrap_or_default())
            }
            _ => false,
        }
    })
}

/// Whether the aggregation that these tokens go on with keeps no labels: `by ()`, or nothing before or behind its
/// operand.
fn keeps_no_labels(rest: &[Token<'_>], top: usize) -> bool {
    let begins = rest.first().is_some_and(|token| token.is("by") || token.is("without"));
    let clause = if begins {
        rest
    } else {
        let close = rest.iter().position(|token| token.text == ")" && token.depth == top);
        close.and_then(|at| rest.get(at + 1..)).unwrap_or_default()
    };
    match clause {
        [by, open, close, ..] if by.is("by") => open.text == "(" && close.text == ")",
        [without, ..] if without.is("without") => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
