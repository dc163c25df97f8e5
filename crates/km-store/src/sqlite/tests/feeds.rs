//! The feed of a tenant that has few rows between very many of others.

use std::sync::Arc;

use km_contract::conformance::Hands;
use km_contract::port::Store;
use km_model::TenantId;
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{LEDGER_FILE, OpenOptions, open};
use super::directory;

/// Rows of `tenant` at every position from `first` to `last`.
const FILL: &str = "
    WITH RECURSIVE n (position) AS (
        VALUES (?2)
        UNION ALL
        SELECT position + 1 FROM n WHERE position < ?3
    )
    INSERT INTO ledger (position, tenant, write_id, state, occurred_at, stored_at, content_hash, payload)
    SELECT position, ?1, 'w-' || position, 'parked', 0, 0, zeroblob(32), '{}' FROM n";

/// A ledger of which `few` has the positions 10, 20,000 and 50,000, and `many` all between.
async fn crowded() -> (Store, TempDir) {
    let data = directory();
    let options = OpenOptions { allow_volatile: true, ..OpenOptions::at(data.path()) };
    let store = open(options, Hands::at_seconds(1) as Arc<_>).await.unwrap();
    let connection = Connection::open(data.path().join(LEDGER_FILE)).unwrap();
    for (tenant, first, last) in [
        ("few", 10, 10),
        ("many", 11, 19_999),
        ("few", 20_000, 20_000),
        ("many", 20_001, 49_999),
        ("few", 50_000, 50_000),
        ("many", 50_001, 50_005),
    ] {
        connection.execute(FILL, (tenant, first, last)).unwrap();
    }
    (store, data)
}

async fn positions(store: &Store, tenant: &str, after: i64, limit: usize) -> Vec<i64> {
    let rows = store.library.feed(&TenantId::parse(tenant).unwrap(), after, limit).await.unwrap();
    rows.iter().map(|row| row.position).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_of_a_tenant_is_whole_however_few_its_rows_are() {
    let (store, _data) = crowded().await;
    let cases: [(i64, usize, &[i64]); 8] = [
        (0, 10, &[10, 20_000, 50_000]),
        (0, 2, &[10, 20_000]),
        (0, 1, &[10]),
        (10, 10, &[20_000, 50_000]),
        (20_000, 1, &[50_000]),
        (49_000, 10, &[50_000]),
        (50_000, 10, &[]),
        (i64::MAX, 10, &[]),
    ];
    for (after, limit, expected) in cases {
        assert_eq!(positions(&store, "few", after, limit).await, expected, "{after} {limit}");
    }
    assert_eq!(positions(&store, "none", 0, 10).await, Vec::<i64>::new());
    assert_eq!(positions(&store, "many", 19_998, 3).await, [19_999, 20_001, 20_002]);
}
