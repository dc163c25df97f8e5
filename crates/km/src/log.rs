//! Where log lines go: standard error, for people on a terminal and as JSON elsewhere.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;

use crate::config::{Log, LogFormat, LogLevel};

/// Begins to log. Only the first call of a process has an effect.
pub(crate) fn begin(log: &Log) {
    let lines = tracing_subscriber::fmt().with_max_level(level(log.level)).with_writer(io::stderr);
    let begun = match format(log.format) {
        Format::Json => lines.json().flatten_event(true).try_init(),
        Format::Human => lines.with_target(false).with_ansi(io::stderr().is_terminal()).try_init(),
    };
    // A second call finds the first one's logger in place, which is as good.
    drop(begun);
}

enum Format {
    Human,
    Json,
}

fn format(format: LogFormat) -> Format {
    match format {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
        LogFormat::Auto if io::stderr().is_terminal() => Format::Human,
        LogFormat::Auto => Format::Json,
    }
}

const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}
