//! Ties between an incident and what happened around it.

use crate::{ApprovalId, IncidentId, PlaybookSlug, Timestamp};

/// The fact that an incident is tied to something. It stands on its own: neither end has to be known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// One end.
    pub incident: IncidentId,
    /// The other end.
    pub target: LinkTarget,
    /// When the tie first held: the earliest `occurred_at` of the writes that state it.
    pub since: Timestamp,
}

/// What an incident can be tied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkTarget {
    /// An approval, and where it stands; `None` until a write says so.
    Approval(ApprovalId, Option<ApprovalStanding>),
    /// A playbook.
    Playbook(PlaybookSlug),
}

/// What all statements about an approval come to, whichever incident they name, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovalStanding {
    /// What the newest statement says.
    pub status: ApprovalStatus,
    /// The earliest `occurred_at` of the writes that state it as approved; `None` when none ever did.
    pub approved_since: Option<Timestamp>,
}

/// Where an approval stands. The newest statement by `(occurred_at, write_id)` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApprovalStatus {
    /// It holds.
    Approved,
    /// It was refused.
    Rejected,
    /// It was given and taken back.
    Revoked,
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Approved, Self::Rejected, Self::Revoked];
    /// The names, for messages.
    pub const NAMES: &'static str = "approved, rejected, revoked";

    /// The name in the API and on disk.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Revoked => "revoked",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}
