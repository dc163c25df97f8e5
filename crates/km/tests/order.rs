//! The order in which writes arrive does not matter, nor does how often.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use std::collections::BTreeMap;
use std::thread;

use harness::http::Call;
use harness::{Place, Server, items};
use serde_json::{Value, json};

/// Tenants that are written to at the same time.
const CALLERS: usize = 8;

/// Path A, an older word of it, two approvals of Path B, and what was learnt.
fn writes() -> Vec<Value> {
    vec![
        json!({"write_id": "a", "path": "incident_resolve", "incident_id": "INC-1", "title": "Pool exhausted",
            "content": "Raise max_connections", "tags": ["db"], "labels": {"cluster": "prod"},
            "occurred_at": "2026-11-20T10:30:00Z"}),
        json!({"write_id": "b1", "path": "approval_manual", "incident_id": "INC-1", "approval_id": "AP-9",
            "title": "Restart the pooler", "occurred_at": "2026-11-20T10:05:00Z"}),
        json!({"write_id": "b2", "path": "approval_auto_ok", "incident_id": "INC-1", "approval_id": "AP-1",
            "title": "Scale the pooler", "occurred_at": "2026-11-20T10:10:00Z"}),
        json!({"write_id": "a-early", "path": "incident_resolve", "incident_id": "INC-1", "title": "Pool slow",
            "occurred_at": "2026-11-20T10:20:00Z"}),
        json!({"write_id": "c", "path": "playbook_extract", "incident_id": "INC-1", "playbook": "raise-pool",
            "title": "Raise the pool", "occurred_at": "2026-11-20T11:00:00Z"}),
    ]
}

fn approval(id: &str, status: &str, at: &str) -> Value {
    json!({"path": "approval_manual", "incident_id": "INC-1", "approval_id": id, "approval_status": status,
        "title": id, "occurred_at": format!("2026-11-20T10:{at}:00Z")})
}

fn permutations(items: usize) -> Vec<Vec<usize>> {
    let Some(last) = items.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| {
        (0..items).map(move |at| [&order[..at], &[last], &order[at..]].concat()).collect::<Vec<_>>()
    };
    permutations(last).into_iter().flat_map(insert).collect()
}

/// The chain and the history of its entries, without what says when and in which order km heard of it, and
/// without the names of entries, which are digests of tenant and key.
fn essence(server: &Tenant) -> String {
    let mut chain = server.get("/v1/incidents/INC-1");
    let mut histories = BTreeMap::new();
    for entry in chain["entries"].as_array_mut().unwrap() {
        let id = entry["entry_id"].as_str().unwrap();
        let mut history = server.get(&format!("/v1/entries/{id}/revisions"))["revisions"].take();
        history.as_array_mut().unwrap().iter_mut().for_each(forget_arrival);
        let mut history: Vec<String> = items(&history).iter().map(Value::to_string).collect();
        history.sort();
        histories.insert(entry["write_id"].as_str().unwrap().to_owned(), history);
        forget_arrival(entry);
    }
    json!([chain, histories]).to_string()
}

fn forget_arrival(entry: &mut Value) {
    let entry = entry.as_object_mut().unwrap();
    for field in ["entry_id", "revision", "stored_at", "outcome", "changed"] {
        entry.remove(field);
    }
}

/// A server, called with the key of one tenant.
struct Tenant<'a> {
    server: &'a Server,
    key: String,
}

impl<'a> Tenant<'a> {
    fn new(server: &'a Server, tenant: &str) -> Self {
        let wanted = json!({"name": tenant, "tenant": tenant, "scopes": ["write", "read"]});
        let made = server.post("/v1/keys", &wanted).expect(201);
        Self { server, key: made["key"].as_str().unwrap().to_owned() }
    }

    fn write(&self, write: &Value) -> Value {
        let call = Call::post("/v1/writes", write.to_string()).key(&self.key);
        let answer = self.server.call(&call);
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        answer.json()
    }

    fn get(&self, path: &str) -> Value {
        self.server.call(&Call::get(path).key(&self.key)).expect(200)
    }
}

/// A server whose administrator makes keys for tenants.
fn administered(place: &Place) -> Server {
    let key = place.key(&["admin"]);
    place.serve(&[]).with_key(&key)
}

