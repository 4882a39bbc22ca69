//! What says which files a run has hidden: one object for each step, in the order of their numbers.
//!
//! ```text
//! regsweep.hidden/1 hidden            written before they are hidden
//! <bytes> <milliseconds since 1970> <md5 or -> <path in the run's tree, percent-encoded>
//! …
//! regsweep.hidden/1 gone              written after they were shown again, or removed for good
//! ```
//!
//! The last step that names a file counts. One that was to be hidden and is still there was not got to.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use percent_encoding::percent_decode;

use super::super::dialect::encode_path;
use crate::error::{Error, Kind, Result};
use crate::key::Key;
use crate::store::Stat;

const HIDDEN: &str = "regsweep.hidden/1 hidden";
const GONE: &str = "regsweep.hidden/1 gone";

/// What becomes of some files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They are hidden where they are.
    Hidden,
    /// They are not, any more.
    Gone,
}

/// A file by its path in the run's tree.
pub(super) type File = (Key, Stat);

/// The text of a step.
pub(super) fn write<'a>(step: Step, files: impl Iterator<Item = (&'a Key, &'a Stat)>) -> Vec<u8> {
    let mut text = if step == Step::Hidden { HIDDEN } else { GONE }.to_owned();
    text.push('\n');
    for (path, stat) in files {
        let milliseconds = stat.modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let md5 = stat.md5.map_or_else(|| "-".to_owned(), |md5| faster_hex::hex_string(&md5));
        writeln!(text, "{} {milliseconds} {md5} {}", stat.size_bytes, encode_path(path.as_bytes()))
            .expect("memory takes all that is written");
    }
    text.into_bytes()
}

/// Reads the text of a step.
///
/// # Errors
/// Where it is none: nothing is known of what a run has hidden if not all of it is understood.
pub(super) fn read(key: &Key, text: &[u8]) -> Result<(Step, Vec<File>)> {
    parse(text).ok_or_else(|| {
        Error::new(
            Kind::Io,
            "read",
            key,
            "not understood: it is to say what a run has hidden, and is cut off or changed",
        )
    })
}

fn parse(text: &[u8]) -> Option<(Step, Vec<File>)> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
    let mut lines = text.split('\n');
    let step = match lines.next()? {
        HIDDEN => Step::Hidden,
        GONE => Step::Gone,
        _ => return None,
    };
    let file = |line: &str| {
        let mut words = line.split(' ');
        let (size, time, md5, path) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let modified = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(time.parse().ok()?))?;
        let mut sum = [0; 16];
        let md5 = match md5 {
            "-" => None,
            hex => faster_hex::hex_decode(hex.as_bytes(), &mut sum).ok().map(|()| sum),
        };
        let stat = Stat { size_bytes: size.parse().ok()?, modified, md5 };
        let path = Key::new(percent_decode(path.as_bytes()).collect::<Vec<u8>>());
        words.next().is_none().then_some((path, stat))
    };
    Some((step, lines.map(file).collect::<Option<Vec<_>>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
        let files = [
            (Key::new("docker/a b%\u{fc}\n"), Stat { size_bytes: 71, modified, md5: Some([7; 16]) }),
            (Key::new("docker/c"), Stat { size_bytes: 0, modified, md5: None }),
        ];
        for step in [Step::Hidden, Step::Gone] {
            let text = write(step, files.iter().map(|(path, stat)| (path, stat)));
            assert_eq!(read(&Key::root(), &text).unwrap(), (step, files.to_vec()));
            assert!(read(&Key::root(), &text[..text.len() - 1]).is_err(), "cut off");
        }
        for other in ["", "\n", "regsweep.hidden/2 hidden\n", "regsweep.hidden/1 hidden\n1 2 -\n"] {
            assert!(read(&Key::root(), other.as_bytes()).is_err(), "{other}");
        }
    }
}
