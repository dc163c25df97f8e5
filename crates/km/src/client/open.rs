//! To whom a verb speaks: a named server, or the store of a data directory in this process.

use reqwest::Url;
use secrecy::SecretString;

use super::Client;
use crate::context::Context;
use crate::failure::Failure;
use crate::runtime::{Background, Running};

/// Whether a verb may make a store that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// There is nothing to read in a new store.
    Existing,
    /// The first write makes it.
    MayCreate,
}

/// A client for the server that was named, or else for the data directory.
///
/// # Errors
/// [`Failure::Usage`] for an address that is none, [`Failure::Open`] for a store that cannot be opened.
pub(crate) async fn connect(context: &Context, access: Access) -> Result<Client, Failure> {
    match server_of(context)? {
        Some(base) => Client::remote(base, key_of(context)),
        None => Client::in_process(start(context, access).await?),
    }
}

async fn start(context: &Context, access: Access) -> Result<Running, Failure> {
    let data = &context.config().data.dir;
    if access == Access::Existing && !km_store::survey(data).store {
        return Err(km_store::OpenError::NoStore(data.clone()).into());
    }
    Running::start(context.config(), Background::Rests).await
}

/// The server that `--url` or, without `--data`, `KM_URL` names.
pub(crate) fn server_of(context: &Context) -> Result<Option<Url>, Failure> {
    let global = &context.global;
    let from_environment = || context.environment.get("KM_URL").filter(|_| global.data.is_none());
    let Some(text) = global.url.as_deref().or_else(from_environment) else { return Ok(None) };
    let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = parsed
        .ok_or_else(|| Failure::Usage(format!("`{text}` is no address such as http://127.0.0.1:8787")))?;
    Ok(Some(url))
}

fn key_of(context: &Context) -> Option<SecretString> {
    let key = context.global.key.as_deref().or_else(|| context.environment.get("KM_KEY"));
    key.map(SecretString::from)
}
