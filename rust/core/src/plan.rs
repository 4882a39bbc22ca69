//! Plans as rows: what is to be removed, one thing a row, in a form that people, data tools and `apply` read.
//!
//! ```text
//! # …                                                    the head, written by the caller
//! kind,repository,tag,digest,size_bytes,modified,age_seconds,reason,rule
//! tag,team/app,v1,sha256:…,,2026-01-02T03:04:05.123456789Z,1234567,pushed 40d ago,ci: delete
//! manifest,team/app,v1,sha256:…,,…,its tag v1 goes,ci: delete
//! layer-link,team/app,,sha256:…,,,,nothing live needs it,
//! blob,team/app,v1,sha256:…,4096,…,only what goes needs it,ci: delete
//! # end: rows=4 sha256=…
//! ```
//!
//! The kinds are `tag`, `referrer-tag` (it goes with what its content is about), `repository` (it goes as a whole),
//! `manifest` (a manifest's link in a repository, with the entries of tags' histories that name it), `layer-link` and
//! `blob`. Only blobs have a size. A row of a blob names the first repository, tag and rule that give it up.
//!
//! Names can be any bytes on a disk. What is not printable, and the backslash, is written as `\xNN`.

mod narrowed;
mod planned;
mod rows;
mod table;

use std::borrow::Cow;
use std::fmt::Write as _;

pub use narrowed::{Narrowed, Totals, count_beyond, narrow};
pub use planned::Plan;
pub use rows::{Rules, keep_only_given_up, write};
pub use table::Written;

const COLUMNS: [&str; 9] =
    ["kind", "repository", "tag", "digest", "size_bytes", "modified", "age_seconds", "reason", "rule"];

const TAG: &str = "tag";
const REFERRER_TAG: &str = "referrer-tag";
const REPOSITORY: &str = "repository";
const MANIFEST: &str = "manifest";
const LAYER_LINK: &str = "layer-link";
const BLOB: &str = "blob";

/// A name as text; nearly always as it is.
pub fn escape(name: &[u8]) -> Cow<'_, str> {
    let plain = |character: char| !character.is_control() && character != '\\';
    match std::str::from_utf8(name) {
        Ok(text) if text.chars().all(plain) => Cow::Borrowed(text),
        _ => {
            let mut text = String::with_capacity(name.len() + 8);
            for chunk in name.utf8_chunks() {
                for character in chunk.valid().chars() {
                    if plain(character) {
                        text.push(character);
                    } else {
                        character.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_escaped(byte, &mut text));
                    }
                }
                chunk.invalid().iter().for_each(|&byte| push_escaped(byte, &mut text));
            }
            Cow::Owned(text)
        }
    }
}

fn push_escaped(byte: u8, text: &mut String) {
    write!(text, "\\x{byte:02x}").expect("a string takes all that it is given");
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte == b'\\' {
            let digits = after.strip_prefix(b"x")?.get(..2)?;
            name.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &after[3..];
        } else {
            name.push(byte);
            rest = after;
        }
    }
    Some(name)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = Vec::new();
    crate::digest::push_hex(bytes, &mut text);
    String::from_utf8(text).expect("hex is text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_survives_being_written() {
        for name in [&b"team/app"[..], b"\xff\xfe", b"a\\b", b"a\nb,\"c\"", "ü".as_bytes(), b""] {
            assert_eq!(unescape(&escape(name)).as_deref(), Some(name), "{name:?}");
            assert!(!escape(name).contains(['\n', '\r']));
        }
        assert_eq!(unescape("\\"), None);
        assert_eq!(unescape("\\x1"), None);
    }
}
