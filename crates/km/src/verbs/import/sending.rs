//! Batches on their way: bounded, answered item by item, and tried again with the same content.

use std::time::Duration;

use super::{Item, Tally};
use crate::client::{Answer, BatchLine, Call, Client, Problem};
use crate::failure::Failure;

/// Most writes in one call.
const WRITES_MAX: usize = 200;
/// Most bytes in one call.
const BYTES_MAX: usize = 4 << 20;
/// The pauses before writes that were not taken are sent again.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// Gathers items and sends them.
pub(super) struct Sender<'a> {
    client: &'a Client,
    batch: Vec<Item>,
    bytes: usize,
    pub(super) tally: Tally,
}

impl<'a> Sender<'a> {
    /// A sender with nothing gathered.
    pub(super) fn new(client: &'a Client) -> Self {
        Self { client, batch: Vec::new(), bytes: 0, tally: Tally::default() }
    }

    /// Takes one item; sends what was gathered when it would not fit any more.
    pub(super) async fn push(&mut self, item: Item) -> Result<(), Failure> {
        let cost = item.line.len() + 1;
        if self.batch.len() == WRITES_MAX || (self.bytes > 0 && self.bytes + cost > BYTES_MAX) {
            self.flush().await?;
        }
        self.bytes += cost;
        self.batch.push(item);
        Ok(())
    }

    /// Sends what was gathered until all is taken, refused, or the tries are used up.
    pub(super) async fn flush(&mut self) -> Result<(), Failure> {
        self.bytes = 0;
        let mut batch = std::mem::take(&mut self.batch);
        let mut pauses = PAUSES.into_iter();
        while !batch.is_empty() {
            let problems = self.send(&batch).await?;
            let Some(pause) = pauses.next().filter(|_| problems.iter().any(is_retryable)) else {
                self.give_up(batch, problems);
                return Ok(());
            };
            batch = self.keep_retryable(batch, problems);
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// Sends a batch once; `None` stands for an item that was taken.
    async fn send(&mut self, batch: &[Item]) -> Result<Vec<Option<Problem>>, Failure> {
        let mut body = Vec::with_capacity(batch.iter().map(|item| item.line.len() + 1).sum());
        for item in batch {
            body.extend_from_slice(item.line.as_bytes());
            body.push(b'\n');
        }
        let call = Call::post("/v1/writes:batch").content("application/x-ndjson", body);
        let answer = self.client.send(call).await?;
        if !answer.is_ok() {
            return whole_batch(answer, batch.len());
        }
        let mut problems = Vec::with_capacity(batch.len());
        for line in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let read = serde_json::from_slice(line);
            match read.map_err(|source| Failure::Answer { status: answer.status, source })? {
                BatchLine::Problem { problem } => problems.push(Some(problem)),
                BatchLine::Written(written) => {
                    self.tally.apply(&written.outcome);
                    problems.push(None);
                }
            }
        }
        // An answer that broke off says nothing about the rest, and sending that again is harmless.
        problems.resize_with(batch.len(), || Some(Problem::of_status(504)));
        Ok(problems)
    }

    fn keep_retryable(&mut self, batch: Vec<Item>, problems: Vec<Option<Problem>>) -> Vec<Item> {
        let mut again = Vec::new();
        for (item, problem) in batch.into_iter().zip(problems) {
            match problem {
                None => {}
                Some(problem) if problem.retryable => again.push(item),
                Some(problem) => self.tally.reject(item.origin, &problem),
            }
        }
        again
    }

    fn give_up(&mut self, batch: Vec<Item>, problems: Vec<Option<Problem>>) {
        for (item, problem) in batch.into_iter().zip(problems) {
            if let Some(problem) = problem {
                self.tally.reject(item.origin, &problem);
            }
        }
    }
}

fn is_retryable(problem: &Option<Problem>) -> bool {
    problem.as_ref().is_some_and(|problem| problem.retryable)
}

/// A batch that was answered as a whole: overloaded and unavailable are every item's answer, anything else
/// (no key, a wrong address) ends the import.
fn whole_batch(answer: Answer, items: usize) -> Result<Vec<Option<Problem>>, Failure> {
    match answer.accept() {
        Err(Failure::Problem(problem)) if problem.retryable => Ok(vec![Some(*problem); items]),
        Err(failure) => Err(failure),
        Ok(_) => Ok(Vec::new()),
    }
}
