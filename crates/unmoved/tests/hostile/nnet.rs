//! The format of the ACAS Xu networks.

use super::Case;
use std::os::unix::fs::symlink;

const HEAD: &str = "1,2,1,2,\n2,1,\n0,\n-1.0,-1.0,\n1.0,1.0,\n0.5,0.0,10.0,\n2.0,1.0,4.0,\n";
const REST: &str = "1.0,-0.5,\n0.25,\n";

fn raw(name: &str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::inspect(format!("nnet-{name}"), "m.nnet", content)
}

/// A right file in which one text is replaced by another.
fn changed(name: &str, from: &'static str, to: impl Fn() -> String + Send + Sync + 'static) -> Case {
    raw(name, move || format!("{HEAD}{REST}").replacen(from, &to(), 1).into_bytes())
}

fn digits(n: usize) -> String {
    "9".repeat(n)
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        raw("empty", Vec::new),
        raw("nuls", || vec![0; 1_000_000]),
        raw("not-utf8", || vec![0xff; 1000]),
        raw("cut-off", || HEAD.into()),
        raw("with-a-line-behind", || format!("{HEAD}{REST}1,\n").into()),
        raw("30-MB-of-comments", || "//\n".repeat(10_000_000).into()),
        raw("30-MB-of-line-feeds", || vec![b'\n'; 30_000_000]),
        raw("30-MB-of-commas", || vec![b','; 30_000_000]),
        raw("one-line-of-30-MB", || vec![b'1'; 30_000_000]),
        changed("2-64-layers", "1,2,1,2,", || "18446744073709551616,2,1,2,".into()),
        changed("2-40-layers", "1,2,1,2,", || "1099511627776,2,1,2,".into()),
        changed("no-layers", "1,2,1,2,", || "0,2,1,2,".into()),
        changed("minus-one-layers", "1,2,1,2,", || "-1,2,1,2,".into()),
        changed("layer-of-2-40", "2,1,\n", || "2,1099511627776,\n".into()),
        changed("layer-of-2-27-squared", "1,2,1,2,\n2,1,", || {
            "1,134217728,134217728,134217728,\n134217728,134217728,".into()
        }),
        changed("layer-of-nothing", "2,1,\n", || "2,0,\n".into()),
        changed("1000000-sizes", "2,1,\n", || "1,".repeat(1_000_000) + "\n"),
        changed("1000000-layers-of-one", "1,2,1,2,\n2,1,", || format!("1000000,1,1,1,\n{}", "1,".repeat(1_000_001))),
        changed("number-of-1000000-digits", "0.25", || digits(1_000_000)),
        changed("number-with-exponent-999999999", "0.25", || "1e999999999".into()),
        changed("number-infinite", "0.25", || "inf".into()),
        changed("number-not-one", "0.25", || "nan".into()),
        changed("range-of-zero", "2.0,1.0,4.0", || "0.0,1.0,4.0".into()),
        changed("range-subnormal", "2.0,1.0,4.0", || "5e-324,1.0,4.0".into()).may_load(),
        changed("range-infinite", "2.0,1.0,4.0", || "inf,1.0,4.0".into()),
        changed("flag", "\n0,\n", || "\n1,\n".into()),
        raw("metadata-nested-1000000-deep", || format!("// metadata {}\n{HEAD}{REST}", "[".repeat(1_000_000)).into())
            .may_load(),
        raw("metadata-twice", || format!("// metadata {{\"a\":\"b\",\"a\":\"c\"}}\n{HEAD}{REST}").into()).may_load(),
        Case::new("nnet-is-a-link-to-an-endless-device", &["inspect", "m.nnet"], |folder| {
            symlink("/dev/zero", folder.join("m.nnet")).expect("links can be made");
        }),
        Case::new("nnet-is-a-sparse-file-of-1-GB", &["inspect", "m.nnet"], |folder| {
            let file = std::fs::File::create(folder.join("m.nnet"));
            file.and_then(|f| f.set_len(1 << 30)).expect("sparse files can be made");
        }),
    ]
}
