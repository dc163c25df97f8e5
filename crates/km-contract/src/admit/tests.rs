//! What the door lets in, and under which name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use km_model::limits::{LABELS_MAX, TAGS_MAX};
use km_model::{ApprovalSubject, Metadata, Verdict, WritePath};
use proptest::prelude::*;
use serde_json::{Map, json};

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
    let claimed = at(limit + 1).occurred_at.map(|at| at.to_string()).unwrap();
    assert!(String::from_utf8_lossy(clamped.payload()).contains(&claimed));
}

#[test]
fn tenants_never_share_an_entry() {
    let other = TenantId::parse("other").unwrap();
    let one = door(0).admit(&tenant(), None, resolve(), Arrival::Call).unwrap();
    let two = door(0).admit(&other, None, resolve(), Arrival::Call).unwrap();
    assert_ne!(one.entry_id(), two.entry_id());
}

#[test]
fn a_clamped_write_is_the_same_write_when_its_time_has_come() {
    let ahead = || Write { occurred_at: Some(Timestamp::from_micros(9_000_000_000)), ..resolve() };
    let clamped = door(1_000).admit(&tenant(), None, ahead(), Arrival::Delivery).unwrap();
    let later = door(9_000).admit(&tenant(), None, ahead(), Arrival::Delivery).unwrap();
    let asked = door(9_000).admit(&tenant(), None, ahead(), Arrival::Call).unwrap();
    assert_eq!(clamped.occurred_at().as_micros(), 1_000_000_000);
    assert_eq!(later.occurred_at().as_micros(), 9_000_000_000);
    for again in [later, asked] {
        assert_eq!((clamped.write_id(), clamped.content_hash()), (again.write_id(), again.content_hash()));
    }
}

/// What a scanner of sources would find, put together when the test runs.
fn token() -> String {
    ["gh", "p_0123456789abcdefghijklmnopqrstuvwxyzAB"].concat()
}

#[test]
fn secrets_are_redacted_before_the_hash_is_taken() {
    let leaky = Write { content: format!("token {}", token()), ..resolve() };
    let admitted = door(0).admit(&tenant(), None, leaky, Arrival::Call).unwrap();
    let payload = String::from_utf8(admitted.payload().to_vec()).unwrap();
    assert!(!payload.contains(&token()) && payload.contains("[redacted:github:"), "{payload}");
    assert_eq!(admitted.content_hash(), &ContentHash::of(admitted.payload()));
}

#[test]
fn a_secret_is_taken_out_wherever_a_write_can_hold_it() {
    let secret = token;
    let source = || Some(format!("by {}", secret()));
    let Value::Object(metadata) = json!({ secret(): 1, "a": {"b": [secret()]}, "password": 12_345_678 })
    else {
        panic!("an object")
    };
    let leaky = Write {
        title: secret(),
        content: secret(),
        tags: vec![secret(), format!("x {}", secret())],
        labels: [(secret(), secret()), ("password".to_owned(), "simple".to_owned())].into(),
        source: Source { service: source(), actor: source(), url: source() },
        metadata: Metadata(metadata),
        ..resolve()
    };
    let admitted = door(0).admit(&tenant(), None, leaky, Arrival::Call).unwrap();
    let payload = String::from_utf8(admitted.payload().to_vec()).unwrap();
    for leak in [&secret(), "simple", "12345678"] {
        assert!(!payload.contains(leak), "{payload}");
    }
    assert_eq!(payload.matches("[redacted:").count(), 13, "{payload}");
}

#[test]
fn an_id_that_holds_a_secret_is_refused_and_not_repeated() {
    let id = || format!("INC-{}", token());
    let about = ApprovalSubject::Approval {
        approval: ApprovalId::parse(id()).unwrap(),
        incident: Some(IncidentId::parse(id()).unwrap()),
    };
    let leaky = Write {
        playbook: Some(PlaybookSlug::parse(id()).unwrap()),
        execution: Some(km_model::ExecutionId::parse(id()).unwrap()),
        entry_type: Some(km_model::EntryType::parse(id()).unwrap()),
        ..write(WritePath::Approval { verdict: Verdict::Manual, about, status: ApprovalStatus::Approved })
    };
    let write_id = Some(WriteId::parse(id()).unwrap());
    let violations = door(0).admit(&tenant(), write_id, leaky, Arrival::Call).unwrap_err();
    let fields: Vec<_> = violations.iter().map(|violation| violation.field.as_ref()).collect();
    let all = ["write_id", "incident_id", "approval_id", "execution_id", "playbook", "entry_type"];
    assert_eq!(fields, all);
    assert!(violations.iter().all(|violation| !violation.to_string().contains(&token())));
}

