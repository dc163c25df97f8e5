//! `GET /v1/incidents/{id}` and `GET /v1/approvals/{id}/incidents`: the chain, from both of its ends.

use axum::Json;
use axum::extract::State;
use km_contract::port::{Chain as KmChain, Filter, SearchRequest};
use km_model::{AlertStatus, ApprovalId, ApprovalStatus, IncidentId, Link, LinkTarget, PathKind, TenantId};

use crate::app::App;
use crate::auth::{Caller, ToRead};
use crate::problem::Problem;
use crate::request::Segment;
use crate::wire::{Alert, ApprovalIncidents, Chain, ChainApproval, ChainPlaybook, Entry, Hit};

/// Similar entries that are shown.
const SIMILAR_MAX: usize = 5;
/// Incidents of one approval that are shown.
const INCIDENTS_MAX: usize = 100;

/// The chain of an incident: its alerts, entries, approvals and playbooks, and what is known of others like it.
#[utoipa::path(
    get,
    path = "/v1/incidents/{incident_id}",
    params(("incident_id" = String, Path)),
    responses((status = 200, description = "The chain", body = Chain)),
    security(("key" = ["read"]))
)]
pub(super) async fn chain(
    State(app): State<App>,
    caller: Caller<ToRead>,
    Segment(id): Segment,
) -> Result<Json<Chain>, Problem> {
    let tenant = caller.tenant();
    let incident = IncidentId::parse(id).map_err(|_| Problem::not_found("incident"))?;
    let chain = app.store.library.chain(&tenant, &incident).await?;
    let chain = chain.ok_or_else(|| Problem::not_found("incident"))?;
    let similar = similar(&app, tenant, &chain).await?;
    Ok(Json(show(chain, similar)))
}

/// The incidents that an approval is tied to.
#[utoipa::path(
    get,
    path = "/v1/approvals/{approval_id}/incidents",
    params(("approval_id" = String, Path)),
    responses((status = 200, description = "At most 100 incidents, by id", body = ApprovalIncidents)),
    security(("key" = ["read"]))
)]
pub(super) async fn of_approval(
    State(app): State<App>,
    caller: Caller<ToRead>,
    Segment(id): Segment,
) -> Result<Json<ApprovalIncidents>, Problem> {
    let approval = ApprovalId::parse(id).map_err(|_| Problem::not_found("approval"))?;
    let incidents = app.store.library.incidents_of(&caller.tenant(), &approval, INCIDENTS_MAX).await?;
    if incidents.is_empty() {
        return Err(Problem::not_found("approval"));
    }
    let incidents = incidents.iter().map(ToString::to_string).collect();
    Ok(Json(ApprovalIncidents { approval_id: approval.to_string(), incidents }))
}

fn show(chain: KmChain, similar: Vec<Hit>) -> Chain {
    Chain {
        incident_id: chain.incident.to_string(),
        status: status(&chain),
        related_approval_id: related_approval(&chain.links).map(ToString::to_string),
        approvals: chain.links.iter().filter_map(approval).collect(),
        playbooks: chain.links.iter().filter_map(playbook).collect(),
        entries: chain.entries.into_iter().map(Entry::from).collect(),
        alerts: chain.alerts.into_iter().map(Alert::from).collect(),
        similar,
    }
}

fn status(chain: &KmChain) -> &'static str {
    let resolved = |entry: &km_contract::port::Entry| {
        entry.head.write.path.as_deref() == Some(PathKind::IncidentResolve.as_str())
    };
    if chain.alerts.iter().any(|alert| alert.status() == AlertStatus::Firing) {
        "firing"
    } else if !chain.alerts.is_empty() || chain.entries.iter().any(resolved) {
        "resolved"
    } else {
        "open"
    }
}

/// The approval that holds and was approved first, by time and id: what readers of the older table expect.
fn related_approval(links: &[Link]) -> Option<&ApprovalId> {
    let holding = links.iter().filter_map(|link| match &link.target {
        LinkTarget::Approval(approval, Some(standing)) if standing.status == ApprovalStatus::Approved => {
            Some((standing.approved_since?, approval))
        }
        LinkTarget::Approval(..) | LinkTarget::Playbook(_) => None,
    });
    holding.min().map(|(_, approval)| approval)
}

fn approval(link: &Link) -> Option<ChainApproval> {
    match &link.target {
        LinkTarget::Approval(approval, standing) => Some(ChainApproval {
            approval_id: approval.to_string(),
            status: standing.map(|standing| standing.status.as_str()),
            since: link.since.to_string(),
        }),
        LinkTarget::Playbook(_) => None,
    }
}

fn playbook(link: &Link) -> Option<ChainPlaybook> {
    match &link.target {
        LinkTarget::Playbook(playbook) => {
            Some(ChainPlaybook { playbook: playbook.to_string(), since: link.since.to_string() })
        }
        LinkTarget::Approval(..) => None,
    }
}

/// What is known of others like it: found by the words of its alerts, or of its own entries.
async fn similar(app: &App, tenant: TenantId, chain: &KmChain) -> Result<Vec<Hit>, Problem> {
    let text = words(chain);
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let limit = SIMILAR_MAX + chain.entries.len();
    let request = SearchRequest { text, filter: Filter::all(tenant), after: None, limit };
    let page = app.store.library.search(&request).await?;
    let own = |hit: &km_contract::port::Hit| {
        let same = hit.entry.head.write.incident_id.as_deref() == Some(chain.incident.as_str());
        same || chain.entries.iter().any(|entry| entry.entry_id == hit.entry.entry_id)
    };
    Ok(page.hits.into_iter().filter(|hit| !own(hit)).take(SIMILAR_MAX).map(Hit::from).collect())
}

fn words(chain: &KmChain) -> String {
    let alerts = chain.alerts.iter().flat_map(|alert| {
        let told =
            ["summary", "description", "message"].into_iter().filter_map(|name| alert.annotations.get(name));
        [alert.name()].into_iter().chain(told.map(String::as_str))
    });
    let entries = chain.entries.iter().filter_map(|entry| entry.head.write.title.as_deref());
    alerts.chain(entries).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use km_model::{ApprovalStanding, Timestamp};

    use super::*;

    fn link(approval: &str, since: i64, standing: Option<(ApprovalStatus, Option<i64>)>) -> Link {
        let standing = standing.map(|(status, since)| ApprovalStanding {
            status,
            approved_since: since.map(Timestamp::from_micros),
        });
        Link {
            incident: IncidentId::parse("INC-1").unwrap(),
            target: LinkTarget::Approval(ApprovalId::parse(approval).unwrap(), standing),
            since: Timestamp::from_micros(since),
        }
    }

    #[test]
    fn an_approval_counts_from_when_it_was_approved_not_from_when_it_was_rejected() {
        use ApprovalStatus::{Approved, Revoked};
        let links = [
            link("APP-1", 5, Some((Approved, Some(100)))),
            link("APP-3", 10, Some((Approved, Some(10)))),
            link("APP-2", 12, Some((Approved, Some(10)))),
            link("APP-4", 1, Some((Revoked, Some(1)))),
            link("APP-5", 0, None),
        ];
        assert_eq!(related_approval(&links).map(ApprovalId::as_str), Some("APP-2"));
        assert_eq!(related_approval(&links[3..]), None);
    }
}
