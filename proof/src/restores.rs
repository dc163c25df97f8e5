//! T14: a backup beside a running server, the data directory destroyed, the backup restored. Every receipt that
//! was given before the backup began holds, and clients go on where they were.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::client::Client;
use crate::dice::Dice;
use crate::failure::Failure;
use crate::figures::Figures;
use crate::history::Counting;
use crate::km::{Ended, Km, Server, text};
use crate::rig::Rig;
use crate::trial::Trial;

const CLIENTS: u64 = 8;

/// One data directory, its backup, and the directory that comes of it.
pub(crate) struct Restores {
    rig: Rig,
    dice: Dice,
}

impl Trial for Restores {
    const CYCLES: u64 = 1;

    fn begin(km: &Km, place: &Path, seed: u64) -> Result<Self, Failure> {
        Ok(Self { rig: Rig::new(km, place, "T14", seed, CLIENTS)?, dice: Dice::new(seed) })
    }

    fn cycle(&mut self, _nth: u64, figures: &mut Figures) -> Result<(), Failure> {
        let server = self.rig.serve()?;
        let length = self.dice.within(200, 800);
        self.load_for(length)?;
        // From here on an acknowledgement is worth no more than the disk that will be destroyed.
        self.rig.counting = Counting::NoAnswers;
        self.back_up(server, figures)?;
        self.write_and_kill()?;
        self.restore_beside_what_is_left(&["km.db"], figures)?;
        self.restore_beside_what_is_left(&["km.db", "km.db-wal", "km.db-shm"], figures)?;
        self.lose_the_directory(figures)
    }

    /// Clients repeat what they wrote after the backup began, as they would after any doubt, and go on.
    fn finish(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        self.rig.counting = Counting::Everything;
        let server = self.rig.serve()?;
        self.rig.hand_doubts_to_clients();
        self.rig.resolve()?;
        self.rig.read_everything_back(&server)?;
        let length = self.dice.within(20, 120);
        self.load_for(length)?;
        self.rig.together(Client::catch_up)?;
        self.rig.together(Client::write_and_find)?;
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

impl Restores {
    fn load_for(&mut self, length: Duration) -> Result<(), Failure> {
        self.rig.load(|_| {
            sleep(length);
            Ok(())
        })
    }

    /// Clients write before, during and after the backup, until the server ends in order.
    fn back_up(&mut self, server: Server, figures: &mut Figures) -> Result<(), Failure> {
        let (before, after) = (self.dice.within(0, 60), self.dice.within(20, 200));
        let broken_off = self.dice.within(0, 15);
        let (km, data, log) = (self.rig.km.clone(), self.rig.data.clone(), self.rig.log.clone());
        let [backup, half] = ["backup.db", "broken-off.db"].map(|name| self.rig.path(name));
        self.rig.load(|phase| {
            sleep(before);
            let mut verb = km.verb(&["backup", "--data", text(&data)?, text(&half)?], &log)?;
            sleep(broken_off);
            verb.kill()?;
            km.done(&["backup", "--data", text(&data)?, text(&backup)?], &log)?;
            sleep(after);
            phase.doom();
            server.stop()
        })?;
        figures.fault("kills of a backup");
        self.look_at_a_half_backup(&half)
    }

    /// The next server is killed under load: what it leaves beside the ledger fits no backup.
    fn write_and_kill(&mut self) -> Result<(), Failure> {
        let server = self.rig.serve()?;
        let length = self.dice.within(50, 200);
        self.rig.load(|phase| {
            sleep(length);
            phase.doom();
            server.kill()
        })
    }

    /// A backup that was broken off is whole or not there.
    fn look_at_a_half_backup(&self, half: &Path) -> Result<(), Failure> {
        if !half.exists() {
            return Ok(());
        }
        let Rig { km, log, .. } = &self.rig;
        let scratch = self.rig.path("scratch");
        km.done(&["restore", "--data", text(&scratch)?, text(half)?], log)?;
        km.done(&["verify", "--data", text(&scratch)?], log).map(drop)
    }

    /// Only these files are gone, and what lay beside them stayed as the kill left it: a restore must not take
    /// any of that for its own. It may refuse the directory.
    fn restore_beside_what_is_left(&mut self, gone: &[&str], figures: &mut Figures) -> Result<(), Failure> {
        for path in gone.iter().map(|name| self.rig.data.join(name)).filter(|path| path.exists()) {
            fs::remove_file(&path).map_err(Failure::file(&path))?;
        }
        figures.fault("ledgers lost");
        match self.restore()?.code {
            Some(0) => {}
            Some(1) => return Ok(()),
            code => return Err(Failure::broken(format!("a restore beside old files ended with {code:?}"))),
        }
        self.rig.check(figures)?;
        let server = self.rig.serve()?;
        self.rig.together(Client::write_and_find)?;
        server.kill()
    }

    /// Nothing is left, and the first restore is killed on its way.
    fn lose_the_directory(&mut self, figures: &mut Figures) -> Result<(), Failure> {
        let data = self.rig.data.clone();
        fs::remove_dir_all(&data).map_err(Failure::file(&data))?;
        figures.fault("directories lost");
        let instant = self.dice.within(0, 15);
        let mut verb = self.rig.km.verb(&self.restoring()?.each_ref().map(String::as_str), &self.rig.log)?;
        sleep(instant);
        verb.kill()?;
        figures.fault("kills of a restore");
        // One that was killed at its very end has made the store already.
        let ended = self.restore()?;
        if !matches!(ended.code, Some(0 | 1)) {
            return Err(Failure::broken(format!("a restore after one that was killed: {ended:?}")));
        }
        self.rig.check(figures)?;
        self.rig.the_shipped_checker_can_fail()?;
        match self.restore()?.code {
            Some(1) => Ok(()),
            code => Err(Failure::broken(format!("a restore over a store was not refused: {code:?}"))),
        }
    }

    fn restoring(&self) -> Result<[String; 4], Failure> {
        let (data, backup) = (text(&self.rig.data)?, self.rig.path("backup.db"));
        Ok(["restore", "--data", data, text(&backup)?].map(str::to_owned))
    }

    fn restore(&self) -> Result<Ended, Failure> {
        self.rig.km.run(&self.restoring()?.each_ref().map(String::as_str), &self.rig.log)
    }
}
