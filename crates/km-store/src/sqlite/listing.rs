//! Lists: heads by position, the newest first. Those that the index holds come from it; the others are walked.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use km_contract::port::{Entry, Filter, Page, StoreError};
use rusqlite::Connection;

use super::classify::failed;
use super::heads::{Rest, confirm, index_filter, newest_known};
use super::index_file::Failure;
use super::readers::Reader;
use super::search::Snapshot;
use super::walk::{document_of, newest, walk};

/// A page of a list. It is complete whatever the index knows: without one, the whole ledger is walked.
pub(super) fn list(
    reader: &mut Reader,
    filter: &Filter,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<Entry>, StoreError> {
    let Reader { ledger, index } = reader;
    let (before, limit) = (before.unwrap_or(i64::MAX), limit.max(1));
    let listed =
        index.ask(filter.tenant.as_str(), |snapshot| page(Some(snapshot), ledger, filter, before, limit));
    match listed {
        Err(Failure::Index(_)) => page(None, ledger, filter, before, limit).map_err(StoreError::from),
        answer => answer.map_err(StoreError::from),
    }
}

fn page(
    snapshot: Option<&Snapshot<'_>>,
    ledger: &Connection,
    filter: &Filter,
    before: i64,
    limit: usize,
) -> Result<Page<Entry>, Failure> {
    let ledger = ledger.unchecked_transaction().map_err(failed)?;
    let newest = match snapshot {
        Some(snapshot) => newest_known(snapshot, &ledger)?,
        None => newest(&ledger)?,
    };
    let indexed_through = snapshot.map_or(0, Snapshot::indexed_through);
    let page = walked(&ledger, filter, indexed_through, before.min(newest + 1), limit)?;
    let Some(snapshot) = snapshot.filter(|_| page.next.is_none()) else { return Ok(page) };
    let before = before.min(indexed_through + 1);
    let limit = limit - page.items.len();
    let (found, cut) = snapshot.list(&index_filter(filter), before, limit)?;
    let indexed = confirm(snapshot, &ledger, &filter.tenant, (&found, cut), &[], limit)?;
    let items = [page.items, indexed.entries].concat();
    let next = match indexed.rest {
        Rest::None => None,
        Rest::AfterTheLast => items.last().map(|last| last.head.position),
        Rest::After(found) => Some(found.position()),
    };
    Ok(Page { items, next })
}

/// The part that the index does not hold.
fn walked(
    ledger: &Connection,
    filter: &Filter,
    after: i64,
    before: i64,
    limit: usize,
) -> Result<Page<Entry>, Failure> {
    let (index_filter, none) = (index_filter(filter), BTreeMap::new());
    let mut items = Vec::new();
    let reached = walk(ledger, &filter.tenant, after, before, |entry| {
        if index_filter.allows(&document_of(&filter.tenant, &entry, &none)) {
            items.push(entry);
        }
        if items.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().map(|last| last.head.position).filter(|_| more);
    Ok(Page { items, next: last.or((reached > after + 1).then_some(reached)) })
}
