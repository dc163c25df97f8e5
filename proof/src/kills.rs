//! T4: `kill -9` of the real binary on a real disk: under load, at start, at import, at shutdown.
//!
//! After each kill the next server starts on the same directory without a repair step, clients repeat what is
//! in doubt, and the load goes on. Both checkers look at the directory as the kill left it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;

use serde::Deserialize;

use crate::client::Client;
use crate::dice::Dice;
use crate::failure::Failure;
use crate::figures::Figures;
use crate::km::{Km, Server, Verb, text};
use crate::log::{Line, Log};
use crate::rig::Rig;
use crate::trial::Trial;
use crate::work::{Author, Draft};

/// Cycles on one data directory, so that a check stays cheap; then a fresh one is taken.
const CYCLES_ON_ONE_DIRECTORY: u64 = 100;
/// Cycles between two checks of the whole store.
const CYCLES_BETWEEN_CHECKS: u64 = 10;
const CLIENTS: u64 = 12;
/// Acknowledged writes that each client looks up after a restart.
const READ_BACK: usize = 2;
/// The load before a kill, in milliseconds.
const LOAD_MS: (u64, u64) = (20, 120);

/// One data directory through its cycles.
pub(crate) struct Kills {
    rig: Rig,
    dice: Dice,
    importer: Importer,
}

/// What a cycle does to the server besides killing it under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Load,
    Start,
    Shutdown,
    Import,
}

impl Trial for Kills {
    const CYCLES: u64 = CYCLES_ON_ONE_DIRECTORY;

    fn begin(km: &Km, place: &Path, seed: u64) -> Result<Self, Failure> {
        let mut rig = Rig::new(km, place, "T4", seed, CLIENTS)?;
        let importer = Importer::new(rig.log_of("importer.jsonl")?, Dice::of(seed, u64::MAX));
        Ok(Self { rig, dice: Dice::new(seed), importer })
    }

    /// Start, resolve, load, kill; and now and then a look at everything.
    fn cycle(&mut self, nth: u64, figures: &mut Figures) -> Result<(), Failure> {
        // The first start makes the store, and is killed on the way.
        let kind = if nth == 0 { Kind::Start } else { self.kind() };
        if kind == Kind::Start {
            self.kill_at_start(figures)?;
        }
        let server = self.rig.serve()?;
        self.catch_up(&server)?;
        match kind {
            Kind::Load | Kind::Start => self.kill_under_load(server, figures)?,
            Kind::Shutdown => self.kill_at_shutdown(server, figures)?,
            Kind::Import => self.kill_at_import(server, figures)?,
        }
        if nth % CYCLES_BETWEEN_CHECKS == CYCLES_BETWEEN_CHECKS - 1 {
            self.rig.check(figures)?;
        }
        Ok(())
    }

    /// A look at what the last kill left; then everything becomes known, and the server ends in order.
    fn finish(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        self.rig.check(figures)?;
        let server = self.rig.serve()?;
        self.catch_up(&server)?;
        self.rig.together(Client::catch_up)?;
        self.rig.the_shipped_checker_can_fail()?;
        server.stop()?;
        self.rig.check(figures)
    }

    fn rig(&mut self) -> &mut Rig {
        &mut self.rig
    }

    fn into_rig(self) -> Rig {
        self.rig
    }
}

impl Kills {
    fn kind(&mut self) -> Kind {
        match self.dice.below(100) {
            0..=54 => Kind::Load,
            55..=69 => Kind::Start,
            70..=84 => Kind::Shutdown,
            _ => Kind::Import,
        }
    }

    /// What was begun before the kill comes to its end now.
    fn catch_up(&mut self, server: &Server) -> Result<(), Failure> {
        self.importer.finish(&self.rig, server)?;
        self.rig.resolve()?;
        self.rig.together(|client| {
            client.read_back(READ_BACK)?;
            client.find_again()
        })
    }

    fn kill_at_start(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        for _ in 0..self.dice.between(1, 4) {
            let instant = self.dice.within(0, 30);
            let starting = self.rig.begin()?;
            sleep(instant);
            starting.kill()?;
            figures.fault("kills at start");
        }
        self.kill_at_birth(figures)
    }

    /// A store that is being made: whatever is left of it, the next start makes it whole.
    fn kill_at_birth(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        let instant = self.dice.within(0, 20);
        let Rig { km, log, .. } = &self.rig;
        let newborn = self.rig.path("newborn");
        let starting = km.begin(&newborn, log)?;
        sleep(instant);
        starting.kill()?;
        figures.fault("kills at birth");
        km.serve(&newborn, log)?.kill()?;
        km.done(&["verify", "--data", text(&newborn)?], log)?;
        fs::remove_dir_all(&newborn).map_err(Failure::file(&newborn))
    }

