//! What a seal covers, and the bytes that it is taken of.

use km_model::{EntryId, LetterState, Outcome, TenantId, WriteId};

use super::*;
use crate::port::{Columns, Placement, Record};

const AT: Timestamp = Timestamp::from_micros(9);

fn placement() -> Placement {
    let stored_at = Timestamp::from_micros(8);
    Placement { entry_id: EntryId::from_bytes([3; 16]), revision: 2, outcome: Outcome::Revised, stored_at }
}

fn row() -> LedgerRow {
    LedgerRow {
        record: Record {
            position: 7,
            tenant: TenantId::default_tenant(),
            write_id: WriteId::parse("w-1").unwrap(),
            state: RecordState::Applied(placement()),
            occurred_at: Timestamp::from_micros(6),
            stored_at: placement().stored_at,
            content_hash: ContentHash::of(b"{}"),
            payload: b"{}".to_vec(),
        },
        previous: Some(5),
        columns: Columns {
            path: Some("incident_resolve".to_owned()),
            incident: Some("INC-1".to_owned()),
            approval: None,
            approval_status: None,
            playbook: None,
        },
    }
}

fn sealed(row: &LedgerRow) -> Option<Seal> {
    let mut chain = SealChain::after(None);
    chain.add(row);
    chain.finish(AT)
}

/// The row with another placement.
fn placed(change: impl Fn(&mut Placement)) -> LedgerRow {
    let mut placement = placement();
    change(&mut placement);
    let row = row();
    LedgerRow { record: Record { state: RecordState::Applied(placement), ..row.record }, ..row }
}

fn changed(change: impl Fn(&mut LedgerRow)) -> LedgerRow {
    let mut row = row();
    change(&mut row);
    row
}

#[test]
fn a_seal_covers_every_column_of_an_applied_row() {
    let text = |text: &str| Some(text.to_owned());
    let changed = [
        changed(|row| row.record.position = 8),
        changed(|row| row.record.tenant = TenantId::parse("other").unwrap()),
        changed(|row| row.record.write_id = WriteId::parse("w-2").unwrap()),
        placed(|placement| placement.entry_id = EntryId::from_bytes([4; 16])),
        placed(|placement| placement.revision = 3),
        placed(|placement| placement.outcome = Outcome::Superseded),
        changed(|row| row.previous = None),
        changed(|row| row.previous = Some(4)),
        changed(|row| row.columns.path = text("approval_manual")),
        changed(|row| row.columns.incident = None),
        changed(|row| row.columns.approval = text("INC-1")),
        changed(|row| row.columns.approval_status = text("")),
        changed(|row| row.columns.playbook = text("")),
        changed(|row| row.record.occurred_at = AT),
        changed(|row| row.record.stored_at = AT),
        changed(|row| row.record.content_hash = ContentHash::of(b"[]")),
    ];
    let mut hashes: Vec<_> = changed.iter().map(|row| sealed(row).unwrap().hash.to_string()).collect();
    hashes.push(sealed(&row()).unwrap().hash.to_string());
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), changed.len() + 1);
}

#[test]
fn a_seal_covers_the_seal_before_it_and_when_it_was_made() {
    let first = sealed(&row()).unwrap();
    let mut behind = SealChain::after(Some(&first));
    behind.add(&row());
    let mut later = SealChain::after(None);
    later.add(&row());
    let hashes = [behind.finish(AT), later.finish(Timestamp::from_micros(10))].map(|seal| seal.unwrap().hash);
    assert!(!hashes.contains(&first.hash) && hashes[0] != hashes[1]);
}

#[test]
fn a_dead_letter_is_not_sealed() {
    let letter = changed(|row| row.record.state = RecordState::Letter(LetterState::Parked));
    assert_eq!(sealed(&letter), None);
}

/// Kept seals outlive the program: the same rows never get another seal. The hash was taken by hand, apart from this
/// code.
#[test]
fn the_bytes_of_a_seal_stay_as_they_are() {
    let seal = sealed(&row()).unwrap();
    assert_eq!((seal.through, seal.records, seal.sealed_at), (7, 1, AT));
    let by_hand = "783bc645ff6fd36e2a6955be603f9995ff5188352f88a588343830573b1b450a";
    assert_eq!(seal.hash.to_string(), by_hand);
}
