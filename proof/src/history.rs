//! What the logs of all clients say together: the fate of each write id.

use std::collections::BTreeMap;

use km_model::{TenantId, WriteDocument};

use crate::answer::Receipt;
use crate::log::Line;
use crate::work::Expected;

/// What was promised of each write, by its id.
#[derive(Debug, Default)]
pub(crate) struct History {
    fates: BTreeMap<String, Fate>,
    /// Acknowledgements that were given for writes that were there already.
    replays: u64,
    /// Answers that were no acknowledgements, by code.
    pub(crate) problems: BTreeMap<String, u64>,
}

/// What became of one write as far as its client knows.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    /// What was sent.
    pub(crate) document: WriteDocument,
    /// The receipts that were given; more than one when they differ.
    pub(crate) receipts: Vec<Receipt>,
    /// Whether it keeps the rules; one that does not is never kept.
    valid: bool,
    acknowledged: bool,
    /// Sent, and not answered yet.
    waiting: bool,
    /// Sent once and never answered.
    doubted: bool,
}

/// What the ledger owes a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// To be there, once.
    Acknowledged,
    /// To be there at most once.
    Unknown,
    /// Not to be there.
    NotKept,
}

/// Which lines of a log count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counting {
    /// All of them.
    Everything,
    /// What was sent, as if no answer had come: the store they were given by is gone.
    NoAnswers,
}

impl History {
    /// Takes a line into account.
    ///
    /// # Errors
    /// A log that contradicts itself, in words.
    pub(crate) fn note(&mut self, line: Line, counting: Counting) -> Result<(), String> {
        match line {
            Line::Sent { write_id, document } => self.sent(write_id, *document),
            _ if counting == Counting::NoAnswers => Ok(()),
            Line::Acknowledged { outcome, receipt } => {
                self.replays += u64::from(outcome == "replayed");
                let fate = self.fate(&receipt.write_id.clone())?;
                fate.acknowledge();
                if !fate.receipts.contains(&receipt) {
                    fate.receipts.push(receipt);
                }
                Ok(())
            }
            Line::Imported { write_id } => self.fate(&write_id).map(Fate::acknowledge),
            Line::NotKept { write_id, code, .. } => {
                *self.problems.entry(code).or_default() += 1;
                self.fate(&write_id).map(|fate| fate.waiting = false)
            }
        }
    }

    fn sent(&mut self, write_id: String, document: WriteDocument) -> Result<(), String> {
        let fate = self.fates.entry(write_id).or_insert_with_key(|id| Fate::of(id, document.clone()));
        if fate.document != document {
            return Err("a client sent two contents under one write id".to_owned());
        }
        fate.doubted |= fate.waiting && !fate.acknowledged;
        fate.waiting = true;
        Ok(())
    }

    fn fate(&mut self, write_id: &str) -> Result<&mut Fate, String> {
        self.fates.get_mut(write_id).ok_or_else(|| format!("an answer names {write_id}, which nobody sent"))
    }

    /// Every write id with its fate.
    pub(crate) fn fates(&self) -> impl Iterator<Item = (&str, &Fate)> {
        self.fates.iter().map(|(id, fate)| (id.as_str(), fate))
    }

    /// Whether somebody sent a write under this id.
    pub(crate) fn knows(&self, write_id: &str) -> bool {
        self.fates.contains_key(write_id)
    }

    /// Every receipt that was given.
    pub(crate) fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.fates.values().flat_map(|fate| &fate.receipts)
    }

    /// The writes whose outcome nobody knows.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (&str, &Fate)> {
        self.fates().filter(|(_, fate)| fate.standing() == Standing::Unknown)
    }

    /// The ids that were answered as not kept.
    pub(crate) fn not_kept(&self) -> impl Iterator<Item = &str> {
        self.fates().filter(|(_, fate)| fate.standing() == Standing::NotKept).map(|(id, _)| id)
    }

    /// How many writes there are of each kind.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { replayed: self.replays, ..Counts::default() };
        for fate in self.fates.values() {
            counts.acknowledged += u64::from(fate.acknowledged);
            counts.unknown += u64::from(fate.was_unknown());
            counts.resolved += u64::from(fate.was_unknown() && fate.acknowledged);
            counts.refused += u64::from(fate.standing() == Standing::NotKept);
        }
        counts
    }
}

/// Figures of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) acknowledged: u64,
    /// Writes whose outcome was in doubt at some time.
    pub(crate) unknown: u64,
    /// Those of them that repeating made known.
    pub(crate) resolved: u64,
    /// Writes that were not kept, whosever turn it was, and not sent again.
    pub(crate) refused: u64,
    pub(crate) replayed: u64,
}