    fn kill_under_load(&mut self, server: Server, figures: &mut Figures) -> Result<(), Failure> {
        let instant = self.dice.within(LOAD_MS.0, LOAD_MS.1);
        figures.fault("kills under load");
        self.rig.load(|phase| {
            sleep(instant);
            phase.doom();
            server.kill()
        })
    }

    fn kill_at_shutdown(&mut self, mut server: Server, figures: &mut Figures) -> Result<(), Failure> {
        let (instant, later) = (self.dice.within(LOAD_MS.0, LOAD_MS.1), self.dice.within(0, 40));
        figures.fault("kills at shutdown");
        self.rig.load(|phase| {
            sleep(instant);
            phase.doom();
            server.terminate()?;
            sleep(later);
            server.kill_while_it_ends()
        })
    }

    /// An import beside the load: its server is killed, or the importer, or both.
    fn kill_at_import(&mut self, server: Server, figures: &mut Figures) -> Result<(), Failure> {
        let (instant, later) = (self.dice.within(5, 150), self.dice.within(0, 30));
        let importer_dies = self.dice.percent(50);
        figures.fault(if importer_dies { "kills of an importer" } else { "kills at import" });
        let mut import = self.importer.begin(&self.rig, &server)?;
        let ended = self.rig.load(|phase| {
            sleep(instant);
            if importer_dies {
                import.kill()?;
                sleep(later);
            }
            phase.doom();
            server.kill()?;
            import.ended()
        })?;
        self.importer.note_end(ended.code == Some(0))?;
        self.rig.gather()
    }
}

/// Imports files through the server, again and again until one has come to its end.
struct Importer {
    author: Author,
    dice: Dice,
    log: Log,
    files: u64,
    open: Option<Import>,
}

/// A file whose import has not ended well yet.
struct Import {
    path: PathBuf,
    drafts: Vec<Draft>,
}

/// What `km import --json` says.
#[derive(Debug, Deserialize)]
struct Tally {
    created: usize,
    revised: usize,
    replayed: usize,
    superseded: usize,
    refused: usize,
    not_taken: usize,
}

impl Importer {
    fn new(log: Log, dice: Dice) -> Self {
        Self { author: Author::new("import", dice.clone()), dice, log, files: 0, open: None }
    }

    /// Starts the import of a new file.
    fn begin(&mut self, rig: &Rig, server: &Server) -> Result<Verb, Failure> {
        self.files += 1;
        let path = rig.path(&format!("import-{}.jsonl", self.files));
        let drafts: Vec<Draft> = (0..self.dice.between(50, 600)).map(|_| self.author.draft()).collect();
        fs::write(&path, lines(&drafts)?).map_err(Failure::file(&path))?;
        for draft in &drafts {
            self.note(&Line::sent(draft))?;
        }
        let import = Import { path, drafts };
        let verb = import.start(rig, server);
        self.open = Some(import);
        verb
    }

    /// An import that ended with 0 says that every line of the file is durable.
    fn note_end(&mut self, done: bool) -> Result<(), Failure> {
        let Some(import) = self.open.take_if(|_| done) else { return Ok(()) };
        for draft in import.drafts {
            self.note(&Line::Imported { write_id: draft.write_id })?;
        }
        self.log.flush().map_err(Failure::because("the importer could not flush its log"))
    }

    /// Imports the file again that was broken off; it comes to its end, with nothing refused or left out.
    fn finish(&mut self, rig: &Rig, server: &Server) -> Result<(), Failure> {
        let Some(import) = &self.open else { return Ok(()) };
        let ended = import.start(rig, server)?.ended()?;
        let tally: Option<Tally> = serde_json::from_str(&ended.out).ok();
        let whole = tally.is_some_and(|tally| tally.is_whole(import.drafts.len()));
        if ended.code != Some(0) || !whole {
            let lines = import.drafts.len();
            return Err(Failure::broken(format!("an import of {lines} lines, run again: {ended:?}")));
        }
        self.note_end(true)
    }

    fn note(&mut self, line: &Line) -> Result<(), Failure> {
        self.log.note(line).map_err(Failure::because("the importer could not write its log"))
    }
}

impl Import {
    fn start(&self, rig: &Rig, server: &Server) -> Result<Verb, Failure> {
        rig.km.verb(&["import", "--json", "--url", &server.url(), text(&self.path)?], &rig.log)
    }
}

impl Tally {
    const fn is_whole(&self, lines: usize) -> bool {
        let taken = self.created + self.revised + self.replayed + self.superseded;
        self.refused == 0 && self.not_taken == 0 && taken == lines
    }
}

fn lines(drafts: &[Draft]) -> Result<String, Failure> {
    let mut lines = String::new();
    for draft in drafts {
        let mut document = draft.document.clone();
        document.write_id = Some(draft.write_id.clone());
        lines += &serde_json::to_string(&document).map_err(Failure::because("a write is no JSON"))?;
        lines.push('\n');
    }
    Ok(lines)
}
