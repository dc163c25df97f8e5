//! The history checker: what clients know against what the ledger holds.
//!
//! It shares no code with `km verify`, which runs beside it: a fault would have to be made twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use km_contract::port::{EntryRow, Placement, Record, RecordState};
use km_model::{ContentHash, EntryId, LinkTarget, Outcome, TenantId, Timestamp, WriteDocument, WriteId};

use crate::answer::Receipt;
use crate::history::{Fate, History, Standing};
use crate::kept::Kept;
use crate::work::Expected;

/// The tenant of the server's own writes.
const CANARY: &str = "km-canary";

/// The ways in which a ledger can break what was promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Breach {
    /// An acknowledged write is not there, or not applied.
    Lost,
    /// A write is there more than once, or was applied more than once.
    Duplicated,
    /// A write is there with other content, time or place than was sent or acknowledged.
    Changed,
    /// A write that was answered as not kept is there.
    KeptAfterAll,
    /// A write that nobody sent is there.
    Unsent,
    /// The head of an entry is not its newest revision.
    WrongHead,
    /// A write was called created, revised or superseded and was not.
    WrongOutcome,
    /// An entry counts or numbers its revisions wrongly, is missing, or has no write.
    WrongEntry,
    /// A link that a write states is missing, or one that no write states is there.
    WrongLink,
    /// An approval does not stand where the newest write puts it.
    WrongApproval,
    /// Two receipts for one write say different things.
    ReceiptsDiffer,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) breach: Breach,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.breach, self.what)
    }
}

/// Compares the fates of all writes with the rows of a store, and returns every broken promise.
pub(crate) fn check(history: &History, kept: &Kept) -> Vec<Finding> {
    let tenant = TenantId::default_tenant();
    let mut findings = Findings::default();
    let rows = rows_by_id(&tenant, kept);
    for (write_id, fate) in history.fates() {
        let rows = rows.get(write_id).map_or(&[][..], Vec::as_slice);
        check_write(&tenant, write_id, fate, rows, &mut findings);
    }
    check_strangers(&tenant, history, kept, &mut findings);
    check_entries(kept, &mut findings);
    check_links(kept, &mut findings);
    check_approvals(kept, &mut findings);
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, breach: Breach, what: String) {
        self.0.push(Finding { breach, what });
    }
}

fn rows_by_id<'a>(tenant: &TenantId, kept: &'a Kept) -> HashMap<&'a str, Vec<&'a Record>> {
    let mut rows: HashMap<&str, Vec<&Record>> = HashMap::new();
    for record in kept.records.iter().filter(|record| record.tenant == *tenant) {
        rows.entry(record.write_id.as_str()).or_default().push(record);
    }
    rows
}

fn check_write(tenant: &TenantId, id: &str, fate: &Fate, rows: &[&Record], findings: &mut Findings) {
    match (fate.standing(), rows.len()) {
        (Standing::Acknowledged, 0) => findings.add(Breach::Lost, format!("{id} was acknowledged")),
        (Standing::NotKept, 1..) => {
            findings.add(Breach::KeptAfterAll, format!("{id} was answered as not kept"));
        }
        (Standing::Acknowledged | Standing::Unknown, _) | (Standing::NotKept, 0) => {}
    }
    if rows.len() > 1 {
        findings.add(Breach::Duplicated, format!("{id} is there {} times", rows.len()));
    }
    if fate.receipts.len() > 1 {
        findings.add(Breach::ReceiptsDiffer, format!("{id}: {:?}", fate.receipts));
    }
    let expected = Expected::of(tenant, id, &fate.document);
    for row in rows {
        check_row(id, fate, expected.as_ref(), row, findings);
    }
}

/// A row against what was sent, and against every receipt that was given for it.
fn check_row(id: &str, fate: &Fate, expected: Option<&Expected>, row: &Record, findings: &mut Findings) {
    let RecordState::Applied(placement) = &row.state else {
        let breach = if fate.standing() == Standing::Acknowledged { Breach::Lost } else { Breach::Changed };
        findings.add(breach, format!("{id} is there as {:?}", row.state));
        return;
    };
    let Some(expected) = expected else { return };
    let actual = ContentHash::of(&row.payload);
    if actual != expected.content_hash || row.content_hash != expected.content_hash {
        findings.add(
            Breach::Changed,
            format!(
                "{id} was sent with {}, is kept as {} under {actual}",
                expected.content_hash, row.content_hash
            ),
        );
    }
    if placement.entry_id != expected.entry_id {
        findings.add(Breach::Changed, format!("{id} stands in entry {}", placement.entry_id));
    }
    if expected.occurred_at.is_some_and(|stated| stated != row.occurred_at) {
        findings.add(Breach::Changed, format!("{id} is kept as of {}", row.occurred_at));
    }
    for receipt in fate.receipts.iter().filter(|receipt| !agrees(receipt, row, placement)) {
        findings
            .add(Breach::Changed, format!("{id} is there as {placement:?}, its receipt says {receipt:?}"));
    }
}

fn agrees(receipt: &Receipt, row: &Record, placement: &Placement) -> bool {
    receipt.content_hash == row.content_hash.to_string()
        && receipt.entry_id == placement.entry_id.to_string()
        && receipt.revision == placement.revision
        && Timestamp::parse(&receipt.stored_at).is_ok_and(|stored_at| stored_at == placement.stored_at)
}

fn check_strangers(tenant: &TenantId, history: &History, kept: &Kept, findings: &mut Findings) {
    for row in kept.records.iter().filter(|row| row.tenant.as_str() != CANARY) {
        if row.tenant != *tenant || !history.knows(row.write_id.as_str()) {
            findings.add(Breach::Unsent, format!("{} of the tenant {}", row.write_id, row.tenant));
        }
    }
}