impl Fate {
    fn of(write_id: &str, document: WriteDocument) -> Self {
        let valid = Expected::of(&TenantId::default_tenant(), write_id, &document).is_some();
        Self { document, receipts: Vec::new(), valid, acknowledged: false, waiting: false, doubted: false }
    }

    const fn acknowledge(&mut self) {
        self.acknowledged = true;
        self.waiting = false;
    }

    const fn was_unknown(&self) -> bool {
        self.valid && (self.doubted || (self.waiting && !self.acknowledged))
    }

    /// What the ledger owes it. A write that was in doubt once stays so until it is acknowledged: an answer
    /// to a later sending says nothing about the one before.
    pub(crate) const fn standing(&self) -> Standing {
        match (self.acknowledged, self.valid && (self.waiting || self.doubted)) {
            (true, _) => Standing::Acknowledged,
            (false, true) => Standing::Unknown,
            (false, false) => Standing::NotKept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Line {
        let text = |text: &str| Some(text.to_owned());
        let document = WriteDocument {
            path: text("incident_resolve"),
            incident_id: text("INC-1"),
            title: text("title"),
            ..WriteDocument::default()
        };
        Line::Sent { write_id: "w".to_owned(), document: Box::new(document) }
    }

    fn invalid() -> Line {
        Line::Sent { write_id: "w".to_owned(), document: Box::default() }
    }

    fn acknowledged(outcome: &str, revision: u64) -> Line {
        let text = String::new;
        let receipt = Receipt {
            write_id: "w".to_owned(),
            entry_id: text(),
            revision,
            content_hash: text(),
            durability: text(),
            stored_at: text(),
        };
        Line::Acknowledged { outcome: outcome.to_owned(), receipt }
    }

    fn not_kept() -> Line {
        Line::NotKept { write_id: "w".to_owned(), status: 503, code: "KM0034".to_owned() }
    }

    fn after(lines: &[Line]) -> History {
        let mut history = History::default();
        for line in lines {
            history.note(line.clone(), Counting::Everything).unwrap();
        }
        history
    }

    fn standing(lines: &[Line]) -> Standing {
        after(lines).fates().next().map(|(_, fate)| fate.standing()).unwrap()
    }

    #[test]
    fn a_write_without_an_answer_is_unknown_until_it_is_acknowledged() {
        assert_eq!(standing(&[sent()]), Standing::Unknown);
        assert_eq!(standing(&[sent(), not_kept()]), Standing::NotKept);
        assert_eq!(standing(&[sent(), sent(), not_kept()]), Standing::Unknown);
        assert_eq!(standing(&[sent(), sent(), acknowledged("created", 1)]), Standing::Acknowledged);
        assert_eq!(standing(&[sent(), acknowledged("created", 1), sent()]), Standing::Acknowledged);
        assert_eq!(standing(&[sent(), not_kept(), sent()]), Standing::Unknown);
        assert_eq!(standing(&[invalid()]), Standing::NotKept);
    }

    #[test]
    fn doubts_are_counted_once_and_so_is_their_end() {
        let counts = after(&[sent(), sent(), acknowledged("replayed", 1)]).counts();
        let expected = Counts { acknowledged: 1, unknown: 1, resolved: 1, refused: 0, replayed: 1 };
        assert_eq!(counts, expected);
        let plain = after(&[sent(), acknowledged("created", 1), sent(), acknowledged("replayed", 1)]);
        assert_eq!(plain.counts(), Counts { acknowledged: 1, replayed: 1, ..Counts::default() });
    }

    #[test]
    fn receipts_that_differ_are_all_kept() {
        let lines = [sent(), acknowledged("created", 1), sent(), acknowledged("replayed", 1)];
        assert_eq!(after(&lines).receipts().count(), 1);
        let lines = [sent(), acknowledged("created", 1), sent(), acknowledged("replayed", 2)];
        assert_eq!(after(&lines).receipts().count(), 2);
    }

    #[test]
    fn answers_of_a_store_that_is_gone_do_not_count() {
        let mut history = History::default();
        for line in [sent(), acknowledged("created", 1)] {
            history.note(line, Counting::NoAnswers).unwrap();
        }
        assert_eq!(history.unknown().map(|(id, _)| id).collect::<Vec<_>>(), ["w"]);
    }

    #[test]
    fn a_log_that_contradicts_itself_is_no_evidence() {
        let mut history = after(&[sent()]);
        assert!(history.note(invalid(), Counting::Everything).is_err());
        assert!(History::default().note(not_kept(), Counting::Everything).is_err());
    }
}
