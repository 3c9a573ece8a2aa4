//! The native text format.

use super::safetensors::layers;
use super::{Case, write};
use std::fmt::Write as _;
use std::os::unix::fs::symlink;

fn unm(name: &str, content: impl Fn() -> String + Send + Sync + 'static) -> Case {
    raw(name, move || content().into_bytes())
}

fn raw(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::inspect(format!("text-{name}"), "m.unm", content)
}

/// A network of one layer on an input of this shape.
fn layer(name: &str, input: &'static str, what: &'static str) -> Case {
    unm(name, move || layers(input, &format!("layer y = {what}")))
}

/// A tensor `w` of two elements; the text says this behind its shape.
fn with(rest: &str) -> String {
    format!("net 1\ninput x f32 [2]\ntensor w f32 [1 2] {rest}\nlayer y = dense x w .\noutput y\nend\n")
}

/// A number as the first element of a tensor.
fn number(name: &str, number: impl Fn() -> String + Send + Sync + 'static) -> Case {
    unm(&format!("number-{name}"), move || with(&format!("= {} 1", number())))
}

/// A reference to another file; that file holds a tensor that fits, but for its digest.
fn from(name: &str, location: &'static str) -> Case {
    Case::new(format!("text-from-{name}"), &["inspect", "m/m.unm"], move |folder| {
        std::fs::create_dir_all(folder.join("m/inner")).expect("the temporary folder is writable");
        let digest = "0".repeat(64);
        write(folder, "m/m.unm", with(&format!("from \"{location}\" key \"w\" sha256 {digest}")));
        let header = r#"{"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat();
        write(folder, "secret", &file);
        write(folder, "m/w", &file);
        symlink("../secret", folder.join("m/link")).expect("links can be made");
        symlink("..", folder.join("m/up")).expect("links can be made");
        symlink("/dev/zero", folder.join("m/zero")).expect("links can be made");
        write(folder, "m/empty", "");
    })
}

