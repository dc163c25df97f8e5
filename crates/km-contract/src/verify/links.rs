//! Links and approvals, against what the ledger states.

use std::collections::HashMap;

use km_model::{
    ApprovalId, ApprovalStatus, IncidentId, LinkTarget, PlaybookSlug, TenantId, Timestamp, Write, WriteId,
};

use super::{PAGE, Verdict};
use crate::port::{ApprovalRow, LinkRow, Record, Snapshot, StoreError};

/// The links and approvals that follow from the ledger.
#[derive(Default)]
pub(super) struct Links {
    links: HashMap<(TenantId, IncidentId, Target), Timestamp>,
    approvals: HashMap<(TenantId, ApprovalId), Standing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Target {
    Approval(ApprovalId),
    Playbook(PlaybookSlug),
}

#[derive(PartialEq, Eq)]
struct Standing {
    newest: (Timestamp, WriteId),
    status: ApprovalStatus,
    approved_since: Option<Timestamp>,
}

impl Links {
    pub(super) fn read(&mut self, record: &Record, write: &Write) {
        if let Some((approval, status)) = write.path.approval().zip(write.path.approval_status()) {
            self.read_status(record, approval, status);
        }
        let Some(incident) = write.path.incident() else { return };
        let approval = write.path.approval().map(|approval| Target::Approval(approval.clone()));
        let playbook = write.playbook.as_ref().map(|playbook| Target::Playbook(playbook.clone()));
        for target in [approval, playbook].into_iter().flatten() {
            let key = (record.tenant.clone(), incident.clone(), target);
            let since = self.links.entry(key).or_insert(record.occurred_at);
            *since = record.occurred_at.min(*since);
        }
    }

    fn read_status(&mut self, record: &Record, approval: &ApprovalId, status: ApprovalStatus) {
        let version = (record.occurred_at, record.write_id.clone());
        let approved = (status == ApprovalStatus::Approved).then_some(record.occurred_at);
        let standing = self
            .approvals
            .entry((record.tenant.clone(), approval.clone()))
            .or_insert_with(|| Standing { newest: version.clone(), status, approved_since: approved });
        standing.approved_since = [standing.approved_since, approved].into_iter().flatten().min();
        if version > standing.newest {
            (standing.newest, standing.status) = (version, status);
        }
    }

    pub(super) async fn check(
        mut self,
        snapshot: &dyn Snapshot,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        self.check_links(snapshot, verdict).await?;
        self.check_approvals(snapshot, verdict).await
    }

    async fn check_links(
        &mut self,
        snapshot: &dyn Snapshot,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = snapshot.link_rows(after.as_ref(), PAGE).await?;
            for row in &page {
                verdict.links += 1;
                self.check_link(row, verdict);
            }
            let Some(last) = page.into_iter().next_back() else { break };
            after = Some(last);
        }
        for (_, incident, target) in self.links.keys() {
            verdict.broken(format!("the link from {incident} to {target:?} is missing"));
        }
        Ok(())
    }

    fn check_link(&mut self, row: &LinkRow, verdict: &mut Verdict) {
        let target = match &row.link.target {
            LinkTarget::Approval(approval, _) => Target::Approval(approval.clone()),
            LinkTarget::Playbook(playbook) => Target::Playbook(playbook.clone()),
        };
        let key = (row.tenant.clone(), row.link.incident.clone(), target);
        let stated = self.links.remove(&key);
        let (_, incident, target) = key;
        match stated {
            None => verdict.broken(format!("the link from {incident} to {target:?} is stated by no write")),
            Some(since) if since != row.link.since => {
                verdict.broken(format!("the link from {incident} to {target:?} begins when no write states"));
            }
            Some(_) => {}
        }
    }

    async fn check_approvals(
        &mut self,
        snapshot: &dyn Snapshot,
        verdict: &mut Verdict,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = snapshot.approval_rows(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.tenant.clone(), last.approval.clone()));
            for row in page {
                verdict.approvals += 1;
                self.check_approval(row, verdict);
            }
        }
        for (_, approval) in self.approvals.keys() {
            verdict.broken(format!("where the approval {approval} stands is missing"));
        }
        Ok(())
    }

    fn check_approval(&mut self, row: ApprovalRow, verdict: &mut Verdict) {
        let ApprovalRow { tenant, approval, status, status_at, status_write_id, approved_since } = row;
        let key = (tenant, approval);
        let kept = Standing { newest: (status_at, status_write_id), status, approved_since };
        if self.approvals.remove(&key).is_none_or(|stated| stated != kept) {
            verdict.broken(format!("the approval {} stands where no write states", key.1));
        }
    }
}
