//! What the door lets in, and under which name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use km_model::{Metadata, WritePath};

use super::*;

struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0)
    }
}

fn door(now_seconds: i64) -> Admission {
    Admission::new(Arc::new(At(now_seconds * 1_000_000)))
}

fn write(path: WritePath) -> Write {
    Write {
        path,
        playbook: None,
        execution: None,
        title: "db full".into(),
        content: String::new(),
        entry_type: None,
        tags: Vec::new(),
        labels: BTreeMap::new(),
        source: Source::default(),
        occurred_at: None,
        metadata: Metadata::default(),
    }
}

fn resolve() -> Write {
    write(WritePath::IncidentResolve { incident: IncidentId::parse("INC-1").unwrap(), approval: None })
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

#[test]
fn the_same_write_sent_later_has_the_same_name_and_hash() {
    let first = door(100).admit(&tenant(), None, resolve(), Arrival::Call).unwrap();
    let later = door(900).admit(&tenant(), None, resolve(), Arrival::Call).unwrap();
    assert_eq!((first.write_id(), first.content_hash()), (later.write_id(), later.content_hash()));
    assert_eq!(first.occurred_at().as_micros(), 100_000_000);
}

#[test]
fn other_content_has_another_name() {
    let first = door(100).admit(&tenant(), None, resolve(), Arrival::Call).unwrap();
    let other = Write { content: "and slow".into(), ..resolve() };
    let other = door(100).admit(&tenant(), None, other, Arrival::Call).unwrap();
    assert_ne!(first.write_id(), other.write_id());
    assert_eq!(first.entry_id(), other.entry_id());
}

#[test]
fn a_write_that_nothing_names_needs_an_idempotency_key() {
    let unnamed = || write(WritePath::PlaybookExtract { incident: None, approval: None });
    let refused = door(0).admit(&tenant(), None, unnamed(), Arrival::Call).unwrap_err();
    assert_eq!(refused[0].field, "write_id");
    let id = WriteId::parse("w-1").unwrap();
    let admitted = door(0).admit(&tenant(), Some(id.clone()), unnamed(), Arrival::Call).unwrap();
    assert_eq!(admitted.key(), &EntryKey::Write(id));
}

#[test]
fn the_future_is_refused_or_clamped_one_second_past_the_limit() {
    let at = |seconds| Write { occurred_at: Some(Timestamp::from_micros(seconds * 1_000_000)), ..resolve() };
    let limit = 1_000 + FUTURE_SECONDS_MAX;
    assert!(door(1_000).admit(&tenant(), None, at(limit), Arrival::Call).is_ok());
    let refused = door(1_000).admit(&tenant(), None, at(limit + 1), Arrival::Call).unwrap_err();
    assert_eq!(refused[0].field, "occurred_at");
    let clamped = door(1_000).admit(&tenant(), None, at(limit + 1), Arrival::Delivery).unwrap();
    assert_eq!(clamped.occurred_at().as_micros(), 1_000_000_000);
    assert!(String::from_utf8_lossy(clamped.payload()).contains("km.claimed_occurred_at"));
}

#[test]
fn tenants_never_share_an_entry() {
    let other = TenantId::parse("other").unwrap();
    let one = door(0).admit(&tenant(), None, resolve(), Arrival::Call).unwrap();
    let two = door(0).admit(&other, None, resolve(), Arrival::Call).unwrap();
    assert_ne!(one.entry_id(), two.entry_id());
}

#[test]
fn secrets_are_redacted_before_the_hash_is_taken() {
    let secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB";
    let leaky = Write { content: format!("token {secret}"), ..resolve() };
    let admitted = door(0).admit(&tenant(), None, leaky, Arrival::Call).unwrap();
    let payload = String::from_utf8(admitted.payload().to_vec()).unwrap();
    assert!(!payload.contains(secret) && payload.contains("[redacted:github:"), "{payload}");
    assert_eq!(admitted.content_hash(), &ContentHash::of(admitted.payload()));
}
