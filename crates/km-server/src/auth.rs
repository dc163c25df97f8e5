//! Who calls, and what they may do: API keys with scopes, each for one tenant.
//!
//! A key reads `km_<id>_<secret>`. The store keeps its id and the SHA-256 of the whole; a presented key is
//! found by its id and compared in constant time.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use km_contract::port::{ApiKey, KeyDigest, Keys, Scope, StoreError};
use km_model::{ContentHash, TenantId, Timestamp};
use subtle::ConstantTimeEq;
use thiserror::Error;
use tokio::sync::RwLock;

use crate::app::App;
use crate::code::Code;
use crate::problem::Problem;

/// Hexadecimal digits of a key's id.
const ID_DIGITS: usize = 12;

/// Who makes a call.
#[derive(Clone, Debug)]
pub enum Principal {
    /// This process, or anybody on this machine while no key was ever made: everything, as tenant `default`.
    Local,
    /// The holder of a key.
    Holder(Arc<ApiKey>),
}

impl Principal {
    /// Whose knowledge the call reaches.
    pub(crate) fn tenant(&self) -> TenantId {
        match self {
            Self::Local => TenantId::default_tenant(),
            Self::Holder(key) => key.tenant.clone(),
        }
    }

    /// The name in histories.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Holder(key) => &key.name,
        }
    }

    fn allows(&self, scope: Scope) -> bool {
        match self {
            Self::Local => true,
            Self::Holder(key) => key.allows(scope),
        }
    }

    /// Whether the caller may steer what all tenants share: the policy, the reconcilers, the keys of others.
    pub(crate) fn runs_the_installation(&self) -> bool {
        self.allows(Scope::Admin) && self.tenant() == TenantId::default_tenant()
    }

    /// # Errors
    /// [`Code::Forbidden`] for an administrator of one tenant only.
    pub(crate) fn must_run_the_installation(&self) -> Result<(), Problem> {
        if self.runs_the_installation() {
            return Ok(());
        }
        Err(Problem::new(Code::Forbidden, "the call needs the scope `admin` of the tenant `default`"))
    }
}

/// A caller who was let in for what a call needs. A handler that takes one cannot forget to ask.
pub(crate) struct Caller<N> {
    pub(crate) principal: Principal,
    need: PhantomData<N>,
}

/// What a call needs.
pub(crate) trait Need {
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident: $scope:ident),+) => {
        $(
            $(#[$doc])*
            pub(crate) enum $name {}
            impl Need for $name {
                const SCOPE: Scope = Scope::$scope;
            }
        )+
    };
}

needs! {
    /// Writing, and sending webhooks.
    ToWrite: Write,
    /// Reading and searching.
    ToRead: Read,
    /// Working dead letters.
    ToRedrive: Redrive,
    /// Keys, policy, reconcilers.
    ToAdminister: Admin
}

impl<N> Caller<N> {
    pub(crate) fn tenant(&self) -> TenantId {
        self.principal.tenant()
    }
}

impl<N: Need + Send> FromRequestParts<App> for Caller<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = principal(parts, app).await?;
        if !principal.allows(N::SCOPE) {
            let detail = format!("the call needs the scope `{}`", N::SCOPE.as_str());
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(Self { principal, need: PhantomData })
    }
}

/// Who sent a request. A request that this process made carries its principal.
async fn principal(parts: &Parts, app: &App) -> Result<Principal, Problem> {
    if let Some(principal) = parts.extensions.get::<Principal>() {
        return Ok(principal.clone());
    }
    let ring = app.keys.ring().await?;
    let Some(token) = bearer(&parts.headers) else {
        return if ring.is_empty() { on_this_machine(&parts.headers, &parts.uri) } else { Err(no_key()) };
    };
    let key = ring.find(token).ok_or_else(no_key)?;
    app.limits.pace(&key.id)?;
    Ok(Principal::Holder(key))
}

fn no_key() -> Problem {
    Problem::new(Code::Unauthenticated, "send the header `Authorization: Bearer km_…`")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets a caller without a key in if the request was addressed to this machine by a name that no web page can
/// take (DNS rebinding), and does not come from a page of another origin.
fn on_this_machine(headers: &HeaderMap, uri: &Uri) -> Result<Principal, Problem> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.host());
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let page = origin.map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    for name in [host, page].into_iter().flatten() {
        if !is_loopback(name) {
            let detail = format!("the request was addressed to, or came from, `{name}`");
            return Err(Problem::new(Code::ForeignHost, detail));
        }
    }
    if host.is_none() {
        return Err(Problem::new(Code::ForeignHost, "the request names no host"));
    }
    Ok(Principal::Local)
}

/// Whether a host, with or without a port, is this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An address beyond this machine, and no key that would guard it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{0} is reachable from other machines, and there is no API key: make one with `km keys create` first"
)]
pub struct OpenToTheWorld(SocketAddr);

