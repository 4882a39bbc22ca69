//! The system calls, each with the flags that keep it inside the storage root.
//!
//! Paths are resolved from a directory handle by `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`: one call,
//! no symbolic link followed in any component (openat2(2), Linux 5.6). Where the kernel or a seccomp filter
//! refuses that call, the path is walked component by component with `O_NOFOLLOW` instead.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags, ResolveFlags, StatxFlags, linkat, mkdirat, openat, openat2,
    renameat, renameat_with, statx, unlinkat,
};
use rustix::io::{Errno, retry_on_intr};

use crate::store::{Entries, EntryKind, Stat};

/// Bytes asked of `getdents64` at once. Larger buffers measured no better (bfs uses the same).
const LISTING_BUFFER: usize = 64 * 1024;
/// Bytes of a file read at first: nearly every manifest fits, and one `read` gets it whole.
const FIRST_READ: usize = 32 * 1024;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A handle that serves only to reach what is below: needs no read permission and updates nothing.
const HOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// `O_NONBLOCK` so that a FIFO in a file's place cannot hang the run.
const FILE: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const INSIDE: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS);

/// Opens the storage root, following links: the operator named it.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()))
}

/// How paths are resolved without leaving the root.
#[derive(Debug)]
pub(super) struct Beneath {
    kernel: bool,
    // Reading would dirty every inode's access time; only the owner and root may say no to that.
    no_access_time: AtomicBool,
}

/// What opening and reading a file gave; the bytes are in the caller's buffer.
pub(super) enum Opened {
    /// So many bytes.
    Whole(usize),
    /// As many as the limit, and there are more.
    TooLarge,
    /// It is a directory, FIFO, socket or device.
    NotAFile,
}

impl Beneath {
    /// Tries whether `openat2` may be used here.
    pub(super) fn detect(root: BorrowedFd<'_>) -> Self {
        let kernel = retry_on_intr(|| openat2(root, c".", DIRECTORY, Mode::empty(), INSIDE)).is_ok();
        Self { kernel, no_access_time: AtomicBool::new(true) }
    }

    /// Without `openat2`.
    pub(super) const fn stepwise() -> Self {
        Self { kernel: false, no_access_time: AtomicBool::new(true) }
    }

    fn open(&self, base: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        if self.kernel {
            return retry_on_intr(|| openat2(base, path, flags, Mode::empty(), INSIDE));
        }
        let mut components = path.split(|&byte| byte == b'/').peekable();
        let mut reached: Option<OwnedFd> = None;
        while let Some(component) = components.next() {
            if component == b".." {
                return Err(Errno::XDEV);
            }
            let from = reached.as_ref().map_or(base, std::os::fd::AsFd::as_fd);
            let flags = if components.peek().is_some() { HOLDER } else { flags };
            let opened = retry_on_intr(|| openat(from, component, flags, Mode::empty()));
            reached = Some(match opened {
                // What O_DIRECTORY makes of a symbolic link: tell it from a plain file.
                Err(Errno::NOTDIR) if is_symlink(from, component) => return Err(Errno::LOOP),
                opened => opened?,
            });
        }
        reached.ok_or(Errno::NOENT)
    }

    /// Opens a directory for listing. An empty path is the base itself.
    pub(super) fn open_directory(&self, base: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        self.open(base, path, DIRECTORY)
    }

    /// Opens a direct child to reach what is in it.
    // One component: O_NOFOLLOW alone keeps it inside, and needs no `openat2`.
    #[allow(clippy::unused_self)]
    pub(super) fn open_holder(&self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
        retry_on_intr(|| openat(parent, name, HOLDER, Mode::empty()))
    }

