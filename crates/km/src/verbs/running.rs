//! The verbs that look at and steer a running km: `status`, `policy`, `reconcile`, `reindex`.

use serde_json::{Value, json};

use crate::cli::PolicyArg;
use crate::client::{Answer, Call, Client, PolicyBody, ReconcilersBody, RunBody};
use crate::console::{Console, DIM, GREEN, RED, RESET, safe};
use crate::failure::{Ending, Failure};

/// `km status`.
pub(super) async fn status(console: Console, client: &Client) -> Result<Ending, Failure> {
    let answer = client.ask(Call::get("/v1/status")).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
    } else {
        say_facts(console, "", &answer.read()?)?;
    }
    Ok(Ending::Done)
}

/// Every fact of a JSON value on a line of its own, under its path.
fn say_facts(console: Console, path: &str, value: &Value) -> Result<(), Failure> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            say_facts(console, &path, member)
        }),
        Value::Array(items) => items.iter().try_for_each(|item| say_facts(console, path, item)),
        Value::String(text) => Ok(console.line(format_args!("{DIM}{path:<28}{RESET} {}", safe(text)))?),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            Ok(console.line(format_args!("{DIM}{path:<28}{RESET} {value}"))?)
        }
    }
}

/// `km policy`.
pub(super) async fn policy(
    console: Console,
    client: &Client,
    wanted: Option<PolicyArg>,
) -> Result<Ending, Failure> {
    if wanted.is_some() && client.is_in_process() {
        let reason = "a policy is set on a running server (--url), or for good as write.policy";
        return Err(Failure::Usage(reason.to_owned()));
    }
    let call = match wanted {
        Some(policy) => Call::put("/v1/policy").json(&json!({ "policy": policy.as_str() }))?,
        None => Call::get("/v1/policy"),
    };
    let answer = client.ask(call).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
    } else {
        console.line(answer.read::<PolicyBody>()?.policy)?;
    }
    Ok(Ending::Done)
}

/// `km reconcile`.
pub(super) async fn reconcile(
    console: Console,
    client: &Client,
    name: Option<&str>,
) -> Result<Ending, Failure> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => {
            let body: ReconcilersBody = client.ask(Call::get("/v1/reconcilers")).await?.read()?;
            body.reconcilers.into_iter().map(|reconciler| reconciler.name).collect()
        }
    };
    let mut ending = Ending::Done;
    for name in names {
        let call = Call::post("/v1/reconcilers").segment(&name).action("run").json(&json!({}))?;
        if !say_run(console, &name, &client.ask(call).await?)? {
            ending = Ending::Findings;
        }
    }
    Ok(ending)
}

fn say_run(console: Console, name: &str, answer: &Answer) -> Result<bool, Failure> {
    let run: RunBody = answer.read()?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
    } else {
        let verdict = if run.ok { format!("{GREEN}ok{RESET}") } else { format!("{RED}failed{RESET}") };
        console.line(format_args!("{name:<13} {verdict}  {}", safe(&run.report)))?;
    }
    Ok(run.ok)
}

/// `km reindex`.
pub(super) async fn reindex(console: Console, client: &Client) -> Result<Ending, Failure> {
    client.reindex().await?;
    console.note("the search index was thrown away and is built again from the ledger")?;
    Ok(Ending::Done)
}
