//! `km drift`.

use std::path::{Path, PathBuf};

use km_drift::{Code, Deployed, Policy, Readers, Report, Row, Setting, Source, Target, Terms, ValuesMap};
use serde_json::{Value, json};

use crate::cli::{DriftArgs, Global};
use crate::console::Console;
use crate::failure::{Ending, Failure};
use crate::findings::{self, Finding, Format, Level, Place};
use crate::runtime;

pub(super) fn run(global: &Global, args: &DriftArgs) -> Result<Ending, Failure> {
    let console = Console::new(global);
    match Drift::new(args) {
        Ok(drift) => drift.check(console, args),
        Err(why) => misused(console, &why),
    }
}

fn misused(console: Console, why: &str) -> Result<Ending, Failure> {
    console.complain(why)?;
    Ok(Ending::Misused)
}

/// What is asked for, read and checked.
struct Drift {
    policy: Policy,
    map: ValuesMap,
    readers: Readers,
    python: Vec<PathBuf>,
    own: Vec<PathBuf>,
    skipped: usize,
    remarks: Vec<km_drift::Remark>,
}

/// The code side.
struct Extracted {
    settings: Vec<Setting>,
    files: usize,
}

impl Drift {
    fn new(args: &DriftArgs) -> Result<Self, String> {
        let policy = args.policy.as_deref().map_or_else(|| Ok(Policy::built_in()), policy)?;
        let mut map = ValuesMap::default();
        for entry in &args.maps {
            map.add(entry).map_err(|why| format!("--map: {why}"))?;
        }
        for (path, name) in &policy.map {
            map.insert(path, name).map_err(|why| format!("the policy's map: {why}"))?;
        }
        let mut readers = Readers::default();
        for reader in &args.readers {
            readers.add(reader).map_err(|why| format!("--reader: {why}"))?;
        }
        if let Some(missing) =
            args.code.iter().chain(&args.deployed).chain(&args.root).find(|path| !path.exists())
        {
            return Err(format!("{} is not there", missing.display()));
        }
        let mut drift = Self {
            policy,
            map,
            readers,
            python: Vec::new(),
            own: Vec::new(),
            skipped: 0,
            remarks: Vec::new(),
        };
        for path in &args.code {
            drift.add_code(path);
        }
        Ok(drift)
    }

    fn add_code(&mut self, path: &Path) {
        if !path.is_dir() {
            let own = path.extension().is_some_and(|extension| extension == "toml");
            if own {
                self.own.push(path.to_owned())
            } else {
                self.python.push(path.to_owned())
            }
            return;
        }
        let is_python = |path: &Path| path.extension().is_some_and(|extension| extension == "py");
        let walked = km_drift::walk(path, &is_python, true);
        self.python.extend(walked.files);
        self.skipped += walked.skipped;
        for (path, why) in walked.failed {
            self.remarks.push(unreadable(&path, &why));
        }
    }

