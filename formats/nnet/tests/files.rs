//! Reading from and writing to the file system.

use std::fs;
use unmoved_ir::{Builder, DType};
use unmoved_nnet::{parse, read, to_string, write};

const PLAIN: &str = include_str!("canonical/plain.nnet");

#[test]
fn writes_whole_files() {
    let network = parse(PLAIN).expect("a network");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.nnet");
    fs::write(&path, "an older file").expect("a temporary folder");
    write(&network, &path).expect("writes");
    assert_eq!(fs::read_to_string(&path).expect("reads"), PLAIN);
    assert_eq!(read(&path).expect("reads"), network);
    assert!(write(&network, &folder.path().join("nowhere/a.nnet")).is_err());
    assert!(read(folder.path()).expect_err("a folder").to_string().contains("not a plain file"));

    // What cannot be written leaves what was there.
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).expect("an input");
    let nothing = b.finish(x).expect("a network");
    assert!(write(&nothing, &path).is_err());
    assert_eq!(fs::read_to_string(&path).expect("reads"), PLAIN);
    assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1, "no temporary file stays");
    assert_eq!(to_string(&network).expect("fits"), PLAIN);
}
