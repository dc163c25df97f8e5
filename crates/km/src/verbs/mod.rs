//! One file for each verb, or for a few that are alike.

mod alertmanager;
mod completions;
mod configuration;
mod copies;
mod demo;
mod doctor;
mod drift;
mod explain;
mod export;
mod import;
mod keys;
mod letters;
mod running;
mod search;
mod show;
mod slo;
mod verify;
mod write;

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::cli::{Cli, Global, Verb};
use crate::client::{Access, Client, connect};
use crate::config::Environment;
use crate::context::Context;
use crate::failure::{Ending, Failure};

/// Does what the command line asks.
pub(crate) async fn run(cli: Cli, environment: Environment) -> Result<Ending, Failure> {
    let Cli { global, verb } = cli;
    match verb {
        Verb::Completions { shell } => completions::run(&global, shell),
        Verb::Drift(args) => drift::run(&global, &args),
        Verb::Alertmanager { verb } => alertmanager::run(&global, &verb).await,
        Verb::Explain { code } => explain::run(&global, code.as_deref()),
        Verb::Doctor => doctor::run(global, environment).await,
        Verb::Config { verb } => configuration::run(global, environment, &verb),
        verb @ (Verb::Demo(_)
        | Verb::Serve(_)
        | Verb::Verify(_)
        | Verb::Slo { .. }
        | Verb::Backup { .. }
        | Verb::Restore { .. }
        | Verb::Write(_)
        | Verb::Import(_)
        | Verb::Search(_)
        | Verb::Show(_)
        | Verb::DeadLetters { .. }
        | Verb::Reconcile { .. }
        | Verb::Keys { .. }
        | Verb::Policy { .. }
        | Verb::Status
        | Verb::Export { .. }
        | Verb::Reindex) => with_configuration(global, environment, verb).await,
    }
}

async fn with_configuration(global: Global, environment: Environment, verb: Verb) -> Result<Ending, Failure> {
    let context = Context::new(global, environment)?;
    match verb {
        Verb::Demo(args) => demo::run(context, &args).await,
        Verb::Serve(args) => crate::serve::run(context, &args).await,
        Verb::Verify(args) => verify::run(&context, &args).await,
        Verb::Slo { verb } => slo::run(&context, &verb).await,
        Verb::Backup { to } => copies::backup(&context, &to),
        Verb::Restore { from } => copies::restore(&context, &from),
        verb => with_client(&context, &verb).await,
    }
}

/// A store that a verb opened is closed in order, however the verb ended.
async fn with_client(context: &Context, verb: &Verb) -> Result<Ending, Failure> {
    let client = connect(context, access(verb)).await?;
    let ended = call(context, &client, verb).await;
    client.close().await;
    ended
}

/// Whether a verb makes sense where there is no store yet.
const fn access(verb: &Verb) -> Access {
    match verb {
        Verb::Write(_) | Verb::Import(_) | Verb::Keys { .. } => Access::MayCreate,
        Verb::Demo(_)
        | Verb::Serve(_)
        | Verb::Search(_)
        | Verb::Show(_)
        | Verb::DeadLetters { .. }
        | Verb::Verify(_)
        | Verb::Reconcile { .. }
        | Verb::Policy { .. }
        | Verb::Status
        | Verb::Backup { .. }
        | Verb::Restore { .. }
        | Verb::Export { .. }
        | Verb::Reindex
        | Verb::Slo { .. }
        | Verb::Config { .. }
        | Verb::Alertmanager { .. }
        | Verb::Drift(_)
        | Verb::Doctor
        | Verb::Explain { .. }
        | Verb::Completions { .. } => Access::Existing,
    }
}

async fn call(context: &Context, client: &Client, verb: &Verb) -> Result<Ending, Failure> {
    let console = context.console;
    match verb {
        Verb::Write(args) => write::run(console, client, args).await,
        Verb::Import(args) => import::run(console, client, args).await,
        Verb::Search(args) => search::run(console, client, args).await,
        Verb::Show(args) => show::run(console, client, args).await,
        Verb::DeadLetters { verb } => letters::run(console, client, verb).await,
        Verb::Reconcile { name } => running::reconcile(console, client, name.as_deref()).await,
        Verb::Keys { verb } => keys::run(console, client, verb).await,
        Verb::Policy { policy } => running::policy(console, client, *policy).await,
        Verb::Status => running::status(console, client).await,
        Verb::Export { output } => export::run(console, client, output.as_deref()).await,
        Verb::Reindex => running::reindex(console, client).await,
        Verb::Demo(_)
        | Verb::Serve(_)
        | Verb::Verify(_)
        | Verb::Backup { .. }
        | Verb::Restore { .. }
        | Verb::Slo { .. }
        | Verb::Config { .. }
        | Verb::Alertmanager { .. }
        | Verb::Drift(_)
        | Verb::Doctor
        | Verb::Explain { .. }
        | Verb::Completions { .. } => Ok(Ending::Done),
    }
}

/// The whole of a file, or of standard input for `-`.
fn read_text(path: &Path) -> Result<String, Failure> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    read.map_err(Failure::file(path))
}
