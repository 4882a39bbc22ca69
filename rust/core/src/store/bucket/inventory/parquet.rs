//! Data files of the format Parquet: keys as they are, times in milliseconds.

use std::fs::File;
use std::io;
use std::time::{Duration, SystemTime};

use super::manifest::{IS_DELETE_MARKER, IS_LATEST, KEY, MODIFIED, SIZE, plain_name};
use crate::columns::{BoolType, ByteArrayType, Int64Type, Table};
use crate::error::{Error, Result};
use crate::key::Key;
use crate::store::Stat;

/// Calls `visit` with every object of a file.
///
/// # Errors
/// When a column is missing or a row is not understood; the first failure of the visitor.
pub(super) fn read(file: File, place: &Key, visit: &mut dyn FnMut(&[u8], &Stat) -> Result<()>) -> Result<()> {
    let unreadable = |error: io::Error| Error::refused("read the inventory report's", place, error.to_string());
    let bad = |explanation: &str| unreadable(io::Error::other(explanation));
    let table = Table::open(file).map_err(unreadable)?;
    let find = |wanted: &str| table.find(|name| plain_name(name) == wanted);
    let needed = |wanted: &str| find(wanted).ok_or_else(|| bad(&format!("the file has no column {wanted}")));
    let (key, size, modified) = (needed(KEY)?, needed(SIZE)?, needed(MODIFIED)?);
    let (is_latest, is_delete_marker) = (find(IS_LATEST), find(IS_DELETE_MARKER));
    let units = table.units_per_second(modified).map_err(unreadable)?;
    let (mut keys, mut sizes, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let (mut latest, mut delete_markers) = (Vec::new(), Vec::new());
    for group in 0..table.group_count() {
        let mut key = table.column::<ByteArrayType>(group, key).map_err(unreadable)?;
        let mut size = table.column::<Int64Type>(group, size).map_err(unreadable)?;
        let mut modified = table.column::<Int64Type>(group, modified).map_err(unreadable)?;
        let flags = |column: Option<usize>| {
            column.map(|column| table.column::<BoolType>(group, column)).transpose().map_err(unreadable)
        };
        let (mut is_latest, mut is_delete_marker) = (flags(is_latest)?, flags(is_delete_marker)?);
        loop {
            key.read(&mut keys).map_err(unreadable)?;
            size.read(&mut sizes).map_err(unreadable)?;
            modified.read(&mut times).map_err(unreadable)?;
            for (column, values) in [(&mut is_latest, &mut latest), (&mut is_delete_marker, &mut delete_markers)] {
                if let Some(column) = column {
                    column.read(values).map_err(unreadable)?;
                } else {
                    values.clear();
                    values.resize(keys.len(), None);
                }
            }
            if [sizes.len(), times.len(), latest.len(), delete_markers.len()] != [keys.len(); 4] {
                return Err(bad("its columns do not have the same number of rows"));
            }
            if keys.is_empty() {
                break;
            }
            for (row, key) in keys.iter().enumerate() {
                if latest[row] == Some(false) || delete_markers[row] == Some(true) {
                    continue;
                }
                let (Some(key), Some(size_bytes), Some(modified)) = (
                    key,
                    sizes[row].and_then(|size| size.try_into().ok()),
                    times[row].and_then(|time| moment(time, units)),
                ) else {
                    return Err(bad("an object has no key, size or time"));
                };
                visit(key.data(), &Stat { size_bytes, modified, md5: None })?;
            }
        }
    }
    Ok(())
}

/// The moment of a number of units since 1970.
fn moment(time: i64, units_per_second: i64) -> Option<SystemTime> {
    let nanoseconds = time.rem_euclid(units_per_second) * (1_000_000_000 / units_per_second);
    let seconds = u64::try_from(time.div_euclid(units_per_second)).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, u32::try_from(nanoseconds).ok()?))
}
