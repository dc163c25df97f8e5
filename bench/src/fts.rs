//! The alternative for search: SQLite's own FTS5 over the same texts, in process.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use crate::figures::Round;
use crate::processors;
use crate::work;

const SCHEMA: &str = "CREATE VIRTUAL TABLE texts USING fts5(title, content, tokenize = 'unicode61')";
const SEARCH: &str = "SELECT rowid, title, content FROM texts WHERE texts MATCH ?1 ORDER BY rank LIMIT 10";

/// Builds the table; how long that took.
pub(crate) fn build(path: &Path, entries: usize) -> Duration {
    let mut connection = Connection::open(path).expect("a database");
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL").expect("settings");
    connection.execute_batch(SCHEMA).expect("a table");
    let texts: Vec<_> = work::corpus(entries).map(|write| (write.title, write.content)).collect();
    let begun = Instant::now();
    let transaction = connection.transaction().expect("a transaction");
    for (title, content) in texts {
        let mut insert = transaction
            .prepare_cached("INSERT INTO texts (title, content) VALUES (?1, ?2)")
            .expect("a statement");
        insert.execute([title, content]).expect("a row");
    }
    transaction.commit().expect("a commit");
    begun.elapsed()
}

/// As many of the queries as fit into `length`, shared by `callers` threads with a connection each.
pub(crate) fn round(path: &Path, queries: &[String], callers: usize, length: Duration) -> Round {
    let used = processors::used();
    let begun = Instant::now();
    let latencies = std::thread::scope(|scope| {
        let ask = |caller| move || ask(path, queries.iter().skip(caller).step_by(callers), begun + length);
        let threads: Vec<_> = (0..callers).map(|caller| scope.spawn(ask(caller))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a caller ends well")).collect()
    });
    let round = Round::of(latencies, begun.elapsed());
    Round { processor: Some(processors::used() - used), ..round }
}

fn ask<'a>(path: &Path, queries: impl Iterator<Item = &'a String>, until: Instant) -> Vec<Duration> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("a database");
    connection.pragma_update(None, "cache_size", -8_192).expect("a setting");
    let mut select = connection.prepare(SEARCH).expect("a statement");
    let mut latencies = Vec::new();
    for query in queries {
        let begun = Instant::now();
        if begun >= until {
            break;
        }
        let texts = select.query_map([either(query)], |row| row.get::<_, String>(2)).expect("rows");
        texts.for_each(|text| drop(text.expect("a text")));
        latencies.push(begun.elapsed());
    }
    latencies
}

/// Documents with either word, the best first, as km searches.
fn either(query: &str) -> String {
    query.split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ")
}
