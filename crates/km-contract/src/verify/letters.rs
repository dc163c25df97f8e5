//! Dead letters, in the ledger and beside it.

use std::collections::HashMap;

use km_model::{LetterState, TenantId, WriteId};

use super::{PAGE, Verdict};
use crate::port::{Columns, LedgerRow, LetterRow, LetterStanding, RecordState, Snapshot, StoreError};

type Key = (TenantId, WriteId);

/// The dead letters of the ledger, and the places that are empty in it.
#[derive(Default)]
pub(super) struct Letters {
    unread: HashMap<Key, LetterState>,
    newest: i64,
    rows: i64,
}

/// What happened to a letter, as far as it decides about it.
#[derive(Default)]
struct Happened {
    settled: bool,
    discarded: bool,
}

impl Letters {
    pub(super) fn read(&mut self, row: &LedgerRow, verdict: &mut Verdict) {
        self.newest = row.record.position;
        self.rows += 1;
        let RecordState::Letter(state) = &row.record.state else { return };
        verdict.dead_letters += 1;
        let id = &row.record.write_id;
        if row.record.payload.is_empty() {
            verdict.broken(format!("the dead letter {id} has no payload"));
        }
        if row.previous.is_some() || row.columns != Columns::default() {
            verdict.broken(format!("the dead letter {id} is filed as if it were applied"));
        }
        self.unread.insert((row.record.tenant.clone(), id.clone()), *state);
    }

    pub(super) async fn check(
        mut self,
        snapshot: &dyn Snapshot,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        let mut happened = read_events(snapshot, verdict).await?;
        let mut moved = 0;
        let mut after = None;
        loop {
            let page = snapshot.letter_rows(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.tenant.clone(), last.id.clone()));
            for row in page {
                moved += i64::from(row.standing == Some(LetterStanding::Applied));
                self.check_letter(row, &mut happened, verdict);
            }
        }
        for (_, id) in self.unread.keys() {
            verdict.broken(format!("why {id} is a dead letter is missing"));
        }
        for (_, id) in happened.keys() {
            verdict.broken(format!("something happened to {id}, which is no dead letter"));
        }
        // Applied writes take the next place. Only a letter that is applied leaves the place where it waited.
        if self.newest - self.rows != moved {
            verdict.broken(format!(
                "{} places of the ledger are empty, {moved} were left by dead letters that were applied",
                self.newest - self.rows
            ));
        }
        Ok(())
    }

    fn check_letter(&mut self, row: LetterRow, happened: &mut HashMap<Key, Happened>, verdict: &mut Verdict) {
        let LetterRow { tenant, id, standing } = row;
        let key = (tenant, id);
        self.unread.remove(&key);
        let happened = happened.remove(&key);
        let id = key.1;
        let Some(happened) = happened else {
            verdict.broken(format!("what happened to the dead letter {id} is missing"));
            return;
        };
        let told = match standing {
            None => {
                verdict.broken(format!("the dead letter {id} is not in the ledger"));
                return;
            }
            Some(LetterStanding::Applied | LetterStanding::Letter(LetterState::Settled)) => happened.settled,
            Some(LetterStanding::Letter(LetterState::Discarded)) => happened.discarded,
            Some(LetterStanding::Letter(LetterState::Pending | LetterState::Parked)) => {
                !happened.settled && !happened.discarded
            }
        };
        if !told {
            verdict.broken(format!("the dead letter {id} does not stand where its history ends"));
        }
    }
}

async fn read_events(
    snapshot: &dyn Snapshot,
    verdict: &mut Verdict,
) -> Result<HashMap<Key, Happened>, StoreError> {
    let mut letters: HashMap<Key, Happened> = HashMap::new();
    let (mut after, mut next) = (i64::MIN, 1);
    loop {
        let page = snapshot.letter_event_rows(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(letters) };
        after = last.number;
        for event in page {
            if event.number != next {
                let number = event.number;
                verdict.broken(format!("what happened to dead letters before event {number} is missing"));
            }
            next = event.number.saturating_add(1);
            let happened = letters.entry((event.tenant, event.letter)).or_default();
            happened.settled |= event.what == "settled";
            happened.discarded |= event.what == "discarded";
        }
    }
}
