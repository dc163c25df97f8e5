//! On what a directory lies, as far as it matters for durability.

use std::fmt;
use std::io;
use std::path::Path;

use km_model::Durability;

/// What kind of file system a directory lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// A local disk, whose flush is known to reach it.
    Disk,
    /// Memory: empty after a restart of the machine.
    Tmpfs,
    /// A container's own layers: gone with the container.
    Overlay,
    /// A network share, whose locks and flushes cannot be trusted.
    Network,
    /// FUSE, 9p or virtiofs: another program or machine decides what a flush is worth.
    PassedThrough,
    /// One that km does not know, by its magic number; nothing is known of its flushes.
    Unknown(u32),
}

/// Magic numbers of linux/magic.h and, for those that are not in it, of the file systems' own headers.
mod magic {
    pub(super) const TMPFS: u32 = 0x0102_1994;
    pub(super) const RAMFS: u32 = 0x8584_58f6;
    pub(super) const OVERLAY: u32 = 0x794c_7630;
    pub(super) const NFS: u32 = 0x6969;
    pub(super) const SMB: u32 = 0x517b;
    pub(super) const SMB2: u32 = 0xfe53_4d42;
    pub(super) const CIFS: u32 = 0xff53_4d42;
    pub(super) const CEPH: u32 = 0x00c3_6400;
    pub(super) const AFS: u32 = 0x6b41_4653;
    pub(super) const GFS2: u32 = 0x0116_1970;
    pub(super) const OCFS2: u32 = 0x7461_636f;
    /// virtiofs answers with it too.
    pub(super) const FUSE: u32 = 0x6573_5546;
    pub(super) const PLAN_9: u32 = 0x0102_1997;
    pub(super) const EXT: u32 = 0xef53;
    pub(super) const XFS: u32 = 0x5846_5342;
    pub(super) const BTRFS: u32 = 0x9123_683e;
    pub(super) const F2FS: u32 = 0xf2f5_2010;
    pub(super) const ZFS: u32 = 0x2fc1_2fc1;
    pub(super) const BCACHEFS: u32 = 0xca45_1a4e;
    pub(super) const JFS: u32 = 0x3153_464a;
    pub(super) const NILFS: u32 = 0x3434;
    pub(super) const NTFS3: u32 = 0x7366_746e;
}

impl FileSystem {
    /// The file system that `path` lies on.
    ///
    /// # Errors
    /// The system's error when it cannot be asked.
    pub fn of(path: &Path) -> io::Result<Self> {
        let bits = rustix::fs::statfs(path)?.f_type & 0xffff_ffff;
        // Where the field is signed and narrow, the mask has made it positive.
        Ok(u32::try_from(bits).map_or(Self::Unknown(u32::MAX), Self::by_magic))
    }

    /// The file system with this magic number of statfs(2).
    const fn by_magic(number: u32) -> Self {
        use magic::{
            AFS, BCACHEFS, BTRFS, CEPH, CIFS, EXT, F2FS, FUSE, GFS2, JFS, NFS, NILFS, NTFS3, OCFS2, OVERLAY,
            PLAN_9, RAMFS, SMB, SMB2, TMPFS, XFS, ZFS,
        };
        match number {
            TMPFS | RAMFS => Self::Tmpfs,
            OVERLAY => Self::Overlay,
            NFS | SMB | SMB2 | CIFS | CEPH | AFS | GFS2 | OCFS2 => Self::Network,
            FUSE | PLAN_9 => Self::PassedThrough,
            EXT | XFS | BTRFS | F2FS | ZFS | BCACHEFS | JFS | NILFS | NTFS3 => Self::Disk,
            unknown => Self::Unknown(unknown),
        }
    }

    /// What an acknowledgement on it is worth. What is not known to be a disk is not taken for one.
    pub const fn durability(self) -> Durability {
        match self {
            Self::Disk => Durability::Disk,
            Self::Tmpfs | Self::Overlay | Self::Network | Self::PassedThrough | Self::Unknown(_) => {
                Durability::Volatile
            }
        }
    }

    /// Its name, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "a local disk",
            Self::Tmpfs => "tmpfs (memory)",
            Self::Overlay => "overlayfs (a container's own layers)",
            Self::Network => "a network file system",
            Self::PassedThrough => "FUSE, 9p or virtiofs (passed through from elsewhere)",
            Self::Unknown(_) => "a file system that km does not know",
        }
    }
}

impl fmt::Display for FileSystem {
    /// Its name, with the magic number of one that km does not know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::Unknown(number) => write!(f, " (magic number {number:#x})"),
            Self::Disk | Self::Tmpfs | Self::Overlay | Self::Network | Self::PassedThrough => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_a_disk_is_not_taken_for_one() {
        let table = [
            (0xef53, FileSystem::Disk),
            (0x5846_5342, FileSystem::Disk),
            (0x9123_683e, FileSystem::Disk),
            (0x0102_1994, FileSystem::Tmpfs),
            (0x794c_7630, FileSystem::Overlay),
            (0x6969, FileSystem::Network),
            (0x6573_5546, FileSystem::PassedThrough),
            (0x0102_1997, FileSystem::PassedThrough),
            (0x1234, FileSystem::Unknown(0x1234)),
        ];
        for (number, kind) in table {
            assert_eq!(FileSystem::by_magic(number), kind);
            let disk = kind == FileSystem::Disk;
            assert_eq!(kind.durability() == Durability::Disk, disk, "{kind}");
        }
    }

    #[test]
    fn an_unknown_file_system_is_named_by_its_number() {
        let shown = FileSystem::Unknown(0x1234).to_string();
        assert_eq!(shown, "a file system that km does not know (magic number 0x1234)");
    }
}
