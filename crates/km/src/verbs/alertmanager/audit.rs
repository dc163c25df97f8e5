//! `km alertmanager audit`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use km_alerts::{Expected, InputKind, Peer};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{ending, files, finding};
use crate::answer::{self, Unread};
use crate::cli::AuditArgs;
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::findings::{self, Finding, Format};

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

const ALERTS: &str = "api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true";
const STATUS: &str = "api/v2/status";

pub(super) async fn run(console: Console, args: &AuditArgs) -> Result<Ending, Failure> {
    let token = args.bearer_token_file.as_deref().map(token).transpose()?;
    let client = Client::builder().timeout(ANSWER_WITHIN).build();
    let client = client.map_err(|error| Failure::Refused(format!("no HTTP client: {error}")))?;
    let mut peers = Vec::new();
    for address in &args.peers {
        let url = address_of(address)?;
        peers.push(ask(&client, &url, token.as_ref()).await);
    }
    let configuration = args.configuration.as_ref().map(|file| files::input(file, InputKind::Configuration));
    let expected = Expected { scope: args.scope.clone(), required: args.required.clone() };
    let audited = km_alerts::audit(&peers, &expected, configuration.as_ref());
    let ending = ending(&audited.findings);
    let summary = json!({ "peers": peers.len(), "alerts": audited.alerts, "inhibited": audited.inhibited });
    let found: Vec<Finding> = audited.findings.into_iter().map(finding).collect();
    let format = Format::chosen(args.format, console);
    findings::print(console, format, "km alertmanager audit", &found, &summary)?;
    Ok(ending)
}

fn token(file: &Path) -> Result<SecretString, Failure> {
    let text = fs::read_to_string(file).map_err(Failure::file(file))?;
    Ok(SecretString::from(text.trim()))
}

/// An address that paths can be appended to.
fn address_of(text: &str) -> Result<Url, Failure> {
    let with_slash = if text.ends_with('/') { text.to_owned() } else { format!("{text}/") };
    let url =
        Url::parse(&with_slash).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| Failure::Usage(format!("`{text}` is no address: http://host:port")))
}

async fn ask(client: &Client, url: &Url, token: Option<&SecretString>) -> Peer {
    Peer {
        name: named(url),
        alerts: get(client, url, ALERTS, token).await,
        status: get(client, url, STATUS, token).await,
    }
}

/// The address without what may be a password in it.
fn named(url: &Url) -> String {
    let mut url = url.clone();
    if url.set_username("").and(url.set_password(None)).is_err() {
        return format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    }
    url.to_string().trim_end_matches('/').to_owned()
}

async fn get(client: &Client, url: &Url, path: &str, token: Option<&SecretString>) -> Result<String, String> {
    let target = url.join(path).map_err(|error| error.to_string())?;
    let mut request = client.get(target);
    if let Some(token) = token {
        request = request.bearer_auth(token.expose_secret());
    }
    let answer = request.send().await.map_err(|error| said(&error))?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let body = answer::read(answer, ANSWER_BYTES_MAX).await.map_err(|unread| match unread {
        Unread::Broken(error) => said(&error),
        Unread::TooLarge => format!("its answer is larger than {} MiB", ANSWER_BYTES_MAX >> 20),
    })?;
    String::from_utf8(body).map_err(|_| "its answer is not UTF-8".to_owned())
}

/// The innermost cause: what lies around it repeats the address, which may hold a password.
fn said(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
