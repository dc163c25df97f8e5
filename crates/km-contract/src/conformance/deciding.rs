//! Dead letters: kept whole, tried again safely, decided by people.

use std::sync::Arc;

use km_model::{ContentHash, LetterState, Outcome, WriteDocument, WriteId};

use super::{Hands, Rig, resolve, tenant, write_id};
use crate::port::{
    Decision, LetterFilter, LetterFormat, NewLetter, Reason, RecordState, RedriveState, Store,
    StoreErrorKind, Undecidable,
};
use crate::{Arrival, LetterError, WriteError, WritePolicy};

fn letter(id: &str, format: LetterFormat, payload: &[u8], rig: &Rig) -> NewLetter {
    NewLetter {
        tenant: tenant(),
        id: write_id(id),
        format,
        payload: payload.to_vec(),
        reason: Reason { class: StoreErrorKind::Refused, code: "TEST".into(), template: "for a test".into() },
        at: rig.writer.admission().now(),
    }
}

fn everything() -> LetterFilter {
    LetterFilter { tenant: tenant(), state: None, format: None, code: None }
}

async fn park(rig: &Rig, id: &str, payload: &[u8]) {
    rig.store.letters.park(&letter(id, LetterFormat::Write, payload, rig)).await.unwrap();
}

fn good(incident: &str, seconds: i64) -> Vec<u8> {
    WriteDocument::canonical(&resolve(incident, "from a letter", Some(seconds)))
}

async fn state_of(rig: &Rig, id: &str) -> LetterState {
    rig.store.letters.letter(&tenant(), &write_id(id)).await.unwrap().unwrap().summary.state
}

pub async fn a_parked_letter_is_kept_whole(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let body = "{\"broken\": ".as_bytes();
    let delivered = rig.intake.deliver(&tenant(), LetterFormat::Alertmanager, body).await.unwrap();
    let [id] = &delivered.parked[..] else { panic!("{delivered:?}") };
    let kept = rig.store.letters.letter(&tenant(), id).await.unwrap().unwrap();
    assert_eq!((kept.payload.as_slice(), kept.summary.state), (body, LetterState::Parked));
    assert_eq!(kept.events[0].what, "parked");
    let again = rig.intake.deliver(&tenant(), LetterFormat::Alertmanager, body).await.unwrap();
    assert_eq!(again.parked, delivered.parked, "a repeated delivery is the same letter");
    let record = rig.store.ledger.find(&tenant(), id).await.unwrap().unwrap();
    assert_eq!(record.state, RecordState::Letter(LetterState::Parked));
}

