//! A check that cannot fail is a defect: each doctored store must be found out, and for the right reason.

use km_contract::port::{ApprovalRow, LinkRow};
use km_model::{ApprovalId, ApprovalStatus, IncidentId, LetterState, Link, Outcome, Write};

use super::*;
use crate::history::Counting;
use crate::log::Line;
use crate::work::Draft;

/// A sound store with three writes to one entry, the approval of an incident, one write in doubt that was kept,
/// one in doubt that was not, one that was refused, and a canary.
struct Case {
    history: History,
    kept: Kept,
}

impl Case {
    fn sound() -> Self {
        let mut case = Self { history: History::default(), kept: Kept::default() };
        for (id, title, second) in [("w-1", "first", 10), ("w-2", "newest", 30), ("w-3", "late", 20)] {
            let draft = incident(id, title, second);
            case.send(&draft);
            case.keep("default", &draft);
            case.acknowledge(&draft);
        }
        let approval = approval("w-4");
        case.send(&approval);
        case.keep("default", &approval);
        case.acknowledge(&approval);
        let in_doubt = incident("w-5", "in doubt, kept", 5);
        case.send(&in_doubt);
        case.keep("default", &in_doubt);
        case.send(&incident("w-6", "in doubt, not kept", 6));
        let refused = incident("w-7", "refused", 7);
        case.send(&refused);
        let (status, code) = (422, "KM0003".to_owned());
        case.note(Line::NotKept { write_id: refused.write_id, status, code });
        case.keep(CANARY, &incident("canary", "canary", 1));
        case
    }

    fn note(&mut self, line: Line) {
        self.history.note(line, Counting::Everything).unwrap();
    }

    fn send(&mut self, draft: &Draft) {
        self.note(Line::sent(draft));
    }

    /// Applies a write as a store does.
    fn keep(&mut self, tenant: &str, draft: &Draft) {
        let tenant = TenantId::parse(tenant).unwrap();
        let expected = Expected::of(&tenant, &draft.write_id, &draft.document).unwrap();
        let write = Write::try_from(draft.document.clone()).unwrap();
        let position = i64::try_from(self.kept.records.len()).unwrap() + 1;
        let occurred_at = expected.occurred_at.unwrap();
        let write_id = WriteId::parse(draft.write_id.as_str()).unwrap();
        let (revision, outcome) = self.enter(&tenant, &expected, occurred_at, &write_id);
        let stored_at = Timestamp::from_micros(1_000_000 + position);
        self.kept.records.push(Record {
            position,
            tenant,
            write_id,
            state: RecordState::Applied(Placement {
                entry_id: expected.entry_id,
                revision,
                outcome,
                stored_at,
            }),
            occurred_at,
            stored_at,
            content_hash: expected.content_hash,
            payload: WriteDocument::canonical(&write),
        });
    }

    fn enter(
        &mut self,
        tenant: &TenantId,
        expected: &Expected,
        at: Timestamp,
        id: &WriteId,
    ) -> (u64, Outcome) {
        let entry_id = expected.entry_id;
        let known = |entry: &&mut EntryRow| (&entry.tenant, entry.entry_id) == (tenant, entry_id);
        if let Some(entry) = self.kept.entries.iter_mut().find(known) {
            entry.revisions += 1;
            if (at, id) <= (entry.head_occurred_at, &entry.head_write_id) {
                return (entry.revisions, Outcome::Superseded);
            }
            (entry.head_occurred_at, entry.head_write_id) = (at, id.clone());
            return (entry.revisions, Outcome::Revised);
        }
        self.kept.entries.push(EntryRow {
            tenant: tenant.clone(),
            entry_id,
            key: String::new(),
            head: 0,
            head_write_id: id.clone(),
            head_occurred_at: at,
            newest: 0,
            revisions: 1,
        });
        (1, Outcome::Created)
    }

    /// Gives the receipt that fits the row.
    fn acknowledge(&mut self, draft: &Draft) {
        let row = self.row(&draft.write_id);
        let RecordState::Applied(placement) = &row.state else { unreachable!("it was applied") };
        let receipt = Receipt {
            write_id: draft.write_id.clone(),
            entry_id: placement.entry_id.to_string(),
            revision: placement.revision,
            content_hash: row.content_hash.to_string(),
            durability: "disk".to_owned(),
            stored_at: placement.stored_at.to_string(),
        };
        self.note(Line::Acknowledged { outcome: "created".to_owned(), receipt });
    }

    fn row(&mut self, id: &str) -> &mut Record {
        self.kept.records.iter_mut().find(|row| row.write_id.as_str() == id).unwrap()
    }

