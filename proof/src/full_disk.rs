//! T8: the disk is full. Writes are refused aloud, what was acknowledged stays and can be read, and when there
//! is room again km goes on by itself; then it is killed, and nothing is missing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::answer::{json, said};
use crate::client::{Client, read_nothing_back};
use crate::dice::Dice;
use crate::failure::Failure;
use crate::figures::Figures;
use crate::http::{Call, Caller, Reply};
use crate::km::{Km, Served, Server};
use crate::mounts::SmallDisk;
use crate::rig::Rig;
use crate::trial::Trial;

const CLIENTS: u64 = 4;
/// Size of the disk, and how much of it is given back at last.
const DISK_MEBIBYTES: u64 = 32;
const LAST_BALLAST_MEBIBYTES: u64 = 6;
/// How much is given back first, by the seed. The log and the index may take as much again as the ledger, and
/// what was not kept has to fit beside them.
const BALLAST_MEBIBYTES: (u64, u64) = (13, 16);
/// The load before the kill, in milliseconds: short, so that it does not fill the disk again.
const LOAD_MS: (u64, u64) = (10, 50);
/// A disk is full when nothing was kept for so long. km asks its store again within that time.
const FULL_FOR: Duration = Duration::from_millis(2_500);
/// A small disk is full by then.
const FILL_MAX: Duration = Duration::from_secs(120);
/// km leaves a store alone for at most ten seconds before it asks again.
const RESUME_MAX: Duration = Duration::from_secs(15);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// One disk through its cycle. It goes before the directory in which it is mounted.
pub(crate) struct FullDisk {
    disk: SmallDisk,
    rig: Rig,
    /// Files that hold room, which each is given back once.
    ballast: [PathBuf; 2],
    dice: Dice,
}

impl Trial for FullDisk {
    const CYCLES: u64 = 1;

    fn begin(km: &Km, place: &Path, seed: u64) -> Result<Self, Failure> {
        let mut dice = Dice::new(seed);
        let mut rig = Rig::new(km, place, "T8", seed, CLIENTS)?;
        let disk = SmallDisk::mount(rig.path("disk"), DISK_MEBIBYTES)?;
        let ballast = ["ballast-1", "ballast-2"].map(|name| disk.path(name));
        let first = dice.between(BALLAST_MEBIBYTES.0, BALLAST_MEBIBYTES.1);
        for (path, mebibytes) in ballast.iter().zip([first, LAST_BALLAST_MEBIBYTES]) {
            put_ballast(path, mebibytes).map_err(Failure::file(path))?;
        }
        rig.data = disk.path("data");
        Ok(Self { disk, rig, ballast, dice })
    }

    fn cycle(&mut self, _nth: u64, figures: &mut Figures) -> Result<(), Failure> {
        let mut server = self.rig.serve()?;
        self.rig.together(Client::write_and_find)?;
        self.rig.together(|client| client.fill(FULL_FOR, FILL_MAX))?;
        figures.fault("full disks");
        server.must_run()?;
        self.look_while_full(&server)?;
        self.make_room(&server, figures)?;
        server.must_run()?;
        self.kill_under_load(server)?;
        self.rig.check(figures)?;
        self.kill_while_full(figures)
    }

    /// The next start finds everything.
    fn finish(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        let server = self.rig.serve()?;
        self.rig.resolve()?;
        self.rig.read_everything_back(&server)?;
        self.rig.together(Client::find_again)?;
        self.rig.the_shipped_checker_can_fail()?;
        server.stop()?;
        self.rig.check(figures)?;
        self.must_be_volatile()
    }

    fn rig(&mut self) -> &mut Rig {
        &mut self.rig
    }

    fn into_rig(self) -> Rig {
        drop(self.disk);
        self.rig
    }
}

