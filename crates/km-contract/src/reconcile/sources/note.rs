//! What is noted of a source from run to run. It holds no text of an alert, so it can hold no secret.

use std::collections::BTreeMap;

use km_model::{Fingerprint, Timestamp};
use serde::{Deserialize, Serialize};

/// The form of a note that this km writes and reads. Another is taken as none: the look back covers for it.
const VERSION: u32 = 1;

/// How far a source is reconciled, and which of the open alerts it has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Note {
    /// Everything until then is known; none before the first run.
    pub(super) cursor: Option<Timestamp>,
    /// Whether history has to be read again from there, since something in it was not over yet.
    pub(super) unsettled: bool,
    /// Alerts that were on when the source was asked last, or that are open and absent since.
    pub(super) alerts: BTreeMap<Fingerprint, Shown>,
}

/// What a source said of one alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// When it was shown firing last; none when it never was.
    pub(super) seen_at: Option<Timestamp>,
    /// Since when it is absent.
    pub(super) absent: Option<Absence>,
}

/// An open alert that no Alertmanager of its source shows any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absence {
    /// When that was seen first.
    pub(super) since: Timestamp,
    /// In how many runs in a row.
    pub(super) runs: u32,
}

/// The note as it is kept.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    cursor: Option<i64>,
    unsettled: bool,
    alerts: BTreeMap<String, ShownDocument>,
}

#[derive(Serialize, Deserialize)]
struct ShownDocument {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    absent: Option<(i64, u32)>,
}

impl Note {
    /// Reads a note; one that cannot be read is as good as none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let document: Document = serde_json::from_str(text).ok()?;
        (document.version == VERSION).then_some(())?;
        let alerts = document.alerts.into_iter().map(|(fingerprint, shown)| {
            let absent =
                shown.absent.map(|(since, runs)| Absence { since: Timestamp::from_micros(since), runs });
            let shown = Shown { seen_at: shown.seen.map(Timestamp::from_micros), absent };
            Some((Fingerprint::parse(fingerprint).ok()?, shown))
        });
        Some(Self {
            cursor: document.cursor.map(Timestamp::from_micros),
            unsettled: document.unsettled,
            alerts: alerts.collect::<Option<_>>()?,
        })
    }

    pub(super) fn text(&self) -> Result<String, serde_json::Error> {
        let alerts = self.alerts.iter().map(|(fingerprint, shown)| {
            let absent = shown.absent.map(|absence| (absence.since.as_micros(), absence.runs));
            let document = ShownDocument { seen: shown.seen_at.map(Timestamp::as_micros), absent };
            (fingerprint.to_string(), document)
        });
        serde_json::to_string(&Document {
            version: VERSION,
            cursor: self.cursor.map(Timestamp::as_micros),
            unsettled: self.unsettled,
            alerts: alerts.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_back_and_another_version_is_none() {
        let at = Timestamp::from_micros;
        let note = Note {
            cursor: Some(at(5)),
            unsettled: true,
            alerts: BTreeMap::from([
                (Fingerprint::parse("a").unwrap(), Shown { seen_at: Some(at(3)), absent: None }),
                (
                    Fingerprint::parse("b").unwrap(),
                    Shown { seen_at: None, absent: Some(Absence { since: at(4), runs: 2 }) },
                ),
            ]),
        };
        let text = note.text().unwrap();
        assert_eq!(Note::read(&text), Some(note));
        assert_eq!(Note::read(&text.replace("\"version\":1", "\"version\":2")), None);
        assert_eq!(Note::read("{"), None);
    }
}
