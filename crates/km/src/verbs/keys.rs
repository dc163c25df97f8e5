//! `km keys`.

use serde_json::json;

use crate::cli::KeysVerb;
use crate::client::{Call, Client, KeyBody, KeysBody, NewKeyBody};
use crate::console::{Console, safe};
use crate::failure::{Ending, Failure};

pub(super) async fn run(console: Console, client: &Client, verb: &KeysVerb) -> Result<Ending, Failure> {
    match verb {
        KeysVerb::Create { name, tenant, scopes } => create(console, client, name, tenant, scopes).await,
        KeysVerb::List => list(console, client).await,
        KeysVerb::Revoke { id } => revoke(console, client, id).await,
    }
}

async fn create(
    console: Console,
    client: &Client,
    name: &str,
    tenant: &str,
    scopes: &[String],
) -> Result<Ending, Failure> {
    let body = json!({ "name": name, "tenant": tenant, "scopes": scopes });
    let answer = client.ask(Call::post("/v1/keys").json(&body)?).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
        return Ok(Ending::Done);
    }
    let made: NewKeyBody = answer.read()?;
    console.line(made.key)?;
    console.note(format_args!("this key ({}) is shown once: keep it now, for example in KM_KEY", made.id))?;
    Ok(Ending::Done)
}

async fn list(console: Console, client: &Client) -> Result<Ending, Failure> {
    let answer = client.ask(Call::get("/v1/keys")).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
        return Ok(Ending::Done);
    }
    let body: KeysBody = answer.read()?;
    if body.keys.is_empty() {
        console.note("no keys: callers on this machine need none, others are refused")?;
    }
    let headings = ["id", "name", "tenant", "scopes", "created", "revoked"];
    console.table(&headings, body.keys.iter().map(row).collect())?;
    Ok(Ending::Done)
}

fn row(key: &KeyBody) -> Vec<String> {
    vec![
        key.id.clone(),
        safe(&key.name),
        key.tenant.clone(),
        key.scopes.join(", "),
        key.created_at.clone(),
        key.revoked_at.clone().unwrap_or_default(),
    ]
}

async fn revoke(console: Console, client: &Client, id: &str) -> Result<Ending, Failure> {
    client.ask(Call::delete("/v1/keys").segment(id)).await?;
    console.note(format_args!("{} is ended", safe(id)))?;
    Ok(Ending::Done)
}
