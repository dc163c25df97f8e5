//! `km dead-letters`.

use std::time::Duration;

use serde_json::json;

use super::read_text;
use crate::cli::{LetterFilters, LettersVerb, RedriveArgs};
use crate::client::{Answer, Call, Client, GroupBody, GroupsBody, LetterBody, LettersBody, RedriveBody};
use crate::console::{BOLD, Console, DIM, RESET, safe};
use crate::failure::{Ending, Failure};

/// Where they are in the API.
const LETTERS: &str = "/v1/dead-letters";
/// Between two rounds of a redrive, whose rate is by the second.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(console: Console, client: &Client, verb: &LettersVerb) -> Result<Ending, Failure> {
    match verb {
        LettersVerb::List(filters) => list(console, client, filters).await,
        LettersVerb::Groups(filters) => groups(console, client, filters).await,
        LettersVerb::Show { id } => show(console, client, id).await,
        LettersVerb::Redrive(args) => redrive(console, client, args).await,
        LettersVerb::Edit { id, payload, format } => {
            let body = json!({ "payload": read_text(payload)?, "format": format });
            decide(console, client, id, "edit", &body).await
        }
        LettersVerb::Discard { id, reason } => {
            decide(console, client, id, "discard", &json!({ "reason": reason })).await
        }
        LettersVerb::Export(filters) => export(console, client, filters).await,
    }
}

fn filtered(call: Call, filters: &LetterFilters) -> Call {
    call.query_opt("state", filters.state.as_deref())
        .query_opt("format", filters.format.as_deref())
        .query_opt("code", filters.code.as_deref())
}

async fn page(client: &Client, filters: &LetterFilters, cursor: Option<&str>) -> Result<Answer, Failure> {
    let call = Call::get(LETTERS).query("limit", "100").query_opt("cursor", cursor);
    client.ask(filtered(call, filters)).await
}

async fn list(console: Console, client: &Client, filters: &LetterFilters) -> Result<Ending, Failure> {
    let answer = page(client, filters, None).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
        return Ok(Ending::Done);
    }
    let body: LettersBody = answer.read()?;
    if body.dead_letters.is_empty() {
        console.note("no dead letters")?;
    }
    let headings = ["id", "state", "format", "reason", "tries", "next try", "stored"];
    console.table(&headings, body.dead_letters.iter().map(row).collect())?;
    if body.next_cursor.is_some() {
        console.note("there are more: `km dead-letters export` prints all")?;
    }
    Ok(Ending::Done)
}

fn row(letter: &LetterBody) -> Vec<String> {
    vec![
        safe(&letter.id),
        letter.state.clone(),
        letter.format.clone(),
        format!("{} ({})", letter.reason.code, letter.reason.class),
        letter.tries.to_string(),
        letter.next_try_at.clone().unwrap_or_default(),
        letter.stored_at.clone(),
    ]
}

async fn groups(console: Console, client: &Client, filters: &LetterFilters) -> Result<Ending, Failure> {
    let answer = client.ask(filtered(Call::get("/v1/dead-letters:groups"), filters)).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
        return Ok(Ending::Done);
    }
    let row = |group: GroupBody| {
        vec![group.letters.to_string(), group.state, group.format, safe(&group.code), group.oldest]
    };
    let groups = answer.read::<GroupsBody>()?.groups;
    console
        .table(&["letters", "state", "format", "reason", "oldest"], groups.into_iter().map(row).collect())?;
    Ok(Ending::Done)
}

async fn show(console: Console, client: &Client, id: &str) -> Result<Ending, Failure> {
    let answer = client.ask(Call::get(LETTERS).segment(id)).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
        return Ok(Ending::Done);
    }
    let letter: LetterBody = answer.read()?;
    console.line(format_args!("{BOLD}{}{RESET}  {}", safe(&letter.id), letter.state))?;
    let reason = &letter.reason;
    console
        .line(format_args!("{DIM}reason{RESET}  {} ({}): {}", reason.code, reason.class, reason.message))?;
    for event in &letter.events {
        let (by, detail) = (safe(&event.by), safe(&event.detail));
        console.line(format_args!("{DIM}{}{RESET}  {} by {by} {detail}", event.at, event.what))?;
    }
    if letter.original.is_some() {
        console.line(format_args!("{DIM}the payload was edited; --json shows the original{RESET}"))?;
    }
    console.line(format_args!("\n{}", safe(&letter.payload.unwrap_or_default())))?;
    Ok(Ending::Done)
}

async fn decide(
    console: Console,
    client: &Client,
    id: &str,
    verb: &str,
    body: &serde_json::Value,
) -> Result<Ending, Failure> {
    let call = Call::post(LETTERS).segment(id).action(verb).json(body)?;
    say_state(console, &client.ask(call).await?)
}

async fn redrive(console: Console, client: &Client, args: &RedriveArgs) -> Result<Ending, Failure> {
    let Some(id) = &args.id else { return redrive_all(console, client, args).await };
    let answer = client.ask(Call::post(LETTERS).segment(id).action("redrive").json(&json!({}))?).await?;
    let letter: LetterBody = answer.read()?;
    say_state(console, &answer)?;
    Ok(if letter.state == "settled" { Ending::Done } else { Ending::Findings })
}

async fn redrive_all(console: Console, client: &Client, args: &RedriveArgs) -> Result<Ending, Failure> {
    let filters = &args.filters;
    let body = json!({
        "state": filters.state, "format": filters.format, "code": filters.code,
        "rate_per_second": args.rate, "dry_run": args.dry_run,
    });
    let mut answer = client.ask(Call::post("/v1/redrives").json(&body)?).await?;
    if client.is_in_process() && !args.dry_run {
        answer = carry_out(client, answer.read::<RedriveBody>()?).await?;
    }
    console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
    Ok(Ending::Done)
}

/// Without a server nobody else carries a redrive out.
async fn carry_out(client: &Client, begun: RedriveBody) -> Result<Answer, Failure> {
    loop {
        let run = Call::post("/v1/reconcilers").segment("dead-letters").action("run").json(&json!({}))?;
        client.ask(run).await?;
        let answer = client.ask(Call::get("/v1/redrives").segment(&begun.id)).await?;
        if answer.read::<RedriveBody>()?.state != "running" {
            return Ok(answer);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn say_state(console: Console, answer: &Answer) -> Result<Ending, Failure> {
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
    } else {
        console.line(answer.read::<LetterBody>()?.state)?;
    }
    Ok(Ending::Done)
}

async fn export(console: Console, client: &Client, filters: &LetterFilters) -> Result<Ending, Failure> {
    let mut cursor: Option<String> = None;
    loop {
        let body: LettersBody = page(client, filters, cursor.as_deref()).await?.read()?;
        for letter in &body.dead_letters {
            let whole = client.ask(Call::get(LETTERS).segment(&letter.id)).await?;
            console.line(String::from_utf8_lossy(&whole.body).trim_end())?;
        }
        cursor = body.next_cursor;
        if cursor.is_none() {
            return Ok(Ending::Done);
        }
    }
}
