//! The table of a plan, written and read: column names, rows, and the checksum of both.

use std::io::{self, BufRead, Write};

use sha2::{Digest as _, Sha256};

use super::{COLUMNS, hex};
use crate::error::{Error, Kind, Result};
use crate::store::Key;

/// What was written: how many rows, and the SHA-256 of their bytes, in hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Rows below the column names.
    pub row_count: u64,
    /// Of the column names and all rows.
    pub sha256: String,
}

/// A table that is being written.
pub(super) struct Table<Out: Write> {
    out: csv::Writer<Hashing<Out>>,
    row_count: u64,
}

impl<Out: Write> Table<Out> {
    /// Begins with the column names.
    pub(super) fn begin(out: Out) -> Result<Self> {
        let out = csv::WriterBuilder::new().buffer_capacity(256 * 1024).from_writer(Hashing::new(out));
        let mut table = Self { out, row_count: 0 };
        table.write(COLUMNS)?;
        table.row_count = 0;
        Ok(table)
    }

    /// Adds a row.
    pub(super) fn write<Field: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = Field>) -> Result<()> {
        self.row_count += 1;
        self.out.write_record(fields).map_err(|error| Error::output(io::Error::other(error.to_string())))
    }

    /// Makes sure that all of it is written.
    pub(super) fn end(self) -> Result<Written> {
        let hashing = self.out.into_inner().map_err(|error| Error::output(io::Error::other(error.to_string())))?;
        Ok(Written { row_count: self.row_count, sha256: hex(&hashing.hasher.finalize()) })
    }
}

struct Hashing<Out> {
    out: Out,
    hasher: Sha256,
}

impl<Out> Hashing<Out> {
    fn new(out: Out) -> Self {
        Self { out, hasher: Sha256::new() }
    }
}

impl<Out: Write> Write for Hashing<Out> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Hands the rows of a plan to `visit`; gives back how many there are. Lines that begin with `#` are head and end.
///
/// # Errors
/// [`Kind::Argument`] where a row is not understood, or the rows are not those that were written, which is known only at
/// the end; [`Kind::Io`] where it cannot be read; whatever `visit` fails with.
pub(super) fn read(source: &mut dyn BufRead, mut visit: impl FnMut(&csv::StringRecord) -> Result<()>) -> Result<u64> {
    let mut lines = Lines { source, line: Vec::new(), position: 0, hasher: Sha256::new(), end: None, failed: None };
    let mut reader = csv::ReaderBuilder::new().from_reader(&mut lines);
    let found = reader.headers().map_err(|_| not_understood())?.iter().eq(COLUMNS);
    if !found {
        return Err(broken("its column names are not understood"));
    }
    let mut row_count = 0;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|_| not_understood())? {
        visit(&record)?;
        row_count += 1;
    }
    drop(reader);
    if let Some(error) = lines.failed {
        return Err(Error::io("read", &Key::new("the plan"), error));
    }
    let end = format!("# end: rows={row_count} sha256={}", hex(&lines.hasher.finalize()));
    if lines.end.as_deref() != Some(end.as_bytes()) {
        return Err(broken(CHANGED));
    }
    Ok(row_count)
}

/// What is said of a row that is none.
pub(super) fn not_understood() -> Error {
    broken("a row of it is not understood")
}

const CHANGED: &str = "it was changed or cut off since it was written: make a new one, with a keep list if something \
                       is to stay";

fn broken(detail: &'static str) -> Error {
    Error::new(Kind::Argument, "read", &Key::new("the plan"), detail)
}

/// The rows of a plan: all lines but comments, hashed as they pass.
struct Lines<'a> {
    source: &'a mut dyn BufRead,
    line: Vec<u8>,
    position: usize,
    hasher: Sha256,
    /// The last comment.
    end: Option<Vec<u8>>,
    failed: Option<io::Error>,
}

impl io::Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.line.len() {
            self.line.clear();
            self.position = 0;
            match self.source.read_until(b'\n', &mut self.line) {
                Ok(0) => return Ok(0),
                Ok(_) if self.line.starts_with(b"#") => {
                    self.end = Some(self.line.trim_ascii_end().to_vec());
                    self.line.clear();
                }
                Ok(_) => self.hasher.update(&self.line),
                Err(error) => {
                    // The reader of rows would take it for the end.
                    self.failed = Some(error);
                    return Ok(0);
                }
            }
        }
        let count = buffer.len().min(self.line.len() - self.position);
        buffer[..count].copy_from_slice(&self.line[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}