/// What the rows of the ledger say about one entry, as far as they were read.
#[derive(Default)]
struct Revisions<'a> {
    head: Option<(Timestamp, &'a WriteId)>,
    count: u64,
}

impl<'a> Revisions<'a> {
    /// Applies the next row, as the store should have.
    fn apply(&mut self, row: &'a Record, placement: &Placement, findings: &mut Findings) {
        let version = Some((row.occurred_at, &row.write_id));
        let outcome = match self.head {
            None => Outcome::Created,
            head if version > head => Outcome::Revised,
            Some(_) => Outcome::Superseded,
        };
        if placement.outcome != outcome {
            let what = format!("{} was {outcome:?}, not {:?}", row.write_id, placement.outcome);
            findings.add(Breach::WrongOutcome, what);
        }
        let id = placement.entry_id;
        match placement.revision {
            number if number == self.count + 1 => {}
            number if number <= self.count => {
                findings.add(Breach::Duplicated, format!("{id} has two revisions {number}"));
            }
            number => findings.add(Breach::WrongEntry, format!("{id} has no revision before {number}")),
        }
        self.count += 1;
        self.head = self.head.max(version);
    }
}

fn check_entries(kept: &Kept, findings: &mut Findings) {
    let mut expected: BTreeMap<(&TenantId, EntryId), Revisions<'_>> = BTreeMap::new();
    for row in &kept.records {
        if let RecordState::Applied(placement) = &row.state {
            let revisions = expected.entry((&row.tenant, placement.entry_id)).or_default();
            revisions.apply(row, placement, findings);
        }
    }
    for entry in &kept.entries {
        match expected.remove(&(&entry.tenant, entry.entry_id)) {
            Some(revisions) => check_entry(entry, &revisions, findings),
            None => findings.add(Breach::WrongEntry, format!("{} has no write", entry.entry_id)),
        }
    }
    for (_, entry_id) in expected.keys() {
        findings.add(Breach::WrongEntry, format!("{entry_id} is missing"));
    }
}

fn check_entry(entry: &EntryRow, revisions: &Revisions<'_>, findings: &mut Findings) {
    let id = entry.entry_id;
    if revisions.head != Some((entry.head_occurred_at, &entry.head_write_id)) {
        let what = format!("{id} has {}, its newest is {:?}", entry.head_write_id, revisions.head);
        findings.add(Breach::WrongHead, what);
    }
    if entry.revisions != revisions.count {
        let what = format!("{id} counts {} revisions of {}", entry.revisions, revisions.count);
        findings.add(Breach::WrongEntry, what);
    }
}

/// A link, as far as its presence goes: whose, from which incident, to what.
type Tie = (String, String, String);

fn check_links(kept: &Kept, findings: &mut Findings) {
    let stated: BTreeSet<Tie> = kept.records.iter().flat_map(ties).collect();
    let present: BTreeSet<Tie> = kept
        .links
        .iter()
        .map(|row| {
            let target = match &row.link.target {
                LinkTarget::Approval(approval, _) => format!("approval {approval}"),
                LinkTarget::Playbook(playbook) => format!("playbook {playbook}"),
            };
            (row.tenant.to_string(), row.link.incident.to_string(), target)
        })
        .collect();
    for tie in stated.difference(&present) {
        findings.add(Breach::WrongLink, format!("{tie:?} is missing"));
    }
    for tie in present.difference(&stated) {
        findings.add(Breach::WrongLink, format!("{tie:?} is stated by no write"));
    }
}

fn ties(row: &Record) -> Vec<Tie> {
    let Some(WriteDocument { incident_id: Some(incident), approval_id, playbook, .. }) = applied(row) else {
        return Vec::new();
    };
    let approval = approval_id.map(|approval| format!("approval {approval}"));
    let playbook = playbook.map(|playbook| format!("playbook {playbook}"));
    let targets = approval.into_iter().chain(playbook);
    targets.map(|target| (row.tenant.to_string(), incident.clone(), target)).collect()
}

/// What an applied row says.
fn applied(row: &Record) -> Option<WriteDocument> {
    let applied = matches!(row.state, RecordState::Applied(_));
    serde_json::from_slice(&row.payload).ok().filter(|_| applied)
}

/// Where an approval stands, by which version of what is said about it.
type Standpoint<'a> = ((Timestamp, &'a str), String);

fn check_approvals(kept: &Kept, findings: &mut Findings) {
    let mut expected: BTreeMap<(&str, String), Standpoint<'_>> = BTreeMap::new();
    for row in &kept.records {
        let document = applied(row).unwrap_or_default();
        if let (Some(approval), Some(status)) = (document.approval_id, document.approval_status) {
            let said = ((row.occurred_at, row.write_id.as_str()), status);
            let newest = expected.entry((row.tenant.as_str(), approval)).or_insert_with(|| said.clone());
            if said.0 > newest.0 {
                *newest = said;
            }
        }
    }
    for row in &kept.approvals {
        let status = row.status.as_str().to_owned();
        let actual = ((row.status_at, row.status_write_id.as_str()), status);
        let stated = expected.remove(&(row.tenant.as_str(), row.approval.to_string()));
        if stated.as_ref() != Some(&actual) {
            let what = format!("{} stands at {actual:?}, stated is {stated:?}", row.approval);
            findings.add(Breach::WrongApproval, what);
        }
    }
    for (_, approval) in expected.keys() {
        findings.add(Breach::WrongApproval, format!("{approval} is missing"));
    }
}

#[cfg(test)]
mod tests;
