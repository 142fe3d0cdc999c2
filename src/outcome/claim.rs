//! The identity of a dropped file: its file-system attributes, its digest, and the mark of its claim. It must not open
//! any file.

use crate::disk::Status;

/// What identifies a dropped file (DESIGN 1): the same file is never applied twice, the same bytes on another day are.
#[derive(Clone, Debug, Default)]
pub struct Claim {
    /// The digest of the bytes.
    pub sha256: String,
    /// The file's device number.
    pub device: i64,
    /// The file's inode.
    pub inode: i64,
    /// The size in bytes.
    pub size: i64,
    /// The time of the last change, Unix seconds.
    pub mtime: i64,
    /// The mark of the drop directory's claim; empty for a file that was named on the command line.
    pub token: String,
}

impl Claim {
    /// The file-system attributes of a file; the rest stays empty.
    pub fn of(status: &Status) -> Self {
        Self {
            device: status.device as i64,
            inode: status.inode as i64,
            size: status.size as i64,
            mtime: status.mtime.0,
            ..Self::default()
        }
    }

    /// True if both files have the same file-system attributes.
    pub fn stands_as(&self, other: &Self) -> bool {
        (self.device, self.inode, self.size, self.mtime) == (other.device, other.inode, other.size, other.mtime)
    }
}
