//! The command line.

use std::path::PathBuf;

/// What `--help` says.
pub(crate) const USAGE: &str = "\
usage: km-proof --km PATH [--size change|night|release] [--layer T4|T8|T14] [--cycles N] [--seed N]
                [--data DIR] [--json]

The torture tests of km. Each layer prints its figures; a failure prints the command that makes it again.

  T4   kill -9 under load, at start, at import and at shutdown   25 cycles, night and release 1,000
  T8   the disk is full, then has room again                      1 cycle,  release 10
  T14  backup, destroy, restore                                   1 cycle,  release 20

  --km PATH      the `km` to prove
  --size SIZE    how long: `change` (default), `night` or `release`
  --layer NAME   only this layer; may be given again
  --cycles N     so many cycles instead; `--layer T4 --cycles 100000` takes hours and is meant to be possible
  --seed N       the seed of the first cycle; `change` takes 1, other sizes the clock
  --data DIR     where data directories are made [default: target/proof]
  --json         print the figures as one line of JSON at the end

Exit codes: 0 every promise held, 1 one did not or could not be tried, 2 usage.";

/// The layers that this binary holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// T4: `kill -9`.
    Kills,
    /// T8: the disk is full.
    FullDisk,
    /// T14: backup and restore.
    Restores,
}

impl Layer {
    /// Every layer, in the order in which they run.
    pub(crate) const ALL: [Self; 3] = [Self::Kills, Self::FullDisk, Self::Restores];

    /// Its name in the plan of proofs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Kills => "T4",
            Self::FullDisk => "T8",
            Self::Restores => "T14",
        }
    }

    const fn cycles(self, size: Size) -> u64 {
        match (self, size) {
            (Self::Kills, Size::Change) => 25,
            (Self::Kills, Size::Night | Size::Release) => 1_000,
            (Self::FullDisk | Self::Restores, Size::Change | Size::Night) => 1,
            (Self::FullDisk, Size::Release) => 10,
            (Self::Restores, Size::Release) => 20,
        }
    }
}

/// How long to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Change,
    Night,
    Release,
}

/// What to prove, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) km: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) json: bool,
    /// Whether this process has a mount table of its own already.
    pub(crate) inside: bool,
    size: Size,
    layers: Vec<Layer>,
    cycles: Option<u64>,
    seed: Option<u64>,
}

/// Why there are no options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoOptions {
    /// Somebody asked what there is.
    Help,
    /// What was said is not understood.
    Usage(String),
}

impl Options {
    pub(crate) fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, NoOptions> {
        let mut options = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--help" | "-h" => return Err(NoOptions::Help),
                "--json" => options.json = true,
                crate::mounts::INSIDE => options.inside = true,
                _ => {
                    let value = arguments.next().ok_or_else(|| usage(format!("what about `{name}`?")))?;
                    options.set(&name, &value)?;
                }
            }
        }
        match options.km.as_os_str().is_empty() {
            true => Err(usage("--km PATH is needed")),
            false => Ok(options),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), NoOptions> {
        match name {
            "--km" => self.km = value.into(),
            "--data" => self.data = value.into(),
            "--size" => self.size = size(value)?,
            "--layer" => self.layers.push(layer(value)?),
            "--cycles" => self.cycles = Some(number(name, value)?),
            "--seed" => self.seed = Some(number(name, value)?),
            _ => return Err(usage(format!("there is no `{name}`"))),
        }
        Ok(())
    }

    pub(crate) fn wants(&self, layer: Layer) -> bool {
        self.layers.is_empty() || self.layers.contains(&layer)
    }

    pub(crate) fn cycles(&self, layer: Layer) -> u64 {
        self.cycles.unwrap_or_else(|| layer.cycles(self.size))
    }

    /// A change is judged by what it changed, so its seed stays; longer runs look at other instants each time.
    pub(crate) fn seed(&self, clock: impl FnOnce() -> u64) -> u64 {
        self.seed.unwrap_or_else(|| match self.size {
            Size::Change => 1,
            Size::Night | Size::Release => clock(),
        })
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            km: PathBuf::new(),
            data: PathBuf::from("target/proof"),
            json: false,
            inside: false,
            size: Size::Change,
            layers: Vec::new(),
            cycles: None,
            seed: None,
        }
    }
}

fn usage(why: impl Into<String>) -> NoOptions {
    NoOptions::Usage(why.into())
}

fn size(value: &str) -> Result<Size, NoOptions> {
    match value {
        "change" => Ok(Size::Change),
        "night" => Ok(Size::Night),
        "release" => Ok(Size::Release),
        _ => Err(usage(format!("`{value}` is no size: change, night or release"))),
    }
}

fn layer(value: &str) -> Result<Layer, NoOptions> {
    let found = Layer::ALL.into_iter().find(|layer| layer.name() == value);
    found.ok_or_else(|| usage(format!("`{value}` is no layer of this binary: T4, T8 or T14")))
}

fn number(name: &str, value: &str) -> Result<u64, NoOptions> {
    value.parse().map_err(|_| usage(format!("`{name}` takes a number, not `{value}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, NoOptions> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn sizes_decide_cycles_unless_they_are_named() {
        let release = read("--km km --size release").unwrap();
        assert_eq!(Layer::ALL.map(|layer| release.cycles(layer)), [1_000, 10, 20]);
        let named = read("--km km --layer T4 --cycles 100000 --seed 9").unwrap();
        assert_eq!((named.cycles(Layer::Kills), named.seed(|| 0)), (100_000, 9));
        assert_eq!(Layer::ALL.map(|layer| named.wants(layer)), [true, false, false]);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["", "--km", "--km km --layer T5", "--km km --size huge", "--km km --seed x", "--what 1"]
        {
            assert!(matches!(read(line), Err(NoOptions::Usage(_))), "{line}");
        }
        assert_eq!(read("--help").err(), Some(NoOptions::Help));
    }
}