fn digits(n: usize) -> String {
    "9".repeat(n)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        raw("empty", Vec::new),
        raw("nuls", || vec![0; 1_000_000]),
        raw("not-utf8", || [b"net 1\n# ".as_slice(), &[0xff; 100]].concat()),
        raw("not-utf8-behind-20-MB", || [b"net 1\n# ", &vec![b'a'; 20_000_000][..], &[0xff]].concat()),
        raw("byte-order-mark", || [&[0xef, 0xbb, 0xbf], with("= 1 1").as_bytes()].concat()),
        raw("utf16", || with("= 1 1").encode_utf16().flat_map(u16::to_le_bytes).collect()),
        number("of-1000000-digits", || digits(1_000_000)),
        number("of-512-digits", || digits(512)),
        number("of-1000000-zeros-behind-the-point", || format!("0.{}1", "0".repeat(1_000_000))),
        number("of-1000000-signs", || "-".repeat(1_000_000)),
        number("with-exponent-999999999", || "1e999999999".into()),
        number("with-exponent-minus-999999999", || "1e-999999999".into()).may_load(),
        number("with-exponent-beyond-64-bits", || "1e99999999999999999999".into()),
        number("with-an-exponent-of-a-million-digits", || format!("1e{}", digits(1_000_000))),
        number("infinite", || "inf".into()),
        number("not-a-number", || "nan".into()),
        number("hexadecimal", || "0x1p3".into()),
        number("of-other-digits", || "١".into()),
        number("just-too-large", || "3.4028236e38".into()),
        unm("tensor-that-claims-2-27", || with("= 1 1").replace("[1 2]", "[1 134217728]")),
        unm("tensor-that-claims-2-64", || with("= 1 1").replace("[1 2]", "[4294967296 4294967296]")),
        unm("tensor-of-rank-1000000", || with("= 1 1").replace("[1 2]", &format!("[{}]", "1 ".repeat(1_000_000)))),
        unm("tensor-extent-of-1000000-digits", || with("= 1 1").replace("[1 2]", &format!("[{}]", digits(1_000_000)))),
        unm("tensor-of-5000000-numbers-too-many", || with(&format!("= {}", "1 ".repeat(5_000_000)))),
        unm("tensor-of-5000000-numbers", || {
            let tensor = format!("[1 5000000] = {}", "1 ".repeat(5_000_000));
            with("").replace("[1 2]", &tensor).replace("[2]", "[5000000]")
        })
        .may_load(),
        unm("one-line-of-30-MB", || format!("net 1 {}", "a".repeat(30_000_000))),
        unm("30-MB-of-line-feeds", || "\n".repeat(30_000_000)),
        unm("30-MB-of-comment", || format!("net 1\n#{}\n", "a".repeat(30_000_000))),
        unm("30-MB-of-brackets", || format!("net 1\ninput x f32 {}", "[".repeat(30_000_000))),
        unm("error-at-the-end-of-20-MB-of-one-line", || {
            format!("net 1\nmeta \"{}\" \"\" nonsense", "é".repeat(10_000_000))
        }),
        unm("string-without-end", || format!("net 1\nmeta \"{}", "a".repeat(10_000_000))),
        unm("string-of-escapes", || format!("net 1\nmeta \"{}\" \"\"", "\\u{1f431}".repeat(1_000_000))),
        unm("string-with-a-bad-escape", || "net 1\nmeta \"\\u{110000}\" \"\"".into()),
        unm("string-with-a-long-escape", || format!("net 1\nmeta \"\\u{{{}}}\" \"\"", "0".repeat(1_000_000))),
        unm("name-of-10-MB", || layers("[2]", &format!("layer {} = relu x", "n".repeat(10_000_000)))),
        unm("name-of-quotes", || layers("[2]", "layer \"\" = relu x")),
        unm("names-twice", || layers("[2]", "layer y = relu x\nlayer y = relu x")),
        unm("metadata-of-12-MB", || {
            format!("net 1\nmeta \"k\" \"{}\"\n{}", "a".repeat(12_000_000), &layers("[2]", "layer y = relu x")[6..])
        })
        .may_load(),
        unm("300000-metadata-pairs", || {
            let mut text = String::from("net 1\n");
            (0..300_000).for_each(|k| {
                let _ = writeln!(text, "meta \"{k}\" \"\"");
            });
            text + &layers("[2]", "layer y = relu x")[6..]
        })
        .may_load(),
        unm("10000-layers-in-a-row", || {
            let mut text = String::from("layer t0 = relu x\n");
            (0..9_998).for_each(|k| {
                let _ = writeln!(text, "layer t{} = relu t{k}", k + 1);
            });
            layers("[2]", &(text + "layer y = relu t9998"))
        })
        .may_load(),
        unm("10000-additions-in-a-row", || {
            let mut text = String::from("layer t0 = relu x\n");
            (0..9_998).for_each(|k| {
                let _ = writeln!(text, "layer t{} = add t{k} t{k}", k + 1);
            });
            layers("[2]", &(text + "layer y = relu t9998"))
        })
        .may_load(),
        unm("1000000-layers", || {
            let mut text = String::from("layer t0 = relu x\n");
            (0..1_000_000).for_each(|k| {
                let _ = writeln!(text, "layer t{} = relu t{k}", k + 1);
            });
            layers("[2]", &(text + "layer y = relu t1000000"))
        }),
        unm("1000000-tensors", || {
            let mut text = String::from("net 1\n");
            (0..1_000_000).for_each(|k| {
                let _ = writeln!(text, "tensor {k} f32 [1] = 0");
            });
            text
        }),
        unm("9999-layers-of-2-17-elements-each-a-reshape", || {
            let mut text = String::from("layer t0 = relu x\n");
            for k in 0..9_998 {
                let shape = if k % 2 == 0 { "[512 256]" } else { "[256 512]" };
                let _ = writeln!(text, "layer t{} = reshape t{k} {shape}", k + 1);
            }
            layers("[131072]", &(text + "layer y = flatten t9998"))
        })
        .may_load(),
        unm("100-index-maps-of-2-18", || {
            let mut text = String::from("layer t0 = relu x\n");
            (0..100).for_each(|k| {
                let _ = writeln!(text, "layer t{} = gather t{k} [262144] 1-262143 0", k + 1);
            });
            layers("[262144]", &(text + "layer y = relu t100"))
        })
        .may_load(),
        layer("reshape-of-2-26", "[67108864]", "reshape x [8192 8192]").may_load(),
        layer("reshape-of-2-27", "[134217728]", "reshape x [8192 16384]").may_load(),
        layer("relu-of-2-27", "[134217728]", "relu x").may_load(),
        layer("gather-of-2-25", "[33554432]", "gather x [33554432] 1-33554431 0").may_load(),
        layer("gather-of-2-27", "[134217728]", "gather x [134217728] 1-134217727 0"),
        layer("gather-beyond-32-bits", "[4]", "gather x [1] 4294967296"),
        layer("gather-run-beyond-its-shape", "[4]", "gather x [1] 0-4294967295"),
        layer("gather-run-backwards", "[4]", "gather x [2] 3-2"),
        layer("gather-run-of-three", "[4]", "gather x [2] 0-1-2"),
        layer("maxpool-without-kernel", "[1 4 4]", "maxpool x stride 2 2"),
        layer("maxpool-kernel-2-63", "[1 4 4]", "maxpool x kernel 9223372036854775808 1"),
        layer("maxpool-pad-2-63", "[1 4 4]", "maxpool x kernel 3 3 pad 9223372036854775807 0 9223372036854775807 0"),
        layer("maxpool-pad-2-64-minus-4", "[1 4 4]", "maxpool x kernel 3 3 pad 18446744073709551612 0 0 0"),
        layer("maxpool-kernel-over-pad-2-16", "[1 4 4]", "maxpool x kernel 65536 65536 pad 65535 65535 65535 65535")
            .may_load(),
        layer("maxpool-kernel-4000", "[1 8000 8000]", "maxpool x kernel 4000 4000").may_load(),
        layer("maxpool-stride-zero", "[1 4 4]", "maxpool x kernel 2 2 stride 0 1"),
        layer("maxpool-dilation-2-62", "[1 4 4]", "maxpool x kernel 3 3 dilation 4611686018427387904 1"),
        layer("maxpool-of-2-26-rows", "[1 67108864 1]", "maxpool x kernel 1 1").may_load(),
        layer("attribute-twice", "[1 4 4]", "maxpool x kernel 2 2 kernel 2 2"),
        from("parent", "../secret"),
        from("parent-inside", "inner/../../secret"),
        from("absolute", "/etc/hostname"),
        from("device", "/dev/zero"),
        from("backslash", "..\\\\secret"),
        from("drive", "C:secret"),
        from("dot", "./w"),
        from("empty-name", ""),
        from("nul", "w\\u{0}"),
        from("link", "link"),
        from("link-to-folder", "up/secret"),
        from("link-to-device", "zero"),
        from("folder", "inner"),
        from("itself", "m.unm"),
        from("empty-file", "empty"),
        from("missing", "missing"),
        from("wrong-digest", "w"),
    ];
    cases.push(Case::new("text-is-a-link-to-an-endless-device", &["inspect", "m.unm"], |folder| {
        symlink("/dev/zero", folder.join("m.unm")).expect("links can be made");
    }));
    cases.push(Case::new("text-is-a-sparse-file-of-1-GB", &["inspect", "m.unm"], |folder| {
        std::fs::File::create(folder.join("m.unm")).and_then(|f| f.set_len(1 << 30)).expect("sparse files can be made");
    }));
    cases.push(Case::new("text-from-a-file-of-30-MB-for-each-of-1000-tensors", &["inspect", "m.unm"], |folder| {
        let header = r#"{"w":{"dtype":"F32","shape":[1,7500000],"data_offsets":[0,30000000]}}"#;
        write(folder, "w", [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 30_000_000]].concat());
        let mut text = String::from("net 1\ninput x f32 [2]\n");
        for k in 0..1000 {
            let digest = "0".repeat(64);
            let _ = writeln!(text, "tensor w{k} f32 [1 7500000] from \"w\" key \"w\" sha256 {digest}");
        }
        write(folder, "m.unm", text);
    }));
    cases
}
