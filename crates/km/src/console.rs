//! What people and programs read: results on standard output, notes on standard error, colours only on a
//! terminal.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstream::{stderr, stdout};
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::cli::Global;
use crate::failure::Failure;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console {
    /// Answers are JSON.
    pub(crate) json: bool,
    quiet: bool,
}

impl Console {
    /// A console that does as the flags say.
    pub(crate) const fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet }
    }

    /// A line of the result.
    pub(crate) fn line(self, text: impl Display) -> io::Result<()> {
        writeln!(stdout().lock(), "{text}")
    }

    /// A result as one line of JSON.
    pub(crate) fn value(self, value: &impl Serialize) -> io::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// A part of the result as it is.
    pub(crate) fn raw(self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// A table of the result; nothing when it has no rows.
    pub(crate) fn table(self, headings: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
        table.add_rows(rows);
        for line in table.to_string().lines() {
            self.line(line.trim_end())?;
        }
        Ok(())
    }

    /// A remark that is not part of the result.
    pub(crate) fn note(self, text: impl Display) -> io::Result<()> {
        if self.quiet { Ok(()) } else { writeln!(stderr().lock(), "{text}") }
    }

    /// Something that is wrong; said even when quiet.
    pub(crate) fn complain(self, text: impl Display) -> io::Result<()> {
        writeln!(stderr().lock(), "{RED}{BOLD}error{RESET}: {text}")
    }

    /// Whether a progress bar would be seen.
    pub(crate) fn shows_progress(self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// A failure with its causes and what to do about it.
    pub(crate) fn fail(self, failure: &Failure) -> io::Result<()> {
        self.complain(failure)?;
        let mut cause = failure.source();
        while let Some(error) = cause {
            writeln!(stderr().lock(), "  {DIM}because{RESET} {error}")?;
            cause = error.source();
        }
        if let Some(advice) = failure.advice() {
            writeln!(stderr().lock(), "  {DIM}hint{RESET}    {advice}")?;
        }
        Ok(())
    }
}

/// Ends any style. Codes are those of ECMA-48; they are taken out again where there is no terminal.
pub(crate) const RESET: &str = "\x1b[0m";
pub(crate) const BOLD: &str = "\x1b[1m";
pub(crate) const DIM: &str = "\x1b[2m";
pub(crate) const RED: &str = "\x1b[31m";
pub(crate) const GREEN: &str = "\x1b[32m";
pub(crate) const YELLOW: &str = "\x1b[33m";
pub(crate) const CYAN: &str = "\x1b[36m";

/// Text without control characters: what is shown may have been written by anybody.
pub(crate) fn safe(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The first line of a text, cut at `max` characters.
pub(crate) fn brief(text: &str, max: usize) -> String {
    let line = safe(text.trim().lines().next().unwrap_or_default());
    if line.chars().count() <= max {
        return line;
    }
    let cut: String = line.chars().take(max.saturating_sub(1)).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_cannot_steer_the_terminal() {
        assert_eq!(safe("a\x1b[2Jb\x07\nc"), "a[2Jb\nc");
    }

    #[test]
    fn brief_counts_characters_and_not_bytes() {
        assert_eq!(brief("连接池耗尽\nmore", 5), "连接池耗尽");
        assert_eq!(brief("连接池耗尽了", 4), "连接池…");
    }
}
