//! What is remembered, and what becomes of a file that is damaged.

use std::collections::BTreeMap;

use super::*;
use crate::evaluate::{Measured, Reading, evaluate};
use crate::objective::{Alerting, Indicator, Objective, Place, Query, Share, Window};

fn objective(id: &str) -> Objective {
    Objective {
        id: id.to_owned(),
        service: String::new(),
        name: String::new(),
        description: String::new(),
        labels: BTreeMap::new(),
        target: 0.9,
        window: Window::parse("30d").expect("a window"),
        indicator: Indicator::Raw {
            ratio: Query { text: String::new(), path: String::new(), line: 1 },
            of: Share::Failure,
        },
        weight: 1.0,
        events_min: 0.0,
        alerting: Alerting::default(),
        place: Place { file: String::new(), line: 1 },
    }
}

/// A run in a slot of half an hour, at which these objectives had these error ratios.
fn report(slot: i64, ratios: &[(&str, Reading)]) -> Report {
    let at = Timestamp::from_micros(slot * POINT_SECONDS * 1_000_000);
    let objectives: Vec<_> = ratios.iter().map(|(id, reading)| (objective(id), *reading)).collect();
    let judged =
        |(objective, reading): &(Objective, Reading)| evaluate(objective, &Measured::Ratio(Ok(*reading)));
    Report::of(at, objectives.iter().map(|pair| (&pair.0, judged(pair))).collect())
}

fn trend(history: &History, mut report: Report) -> Vec<Option<f64>> {
    history.put_trends(&mut report);
    report.objectives.remove(0).trend
}

#[test]
fn a_trend_has_a_value_for_each_half_hour_and_null_where_nothing_was_known() {
    let mut history = History::default();
    history.record(&report(100, &[("a", Reading::Value(0.05))]));
    history.record(&report(101, &[("a", Reading::Absent)]));
    let now = report(103, &[("a", Reading::Value(0.09))]);
    assert_eq!(trend(&history, now), [Some(0.5), None, None, Some(0.1)]);
}

#[test]
fn runs_of_one_half_hour_are_one_point_and_a_day_is_kept() {
    let mut history = History::default();
    for slot in 0..200 {
        history.record(&report(slot, &[("a", Reading::Value(0.01))]));
        history.record(&report(slot, &[("a", Reading::Value(0.05))]));
    }
    let shown = trend(&history, report(199, &[("a", Reading::Value(0.05))]));
    assert_eq!((shown.len(), shown[0]), (POINTS_MAX, Some(0.5)));
    assert_eq!(history.objectives["a"].len(), POINTS_MAX);
}

#[test]
fn objectives_that_are_no_more_are_forgotten() {
    let mut history = History::default();
    history.record(&report(1, &[("a", Reading::Value(0.0)), ("b", Reading::Value(0.0))]));
    history.record(&report(2, &[("b", Reading::Value(0.0))]));
    assert_eq!(history.objectives.keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_clock_that_went_back_loses_nothing_but_the_later_points() {
    let mut history = History::default();
    history.record(&report(500, &[("a", Reading::Value(0.05))]));
    history.record(&report(3, &[("a", Reading::Value(0.05))]));
    assert_eq!(history.objectives["a"], [Point(3, Some(0.5))]);
}

#[test]
fn the_file_reads_back_and_is_replaced_whole() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("slo.json");
    assert_eq!(History::read(&path)?, History::default());
    let mut history = History::default();
    for slot in [1, 2] {
        history.record(&report(slot, &[("服务/a", Reading::Value(0.05))]));
        history.write(&path)?;
        assert_eq!(History::read(&path)?, history);
    }
    assert_eq!(std::fs::read_dir(directory.path())?.count(), 1, "nothing is left beside it");
    Ok(())
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() -> io::Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("slo.json");
    let mut history = History::default();
    history.record(&report(1, &[("a", Reading::Value(0.05))]));
    history.write(&path)?;
    let whole = std::fs::read(&path)?;
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length])?;
        assert!(History::read(&path).is_err(), "cut at {length}");
    }
    for text in ["{\"version\":2,\"alarm\":{},\"objectives\":{}}", "[]", "\u{0}", "{\"version\":1}"] {
        std::fs::write(&path, text)?;
        assert!(History::read(&path).is_err(), "{text}");
    }
    assert!(History::read(directory.path()).is_err());
    Ok(())
}