    fn placement(&mut self, id: &str) -> &mut Placement {
        match &mut self.row(id).state {
            RecordState::Applied(placement) => placement,
            RecordState::Letter(_) => unreachable!("it was applied"),
        }
    }

    fn entry_of(&mut self, id: &str) -> &mut EntryRow {
        let entry_id = self.placement(id).entry_id;
        self.kept.entries.iter_mut().find(|entry| entry.entry_id == entry_id).unwrap()
    }

    fn with_approval(mut self) -> Self {
        let incident = IncidentId::parse("INC-1").unwrap();
        let approval = ApprovalId::parse("APR-1").unwrap();
        let target = LinkTarget::Approval(approval.clone(), None);
        let link = Link { incident, target, since: Timestamp::from_micros(0) };
        self.kept.links.push(LinkRow { tenant: TenantId::default_tenant(), link });
        self.kept.approvals.push(ApprovalRow {
            tenant: TenantId::default_tenant(),
            approval,
            status: ApprovalStatus::Approved,
            status_at: Timestamp::from_micros(15_000_000),
            status_write_id: WriteId::parse("w-4").unwrap(),
            approved_since: None,
        });
        self
    }

    fn breaches(&self) -> Vec<Breach> {
        let mut breaches: Vec<Breach> =
            check(&self.history, &self.kept).into_iter().map(|finding| finding.breach).collect();
        breaches.sort_unstable();
        breaches.dedup();
        breaches
    }
}

fn incident(id: &str, title: &str, second: i64) -> Draft {
    let document = WriteDocument {
        path: Some("incident_resolve".to_owned()),
        incident_id: Some("INC-1".to_owned()),
        title: Some(title.to_owned()),
        occurred_at: Some(Timestamp::from_micros(second * 1_000_000).to_string()),
        ..WriteDocument::default()
    };
    Draft { write_id: id.to_owned(), document }
}

fn approval(id: &str) -> Draft {
    let draft = incident(id, "approved", 15);
    let document = WriteDocument {
        path: Some("approval_manual".to_owned()),
        approval_id: Some("APR-1".to_owned()),
        ..draft.document
    };
    Draft { document, ..draft }
}

/// What is found in a sound store after it was doctored.
fn found(doctor: impl FnOnce(&mut Case)) -> Vec<Breach> {
    let mut case = Case::sound().with_approval();
    doctor(&mut case);
    case.breaches()
}

/// Takes a row out as if it had never been committed: nothing derived remembers it.
fn forget(case: &mut Case, id: &str) {
    let entry_id = case.placement(id).entry_id;
    case.kept.records.retain(|row| row.write_id.as_str() != id);
    case.kept.entries.retain(|entry| entry.entry_id != entry_id);
    if id == "w-4" {
        case.kept.links.clear();
        case.kept.approvals.clear();
    }
}

#[test]
fn a_sound_store_has_no_findings() {
    assert_eq!(found(|_| {}), []);
}

#[test]
fn a_lost_write_is_found() {
    assert_eq!(found(|case| forget(case, "w-4")), [Breach::Lost]);
}

#[test]
fn a_lost_revision_is_found_though_its_entry_is_there() {
    let breaches = found(|case| case.kept.records.retain(|row| row.write_id.as_str() != "w-1"));
    assert!(breaches.contains(&Breach::Lost), "{breaches:?}");
}

#[test]
fn an_acknowledged_write_that_is_only_a_dead_letter_is_lost() {
    let breaches = found(|case| case.row("w-1").state = RecordState::Letter(LetterState::Pending));
    assert!(breaches.contains(&Breach::Lost), "{breaches:?}");
}

#[test]
fn a_write_that_is_there_twice_is_found() {
    let breaches = found(|case| {
        let copy = Record { position: 99, ..case.row("w-1").clone() };
        case.kept.records.push(copy);
    });
    assert!(breaches.contains(&Breach::Duplicated), "{breaches:?}");
}

#[test]
fn a_write_in_doubt_that_is_there_twice_is_found() {
    let breaches = found(|case| {
        let copy = Record { position: 99, ..case.row("w-5").clone() };
        case.kept.records.push(copy);
    });
    assert!(breaches.contains(&Breach::Duplicated), "{breaches:?}");
}

#[test]
fn a_revision_that_was_numbered_twice_is_found() {
    assert!(found(|case| case.placement("w-2").revision = 1).contains(&Breach::Duplicated));
}

#[test]
fn a_wrong_outcome_is_found() {
    assert_eq!(found(|case| case.placement("w-3").outcome = Outcome::Revised), [Breach::WrongOutcome]);
}

#[test]
fn a_gap_in_the_revisions_is_found() {
    assert!(found(|case| case.placement("w-2").revision = 7).contains(&Breach::WrongEntry));
}

