//! Where to reach Prometheus and Alertmanager, and how to be let in.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use reqwest::{RequestBuilder, Url};
use thiserror::Error;

/// Credentials longer than this are a wrong file.
const CREDENTIALS_BYTES_MAX: u64 = 64 << 10;

/// The base of an HTTP API, such as `http://prometheus:9090/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// Text that is no such base.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is no address such as http://prometheus:9090")]
pub struct MalformedAddress(String);

/// The HTTP client cannot be set up on this machine.
#[derive(Debug, Error)]
#[error("the HTTP client cannot be set up")]
pub struct ClientError(#[from] reqwest::Error);

impl Address {
    /// Reads an address with scheme `http` or `https`, without query and fragment. A user and a password in it are
    /// shown to the server.
    ///
    /// # Errors
    /// [`MalformedAddress`].
    pub fn parse(text: &str) -> Result<Self, MalformedAddress> {
        let malformed = || MalformedAddress(without_password(text));
        let url: Url = text.parse().map_err(|_| malformed())?;
        let fits =
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if fits { Ok(Self(url)) } else { Err(malformed()) }
    }

    /// The address of a call below the base.
    pub(crate) fn call(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The address as it may be logged.
    pub(crate) fn shown(&self) -> String {
        without_password(self.0.as_str())
    }
}

/// A text up to its scheme and from its host.
fn without_password(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (_, _) => text.to_owned(),
    }
}

/// How to be let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody asks, or the address says it.
    #[default]
    None,
    /// The bearer token in this file, which is read again for every request, since tokens are replaced.
    BearerFile(PathBuf),
}

impl Credentials {
    pub(crate) fn show(&self, request: RequestBuilder) -> io::Result<RequestBuilder> {
        let Self::BearerFile(path) = self else { return Ok(request) };
        let mut token = String::new();
        File::open(path)?.take(CREDENTIALS_BYTES_MAX).read_to_string(&mut token)?;
        Ok(request.bearer_auth(token.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_prefix() -> Result<(), MalformedAddress> {
        for (base, call) in [
            ("http://p:9090", "http://p:9090/api/v1/query"),
            ("http://p:9090/", "http://p:9090/api/v1/query"),
            ("https://host/prom/eu/", "https://host/prom/eu/api/v1/query"),
        ] {
            assert_eq!(Address::parse(base)?.call(&["api", "v1", "query"]).as_str(), call);
        }
        for text in ["", "prometheus:9090", "ftp://p", "http://p?x=1", "http://"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        Ok(())
    }

    #[test]
    fn a_password_is_not_shown() -> Result<(), MalformedAddress> {
        assert_eq!(Address::parse("http://km:s3cret@p/x")?.shown(), "http://…@p/x");
        assert!(!Address::parse("ftp://km:s3cret@p").unwrap_err().to_string().contains("s3cret"));
        Ok(())
    }
}
