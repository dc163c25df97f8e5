//! A layer as a row of cycles on fresh data directories, and the report of the one that failed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::failure::Failure;
use crate::figures::Figures;
use crate::km::{Km, tail};
use crate::options::Layer;
use crate::rig::Rig;

/// Lines of km's log that the report of a failure shows.
const LOG_LINES: usize = 12;

/// What a layer does with one data directory.
pub(crate) trait Trial: Sized {
    /// Cycles on one directory before a fresh one is taken.
    const CYCLES: u64;

    /// An empty directory below `place`. Equal seeds give equal decisions; instants are as exact as the machine.
    fn begin(km: &Km, place: &Path, seed: u64) -> Result<Self, Failure>;

    /// One cycle, the `nth` on this directory, counted from 0.
    fn cycle(&mut self, nth: u64, figures: &mut Figures) -> Result<(), Failure>;

    /// What follows the last cycle on this directory.
    fn finish(&mut self, figures: &mut Figures) -> Result<(), Failure>;

    /// What is known about the directory.
    fn rig(&mut self) -> &mut Rig;

    /// The same, when the trial is over.
    fn into_rig(self) -> Rig;
}

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) layer: Layer,
    pub(crate) km: &'a Km,
    /// Where directories are made.
    pub(crate) place: &'a Path,
    /// Of the first directory; the next one has the next seed.
    pub(crate) seed: u64,
    pub(crate) cycles: u64,
}

/// Runs a layer to its end or to its first failure, which is reported at once.
pub(crate) fn run<T: Trial>(plan: Plan<'_>) -> Figures {
    let mut figures = Figures::new(plan.layer.name(), plan.seed);
    let begun = Instant::now();
    let mut seed = plan.seed;
    while figures.cycles < plan.cycles && !figures.failed {
        let cycles = T::CYCLES.min(plan.cycles - figures.cycles);
        if let Err(failure) = on_one_directory::<T>(plan, seed, cycles, &mut figures) {
            report(plan, seed, &failure);
            figures.failed = true;
        }
        figures.took = begun.elapsed();
        if figures.cycles < plan.cycles {
            println!("{}", figures.progress(plan.cycles));
        }
        seed = seed.wrapping_add(1);
    }
    figures
}

/// A failure with the cycles that lead to it.
struct Failed {
    failure: Failure,
    cycles: u64,
    /// Where everything was left; `None` when it had not begun.
    left: Option<(PathBuf, String)>,
}

fn on_one_directory<T: Trial>(
    plan: Plan<'_>,
    seed: u64,
    cycles: u64,
    figures: &mut Figures,
) -> Result<(), Failed> {
    let mut trial =
        T::begin(plan.km, plan.place, seed).map_err(|failure| Failed { failure, cycles: 1, left: None })?;
    let mut done = 0;
    let ended = (0..cycles)
        .try_for_each(|nth| {
            figures.cycles += 1;
            done += 1;
            trial.cycle(nth, figures)
        })
        .and_then(|()| trial.finish(figures));
    trial.rig().count(figures);
    ended.map_err(|failure| {
        let failure = with_losses(failure, trial.rig(), figures);
        let rig = trial.into_rig();
        let said = tail(&rig.log, LOG_LINES);
        Failed { failure, cycles: done, left: Some((rig.keep(), said)) }
    })
}

/// A client that was told something wrong stops at once; what is missing besides is looked for now.
fn with_losses(failure: Failure, rig: &mut Rig, figures: &mut Figures) -> Failure {
    match failure {
        Failure::Broken(mut findings) if figures.lost + figures.duplicated == 0 => {
            if let Err(Failure::Broken(more)) = rig.check(figures) {
                let new = more.into_iter().filter(|finding| !findings.contains(finding));
                let new: Vec<String> = new.map(|finding| format!("afterwards: {finding}")).collect();
                findings.extend(new);
            }
            Failure::Broken(findings)
        }
        failure => failure,
    }
}

/// Says what failed, how to make it again, and where to look.
fn report(plan: Plan<'_>, seed: u64, failed: &Failed) {
    let Failed { failure, cycles, left } = failed;
    let name = plan.layer.name();
    println!("{name} failed in cycle {cycles} of seed {seed}: {failure}");
    println!(
        "  again:    km-proof --km {} --layer {name} --seed {seed} --cycles {cycles}",
        plan.km.path().display()
    );
    if let Some((directory, said)) = left {
        println!("  left in:  {}", directory.display());
        said.lines().for_each(|line| println!("  km said:  {line}"));
    }
}
