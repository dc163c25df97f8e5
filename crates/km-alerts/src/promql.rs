//! Which labels the series of a PromQL expression have.
//!
//! The rules are those of Prometheus: aggregation keeps what `by` names, vector matching decides between its sides,
//! `absent` takes what its selector fixes.

use km_yaml::Mark;
use promql_parser::label::{METRIC_NAME, MatchOp, Matchers};
use promql_parser::parser::token::{
    T_BOTTOMK, T_COUNT_VALUES, T_LAND, T_LIMIT_RATIO, T_LIMITK, T_LOR, T_LUNLESS, T_TOPK,
};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorMatchCardinality, VectorSelector,
};

use crate::labels::{Label, Labels, Presence, Verdict};
use crate::matcher::{Matcher, Op};

/// The longest expression that is followed.
pub(crate) const EXPRESSION_BYTES_MAX: usize = 16 << 10;
/// The deepest nesting that is followed; below it any label may be there.
const DEPTH_MAX: usize = 200;

/// Why an expression is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotFollowed {
    /// It is no PromQL.
    Broken(String),
    /// It is longer or nests deeper than is looked at.
    TooLarge,
}

/// The labels of every series that an expression may return.
pub(crate) fn labels(expression: &str) -> Result<Labels, NotFollowed> {
    if expression.len() > EXPRESSION_BYTES_MAX || nesting(expression) > DEPTH_MAX {
        return Err(NotFollowed::TooLarge);
    }
    let parsed = promql_parser::parser::parse(expression).map_err(NotFollowed::Broken)?;
    Ok(of(&parsed, DEPTH_MAX))
}

