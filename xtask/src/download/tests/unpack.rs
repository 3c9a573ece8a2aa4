//! Archives that do not hold what they should.

use std::fs::{self, File};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::super::unpack::unpack;

const MEMBERS: [(&str, u64); 2] = [("a.bin", 3), ("b.bin", 2)];

/// Writes an archive of (path, kind, contents). The path is set raw: the tar crate would refuse the bad ones.
fn archive(path: &Path, entries: &[(&str, EntryType, &[u8])]) {
    let mut builder = Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
    for (name, kind, contents) in entries {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(contents.len() as u64);
        header.set_cksum();
        builder.append(&header, *contents).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap();
}

const GOOD: [(&str, EntryType, &[u8]); 4] = [
    ("set/", EntryType::Directory, b""),
    ("set/a.bin", EntryType::Regular, b"aaa"),
    ("set/readme.html", EntryType::Regular, b"hello"),
    ("set/b.bin", EntryType::Regular, b"bb"),
];

/// Unpacks the good archive with `extra` at its end; the error, and the names that were unpacked.
fn outcome(entries: &[(&str, EntryType, &[u8])]) -> (Option<String>, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let to = folder.path().join("to");
    fs::create_dir(&to).unwrap();
    let file = folder.path().join("set.tar.gz");
    archive(&file, entries);
    let error = unpack(&file, &to, "set", &MEMBERS, "readme.html").err().map(|error| format!("{error:#}"));
    let mut names: Vec<String> =
        fs::read_dir(&to).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "something was written outside");
    (error, names)
}

#[test]
fn the_expected_files_are_unpacked() {
    let (error, names) = outcome(&GOOD);
    assert_eq!(error, None);
    assert_eq!(names, ["a.bin", "b.bin"]);
}

#[test]
fn anything_else_is_refused() {
    let cases: [(&str, EntryType, &[u8], &str); 8] = [
        ("set/c.bin", EntryType::Regular, b"c", "does not belong here"),
        ("set/../../evil", EntryType::Regular, b"c", "does not belong here"),
        ("/evil", EntryType::Regular, b"c", "does not belong here"),
        ("setx/a.bin", EntryType::Regular, b"aaa", "does not belong here"),
        ("set/a.bin", EntryType::Regular, b"aaa", "is there twice"),
        ("set/a.bin", EntryType::Symlink, b"", "is not a plain file"),
        ("set/b.bin", EntryType::Link, b"", "is not a plain file"),
        ("other/", EntryType::Directory, b"", "is not a plain file"),
    ];
    for (name, kind, contents, message) in cases {
        let (error, _) = outcome(&[&GOOD[..], &[(name, kind, contents)]].concat());
        assert!(error.as_deref().unwrap_or_default().contains(message), "{name}: {error:?}");
    }
}

#[test]
fn missing_long_and_damaged_files_are_errors() {
    let (error, _) = outcome(&GOOD[..3]);
    assert_eq!(error.unwrap(), "the archive lacks b.bin");
    let (error, _) = outcome(&[GOOD[1], ("set/b.bin", EntryType::Regular, b"bbb")]);
    assert_eq!(error.unwrap(), "b.bin has 3 bytes, expected 2");

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("set.tar.gz");
    archive(&file, &GOOD);
    let bytes = fs::read(&file).unwrap();
    for length in [0, 10, bytes.len() / 2] {
        fs::write(&file, &bytes[..length]).unwrap();
        assert!(unpack(&file, folder.path(), "set", &MEMBERS, "readme.html").is_err(), "{length} bytes");
    }
}
