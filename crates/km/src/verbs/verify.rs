//! `km verify`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use km_contract::verify::{KeptReceipt, SealShown, Verdict, verify, verify_receipts, verify_with_seal};
use km_model::{ContentHash, TenantId};
use serde::Deserialize;

use crate::cli::VerifyArgs;
use crate::console::{Console, GREEN, RED, RESET, safe};
use crate::context::Context;
use crate::failure::{Ending, Failure};

pub(super) async fn run(context: &Context, args: &VerifyArgs) -> Result<Ending, Failure> {
    context.must_name_data("verify")?;
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

/// A receipt, or an answer of the API that holds one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Answer { receipt: KeptReceipt },
    Receipt(KeptReceipt),
}

/// Receipts, one JSON object after another; white space between them is not needed.
fn read_receipts(file: &Path) -> Result<Vec<KeptReceipt>, Failure> {
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(file).map_err(Failure::file(file))?)
    };
    let kept = serde_json::Deserializer::from_reader(BufReader::new(reader)).into_iter();
    let receipt = |kept: serde_json::Result<Kept>| match kept {
        Ok(Kept::Answer { receipt } | Kept::Receipt(receipt)) => Ok(receipt),
        Err(error) => Err(Failure::Usage(format!("{}: not a receipt: {error}", file.display()))),
    };
    kept.map(receipt).collect()
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
