//! What is found is whole and right: pages, lists and ranks, whatever is written meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use km_model::{EntryId, TenantId, Timestamp, Write};

use super::{Hands, Rig, resolve, tenant, write_id};
use crate::port::{
    BAD_CURSOR, Entry, Filter, Library, OnApplied, SearchPage, SearchRequest, Store, StoreErrorKind,
};
use crate::{Arrival, Jitter};

fn request(text: &str, after: Option<String>, limit: usize) -> SearchRequest {
    SearchRequest { text: text.to_owned(), filter: Filter::all(tenant()), after, limit }
}

async fn page(library: &dyn Library, text: &str, after: Option<String>, limit: usize) -> SearchPage {
    library.search(&request(text, after, limit)).await.unwrap()
}

fn ids(page: &SearchPage) -> Vec<EntryId> {
    page.hits.iter().map(|hit| hit.entry.entry_id).collect()
}

/// The rest of a ranking, in pages of so many.
async fn rest(library: &dyn Library, text: &str, mut after: Option<String>, limit: usize) -> Vec<EntryId> {
    let mut all = Vec::new();
    while let Some(cursor) = after {
        let page = page(library, text, Some(cursor), limit).await;
        all.extend(ids(&page));
        after = page.next;
    }
    all
}

/// Commits many writes in a few transactions: `{id}-{n}` about the incident `INC-{n}`.
async fn fill(
    rig: &Rig,
    id: &str,
    numbers: std::ops::Range<usize>,
    seconds: i64,
    text: impl Fn(usize) -> String,
) {
    let admit = |n: usize| {
        let write = resolve(&format!("INC-{n}"), &text(n), Some(seconds));
        let id = write_id(&format!("{id}-{n}"));
        let admission = rig.writer.admission();
        Arc::new(admission.admit(&tenant(), Some(id), write, Arrival::Call).unwrap())
    };
    for first in numbers.clone().step_by(1_000) {
        let batch: Vec<_> = (first..numbers.end.min(first + 1_000)).map(admit).collect();
        rig.store.ledger.commit(&batch, OnApplied::default()).await.unwrap();
    }
}

pub async fn pages_stay_whole_while_entries_arrive(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let library = &*rig.store.library;
    fill(&rig, "w", 0..25, 1, |_| "evicted".to_owned()).await;
    for (what, text) in [("unrelated", "nothing alike here"), ("alike", "evicted")] {
        let before = ids(&page(library, "evicted", None, 100).await);
        let first = page(library, "evicted", None, 7).await;
        rig.write(what, resolve(&format!("INC-{what}"), text, Some(100))).await.unwrap();
        let all = [ids(&first), rest(library, "evicted", first.next, 7).await].concat();
        assert_eq!(all, before, "after a write {what}");
    }
}

pub async fn pages_lose_what_is_revised_and_nothing_else(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let library = &*rig.store.library;
    let jitter = Jitter::from_seed(7);
    let below = |end: usize| (jitter.fraction() * end as f64) as usize;
    let words = ["evicted", "evicted pod", "pod pod node", "evicted evicted disk"];
    fill(&rig, "w", 0..60, 1, |n| format!("{} {}", words[n % 4], "filler ".repeat(n % 5))).await;
    for round in 0..12 {
        let first = page(library, "evicted pod", None, 1).await;
        let all = ids(&page(library, "evicted pod", first.next.clone(), 200).await);
        let (mut found, mut revised, mut next) = (Vec::new(), BTreeSet::new(), first.next);
        while let Some(cursor) = next {
            for nth in 0..below(4) {
                let n = below(70);
                let write = resolve(&format!("INC-{n}"), words[below(4)], Some(10 + round));
                let id = format!("r-{round}-{}-{nth}", found.len());
                let written = rig.write(&id, write).await.unwrap();
                let entry = written.receipt.entry_id();
                revised.extend(Some(entry).filter(|entry| !found.contains(entry)));
            }
            let page = page(library, "evicted pod", Some(cursor), 1 + below(9)).await;
            found.extend(ids(&page));
            next = page.next;
        }
        let kept =
            |ids: &[EntryId]| ids.iter().filter(|id| !revised.contains(id)).copied().collect::<Vec<_>>();
        assert_eq!(kept(&found), kept(&all), "round {round}");
        assert_eq!(found.len(), found.iter().collect::<BTreeSet<_>>().len(), "nothing comes twice");
    }
}

