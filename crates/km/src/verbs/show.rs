//! `km show`.

use crate::cli::{ShowArgs, ShowVerb};
use crate::client::{Answer, Call, Chain, ChainAlert, Client, Entry, Hit, Revisions, WriteRecord};
use crate::console::{BOLD, CYAN, Console, DIM, GREEN, RED, RESET, brief, safe};
use crate::failure::{Ending, Failure};
use crate::verbs::search::about;

/// Characters of a heading that are shown.
const HEADING_SHOWN: usize = 80;

pub(super) async fn run(console: Console, client: &Client, args: &ShowArgs) -> Result<Ending, Failure> {
    match (&args.other, &args.entry) {
        (Some(ShowVerb::Incident { id }), _) => incident(console, client, id).await?,
        (Some(ShowVerb::Write { id }), _) => write(console, client, id).await?,
        (None, Some(id)) => entry(console, client, id, args.revisions).await?,
        (None, None) => return Err(Failure::Usage("say which entry".to_owned())),
    }
    Ok(Ending::Done)
}

async fn entry(console: Console, client: &Client, id: &str, with_revisions: bool) -> Result<(), Failure> {
    let call = Call::get("/v1/entries").segment(id);
    let answer = client.ask(call.clone()).await?;
    let revisions = if with_revisions { Some(client.ask(call.segment("revisions")).await?) } else { None };
    if console.json {
        return say_json(console, revisions.as_ref().unwrap_or(&answer));
    }
    say_entry(console, &answer.read()?)?;
    if let Some(revisions) = revisions {
        say_revisions(console, &revisions.read()?)?;
    }
    Ok(())
}

fn say_json(console: Console, answer: &Answer) -> Result<(), Failure> {
    Ok(console.line(String::from_utf8_lossy(&answer.body).trim_end())?)
}

fn say_entry(console: Console, entry: &Entry) -> Result<(), Failure> {
    console.line(format_args!("{BOLD}{}{RESET}", brief(entry.heading(), HEADING_SHOWN)))?;
    console.line(format_args!("{CYAN}{}{RESET}", about(entry)))?;
    let tags = entry.tags.as_deref().unwrap_or_default().join(", ");
    let labels: Vec<String> =
        entry.labels.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    let facts = [
        ("type", entry.entry_type.clone().unwrap_or_default()),
        ("tags", tags),
        ("labels", labels.join(", ")),
        ("execution", entry.execution_id.clone().unwrap_or_default()),
        ("occurred", entry.occurred_at.clone()),
        ("stored", entry.stored_at.clone()),
        ("revision", format!("{} of {}", entry.revision, entry.revisions)),
        ("entry", entry.entry_id.clone()),
        ("write", entry.write_id.clone()),
        ("content hash", entry.content_hash.clone()),
    ];
    for (name, fact) in facts.iter().filter(|(_, fact)| !fact.is_empty()) {
        console.line(format_args!("{DIM}{name:<13}{RESET}{}", safe(fact)))?;
    }
    if let Some(content) = entry.content.as_deref().filter(|content| !content.is_empty()) {
        console.line(format_args!("\n{}", safe(content.trim_end())))?;
    }
    Ok(())
}

fn say_revisions(console: Console, revisions: &Revisions) -> Result<(), Failure> {
    console.line("")?;
    let row = |revision: &crate::client::Revision| {
        vec![
            revision.revision.to_string(),
            revision.outcome.clone(),
            revision.occurred_at.clone(),
            revision.stored_at.clone(),
            safe(&revision.write_id),
        ]
    };
    let rows = revisions.revisions.iter().map(row).collect();
    console.table(&["revision", "outcome", "occurred", "stored", "write"], rows)?;
    Ok(())
}

async fn incident(console: Console, client: &Client, id: &str) -> Result<(), Failure> {
    let answer = client.ask(Call::get("/v1/incidents").segment(id)).await?;
    if console.json { say_json(console, &answer) } else { say_chain(console, &answer.read()?) }
}

/// The chain of an incident from its alerts to its playbooks.
pub(super) fn say_chain(console: Console, chain: &Chain) -> Result<(), Failure> {
    let colour = if chain.status == "resolved" { GREEN } else { RED };
    console.line(format_args!(
        "{BOLD}{}{RESET}  {colour}{}{RESET}",
        safe(&chain.incident_id),
        chain.status
    ))?;
    for alert in &chain.alerts {
        say_link(console, "alert", &alert_text(alert))?;
    }
    for entry in &chain.entries {
        let text = format!("{}  {DIM}{}{RESET}", brief(entry.heading(), HEADING_SHOWN), entry.path);
        say_link(console, "entry", &text)?;
    }
    for approval in &chain.approvals {
        let first = chain.related_approval_id.as_deref() == Some(approval.approval_id.as_str());
        let status = approval.status.as_deref().unwrap_or("unknown");
        let note = if first { ", the first" } else { "" };
        let text = format!("{}  {DIM}{status}{note}, {}{RESET}", safe(&approval.approval_id), approval.since);
        say_link(console, "approval", &text)?;
    }
    for playbook in &chain.playbooks {
        say_link(console, "playbook", &safe(&playbook.playbook))?;
    }
    for Hit { entry, .. } in &chain.similar {
        let text = format!("{}  {DIM}{}{RESET}", brief(entry.heading(), HEADING_SHOWN), about(entry));
        say_link(console, "similar", &text)?;
    }
    Ok(())
}

fn say_link(console: Console, kind: &str, text: &str) -> Result<(), Failure> {
    Ok(console.line(format_args!("  {CYAN}{kind:<9}{RESET} {text}"))?)
}

fn alert_text(alert: &ChainAlert) -> String {
    let name = alert.labels.get("alertname").unwrap_or(&alert.fingerprint);
    let from = &alert.starts_at;
    let until = alert.ends_at.as_deref().unwrap_or("now");
    let how = alert.end_provenance.as_deref().unwrap_or(&alert.provenance);
    let how = if matches!(how, "" | "delivered") { String::new() } else { format!(", {how}") };
    format!("{}  {DIM}{}, {from} – {until}{how}{RESET}", safe(name), alert.status)
}

async fn write(console: Console, client: &Client, id: &str) -> Result<(), Failure> {
    let answer = client.ask(Call::get("/v1/writes").segment(id)).await?;
    if console.json {
        return say_json(console, &answer);
    }
    let record: WriteRecord = answer.read()?;
    console.line(format_args!("{BOLD}{}{RESET}  {}", safe(&record.write_id), record.state))?;
    if let Some(receipt) = record.receipt {
        console.line(format_args!("{DIM}entry{RESET}      {}", receipt.entry_id))?;
        console.line(format_args!("{DIM}revision{RESET}   {}", receipt.revision))?;
        console.line(format_args!("{DIM}stored{RESET}     {}", receipt.stored_at))?;
        console.line(format_args!("{DIM}durability{RESET} {}", receipt.durability))?;
    }
    Ok(())
}
