//! What became of the writes of an import.

use std::io;

use serde_json::json;

use super::Broken;
use crate::client::Problem;
use crate::console::{Console, RED, RESET, safe};
use crate::failure::Ending;

/// Counts, and what was not taken.
#[derive(Debug, Default)]
pub(in crate::verbs) struct Tally {
    pub(in crate::verbs) files: u64,
    pub(in crate::verbs) created: u64,
    pub(in crate::verbs) revised: u64,
    pub(in crate::verbs) replayed: u64,
    pub(in crate::verbs) superseded: u64,
    pub(in crate::verbs) refused: u64,
    pub(in crate::verbs) not_taken: u64,
    unsaid: Vec<Broken>,
}

impl Tally {
    /// Counts a write that was applied, now or before.
    pub(super) fn apply(&mut self, outcome: &str) {
        match outcome {
            "created" => self.created += 1,
            "revised" => self.revised += 1,
            "replayed" => self.replayed += 1,
            _ => self.superseded += 1,
        }
    }

    /// Counts what can never be taken as it is.
    pub(super) fn refuse(&mut self, broken: Broken) {
        self.refused += 1;
        self.unsaid.push(broken);
    }

    /// Counts a write that the server did not take.
    pub(super) fn reject(&mut self, origin: String, problem: &Problem) {
        let reason = problem.to_string().replace("\n  ", "; ");
        if problem.retryable {
            self.not_taken += 1;
            self.unsaid.push(Broken { origin, reason });
        } else {
            self.refuse(Broken { origin, reason });
        }
    }

    /// Names what was not taken and not named yet.
    pub(in crate::verbs) fn say_new(&mut self, console: Console) -> io::Result<()> {
        self.unsaid.drain(..).try_for_each(|Broken { origin, reason }| {
            console.complain(format_args!("{}: {}", safe(&origin), safe(&reason)))
        })
    }

    /// The counts.
    pub(super) fn say(&self, console: Console) -> io::Result<()> {
        let Self { files, created, revised, replayed, superseded, refused, not_taken, .. } = self;
        if console.json {
            return console.value(&json!({
                "files": files, "created": created, "revised": revised, "replayed": replayed,
                "superseded": superseded, "refused": refused, "not_taken": not_taken,
            }));
        }
        let colour = if refused + not_taken > 0 { RED } else { "" };
        console.line(format_args!(
            "{files} files: {created} created, {revised} revised, {replayed} replayed, {superseded} superseded, \
             {colour}{refused} refused, {not_taken} not taken{RESET}"
        ))?;
        if *not_taken > 0 {
            console.note("run the same import again: what was taken is only replayed")?;
        }
        Ok(())
    }

    /// How the verb ends.
    pub(super) const fn ending(&self) -> Ending {
        match (self.refused, self.not_taken) {
            (0, 0) => Ending::Done,
            (0, _) => Ending::TryAgain,
            _ => Ending::Findings,
        }
    }
}
