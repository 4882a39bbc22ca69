//! Filling a bucket with what lies in a directory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::bucket::{Bucket, Buckets};
use crate::moment::Moment;
use crate::object::{Content, Object};

/// Puts the regular files below a directory into a bucket: their paths become keys below `root`, and their times become
/// times. A sparse file that has nothing in it becomes zeros that take no memory. Gives the number of files.
///
/// # Errors
/// When something cannot be read.
pub fn load(buckets: &Buckets, bucket: &Bucket, directory: &Path, root: &[u8]) -> io::Result<u64> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut count = 0;
    for entry in entries {
        let kind = entry.file_type()?;
        let name = entry.file_name();
        let separator: &[u8] = if root.is_empty() || root.ends_with(b"/") { b"" } else { b"/" };
        let key = [root, separator, name.as_bytes()].concat();
        if kind.is_dir() {
            count += load(buckets, bucket, &entry.path(), &key)?;
        } else if kind.is_file() {
            let mut file = File::open(entry.path())?;
            let metadata = file.metadata()?;
            let content = if metadata.size() > 0 && metadata.blocks() == 0 {
                Content::Zeros(metadata.size())
            } else {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                bytes.into()
            };
            let modified = Moment::from(metadata.modified()?);
            bucket.write().put(&key, Object::new(content), modified, buckets.next_number());
            count += 1;
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_becomes_keys_with_contents_and_times() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        fs::create_dir_all(path.join("a/b")).expect("directories");
        fs::write(path.join("a/b/c"), "content").expect("a file");
        File::create(path.join("sparse")).and_then(|file| file.set_len(1 << 40)).expect("a sparse file");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400);
        File::options().write(true).open(path.join("a/b/c")).and_then(|file| file.set_modified(time)).expect("a time");

        let (buckets, bucket) = (Buckets::default(), Bucket::default());
        assert_eq!(load(&buckets, &bucket, path, b"/root").expect("loaded"), 2);
        let version = |key: &[u8]| bucket.read().current(key).expect("the key");
        let file = version(b"/root/a/b/c");
        assert_eq!((file.modified.seconds(), file.object.map(|object| object.content.size_bytes())), (86_400, Some(7)));
        let sparse = version(b"/root/sparse").object.map(|object| object.content.size_bytes());
        assert_eq!(sparse, Some(1 << 40));
    }
}