#[test]
fn changed_content_is_found_with_and_without_its_hash() {
    let other = WriteDocument::canonical(&Write::try_from(incident("w-1", "changed", 10).document).unwrap());
    let payload = other.clone();
    assert_eq!(found(|case| case.row("w-1").payload = payload), [Breach::Changed]);
    let consistent = |case: &mut Case| {
        case.row("w-1").content_hash = ContentHash::of(&other);
        case.row("w-1").payload = other;
    };
    assert_eq!(found(consistent), [Breach::Changed]);
}

#[test]
fn changed_content_of_a_write_in_doubt_is_found() {
    assert_eq!(found(|case| case.row("w-5").payload.push(b' ')), [Breach::Changed]);
}

#[test]
fn another_time_or_place_is_found() {
    let moved = found(|case| case.row("w-1").occurred_at = Timestamp::from_micros(11_000_000));
    assert_eq!(moved, [Breach::Changed]);
    let stored = found(|case| case.placement("w-1").stored_at = Timestamp::from_micros(7));
    assert_eq!(stored, [Breach::Changed]);
    let elsewhere = found(|case| case.placement("w-1").entry_id = EntryId::from_bytes([7; 16]));
    assert!(elsewhere.contains(&Breach::Changed), "{elsewhere:?}");
}

#[test]
fn a_wrong_head_is_found() {
    let breaches = found(|case| {
        let entry = case.entry_of("w-1");
        entry.head_write_id = WriteId::parse("w-3").unwrap();
        entry.head_occurred_at = Timestamp::from_micros(20_000_000);
    });
    assert_eq!(breaches, [Breach::WrongHead]);
}

#[test]
fn between_equal_times_the_greater_write_id_is_the_head() {
    let tie = |case: &mut Case| {
        let draft = incident("w-9", "tie", 30);
        case.send(&draft);
        case.keep("default", &draft);
    };
    assert_eq!(found(tie), []);
    let wrong = |case: &mut Case| {
        tie(case);
        case.entry_of("w-9").head_write_id = WriteId::parse("w-2").unwrap();
    };
    assert_eq!(found(wrong), [Breach::WrongHead]);
}

#[test]
fn miscounted_missing_and_empty_entries_are_found() {
    assert_eq!(found(|case| case.entry_of("w-1").revisions += 1), [Breach::WrongEntry]);
    assert_eq!(found(|case| drop(case.kept.entries.pop())), [Breach::WrongEntry]);
    let empty = |case: &mut Case| {
        let entry = EntryRow { entry_id: EntryId::from_bytes([9; 16]), ..case.kept.entries[0].clone() };
        case.kept.entries.push(entry);
    };
    assert_eq!(found(empty), [Breach::WrongEntry]);
}

#[test]
fn missing_and_invented_links_are_found() {
    assert_eq!(found(|case| case.kept.links.clear()), [Breach::WrongLink]);
    let invent = |case: &mut Case| {
        let mut row = case.kept.links[0].clone();
        row.link.incident = IncidentId::parse("INC-9").unwrap();
        case.kept.links.push(row);
    };
    assert_eq!(found(invent), [Breach::WrongLink]);
}

#[test]
fn an_approval_that_stands_elsewhere_is_found() {
    assert_eq!(found(|case| case.kept.approvals.clear()), [Breach::WrongApproval]);
    let rejected = |case: &mut Case| case.kept.approvals[0].status = ApprovalStatus::Rejected;
    assert_eq!(found(rejected), [Breach::WrongApproval]);
    let older = |case: &mut Case| case.kept.approvals[0].status_at = Timestamp::from_micros(1);
    assert_eq!(found(older), [Breach::WrongApproval]);
}

#[test]
fn a_refused_write_that_is_there_is_found() {
    assert_eq!(found(|case| case.keep("default", &incident("w-7", "refused", 7))), [Breach::KeptAfterAll]);
}

#[test]
fn a_write_that_nobody_sent_is_found_in_any_tenant_but_the_canary() {
    for tenant in ["default", "other"] {
        assert_eq!(found(|case| case.keep(tenant, &incident("w-8", "unsent", 8))), [Breach::Unsent]);
    }
    assert_eq!(found(|case| case.keep(CANARY, &incident("w-8", "song", 8))), []);
}

#[test]
fn receipts_that_differ_are_found() {
    let breaches = found(|case| {
        let draft = incident("w-1", "first", 10);
        case.placement("w-1").revision = 9;
        case.acknowledge(&draft);
        case.placement("w-1").revision = 1;
    });
    assert_eq!(breaches, [Breach::Changed, Breach::ReceiptsDiffer]);
}
