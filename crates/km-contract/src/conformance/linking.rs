//! Links and approvals: a statement reaches everything that it is about, whichever write comes first.

use std::sync::Arc;

use km_model::{
    ApprovalId, ApprovalStatus, ApprovalSubject, IncidentId, LinkTarget, Verdict, Write, WritePath,
};

use super::{Hands, Rig, approval, resolve, tenant};
use crate::port::Store;

/// A statement about an approval that names no incident.
pub(super) fn without_incident(
    id: &str,
    verdict: Verdict,
    status: ApprovalStatus,
    seconds: Option<i64>,
) -> Write {
    let about = ApprovalSubject::Approval { approval: ApprovalId::parse(id).unwrap(), incident: None };
    let path = WritePath::Approval { verdict, about, status };
    Write { path, ..approval(id, "INC-none", verdict, status, seconds) }
}

/// Path A, naming the approval that led to it.
pub(super) fn resolve_with(incident: &str, approval: &str, seconds: Option<i64>) -> Write {
    let path = WritePath::IncidentResolve {
        incident: IncidentId::parse(incident).unwrap(),
        approval: Some(ApprovalId::parse(approval).unwrap()),
    };
    Write { path, ..resolve(incident, "resolved", seconds) }
}

/// Where the one approval of an incident stands.
async fn status_at(rig: &Rig, incident: &str) -> Option<ApprovalStatus> {
    let incident = IncidentId::parse(incident).unwrap();
    let chain = rig.store.library.chain(&tenant(), &incident).await.unwrap().unwrap();
    let [link] = &chain.links[..] else { panic!("{:?}", chain.links) };
    let LinkTarget::Approval(_, standing) = &link.target else { panic!("{link:?}") };
    standing.map(|standing| standing.status)
}

pub async fn a_revocation_reaches_every_link_of_its_approval(store: Store, clock: Arc<Hands>) {
    use ApprovalStatus::{Approved, Revoked};
    let rig = Rig::new(store, clock);
    rig.write("a-1", approval("APP-1", "INC-1", Verdict::Manual, Approved, Some(10))).await.unwrap();
    rig.write("a-2", approval("APP-1", "INC-2", Verdict::Manual, Approved, Some(11))).await.unwrap();
    rig.write("b", without_incident("APP-1", Verdict::Manual, Revoked, Some(20))).await.unwrap();
    for incident in ["INC-1", "INC-2"] {
        assert_eq!(status_at(&rig, incident).await, Some(Revoked), "{incident}");
    }
    rig.write("c", approval("APP-1", "INC-2", Verdict::AutoOk, Approved, Some(15))).await.unwrap();
    assert_eq!(status_at(&rig, "INC-1").await, Some(Revoked), "an older statement that comes late");
}

pub async fn an_approval_that_is_tied_to_its_incident_later_shows_its_status(
    store: Store,
    clock: Arc<Hands>,
) {
    let rig = Rig::new(store, clock);
    rig.write("c", without_incident("APP-2", Verdict::Manual, ApprovalStatus::Approved, Some(5)))
        .await
        .unwrap();
    rig.write("d", resolve_with("INC-2", "APP-2", Some(9))).await.unwrap();
    assert_eq!(status_at(&rig, "INC-2").await, Some(ApprovalStatus::Approved));
    rig.write("e", resolve_with("INC-3", "APP-3", Some(9))).await.unwrap();
    assert_eq!(status_at(&rig, "INC-3").await, None, "nobody said where it stands");
}
