//! ONNX: tensors in other files, which may lie anywhere and claim anything.

use super::protobuf::{Model, external};
use super::{Case, write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// The four floats that a location must not reach; everything about them fits.
const SECRET: [u8; 16] = [0; 16];

/// Writes the file that the model reads: `m.onnx` in the folder `m`, beside which the secret lies.
fn model(folder: &Path, entries: &[(&str, &str)]) {
    std::fs::create_dir_all(folder.join("m/inner")).expect("the temporary folder is writable");
    write(folder, "secret", SECRET);
    write(folder, "m/m.onnx", Model::add(&external("w", &[4], entries)).bytes());
}

fn at(name: &str, location: &'static str) -> Case {
    Case::new(format!("external-{name}"), &["inspect", "m/m.onnx"], move |folder| {
        model(folder, &[("location", location)]);
    })
}

/// A location where `make` puts something else than a file.
fn with(name: &str, location: &'static str, make: impl Fn(&Path) + Send + Sync + 'static) -> Case {
    Case::new(format!("external-{name}"), &["inspect", "m/m.onnx"], move |folder| {
        model(folder, &[("location", location)]);
        make(&folder.join("m"));
    })
}

/// Sixteen bytes in `m/w`, of which the model wants a part.
fn part(name: &str, entries: &'static [(&str, &str)]) -> Case {
    Case::new(format!("external-{name}"), &["inspect", "m/m.onnx"], move |folder| {
        model(folder, &[&[("location", "w")], entries].concat());
        write(folder, "m/w", SECRET);
    })
}

fn link(target: &str, name: &Path) {
    symlink(target, name).expect("links can be made");
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        at("parent", "../secret"),
        at("parent-inside", "inner/../../secret"),
        at("parent-behind-dot", "./../secret"),
        at("parent-doubled", "..//secret"),
        at("parent-with-backslash", "..\\secret"),
        at("parent-with-both", "..\\../secret"),
        at("parent-percent", "%2e%2e/secret"),
        at("parent-alone", ".."),
        at("absolute", "/etc/hostname"),
        at("absolute-doubled", "//etc/hostname"),
        at("drive", "C:\\secret"),
        at("drive-relative", "C:secret"),
        at("share", "\\\\server\\share\\secret"),
        at("address", "file:///etc/hostname"),
        at("home", "~/secret"),
        at("nul-inside", "w\0/../secret"),
        at("empty", ""),
        at("dot", "."),
        at("folder", "inner"),
        at("missing", "nothing/there"),
        at("behind-a-file", "m.onnx/w"),
        at("itself", "m.onnx"),
        at("device-zero", "/dev/zero"),
        at("process", "/proc/self/mem"),
        Case::new("external-name-of-1-MB", &["inspect", "m/m.onnx"], |folder| {
            model(folder, &[("location", &"a/".repeat(500_000))]);
        }),
        with("link-to-file", "w", |m| link("../secret", &m.join("w"))),
        with("link-to-link", "w", |m| {
            link("../secret", &m.join("v"));
            link("v", &m.join("w"));
        }),
        with("link-to-itself", "w", |m| link("w", &m.join("w"))),
        with("link-to-folder", "up/secret", |m| link("..", &m.join("up"))),
        with("link-to-device", "w", |m| link("/dev/zero", &m.join("w"))),
        with("link-to-endless-device-behind-folder", "inner/w", |m| link("/dev/urandom", &m.join("inner/w"))),
        with("pipe", "w", |m| {
            let made = Command::new("mkfifo").arg(m.join("w")).status();
            assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        }),
        with("socket", "w", |m| {
            std::os::unix::net::UnixListener::bind(m.join("w")).expect("sockets can be made");
        }),
        with("empty-file", "w", |m| write(m, "w", "")),
        with("short-by-one", "w", |m| write(m, "w", &SECRET[1..])),
        with("long-by-one", "w", |m| write(m, "w", [0; 17])),
        with("sparse-file-of-1-TB", "w", |m| {
            std::fs::File::create(m.join("w")).and_then(|f| f.set_len(1 << 40)).expect("sparse files can be made");
        }),
        part("offset-past-the-end", &[("offset", "17")]),
        part("offset-2-63", &[("offset", "9223372036854775808")]),
        part("offset-wraps-around", &[("offset", "18446744073709551608"), ("length", "16")]),
        part("offset-2-64", &[("offset", "18446744073709551616")]),
        part("offset-negative", &[("offset", "-1")]),
        part("offset-hexadecimal", &[("offset", "0x10")]),
        part("length-2-63", &[("length", "9223372036854775808")]),
        part("length-negative", &[("length", "-1")]),
        part("length-zero", &[("length", "0")]),
        part("length-short", &[("length", "8")]),
        part("length-beyond-the-file", &[("offset", "8"), ("length", "16")]),
        part("location-twice", &[("location", "../secret")]),
        part("unknown-key", &[("basepath", "..")]),
    ];
    // A megabyte that each of so many tensors asks for again.
    cases.push(Case::new("external-shared-by-2000-tensors", &["inspect", "m/m.onnx"], |folder| {
        std::fs::create_dir(folder.join("m")).expect("the temporary folder is writable");
        let mut model = Model::sum_of(2000);
        for k in 0..2000 {
            model = model.tensor(&external(&format!("w{k}"), &[1 << 18], &[("location", "w")]));
        }
        write(folder, "m/m.onnx", model.bytes());
        write(folder, "m/w", vec![0; 1 << 20]);
    }));
    cases.push(Case::new("external-overlapping", &["inspect", "m/m.onnx"], |folder| {
        std::fs::create_dir(folder.join("m")).expect("the temporary folder is writable");
        let mut model = Model::sum_of(5000);
        for k in 0..5000 {
            let entries = [("location", "w"), ("offset", &k.to_string()), ("length", "65536")];
            model = model.tensor(&external(&format!("w{k}"), &[1 << 14], &entries));
        }
        write(folder, "m/m.onnx", model.bytes());
        write(folder, "m/w", vec![0; 1 << 17]);
    }));
    cases.push(Case::new("external-sparse-file-of-1-GB-that-fits", &["inspect", "m.onnx"], |folder| {
        write(folder, "m.onnx", Model::add(&external("w", &[1 << 27], &[("location", "w")])).bytes());
        std::fs::File::create(folder.join("w")).and_then(|f| f.set_len(1 << 29)).expect("sparse files can be made");
    }));
    cases.push(Case::new("model-is-a-folder", &["inspect", "m.onnx"], |folder| {
        std::fs::create_dir(folder.join("m.onnx")).expect("the temporary folder is writable");
    }));
    cases.push(Case::new("model-is-a-link-to-an-endless-device", &["inspect", "m.onnx"], |folder| {
        link("/dev/zero", &folder.join("m.onnx"));
    }));
    cases.push(Case::new("model-is-a-pipe", &["inspect", "m.onnx"], |folder| {
        let made = Command::new("mkfifo").arg(folder.join("m.onnx")).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo");
    }));
    cases.push(Case::new("model-is-a-sparse-file-of-1-TB", &["inspect", "m.onnx"], |folder| {
        std::fs::File::create(folder.join("m.onnx"))
            .and_then(|f| f.set_len(1 << 40))
            .expect("sparse files can be made");
    }));
    cases.push(Case::new("model-is-a-sparse-file-of-1-GB", &["inspect", "m.onnx"], |folder| {
        std::fs::File::create(folder.join("m.onnx"))
            .and_then(|f| f.set_len(1 << 30))
            .expect("sparse files can be made");
    }));
    cases
}
