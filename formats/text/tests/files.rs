//! Reading from and writing to the file system.

use std::fs;
use std::path::Path;
use unmoved_ir::Network;
use unmoved_text::{Error, parse, read, to_string, write};

const PLAIN: &str = "net 1\ninput x f32 [2]\ntensor w f32 [1 2] = 1 -0.5\nlayer y = dense x w .\noutput y\nend\n";

fn plain() -> Network {
    parse(PLAIN).expect("a network")
}

/// A text whose weight stands in `file`; the digest is that of `1 -0.5`.
fn referring(file: &str) -> String {
    let digest = "e5e0ce39fac89cd93af5ba8bcad2fe35d88c75417c7e44941fe5ee4e48f1cf75";
    PLAIN.replace("= 1 -0.5", &format!("from \"{file}\" key \"y.weight\" sha256 {digest}"))
}

fn read_text(folder: &Path, text: &str) -> Result<Network, Error> {
    let path = folder.join("net.unm");
    fs::write(&path, text).expect("a temporary folder");
    read(&path)
}

#[test]
fn writes_whole_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.unm");
    fs::write(&path, "an older file").expect("a temporary folder");
    write(&plain(), &path).expect("writes");
    assert_eq!(read(&path).expect("reads"), plain());
    assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1, "no temporary file stays");
    assert!(write(&plain(), &folder.path().join("nowhere/a.unm")).is_err());
    assert!(read(folder.path()).expect_err("a folder").to_string().contains("not a plain file"));
}

#[test]
fn tensors_in_folders_below() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir_all(folder.path().join("a/b")).expect("a temporary folder");
    unmoved_safetensors::write(&plain(), &folder.path().join("a/b/w.safetensors")).expect("writes");
    let network = read_text(folder.path(), &referring("a/b/w.safetensors")).expect("reads");
    assert_eq!(network, plain());
    assert_eq!(to_string(&network).expect("fits"), to_string(&plain()).expect("fits"));
    // The same text without a folder has nothing to refer to.
    assert!(parse(&referring("a/b/w.safetensors")).expect_err("no folder").to_string().contains("without a folder"));
}

#[test]
fn no_way_out_of_the_folder() {
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("model");
    fs::create_dir(&folder).expect("a temporary folder");
    let secret = outer.path().join("w.safetensors");
    unmoved_safetensors::write(&plain(), &secret).expect("writes");
    let absolute = secret.display().to_string();
    for file in
        ["../w.safetensors", "a/../../w.safetensors", &absolute, "", ".", "C:w", "..\\\\w.safetensors", "a\\u{0}"]
    {
        let error = read_text(&folder, &referring(file)).expect_err(file).to_string();
        assert!(error.contains("relative path"), "{file}: {error}");
    }
}

#[cfg(unix)]
#[test]
fn no_links() {
    use std::os::unix::fs::symlink;
    let outer = tempfile::tempdir().expect("a temporary folder");
    let folder = outer.path().join("model");
    fs::create_dir(&folder).expect("a temporary folder");
    unmoved_safetensors::write(&plain(), &outer.path().join("w.safetensors")).expect("writes");
    symlink(outer.path().join("w.safetensors"), folder.join("link.safetensors")).expect("links");
    symlink(outer.path(), folder.join("up")).expect("links");
    for file in ["link.safetensors", "up/w.safetensors"] {
        let error = read_text(&folder, &referring(file)).expect_err(file).to_string();
        assert!(error.contains("symbolic link"), "{file}: {error}");
    }
}
