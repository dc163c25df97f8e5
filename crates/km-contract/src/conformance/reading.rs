//! What is read is what was acknowledged.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use km_model::{ApprovalStatus, EntryType, IncidentId, PathKind, Timestamp, Verdict, Write};

use super::{Hands, Rig, approval, playbook, resolve, tenant};
use crate::port::{ApiKey, Filter, Scope, SearchRequest, Store};

async fn search(rig: &Rig, text: &str) -> Vec<String> {
    search_in(rig, text, Filter::all(tenant())).await
}

async fn search_in(rig: &Rig, text: &str, filter: Filter) -> Vec<String> {
    let request = SearchRequest { text: text.to_owned(), filter, after: None, limit: 50 };
    let page = rig.store.library.search(&request).await.unwrap();
    assert!(page.searched.complete);
    page.hits.into_iter().map(|hit| hit.entry.head.write_id.to_string()).collect()
}

pub async fn one_reads_ones_own_writes(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for n in 0..60 {
        let content = format!("the database pod{n}x was evicted");
        rig.write(&format!("w-{n}"), resolve(&format!("INC-{n}"), &content, Some(n))).await.unwrap();
        assert_eq!(search(&rig, &format!("pod{n}x")).await, [format!("w-{n}")], "right after its receipt");
    }
    rig.write("newer", resolve("INC-7", "renamed", Some(1_000))).await.unwrap();
    assert_eq!(search(&rig, "pod7x").await, Vec::<String>::new(), "only heads are found");
    assert_eq!(search(&rig, "renamed").await, ["newer"]);
}

pub async fn chinese_words_of_two_characters_are_found(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    rig.write("full", resolve("INC-1", "数据库磁盘已满，清理日志后恢复", None)).await.unwrap();
    rig.write("slow", resolve("INC-2", "网络延迟导致超时", None)).await.unwrap();
    assert_eq!(search(&rig, "磁盘").await, ["full"]);
    assert_eq!(search(&rig, "延迟").await, ["slow"]);
    assert_eq!(search(&rig, "日志").await, ["full"]);
    assert_eq!(search(&rig, "内存").await, Vec::<String>::new());
}

pub async fn filters_hold_in_lists_and_searches(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let labelled = Write {
        labels: BTreeMap::from([("cluster".to_owned(), "prod".to_owned())]),
        tags: vec!["db".to_owned()],
        entry_type: Some(EntryType::parse("incident_case").unwrap()),
        ..resolve("INC-1", "evicted pod", Some(100))
    };
    rig.write("a", labelled).await.unwrap();
    let approved = approval("APP-1", "INC-1", Verdict::Manual, ApprovalStatus::Approved, Some(200));
    rig.write("b", Write { content: "evicted pod approved".to_owned(), ..approved }).await.unwrap();
    rig.write("c", playbook("evict", None, "evicted pod playbook", Some(300))).await.unwrap();
    let all = Filter::all(tenant());
    let at = |seconds: i64| Some(Timestamp::from_micros(seconds * 1_000_000));
    let cases = [
        (Filter { path: Some(PathKind::PlaybookExtract), ..all.clone() }, vec!["c"]),
        (Filter { entry_type: Some(EntryType::parse("incident_case").unwrap()), ..all.clone() }, vec!["a"]),
        (Filter { tags: vec!["db".to_owned()], ..all.clone() }, vec!["a"]),
        (Filter { labels: vec![("cluster".to_owned(), "prod".to_owned())], ..all.clone() }, vec!["a"]),
        (Filter { labels: vec![("cluster".to_owned(), "test".to_owned())], ..all.clone() }, vec![]),
        (Filter { incident: Some(IncidentId::parse("INC-1").unwrap()), ..all.clone() }, vec!["a", "b"]),
        (Filter { occurred_from: at(200), ..all.clone() }, vec!["b", "c"]),
        (Filter { occurred_before: at(200), ..all.clone() }, vec!["a"]),
        (all, vec!["a", "b", "c"]),
    ];
    for (filter, expected) in cases {
        let mut found = search_in(&rig, "evicted", filter.clone()).await;
        found.sort_unstable();
        assert_eq!(found, expected, "searched {filter:?}");
        let listed = rig.store.library.entries(&filter, None, 50).await.unwrap();
        let mut listed: Vec<_> = listed.items.iter().map(|entry| entry.head.write_id.to_string()).collect();
        listed.sort_unstable();
        assert_eq!(listed, expected, "listed {filter:?}");
    }
}

