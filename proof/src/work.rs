//! The writes that clients make: resolved incidents, approvals before and after them, revisions by their own
//! and by others, playbooks; and writes that have to be refused.

use km_model::{
    ContentHash, EntryId, EntryKey, SourceDocument, TenantId, Timestamp, Write, WriteDocument, WriteId,
};

use crate::dice::Dice;

/// Words without anything that looks like a secret: what is sent is kept as it is.
const WORDS: [&str; 32] = [
    "pod",
    "node",
    "disk",
    "latency",
    "timeout",
    "restart",
    "cluster",
    "memory",
    "alert",
    "replica",
    "shard",
    "queue",
    "consumer",
    "lag",
    "leader",
    "election",
    "certificate",
    "expired",
    "rollback",
    "deploy",
    "cache",
    "eviction",
    "connection",
    "pool",
    "exhausted",
    "partition",
    "resolver",
    "\"quoted\"",
    "naïve",
    "磁盘已满",
    "网络延迟",
    "🔥",
];
/// Incidents that all clients revise.
const SHARED_INCIDENTS: u64 = 6;
/// 2024-01-01T00:00:00Z: earlier than the clock of any machine that runs this.
const EPOCH_MICROS: u64 = 1_704_067_200_000_000;
/// The times that producers state lie within so many seconds after it.
const STATED_SECONDS: u64 = 300 * 86_400;

/// A write before it is sent. Its id never stands for other content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub(crate) write_id: String,
    pub(crate) document: WriteDocument,
}

/// A write that a search for one word must find.
#[derive(Clone, Debug)]
pub(crate) struct Landmark {
    pub(crate) draft: Draft,
    pub(crate) word: String,
}

/// What the ledger must say of a write, computed from what was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) entry_id: EntryId,
    pub(crate) content_hash: ContentHash,
    /// `None` where the server decides.
    pub(crate) occurred_at: Option<Timestamp>,
}

impl Expected {
    /// What a valid write must become; `None` for one that breaks rules.
    pub(crate) fn of(tenant: &TenantId, write_id: &str, document: &WriteDocument) -> Option<Self> {
        let write = Write::try_from(document.clone()).ok()?;
        let key = EntryKey::of(&write, &WriteId::parse(write_id).ok()?);
        Some(Self {
            entry_id: EntryId::of(tenant, &key),
            content_hash: ContentHash::of(&WriteDocument::canonical(&write)),
            occurred_at: write.occurred_at,
        })
    }
}

/// Makes the writes of one client, under ids that no other client uses.
#[derive(Debug)]
pub(crate) struct Author {
    name: String,
    dice: Dice,
    writes: u64,
    incidents: u64,
    approvals: u64,
}

impl Author {
    /// The author called `name`, which is part of its ids.
    pub(crate) fn new(name: impl Into<String>, dice: Dice) -> Self {
        Self { name: name.into(), dice, writes: 0, incidents: 0, approvals: 0 }
    }

    /// Any valid write.
    pub(crate) fn draft(&mut self) -> Draft {
        let document = match self.dice.below(10) {
            0..=3 => self.resolved(),
            4..=5 => self.approval(),
            6..=7 => self.revision(),
            8 => self.of_all(),
            _ => self.playbook(),
        };
        let document = WriteDocument { occurred_at: self.stated_time(), ..document };
        self.named(document)
    }

    /// A resolved incident with about two kilobytes of text.
    pub(crate) fn two_kilobytes(&mut self) -> Draft {
        let resolved = self.resolved();
        let content = Some(self.text(2_000));
        self.named(WriteDocument { content, ..resolved })
    }

    /// A resolved incident that nobody revises, with a word in its title that no other write has.
    pub(crate) fn landmark(&mut self) -> Landmark {
        let word = format!("landmark{}x{}", self.name, self.writes + 1);
        let document = WriteDocument {
            title: Some(format!("{word} {}", self.word())),
            ..self.document("incident_resolve", Some(format!("INC-{word}")))
        };
        Landmark { draft: self.named(document), word }
    }

    /// A write that breaks a rule, under an id of its own.
    pub(crate) fn invalid(&mut self) -> Draft {
        let broken = match self.dice.below(4) {
            0 => WriteDocument { incident_id: None, ..self.resolved() },
            1 => WriteDocument { title: None, content: None, ..self.resolved() },
            2 => WriteDocument { path: Some("incident_guessed".to_owned()), ..self.resolved() },
            _ => WriteDocument { title: Some("long ".repeat(200)), ..self.resolved() },
        };
        self.named(broken)
    }

    /// Other content under the id of an earlier write.
    pub(crate) fn contradiction(&mut self, earlier: &Draft) -> Draft {
        let title = Some(format!("not what {} said", earlier.write_id));
        let document = WriteDocument { title, ..earlier.document.clone() };
        Draft { write_id: earlier.write_id.clone(), document }
    }

    fn named(&mut self, document: WriteDocument) -> Draft {
        self.writes += 1;
        Draft { write_id: format!("w-{}-{}", self.name, self.writes), document }
    }

    fn resolved(&mut self) -> WriteDocument {
        self.incidents += 1;
        let incident = self.incidents;
        // The approval of the same number may have been written before, may come later, or never.
        let approval_id = self.dice.percent(30).then(|| self.approval_id(incident));
        WriteDocument { approval_id, ..self.document("incident_resolve", Some(self.incident_id(incident))) }
    }

