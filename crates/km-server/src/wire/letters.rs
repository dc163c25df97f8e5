//! Bodies of dead letters and redrives.

use km_contract::port;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A dead letter: a write that is kept whole and not applied.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetter {
    id: String,
    /// `pending`, `parked`, `settled` or `discarded`.
    state: &'static str,
    /// How the payload is read: `write`, `alertmanager`, `generic`.
    format: &'static str,
    reason: Reason,
    tries: u32,
    next_try_at: Option<String>,
    stored_at: String,
    payload_bytes: usize,
}

/// Why a write was not applied.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reason {
    class: &'static str,
    code: String,
    message: String,
}

/// A page of dead letters, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetters {
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// Pass it as `cursor` to go on; absent at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Dead letters that have state, format and reason in common.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterGroup {
    pub(crate) state: &'static str,
    pub(crate) format: &'static str,
    pub(crate) code: String,
    pub(crate) letters: u64,
    pub(crate) bytes: u64,
    /// When the oldest of them was kept.
    pub(crate) oldest: String,
}

/// Dead letters by reason, the largest group first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterGroups {
    pub(crate) groups: Vec<LetterGroup>,
}

/// A dead letter with its payload and all that happened to it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeLetter {
    #[serde(flatten)]
    letter: DeadLetter,
    /// What would be applied now.
    payload: String,
    /// How `payload` is written: `utf-8` as it is, `hex` when its bytes are not UTF-8.
    payload_encoding: &'static str,
    /// The payload as it came in, when it was edited since.
    original: Option<String>,
    /// How `original` is written.
    original_encoding: Option<&'static str>,
    /// What happened, the oldest first.
    events: Vec<LetterEvent>,
}

/// Something that happened to a letter.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterEvent {
    at: String,
    by: String,
    what: String,
    detail: String,
}

/// What should be applied instead of a letter's payload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LetterEdit {
    pub(crate) payload: String,
    /// How to read it: `write`, `alertmanager`, `generic`.
    pub(crate) format: String,
}

/// Why a letter will not be applied.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LetterDiscard {
    /// In the operator's words, at most 1 KiB.
    pub(crate) reason: String,
}

/// Where a letter stands after a decision.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterStanding {
    pub(crate) id: String,
    pub(crate) state: &'static str,
}

/// Which letters to try again, and how fast.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RedriveRequest {
    pub(crate) state: Option<String>,
    pub(crate) format: Option<String>,
    /// The code of the reason.
    pub(crate) code: Option<String>,
    /// At most so many letters a second, 1 to 1,000; 50 when absent.
    pub(crate) rate_per_second: Option<u32>,
    /// Only count the letters that would be tried.
    pub(crate) dry_run: bool,
}

/// A bulk redrive. It goes on after a restart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Redrive {
    id: String,
    /// `running`, `done` or `cancelled`.
    state: &'static str,
    rate_per_second: u32,
    by: String,
    created_at: String,
    tried: u64,
    settled: u64,
    failed: u64,
}

/// How many letters a redrive would try.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedriveDryRun {
    pub(crate) dry_run: bool,
    pub(crate) matching: u64,
}

impl From<&port::LetterSummary> for DeadLetter {
    fn from(letter: &port::LetterSummary) -> Self {
        Self {
            id: letter.id.to_string(),
            state: letter.state.as_str(),
            format: letter.format.as_str(),
            reason: Reason {
                class: letter.reason.class.as_str(),
                code: letter.reason.code.to_string(),
                message: letter.reason.template.to_string(),
            },
            tries: letter.tries,
            next_try_at: letter.next_try_at.map(|at| at.to_string()),
            stored_at: letter.stored_at.to_string(),
            payload_bytes: letter.payload_bytes,
        }
    }
}

impl From<port::Letter> for WholeLetter {
    fn from(letter: port::Letter) -> Self {
        let (payload, payload_encoding) = shown(letter.payload);
        let (original, original_encoding) = letter.original.map(shown).unzip();
        let event = |event: port::LetterEvent| LetterEvent {
            at: event.at.to_string(),
            by: event.by,
            what: event.what,
            detail: event.detail,
        };
        Self {
            letter: DeadLetter::from(&letter.summary),
            payload,
            payload_encoding,
            original,
            original_encoding,
            events: letter.events.into_iter().map(event).collect(),
        }
    }
}

/// Bytes as text, and how they are written: nothing of them may be lost.
fn shown(bytes: Vec<u8>) -> (String, &'static str) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, "utf-8"),
        Err(error) => (error.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect(), "hex"),
    }
}

impl From<port::Redrive> for Redrive {
    fn from(redrive: port::Redrive) -> Self {
        Self {
            id: redrive.id,
            state: redrive.state.as_str(),
            rate_per_second: redrive.per_second,
            by: redrive.by,
            created_at: redrive.created_at.to_string(),
            tried: redrive.tried,
            settled: redrive.settled,
            failed: redrive.failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_whole() {
        assert_eq!(shown("磁盘".into()), ("磁盘".to_owned(), "utf-8"));
        assert_eq!(shown(b"\xb4\xc5\xc5\xcc".to_vec()), ("b4c5c5cc".to_owned(), "hex"));
    }
}
