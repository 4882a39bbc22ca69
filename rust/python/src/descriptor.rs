//! Writing to a file descriptor that Python owns.

use std::io;
use std::os::fd::BorrowedFd;

/// A file descriptor by number.
pub(crate) struct Descriptor(pub(crate) i32);

impl io::Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 < 0 {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        #[allow(unsafe_code)]
        // SAFETY: not -1, as checked; the descriptor is used for this one call only, and a number that is closed
        // or reused meanwhile gives EBADF or writes where the caller's own `os.write` would have written.
        let borrowed = unsafe { BorrowedFd::borrow_raw(self.0) };
        Ok(rustix::io::write(borrowed, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
