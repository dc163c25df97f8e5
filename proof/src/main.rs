//! The torture tests of km: what is promised about crashes, full disks and backups, tried on the real binary.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool for a terminal: it prints and takes time"
)]

mod answer;
mod check;
mod client;
mod dice;
mod failure;
mod figures;
mod full_disk;
mod history;
mod http;
mod kept;
mod kills;
mod km;
mod log;
mod mounts;
mod options;
mod restores;
mod rig;
mod trial;
mod work;

use std::process::ExitCode;
use std::time::SystemTime;

use crate::failure::Failure;
use crate::figures::Figures;
use crate::full_disk::FullDisk;
use crate::kills::Kills;
use crate::km::Km;
use crate::options::{Layer, NoOptions, Options, USAGE};
use crate::restores::Restores;
use crate::trial::{Plan, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match Options::read(arguments.iter().cloned()) {
        Ok(options) => options,
        Err(NoOptions::Help) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(NoOptions::Usage(why)) => {
            println!("{why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match prove(&options, &arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs every layer that is wanted; whether all promises held.
fn prove(options: &Options, arguments: &[String]) -> Result<bool, Failure> {
    std::fs::create_dir_all(&options.data).map_err(Failure::file(&options.data))?;
    let place = options.data.canonicalize().map_err(Failure::file(&options.data))?;
    let km = Km::at(&options.km)?;
    let mut layers = Vec::new();
    // There is no way back from inside, so what comes back is why T8 cannot be tried.
    let outside = options.wants(Layer::FullDisk) && !options.inside;
    let no_mounts = outside.then(|| mounts::go_inside(&place, arguments));
    let seed = options.seed(clock);
    for layer in Layer::ALL.into_iter().filter(|layer| options.wants(*layer)) {
        let plan = Plan { layer, km: &km, place: &place, seed, cycles: options.cycles(layer) };
        layers.push(match (layer, &no_mounts) {
            (Layer::Kills, _) => run::<Kills>(plan),
            (Layer::FullDisk, None) => run::<FullDisk>(plan),
            (Layer::FullDisk, Some(hindrance)) => not_tried(layer, seed, hindrance),
            (Layer::Restores, _) => run::<Restores>(plan),
        });
    }
    figures::print(&layers, options.json);
    Ok(layers.iter().all(|figures| !figures.failed))
}

/// A layer that cannot be tried has failed.
fn not_tried(layer: Layer, seed: u64, hindrance: &Failure) -> Figures {
    println!("{} failed: {hindrance}", layer.name());
    Figures { failed: true, ..Figures::new(layer.name(), seed) }
}

fn clock() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
