//! Where a report lies: in a bucket of the same service, or in a directory to which it was downloaded.
//!
//! ```text
//! <prefix>/<bucket>/<report>/2026-11-23T01-00Z/manifest.json     by this it is named
//! <prefix>/<bucket>/<report>/data/<file>                         as the manifest names it: the whole key
//! ```
//!
//! In a directory, a file is found by the last two parts of its key, from where the manifest's directory lies.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Component, Path, PathBuf};

use md5::{Digest as _, Md5};

use super::manifest::DataFile;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::progress::Control;
use crate::store::bucket::Bucket;
use crate::store::bucket::options::{Options, Unusable};

/// Where a report lies.
#[derive(Debug)]
pub(super) enum Source {
    /// In a bucket, by the manifest's key.
    Bucket(Box<Bucket>, Key),
    /// In a directory, by the manifest's path.
    Directory(PathBuf),
}

/// Bytes asked for at once.
const PIECE: u64 = 8 << 20;
/// Bytes read from a file at once.
const BUFFER: usize = 1 << 18;

impl Source {
    /// The place that a text names: `s3://bucket/key`, or the path of a file. Nothing is asked of it yet.
    pub(super) fn open(name: &str, options: &Options) -> Result<Self, Unusable> {
        let Some((scheme, rest)) = name.split_once("://") else { return Ok(Self::Directory(name.into())) };
        let unusable = || {
            let what = "the manifest of an inventory report is named as s3://BUCKET/PATH/manifest.json, or by its path";
            Unusable(format!("{name}: {what}"))
        };
        match rest.split_once('/') {
            Some((bucket, key)) if scheme == "s3" && !bucket.is_empty() && !key.is_empty() && !key.contains('?') => {
                let options =
                    Options { bucket: bucket.to_owned(), root: String::new(), inventory: None, ..options.clone() };
                Ok(Self::Bucket(Box::new(Bucket::open(&options)?), Key::new(key)))
            }
            _ => Err(unusable()),
        }
    }

    /// The manifest's place, for messages.
    pub(super) fn place(&self) -> Key {
        match self {
            Self::Bucket(bucket, key) => Key::new(format!("{}/{key}", bucket.url())),
            Self::Directory(path) => Key::new(path.to_string_lossy().as_bytes()),
        }
    }

    /// The manifest's content.
    pub(super) fn manifest(&self, control: &Control) -> Result<Vec<u8>> {
        match self {
            Self::Bucket(bucket, key) => match bucket.get(key, None, control)? {
                Some(content) => Ok(content.to_vec()),
                None => Err(Error::refused("read the inventory report", &self.place(), "there is no such object")),
            },
            Self::Directory(path) => {
                std::fs::read(path).map_err(|error| Error::io("read the inventory report", &self.place(), error))
            }
        }
    }

    /// A data file, at its beginning, once its size and checksum were found to be what the manifest says.
    ///
    /// # Errors
    /// When it is missing or another; any failure to read.
    pub(super) fn file(&self, file: &DataFile, control: &Control) -> Result<File> {
        let refused =
            |explanation: String| Error::refused("use the inventory report's", &Key::new(&file.key), explanation);
        let missing = || refused("the manifest names it, and it is not there".to_owned());
        let failed = |error: io::Error| Error::io("read the inventory report's", &Key::new(&file.key), error);
        let (mut opened, size_bytes, md5) = match self {
            Self::Bucket(bucket, _) => download(bucket, file, control)?.ok_or_else(missing)?,
            Self::Directory(manifest) => {
                let path = path_of(manifest, &file.key).ok_or_else(missing)?;
                let mut opened = match File::open(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        return Err(refused(format!("it is not there, at {}", path.display())));
                    }
                    opened => opened.map_err(failed)?,
                };
                let (size_bytes, md5) = measure(&mut opened, control)?.map_err(failed)?;
                (opened, size_bytes, md5)
            }
        };
        if size_bytes != file.size_bytes {
            return Err(refused(format!("it has another size than the manifest says: not {} bytes", file.size_bytes)));
        }
        if md5 != file.md5 {
            return Err(refused("it has another MD5 checksum than the manifest says".to_owned()));
        }
        opened.rewind().map_err(failed)?;
        Ok(opened)
    }
}

/// The path of a data file, beside the directory that the manifest is in.
fn path_of(manifest: &Path, key: &str) -> Option<PathBuf> {
    let mut parts = Path::new(key).components().rev();
    let (name, directory) = (parts.next()?, parts.next()?);
    let are_names = [name, directory].iter().all(|part| matches!(part, Component::Normal(_)));
    are_names.then(|| manifest.parent().unwrap_or(Path::new("")).join("..").join(directory).join(name))
}

/// Size and checksum of a file; an error of its own for a run that is to end.
fn measure(file: &mut File, control: &Control) -> Result<io::Result<(u64, [u8; 16])>> {
    let (mut md5, mut size_bytes) = (Md5::new(), 0);
    let mut buffer = vec![0; BUFFER];
    loop {
        control.check()?;
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Ok((size_bytes, md5.finalize().into()))),
            Ok(count) => {
                md5.update(&buffer[..count]);
                size_bytes += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Brings a file here, with its size and checksum; of one that is longer than it should be only so much that this shows.
fn download(bucket: &Bucket, file: &DataFile, control: &Control) -> Result<Option<(File, u64, [u8; 16])>> {
    let key = Key::new(&file.key);
    let failed = |error: io::Error| Error::io("make a temporary file for the inventory report's", &key, error);
    let mut to = tempfile::tempfile().map_err(failed)?;
    let (mut md5, mut size_bytes) = (Md5::new(), 0);
    while size_bytes <= file.size_bytes {
        let end = (size_bytes + PIECE).min(file.size_bytes + 1);
        let Some(piece) = bucket.read_range(&key, &(size_bytes..end), control)? else { return Ok(None) };
        if piece.is_empty() {
            break;
        }
        md5.update(&piece);
        to.write_all(&piece).map_err(failed)?;
        size_bytes += piece.len() as u64;
    }
    Ok(Some((to, size_bytes, md5.finalize().into())))
}
