//! The rule, by examples and by any order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A notice: its start, its end if it is over, and when it was seen.
type Notice = (i64, Option<i64>, i64);

fn delivered(at: Timestamp, seen_at: Timestamp) -> End {
    End { at, seen_at, provenance: Provenance::Delivered, by: None }
}

fn claim((starts_at, ends_at, seen_at): Notice) -> Claim {
    let at = Timestamp::from_micros;
    Claim {
        starts_at: at(starts_at),
        incident: IncidentId::parse(format!("INC-{starts_at:06}")).unwrap(),
        told: false,
        firing_seen_at: ends_at.is_none().then_some(at(seen_at)),
        end: ends_at.map(|ends_at| delivered(at(ends_at), at(seen_at))),
        provenance: Provenance::Delivered,
    }
}

fn folded(notices: &[Notice]) -> Vec<Claim> {
    let mut claims: BTreeMap<i64, Claim> = BTreeMap::new();
    for notice in notices {
        let claim = claim(*notice);
        claims.entry(notice.0).and_modify(|known| known.absorb(&claim)).or_insert(claim);
    }
    claims.into_values().collect()
}

/// When an occurrence was on.
type Interval = (i64, Option<i64>);

/// Occurrences as start, end and name.
fn shape(notices: &[Notice]) -> Vec<(i64, Option<i64>, String)> {
    let show = |one: &Occurrence| {
        let ends_at = one.ends_at().map(Timestamp::as_micros);
        (one.starts_at().as_micros(), ends_at, one.incident().to_string())
    };
    occurrences(folded(notices)).iter().map(show).collect()
}

fn intervals(notices: &[Notice]) -> Vec<Interval> {
    shape(notices).into_iter().map(|(starts_at, ends_at, _)| (starts_at, ends_at)).collect()
}

/// Seen soon enough to be no news of its own.
const NOW: i64 = 1_000;

#[test]
fn notices_that_overlap_are_one_occurrence() {
    let fires = |starts_at| (starts_at, None, NOW);
    let over = |starts_at, ends_at| (starts_at, Some(ends_at), NOW);
    let cases: [(&[Notice], &[Interval]); 9] = [
        (&[fires(100), fires(130), over(120, 200)], &[(100, Some(200))]),
        (&[over(100, 200), fires(100)], &[(100, Some(200))]),
        (&[over(100, 200), fires(300)], &[(100, Some(200)), (300, None)]),
        (&[over(100, 200), fires(300), over(150, 400)], &[(100, Some(400))]),
        (&[fires(100), fires(300), over(100, 200)], &[(100, Some(200)), (300, None)]),
        (&[over(100, 200), fires(200)], &[(100, Some(200)), (200, None)]),
        (&[over(100, 101), over(103, 104), over(90, 110)], &[(90, Some(110))]),
        (&[fires(100), over(250, 400)], &[(100, Some(400))]),
        (&[over(100, 200), over(100, 300), over(100, 200)], &[(100, Some(300))]),
    ];
    for (notices, expected) in cases {
        assert_eq!(intervals(notices), expected, "{notices:?}");
    }
}

#[test]
fn a_firing_notice_is_late_news_until_a_while_after_the_end_was_heard_of() {
    let late = LATE_SECONDS_MAX * 1_000_000;
    let over = (100, Some(200), NOW);
    assert_eq!(intervals(&[over, (100, None, NOW + late)]), [(100, Some(200))]);
    assert_eq!(intervals(&[over, (100, None, NOW + late + 1)]), [(100, None)]);
    assert_eq!(intervals(&[over, (150, None, NOW + late + 1)]), [(100, None)]);
    let heard_again = (100, Some(200), NOW + 2 * late);
    assert_eq!(
        intervals(&[over, (100, None, NOW + late + 1), heard_again]),
        [(100, None)],
        "the first sight"
    );
    let over_at_last = (100, Some(900), NOW + 3 * late);
    assert_eq!(intervals(&[over, (100, None, NOW + late + 1), over_at_last]), [(100, Some(900))]);
}

#[test]
fn the_smallest_name_is_the_occurrences_unless_another_was_told() {
    assert_eq!(shape(&[(130, None, NOW), (100, None, NOW)]), [(100, None, "INC-000100".to_owned())]);
    let mut claims = folded(&[(100, None, NOW), (130, None, NOW), (160, Some(200), NOW)]);
    claims[1].told = true;
    assert_eq!(occurrences(claims.clone())[0].incident().as_str(), "INC-000130");
    claims[2].told = true;
    assert_eq!(occurrences(claims)[0].incident().as_str(), "INC-000130");
}

fn any_notice() -> impl Strategy<Value = Notice> {
    let late = LATE_SECONDS_MAX * 1_000_000;
    let length = prop::option::of(1..60_i64);
    (0..40_i64, length, 0..3 * late).prop_map(|(starts_at, length, seen_at)| {
        (starts_at, length.map(|length| starts_at + length), seen_at)
    })
}

proptest! {
    #[test]
    fn occurrences_are_a_function_of_the_set_of_notices(
        (notices, shuffled) in prop::collection::vec(any_notice(), 1..8).prop_flat_map(|notices| {
            let twice: Vec<Notice> = notices.iter().chain(&notices).copied().collect();
            (Just(notices), Just(twice).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(shape(&notices), shape(&shuffled));
    }

    #[test]
    fn occurrences_do_not_overlap_and_cover_every_claim(notices in prop::collection::vec(any_notice(), 1..8)) {
        let claims = folded(&notices);
        let occurrences = occurrences(claims.clone());
        let covered: Vec<Claim> = occurrences.iter().flat_map(|one| one.claims().to_vec()).collect();
        prop_assert_eq!(covered, claims);
        for pair in occurrences.windows(2) {
            prop_assert!(pair[0].ends_at().is_some_and(|ends_at| ends_at <= pair[1].starts_at()));
        }
    }
}

#[test]
fn an_end_that_was_only_concluded_gives_way_to_any_later_firing_notice() {
    let concluded = |seen_at| Claim {
        end: Some(End {
            at: Timestamp::from_micros(500),
            seen_at: Timestamp::from_micros(seen_at),
            provenance: Provenance::Observed,
            by: Some(Timestamp::from_micros(600)),
        }),
        provenance: Provenance::Observed,
        ..claim((100, Some(500), seen_at))
    };
    let after = |first: Claim, then: Claim| {
        let mut claim = first;
        claim.absorb(&then);
        Occurrence::opened_by(claim)
    };
    let fires = |seen_at| claim((100, None, seen_at));
    for (first, then) in [(concluded(1_000), fires(1_001)), (fires(1_001), concluded(1_000))] {
        assert_eq!(after(first, then).ends_at(), None, "it goes on after all");
    }
    let over = after(fires(900), concluded(1_000));
    assert_eq!(over.end().and_then(|end| end.by), Some(Timestamp::from_micros(600)));
    assert_eq!(over.provenance(), Provenance::Delivered);
}

#[test]
fn of_one_end_that_came_in_two_ways_the_better_one_counts() {
    let end = |provenance, by: Option<i64>| End {
        at: Timestamp::from_micros(500),
        seen_at: Timestamp::from_micros(1_000),
        provenance,
        by: by.map(Timestamp::from_micros),
    };
    let told = end(Provenance::Delivered, None);
    let ways = [told, end(Provenance::Reconciled, Some(520)), end(Provenance::Observed, Some(600))];
    for one in ways {
        for other in ways {
            assert_eq!(one.or_later(other), other.or_later(one));
            assert_eq!(told.or_later(one), told);
        }
    }
}