pub async fn pages_cover_everything_once(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for n in 0..25 {
        rig.write(&format!("w-{n}"), resolve(&format!("INC-{n}"), "evicted", Some(n))).await.unwrap();
    }
    let mut listed = HashSet::new();
    let mut after = None;
    loop {
        let page = rig.store.library.entries(&Filter::all(tenant()), after, 7).await.unwrap();
        listed.extend(page.items.iter().map(|entry| entry.entry_id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut found = HashSet::new();
    let mut request =
        SearchRequest { text: "evicted".into(), filter: Filter::all(tenant()), after: None, limit: 7 };
    loop {
        let page = rig.store.library.search(&request).await.unwrap();
        found.extend(page.hits.iter().map(|hit| hit.entry.entry_id));
        request.after = page.next;
        if request.after.is_none() {
            break;
        }
    }
    assert_eq!((listed.len(), found.len()), (25, 25));
    let records = rig.store.library.feed(&tenant(), 0, 100).await.unwrap();
    assert!(records.windows(2).all(|pair| pair[0].position < pair[1].position));
    assert_eq!(records.len(), 25);
}

pub async fn history_is_read_newest_first(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let mut entry = None;
    for (nth, seconds) in [30, 10, 20, 40].into_iter().enumerate() {
        let written =
            rig.write(&format!("w-{nth}"), resolve("INC-1", &format!("{seconds}"), Some(seconds))).await;
        entry = Some(written.unwrap().receipt.entry_id());
    }
    let entry = entry.unwrap();
    let library = &rig.store.library;
    let numbers =
        |revisions: Vec<crate::port::Revision>| revisions.iter().map(|r| r.revision).collect::<Vec<_>>();
    assert_eq!(numbers(library.revisions(&tenant(), entry, None, 10).await.unwrap()), [4, 3, 2, 1]);
    assert_eq!(numbers(library.revisions(&tenant(), entry, Some(3), 1).await.unwrap()), [2]);
}

pub async fn keys_are_kept_and_revoked(store: Store, _: Arc<Hands>) {
    let key = ApiKey {
        id: "k1".to_owned(),
        name: "incident service".to_owned(),
        tenant: tenant(),
        scopes: vec![Scope::Write, Scope::Read],
        created_at: Timestamp::from_micros(1),
        revoked_at: None,
    };
    store.keys.add_key(&key, [7; 32]).await.unwrap();
    assert_eq!(store.keys.keys().await.unwrap(), [(key.clone(), [7; 32])]);
    assert!(store.keys.revoke_key("k1", Timestamp::from_micros(2)).await.unwrap());
    assert!(store.keys.revoke_key("k1", Timestamp::from_micros(3)).await.unwrap(), "twice changes nothing");
    assert!(!store.keys.revoke_key("k2", Timestamp::from_micros(2)).await.unwrap());
    let (kept, _) = store.keys.keys().await.unwrap().remove(0);
    assert_eq!(kept.revoked_at, Some(Timestamp::from_micros(2)));
    assert!(key.allows(Scope::Read) && !key.allows(Scope::Admin) && !kept.allows(Scope::Read));
}

pub async fn seals_chain_every_applied_write(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let seal = || rig.store.upkeep.seal(Timestamp::from_micros(5));
    assert_eq!(seal().await.unwrap(), None);
    for n in 0..3 {
        rig.write(&format!("w-{n}"), resolve(&format!("INC-{n}"), "x", None)).await.unwrap();
    }
    assert_eq!(seal().await.unwrap().unwrap().records, 3);
    rig.write("w-3", resolve("INC-3", "x", None)).await.unwrap();
    assert_eq!(seal().await.unwrap().unwrap().records, 1);
    assert_eq!(seal().await.unwrap(), None);
    let verdict = crate::verify::verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound() && verdict.seals == 2, "{verdict:?}");
}