pub async fn parking_twice_keeps_one_letter(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", b"first").await;
    park(&rig, "l-1", b"second").await;
    let page = rig.store.letters.letters(&everything(), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let kept = rig.store.letters.letter(&tenant(), &write_id("l-1")).await.unwrap().unwrap();
    assert_eq!(kept.payload, b"first");
}

pub async fn an_edited_letter_is_applied_and_its_original_stays(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", b"not a write").await;
    let failed = rig.office.redrive(&tenant(), &write_id("l-1"), "ann").await.unwrap();
    assert_eq!(failed, LetterState::Parked);
    let payload = String::from_utf8(good("INC-1", 10)).unwrap();
    rig.office.edit(&tenant(), &write_id("l-1"), payload, LetterFormat::Write, "ann").await.unwrap();
    let settled = rig.office.redrive(&tenant(), &write_id("l-1"), "ann").await.unwrap();
    assert_eq!(settled, LetterState::Settled);
    let letter = rig.store.letters.letter(&tenant(), &write_id("l-1")).await.unwrap().unwrap();
    assert_eq!(letter.original.as_deref(), Some(&b"not a write"[..]));
    let happened: Vec<&str> = letter.events.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(happened, ["parked", "redriven", "tried", "edited", "redriven", "settled"]);
    let record = rig.store.ledger.find(&tenant(), &write_id("l-1")).await.unwrap().unwrap();
    assert!(matches!(record.state, RecordState::Applied(_)));
    let verdict = crate::verify::verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
}

pub async fn a_redriven_letter_does_not_overwrite_newer_knowledge(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", &good("INC-1", 10)).await;
    let newer = rig.write("w-1", resolve("INC-1", "newer", Some(20))).await.unwrap();
    assert_eq!(newer.outcome, Outcome::Created);
    assert_eq!(rig.office.redrive(&tenant(), &write_id("l-1"), "ann").await.unwrap(), LetterState::Settled);
    let entry = rig.store.library.entry(&tenant(), newer.receipt.entry_id()).await.unwrap().unwrap();
    assert_eq!((entry.head.write_id, entry.revisions), (write_id("w-1"), 2));
    let again = rig.office.redrive(&tenant(), &write_id("l-1"), "ann").await;
    assert!(matches!(again, Err(LetterError::Closed(LetterState::Settled))), "{again:?}");
}

pub async fn a_letter_without_a_time_is_as_old_as_the_letter(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", &WriteDocument::canonical(&resolve("INC-1", "from a letter", None))).await;
    rig.clock.advance_seconds(3_600);
    let newer = rig.write("w-1", resolve("INC-1", "newer", None)).await.unwrap();
    rig.clock.advance_seconds(3_600);
    assert_eq!(rig.office.redrive(&tenant(), &write_id("l-1"), "ann").await.unwrap(), LetterState::Settled);
    let entry = rig.store.library.entry(&tenant(), newer.receipt.entry_id()).await.unwrap().unwrap();
    assert_eq!((entry.head.write_id, entry.revisions), (write_id("w-1"), 2));
}

pub async fn an_edit_made_during_a_try_is_not_lost(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", &good("INC-1", 10)).await;
    let tried = ContentHash::of(&good("INC-1", 10));
    let edited = String::from_utf8(good("INC-2", 20)).unwrap();
    rig.office.edit(&tenant(), &write_id("l-1"), edited, LetterFormat::Write, "ann").await.unwrap();
    let since = rig.writer.admission().now();
    let late = Arrival::Letter { since, of: tried };
    let tried_write = resolve("INC-1", "from a letter", Some(10));
    let outcome = rig.writer.write(&tenant(), Some(write_id("l-1")), tried_write, late).await;
    assert!(matches!(outcome, Err(WriteError::Conflict { .. })), "what was tried is not what is kept");
    let settle = Decision::Settle { of: tried };
    let settled = rig.store.letters.decide(&tenant(), &write_id("l-1"), &settle, "km", since).await.unwrap();
    assert_eq!(settled, Err(Undecidable::Changed));
    assert_eq!(rig.office.work().await.unwrap(), 1, "the edit is tried by itself");
    let record = rig.store.ledger.find(&tenant(), &write_id("l-1")).await.unwrap().unwrap();
    assert_eq!((record.payload, state_of(&rig, "l-1").await), (good("INC-2", 20), LetterState::Settled));
}

pub async fn other_content_under_a_letters_id_is_a_conflict(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", b"not a write").await;
    let payload = String::from_utf8(good("INC-1", 10)).unwrap();
    rig.office.edit(&tenant(), &write_id("l-1"), payload, LetterFormat::Write, "ann").await.unwrap();
    let other = rig.write("l-1", resolve("INC-9", "other", Some(10))).await;
    assert!(matches!(other, Err(WriteError::Conflict { .. })), "{other:?}");
    assert_eq!(state_of(&rig, "l-1").await, LetterState::Pending);
    let same = rig.write("l-1", resolve("INC-1", "from a letter", Some(10))).await.unwrap();
    assert_eq!((same.outcome, state_of(&rig, "l-1").await), (Outcome::Created, LetterState::Settled));
}

pub async fn a_discarded_letter_is_never_applied(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", &good("INC-1", 10)).await;
    rig.office.discard(&tenant(), &write_id("l-1"), "obsolete", "ann").await.unwrap();
    let redriven = rig.office.redrive(&tenant(), &write_id("l-1"), "ann").await;
    assert!(matches!(redriven, Err(LetterError::Closed(LetterState::Discarded))), "{redriven:?}");
    let letter = rig.store.letters.letter(&tenant(), &write_id("l-1")).await.unwrap().unwrap();
    assert_eq!(letter.payload, good("INC-1", 10), "it stays readable");
    let missing = rig.office.discard(&tenant(), &write_id("none"), "x", "ann").await;
    assert!(matches!(missing, Err(LetterError::NotFound)));
}

pub async fn a_letter_that_fails_again_waits_for_a_person(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", b"{\"path\":\"incident_resolve\"}").await;
    assert_eq!(rig.office.redrive(&tenant(), &write_id("l-1"), "ann").await.unwrap(), LetterState::Parked);
    let letter = rig.store.letters.letter(&tenant(), &write_id("l-1")).await.unwrap().unwrap();
    assert_eq!((letter.summary.tries, letter.summary.reason.code.as_ref()), (1, "INVALID"));
    assert_eq!(letter.summary.next_try_at, None);
}

pub async fn a_store_that_is_down_consumes_no_tries(store: Store, clock: Arc<Hands>) {
    let stopped =
        Rig::with(store.clone(), clock.clone(), WritePolicy::EMERGENCY, crate::QueueLimits::default());
    park(&stopped, "l-1", &good("INC-1", 10)).await;
    stopped.writer.stop();
    stopped.committer.await.unwrap();
    let state = stopped.office.redrive(&tenant(), &write_id("l-1"), "ann").await.unwrap();
    assert_eq!(state, LetterState::Pending);
    let rig = Rig::new(store, clock);
    let letter = rig.store.letters.letter(&tenant(), &write_id("l-1")).await.unwrap().unwrap();
    assert_eq!(letter.summary.tries, 0);
    rig.clock.advance_seconds(3_700);
    assert_eq!(rig.office.work().await.unwrap(), 1);
    assert_eq!(state_of(&rig, "l-1").await, LetterState::Settled);
}

pub async fn a_bulk_redrive_goes_on_after_a_restart(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store.clone(), clock.clone());
    for n in 0..120 {
        park(&rig, &format!("l-{n}"), &good(&format!("INC-{n}"), 10)).await;
    }
    park(&rig, "bad", b"not a write").await;
    let redrive = rig.office.begin(everything(), 1_000_000, "ann").await.unwrap();
    rig.office.work().await.unwrap();
    let after_restart = Rig::new(store, clock);
    for _ in 0..4 {
        after_restart.office.work().await.unwrap();
    }
    let done = after_restart.store.letters.redrive(&tenant(), &redrive.id).await.unwrap().unwrap();
    assert_eq!((done.state, done.tried, done.settled, done.failed), (RedriveState::Done, 121, 120, 1));
    let counts = after_restart.store.letters.letter_counts().await.unwrap();
    assert_eq!((counts.len(), counts[0].letters, counts[0].state), (1, 1, LetterState::Parked));
}

pub async fn a_cancelled_redrive_stops(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    park(&rig, "l-1", &good("INC-1", 10)).await;
    let redrive = rig.office.begin(everything(), 10, "ann").await.unwrap();
    rig.office.cancel(&tenant(), &redrive.id).await.unwrap();
    rig.office.work().await.unwrap();
    assert_eq!(state_of(&rig, "l-1").await, LetterState::Parked);
    let late = rig.store.letters.save_redrive(&redrive).await.unwrap();
    assert!(!late, "a round that was under way does not take the cancellation back");
    let kept = rig.store.letters.redrive(&tenant(), &redrive.id).await.unwrap().unwrap();
    assert_eq!(kept.state, RedriveState::Cancelled);
    let unknown: Result<_, LetterError> = rig.office.cancel(&tenant(), "none").await;
    assert!(matches!(unknown, Err(LetterError::NotFound)));
    assert!(WriteId::parse(redrive.id).is_ok(), "an id that fits a URL");
}
