//! Writing to a file descriptor that Python owns.

use std::io;
use std::os::fd::BorrowedFd;

use regsweep_core::progress::Control;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;

/// What a pipe with room takes without blocking (`PIPE_BUF`).
const PIPE_PIECE: usize = 4096;
/// How long to wait for room before asking whether to go on.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// A file descriptor by number. Nobody reading from a pipe does not keep Ctrl-C from working.
pub(crate) struct Descriptor<'a> {
    number: i32,
    may_block: bool,
    control: &'a Control,
}

impl<'a> Descriptor<'a> {
    pub(crate) fn new(number: i32, control: &'a Control) -> Self {
        let mut descriptor = Self { number, may_block: false, control };
        let stat = descriptor.borrow().and_then(|file| Ok(rustix::fs::fstat(file)?));
        descriptor.may_block = stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile);
        descriptor
    }

    fn borrow(&self) -> io::Result<BorrowedFd<'static>> {
        if self.number < 0 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        #[allow(unsafe_code)]
        // SAFETY: not -1, as checked; used for single calls only, and a number that is closed or reused meanwhile
        // gives EBADF or writes where the caller's own `os.write` would have written.
        Ok(unsafe { BorrowedFd::borrow_raw(self.number) })
    }
}

impl io::Write for Descriptor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.borrow()?;
        if !self.may_block {
            return Ok(rustix::io::write(file, bytes)?);
        }
        loop {
            if self.control.stopped() {
                // Not `Interrupted`: that would be tried again.
                return Err(io::Error::other("interrupted"));
            }
            if poll(&mut [PollFd::from_borrowed_fd(file, PollFlags::OUT)], Some(&PATIENCE))? > 0 {
                return Ok(rustix::io::write(file, &bytes[..bytes.len().min(PIPE_PIECE)])?);
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
