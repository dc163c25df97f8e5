//! `km demo`: the newcomer's first minute. Nothing in it is staged: a real server on a real directory, asked
//! over HTTP like any other.

use std::path::{Path, PathBuf};

use km_model::Durability;
use reqwest::Url;

use super::import::{Tally, import_texts};
use super::{search, show};
use crate::cli::DemoArgs;
use crate::client::{Call, Chain, Client, DeliveredBody, Hits};
use crate::config::{Layers, Source};
use crate::console::{BOLD, CYAN, Console, DIM, RESET};
use crate::context::Context;
use crate::failure::{Ending, Failure};
use crate::serve::Server;

/// The sample knowledge: path under `samples/`, text.
const SAMPLES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/samples.rs"));
/// Directories of earlier demos that are passed over.
const DIRECTORIES_MAX: u32 = 1_000;
/// Hits that the tour shows.
const HITS_SHOWN: &str = "3";
/// What somebody on call would ask.
const QUESTION: &str = "payments-api pods crash looping after the release";
/// What somebody else would ask: how to look into a memory alert.
const QUESTION_IN_CHINESE: &str = "内存报警怎么排查";

pub(super) async fn run(mut context: Context, args: &DemoArgs) -> Result<Ending, Failure> {
    let directory = directory(args)?;
    configure(&mut context.layers, args, &directory)?;
    let console = context.console;
    let config = context.config();
    crate::log::begin(&config.log);
    let server = Server::start(config).await?;
    let toured = tour(console, &server, &directory).await;
    if args.once || toured.is_err() {
        server.finish().await?;
        return toured.map(|()| Ending::Done);
    }
    console.line(format_args!(
        "\n{BOLD}Serving on.{RESET} Ctrl-C ends it; the data stays in {}.",
        directory.display()
    ))?;
    server.until_stopped(config).await
}

/// A directory of the demo's own; an older store is never touched.
fn directory(args: &DemoArgs) -> Result<PathBuf, Failure> {
    let Some(directory) = &args.dir else {
        let numbered = (1..=DIRECTORIES_MAX).map(|number| PathBuf::from(format!("km-demo-{number}")));
        let fresh = numbered.into_iter().find(|path| !path.exists());
        return fresh
            .ok_or_else(|| Failure::Usage("there are too many km-demo-… directories here".to_owned()));
    };
    if km_store::survey(directory).store {
        let reason = format!("there is a store in {} already: choose a new directory", directory.display());
        return Err(Failure::Usage(reason));
    }
    Ok(directory.clone())
}

/// Only the demo's own settings differ; a file system that forgets is good enough to look around.
fn configure(layers: &mut Layers, args: &DemoArgs, directory: &Path) -> Result<(), Failure> {
    let text = directory.to_string_lossy().into_owned();
    layers.put("data.dir", text.into(), Source::Flag("--dir"))?;
    layers.put("http.listen", args.listen.to_string().into(), Source::Flag("--listen"))?;
    layers.put("log.level", "warn".into(), Source::Flag("demo"))?;
    let kind = km_store::survey(directory).file_system;
    if kind.is_some_and(|kind| kind.durability() == Durability::Volatile) {
        layers.put("data.allow-volatile", true.into(), Source::Flag("demo"))?;
    }
    Ok(())
}

async fn tour(console: Console, server: &Server, directory: &Path) -> Result<(), Failure> {
    let url = server.url();
    let base = Url::parse(&url).map_err(|error| Failure::Usage(error.to_string()))?;
    let client = Client::remote(base, None)?;
    heading(console, "A server, on a data directory of its own")?;
    console.line(format_args!("   {url}, data in {}", directory.display()))?;
    say_durability(console, directory)?;
    fill(console, &client).await?;
    let hits = ask(console, &client, "Have we seen this before?", QUESTION).await?;
    ask(console, &client, "以前见过吗？ Another question, in Chinese", QUESTION_IN_CHINESE).await?;
    chain(console, &client, &hits).await?;
    say_lines(console, &url, &hits)
}