/// Refuses to listen where others can reach a server that nothing guards.
///
/// # Errors
/// [`OpenToTheWorld`] for an address beyond loopback while there is no usable key.
pub fn must_have_key(listen: SocketAddr, keys_exist: bool) -> Result<(), OpenToTheWorld> {
    if keys_exist || listen.ip().is_loopback() { Ok(()) } else { Err(OpenToTheWorld(listen)) }
}

/// The keys of the installation, read once and again after each change.
pub(crate) struct KeyBook {
    keys: Arc<dyn Keys>,
    ring: RwLock<Option<Arc<Ring>>>,
}

/// Every key that was ever made.
#[derive(Default)]
pub(crate) struct Ring(HashMap<String, (Arc<ApiKey>, KeyDigest)>);

/// A key that was just made. Its text is shown once and kept nowhere.
pub(crate) struct NewKey {
    pub(crate) text: String,
    pub(crate) key: ApiKey,
}

impl Ring {
    /// Whether no key was ever made. Ending the last one does not open the server again.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, token: &str) -> Option<Arc<ApiKey>> {
        let id = token.strip_prefix("km_")?.split('_').next()?;
        let (key, digest) = self.0.get(id)?;
        let same: bool = digest.ct_eq(&digest_of(token)).into();
        (same && key.revoked_at.is_none()).then(|| key.clone())
    }
}

impl KeyBook {
    pub(crate) fn new(keys: Arc<dyn Keys>) -> Self {
        Self { keys, ring: RwLock::default() }
    }

    pub(crate) async fn ring(&self) -> Result<Arc<Ring>, StoreError> {
        if let Some(ring) = &*self.ring.read().await {
            return Ok(ring.clone());
        }
        let mut kept = self.ring.write().await;
        if let Some(ring) = &*kept {
            return Ok(ring.clone());
        }
        let keys = self.keys.keys().await?.into_iter();
        let ring = Ring(keys.map(|(key, digest)| (key.id.clone(), (Arc::new(key), digest))).collect());
        Ok(kept.insert(Arc::new(ring)).clone())
    }

    pub(crate) async fn list(&self) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.keys.keys().await?.into_iter().map(|(key, _)| key).collect())
    }

    /// Makes a key. The ring is locked meanwhile, so that nobody reads it half changed.
    pub(crate) async fn make(
        &self,
        name: String,
        tenant: TenantId,
        scopes: Vec<Scope>,
        created_at: Timestamp,
        entropy: [u8; 32],
    ) -> Result<NewKey, StoreError> {
        // The id shows nothing of the secret: it is cut from a digest of its own.
        let id =
            ContentHash::of(&[&b"km.key-id.v1\0"[..], &entropy].concat()).to_string()[..ID_DIGITS].to_owned();
        let text = format!("km_{id}_{}", ContentHash::from_bytes(entropy));
        let key = ApiKey { id, name, tenant, scopes, created_at, revoked_at: None };
        let mut ring = self.ring.write().await;
        *ring = None;
        self.keys.add_key(&key, digest_of(&text)).await?;
        Ok(NewKey { text, key })
    }

    /// Ends a key for every request that comes after the call.
    pub(crate) async fn end(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let mut ring = self.ring.write().await;
        *ring = None;
        self.keys.revoke_key(id, at).await
    }
}

fn digest_of(text: &str) -> KeyDigest {
    *ContentHash::of(text.as_bytes()).as_bytes()
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_few_names() {
        for host in ["localhost", "LOCALHOST:8787", "127.0.0.1", "127.9.9.9:1", "[::1]:8787", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["", "km.example.net", "localhost.example.net:80", "10.0.0.1:8787", "127.0.0.1.nip.io", "[::2]"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_address_beyond_this_machine_needs_a_key() {
        let loopback: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let world: SocketAddr = "0.0.0.0:1".parse().unwrap();
        assert!(must_have_key(loopback, false).is_ok() && must_have_key(world, true).is_ok());
        assert_eq!(must_have_key(world, false), Err(OpenToTheWorld(world)));
    }

    #[test]
    fn a_key_is_known_by_all_of_its_text() {
        let text = format!("km_abc_{}", "0".repeat(64));
        let key = ApiKey {
            id: "abc".to_owned(),
            name: "test".to_owned(),
            tenant: TenantId::default_tenant(),
            scopes: vec![Scope::Read],
            created_at: Timestamp::from_micros(0),
            revoked_at: None,
        };
        let ended = ApiKey { revoked_at: Some(Timestamp::from_micros(1)), ..key.clone() };
        let ring = |key: ApiKey| Ring(HashMap::from([("abc".to_owned(), (Arc::new(key), digest_of(&text)))]));
        assert!(ring(key.clone()).find(&text).is_some());
        assert!(ring(key.clone()).find(&text[..text.len() - 1]).is_none());
        assert!(ring(key).find("km_abc_").is_none());
        assert!(ring(ended).find(&text).is_none());
    }
}
