//! Secrets never reach a store, and everything else reaches it unchanged.

use std::sync::Arc;

use km_model::{LetterState, WriteDocument};

use super::{Hands, Rig, resolve, tenant};
use crate::port::{Letter, LetterFormat, Store};

/// GBK for `磁盘已满`, in JSON that is cut off.
const GBK: &[u8] = b"{\"title\": \"\xb4\xc5\xc5\xcc\xd2\xd1\xc2\xfa\0\", ";

async fn parked(rig: &Rig, body: &[u8]) -> Letter {
    let delivered = rig.intake.deliver(&tenant(), LetterFormat::Generic, body).await.unwrap();
    let [id] = &delivered.parked[..] else { panic!("{delivered:?}") };
    rig.store.letters.letter(&tenant(), id).await.unwrap().unwrap()
}

fn good(content: &str) -> String {
    String::from_utf8(WriteDocument::canonical(&resolve("INC-1", content, Some(10)))).unwrap()
}

pub async fn a_body_in_another_encoding_comes_back_byte_for_byte(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let letter = parked(&rig, GBK).await;
    assert_eq!((letter.payload.as_slice(), letter.summary.payload_bytes), (GBK, GBK.len()));
    let id = letter.summary.id;
    rig.office.edit(&tenant(), &id, good("in UTF-8"), LetterFormat::Write, "ann").await.unwrap();
    let letter = rig.store.letters.letter(&tenant(), &id).await.unwrap().unwrap();
    assert_eq!(letter.original.as_deref(), Some(GBK));
    assert_eq!(rig.office.redrive(&tenant(), &id, "ann").await.unwrap(), LetterState::Settled);
    let record = rig.store.ledger.find(&tenant(), &id).await.unwrap().unwrap();
    assert_eq!(record.payload, good("in UTF-8").into_bytes());
    let letter = parked(&rig, &[GBK, b" password=hunter22"].concat()).await;
    assert!(letter.payload.starts_with(&[GBK, b" password=[redacted:credential:"].concat()));
    let verdict = crate::verify::verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
}

pub async fn a_refused_write_is_parked_without_its_secrets(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let token = ["gh", "p_0123456789abcdefghijklmnopqrstuvwxyzAB"].concat();
    let mut write = resolve(&format!("INC-{token}"), "echo \"curl -u admin:pa55word\"", Some(10));
    write.labels.insert("password".to_owned(), "simple".to_owned());
    let letter = parked(&rig, &WriteDocument::canonical(&write)).await;
    assert_eq!(
        (letter.summary.format, letter.summary.reason.code.as_ref()),
        (LetterFormat::Write, "INVALID")
    );
    let payload = String::from_utf8(letter.payload).unwrap();
    for secret in [token.as_str(), "pa55word", "simple"] {
        assert!(!payload.contains(secret), "{payload}");
    }
    let document: WriteDocument = serde_json::from_str(&payload).unwrap();
    assert!(km_model::Write::try_from(document).is_ok(), "{payload}");
}

pub async fn an_edit_that_quotes_a_command_is_applied(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let id = parked(&rig, b"not a write").await.summary.id;
    let edited = good("echo \"curl -u admin:pa55word\" works");
    rig.office.edit(&tenant(), &id, edited, LetterFormat::Write, "ann").await.unwrap();
    assert_eq!(rig.office.redrive(&tenant(), &id, "ann").await.unwrap(), LetterState::Settled);
    let record = rig.store.ledger.find(&tenant(), &id).await.unwrap().unwrap();
    let document: WriteDocument = serde_json::from_slice(&record.payload).unwrap();
    let content = document.content.unwrap();
    assert!(content.starts_with("echo \"curl -u admin:[redacted:credential:"), "{content}");
    assert!(content.ends_with("]\" works"), "{content}");
}