fn heading(console: Console, text: &str) -> Result<(), Failure> {
    Ok(console.line(format_args!("\n{BOLD}{CYAN}▸ {text}{RESET}"))?)
}

fn say_durability(console: Console, directory: &Path) -> Result<(), Failure> {
    let Some(kind) = km_store::survey(directory).file_system else { return Ok(()) };
    let note = match kind.durability() {
        Durability::Disk => "every acknowledged write is flushed to it",
        Durability::Volatile => "fine for a demo; `km serve` would refuse it without --allow-volatile",
    };
    Ok(console.line(format_args!("   {DIM}it lies on {kind}: {note}{RESET}"))?)
}

async fn fill(console: Console, client: &Client) -> Result<(), Failure> {
    let (alerts, knowledge): (Vec<_>, Vec<_>) =
        SAMPLES.iter().copied().partition(|(name, _)| name.starts_with("alerts/"));
    heading(console, "Sample knowledge: runbooks, post-mortems, resolved incidents, approvals")?;
    let mut tally: Tally = import_texts(client, &knowledge).await?;
    tally.say_new(console)?;
    let kept = tally.created + tally.revised + tally.replayed + tally.superseded;
    console.line(format_args!(
        "   {kept} writes from {} files: {} created, {} revised, {} superseded, each acknowledged",
        tally.files, tally.created, tally.revised, tally.superseded
    ))?;
    heading(console, "Alerts, as Alertmanager sends them")?;
    let mut heard = 0;
    for (_, body) in alerts.iter().filter(|(name, _)| !name.contains("generic")) {
        let call = Call::post("/v1/webhooks/alertmanager").content("application/json", *body);
        heard += client.ask(call).await?.read::<DeliveredBody>()?.alerts;
    }
    console.line(format_args!("   {heard} alerts heard; a firing one opens its incident"))?;
    Ok(())
}

async fn ask(console: Console, client: &Client, title: &str, question: &str) -> Result<Hits, Failure> {
    heading(console, title)?;
    console.line(format_args!("   {DIM}km search {question}{RESET}"))?;
    let call = Call::get("/v1/search").query("q", question).query("limit", HITS_SHOWN);
    let hits: Hits = client.ask(call).await?.read()?;
    let shown = Hits { next_cursor: None, ..hits };
    search::say(console, &shown)?;
    Ok(shown)
}

/// The chain of the best hit that belongs to an incident.
async fn chain(console: Console, client: &Client, hits: &Hits) -> Result<(), Failure> {
    let Some(incident) = hits.hits.iter().find_map(|hit| hit.entry.incident_id.as_deref()) else {
        return Ok(());
    };
    heading(console, "One incident, with everything that is tied to it")?;
    console.line(format_args!("   {DIM}km show incident {incident}{RESET}"))?;
    let chain: Chain = client.ask(Call::get("/v1/incidents").segment(incident)).await?.read()?;
    show::say_chain(console, &chain)
}

fn say_lines(console: Console, url: &str, hits: &Hits) -> Result<(), Failure> {
    heading(console, "Do it yourself")?;
    let incident = hits.hits.iter().find_map(|hit| hit.entry.incident_id.as_deref()).unwrap_or("INC-1");
    let question = QUESTION.replace(' ', "+");
    let body = r#"{"path":"incident_resolve","incident_id":"INC-4711","title":"Disk full on db-1","content":"Rotated the logs."}"#;
    for line in [
        format!("curl '{url}/v1/search?q={question}'"),
        format!("curl '{url}/v1/incidents/{incident}'"),
        format!("curl -H 'content-type: application/json' -d '{body}' {url}/v1/writes"),
        format!("KM_URL={url} km search 'disk full'"),
    ] {
        console.line(format_args!("   {line}"))?;
    }
    Ok(())
}
