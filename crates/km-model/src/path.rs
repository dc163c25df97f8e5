//! Where a write comes from, and what it must therefore bring.

use crate::{ApprovalId, ApprovalStatus, IncidentId};

/// The path of a write with what that path must bring: a path without it cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WritePath {
    /// Path A: an incident was resolved.
    IncidentResolve {
        /// The incident that was resolved.
        incident: IncidentId,
        /// The approval that led to it, where it is known already.
        approval: Option<ApprovalId>,
    },
    /// Path B: somebody or something approved an action.
    Approval {
        /// Which of the three approval paths.
        verdict: Verdict,
        /// What was approved, and for which incident.
        about: ApprovalSubject,
        /// Where the approval stands now.
        status: ApprovalStatus,
    },
    /// Path C: a playbook was extracted.
    PlaybookExtract {
        /// The incident it was extracted from.
        incident: Option<IncidentId>,
        /// The approval it was extracted from.
        approval: Option<ApprovalId>,
    },
}

/// Who approved, and how the action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A person approved.
    Manual,
    /// Approved automatically; the action succeeded.
    AutoOk,
    /// Approved automatically; the action failed.
    AutoFail,
}

/// What an approval write is about: at least one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalSubject {
    /// A known approval, and its incident where that is known.
    Approval {
        /// The approval.
        approval: ApprovalId,
        /// Its incident.
        incident: Option<IncidentId>,
    },
    /// Only the incident is known.
    Incident(IncidentId),
}

/// The closed set of paths, as names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathKind {
    /// `incident_resolve`
    IncidentResolve,
    /// `approval_manual`
    ApprovalManual,
    /// `approval_auto_ok`
    ApprovalAutoOk,
    /// `approval_auto_fail`
    ApprovalAutoFail,
    /// `playbook_extract`
    PlaybookExtract,
}

impl PathKind {
    /// Every path.
    pub const ALL: [Self; 5] = [
        Self::IncidentResolve,
        Self::ApprovalManual,
        Self::ApprovalAutoOk,
        Self::ApprovalAutoFail,
        Self::PlaybookExtract,
    ];
    /// The names, for messages.
    pub const NAMES: &'static str =
        "incident_resolve, approval_manual, approval_auto_ok, approval_auto_fail, playbook_extract";

    /// The name in the API, on disk and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IncidentResolve => "incident_resolve",
            Self::ApprovalManual => "approval_manual",
            Self::ApprovalAutoOk => "approval_auto_ok",
            Self::ApprovalAutoFail => "approval_auto_fail",
            Self::PlaybookExtract => "playbook_extract",
        }
    }

    /// The path with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Manual, Self::AutoOk, Self::AutoFail];

    /// The approval path of this verdict.
    pub const fn kind(self) -> PathKind {
        match self {
            Self::Manual => PathKind::ApprovalManual,
            Self::AutoOk => PathKind::ApprovalAutoOk,
            Self::AutoFail => PathKind::ApprovalAutoFail,
        }
    }
}

impl WritePath {
    /// The path's name.
    pub const fn kind(&self) -> PathKind {
        match self {
            Self::IncidentResolve { .. } => PathKind::IncidentResolve,
            Self::Approval { verdict, .. } => verdict.kind(),
            Self::PlaybookExtract { .. } => PathKind::PlaybookExtract,
        }
    }

    /// The incident this write knows.
    pub const fn incident(&self) -> Option<&IncidentId> {
        match self {
            Self::IncidentResolve { incident, .. }
            | Self::Approval { about: ApprovalSubject::Incident(incident), .. } => Some(incident),
            Self::Approval { about: ApprovalSubject::Approval { incident, .. }, .. }
            | Self::PlaybookExtract { incident, .. } => incident.as_ref(),
        }
    }

    /// The approval this write knows.
    pub const fn approval(&self) -> Option<&ApprovalId> {
        match self {
            Self::IncidentResolve { approval, .. } | Self::PlaybookExtract { approval, .. } => {
                approval.as_ref()
            }
            Self::Approval { about: ApprovalSubject::Approval { approval, .. }, .. } => Some(approval),
            Self::Approval { about: ApprovalSubject::Incident(_), .. } => None,
        }
    }

    /// Where the approval stands, as far as this write says: only approval paths say it.
    pub const fn approval_status(&self) -> Option<ApprovalStatus> {
        match self {
            Self::Approval { status, .. } => Some(*status),
            Self::IncidentResolve { .. } | Self::PlaybookExtract { .. } => None,
        }
    }
}
