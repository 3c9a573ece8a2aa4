//! safetensors and the architectures beside or inside them.

use super::{Case, write};
use std::fmt::Write as _;
use std::os::unix::fs::symlink;

fn file(header: impl AsRef<[u8]>, data: &[u8]) -> Vec<u8> {
    let header = header.as_ref();
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// A file whose header says of its own length what is not so.
fn lying(length: u64, rest: &[u8]) -> Vec<u8> {
    [&length.to_le_bytes(), rest].concat()
}

fn st(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::inspect(format!("safetensors-{name}"), "m.safetensors", content)
}

/// One tensor `a.weight`, about which the header says this; 16 bytes of data.
fn one(name: &str, entry: &'static str) -> Case {
    st(name, move || file(format!("{{\"a.weight\":{{{entry}}}}}"), &[0; 16]))
}

/// A file that reads as the layer `y` of two inputs, with this architecture in its metadata.
fn arch(name: &str, text: impl Fn() -> String + Send + Sync + 'static) -> Case {
    st(&format!("architecture-{name}"), move || with_arch(&text()))
}

fn with_arch(text: &str) -> Vec<u8> {
    let mut quoted = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => drop(write!(quoted, "\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    let tensor = r#""w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}"#;
    file(format!("{{\"__metadata__\":{{\"unmoved.arch\":\"{quoted}\"}},{tensor}}}"), &[0; 8])
}

const ARCH: &str = "net 1\ninput x f32 [2]\nlayer y = dense x w .\noutput y\nend\n";

/// An architecture with these layers between input and output.
pub(crate) fn layers(input: &str, layers: &str) -> String {
    format!("net 1\ninput x f32 {input}\n{layers}\noutput y\nend\n")
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        st("empty", Vec::new),
        st("seven-bytes", || vec![0; 7]),
        st("header-of-nothing", || lying(0, &[])),
        st("header-of-zero-bytes", || lying(0, b"{}")),
        st("header-longer-than-the-file", || lying(1000, b"{}")),
        st("header-of-100-MB-claimed", || lying(100_000_000, b"{}")),
        st("header-of-2-32", || lying(1 << 32, b"{}")),
        st("header-of-2-63", || lying(1 << 63, b"{}")),
        st("header-of-2-64", || lying(u64::MAX, b"{}")),
        st("header-of-2-64-minus-8", || lying(u64::MAX - 7, b"{}")),
        st("header-without-tensors", || file("{}", &[])),
        st("header-without-tensors-but-data", || file("{}", &[0; 16])),
        st("header-not-utf8", || file([b'{', b'"', 0xff, b'"', b'}'], &[])),
        st("header-not-json", || file("{tensor: 1}", &[])),
        st("header-a-list", || file("[]", &[])),
        st("header-behind-blanks", || file("  {}", &[])),
        st("header-cut-off", || file("{\"a\":{\"dtype\":\"F32\"", &[])),
        st("header-with-text-behind", || file("{} {}", &[])),
        st("header-with-a-nul", || file("{\"a\0\":{}}", &[])),
        st("header-nested-1000000-lists", || file(format!("{{\"a\":{}", "[".repeat(1_000_000)), &[])),
        st("header-nested-1000000-objects", || file("{\"a\":".repeat(1_000_000), &[])),
        st("header-nested-in-ignored-key", || {
            let nest = ["[".repeat(100_000), "]".repeat(100_000)].concat();
            file(format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4],\"x\":{nest}}}}}"), &[0; 4])
        }),
        st("header-number-of-1000000-digits", || {
            let number = "9".repeat(1_000_000);
            file(format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{number}],\"data_offsets\":[0,4]}}}}"), &[0; 4])
        }),
        st("header-string-of-20-MB", || file(format!("{{\"{}\":1}}", "a".repeat(20_000_000)), &[])),
        st("header-of-30-MB-of-blanks", || file(format!("{{{}}}", " ".repeat(30_000_000)), &[])),
        one("extents-overflow", r#""dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]"#),
        one("extents-wrap-to-four", r#""dtype":"F32","shape":[4611686018427387905,4],"data_offsets":[0,16]"#),
        one("extent-2-63", r#""dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,16]"#),
        one("extent-2-64", r#""dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,16]"#),
        one("extent-negative", r#""dtype":"F32","shape":[-4],"data_offsets":[0,16]"#),
        one("extent-a-fraction", r#""dtype":"F32","shape":[4.0],"data_offsets":[0,16]"#),
        one("extent-1e3", r#""dtype":"F32","shape":[1e3],"data_offsets":[0,16]"#),
        one("extent-zero", r#""dtype":"F32","shape":[0,4],"data_offsets":[0,0]"#),
        one("extent-text", r#""dtype":"F32","shape":["4"],"data_offsets":[0,16]"#),
        one("offsets-reversed", r#""dtype":"F32","shape":[2,2],"data_offsets":[16,0]"#),
        one("offsets-negative", r#""dtype":"F32","shape":[2,2],"data_offsets":[-16,0]"#),
        one("offsets-2-63", r#""dtype":"F32","shape":[2,2],"data_offsets":[9223372036854775808,9223372036854775824]"#),
        one("offsets-wrap-around", r#""dtype":"F32","shape":[2,2],"data_offsets":[18446744073709551608,8]"#),
        one("offsets-past-the-end", r#""dtype":"F32","shape":[2,4],"data_offsets":[0,32]"#),
        one("offsets-begin-late", r#""dtype":"F32","shape":[2,1],"data_offsets":[8,16]"#),
        one("offsets-leave-a-rest", r#""dtype":"F32","shape":[2,1],"data_offsets":[0,8]"#),
        one("offsets-three", r#""dtype":"F32","shape":[2,2],"data_offsets":[0,8,16]"#),
        one("offsets-infinite", r#""dtype":"F32","shape":[2,2],"data_offsets":[0,1e999]"#),
        one("type-unknown", r#""dtype":"F31","shape":[2,2],"data_offsets":[0,16]"#),
        one("type-of-another-size", r#""dtype":"F64","shape":[2,2],"data_offsets":[0,16]"#),
        one("type-missing", r#""shape":[2,2],"data_offsets":[0,16]"#),
        one("type-twice", r#""dtype":"F32","dtype":"F64","shape":[2,2],"data_offsets":[0,16]"#),
        one("type-of-four-bits", r#""dtype":"F4","shape":[3],"data_offsets":[0,2]"#),
        st("rank-1000000", || {
            let shape = vec!["1"; 1_000_000].join(",");
            file(format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[0,4]}}}}"), &[0; 4])
        }),
        st("nan", || {
            let header = r#"{"a.weight":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#;
            file(header, &f32::NAN.to_le_bytes())
        }),
        st("key-twice", || {
            let entry = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
            file(format!("{{{entry},{entry}}}"), &[0; 4])
        }),
        st("metadata-twice", || file(r#"{"__metadata__":{},"__metadata__":{}}"#, &[])),
        st("metadata-key-twice", || file(r#"{"__metadata__":{"a":"b","a":"c"}}"#, &[])),
        st("metadata-not-text", || file(r#"{"__metadata__":{"a":[1,2]}}"#, &[])),
        st("tensors-overlap", || {
            let a = r#""a.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}"#;
            let b = r#""b.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[8,24]}"#;
            file(format!("{{{a},{b}}}"), &[0; 24])
        }),
        st("tensors-share-their-data", || {
            let a = r#""a.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}"#;
            let b = r#""b.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}"#;
            file(format!("{{{a},{b}}}"), &[0; 16])
        }),
        st("tensors-leave-a-gap", || {
            let a = r#""a.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}"#;
            let b = r#""b.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[20,36]}"#;
            file(format!("{{{a},{b}}}"), &[0; 36])
        }),
        st("300000-tensors", || {
            let mut header = String::from("{");
            for k in 0..300_000 {
                let _ = write!(header, "\"{k}\":{{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[{k},{}]}},", k + 1);
            }
            header.pop();
            file(header + "}", &vec![0; 300_000])
        }),
        st("1000000-empty-tensors", || {
            let mut header = String::from("{");
            for k in 0..1_000_000 {
                let _ = write!(header, "\"{k}\":{{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}},");
            }
            header.pop();
            file(header + "}", &[])
        }),
        st("1000000-metadata-pairs", || {
            let pairs: Vec<String> = (0..1_000_000).map(|k| format!("\"{k}\":\"\"")).collect();
            file(format!("{{\"__metadata__\":{{{}}}}}", pairs.join(",")), &[])
        }),
        st("10000-weights-in-a-chain", || {
            let mut header = String::from("{");
            for k in 0..10_000 {
                let (from, to) = (4 * k, 4 * k + 4);
                let _ = write!(
                    header,
                    "\"{k}.weight\":{{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[{from},{to}]}},"
                );
            }
            header.pop();
            file(header + "}", &[0; 40_000])
        })
        .may_load(),
        arch("empty", String::new),
        arch("not-one", || "import os; os.system('true')".into()),
        arch("cut-off", || ARCH[..40].into()),
        arch("of-another-version", || ARCH.replace("net 1", "net 2")),
        arch("with-2-64", || ARCH.replace("[2]", "[18446744073709551616]")),
        arch("with-a-huge-input", || layers("[134217727]", "layer y = relu x")).may_load(),
        arch("with-an-overflowing-input", || layers("[4294967296 4294967296]", "layer y = relu x")),
        arch("names-a-missing-tensor", || ARCH.replace(" w ", " v ")),
        arch("with-10000-layers-that-read-one-weight", || {
            let mut text = String::from("layer t0 = relu x\n");
            for k in 0..9_998 {
                let _ = writeln!(text, "layer t{} = dense t{k} w w", k + 1);
            }
            layers("[2]", &(text + "layer y = relu t9998"))
        }),
        arch("with-a-run-of-2-25", || layers("[1]", "layer y = gather x [33554432] 0-33554431")),
        arch("with-a-million-quotes", || "\"".repeat(1_000_000)),
        Case::new("safetensors-architecture-is-a-link", &["inspect", "m.safetensors"], |folder| {
            write(folder, "m.safetensors", with_arch(ARCH));
            write(folder, "elsewhere", ARCH);
            symlink("elsewhere", folder.join("m.arch")).expect("links can be made");
        }),
        Case::new("safetensors-architecture-is-a-link-to-a-device", &["inspect", "m.safetensors"], |folder| {
            write(folder, "m.safetensors", with_arch(ARCH));
            symlink("/dev/zero", folder.join("m.arch")).expect("links can be made");
        }),
        Case::new("safetensors-architecture-is-a-folder", &["inspect", "m.safetensors"], |folder| {
            write(folder, "m.safetensors", with_arch(ARCH));
            std::fs::create_dir(folder.join("m.arch")).expect("the temporary folder is writable");
        }),
        Case::new("safetensors-architecture-is-a-pipe", &["inspect", "m.safetensors"], |folder| {
            write(folder, "m.safetensors", with_arch(ARCH));
            let made = std::process::Command::new("mkfifo").arg(folder.join("m.arch")).status();
            assert!(made.is_ok_and(|status| status.success()), "mkfifo");
        }),
        Case::new("safetensors-architecture-of-1-GB", &["inspect", "m.safetensors"], |folder| {
            write(folder, "m.safetensors", with_arch(ARCH));
            let arch = std::fs::File::create(folder.join("m.arch"));
            arch.and_then(|f| f.set_len(1 << 30)).expect("sparse files can be made");
        }),
        Case::new("safetensors-architecture-of-30-MB", &["inspect", "m.safetensors"], |folder| {
            write(folder, "m.safetensors", with_arch(ARCH));
            write(folder, "m.arch", vec![b'a'; 30_000_000]);
        }),
        Case::new("safetensors-architecture-of-30-MB-of-comment", &["inspect", "m.safetensors"], |folder| {
            write(folder, "m.safetensors", with_arch(ARCH));
            write(folder, "m.arch", ARCH.replace("net 1", &format!("net 1 #{}", " ".repeat(30_000_000))));
        })
        .may_load(),
        Case::new("safetensors-is-a-link-to-an-endless-device", &["inspect", "m.safetensors"], |folder| {
            symlink("/dev/zero", folder.join("m.safetensors")).expect("links can be made");
        }),
    ];
    cases.push(Case::new("safetensors-sparse-file-of-1-GB", &["inspect", "m.safetensors"], |folder| {
        let header = r#"{"a.weight":{"dtype":"F32","shape":[1,268435456],"data_offsets":[0,1073741824]}}"#;
        write(folder, "m.safetensors", file(header, &[]));
        let file = std::fs::OpenOptions::new().append(true).open(folder.join("m.safetensors"));
        file.and_then(|f| f.set_len(8 + header.len() as u64 + (1 << 30))).expect("sparse files can be made");
    }));
    cases
}
