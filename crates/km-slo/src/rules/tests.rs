//! What the rules say. Whether Prometheus takes them is tried with promtool, in the tests of the binary.

use super::*;
use crate::objective::sample::{objective, query};

fn counted() -> Indicator {
    Indicator::Bad { bad: query("sum(rate(bad[{{.window}}]))"), total: query("sum(rate(all[{{.window}}]))") }
}

#[test]
fn every_denominator_is_guarded_and_an_absent_part_is_none() {
    let ratio = ratio(&objective(0.999, counted()), "1h");
    assert_eq!(ratio, "((sum(rate(bad[1h]))) or 0 * (sum(rate(all[1h])))) / ((sum(rate(all[1h]))) > 0)");
    let good = Indicator::Good { good: query("g[{{.window}}]"), total: query("t[{{.window}}]") };
    assert_eq!(self::ratio(&objective(0.9, good), "5m"), "(((t[5m]) - (g[5m])) or (t[5m])) / ((t[5m]) > 0)");
}

#[test]
fn a_query_without_a_window_is_averaged() {
    let raw = Indicator::Raw { ratio: query("success_ratio"), of: Share::Success };
    assert_eq!(ratio(&objective(0.9, raw.clone()), "5m"), "1 - (success_ratio)");
    let longer = ratio(&objective(0.9, raw), "6h");
    assert_eq!(longer, r#"avg_over_time(km_slo:error_ratio:rate5m{slo="shop/checkout"}[6h])"#);
}

#[test]
fn there_are_four_alerts_each_on_two_windows() {
    let text = rules(&[objective(0.999, counted())], Wrapping::File);
    assert_eq!(text.matches("- alert: ").count(), 4);
    assert!(text.contains(
        r#"km_slo:error_ratio:rate1h{slo=\"shop/checkout\"} > 14.4 * 0.001 and km_slo:error_ratio:rate5m{slo=\"shop/checkout\"} > 14.4 * 0.001"#
    ), "{text}");
}

#[test]
fn an_alert_that_could_never_fire_is_left_out_and_said() {
    let text = rules(&[objective(0.9, counted())], Wrapping::File);
    assert_eq!(text.matches("- alert: ").count(), 3);
    assert!(text.contains("would not burn 14.4 times too fast"));
}

#[test]
fn what_the_file_says_about_alerts_is_kept() {
    let mut objective = objective(0.99, counted());
    objective.alerting.name = Some("CheckoutBurns".to_owned());
    objective.alerting.page.disabled = true;
    objective.alerting.ticket.labels.insert("severity".to_owned(), "low".to_owned());
    let text = rules(&[objective], Wrapping::Resource);
    assert_eq!(text.matches("- alert: \"CheckoutBurns\"").count(), 2);
    assert_eq!(text.matches("\"severity\": \"low\"").count(), 2);
    assert!(text.starts_with("apiVersion: monitoring.coreos.com/v1\n"));
}
