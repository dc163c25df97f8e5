//! The state is a function of the set of writes: order and repetition do not matter.

use std::sync::Arc;

use km_model::{
    ApprovalId, ApprovalStanding, ApprovalStatus, IncidentId, LinkTarget, Outcome, TenantId, Timestamp,
    Verdict, Write,
};

use super::linking::{resolve_with, without_incident};
use super::{Hands, Rig, approval, playbook, resolve, tenant, write_id};
use crate::port::{Chain, Store};
use crate::verify::{KeptReceipt, verify, verify_receipts};
use crate::{Arrival, Jitter};

/// A chain: an incident, two approvals of which one is revoked later, and a playbook.
fn chain_writes() -> Vec<(&'static str, Write)> {
    use ApprovalStatus::{Approved, Revoked};
    vec![
        ("a", resolve("INC-1", "resolved", Some(50))),
        ("b1", approval("APP-1", "INC-1", Verdict::Manual, Approved, Some(20))),
        ("b2", approval("APP-2", "INC-1", Verdict::AutoFail, Approved, Some(10))),
        ("b3", approval("APP-2", "INC-1", Verdict::Manual, Revoked, Some(40))),
        ("c", playbook("restart", Some("INC-1"), "restart it", Some(60))),
    ]
}

/// A chain without what depends on the order of arrival.
fn essence(chain: &Chain) -> String {
    let entries: Vec<_> = chain
        .entries
        .iter()
        .map(|entry| (entry.entry_id, entry.revisions, entry.head.write_id.as_str(), entry.head.content_hash))
        .collect();
    format!("{entries:?} {:?}", chain.links)
}

async fn chain_of(rig: &Rig, tenant: &TenantId) -> Chain {
    rig.store.library.chain(tenant, &IncidentId::parse("INC-1").unwrap()).await.unwrap().unwrap()
}

pub(super) fn permutations(items: usize) -> Vec<Vec<usize>> {
    if items == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(items - 1);
    let insert = |order: &Vec<usize>| {
        let order = order.clone();
        (0..items).map(move |at| {
            let mut longer = order.clone();
            longer.insert(at, items - 1);
            longer
        })
    };
    shorter.iter().flat_map(insert).collect()
}

pub async fn every_order_of_a_chain_gives_the_same_chain(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let writes = chain_writes();
    let mut essences = std::collections::HashSet::new();
    for (nth, order) in permutations(writes.len()).into_iter().enumerate() {
        let tenant = TenantId::parse(format!("t{nth}")).unwrap();
        for at in order {
            let (id, write) = writes[at].clone();
            rig.writer.write(&tenant, Some(write_id(id)), write, Arrival::Call).await.unwrap();
        }
        let chain = chain_of(&rig, &tenant).await;
        assert_eq!((chain.entries.len(), chain.links.len()), (5, 3));
        essences.insert(essence(&chain).replace(&format!("t{nth}"), ""));
    }
    // Entry ids are digests of tenant and key, so only what hangs on them is compared across tenants.
    let shapes: std::collections::HashSet<_> = essences.iter().map(|text| without_entry_ids(text)).collect();
    assert_eq!(shapes.len(), 1, "{shapes:#?}");
}

fn without_entry_ids(text: &str) -> String {
    text.split("EntryId(").map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect()
}

/// Two approvals of one incident: one was rejected first and approved late and once more, by writes of which two
/// name no incident; one was approved early without an incident, which is named later.
fn statements() -> Vec<(&'static str, Write)> {
    use ApprovalStatus::{Approved, Rejected};
    vec![
        ("late", approval("APP-1", "INC-1", Verdict::Manual, Approved, Some(100))),
        ("rejected", without_incident("APP-1", Verdict::Manual, Rejected, Some(5))),
        ("early", without_incident("APP-2", Verdict::AutoOk, Approved, Some(10))),
        ("tie", resolve_with("INC-1", "APP-2", Some(50))),
        ("again", without_incident("APP-1", Verdict::AutoOk, Approved, Some(110))),
    ]
}

