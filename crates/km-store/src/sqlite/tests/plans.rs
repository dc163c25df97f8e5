//! How SQLite carries the statements out: none walks or sorts a table that grows, but for those that are meant to.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::super::open;
use super::directory;

/// Statements that may walk or sort, and why.
const MAY_WALK: [(&str, &str); 15] = [
    ("occurrences.sql", "`km verify` counts the occurrences"),
    ("stated_approval_links.sql", "the link reconciler looks at a page of statements"),
    ("stated_approvals.sql", "the link reconciler looks at a page of statements"),
    ("stated_playbook_links.sql", "the link reconciler looks at a page of statements"),
    ("letter_events.sql", "it sorts the events of one letter that are shown"),
    ("link_rows.sql", "`km verify` reads every link"),
    ("measures.sql", "it counts, for metrics and status"),
    ("letter_counts.sql", "it counts the letters, for metrics and status"),
    ("letter_load.sql", "it adds up the letters that wait, in an index of theirs"),
    ("keys.sql", "there are few keys"),
    ("running_redrives.sql", "there are few bulk redrives"),
    ("newest_seal.sql", "it reads one row, from the end"),
    ("feed_of_few.sql", "it sorts positions of a tenant that has few"),
    ("incident_links.sql", "it sorts the links of one incident"),
    ("origin.sql", "it reads one row, and the end of the ledger"),
];

fn statements() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sqlite/sql");
    let read = |file: fs::DirEntry| {
        (file.file_name().into_string().unwrap(), fs::read_to_string(file.path()).unwrap())
    };
    let mut statements: Vec<_> = fs::read_dir(directory).unwrap().map(|file| read(file.unwrap())).collect();
    statements.sort();
    statements
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = explained.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get(3).unwrap());
    }
    steps
}

/// Whether a step of a plan takes as long as its table is large. A common table expression is no table.
fn walks(step: &str, sql: &str) -> bool {
    let scanned = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
    let recursive = sql.contains("WITH RECURSIVE");
    let table = |name: &str| name != "CONSTANT" && !(recursive && name == "c");
    scanned.is_some_and(table) || step.contains("TEMP B-TREE")
}

#[test]
fn no_statement_walks_or_sorts_a_table_unless_it_is_meant_to() {
    let data = directory();
    let connection = open::ledger(data.path()).unwrap();
    let mut looked = 0;
    for (name, sql) in statements() {
        if MAY_WALK.iter().any(|(excepted, _)| *excepted == name) {
            continue;
        }
        for step in plan(&connection, &sql) {
            assert!(!walks(&step, &sql), "{name}: {step}");
        }
        looked += 1;
    }
    assert!(looked > 30, "{looked} statements");
}

#[test]
fn every_exception_is_a_statement() {
    let names: Vec<String> = statements().into_iter().map(|(name, _)| name).collect();
    for (excepted, _) in MAY_WALK {
        assert!(names.iter().any(|name| name == excepted), "{excepted}");
    }
}

#[test]
fn a_walk_and_a_sort_are_seen_in_a_plan() {
    let data = directory();
    let connection = open::ledger(data.path()).unwrap();
    let seen = |sql: &str| plan(&connection, sql).iter().any(|step| walks(step, sql));
    assert!(seen("SELECT payload FROM ledger WHERE stored_at = 1"));
    assert!(seen("SELECT count(*) FROM entries"));
    assert!(seen("SELECT position FROM ledger WHERE tenant = ?1 ORDER BY stored_at"));
    assert!(!seen("SELECT payload FROM ledger WHERE position > ?1 ORDER BY position"));
    assert!(!seen("SELECT payload FROM ledger WHERE tenant = ?1 AND write_id = ?2"));
}