/// An upper bound of how deep brackets nest.
fn nesting(expression: &str) -> usize {
    let mut depth: usize = 0;
    let mut deepest = 0;
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn of(expression: &Expr, depth: usize) -> Labels {
    let Some(depth) = depth.checked_sub(1) else { return Labels::open() };
    match expression {
        Expr::VectorSelector(selector) => of_selector(selector),
        Expr::MatrixSelector(matrix) => of_selector(&matrix.vs),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Labels::none(),
        Expr::Paren(paren) => of(&paren.expr, depth),
        Expr::Subquery(subquery) => of(&subquery.expr, depth),
        Expr::Unary(unary) => of(&unary.expr, depth),
        Expr::Aggregate(aggregate) => of_aggregate(aggregate, depth),
        Expr::Binary(binary) => of_binary(binary, depth),
        Expr::Call(call) => of_call(call, depth),
        Expr::Extension(_) => Labels::open(),
    }
}

fn of_selector(selector: &VectorSelector) -> Labels {
    let Matchers { matchers, or_matchers } = &selector.matchers;
    let under = |matchers: &[promql_parser::label::Matcher]| {
        let read: Vec<Matcher> = matchers.iter().filter_map(matcher).collect();
        Labels::open().under(&read)
    };
    let alternatives = or_matchers.iter().map(|matchers| under(matchers));
    let labels = alternatives.reduce(|a, b| a.or(&b)).unwrap_or_else(|| under(matchers));
    labels.with(METRIC_NAME, Label::never())
}

fn matcher(matcher: &promql_parser::label::Matcher) -> Option<Matcher> {
    let op = match matcher.op {
        MatchOp::Equal => Op::Equal,
        MatchOp::NotEqual => Op::NotEqual,
        MatchOp::Re(_) => Op::Matches,
        MatchOp::NotRe(_) => Op::NotMatches,
    };
    Matcher::new(&matcher.name, op, &matcher.value, Mark::default()).ok()
}

fn of_aggregate(aggregate: &AggregateExpr, depth: usize) -> Labels {
    let inner = of(&aggregate.expr, depth);
    if [T_TOPK, T_BOTTOMK, T_LIMITK, T_LIMIT_RATIO].contains(&aggregate.op.id()) {
        return inner;
    }
    let labels = match &aggregate.modifier {
        None => Labels::none(),
        Some(LabelModifier::Include(names)) => inner.only(&names.labels),
        Some(LabelModifier::Exclude(names)) => inner.without(&names.labels),
    };
    match aggregate.param.as_deref() {
        Some(Expr::StringLiteral(name)) if aggregate.op.id() == T_COUNT_VALUES => {
            labels.with(&name.val, Label::always())
        }
        _ => labels,
    }
}

fn of_binary(binary: &BinaryExpr, depth: usize) -> Labels {
    let (left, right) = (of(&binary.lhs, depth), of(&binary.rhs, depth));
    let is_vector = |side: &Expr| side.value_type() == ValueType::Vector;
    match (is_vector(&binary.lhs), is_vector(&binary.rhs)) {
        (true, false) => return left,
        (false, true) => return right,
        (false, false) => return Labels::none(),
        (true, true) => {}
    }
    let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
    let op = binary.op.id();
    if op == T_LOR {
        return left.or(&right);
    }
    if op == T_LUNLESS {
        return left;
    }
    let agreed = agreed(&left, &right, matching);
    if op == T_LAND {
        return agreed;
    }
    match binary.modifier.as_ref().map(|modifier| &modifier.card) {
        Some(VectorMatchCardinality::ManyToOne(brought)) => bring(agreed, &right, &brought.labels),
        Some(VectorMatchCardinality::OneToMany(brought)) => {
            bring(self::agreed(&right, &left, matching), &left, &brought.labels)
        }
        Some(VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany) | None => {
            match matching {
                Some(LabelModifier::Include(names)) => agreed.only(&names.labels),
                Some(LabelModifier::Exclude(names)) => agreed.without(&names.labels),
                None => agreed,
            }
        }
    }
}

/// The labels of one side, with what is known of them from the other: those that are matched on are the same there.
fn agreed(kept: &Labels, other: &Labels, matching: Option<&LabelModifier>) -> Labels {
    match matching {
        Some(LabelModifier::Include(names)) => names.labels.iter().fold(kept.clone(), |labels, name| {
            let both = kept.get(name).and(other.get(name));
            labels.with(name, both)
        }),
        Some(LabelModifier::Exclude(names)) => {
            let both = kept.and(other);
            names.labels.iter().fold(both, |labels, name| labels.with(name, kept.get(name).clone()))
        }
        None => kept.and(other),
    }
}

/// What `group_left` and `group_right` bring over from the side of the one.
fn bring(labels: Labels, one: &Labels, names: &[String]) -> Labels {
    names.iter().fold(labels, |labels, name| labels.with(name, one.get(name).clone()))
}

fn of_call(call: &Call, depth: usize) -> Labels {
    let arguments: Vec<&Expr> = call.args.args.iter().map(|argument| &**argument).collect();
    match call.func.name {
        "absent" | "absent_over_time" => of_absent(arguments.first().copied()),
        "label_replace" => of_label_replace(&arguments, depth),
        "label_join" => of_label_join(&arguments, depth),
        "vector" | "scalar" | "time" | "pi" => Labels::none(),
        "histogram_quantile" | "histogram_fraction" => {
            let vector = arguments.last().map_or_else(Labels::none, |vector| of(vector, depth));
            vector.without(&["le".to_owned()])
        }
        "histogram_quantiles" | "info" => Labels::open(),
        _ => {
            let is_series =
                |argument: &&&Expr| matches!(argument.value_type(), ValueType::Vector | ValueType::Matrix);
            arguments.iter().find(is_series).map_or_else(Labels::none, |vector| of(vector, depth))
        }
    }
}

/// Labels that the selector names once, with `=` and a value.
fn of_absent(argument: Option<&Expr>) -> Labels {
    let selector = match argument {
        Some(Expr::VectorSelector(selector)) => selector,
        Some(Expr::MatrixSelector(matrix)) => &matrix.vs,
        Some(Expr::Paren(paren)) => return of_absent(Some(&paren.expr)),
        _ => return Labels::none(),
    };
    let matchers = &selector.matchers.matchers;
    let named = |name: &str| matchers.iter().filter(|matcher| matcher.name == name).count();
    let fixed = matchers.iter().filter(|matcher| {
        matches!(matcher.op, MatchOp::Equal) && named(&matcher.name) == 1 && matcher.name != METRIC_NAME
    });
    fixed.fold(Labels::none(), |labels, matcher| labels.with(&matcher.name, Label::fixed(&matcher.value)))
}

fn text<'a>(arguments: &[&'a Expr], at: usize) -> Option<&'a str> {
    match arguments.get(at) {
        Some(Expr::StringLiteral(literal)) => Some(&literal.val),
        _ => None,
    }
}

