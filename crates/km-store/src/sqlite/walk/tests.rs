//! How far one walk goes.

use std::ops::RangeInclusive;

use tempfile::TempDir;

use super::super::open;
use super::super::tests::fill;
use super::*;

fn ledger() -> (Connection, TempDir) {
    let data = TempDir::new().unwrap();
    (open::ledger(data.path()).unwrap(), data)
}

/// The positions that one walk visits, and down to where it went.
fn visited(ledger: &Connection, tenant: &str, after: i64, before: i64) -> (Vec<i64>, i64) {
    let tenant = TenantId::parse(tenant).unwrap();
    let mut positions = Vec::new();
    let reached = walk(ledger, &tenant, after, before, |entry| {
        positions.push(entry.head.position);
        ControlFlow::Continue(())
    });
    (positions, reached.unwrap())
}

fn down(range: RangeInclusive<i64>) -> Vec<i64> {
    range.rev().collect()
}

#[test]
fn a_walk_visits_the_heads_between_two_positions_the_newest_first() {
    let (ledger, _data) = ledger();
    fill(&ledger, "ours", 1..=5, 10);
    fill(&ledger, "theirs", 6..=8, 10);
    fill(&ledger, "ours", 9..=10, 10);
    assert_eq!(visited(&ledger, "ours", 0, 11), (vec![10, 9, 5, 4, 3, 2, 1], 1));
    assert_eq!(visited(&ledger, "ours", 3, 10), (vec![9, 5, 4], 4));
    assert_eq!(visited(&ledger, "ours", 5, 9), (vec![], 6));
    assert_eq!(visited(&ledger, "ours", 10, 3), (vec![], 11));
}

#[test]
fn a_walk_ends_at_its_bytes_and_goes_on_from_there() {
    let (ledger, _data) = ledger();
    fill(&ledger, "ours", 1..=40, 256 << 10);
    let (mut all, mut before) = (Vec::new(), 41);
    while before > 1 {
        let (positions, reached) = visited(&ledger, "ours", 0, before);
        assert!(positions.len() <= BYTES_MAX / (256 << 10), "{} heads", positions.len());
        all.extend(positions);
        before = reached;
    }
    assert_eq!(all, down(1..=40));
}

#[test]
fn a_walk_ends_at_its_heads() {
    let (ledger, _data) = ledger();
    fill(&ledger, "ours", 1..=1_200, 10);
    assert_eq!(visited(&ledger, "ours", 0, 1_201), (down(201..=1_200), 201));
    assert_eq!(visited(&ledger, "ours", 0, 201), (down(1..=200), 1));
}

#[test]
fn a_walk_passes_so_many_rows_of_others_and_no_more() {
    let (ledger, _data) = ledger();
    fill(&ledger, "ours", 1..=1, 10);
    fill(&ledger, "theirs", 2..=ROWS_MAX + 10, 10);
    let (positions, reached) = visited(&ledger, "ours", 0, ROWS_MAX + 11);
    assert_eq!((positions, reached), (vec![], 11));
    assert_eq!(visited(&ledger, "ours", 0, reached), (vec![1], 1));
}
