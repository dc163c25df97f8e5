//! The natural identity of the fact that a write is about.

use std::fmt;

use crate::{
    ApprovalId, ApprovalSubject, IncidentId, PathKind, PlaybookSlug, Verdict, Write, WriteId, WritePath,
};

/// Two facts never share a key, and one fact never has two.
///
/// Its text form is what stores keep: a closed word, a colon, then the ids; lengths stand before an id
/// that another follows, so no choice of ids makes two keys read alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EntryKey {
    /// What is known of a resolved incident.
    Incident(IncidentId),
    /// One approval, on one path: two approvals of one incident are two facts.
    Approval(ApprovalId, Verdict),
    /// Something that a path says of an incident without a better name for it.
    IncidentPath(IncidentId, PathKind),
    /// A playbook, in general or as extracted from one incident.
    Playbook(PlaybookSlug, Option<IncidentId>),
    /// Nothing natural names it; the write stands for itself.
    Write(WriteId),
}

impl EntryKey {
    /// The key of what `write` is about; `None` when only its write id could name it.
    pub fn natural(write: &Write) -> Option<Self> {
        match &write.path {
            WritePath::IncidentResolve { incident, .. } => Some(Self::Incident(incident.clone())),
            WritePath::Approval { verdict, about: ApprovalSubject::Approval { approval, .. }, .. } => {
                Some(Self::Approval(approval.clone(), *verdict))
            }
            WritePath::Approval { verdict, about: ApprovalSubject::Incident(incident), .. } => {
                Some(Self::IncidentPath(incident.clone(), verdict.kind()))
            }
            WritePath::PlaybookExtract { incident, .. } => match (&write.playbook, incident) {
                (Some(playbook), incident) => Some(Self::Playbook(playbook.clone(), incident.clone())),
                (None, Some(incident)) => {
                    Some(Self::IncidentPath(incident.clone(), PathKind::PlaybookExtract))
                }
                (None, None) => None,
            },
        }
    }

    /// The key of `write`, which is known as `id`.
    pub fn of(write: &Write, id: &WriteId) -> Self {
        Self::natural(write).unwrap_or_else(|| Self::Write(id.clone()))
    }

    /// Every key under which an entry can be about `incident` without an approval or a playbook naming it.
    pub fn of_incident(incident: &IncidentId) -> impl Iterator<Item = Self> {
        let on_paths = [
            PathKind::ApprovalManual,
            PathKind::ApprovalAutoOk,
            PathKind::ApprovalAutoFail,
            PathKind::PlaybookExtract,
        ];
        let resolved = std::iter::once(Self::Incident(incident.clone()));
        resolved.chain(on_paths.map(|path| Self::IncidentPath(incident.clone(), path)))
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(incident) => write!(f, "incident:{incident}"),
            Self::Approval(approval, verdict) => write!(f, "{}:{approval}", verdict.kind().as_str()),
            Self::IncidentPath(incident, path) => write!(f, "incident.{}:{incident}", path.as_str()),
            Self::Playbook(playbook, None) => write!(f, "playbook:{playbook}"),
            Self::Playbook(playbook, Some(incident)) => {
                write!(f, "playbook.incident:{}:{playbook}:{incident}", playbook.as_str().len())
            }
            Self::Write(id) => write!(f, "write:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_key() -> impl Strategy<Value = EntryKey> {
        let id = || "[a:.1]{1,6}";
        let incident = || id().prop_map(|text| IncidentId::parse(text).unwrap_or_else(|v| panic!("{v}")));
        let playbook = || id().prop_map(|text| PlaybookSlug::parse(text).unwrap_or_else(|v| panic!("{v}")));
        let approval = id().prop_map(|text| ApprovalId::parse(text).unwrap_or_else(|v| panic!("{v}")));
        let write = id().prop_map(|text| WriteId::parse(text).unwrap_or_else(|v| panic!("{v}")));
        prop_oneof![
            incident().prop_map(EntryKey::Incident),
            (approval, prop::sample::select(&Verdict::ALL[..])).prop_map(|(a, v)| EntryKey::Approval(a, v)),
            (incident(), prop::sample::select(&PathKind::ALL[1..]))
                .prop_map(|(i, p)| EntryKey::IncidentPath(i, p)),
            (playbook(), prop::option::of(incident())).prop_map(|(p, i)| EntryKey::Playbook(p, i)),
            write.prop_map(EntryKey::Write),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn two_keys_read_alike_only_if_they_are_the_same(a in any_key(), b in any_key()) {
            prop_assert_eq!(a == b, a.to_string() == b.to_string());
        }
    }
}