#[test]
fn every_order_with_duplicates_gives_the_same_chain() {
    let place = Place::new();
    let server = administered(&place);
    let orders: Vec<_> = permutations(writes().len()).into_iter().enumerate().collect();
    let essences = thread::scope(|scope| {
        let callers = orders.chunks(orders.len().div_ceil(CALLERS));
        let callers: Vec<_> = callers.map(|orders| scope.spawn(|| all_orders(&server, orders))).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(essences.len(), 120);
    essences.iter().for_each(|essence| assert_eq!(essence, &essences[0]));
}

/// Writes each order to a tenant of its own: every write twice in a row, and the whole once more at the end.
fn all_orders(server: &Server, orders: &[(usize, Vec<usize>)]) -> Vec<String> {
    let of_order = |(nth, order): &(usize, Vec<usize>)| {
        let (tenant, writes) = (Tenant::new(server, &format!("t{nth}")), writes());
        for at in order {
            assert_ne!(tenant.write(&writes[*at])["outcome"], "replayed");
            assert_eq!(tenant.write(&writes[*at])["outcome"], "replayed");
        }
        order.iter().rev().for_each(|at| assert_eq!(tenant.write(&writes[*at])["outcome"], "replayed"));
        essence(&tenant)
    };
    orders.iter().map(of_order).collect()
}

#[test]
fn the_chain_holds_all_that_was_written() {
    let place = Place::new();
    let server = place.serve(&[]);
    writes().iter().for_each(|write| drop(server.write(write)));
    let chain = server.get("/v1/incidents/INC-1");
    assert_eq!((&chain["status"], items(&chain["entries"]).len()), (&"resolved".into(), 4));
    assert_eq!(chain["related_approval_id"], "AP-9");
    assert_eq!(chain["playbooks"][0]["playbook"], "raise-pool");
    let resolved = items(&chain["entries"]).iter().find(|entry| entry["path"] == "incident_resolve").unwrap();
    assert_eq!((&resolved["title"], &resolved["revisions"]), (&"Pool exhausted".into(), &2.into()));
}

#[test]
fn two_stores_that_heard_it_in_opposite_orders_name_their_entries_alike() {
    let (places, orders) = ([Place::new(), Place::new()], [writes(), writes().into_iter().rev().collect()]);
    let names = places.iter().zip(orders).map(|(place, writes)| {
        let server = place.serve(&[]);
        writes.iter().for_each(|write| drop(server.write(write)));
        let chain = server.get("/v1/incidents/INC-1");
        items(&chain["entries"]).iter().map(|entry| entry["entry_id"].clone()).collect::<Vec<_>>()
    });
    let names: Vec<_> = names.collect();
    assert_eq!(names[0], names[1]);
}

#[test]
fn an_approval_is_tied_to_its_incident_whichever_comes_first() {
    let place = Place::new();
    let server = place.serve(&[]);
    let resolve = |incident: &str| json!({"path": "incident_resolve", "incident_id": incident, "approval_id": "AP-1", "title": "over"});
    let approve = |incident: &str| json!({"path": "approval_manual", "incident_id": incident, "approval_id": "AP-1", "title": "go"});
    for pair in [[resolve("A-FIRST"), approve("A-FIRST")], [approve("B-FIRST"), resolve("B-FIRST")]] {
        pair.iter().for_each(|write| drop(server.write(write)));
        let chain = server.get(&format!("/v1/incidents/{}", pair[0]["incident_id"].as_str().unwrap()));
        assert_eq!(chain["related_approval_id"], "AP-1", "{chain:#}");
        assert_eq!(items(&chain["approvals"]).len(), 1, "{chain:#}");
    }
    let incidents = server.get("/v1/approvals/AP-1/incidents");
    assert_eq!(incidents["incidents"], json!(["A-FIRST", "B-FIRST"]));
}

#[test]
fn an_approval_that_comes_before_any_word_of_its_incident_is_shown_at_once() {
    let place = Place::new();
    let server = place.serve(&[]);
    server.write(&approval("AP-1", "approved", "05"));
    let chain = server.get("/v1/incidents/INC-1");
    assert_eq!((&chain["status"], &chain["related_approval_id"]), (&"open".into(), &"AP-1".into()));
}

#[test]
fn two_approvals_of_one_incident_stay_two() {
    let place = Place::new();
    let server = place.serve(&[]);
    let entries = ["AP-1", "AP-2"].map(|id| {
        server.write(&approval(id, "approved", "05"))["receipt"]["entry_id"].as_str().unwrap().to_owned()
    });
    assert_ne!(entries[0], entries[1]);
    let chain = server.get("/v1/incidents/INC-1");
    assert_eq!((items(&chain["approvals"]).len(), items(&chain["entries"]).len()), (2, 2), "{chain:#}");
}

/// An approval's id, where it stands, and the minute of that word.
type Word = (&'static str, &'static str, &'static str);

/// The approvals, and which of them is the related one.
#[test]
fn the_related_approval_is_the_earliest_that_holds_by_time_and_id() {
    let cases: [(&str, &[Word]); 4] = [
        ("AP-9", &[("AP-9", "approved", "05"), ("AP-1", "approved", "10")]),
        ("AP-1", &[("AP-9", "approved", "05"), ("AP-1", "approved", "05")]),
        ("AP-2", &[("AP-1", "rejected", "01"), ("AP-2", "approved", "05")]),
        ("AP-2", &[("AP-1", "approved", "01"), ("AP-2", "approved", "05"), ("AP-1", "revoked", "09")]),
    ];
    let place = Place::new();
    let server = administered(&place);
    for (nth, (related, approvals)) in cases.iter().enumerate() {
        let there = [approvals.to_vec(), approvals.iter().rev().copied().collect()];
        for (way, approvals) in there.iter().enumerate() {
            let tenant = Tenant::new(&server, &format!("t{nth}-{way}"));
            approvals.iter().for_each(|(id, status, at)| drop(tenant.write(&approval(id, status, at))));
            let chain = tenant.get("/v1/incidents/INC-1");
            assert_eq!(chain["related_approval_id"], *related, "{approvals:?}: {chain:#}");
        }
    }
}

#[test]
fn an_older_word_that_comes_late_is_history() {
    let place = Place::new();
    let server = place.serve(&[]);
    let [newer, .., older, _] = &writes()[..] else { panic!("five writes") };
    assert_eq!(server.write(newer)["outcome"], "created");
    assert_eq!(server.write(older)["outcome"], "superseded");
    let entry = &server.get("/v1/incidents/INC-1")["entries"][0];
    assert_eq!((&entry["title"], &entry["revisions"]), (&"Pool exhausted".into(), &2.into()));
}