    fn check(mut self, console: Console, args: &DriftArgs) -> Result<Ending, Failure> {
        let code = self.code(args)?;
        let deployed = km_drift::read(&args.deployed, &self.map);
        self.remarks.extend(deployed.remarks.iter().cloned());
        let target = match choose(&deployed, &code.settings, args) {
            Ok(target) => target,
            Err(why) => return misused(console, &why),
        };
        self.note_emptiness(&code, &deployed);
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key)
            .map_err(|error| Failure::Refused(format!("there is no randomness: {error}")))?;
        let today = runtime::clock().now().to_string();
        let today = today.get(..10).unwrap_or_default();
        let terms = Terms { policy: &self.policy, today, key: &key };
        let mut report = km_drift::compare(&code.settings, target, &deployed, &terms);
        report.rows.extend(self.remarks.iter().filter_map(km_drift::unparsable));
        self.print(console, args, &report, target, (&code, &deployed))
    }

    fn code(&mut self, args: &DriftArgs) -> Result<Extracted, Failure> {
        let mut code = Extracted { settings: Vec::new(), files: self.own.len() };
        for path in &self.own {
            let shown = path.display().to_string();
            let text = match km_drift::read_text(path) {
                Ok(text) => text,
                Err(error) => {
                    self.remarks.push(unreadable(path, &error.to_string()));
                    continue;
                }
            };
            match km_drift::own_settings(&shown, &text) {
                Ok(settings) => code.settings.extend(settings),
                Err(remark) => self.remarks.push(remark),
            }
        }
        let source = Source {
            root: args.root.clone().or_else(|| root_of(&args.code)),
            files: std::mem::take(&mut self.python),
            classes: args.classes.clone(),
            readers: self.readers.clone(),
        };
        let extraction = km_drift::extract(&source)?;
        code.settings.extend(extraction.settings);
        code.files += extraction.files;
        self.remarks.extend(extraction.remarks);
        Ok(code)
    }

    /// A check that looked at nothing must not pass for one that found nothing.
    fn note_emptiness(&mut self, code: &Extracted, deployed: &Deployed) {
        let mut nothing = |message: &str| {
            let remark = km_drift::Remark::new(Code::NothingCompared, km_drift::Level::Error, message, None);
            self.remarks.push(remark.undecided());
        };
        if code.settings.is_empty() {
            nothing("the code has no settings: no settings class, and nothing that reads the environment");
        }
        let empty = deployed.targets.is_empty() && deployed.common.is_empty();
        if empty {
            nothing("nothing is deployed: no container and no variable");
        }
    }

    fn print(
        self,
        console: Console,
        args: &DriftArgs,
        report: &Report,
        target: Option<&Target>,
        (code, deployed): (&Extracted, &Deployed),
    ) -> Result<Ending, Failure> {
        let mut remarks = self.remarks;
        remarks.extend(report.remarks.iter().cloned());
        remarks.sort_by_key(|remark| std::cmp::Reverse(remark.level));
        let undecided = remarks.iter().any(|remark| remark.undecided);
        let violated =
            remarks.iter().any(|remark| remark.level == km_drift::Level::Error && !remark.undecided);
        let format = Format::chosen(args.format, console);
        let summary = summary(report, target, (code.files, self.skipped), deployed, format);
        if format == Format::Text {
            table(console, &report.rows)?;
        }
        let found: Vec<Finding> = remarks.into_iter().map(finding).collect();
        findings::print(console, format, "km drift", &found, &summary)?;
        Ok(match (violated, undecided && !args.allow_unknown) {
            (true, _) => Ending::Findings,
            (false, true) => Ending::CannotRead,
            (false, false) => Ending::Done,
        })
    }
}

fn policy(path: &Path) -> Result<Policy, String> {
    let shown = path.display().to_string();
    let text =
        km_drift::read_text(path).map_err(|error| format!("the policy {shown} cannot be read: {error}"))?;
    Policy::read(&shown, &text).map_err(|error| {
        let numbers = [error.place.line, error.place.column].into_iter().flatten();
        let place = numbers.fold(error.place.file, |shown, number| format!("{shown}:{number}"));
        format!("{place}: {}", error.message)
    })
}

fn unreadable(path: &Path, why: &str) -> km_drift::Remark {
    let place = km_drift::Place::file(path.display().to_string());
    let message = format!("cannot be read: {why}");
    km_drift::Remark::new(Code::Unparsable, km_drift::Level::Error, message, Some(place)).undecided()
}

/// The current folder when it holds the code, or else the folder around its outermost package.
fn root_of(code: &[PathBuf]) -> Option<PathBuf> {
    let first = code.first()?.canonicalize().ok()?;
    let here = Path::new(".").canonicalize().ok()?;
    if first.starts_with(&here) {
        return Some(here);
    }
    let folder = if first.is_dir() { first.as_path() } else { first.parent()? };
    let outside = folder.ancestors().find(|folder| !folder.join("__init__.py").exists());
    outside.map(Path::to_path_buf)
}

