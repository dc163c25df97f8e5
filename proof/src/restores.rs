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
use crate::km::{Km, Server, text};
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
        self.back_up_and_destroy(server)?;
        figures.fault("directories destroyed");
        self.restore()?;
        self.rig.check(figures)?;
        self.rig.the_shipped_checker_can_fail()
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

    /// Clients write before, during and after the backup; then the server is killed and its directory removed.
    fn back_up_and_destroy(&mut self, server: Server) -> Result<(), Failure> {
        let (before, after) = (self.dice.within(0, 60), self.dice.within(20, 200));
        let backup = self.rig.path("backup.db");
        let (km, data, log) = (self.rig.km.clone(), self.rig.data.clone(), self.rig.log.clone());
        self.rig.load(|phase| {
            sleep(before);
            km.done(&["backup", "--data", text(&data)?, text(&backup)?], &log)?;
            sleep(after);
            phase.doom();
            server.kill()
        })?;
        fs::remove_dir_all(&self.rig.data).map_err(Failure::file(&self.rig.data))
    }

    /// Into the directory that is gone; a second time it is not empty any more, and stays as it is.
    fn restore(&self) -> Result<(), Failure> {
        let Rig { km, data, log, .. } = &self.rig;
        let backup = self.rig.path("backup.db");
        let arguments = ["restore", "--data", text(data)?, text(&backup)?];
        km.done(&arguments, log)?;
        let again = km.run(&arguments, log)?;
        match again.code {
            Some(1) => Ok(()),
            _ => Err(Failure::broken(format!("a restore over a store was not refused: {again:?}"))),
        }
    }
}
