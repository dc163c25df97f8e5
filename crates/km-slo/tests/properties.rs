//! What holds for every number that a Prometheus could answer, and for every mixture of results.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::collections::BTreeMap;

use km_model::Timestamp;
use km_slo::{
    Alerting, ErrorReason, Indicator, Measured, Meta, NoDataReason, Objective, Place, Query, Reading, State,
    Trouble, Window, evaluate, read_answer,
};
use proptest::prelude::*;

fn objective(target: f64, events_min: f64) -> Objective {
    let query = |text: &str| Query { text: text.to_owned(), path: String::new(), line: 1 };
    Objective {
        id: "a/b".to_owned(),
        service: "a".to_owned(),
        name: "b".to_owned(),
        description: String::new(),
        labels: BTreeMap::new(),
        target,
        window: Window::parse("30d").unwrap(),
        indicator: Indicator::Bad { bad: query("bad"), total: query("total") },
        weight: 1.0,
        events_min,
        alerting: Alerting::default(),
        place: Place { file: String::new(), line: 1 },
    }
}

fn any_reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        Just(Reading::Absent),
        Just(Reading::Stale),
        any::<f64>().prop_map(Reading::Value),
        (0.0..1e6).prop_map(Reading::Value),
        Just(Reading::Value(0.0)),
    ]
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Ok),
        Just(State::Violated),
        prop::sample::select(NoDataReason::ALL).prop_map(State::NoData),
        prop::sample::select(ErrorReason::ALL).prop_map(State::Error),
    ]
}

fn meta(results: &[(State, f64)]) -> Meta {
    Meta::of(Timestamp::from_micros(0), results)
}

proptest! {
    #[test]
    fn figures_are_finite_and_there_exactly_when_it_was_evaluated(
        total in any_reading(), part in any_reading(), target in 0.0..0.999_999, events_min in 0.0..1e3,
    ) {
        let verdict = evaluate(&objective(target, events_min), &Measured::Counts { total: Ok(total), part: Ok(part) });
        let evaluated = matches!(verdict.state, State::Ok | State::Violated);
        prop_assert_eq!(evaluated, verdict.figures.is_some());
        if let Some(figures) = verdict.figures {
            prop_assert!((0.0..=1.0).contains(&figures.sli), "{:?}", figures);
            prop_assert!(figures.burn_rate.is_finite() && figures.burn_rate >= 0.0);
            prop_assert_eq!(verdict.state == State::Violated, figures.budget_remaining < 0.0);
        } else {
            prop_assert!(!verdict.detail.is_empty(), "a reason in words");
        }
    }

    #[test]
    fn more_bad_events_never_make_it_better(total in 1.0..1e6, less in 0.0..1.0, more in 0.0..1.0, target in 0.0..0.99999) {
        let (less, more) = if less <= more { (less, more) } else { (more, less) };
        let judge = |share: f64| {
            let part = Ok(Reading::Value(total * share));
            evaluate(&objective(target, 0.0), &Measured::Counts { total: Ok(Reading::Value(total)), part })
        };
        prop_assert!(!(judge(less).state == State::Violated && judge(more).state == State::Ok));
    }

    #[test]
    fn a_failure_is_never_silent(total in any_reading(), reason in prop::sample::select(ErrorReason::ALL)) {
        let failed = || Err(Trouble { reason, detail: "x".to_owned() });
        for measured in [
            Measured::Counts { total: Ok(total), part: failed() },
            Measured::Counts { total: failed(), part: Ok(total) },
        ] {
            prop_assert_eq!(evaluate(&objective(0.9, 0.0), &measured).state, State::Error(reason));
        }
    }

    #[test]
    fn skipping_moves_no_score(results in prop::collection::vec((any_state(), 0.01..100.0), 0..20), skipped in 0..5_usize) {
        let mut results: Vec<(State, f64)> = results;
        let before = meta(&results);
        results.extend(std::iter::repeat_n((State::NoData(NoDataReason::Absent), 0.001), skipped));
        let after = meta(&results);
        if let (Some(before), Some(after)) = (before.health_score, after.health_score) {
            prop_assert!((before - after).abs() < 1e-9);
        }
        prop_assert!(after.coverage <= before.coverage + 1e-9);
        prop_assert_eq!(before.self_failure, after.self_failure || before.total_count == 0);
        prop_assert!(after.health_score.is_none_or(|score| (0.0..=1.0 + 1e-9).contains(&score)));
        prop_assert_eq!(after.total_count, after.ok_count + after.violated_count + after.no_data_count + after.error_count);
    }

    #[test]
    fn any_answer_is_read_or_refused(status in 100..600_u16, body in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(trouble) = read_answer(status, &body) {
            prop_assert!(!trouble.detail.is_empty() && !trouble.detail.contains('\n'));
        }
    }
}
