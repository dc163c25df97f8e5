//! What to measure, and how long: the command line.

use std::path::PathBuf;

/// The whole usage text, as `--help` shows it.
pub(crate) const USAGE: &str = "\
The same work through km and through its alternatives, in one run, as ratios.

usage: cargo xtask bench [OPTION …]
       km-bench --km PATH [OPTION …]

sections (all of them unless --only names one):
  write    durable writes in process, against the bare engine with the same schema and durability
  http     durable writes through POST /v1/writes of a real server, against the bare engine
  large    a large store: start, search against SQLite FTS5, memory, building the index anew
  python   durable writes through the older Python writer on PostgreSQL, against km over HTTP;
           runs when --python names its folder

options:
  --km PATH           the km binary; `cargo xtask bench` gives it            (http, large, python)
  --only SECTION      write, http, large or python
  --data DIR          where stores are made, on the disk to be measured      [target]
  --rounds N          rounds of each candidate; medians are compared         [5]
  --seconds S         length of a round                                      [2]
  --callers N,…       concurrent callers                                     [1,16,64,256]
  --entries N         entries of the large store                             [100000]
  --queries N         queries of each search measurement                     [2000]
  --without-index     leave the search index out                             (write)
  --python DIR        the folder of the older writer, with its baseline.py   (python)
  --python-bin PATH   a Python that has what the older writer needs          [python3]
  --json              print all rows as one line of JSON at the end
  --help              this text

The python section starts PostgreSQL and Redis by itself, on free ports of this machine and with their default
durability. It needs: apt-get install postgresql redis-server; python3 -m venv DIR; DIR/bin/pip install
sqlalchemy asyncpg redis structlog pydantic pydantic-settings greenlet; --python-bin DIR/bin/python.";

const SECTIONS: [&str; 4] = ["write", "http", "large", "python"];

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) km: Option<PathBuf>,
    pub(crate) data: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) entries: usize,
    pub(crate) queries: usize,
    pub(crate) only: Option<String>,
    pub(crate) json: bool,
    pub(crate) index: bool,
    pub(crate) callers: Vec<usize>,
    pub(crate) python: Option<PathBuf>,
    pub(crate) python_bin: PathBuf,
    pub(crate) help: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            km: None,
            data: PathBuf::from("target"),
            rounds: 5,
            seconds: 2.0,
            entries: 100_000,
            queries: 2_000,
            only: None,
            json: false,
            index: true,
            callers: vec![1, 16, 64, 256],
            python: None,
            python_bin: PathBuf::from("python3"),
            help: false,
        }
    }
}

impl Options {
    /// Reads the command line; an error says what is wrong with it.
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--help" | "-h" => options.help = true,
                "--json" => options.json = true,
                "--without-index" => options.index = false,
                _ => options.set(&name, &mut arguments)?,
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, arguments: &mut impl Iterator<Item = String>) -> Result<(), String> {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        match name {
            "--km" => self.km = Some(value()?.into()),
            "--data" => self.data = value()?.into(),
            "--rounds" => self.rounds = count(name, &value()?)?,
            "--seconds" => self.seconds = seconds(name, &value()?)?,
            "--entries" => self.entries = count(name, &value()?)?,
            "--queries" => self.queries = count(name, &value()?)?,
            "--callers" => self.callers = counts(name, &value()?)?,
            "--only" => self.only = Some(section(value()?)?),
            "--python" => self.python = Some(value()?.into()),
            "--python-bin" => self.python_bin = value()?.into(),
            _ => return Err(format!("there is no option {name}")),
        }
        Ok(())
    }

    /// Whether a section was asked for, alone or with the others.
    pub(crate) fn wants(&self, section: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == section)
    }
}

fn count(name: &str, value: &str) -> Result<usize, String> {
    value.parse().ok().filter(|count| *count > 0).ok_or_else(|| format!("{name} {value}: not a count"))
}

fn counts(name: &str, value: &str) -> Result<Vec<usize>, String> {
    value.split(',').map(|part| count(name, part)).collect()
}

fn seconds(name: &str, value: &str) -> Result<f64, String> {
    let seconds = value.parse::<f64>().ok().filter(|seconds| (0.1..=3_600.0).contains(seconds));
    seconds.ok_or_else(|| format!("{name} {value}: not between 0.1 and 3600"))
}

fn section(name: String) -> Result<String, String> {
    let known = SECTIONS.contains(&name.as_str());
    if known { Ok(name) } else { Err(format!("--only {name}: choose one of {}", SECTIONS.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read() {
        let options = read("--km km --callers 1,64 --seconds 0.5 --only http").unwrap();
        assert_eq!((options.callers.as_slice(), options.seconds), ([1, 64].as_slice(), 0.5));
        assert!(options.wants("http") && !options.wants("write"));
    }

    #[test]
    fn mistakes_are_named() {
        for (line, named) in [
            ("--rounds 0", "--rounds 0"),
            ("--callers 1,x", "x"),
            ("--seconds nan", "nan"),
            ("--only wrte", "wrte"),
            ("--km", "--km"),
            ("--what 1", "--what"),
        ] {
            assert!(read(line).unwrap_err().contains(named), "{line}");
        }
    }

    #[test]
    fn every_option_and_section_is_explained() {
        for word in SECTIONS.into_iter().chain(["--km", "--data", "--rounds", "--seconds", "--entries"]) {
            assert!(USAGE.contains(word), "{word}");
        }
    }
}