/// The one container to compare with; none when only common variables are deployed.
fn choose<'a>(
    deployed: &'a Deployed,
    settings: &[Setting],
    args: &DriftArgs,
) -> Result<Option<&'a Target>, String> {
    let is_workload = |target: &Target, name: &str| {
        target.workload == name || target.workload.split('/').nth(1) == Some(name)
    };
    let wanted = |target: &&Target| {
        args.workload.as_deref().is_none_or(|name| is_workload(target, name))
            && args.container.as_deref().map_or(!target.init, |name| target.container == name)
    };
    let targets: Vec<&Target> = deployed.targets.iter().filter(wanted).collect();
    let asked = args.workload.is_some() || args.container.is_some();
    match targets.as_slice() {
        [] if asked => Err(format!(
            "no container is named so; there are {}",
            listed(&deployed.targets.iter().collect::<Vec<_>>())
        )),
        [] => Ok(None),
        [one] => Ok(Some(one)),
        several => {
            let reads = |target: &&&Target| {
                let known = |name: &str| {
                    settings.iter().any(|setting| setting.names.iter().any(|known| known.is(name)))
                };
                target.variables.iter().any(|variable| known(&variable.name))
            };
            let reading: Vec<&&Target> = several.iter().filter(reads).collect();
            match reading.as_slice() {
                [one] => Ok(Some(one)),
                _ => Err(format!("choose one with --workload and --container: {}", listed(several))),
            }
        }
    }
}

fn listed(targets: &[&Target]) -> String {
    if targets.is_empty() {
        return "none".to_owned();
    }
    let one = |target: &&Target| format!("{} ({})", target.workload, target.container);
    targets.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn summary(
    report: &Report,
    target: Option<&Target>,
    (files, skipped): (usize, usize),
    deployed: &Deployed,
    format: Format,
) -> Value {
    let counts = km_drift::counts(&report.rows);
    let sum = |names: &[&str]| names.iter().filter_map(|name| counts.get(name)).sum::<usize>();
    let mut summary = json!({
        "compared": sum(&["match", "differs", "cosmetic", "type-error"]),
        "unknown": sum(&["unknown-default", "unresolved-value", "secret"]),
        "skipped": report.rows.iter().filter(|row| row.ignored).count(),
        "not_set": sum(&["not-set", "missing-required"]),
        "violations": report.rows.iter().filter(|row| row.violation).count(),
        "undecided": report.rows.iter().filter(|row| row.undecided).count(),
        "code_files": files,
        "deployed_files": deployed.files,
        "files_skipped": skipped + deployed.skipped,
    });
    if let Some(target) = target {
        summary["container"] = json!(format!("{}/{}", target.workload, target.container));
    }
    if format == Format::Json {
        summary["statuses"] = json!(counts);
        summary["rows"] = json!(report.rows);
    }
    summary
}

fn table(console: Console, rows: &[Row]) -> Result<(), Failure> {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |row: &Row| {
        let status = if row.ignored { "ignored" } else { row.status.as_str() };
        let mark = if row.violation {
            "!"
        } else if row.undecided {
            "?"
        } else {
            ""
        };
        vec![
            mark.to_owned(),
            row.name.clone(),
            status.to_owned(),
            dash(&row.default),
            dash(&row.deployed),
            dash(&row.source),
        ]
    };
    if !rows.is_empty() {
        console.table(
            &["", "variable", "status", "default", "deployed", "set by"],
            rows.iter().map(row).collect(),
        )?;
        console.line("")?;
    }
    Ok(())
}

fn finding(remark: km_drift::Remark) -> Finding {
    let level = match remark.level {
        km_drift::Level::Error => Level::Error,
        km_drift::Level::Warning => Level::Warning,
        km_drift::Level::Note => Level::Note,
    };
    let place = remark.place.map(|place| Place { file: place.file, line: place.line, column: place.column });
    Finding { code: remark.code.id(), level, message: remark.message, place, help: remark.help }
}