/// `label_replace(v, dst, replacement, src, regex)`: where the source matches, the destination is replaced.
fn of_label_replace(arguments: &[&Expr], depth: usize) -> Labels {
    let Some(vector) = arguments.first().map(|vector| of(vector, depth)) else { return Labels::open() };
    let (Some(to), Some(replacement), Some(from), Some(pattern)) =
        (text(arguments, 1), text(arguments, 2), text(arguments, 3), text(arguments, 4))
    else {
        return Labels::open();
    };
    let (source, before) = (vector.get(from).clone(), vector.get(to).clone());
    let Ok(whether) = Matcher::new(from, Op::Matches, pattern, Mark::default()) else {
        return Labels::open();
    };
    let matched = source.under(&whether);
    let replaced = if !replacement.contains('$') {
        Label::fixed(replacement)
    } else if matches!(replacement, "$1" | "${1}") && matches!(pattern, "(.*)" | "(.+)") {
        matched
    } else {
        Label::maybe()
    };
    let verdict = Labels::none().with(from, source).meet([&whether]);
    let after = match verdict {
        Verdict::Certain => replaced,
        Verdict::Impossible => before,
        Verdict::Possible => replaced.or(&before),
    };
    vector.with(to, after)
}

/// `label_join(v, dst, separator, src…)`.
fn of_label_join(arguments: &[&Expr], depth: usize) -> Labels {
    let Some(vector) = arguments.first().map(|vector| of(vector, depth)) else { return Labels::open() };
    let (Some(to), Some(separator)) = (text(arguments, 1), text(arguments, 2)) else { return Labels::open() };
    let sources: Vec<Label> = (3..arguments.len())
        .filter_map(|at| text(arguments, at))
        .map(|name| vector.get(name).clone())
        .collect();
    let any = |presence| sources.iter().any(|label| label.presence == presence);
    let joined = if any(Presence::Always) || (sources.len() > 1 && !separator.is_empty()) {
        Label::always()
    } else if any(Presence::Maybe) {
        Label::maybe()
    } else {
        Label::never()
    };
    vector.with(to, joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(expression: &str, name: &str) -> String {
        let labels = labels(expression).unwrap_or_else(|why| panic!("{expression}: {why:?}"));
        let label = labels.get(name).clone();
        let values = label.values.map(|values| values.into_iter().collect::<Vec<_>>().join("|"));
        format!("{:?}{}", label.presence, values.map(|values| format!("={values}")).unwrap_or_default())
    }

    #[test]
    fn labels_are_followed_through_every_construct() {
        for (expression, name, expected) in [
            ("up == 0", "job", "Maybe"),
            (r#"up{job="a"} == 0"#, "job", "Always=a"),
            (r#"up{job=~"a|b", pod!=""} == 0"#, "job", "Always=a|b"),
            (r#"up{job=~"a|b", pod!=""} == 0"#, "pod", "Always"),
            (r#"up{job=""}"#, "job", "Never"),
            (r#"{__name__="up"}"#, "__name__", "Never"),
            (r#"sum(up{job="a"})"#, "job", "Never"),
            (r#"sum by (job, x) (up{job="a"})"#, "job", "Always=a"),
            ("sum by (job, x) (up)", "x", "Maybe"),
            ("sum by (job, x) (up)", "y", "Never"),
            ("sum without (x) (up)", "x", "Never"),
            ("sum without (x) (up)", "y", "Maybe"),
            ("topk(3, up)", "y", "Maybe"),
            (r#"count_values("version", build_info)"#, "version", "Always"),
            ("sum by (a) (x) / sum by (a) (y)", "b", "Never"),
            ("x / on (a) y", "b", "Never"),
            ("x / on (a) y", "a", "Maybe"),
            (r#"x / on (a) y{a="1"}"#, "a", "Always=1"),
            ("x / ignoring (a) y", "a", "Never"),
            ("x * on (a) group_left (team) owner", "b", "Maybe"),
            (r#"x * on (a) group_left (team) owner{team="q"}"#, "team", "Always=q"),
            ("x * on (a) group_left (team) sum by (a) (owner)", "team", "Never"),
            (r#"sum by (a) (x) * on (a) group_right () y{z="1"}"#, "z", "Always=1"),
            (r#"x{a="1"} or y{a="2"}"#, "a", "Always=1|2"),
            (r#"x{a="1"} or vector(0)"#, "a", "Maybe=1"),
            (r#"x{a="1"} unless y{b="1"}"#, "b", "Maybe"),
            (r#"sum by (a) (x) and on (a) y{a="1"}"#, "a", "Always=1"),
            (r#"absent(up{job="a", x=~"b"})"#, "job", "Always=a"),
            (r#"absent(up{job="a", x=~"b"})"#, "x", "Never"),
            (r#"absent(up{job="a", job="b"})"#, "job", "Never"),
            (r#"absent_over_time(up{job="a"}[5m])"#, "job", "Always=a"),
            (r#"absent(sum(up{job="a"}))"#, "job", "Never"),
            ("vector(1)", "job", "Never"),
            ("1 > bool 0", "job", "Never"),
            (r#"label_replace(up, "host", "$1", "instance", "(.*)")"#, "host", "Maybe"),
            (r#"label_replace(up{instance="i"}, "host", "$1", "instance", "(.*)")"#, "host", "Always=i"),
            (r#"label_replace(up, "a", "fixed", "", "")"#, "a", "Always=fixed"),
            (r#"label_replace(sum(up), "a", "x", "b", "y")"#, "a", "Never"),
            (r#"label_join(sum by (b) (up{b="1"}), "a", "-", "b", "c")"#, "a", "Always"),
            ("histogram_quantile(0.9, sum by (le, a) (rate(x_bucket[5m])))", "le", "Never"),
            ("histogram_quantile(0.9, sum by (le, a) (rate(x_bucket[5m])))", "a", "Maybe"),
            (r#"rate(x{a="1"}[5m]) > 1"#, "a", "Always=1"),
            (r#"max_over_time(sum by (a) (x)[1h:5m])"#, "b", "Never"),
            ("hour() > 5", "a", "Never"),
            ("-sum(x)", "a", "Never"),
            ("scalar(x) < bool 2", "a", "Never"),
            (r#"clamp_max(x{a="1"}, 3)"#, "a", "Always=1"),
            (r#"predict_linear(x{a="1"}[1h], 3600) < 0"#, "a", "Always=1"),
        ] {
            assert_eq!(shown(expression, name), expected, "{expression} {name}");
        }
    }

    #[test]
    fn what_is_no_promql_and_what_is_too_large_is_told_apart() {
        assert!(matches!(labels("sum(("), Err(NotFollowed::Broken(_))));
        assert_eq!(labels(&"(".repeat(10_000)), Err(NotFollowed::TooLarge));
        assert_eq!(labels(&"a + ".repeat(10_000)), Err(NotFollowed::TooLarge));
        assert!(labels(&format!("{}a", "a + ".repeat(3_000))).is_ok());
    }
}
