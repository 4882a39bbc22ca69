//! Data files of the format CSV: no head, all fields in quotes, keys encoded as in URLs, and all of it in gzip.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader};

use ::csv::{ByteRecord, ReaderBuilder};
use flate2::bufread::MultiGzDecoder;
use percent_encoding::percent_decode;

use super::manifest::{IS_DELETE_MARKER, IS_LATEST, KEY, MODIFIED, SIZE};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::rfc3339;
use crate::store::Stat;

/// Where in a row is what.
#[derive(Debug)]
pub(super) struct Columns {
    count: usize,
    key: usize,
    size: usize,
    modified: usize,
    is_latest: Option<usize>,
    is_delete_marker: Option<usize>,
}

/// The key of an object, and what is known of it.
type Object<'a> = (Cow<'a, [u8]>, Stat);

impl Columns {
    /// Of columns with these names, among which all that are needed have to be.
    pub(super) fn of(names: &[String]) -> Self {
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let needed = |wanted| find(wanted).expect("the manifest was looked through for it");
        Self {
            count: names.len(),
            key: needed(KEY),
            size: needed(SIZE),
            modified: needed(MODIFIED),
            is_latest: find(IS_LATEST),
            is_delete_marker: find(IS_DELETE_MARKER),
        }
    }

    /// Key, size and time of a row; nothing where it is no object that is there.
    fn object<'a>(&self, row: &'a ByteRecord) -> Result<Option<Object<'a>>, String> {
        if row.len() != self.count {
            return Err(format!("it has {} fields and not {}", row.len(), self.count));
        }
        let is =
            |column: Option<usize>, value: &[u8]| column.is_some_and(|column| row[column].eq_ignore_ascii_case(value));
        if is(self.is_latest, b"false") || is(self.is_delete_marker, b"true") {
            return Ok(None);
        }
        let unreadable = |column: usize| format!("{:?} is not understood", String::from_utf8_lossy(&row[column]));
        let size = std::str::from_utf8(&row[self.size]).ok().and_then(|size| size.parse().ok());
        let stat = Stat {
            size_bytes: size.ok_or_else(|| unreadable(self.size))?,
            modified: rfc3339::parse(&row[self.modified]).ok_or_else(|| unreadable(self.modified))?,
            md5: None,
        };
        Ok(Some((decoded(&row[self.key]), stat)))
    }
}

/// A key without its encoding, where a blank may be a plus sign.
fn decoded(key: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', key).is_none() {
        return Cow::Borrowed(key);
    }
    let blanks: Vec<u8> = key.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(percent_decode(&blanks).collect())
}

/// Calls `visit` with every object of a file.
///
/// # Errors
/// When a row is not understood; the first failure of the visitor.
pub(super) fn read(
    file: File,
    columns: &Columns,
    place: &Key,
    visit: &mut dyn FnMut(&[u8], &Stat) -> Result<()>,
) -> Result<()> {
    let unpacked = MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
    let mut rows = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(unpacked);
    let mut row = ByteRecord::new();
    loop {
        match rows.read_byte_record(&mut row) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(Error::io("read the inventory report's", place, io::Error::other(error))),
        }
        match columns.object(&row) {
            Ok(None) => {}
            Ok(Some((key, stat))) => visit(&key, &stat)?,
            Err(explanation) => {
                let line = row.position().map_or(0, ::csv::Position::line);
                let explanation = format!("line {line}: {explanation}");
                return Err(Error::refused("read the inventory report's", place, explanation));
            }
        }
    }
}