pub async fn every_order_of_statements_gives_the_same_standing(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let writes = statements();
    let mut seen = std::collections::HashSet::new();
    for (nth, order) in permutations(writes.len()).into_iter().enumerate() {
        let tenant = TenantId::parse(format!("t{nth}")).unwrap();
        for at in order.iter().chain(&order) {
            let (id, write) = writes[*at].clone();
            rig.writer.write(&tenant, Some(write_id(id)), write, Arrival::Call).await.unwrap();
        }
        seen.insert(format!("{:?}", chain_of(&rig, &tenant).await.links));
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let links = chain_of(&rig, &TenantId::parse("t0").unwrap()).await.links;
    let approved_since = |seconds: i64| {
        let approved_since = Some(Timestamp::from_micros(seconds * 1_000_000));
        Some(ApprovalStanding { status: ApprovalStatus::Approved, approved_since })
    };
    let targets: Vec<_> = links.into_iter().map(|link| link.target).collect();
    let approval = |id| ApprovalId::parse(id).unwrap();
    assert_eq!(
        targets,
        [
            LinkTarget::Approval(approval("APP-2"), approved_since(10)),
            LinkTarget::Approval(approval("APP-1"), approved_since(100)),
        ]
    );
    let report = rig.store.upkeep.mend_links().await.unwrap();
    assert_eq!((report.stated, report.added, report.corrected, report.unstated), (240, 0, 0, 0));
    assert!(verify(&*rig.store.audit).await.unwrap().is_sound());
}

pub async fn any_order_with_duplicates_gives_the_same_state(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let jitter = Jitter::from_seed(42);
    let mut shapes = std::collections::HashSet::new();
    for round in 0..40 {
        let tenant = TenantId::parse(format!("r{round}")).unwrap();
        let mut writes = chain_writes();
        writes.extend((0..6).map(|n| {
            let id = ["d0", "d1", "d2", "d3", "d4", "d5"][n];
            (id, resolve("INC-1", &format!("revision {n}"), Some(30 + i64::try_from(n).unwrap() % 3)))
        }));
        writes.extend(statements());
        writes.extend(writes.clone());
        shuffle(&mut writes, &jitter);
        let calls = writes.into_iter().map(|(id, write)| {
            let (writer, tenant) = (rig.writer.clone(), tenant.clone());
            tokio::spawn(async move { writer.write(&tenant, Some(write_id(id)), write, Arrival::Call).await })
        });
        let calls: Vec<_> = calls.collect();
        let mut replayed = 0;
        for call in calls {
            replayed += usize::from(call.await.unwrap().unwrap().outcome == Outcome::Replayed);
        }
        assert_eq!(replayed, 16, "each write once, its repetition replayed");
        shapes.insert(without_entry_ids(&essence(&chain_of(&rig, &tenant).await)));
    }
    assert_eq!(shapes.len(), 1, "{shapes:#?}");
    assert!(verify(&*rig.store.audit).await.unwrap().is_sound());
}

fn shuffle<T>(items: &mut [T], jitter: &Jitter) {
    for last in (1..items.len()).rev() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "small"
        )]
        let other = (jitter.fraction() * (last + 1) as f64) as usize;
        items.swap(last, other);
    }
}

pub async fn a_verified_store_is_sound(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    for (id, write) in chain_writes() {
        rig.write(id, write).await.unwrap();
    }
    rig.store.upkeep.seal(Timestamp::from_micros(1)).await.unwrap().unwrap();
    let verdict = verify(&*rig.store.audit).await.unwrap();
    assert!(verdict.is_sound(), "{:?}", verdict.findings);
    assert_eq!((verdict.writes, verdict.entries, verdict.links, verdict.seals), (5, 5, 3, 1));
    let report = rig.store.upkeep.mend_links().await.unwrap();
    assert_eq!((report.stated, report.added, report.corrected, report.without_incident), (3, 0, 0, 0));
    let chain = chain_of(&rig, &tenant()).await;
    let revoked = chain.links.iter().any(|link| {
        matches!(&link.target, LinkTarget::Approval(id, Some(standing))
            if id.as_str() == "APP-2" && standing.status == ApprovalStatus::Revoked)
    });
    assert!(revoked, "{:?}", chain.links);
}

pub async fn a_lost_receipt_is_found_out(store: Store, clock: Arc<Hands>) {
    let rig = Rig::new(store, clock);
    let written = rig.write("w-1", resolve("INC-1", "kept", None)).await.unwrap();
    let receipt = |write_id: &str| KeptReceipt {
        write_id: write_id.to_owned(),
        entry_id: written.receipt.entry_id().to_string(),
        content_hash: written.receipt.content_hash().to_string(),
    };
    let mut verdict = verify(&*rig.store.audit).await.unwrap();
    let receipts = [receipt("w-1"), receipt("w-never"), receipt("no write id")];
    verify_receipts(&*rig.store.ledger, &tenant(), receipts, &mut verdict).await.unwrap();
    assert_eq!((verdict.receipts, verdict.lost, verdict.broken), (3, 1, 2), "{:?}", verdict.findings);
}
