//! `km write`.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::path::Path;

use km_model::WriteDocument;

use super::read_text;
use crate::cli::WriteArgs;
use crate::client::{Call, Client, Written};
use crate::console::{Console, DIM, RESET};
use crate::failure::{Ending, Failure};

pub(super) async fn run(console: Console, client: &Client, args: &WriteArgs) -> Result<Ending, Failure> {
    let call = Call::post("/v1/writes");
    let call = match &args.file {
        Some(file) => call.content("application/json", read_text(file)?),
        None => call.json(&document(args)?)?,
    };
    let answer = client.ask(call).await?;
    if console.json {
        console.line(String::from_utf8_lossy(&answer.body).trim_end())?;
    } else {
        say(console, &answer.read()?)?;
    }
    Ok(Ending::Done)
}

fn document(args: &WriteArgs) -> Result<WriteDocument, Failure> {
    let path = args.path.ok_or_else(|| {
        Failure::Usage("say what to write: a FILE, `-`, or flags that begin with --path".to_owned())
    })?;
    let labels: BTreeMap<String, String> = args.labels.iter().cloned().collect();
    Ok(WriteDocument {
        path: Some(path.as_str().to_owned()),
        incident_id: args.incident.clone(),
        approval_id: args.approval.clone(),
        execution_id: args.execution.clone(),
        playbook: args.playbook.clone(),
        title: args.title.clone(),
        content: content(args)?,
        entry_type: args.entry_type.clone(),
        tags: Some(args.tags.clone()).filter(|tags| !tags.is_empty()),
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        occurred_at: args.occurred_at.clone(),
        write_id: args.write_id.clone(),
        ..WriteDocument::default()
    })
}

/// The content that was given; standard input is read only where it was named, or piped in place of a title.
fn content(args: &WriteArgs) -> Result<Option<String>, Failure> {
    if let Some(file) = &args.content_file {
        return read_text(file).map(Some);
    }
    let piped = args.content.is_none() && args.title.is_none() && !io::stdin().is_terminal();
    if piped { read_text(Path::new("-")).map(Some) } else { Ok(args.content.clone()) }
}

fn say(console: Console, written: &Written) -> Result<(), Failure> {
    let receipt = written.receipt.clone().unwrap_or_default();
    console.line(format_args!("{} {} revision {}", written.outcome, receipt.entry_id, receipt.revision))?;
    console.note(format_args!(
        "{DIM}write {}, kept at {}, durability {}{RESET}",
        receipt.write_id, receipt.stored_at, receipt.durability
    ))?;
    Ok(())
}
