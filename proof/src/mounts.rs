//! Small file systems for T8. They need a mount table of our own, which ends with this process: nothing stays
//! mounted, however it ends.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// The argument that says that this process has a mount table of its own.
pub(crate) const INSIDE: &str = "--inside";
/// The ways to one: as root, and without being it.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
/// What to do where neither way is open.
const NEEDED: &str = "T8 needs a small file system of its own, and may mount none here. Run it as root (with \
    CAP_SYS_ADMIN), or allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`, \
    `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, and in a container \
    `--security-opt seccomp=unconfined` or `--cap-add SYS_ADMIN`. The commands `unshare` and `mount` come with \
    util-linux";

/// Goes on as a process with a mount table of its own, if that is possible here.
///
/// # Errors
/// The reason why it is not; there is no way back when it is.
pub(crate) fn go_inside(place: &Path, arguments: &[String]) -> Failure {
    let Some(way) = WAYS.into_iter().find(|way| is_open(way, place)) else {
        return Failure::hindered(NEEDED);
    };
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(error) => return Failure::because("does not know its own path")(error),
    };
    let error = Command::new("unshare").args(way).arg(own).args(arguments).arg(INSIDE).exec();
    Failure::because("could not run `unshare`")(error)
}

/// Whether a file system can be mounted on this way. The trial goes with its process.
fn is_open(way: &[&str], place: &Path) -> bool {
    let mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "km-proof"];
    let tried = Command::new("unshare").args(way).args(mount).arg(place).output();
    tried.is_ok_and(|output| output.status.success())
}

/// A file system in memory, as long as this lives.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one of `mebibytes` at a directory that is made.
    pub(crate) fn mount(at: PathBuf, mebibytes: u64) -> Result<Self, Failure> {
        std::fs::create_dir(&at).map_err(Failure::file(&at))?;
        let size = format!("size={mebibytes}m");
        let tried = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "km-proof"]).arg(&at).output();
        let tried = tried.map_err(Failure::because("could not run `mount`"))?;
        match tried.status.success() {
            true => Ok(Self { at }),
            false => {
                let said = String::from_utf8_lossy(&tried.stderr).into_owned();
                Err(Failure::hindered(format!("{NEEDED}. `mount` said: {}", said.trim())))
            }
        }
    }

    /// A path on it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What cannot be unmounted now goes with the mount table of this process.
        drop(Command::new("umount").arg(&self.at).output());
    }
}
