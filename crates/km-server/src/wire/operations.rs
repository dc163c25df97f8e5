//! Bodies of keys, policy, reconcilers and status.

use km_contract::{port, reconcile};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRequest {
    /// What it is for, 1–256 bytes.
    pub(crate) name: String,
    /// Whose knowledge it reaches; the caller's own tenant when absent.
    #[serde(default)]
    pub(crate) tenant: Option<String>,
    /// `write`, `read`, `redrive`, `admin`: at least one.
    pub(crate) scopes: Vec<String>,
}

/// What is known of a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Key {
    id: String,
    name: String,
    tenant: String,
    scopes: Vec<&'static str>,
    created_at: String,
    revoked_at: Option<String>,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeKey {
    /// The key itself: shown once.
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) described: Key,
}

/// Keys, revoked ones too, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyList {
    pub(crate) keys: Vec<Key>,
}

/// How hard writes are tried.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// `normal` (3 tries within 8 s) or `emergency` (1 try within 2 s). The promise is the same.
    pub(crate) policy: String,
}

/// A background job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reconciler {
    pub(crate) name: &'static str,
    pub(crate) every_seconds: f64,
    /// Its last run, if there was one since the start.
    pub(crate) last: Option<Run>,
}

/// Every background job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reconcilers {
    pub(crate) reconcilers: Vec<Reconciler>,
}

/// What a run of a background job came to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Run {
    at: String,
    ok: bool,
    /// What it found, or what went wrong.
    report: String,
}

/// How the server is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    pub(crate) version: &'static str,
    /// Whether writes are served: `ready`, `degraded`, `failed`.
    pub(crate) health: &'static str,
    /// What an acknowledgement is worth.
    pub(crate) durability: &'static str,
    pub(crate) policy: &'static str,
    /// `keys`, or `this machine` while no key was ever made.
    pub(crate) access: &'static str,
    pub(crate) tenant: String,
    pub(crate) queue: Queue,
    pub(crate) store: StoreSizes,
    /// The newest seal of the ledger, if there is one.
    pub(crate) seal: Option<Seal>,
    pub(crate) dead_letters: Vec<LetterCount>,
}

/// What waits for the store.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Queue {
    pub(crate) writes: usize,
    pub(crate) bytes: usize,
}

/// Sizes and lags of the store, over all tenants.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreSizes {
    writes: u64,
    entries: u64,
    newest_position: i64,
    /// The search index covers the ledger up to this position.
    indexed_through: i64,
    disk_bytes: u64,
}

/// A seal of the ledger. Keep its hash elsewhere: `km verify --expect-seal` then tells whether what it covers is
/// there still.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Seal {
    /// The last position that it covers.
    through: i64,
    hash: String,
    sealed_at: String,
}

/// How many dead letters there are of one state and class, over all tenants.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterCount {
    state: &'static str,
    class: &'static str,
    letters: u64,
    bytes: u64,
}

impl From<port::ApiKey> for Key {
    fn from(key: port::ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            tenant: key.tenant.to_string(),
            scopes: key.scopes.into_iter().map(port::Scope::as_str).collect(),
            created_at: key.created_at.to_string(),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
        }
    }
}

impl From<reconcile::Run> for Run {
    fn from(run: reconcile::Run) -> Self {
        Self { at: run.at.to_string(), ok: run.ok, report: run.report }
    }
}

impl From<port::Measures> for StoreSizes {
    fn from(measures: port::Measures) -> Self {
        let port::Measures { writes, entries, newest_position, indexed_through, disk_bytes } = measures;
        Self { writes, entries, newest_position, indexed_through, disk_bytes }
    }
}

impl From<port::Seal> for Seal {
    fn from(seal: port::Seal) -> Self {
        let port::Seal { through, hash, sealed_at, .. } = seal;
        Self { through, hash: hash.to_string(), sealed_at: sealed_at.to_string() }
    }
}

impl From<port::LetterCount> for LetterCount {
    fn from(count: port::LetterCount) -> Self {
        Self {
            state: count.state.as_str(),
            class: count.class.as_str(),
            letters: count.letters,
            bytes: count.bytes,
        }
    }
}