    /// Opens a file and reads it into `buffer`, up to `limit` bytes.
    pub(super) fn read_file(
        &self,
        base: BorrowedFd<'_>,
        path: &[u8],
        limit: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<Opened, Errno> {
        let quietly = self.no_access_time.load(Ordering::Relaxed);
        let file = match self.open(base, path, if quietly { FILE | OFlags::NOATIME } else { FILE }) {
            Err(Errno::PERM) if quietly => {
                let file = self.open(base, path, FILE)?;
                self.no_access_time.store(false, Ordering::Relaxed);
                file
            }
            file => file?,
        };
        read_whole(&file, limit, buffer)
    }
}

fn is_symlink(directory: BorrowedFd<'_>, name: &[u8]) -> bool {
    stat(directory, name).is_ok_and(|(kind, _)| kind == EntryKind::Symlink)
}

fn read_whole(file: &OwnedFd, limit: usize, buffer: &mut Vec<u8>) -> Result<Opened, Errno> {
    // One byte above the limit tells a file of just that size from a larger one.
    let most = limit + 1;
    let mut length = 0;
    let mut room = FIRST_READ.min(most);
    loop {
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        let count = match retry_on_intr(|| rustix::io::read(file, &mut buffer[length..room])) {
            Ok(count) => count,
            // A directory, or a FIFO whose writer has not written.
            Err(Errno::ISDIR | Errno::AGAIN) => return Ok(Opened::NotAFile),
            Err(errno) => return Err(errno),
        };
        length += count;
        if length >= most {
            return Ok(Opened::TooLarge);
        }
        if length < room {
            // Less than asked for is the end of a regular file. Nothing at all may also be a FIFO.
            let regular = length > 0 || is_regular(file)?;
            return Ok(if regular { Opened::Whole(length) } else { Opened::NotAFile });
        }
        room = (room * 4).min(most);
    }
}

fn is_regular(file: &OwnedFd) -> Result<bool, Errno> {
    let stat = rustix::fs::fstat(file)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

/// Writes `<name>/<leaf>` into `path`.
pub(super) fn relative_path(name: &[u8], leaf: &str, path: &mut Vec<u8>) {
    path.clear();
    path.extend_from_slice(name);
    if !leaf.is_empty() {
        path.push(b'/');
        path.extend_from_slice(leaf.as_bytes());
    }
}

/// What stands at `path`, without following a link there.
pub(super) fn stat(directory: BorrowedFd<'_>, path: &[u8]) -> Result<(EntryKind, Stat), Errno> {
    let wanted = StatxFlags::TYPE | StatxFlags::SIZE | StatxFlags::MTIME;
    let found = retry_on_intr(|| statx(directory, path, AtFlags::SYMLINK_NOFOLLOW, wanted))?;
    let kind = kind_of(FileType::from_raw_mode(found.stx_mode.into()));
    let since_epoch = Duration::new(found.stx_mtime.tv_sec.unsigned_abs(), found.stx_mtime.tv_nsec);
    let modified =
        if found.stx_mtime.tv_sec < 0 { SystemTime::UNIX_EPOCH } else { SystemTime::UNIX_EPOCH + since_epoch };
    Ok((kind, Stat { size_bytes: found.stx_size, modified, md5: None }))
}

const fn kind_of(file_type: FileType) -> EntryKind {
    match file_type {
        FileType::Directory => EntryKind::Directory,
        FileType::RegularFile => EntryKind::File,
        FileType::Symlink => EntryKind::Symlink,
        _ => EntryKind::Special,
    }
}

/// Why a listing ended early: the kernel said so, or the visitor.
pub(super) enum Stop<E> {
    Listing(Errno),
    Visitor(E),
}

impl<E> Stop<E> {
    pub(super) fn into_error(self, of_listing: impl FnOnce(Errno) -> E) -> E {
        match self {
            Self::Listing(errno) => of_listing(errno),
            Self::Visitor(error) => error,
        }
    }
}

/// Lists a directory, handing out what each `getdents64` gave.
pub(super) fn for_each_page<E>(
    directory: BorrowedFd<'_>,
    buffer: &mut Vec<u8>,
    entries: &mut Entries,
    mut visit: impl FnMut(&Entries) -> Result<(), E>,
) -> Result<(), Stop<E>> {
    buffer.clear();
    buffer.reserve(LISTING_BUFFER);
    let spare: &mut [MaybeUninit<u8>] = buffer.spare_capacity_mut();
    let mut listing = RawDir::new(directory, spare);
    entries.clear();
    loop {
        match listing.next() {
            None => break,
            Some(Err(Errno::INTR)) => continue,
            Some(Err(errno)) => return Err(Stop::Listing(errno)),
            Some(Ok(entry)) => {
                let name = entry.file_name().to_bytes();
                if name != b"." && name != b".." {
                    let kind = match entry.file_type() {
                        FileType::Unknown => unknown_kind(directory, entry.file_name()).map_err(Stop::Listing)?,
                        known => Some(kind_of(known)),
                    };
                    if let Some(kind) = kind {
                        entries.push(name, kind);
                    }
                }
            }
        }
        if listing.is_buffer_empty() && !entries.is_empty() {
            visit(entries).map_err(Stop::Visitor)?;
            entries.clear();
        }
    }
    Ok(())
}

/// Some filesystems do not say in a listing what an entry is. Gone meanwhile is no entry.
fn unknown_kind(directory: BorrowedFd<'_>, name: &CStr) -> Result<Option<EntryKind>, Errno> {
    match stat(directory, name.to_bytes()) {
        Ok((kind, _)) => Ok(Some(kind)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Removes a file, never a directory.
pub(super) fn remove_file(directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    retry_on_intr(|| unlinkat(directory, name, AtFlags::empty()))
}

/// Removes a directory if it is empty. What is not: something that regsweep does not know is in there, and stays.
pub(super) fn remove_empty_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match retry_on_intr(|| unlinkat(parent, name, AtFlags::REMOVEDIR)) {
        Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Makes a directory, for whoever the process's umask lets in. One that is there is as good.
pub(super) fn make_directory(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    match retry_on_intr(|| mkdirat(parent, name, Mode::RWXU | Mode::RWXG | Mode::RWXO)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Moves a file or directory, never over another one: `EXIST` where something is there.
pub(super) fn rename(from: BorrowedFd<'_>, from_name: &[u8], to: BorrowedFd<'_>, to_name: &[u8]) -> Result<(), Errno> {
    match retry_on_intr(|| renameat_with(from, from_name, to, to_name, RenameFlags::NOREPLACE)) {
        // NFS and some others know no flags.
        Err(Errno::INVAL | Errno::NOSYS) => rename_without_flags(from, from_name, to, to_name),
        renamed => renamed,
    }
}

/// `link` fails where something is there, and so does `rename` of a directory onto anything but an empty one.
pub(super) fn rename_without_flags(
    from: BorrowedFd<'_>,
    from_name: &[u8],
    to: BorrowedFd<'_>,
    to_name: &[u8],
) -> Result<(), Errno> {
    if stat(from, from_name)?.0 == EntryKind::Directory {
        return match retry_on_intr(|| renameat(from, from_name, to, to_name)) {
            Err(Errno::NOTEMPTY) => Err(Errno::EXIST),
            renamed => renamed,
        };
    }
    retry_on_intr(|| linkat(from, from_name, to, to_name, AtFlags::empty()))?;
    remove_file(from, from_name)
}
