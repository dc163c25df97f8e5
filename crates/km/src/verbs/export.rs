//! `km export`: the ledger's feed as NDJSON, one write a line, in the order of application.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use km_model::WriteDocument;

use crate::client::{Call, Client, Feed, WriteRecord};
use crate::console::Console;
use crate::failure::{Ending, Failure};

/// Writes that one call asks for.
const PAGE: &str = "100";

pub(super) async fn run(console: Console, client: &Client, output: Option<&Path>) -> Result<Ending, Failure> {
    let mut sink: Box<dyn Write + Send> = match output {
        Some(path) => Box::new(File::create_new(path).map_err(Failure::file(path))?),
        None => Box::new(io::stdout()),
    };
    let written = copy(client, &mut BufWriter::new(&mut sink)).await?;
    if let Some(path) = output {
        console.note(format_args!("{written} writes in {}", path.display()))?;
    }
    Ok(Ending::Done)
}

async fn copy(client: &Client, sink: &mut (impl Write + Send)) -> Result<u64, Failure> {
    let mut written = 0;
    let mut after: Option<String> = None;
    loop {
        let call = Call::get("/v1/writes").query("limit", PAGE).query_opt("after", after.as_deref());
        let page: Feed = client.ask(call).await?.read()?;
        for document in page.writes.into_iter().filter_map(document) {
            serde_json::to_writer(&mut *sink, &document).map_err(io::Error::from)?;
            sink.write_all(b"\n")?;
            written += 1;
        }
        after = page.next_cursor;
        if after.is_none() {
            sink.flush()?;
            return Ok(written);
        }
    }
}

/// An applied write as it is handed on: under its id, with the same content, as old as it is. Dead letters are not
/// part of the export.
fn document(record: WriteRecord) -> Option<WriteDocument> {
    record.receipt.as_ref()?;
    let document = record.write?;
    let received_at = record.occurred_at.filter(|_| document.occurred_at.is_none());
    Some(WriteDocument { write_id: Some(record.write_id), received_at, ..document })
}