#[test]
fn an_alert_that_holds_a_secret_becomes_its_placeholder_everywhere() {
    let notice = AlertNotice {
        fingerprint: Fingerprint::parse(token()).unwrap(),
        status: km_model::AlertStatus::Firing,
        starts_at: None,
        ends_at: None,
        ends_by: None,
        provenance: km_model::Provenance::Delivered,
        labels: [(token(), token()), ("password".to_owned(), "simple".to_owned())].into(),
        annotations: [("note".to_owned(), token())].into(),
        generator_url: Some(format!("https://x/?q={}", token())),
    };
    let incident = IncidentId::parse(format!("AM-{}-5", token())).unwrap();
    let admitted = door(0).admit_alert(&tenant(), notice, incident, Arrival::Call);
    let shown = format!("{admitted:?}");
    assert!(!shown.contains(&token()) && !shown.contains("simple"), "{shown}");
    assert!(admitted.incident().as_str().starts_with("[redacted:github:"), "{shown}");
}

#[test]
fn metadata_that_placeholders_made_too_large_loses_members_and_says_so() {
    let crowd: Map<String, Value> = (0..3_500).map(|n| (format!("p{n:04}_pwd"), json!("x1"))).collect();
    let write = Write { metadata: Metadata(crowd), ..resolve() };
    assert!(write.metadata.bytes() <= METADATA_BYTES_MAX);
    let admitted = door(0).admit(&tenant(), None, write, Arrival::Call).unwrap();
    let read = read_again(&admitted);
    assert!(read.metadata.bytes() <= METADATA_BYTES_MAX && read.metadata.bytes() > METADATA_BYTES_MAX - 100);
    assert!(read.metadata.0.contains_key("km.cut") && read.metadata.0.contains_key("p0000_pwd"));
}

/// What was admitted, as a valid write.
fn read_again(admitted: &Admitted) -> Write {
    let document: WriteDocument = serde_json::from_slice(admitted.payload()).expect("a document");
    Write::try_from(document).expect("the rules are kept")
}

/// Texts around a limit, made of what grows when it is taken out.
fn text_near(limit: usize) -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "password=a1b2 ",
        "token ",
        "pwd=x\n",
        "磁盘",
        "redis://:e@c ",
        "[redacted:",
        "é",
    ]);
    let pieces =
        prop::collection::vec(prop_oneof![piece.prop_map(str::to_owned), Just(token()), "\\PC{0,8}"], 0..12);
    (pieces, 0..limit).prop_map(move |(pieces, repeat)| {
        let text = pieces.concat().replace('\0', "");
        let mut text = text.repeat(1 + repeat / text.len().max(1));
        text.truncate(text.floor_char_boundary(limit));
        text
    })
}

fn any_write() -> impl Strategy<Value = Write> {
    let tags = prop::collection::vec(text_near(TAG_BYTES_MAX), 0..4);
    let name = prop_oneof![Just("password".to_owned()), Just(token()), "[a-z]{1,3}"];
    let labels = prop::collection::btree_map(name.clone(), text_near(LABEL_VALUE_BYTES_MAX), 0..4);
    let metadata = prop::collection::btree_map(name, text_near(METADATA_BYTES_MAX / 4 - 512), 0..4);
    let source = prop::option::of(text_near(SOURCE_BYTES_MAX));
    (text_near(TITLE_BYTES_MAX), text_near(8 << 10), tags, labels, metadata, source).prop_map(
        |(title, content, mut tags, labels, metadata, url)| {
            tags.retain(|tag| !tag.trim().is_empty());
            tags.sort();
            tags.dedup();
            let metadata = metadata.into_iter().map(|(name, text)| (name, Value::from(text))).collect();
            let url = url.filter(|url| !url.is_empty());
            let source = Source { url, ..Source::default() };
            let title = format!("t{title}");
            let title = title[..title.floor_char_boundary(TITLE_BYTES_MAX)].to_owned();
            Write { title, content, tags, labels, source, metadata: Metadata(metadata), ..resolve() }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_admitted_keeps_the_rules_and_admitting_it_again_changes_nothing(write in any_write()) {
        prop_assert!(Write::try_from(WriteDocument::from(&write)).is_ok());
        let admitted = door(0).admit(&tenant(), None, write, Arrival::Call).unwrap();
        let again = door(5).admit(&tenant(), None, read_again(&admitted), Arrival::Call).unwrap();
        prop_assert_eq!(again.payload(), admitted.payload());
        prop_assert_eq!(again.write_id(), admitted.write_id());
        prop_assert_eq!(again.content_hash(), admitted.content_hash());
    }
}

#[test]
fn no_limit_is_passed_by_what_redaction_adds() {
    let many = |what: char| (0..LABELS_MAX).map(move |n| (format!("{what}{n}"), "password=a ".repeat(370)));
    let tags = many('t')
        .map(|(name, text)| format!("{name} {}", &text[..TAG_BYTES_MAX - 8]))
        .take(TAGS_MAX)
        .collect();
    let write = Write { tags, labels: many('l').collect(), title: "pwd=a ".repeat(85), ..resolve() };
    let admitted = door(0).admit(&tenant(), None, write, Arrival::Call).unwrap();
    let read = read_again(&admitted);
    assert!(
        read.title.ends_with("…[cut]")
            && read.labels["l0"].ends_with("…[cut]")
            && read.tags[0].ends_with("…[cut]")
    );
}
