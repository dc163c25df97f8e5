//! A Python file: its text, its lines, and the parser.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ModModule, Stmt};
use ruff_python_parser::{Mode, lexer, parse_expression, parse_module};
use ruff_text_size::TextRange;

use super::syntax::{At, Expr, Module};
use super::{Readers, lower, reads};

/// Files up to this size cannot be nested deeper than the stack of a reading thread allows.
const SHALLOW_BYTES: usize = 64 * 1024;
/// Tokens of a larger file that may stand between two commas or lines, an upper bound of its depth.
const NESTING_MAX: usize = 20_000;
/// Bytes of a line in which characters are counted; behind them a column is that of bytes.
const COUNTED_MAX: usize = 10_000;
/// The stack that reading needs: each of those tokens may be a level of the parser's tree.
pub(crate) const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Why a file could not be read as Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) at: At,
    pub(crate) message: String,
}

/// Text with the starts of its lines.
pub(super) struct Source<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, lines: std::iter::once(0).chain(starts).collect() }
    }

    pub(super) fn text(&self, range: TextRange) -> &'a str {
        self.text.get(range.start().to_usize()..range.end().to_usize()).unwrap_or_default()
    }

    pub(super) fn at(&self, range: TextRange) -> At {
        let offset = range.start().to_usize();
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        // Characters of a line that nobody reads are not counted over and over.
        let column = if before.len() > COUNTED_MAX { before.len() } else { before.chars().count() };
        At { line, column: column + 1 }
    }
}

/// Reads a file. A byte order mark is left out, as Python does.
pub(crate) fn read(file: &str, text: &str, readers: &Readers) -> Result<Module, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source::new(text);
    if text.len() > SHALLOW_BYTES {
        too_deep(&source)?;
    }
    let parsed = parse_module(text)
        .map_err(|error| SyntaxError { at: source.at(error.location), message: error.error.to_string() })?;
    let tree: ModModule = parsed.into_syntax();
    let body: &[Stmt] = &tree.body;
    let mut module = lower::module(&source, body);
    if readers.may_occur_in(text) {
        reads::collect(&source, body, readers, &mut module);
    }
    file.clone_into(&mut module.file);
    Ok(module)
}

/// Looks at tokens before the parser does: a tree that is deeper than the stack could not even be dropped.
fn too_deep(source: &Source<'_>) -> Result<(), SyntaxError> {
    let mut lexer = lexer::lex(source.text, Mode::Module);
    let (mut run, mut line) = (0, 1);
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return Ok(()),
            TokenKind::Comma => run = 0,
            TokenKind::Newline => (run, line) = (0, line + 1),
            TokenKind::NonLogicalNewline => line += 1,
            _ => run += 1,
        }
        if run > NESTING_MAX {
            let message = format!("more than {NESTING_MAX} tokens without a comma: too deep to be read");
            return Err(SyntaxError { at: At { line, column: 1 }, message });
        }
    }
}

/// An annotation in quotes.
pub(super) fn expression(text: &str) -> Option<Expr> {
    if text.len() > SHALLOW_BYTES {
        return None;
    }
    let parsed = parse_expression(text.trim()).ok()?;
    Some(lower::lower(&parsed.into_syntax().body))
}