    /// Of an incident that was resolved already, or of the one that will be resolved next.
    fn approval(&mut self) -> WriteDocument {
        self.approvals += 1;
        let path = self.dice.one_of(&["approval_manual", "approval_auto_ok", "approval_auto_fail"]);
        let incident = self.dice.between(1, self.incidents + 1);
        let approval = self.dice.between(incident, self.approvals.max(incident));
        let status = self.dice.percent(20).then(|| self.dice.one_of(&["rejected", "revoked"]).to_owned());
        WriteDocument {
            approval_id: self.dice.percent(85).then(|| self.approval_id(approval)),
            approval_status: status,
            execution_id: self.dice.percent(40).then(|| format!("EXE-{}-{approval}", self.name)),
            ..self.document(path, Some(self.incident_id(incident)))
        }
    }

    fn revision(&mut self) -> WriteDocument {
        let incident = self.dice.between(1, self.incidents.max(1));
        self.document("incident_resolve", Some(self.incident_id(incident)))
    }

    /// Of an incident that every client revises.
    fn of_all(&mut self) -> WriteDocument {
        let incident = self.dice.below(SHARED_INCIDENTS);
        self.document("incident_resolve", Some(format!("INC-shared-{incident}")))
    }

    fn playbook(&mut self) -> WriteDocument {
        let slug = self.dice.below(20);
        let incident = self.dice.percent(50).then(|| self.incident_id(self.incidents.max(1)));
        WriteDocument {
            playbook: Some(format!("restart-{slug}")),
            ..self.document("playbook_extract", incident)
        }
    }

    fn document(&mut self, path: &str, incident_id: Option<String>) -> WriteDocument {
        let bytes = match self.dice.below(40) {
            0 => self.dice.between(10_000, 40_000),
            _ => self.dice.between(50, 900),
        };
        WriteDocument {
            path: Some(path.to_owned()),
            incident_id,
            title: Some(self.text(30)),
            content: Some(self.text(bytes)),
            tags: self.dice.percent(30).then(|| vec![self.word(), "proof".to_owned()]),
            labels: self.dice.percent(30).then(|| [("cluster".to_owned(), self.word())].into()),
            source: Some(SourceDocument {
                service: Some("km-proof".to_owned()),
                ..SourceDocument::default()
            }),
            ..WriteDocument::default()
        }
    }

    fn incident_id(&self, number: u64) -> String {
        format!("INC-{}-{number}", self.name)
    }

    fn approval_id(&self, number: u64) -> String {
        format!("APR-{}-{number}", self.name)
    }

    /// Half of the writes state their time, in any order.
    fn stated_time(&mut self) -> Option<String> {
        self.dice.percent(50).then(|| {
            let micros = EPOCH_MICROS + self.dice.below(STATED_SECONDS * 1_000_000);
            Timestamp::from_micros(i64::try_from(micros).unwrap_or_default()).to_string()
        })
    }

    fn word(&mut self) -> String {
        self.dice.one_of(&WORDS).to_owned()
    }

    fn text(&mut self, bytes: u64) -> String {
        let bytes = usize::try_from(bytes).unwrap_or_default();
        let mut text = String::with_capacity(bytes + 16);
        while text.len() < bytes {
            text.push_str(self.dice.one_of(&WORDS));
            text.push(' ');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn author() -> Author {
        Author::new("a", Dice::new(1))
    }

    fn expected(draft: &Draft) -> Option<Expected> {
        Expected::of(&TenantId::default_tenant(), &draft.write_id, &draft.document)
    }

    #[test]
    fn drafts_are_valid_and_no_two_have_one_id() {
        let mut author = author();
        let drafts: Vec<Draft> = (0..2_000).map(|_| author.draft()).collect();
        assert!(drafts.iter().all(|draft| expected(draft).is_some()));
        assert!(expected(&author.two_kilobytes()).is_some());
        assert!(expected(&author.landmark().draft).is_some());
        let ids: HashSet<_> = drafts.iter().map(|draft| &draft.write_id).collect();
        assert_eq!(ids.len(), drafts.len());
    }

    #[test]
    fn drafts_take_every_path_and_revise_what_is_there() {
        let mut author = author();
        let drafts: Vec<Draft> = (0..500).map(|_| author.draft()).collect();
        let paths: HashSet<_> = drafts.iter().filter_map(|draft| draft.document.path.clone()).collect();
        assert_eq!(paths.len(), 5);
        let entries: HashSet<_> = drafts.iter().filter_map(expected).map(|e| e.entry_id).collect();
        assert!(entries.len() < drafts.len());
    }

    #[test]
    fn invalid_drafts_break_a_rule_and_contradictions_differ() {
        let mut author = author();
        assert!((0..50).all(|_| expected(&author.invalid()).is_none()));
        let draft = author.draft();
        let other = author.contradiction(&draft);
        assert_eq!(other.write_id, draft.write_id);
        assert_ne!(expected(&other), expected(&draft));
    }

    #[test]
    fn what_is_sent_holds_no_secret() {
        let mut author = author();
        for _ in 0..200 {
            let content = author.draft().document.content.unwrap();
            assert_eq!(km_contract::redact(content.clone()), content);
        }
    }
}
