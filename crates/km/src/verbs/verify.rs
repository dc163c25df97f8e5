//! `km verify`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use km_contract::verify::{KeptReceipt, SealShown, Verdict, verify, verify_receipts, verify_with_seal};
use km_model::{ContentHash, TenantId};

use crate::cli::VerifyArgs;
use crate::console::{Console, GREEN, RED, RESET, safe};
use crate::context::Context;
use crate::failure::{Ending, Failure};

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<Ending, Failure> {
    if context.global.url.is_some() {
        let reason = "verify reads the files themselves: name the data directory with --data";
        return Err(Failure::Usage(reason.to_owned()));
    }
    let tenant = TenantId::parse(args.tenant.as_str()).map_err(|error| Failure::Usage(error.to_string()))?;
    let seal = args.expect_seal.as_deref().map(read_seal).transpose()?;
    let store = km_store::inspect(&context.data(), crate::runtime::clock()).await?;
    let mut verdict = match seal {
        Some(seal) => verify_with_seal(store.audit.as_ref(), seal).await?,
        None => verify(store.audit.as_ref()).await?,
    };
    if let Some(file) = &args.receipts {
        let receipts = read_receipts(file)?;
        verify_receipts(store.ledger.as_ref(), &tenant, receipts, &mut verdict).await?;
    }
    store.upkeep.close().await;
    say(context.console, &verdict)?;
    Ok(if verdict.is_sound() { Ending::Done } else { Ending::Findings })
}

fn read_seal(text: &str) -> Result<ContentHash, Failure> {
    ContentHash::parse(text)
        .map_err(|_| Failure::Usage("--expect-seal takes 64 hexadecimal digits".to_owned()))
}

/// Receipts, one JSON object a line; an answer of the API with a `receipt` member is taken too.
fn read_receipts(file: &Path) -> Result<Vec<KeptReceipt>, Failure> {
    let reader: Box<dyn BufRead> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(Failure::file(file))?))
    };
    let mut receipts = Vec::new();
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line.map_err(Failure::file(file))?;
        if !line.trim().is_empty() {
            receipts.push(read_receipt(&line).ok_or_else(|| unreadable(file, number))?);
        }
    }
    Ok(receipts)
}

fn read_receipt(line: &str) -> Option<KeptReceipt> {
    #[derive(serde::Deserialize)]
    struct Answered {
        receipt: KeptReceipt,
    }
    let bare = serde_json::from_str(line).ok();
    bare.or_else(|| serde_json::from_str::<Answered>(line).ok().map(|answered| answered.receipt))
}

fn unreadable(file: &Path, number: usize) -> Failure {
    Failure::Usage(format!("{}, line {number}: not a receipt", file.display()))
}

fn say(console: Console, verdict: &Verdict) -> Result<(), Failure> {
    if console.json {
        return Ok(console.value(verdict)?);
    }
    for finding in &verdict.findings {
        console.line(format_args!("{RED}broken{RESET}  {}", safe(finding)))?;
    }
    let Verdict { writes, entries, links, approvals, dead_letters, seals, receipts, lost, broken, .. } =
        verdict;
    let unlisted = broken.saturating_sub(verdict.findings.len() as u64);
    if unlisted > 0 {
        console.line(format_args!("and {unlisted} more"))?;
    }
    let sound =
        if verdict.is_sound() { format!("{GREEN}sound{RESET}") } else { format!("{RED}broken{RESET}") };
    console.line(format_args!(
        "{sound}: {writes} writes, {entries} entries, {links} links, {approvals} approvals, \
         {dead_letters} dead letters, {seals} seals, {receipts} receipts; {lost} lost, {broken} broken promises"
    ))?;
    if let Some(SealShown { through, hash, sealed_at }) = &verdict.newest_seal {
        console.line(format_args!("newest seal: {hash}, through position {through}, made {sealed_at}"))?;
    }
    Ok(())
}
