//! Where knowledge is read.

use async_trait::async_trait;
use km_model::{
    Alert, ApprovalId, ContentHash, EntryId, EntryType, IncidentId, Link, Outcome, PathKind, TenantId,
    Timestamp, WriteDocument, WriteId,
};

use super::{Record, StoreError};

/// The read side. Every answer includes all writes that were acknowledged before the call.
#[async_trait]
pub trait Library: Send + Sync {
    /// One entry with its head.
    ///
    /// # Errors
    /// The store's failure; `None` is an answer, not a failure. The same holds for every call here.
    async fn entry(&self, tenant: &TenantId, entry: EntryId) -> Result<Option<Entry>, StoreError>;

    /// The revisions of an entry, newest application first, older than revision number `before`.
    ///
    /// # Errors
    /// As [`Library::entry`].
    async fn revisions(
        &self,
        tenant: &TenantId,
        entry: EntryId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Revision>, StoreError>;

    /// Entries that pass `filter`, the one whose head was applied last first: all of them, page by page. A page
    /// may hold fewer than `limit`; only the absence of `next` ends a list.
    ///
    /// # Errors
    /// As [`Library::entry`].
    async fn entries(
        &self,
        filter: &Filter,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Page<Entry>, StoreError>;

    /// Entries that match a text, best first. A page may hold fewer than `limit`; only the absence of `next` ends
    /// a ranking.
    ///
    /// The pages of a ranking are of one moment, that of the first: what is written later is not in them, and an
    /// entry that is revised leaves them. No other is lost, and none comes twice. What a tenant finds, and how
    /// well it fits, depends on its own entries alone.
    ///
    /// # Errors
    /// As [`Library::entry`]; `Refused` with [`BAD_CURSOR`](super::BAD_CURSOR) for a cursor that is damaged, or
    /// was given for another text, filter or version of km.
    async fn search(&self, request: &SearchRequest) -> Result<SearchPage, StoreError>;

    /// Everything that is tied to an incident; `None` when nothing names it.
    ///
    /// # Errors
    /// As [`Library::entry`].
    async fn chain(&self, tenant: &TenantId, incident: &IncidentId) -> Result<Option<Chain>, StoreError>;

    /// The incidents that an approval is tied to, by id.
    ///
    /// # Errors
    /// As [`Library::entry`].
    async fn incidents_of(
        &self,
        tenant: &TenantId,
        approval: &ApprovalId,
        limit: usize,
    ) -> Result<Vec<IncidentId>, StoreError>;

    /// Rows of the ledger of one tenant after a position, in order, letters included.
    ///
    /// # Errors
    /// As [`Library::entry`].
    async fn feed(&self, tenant: &TenantId, after: i64, limit: usize) -> Result<Vec<Record>, StoreError>;
}

/// What is known under one entry key.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its public name.
    pub entry_id: EntryId,
    /// How many writes were applied to it.
    pub revisions: u64,
    /// The newest revision by `(occurred_at, write_id)`.
    pub head: Revision,
}

/// One applied write in the history of an entry.
#[derive(Clone, Debug)]
pub struct Revision {
    /// Its place in the order of application, over all tenants.
    pub position: i64,
    /// The idempotency key it came with.
    pub write_id: WriteId,
    /// Counts from 1 in the order of application.
    pub revision: u64,
    /// Created, revised or superseded, as it was when the write was applied.
    pub outcome: Outcome,
    /// When it was so.
    pub occurred_at: Timestamp,
    /// When it was committed.
    pub stored_at: Timestamp,
    /// SHA-256 of its canonical form.
    pub content_hash: ContentHash,
    /// What it says, as it was kept.
    pub write: WriteDocument,
}

/// Which entries to look at. All conditions must hold.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Whose entries.
    pub tenant: TenantId,
    /// From this path.
    pub path: Option<PathKind>,
    /// Of this type.
    pub entry_type: Option<EntryType>,
    /// Carrying all of these tags.
    pub tags: Vec<String>,
    /// Carrying all of these labels.
    pub labels: Vec<(String, String)>,
    /// About this incident.
    pub incident: Option<IncidentId>,
    /// About this approval.
    pub approval: Option<ApprovalId>,
    /// At this time or later.
    pub occurred_from: Option<Timestamp>,
    /// Before this time.
    pub occurred_before: Option<Timestamp>,
}

impl Filter {
    /// Everything of `tenant`.
    pub const fn all(tenant: TenantId) -> Self {
        Self {
            tenant,
            path: None,
            entry_type: None,
            tags: Vec::new(),
            labels: Vec::new(),
            incident: None,
            approval: None,
            occurred_from: None,
            occurred_before: None,
        }
    }
}

/// A place in a listing: the listing goes on behind it.
pub type Position = i64;

/// A part of a longer list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// A search.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// Words to look for; any of them may match.
    pub text: String,
    /// Where to look.
    pub filter: Filter,
    /// The `next` of the page before: plain text of a bounded length that needs no escaping in a URL.
    pub after: Option<String>,
    /// At most so many hits.
    pub limit: usize,
}

/// The hits of a search, best first.
#[derive(Clone, Debug)]
pub struct SearchPage {
    /// The hits.
    pub hits: Vec<Hit>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
    /// How much was looked at: "nothing known" and "not looked" are told apart.
    pub searched: Searched,
}

/// How much a search looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Searched {
    /// The index covers the ledger up to this position.
    pub indexed_through: i64,
    /// Newer rows of the ledger that were read one by one.
    pub tail: usize,
    /// Whether nothing newer was left out because the tail was too long.
    pub complete: bool,
}

/// One entry that matches.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The entry.
    pub entry: Entry,
    /// BM25; comparable within one search only.
    pub score: f64,
    /// Pieces of the text around what matched.
    pub highlights: Vec<Highlight>,
    /// Which words matched where, in words.
    pub why: Vec<String>,
}

/// A piece of an entry's text with what matched in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Highlight {
    /// `title` or `content`.
    pub field: &'static str,
    /// The piece.
    pub text: String,
    /// Where the matches lie in `text`, in bytes, in order, without overlap.
    pub ranges: Vec<(usize, usize)>,
}

/// Everything that is tied to one incident.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The incident.
    pub incident: IncidentId,
    /// What is known of it, by path and time.
    pub entries: Vec<Entry>,
    /// What it is tied to, the earliest first.
    pub links: Vec<Link>,
    /// The alerts that opened it.
    pub alerts: Vec<Alert>,
}
