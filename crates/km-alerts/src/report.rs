//! Where checks put what they find.

use km_yaml::Mark;

use crate::finding::{Finding, Level};
use crate::source::Source;

/// Findings, with what suppressing them needs to know.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) found: Vec<Found>,
}

/// A finding, and the item it is about.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) finding: Finding,
    /// Which of the sources it is in.
    pub(crate) source: usize,
    /// Its line in that source.
    pub(crate) line: usize,
    /// The line at which the rule, route or receiver begins that it is about.
    pub(crate) item: usize,
}

/// A place in one of the sources: the thing itself, and the item that it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) source: usize,
    pub(crate) mark: Mark,
    pub(crate) item: Mark,
}

impl Spot {
    pub(crate) const fn new(source: usize, mark: Mark) -> Self {
        Self { source, mark, item: mark }
    }

    /// Another thing of the same item.
    pub(crate) const fn at(self, mark: Mark) -> Self {
        Self { mark, ..self }
    }
}

impl Report {
    pub(crate) fn add(
        &mut self,
        sources: &[Source],
        spot: Spot,
        code: &'static str,
        level: Level,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let Some(source) = sources.get(spot.source) else { return };
        let message = message.into() + &source.remark(spot.mark);
        let finding = Finding { code, level, message, place: source.place(spot.mark), help };
        self.found.push(Found { finding, source: spot.source, line: spot.mark.line, item: spot.item.line });
    }
}