impl FullDisk {
    /// Everything that was acknowledged is there, nothing that was not is, and questions are answered.
    fn look_while_full(&mut self, server: &Server) -> Result<(), Failure> {
        let mut caller = Caller::new(server.address);
        let ready = ask(&mut caller, "/readyz")?;
        if ready.status != 503 {
            return Err(Failure::broken(format!("/readyz of a full disk: {}", said(&ready))));
        }
        self.rig.read_everything_back(server)?;
        self.rig.history.not_kept().try_for_each(|id| read_nothing_back(&mut caller, id))?;
        must_list(&mut caller, "/v1/entries?limit=5", "entries")?;
        must_list(&mut caller, "/v1/search?q=certificate&limit=5", "hits")?;
        self.rig.together(Client::find_or_hear_why_not)?;
        let chain = ask(&mut caller, "/v1/incidents/INC-1-1")?;
        json(&chain).map(drop).map_err(Failure::broken)
    }

    /// Takes the ballast away: without a restart, writes are taken again, also those that were not kept.
    fn make_room(&mut self, server: &Server, figures: &mut Figures) -> Result<(), Failure> {
        remove(&self.ballast[0])?;
        let begun = Instant::now();
        self.rig.together(Client::insist_on_a_new_one)?;
        let took = begun.elapsed();
        figures.resumed_within = figures.resumed_within.max(Some(took));
        if took > RESUME_MAX {
            return Err(Failure::broken(format!("writes were taken {took:?} after there was room again")));
        }
        must_be_ready(server)?;
        self.rig.together(Client::catch_up)
    }

    fn kill_under_load(&mut self, server: Server) -> Result<(), Failure> {
        let instant = self.dice.within(LOAD_MS.0, LOAD_MS.1);
        self.rig.load(|phase| {
            sleep(instant);
            phase.doom();
            server.kill()
        })
    }

    /// A full disk again, and the server killed on it. Whether or not it can start there, nothing is lost, and
    /// with room it starts.
    fn kill_while_full(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        let server = self.rig.serve()?;
        self.rig.resolve()?;
        self.rig.together(|client| client.fill(FULL_FOR, FILL_MAX))?;
        server.kill()?;
        figures.fault("kills on a full disk");
        match self.rig.begin()?.served()? {
            Served::Serves(server) => {
                self.rig.read_everything_back(&server)?;
                server.kill()?;
                figures.fault("starts on a full disk");
            }
            Served::Ended(Some(1 | 75)) => figures.fault("starts refused on a full disk"),
            Served::Ended(code) => {
                return Err(Failure::broken(format!("a start on a full disk ended with {code:?}")));
            }
        }
        remove(&self.ballast[1])?;
        self.rig.check(figures)
    }

    /// A disk in memory forgets, and every receipt has to say so.
    fn must_be_volatile(&self) -> Result<(), Failure> {
        match self.rig.history.receipts().find(|receipt| receipt.durability != "volatile") {
            None => Ok(()),
            Some(receipt) => Err(Failure::broken(format!("a receipt of a tmpfs says {receipt:?}"))),
        }
    }
}

/// Written and not only sized, so that it takes its room.
fn put_ballast(path: &Path, mebibytes: u64) -> std::io::Result<()> {
    let mut file = File::create_new(path)?;
    let mebibyte = vec![0x6b; 1 << 20];
    (0..mebibytes).try_for_each(|_| file.write_all(&mebibyte))
}

fn remove(path: &Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(Failure::file(path))
}

fn ask(caller: &mut Caller, target: &str) -> Result<Reply, Failure> {
    caller.call(Call::get(target)).map_err(|error| Failure::broken(format!("{target}: {error}")))
}

/// A list that is not empty.
fn must_list(caller: &mut Caller, target: &str, name: &str) -> Result<(), Failure> {
    let reply = ask(caller, target)?;
    let body = json(&reply).map_err(Failure::broken)?;
    match body[name].as_array() {
        Some(items) if !items.is_empty() => Ok(()),
        Some(_) | None => Err(Failure::broken(format!("{target} finds nothing: {}", said(&reply)))),
    }
}

fn must_be_ready(server: &Server) -> Result<(), Failure> {
    let mut caller = Caller::new(server.address);
    let begun = Instant::now();
    loop {
        let ready = ask(&mut caller, "/readyz")?;
        if ready.status == 200 {
            return Ok(());
        }
        if begun.elapsed() > RESUME_MAX {
            return Err(Failure::broken(format!("/readyz after writes were taken again: {}", said(&ready))));
        }
        sleep(PAUSE);
    }
}