pub async fn a_cursor_is_plain_text_and_refused_when_it_is_not_its_searchs(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let library = &*rig.store.library;
    fill(&rig, "w", 0..5, 1, |_| "evicted pod".to_owned()).await;
    let cursor = page(library, "evicted", None, 2).await.next.unwrap();
    assert!(cursor.len() <= 2_048 && cursor.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{cursor}");
    let mut wrong = vec![request("evicted pod", Some(cursor.clone()), 2)];
    let strange = ["", "0", "zz", "ä", &"0".repeat(10_000), &cursor[2..], &cursor[..cursor.len() - 2]];
    wrong.extend(strange.iter().map(|text| request("evicted", Some((*text).to_owned()), 2)));
    wrong.extend((0..cursor.len()).map(|at| {
        let other = if cursor.as_bytes()[at] == b'0' { "1" } else { "0" };
        let mut damaged = cursor.clone();
        damaged.replace_range(at..=at, other);
        request("evicted", Some(damaged), 2)
    }));
    for change in [
        Filter { tenant: TenantId::parse("other").unwrap(), ..Filter::all(tenant()) },
        Filter { tags: vec!["db".to_owned()], ..Filter::all(tenant()) },
        Filter { occurred_from: Some(Timestamp::from_micros(1)), ..Filter::all(tenant()) },
    ] {
        wrong.push(SearchRequest { filter: change, ..request("evicted", Some(cursor.clone()), 2) });
    }
    for request in wrong {
        let error = library.search(&request).await.unwrap_err();
        assert_eq!((error.kind, &*error.code), (StoreErrorKind::Refused, BAD_CURSOR), "{:?}", request.after);
    }
    assert_eq!(rest(library, "evicted", Some(cursor), 2).await.len(), 3);
}

async fn listed(library: &dyn Library, filter: &Filter) -> Vec<Entry> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = library.entries(filter, after, 200).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

pub async fn a_list_is_complete_right_after_the_last_receipt(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let library = &*rig.store.library;
    fill(&rig, "old", 0..3_000, 1, |_| "before".to_owned()).await;
    fill(&rig, "new", 0..2_500, 2, |_| "after".to_owned()).await;
    let all = listed(library, &Filter::all(tenant())).await;
    assert_eq!(all.len(), 3_000);
    assert!(all.windows(2).all(|pair| pair[0].head.position > pair[1].head.position));
    let newer = Filter { occurred_from: Some(Timestamp::from_micros(2_000_000)), ..Filter::all(tenant()) };
    let newer = listed(library, &newer).await;
    assert_eq!(newer.len(), 2_500);
    assert!(newer.iter().all(|entry| entry.head.write.content.as_deref() == Some("after")));
}

pub async fn text_that_no_head_holds_any_more_finds_nothing(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let library = &*rig.store.library;
    fill(&rig, "old", 0..3_000, 1, |n| format!("oldword {n}")).await;
    let indexed = async || rig.store.upkeep.measures().await.unwrap().indexed_through;
    while indexed().await < 3_000 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    fill(&rig, "new", 0..3_000, 2, |n| format!("newword {n}")).await;
    let mut after = None;
    loop {
        let page = page(library, "oldword", after, 50).await;
        assert!(page.hits.is_empty(), "{:?}", page.hits[0].entry.head.write);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(ids(&page(library, "newword", None, 50).await).len(), 50);
}

fn titled(incident: &str, title: &str, content: &str) -> Write {
    Write { title: title.to_owned(), ..resolve(incident, content, None) }
}

fn labelled(incident: &str, alert: &str, content: &str) -> Write {
    let labels = BTreeMap::from([("alertname".to_owned(), alert.to_owned())]);
    Write { labels, ..resolve(incident, content, None) }
}

pub async fn an_exact_alert_name_comes_first(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let noise = "the pod is crash looping, the target is down, CPU usage is high on the node. ".repeat(3);
    for n in 0..20 {
        let title = format!("Pod crash looping, target down, high CPU usage {n}");
        rig.write(&format!("noise-{n}"), titled(&format!("INC-{n}"), &title, &noise)).await.unwrap();
    }
    rig.write("long", titled("R-1", "KubePodCrashLooping", "Restart it.")).await.unwrap();
    rig.write("short", titled("R-2", "TargetDown", "Look at Prometheus.")).await.unwrap();
    rig.write("label", labelled("R-3", "High CPU usage", "Add a node.")).await.unwrap();
    for (text, expected) in [
        ("KubePodCrashLooping", "long"),
        ("pod crash looping kubepodcrashlooping? KubePodCrashLooping", "long"),
        ("[FIRING:1] KubePodCrashLooping (node pod is crash looping, the target is down)", "long"),
        (r#"{"alertname":"TargetDown","summary":"the pod is crash looping on the node"}"#, "short"),
        ("TargetDown\nthe pod is crash looping, CPU usage is high on the node", "short"),
        ("alertname=\"High CPU usage\" the pod is crash looping, the target is down", "label"),
    ] {
        let page = page(&*rig.store.library, text, None, 3).await;
        assert_eq!(page.hits[0].entry.head.write_id.as_str(), expected, "{text}: {:?}", page.hits[0].why);
    }
}

pub async fn what_another_tenant_writes_changes_no_score(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    fill(&rig, "w", 0..10, 1, |n| format!("evicted {}", ["pod", "node"][n % 2])).await;
    let scores = async || {
        let page = page(&*rig.store.library, "evicted pod", None, 10).await;
        page.hits.into_iter().map(|hit| (hit.entry.entry_id, hit.score.to_bits())).collect::<Vec<_>>()
    };
    let before = scores().await;
    let other = TenantId::parse("other").unwrap();
    for n in 0..30 {
        let write = resolve(&format!("INC-{n}"), "pod pod pod", Some(1));
        let id = Some(write_id(&format!("o-{n}")));
        rig.writer.write(&other, id, write, Arrival::Call).await.unwrap();
    }
    assert_eq!(scores().await, before);
}
