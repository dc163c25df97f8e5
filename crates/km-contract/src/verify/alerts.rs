//! Occurrences of alerts, against what was said of them.

use km_model::{Fingerprint, TenantId};

use super::{PAGE, Verdict};
use crate::occurrence::{Claim, Occurrence};
use crate::port::{AlertRow, OccurrenceRow, Snapshot, StoreError};

/// The occurrence whose starts are being read.
struct Open {
    tenant: TenantId,
    fingerprint: Fingerprint,
    kept: OccurrenceRow,
    derived: Occurrence,
}

/// Derives every occurrence again from the starts that it covers. Which starts are one occurrence, and by which name
/// it goes, hung on what was known when they were told of.
pub(super) async fn check(snapshot: &dyn Snapshot, verdict: &mut Verdict) -> Result<(), StoreError> {
    let mut open: Option<Open> = None;
    let (mut after, mut closed) = (None, 0);
    loop {
        let page = snapshot.alert_rows(after.as_ref(), PAGE).await?;
        for row in &page {
            verdict.alerts += 1;
            if let Some(open) = open.as_mut().filter(|open| open.covers(row)) {
                open.derived.add(row.claim.clone());
                continue;
            }
            let before = std::mem::replace(&mut open, opened(row, verdict));
            closed += before.map_or(0, |before| before.close(verdict));
        }
        let Some(last) = page.into_iter().next_back() else { break };
        after = Some(last);
    }
    closed += open.map_or(0, |last| last.close(verdict));
    let occurrences = snapshot.occurrences().await?;
    if occurrences != closed {
        verdict.broken(format!(
            "{occurrences} occurrences of alerts are kept, {closed} follow from what was said"
        ));
    }
    Ok(())
}

fn opened(row: &AlertRow, verdict: &mut Verdict) -> Option<Open> {
    let AlertRow { tenant, fingerprint, claim, occurrence } = row;
    let Some(kept) = *occurrence else {
        verdict.broken(format!("the alert {fingerprint} has no occurrence at {}", claim.starts_at));
        return None;
    };
    let derived = Occurrence::opened_by(Claim::clone(claim));
    Some(Open { tenant: tenant.clone(), fingerprint: fingerprint.clone(), kept, derived })
}

impl Open {
    fn covers(&self, row: &AlertRow) -> bool {
        (&self.tenant, &self.fingerprint) == (&row.tenant, &row.fingerprint)
            && row.occurrence.is_some_and(|kept| kept.starts_at == self.kept.starts_at)
    }

    /// Compares what is kept with what follows; one occurrence more.
    fn close(self, verdict: &mut Verdict) -> u64 {
        let Self { fingerprint, kept, derived, .. } = self;
        let starts = derived.claims().len() as u64;
        let end = derived.end();
        let follows = OccurrenceRow {
            starts_at: derived.starts_at(),
            ends_at: end.map(|end| end.at),
            ends_by: end.and_then(|end| end.by),
            end_provenance: end.map(|end| end.provenance),
            provenance: derived.provenance(),
            starts,
        };
        if kept != follows {
            verdict.broken(format!(
                "the occurrence of the alert {fingerprint} at {} does not follow from what was said",
                kept.starts_at
            ));
        }
        1
    }
}
