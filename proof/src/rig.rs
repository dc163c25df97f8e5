//! What every layer stands on: a data directory, its clients with their logs, and the checks of both.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempDir;

use crate::answer::Receipt;
use crate::check::{Breach, Finding, check};
use crate::client::{Client, Phase, read_back};
use crate::dice::Dice;
use crate::failure::Failure;
use crate::figures::Figures;
use crate::history::{Counting, Fate, History};
use crate::http::Caller;
use crate::kept::Kept;
use crate::km::{Km, Server, Starting, Verdict};
use crate::log::{Log, LogReader};
use crate::work::Draft;

/// A data directory with everything that is known about it.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) km: Km,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// Where km's own words go.
    pub(crate) log: PathBuf,
    pub(crate) clients: Vec<Client>,
    pub(crate) history: History,
    /// Which lines of the logs count from now on.
    pub(crate) counting: Counting,
    readers: Vec<LogReader>,
    directory: TempDir,
}

impl Rig {
    /// An empty rig in a new directory below `place`. The store lies in `data`, or else in that directory.
    pub(crate) fn new(km: &Km, place: &Path, name: &str, seed: u64, clients: u64) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix(&format!("{name}-{seed}-")).tempdir_in(place);
        let directory = directory.map_err(Failure::file(place))?;
        let at = directory.path().to_path_buf();
        let mut rig = Self {
            km: km.clone(),
            data: at.join("data"),
            log: at.join("km.log"),
            clients: Vec::new(),
            history: History::default(),
            counting: Counting::Everything,
            readers: Vec::new(),
            directory,
        };
        for nth in 1..=clients {
            let client = Client::new(&nth.to_string(), at.clone(), Dice::of(seed, nth))?;
            rig.readers.push(client.evidence()?);
            rig.clients.push(client);
        }
        Ok(rig)
    }

    /// A file of the rig, beside the data directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another log whose lines are evidence too.
    pub(crate) fn log_of(&mut self, name: &str) -> Result<Log, Failure> {
        let path = self.path(name);
        let log = Log::create(path.clone()).map_err(Failure::file(&path))?;
        self.readers.push(log.reader().map_err(Failure::file(&path))?);
        Ok(log)
    }

    /// Starts a server and does not wait for it.
    pub(crate) fn begin(&self) -> Result<Starting, Failure> {
        self.km.begin(&self.data, &self.log)
    }

    /// Starts a server; from then on clients speak to it.
    pub(crate) fn serve(&mut self) -> Result<Server, Failure> {
        let server = self.km.serve(&self.data, &self.log)?;
        self.clients.iter_mut().for_each(|client| client.turn_to(server.address));
        Ok(server)
    }

    /// Lets all clients write while `fault` does what it does, and takes their logs as evidence.
    pub(crate) fn load<T>(&mut self, fault: impl FnOnce(&Phase) -> Result<T, Failure>) -> Result<T, Failure> {
        let phase = Phase::default();
        let done = thread::scope(|scope| {
            let phase = &phase;
            let calls: Vec<_> =
                self.clients.iter_mut().map(|client| scope.spawn(move || client.write_on(phase))).collect();
            let done = fault(phase);
            phase.end();
            // What befell the server says more than what clients saw of it.
            let joined = calls.into_iter().try_for_each(join);
            done.and_then(|done| joined.map(|()| done))
        });
        self.gather()?;
        done
    }

    /// Lets all clients do the same, each on a thread of its own, and takes their logs as evidence.
    pub(crate) fn together(
        &mut self,
        work: impl Fn(&mut Client) -> Result<(), Failure> + Sync,
    ) -> Result<(), Failure> {
        let done = thread::scope(|scope| {
            let work = &work;
            let calls: Vec<_> =
                self.clients.iter_mut().map(|client| scope.spawn(move || work(client))).collect();
            calls.into_iter().try_for_each(join)
        });
        self.gather()?;
        done
    }

    /// Makes everything known that is in doubt. Only writes of clients can be in doubt here.
    pub(crate) fn resolve(&mut self) -> Result<(), Failure> {
        self.together(Client::resolve)?;
        match self.history.unknown().next() {
            None => Ok(()),
            Some((id, _)) => {
                Err(Failure::hindered(format!("{id} is in doubt after clients resolved their own")))
            }
        }
    }

    /// Takes what the logs say since the last time as evidence.
    pub(crate) fn gather(&mut self) -> Result<(), Failure> {
        for reader in &mut self.readers {
            let news = reader.news().map_err(Failure::because("could not read a log"))?;
            for line in news {
                self.history.note(line, self.counting).map_err(Failure::hindered)?;
            }
        }
        Ok(())
    }

    /// Looks up every acknowledged write by its receipt, over HTTP.
    pub(crate) fn read_everything_back(&self, server: &Server) -> Result<(), Failure> {
        let mut caller = Caller::new(server.address);
        self.history.receipts().try_for_each(|receipt| read_back(&mut caller, receipt))
    }

    /// Both checkers, on the data directory as it is now.
    pub(crate) fn check(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        self.together(Client::flush)?;
        figures.checks += 1;
        let mut broken = Vec::new();
        let verdict = heard(self.verdict(), &mut broken)?;
        let kept = heard(Kept::read(&self.data), &mut broken)?;
        let findings = kept.as_ref().map(|kept| check(&self.history, kept));
        figures.lost += self.lost(findings.as_deref(), verdict.as_ref());
        let findings = findings.unwrap_or_default();
        figures.duplicated += count(&findings, Breach::Duplicated);
        broken.extend(findings.iter().map(ToString::to_string));
        let shipped = verdict.iter().flat_map(|verdict| &verdict.findings);
        broken.extend(shipped.map(|finding| format!("km verify: {finding}")));
        if let (Some(verdict), Some(kept)) = (&verdict, &kept) {
            broken.extend(self.contradictions(verdict, kept));
        }
        match broken.is_empty() {
            true => Ok(()),
            false => Err(Failure::Broken(broken)),
        }
    }

    fn verdict(&self) -> Result<Verdict, Failure> {
        let receipts = self.path("receipts.jsonl");
        write_receipts(&receipts, self.history.receipts())?;
        self.km.verify(&self.data, &receipts, &self.log)
    }

    /// From a store that cannot be read everything is lost.
    fn lost(&self, findings: Option<&[Finding]>, verdict: Option<&Verdict>) -> u64 {
        match (findings, verdict) {
            (Some(findings), verdict) => {
                count(findings, Breach::Lost).max(verdict.map_or(0, |verdict| verdict.lost))
            }
            (None, _) => self.history.counts().acknowledged,
        }
    }

    /// A checker that passes over rows or receipts has not checked.
    fn contradictions(&self, verdict: &Verdict, kept: &Kept) -> Option<String> {
        let (rows, receipts) = (kept.records.len(), self.history.receipts().count());
        let agree = u64::try_from(rows).ok() == Some(verdict.writes)
            && u64::try_from(receipts).ok() == Some(verdict.receipts);
        (!agree).then(|| format!("km verify saw {verdict:?} of {rows} rows and {receipts} receipts"))
    }

    /// The shipped checker finds a receipt that was doctored. Without this its silence would say nothing.
    pub(crate) fn the_shipped_checker_can_fail(&self) -> Result<(), Failure> {
        let Some(honest) = self.history.receipts().next() else {
            return Err(Failure::hindered("nothing was acknowledged that could be doctored"));
        };
        let path = self.path("doctored.jsonl");
        let other_hash = Receipt { content_hash: "0".repeat(64), ..honest.clone() };
        let never_given = Receipt { write_id: "never-sent".to_owned(), ..honest.clone() };
        write_receipts(&path, [honest, &other_hash, &never_given].into_iter())?;
        let verdict = self.km.verify(&self.data, &path, &self.log)?;
        match (verdict.receipts, verdict.lost) {
            (3, 2) => Ok(()),
            _ => Err(Failure::broken(format!("`km verify` took doctored receipts: {verdict:?}"))),
        }
    }

    /// Adds what is known to the figures.
    pub(crate) fn count(&self, figures: &mut Figures) {
        figures.add(&self.history);
        if let Some(receipt) = self.history.receipts().next() {
            figures.durability = Some(receipt.durability.clone());
        }
    }

    /// Gives every write that is in doubt to some client, and lets all forget what a store that is gone said.
    pub(crate) fn hand_doubts_to_clients(&mut self) {
        let draft =
            |(id, fate): (&str, &Fate)| Draft { write_id: id.to_owned(), document: fate.document.clone() };
        let drafts: Vec<Draft> = self.history.unknown().map(draft).collect();
        let share = drafts.len().div_ceil(self.clients.len()).max(1);
        let mut shares = drafts.chunks(share);
        for client in &mut self.clients {
            client.doubt(shares.next().unwrap_or_default().to_vec());
        }
    }

    /// Leaves everything where it is, for whoever looks into a failure.
    pub(crate) fn keep(self) -> PathBuf {
        self.directory.keep()
    }
}

fn join(call: thread::ScopedJoinHandle<'_, Result<(), Failure>>) -> Result<(), Failure> {
    call.join().unwrap_or_else(|_| Err(Failure::hindered("a client panicked")))
}

/// What one checker cannot read is a finding, and the other one is asked all the same.
fn heard<T>(looked: Result<T, Failure>, broken: &mut Vec<String>) -> Result<Option<T>, Failure> {
    match looked {
        Ok(seen) => Ok(Some(seen)),
        Err(Failure::Broken(findings)) => {
            broken.extend(findings);
            Ok(None)
        }
        Err(hindered) => Err(hindered),
    }
}

fn count(findings: &[Finding], breach: Breach) -> u64 {
    u64::try_from(findings.iter().filter(|finding| finding.breach == breach).count()).unwrap_or(u64::MAX)
}

fn write_receipts<'a>(path: &Path, receipts: impl Iterator<Item = &'a Receipt>) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path).map_err(Failure::file(path))?);
    for receipt in receipts {
        serde_json::to_writer(&mut file, receipt).map_err(Failure::because("a receipt is no JSON"))?;
        file.write_all(b"\n").map_err(Failure::file(path))?;
    }
    file.flush().map_err(Failure::file(path))
}
