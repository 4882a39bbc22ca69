//! What only a filesystem can get wrong. The contract it shares with other stores is in `tests/contract.rs`.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Mutex;

use super::*;
use crate::store::Names;

fn one(directory: &str, name: &str, leaf: &'static str) -> Vec<Group> {
    let mut names = Names::default();
    names.push(name.as_bytes());
    vec![Group { directory: Key::new(directory), names, leaf }]
}

fn read(store: &FsStore, groups: &[Group]) -> Result<Option<Vec<u8>>> {
    let found = Mutex::new(None);
    store.read(groups, 1024, &Control::default(), &|_, _, content| {
        if let Content::Whole(bytes) = content {
            *found.lock().unwrap() = Some(bytes.to_vec());
        }
        Ok(())
    })?;
    Ok(found.into_inner().unwrap())
}

fn both(path: &Path) -> [FsStore; 2] {
    [FsStore::open(path, Some(2)).unwrap(), FsStore::open(path, Some(2)).unwrap().stepwise()]
}

#[test]
fn symlinks_are_not_followed_anywhere_below_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir(outside.path().join("x")).unwrap();
    fs::write(outside.path().join("x/link"), "secret").unwrap();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("a/real")).unwrap();
    symlink(outside.path().join("x"), root.path().join("a/x")).unwrap();
    symlink(outside.path(), root.path().join("b")).unwrap();
    symlink(outside.path().join("x/link"), root.path().join("a/real/link")).unwrap();
    for store in both(root.path()) {
        for groups in [one("a", "x", "link"), one("b", "x", "link"), one("a", "real", "link")] {
            assert_eq!(read(&store, &groups).unwrap_err().kind(), Kind::Layout, "{groups:?}");
            store
                // The link itself, as the last component, may be removed; nothing behind one.
                .remove(&groups, Holder::Keep, &Control::default(), &|_, _, _| {})
                .unwrap();
        }
        let error = store.list(&[Key::new("b")], &Control::default(), &|_, _| Ok(())).unwrap_err();
        assert_eq!(error.kind(), Kind::Layout);
        symlink(outside.path().join("x/link"), root.path().join("a/real/link")).ok();
    }
    assert_eq!(fs::read(outside.path().join("x/link")).unwrap(), b"secret");
}

#[test]
fn nothing_is_removed_through_a_symlink() {
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(outside.path().join("x/empty")).unwrap();
    fs::write(outside.path().join("x/file"), "kept").unwrap();
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    symlink(outside.path().join("x"), root.path().join("a/x")).unwrap();
    symlink(outside.path().join("x/empty"), root.path().join("a/empty")).unwrap();
    for store in both(root.path()) {
        for group in [one("a/x", "file", ""), one("a", "x", "file")] {
            let visit = |_, _, outcome: Result<Removal>| assert!(outcome.is_err());
            store.remove(&group, Holder::Keep, &Control::default(), &visit).unwrap();
        }
        let groups = [one("a/x", "empty", ""), one("a", "empty", "")].concat();
        store.remove_empty(&groups, &Control::default()).unwrap();
        let times = store.directory_times(&[Key::new("a/x")], &Control::default(), &|_, _| Ok(()));
        assert_eq!(times.unwrap_err().kind(), Kind::Layout);
    }
    assert!(outside.path().join("x/empty").is_dir() && outside.path().join("x/file").is_file());
}

#[test]
fn a_root_that_is_a_symlink_is_followed() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("real/a/b")).unwrap();
    fs::write(root.path().join("real/a/b/link"), "text").unwrap();
    symlink(root.path().join("real"), root.path().join("root")).unwrap();
    for store in both(&root.path().join("root")) {
        assert_eq!(read(&store, &one("a", "b", "link")).unwrap().unwrap(), b"text");
    }
}

#[test]
fn a_fifo_or_directory_in_a_files_place_stops_and_does_not_hang() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("a/fifo")).unwrap();
    fs::create_dir_all(root.path().join("a/directory/link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path().join("a/fifo/link"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    for store in both(root.path()) {
        for name in ["fifo", "directory"] {
            assert_eq!(read(&store, &one("a", name, "link")).unwrap_err().kind(), Kind::Layout, "{name}");
            let error = store.stat(&one("a", name, "link"), &Control::default(), &|_, _, _| Ok(())).unwrap_err();
            assert_eq!(error.kind(), Kind::Layout, "{name}");
        }
    }
}

#[test]
fn dots_do_not_leave_the_root() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("root/a")).unwrap();
    fs::create_dir_all(root.path().join("outside")).unwrap();
    fs::write(root.path().join("outside/link"), "secret").unwrap();
    for store in both(&root.path().join("root")) {
        assert!(read(&store, &one("a", "../../outside", "link")).is_err());
    }
}
