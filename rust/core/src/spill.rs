//! Bytes that stay in memory up to a limit and go to an unnamed temporary file beyond it.
//!
//! What is kept is never changed and never given up before the whole is. Where no temporary file can be made, or it is
//! full, everything stays in memory: more memory, not other answers.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, OnceLock};

use crate::error::{Error, Result};
use crate::store::Key;

/// Where some bytes are.
#[derive(Debug)]
pub(crate) enum Kept {
    Resident(Box<[u8]>),
    Spilled(u64),
}

#[derive(Debug, Default)]
struct Sizes {
    resident: usize,
    spilled: u64,
}

/// Keeps bytes for as long as it lives.
#[derive(Debug)]
pub(crate) struct Spill {
    resident_limit: usize,
    sizes: Mutex<Sizes>,
    /// The temporary file, once one was wanted; nothing where none can be made.
    file: OnceLock<Option<File>>,
}

impl Spill {
    /// Up to so many bytes stay in memory.
    pub(crate) const fn new(resident_limit: usize) -> Self {
        Self { resident_limit, sizes: Mutex::new(Sizes { resident: 0, spilled: 0 }), file: OnceLock::new() }
    }

    /// Keeps some bytes.
    pub(crate) fn keep(&self, bytes: Vec<u8>) -> Kept {
        let mut sizes = self.sizes.lock().expect("no thread panics while it holds the sizes");
        if sizes.resident + bytes.len() > self.resident_limit
            && let Some(file) = self.file.get_or_init(|| tempfile::tempfile().ok())
            && file.write_all_at(&bytes, sizes.spilled).is_ok()
        {
            let offset = sizes.spilled;
            sizes.spilled += bytes.len() as u64;
            return Kept::Spilled(offset);
        }
        sizes.resident += bytes.len();
        Kept::Resident(bytes.into_boxed_slice())
    }

    /// A part of what was kept, read into `buffer` if it has to be.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub(crate) fn read<'a>(
        &self,
        kept: &'a Kept,
        start: usize,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8]> {
        match kept {
            Kept::Resident(bytes) => Ok(&bytes[start..start + length]),
            Kept::Spilled(offset) => {
                buffer.resize(length, 0);
                let file = self.file.get().and_then(Option::as_ref).expect("what is spilled has a file");
                file.read_exact_at(buffer, offset + start as u64)
                    .map_err(|error| Error::io("read the temporary file for", &Key::root(), error))?;
                Ok(buffer)
            }
        }
    }

    /// Puts the first so many bytes of what was kept into `buffer`, in place of what it held.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub(crate) fn copy(&self, kept: &Kept, length: usize, buffer: &mut Vec<u8>) -> Result<()> {
        if let Kept::Resident(bytes) = kept {
            buffer.clear();
            buffer.extend_from_slice(&bytes[..length]);
            return Ok(());
        }
        self.read(kept, 0, length, buffer).map(drop)
    }

    /// How much went to the file, in bytes.
    #[cfg(test)]
    pub(crate) fn spilled_bytes(&self) -> u64 {
        self.sizes.lock().expect("no thread panics while it holds the sizes").spilled
    }
}
