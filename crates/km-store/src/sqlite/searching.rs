//! Searches: the best of what the index and the tail of the ledger hold.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use km_contract::port::{
    BAD_CURSOR, Entry, Highlight, Hit, SearchPage, SearchRequest, Searched, StoreError, StoreErrorKind,
};
use km_model::TenantId;
use km_search::{Query, SnippetLimits, highlight};
use rusqlite::Connection;

use super::classify::failed;
use super::heads::{Rest, confirm, index_filter, newest_known};
use super::index_file::Failure;
use super::readers::Reader;
use super::search::{Cursor, Filter as IndexFilter, Reason, Snapshot, Start, View, Why};
use super::walk::{documents, walk};

/// Most hits of one page.
const HITS_MAX: usize = 200;

/// A page of a search.
pub(super) fn search(reader: &mut Reader, request: &SearchRequest) -> Result<SearchPage, StoreError> {
    let Reader { ledger, index } = reader;
    let query = Query::like(&request.text);
    let filter = index_filter(&request.filter);
    let read = |text: &str| Cursor::read(text, &query, &filter).ok_or_else(bad_cursor);
    let after = request.after.as_deref().map(read).transpose()?;
    let tenant = request.filter.tenant.as_str();
    let answer = index.ask(tenant, |snapshot| {
        // After the index, so that the ledger knows all that the index knows.
        let ledger = ledger.unchecked_transaction().map_err(failed)?;
        page(snapshot, &ledger, request, &query, &filter, after)
    });
    answer.map_err(StoreError::from)
}

fn bad_cursor() -> StoreError {
    StoreError::bare(StoreErrorKind::Refused, BAD_CURSOR)
}

fn page(
    snapshot: &Snapshot<'_>,
    ledger: &Connection,
    request: &SearchRequest,
    query: &Query,
    filter: &IndexFilter,
    after: Option<Cursor>,
) -> Result<SearchPage, Failure> {
    let tenant = &request.filter.tenant;
    let (limit, none) = (request.limit.clamp(1, HITS_MAX), BTreeMap::new());
    let Tail { heads, start } = Tail::read(snapshot, ledger, tenant, after)?;
    let tail = documents(tenant, &heads, &none);
    let ranking = snapshot.rank(query, filter, &tail, &start, limit)?.ok_or_else(bad_cursor)?;
    let page = confirm(snapshot, ledger, tenant, (&ranking.found, ranking.cut), &tail, limit)?;
    let whys = snapshot.explain(&ranking, &page.found)?;
    let shown = page.entries.into_iter().zip(&page.found).zip(whys);
    let searched = Searched {
        indexed_through: snapshot.indexed_through(),
        tail: heads.len(),
        complete: start.view().missed.is_none(),
    };
    let last = match &page.rest {
        Rest::None => None,
        Rest::AfterTheLast => page.found.last(),
        Rest::After(found) => Some(found),
    };
    Ok(SearchPage {
        hits: shown.map(|((entry, found), why)| hit(entry, found.score(), &why, query)).collect(),
        next: last.map(|last| ranking.after(last).write(query, filter)),
        searched,
    })
}

/// The heads that the index does not hold, as far as they are in the ranking, and where the ranking starts.
struct Tail {
    heads: Vec<Entry>,
    start: Start,
}

impl Tail {
    fn read(
        snapshot: &Snapshot<'_>,
        ledger: &Connection,
        tenant: &TenantId,
        after: Option<Cursor>,
    ) -> Result<Self, Failure> {
        let (newest, indexed) = (newest_known(snapshot, ledger)?, snapshot.indexed_through());
        let through = after.as_ref().map_or(newest, |after| after.view().through);
        if through > newest {
            return Err(bad_cursor().into());
        }
        let mut heads = Vec::new();
        let reached = walk(ledger, tenant, indexed, through + 1, |entry| {
            heads.push(entry);
            ControlFlow::Continue(())
        })?;
        let missed = (reached > indexed + 1).then_some((indexed + 1, reached - 1));
        let start = match after {
            None => Start::First(View { through, missed }),
            Some(after) if after.view().allows_missing(missed) => Start::After(after),
            Some(_) => return Err(behind().into()),
        };
        Ok(Self { heads, start })
    }
}

/// The index is being built anew, and does not hold yet what the pages before were made of.
fn behind() -> StoreError {
    StoreError::bare(StoreErrorKind::Transient, "SEARCH_INDEX_BEHIND")
}

fn hit(entry: Entry, score: f32, why: &[Why], query: &Query) -> Hit {
    let title = entry.head.write.title.as_deref().unwrap_or_default();
    let content = entry.head.write.content.as_deref().unwrap_or_default();
    let one = SnippetLimits { snippets_max: 1, bytes_max: 512 };
    let mut highlights = pieces("title", title, query, one);
    highlights.extend(pieces("content", content, query, SnippetLimits::default()));
    Hit { score: f64::from(score), highlights, why: why.iter().map(told).collect(), entry }
}

fn pieces(field: &'static str, text: &str, query: &Query, limits: SnippetLimits) -> Vec<Highlight> {
    let snippets = highlight(text, query, limits).into_iter();
    let piece = |snippet: km_search::Snippet| Highlight {
        field,
        ranges: snippet.marks.iter().map(|mark| (mark.start, mark.end)).collect(),
        text: snippet.text,
    };
    snippets.map(piece).collect()
}

fn told(why: &Why) -> String {
    match &why.reason {
        Reason::Name(name) => format!("`{name}` is its name (+{:.2})", why.score),
        Reason::Term { term, fields } => {
            let fields: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
            format!("`{term}` in {} (+{:.2})", fields.join(", "), why.score)
        }
    }
}
