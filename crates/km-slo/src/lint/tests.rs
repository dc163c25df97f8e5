//! Which queries are found fault with.

use super::*;
use crate::objective::sample::{objective, query};

fn codes(bad: &str) -> Vec<&'static str> {
    let total = query("sum(increase(requests_total[{{.window}}]))");
    let found = lint(&[objective(0.999, Indicator::Bad { bad: query(bad), total })]);
    found.iter().map(|finding| finding.code).collect()
}

#[test]
fn good_queries_are_left_alone() {
    for good in [
        r#"sum(increase(requests_total{code=~"5.."}[{{.window}}]))"#,
        "(sum(increase(a[{{.window}}])) + sum(increase(b[{{.window}}])))",
        "sum by () (increase(a[{{.window}}]))",
        "sum(increase(a[{{.window}}]) > 0)",
        "count(increase(a[{{.window}}]) > bool 0)",
        "sum(increase(a{path!=\"/x\"}[{{.window}}])) # > 0",
        "scalar(increase(a[{{.window}}]))",
        "sum_over_time((count(a))[{{.window}}:])",
        "SUM(increase(a[{{.window}}]))",
        "1 - histogram_quantile(0.9, sum by (le) (increase(a[{{.window}}])))",
        "(sum(increase(a[{{.window}}]))) - (sum(increase(b[{{.window}}])))",
    ] {
        assert_eq!(codes(good), [""; 0], "{good}");
    }
}

#[test]
fn each_fault_is_found() {
    for (bad, code) in [
        ("sum(increase(a[{{.window}}])) > 0", COMPARISON),
        ("((sum(increase(a[{{.window}}])) >= 5))", COMPARISON),
        ("sum(increase(a[{{.window}}])) or vector(0)", OR_VECTOR),
        ("sum(increase(a[{{.window}}])) OR on() vector(0)", OR_VECTOR),
        ("increase(a[{{.window}}])", NO_AGGREGATION),
        ("(increase(a[{{.window}}]))", NO_AGGREGATION),
        ("abs(increase(a[{{.window}}]))", NO_AGGREGATION),
        ("sum by (code) (increase(a[{{.window}}]))", NO_AGGREGATION),
        ("sum(increase(a[{{.window}}])) by (code)", NO_AGGREGATION),
        ("sum without (pod) (increase(a[{{.window}}]))", NO_AGGREGATION),
        ("sum(a)", NO_WINDOW),
        ("sum(increase(a[5m]))", NO_WINDOW),
        ("sum(rate(a[{{.window}}]))", MIXED),
    ] {
        assert_eq!(codes(bad), [code], "{bad}");
    }
    assert_eq!(codes("sum(irate(a[{{.window}}]))"), [IRATE, MIXED]);
}

#[test]
fn a_finding_names_objective_query_and_line() {
    let ratio = Indicator::Raw { ratio: query("a > 0.5"), of: crate::objective::Share::Failure };
    let found = lint(&[objective(1.0, ratio)]);
    assert_eq!(found[0].message, "shop/checkout: `q` compares at its top");
    assert_eq!(found[0].place, Place { file: "slo.yml".to_owned(), line: 7 });
    assert_eq!(found.last().map(|finding| (finding.code, finding.place.line)), Some((TARGET, 3)));
}
