//! Properties in VNN-LIB.

use super::containers::bomb;
use super::{Case, write};
use std::fmt::Write as _;

const NETWORK: &str = "net 1\ninput x f32 [2]\ntensor w f32 [2 2] = 1 -1 0.5 0.25\nlayer h = dense x w .\nlayer y = relu h\noutput y\nend\n";

const DECLARED: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)
(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= X_1 0))(assert (<= X_1 1))\n";

fn raw(name: &str, file: &'static str, content: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    let arguments = ["verify", file, "--network", "m.unm", "--threads", "1"];
    Case::new(format!("vnnlib-{name}"), &arguments, move |folder| {
        write(folder, "m.unm", NETWORK);
        write(folder, file, content());
    })
}

/// A property that asserts this beside the box.
fn asserting(name: &str, formula: impl Fn() -> String + Send + Sync + 'static) -> Case {
    raw(name, "p.vnnlib", move || format!("{DECLARED}(assert {})\n", formula()).into_bytes())
}

/// A property in 2.0 that goes on like this after its first line.
fn two(name: &str, rest: impl Fn() -> String + Send + Sync + 'static) -> Case {
    raw(&format!("2-{name}"), "p.vnnlib", move || format!("(vnnlib-version <2.0>)\n{}", rest()).into_bytes())
}

const DECLARED_2: &str = "(declare-network f (declare-input X real [2]) (declare-output Y real [2]))
(assert (and (>= X[0] 0.0) (<= X[0] 1.0) (>= X[1] 0.0) (<= X[1] 1.0)))\n";

/// As many disjuncts, each with a box of its own.
fn boxes(count: usize) -> String {
    let mut text = String::from("(or ");
    for k in 0..count {
        let _ = write!(text, "(and (>= X_0 0.{k:06}) (<= X_0 0.{:06}) (<= Y_0 -1))", k + 1);
    }
    text + ")"
}

pub(crate) fn cases() -> Vec<Case> {
    let nested = |open: &'static str, inner: &'static str, depth: usize| {
        move || [open.repeat(depth), inner.to_owned(), ")".repeat(depth)].concat()
    };
    vec![
        raw("empty", "p.vnnlib", Vec::new),
        raw("nuls", "p.vnnlib", || vec![0; 1_000_000]),
        raw("not-utf8", "p.vnnlib", || vec![0xff; 1000]),
        raw("parentheses-opened-10000000-times", "p.vnnlib", || vec![b'('; 10_000_000]),
        raw("parentheses-closed-10000000-times", "p.vnnlib", || vec![b')'; 10_000_000]),
        raw("comment-of-30-MB", "p.vnnlib", || [b";".as_slice(), &vec![b'a'; 30_000_000]].concat()),
        raw("word-of-20-MB", "p.vnnlib", || [b"(assert ".as_slice(), &vec![b'a'; 20_000_000]].concat()),
        raw("30-MB-of-blanks", "p.vnnlib", || vec![b' '; 30_000_000]),
        asserting("and-nested-1000000-deep", nested("(and ", "(<= Y_0 0)", 1_000_000)),
        asserting("or-nested-1000000-deep", nested("(or ", "(<= Y_0 0)", 1_000_000)),
        asserting("not-nested-1000000-deep", nested("(not ", "(<= Y_0 0)", 1_000_000)),
        asserting("sum-nested-1000000-deep", nested("(<= 0 (+ 1 ", "Y_0", 1_000_000)),
        asserting("negations-nested-199-deep", || format!("(<= {}Y_0{} 0)", "(- ".repeat(190), ")".repeat(190)))
            .may_be_answered(),
        asserting("number-of-1000000-digits", || format!("(<= Y_0 {})", "9".repeat(1_000_000))),
        asserting("number-with-exponent-999999999", || "(<= Y_0 1e999999999)".into()),
        asserting("number-with-exponent-minus-999999999", || "(<= Y_0 1e-999999999)".into()),
        asserting("number-that-is-a-fraction", || "(<= Y_0 1/0)".into()),
        asserting("numbers-of-1000-digits-multiplied", || {
            let number = "9".repeat(900);
            format!("(<= Y_0 (* {}))", vec![number; 10_000].join(" "))
        }),
        asserting("numbers-of-900-digits-added", || {
            let number = |k: usize| format!("0.{}{k:04}", "7".repeat(900));
            let sum: Vec<String> = (0..5_000).map(number).collect();
            format!("(<= Y_0 (+ {}))", sum.join(" "))
        })
        .may_be_answered(),
        asserting("product-of-variables", || "(<= (* Y_0 Y_1) 0)".into()),
        asserting("division", || "(<= (/ 1 0) Y_0)".into()),
        asserting("sum-of-1000000-terms", || format!("(<= (+ {}) 0)", "Y_0 ".repeat(1_000_000))).may_be_answered(),
        asserting("sum-of-200000-terms-200-times-doubled", || {
            format!("(<= {}Y_0{} 0)", "(+ Y_1 ".repeat(190), ")".repeat(190))
        })
        .may_be_answered(),
        asserting("products-of-sums-nested", || {
            format!("(<= {}(+ {}){} 0)", "(* 3 ".repeat(190), "Y_0 ".repeat(50_000), ")".repeat(190))
        })
        .may_be_answered(),
        asserting("conjunction-of-30-disjunctions", || format!("(and {})", "(or (<= Y_0 1) (<= Y_1 1))".repeat(30))),
        asserting("conjunction-of-3-disjunctions-of-1000", || {
            let or = format!("(or {})", "(<= Y_0 1)".repeat(1000));
            format!("(and {or}{or}{or})")
        }),
        asserting("disjunction-of-500000", || format!("(or {})", "(<= Y_0 -1)".repeat(500_000))).may_be_answered(),
        asserting("conjunction-of-500000", || format!("(and {})", "(<= Y_0 -1)".repeat(500_000))).may_be_answered(),
        asserting("disjunction-of-100000-boxes", || boxes(100_000)),
        asserting("disjunction-of-60000-boxes", || boxes(60_000)).may_be_answered(),
        asserting("variable-beyond-the-network", || "(<= Y_4294967296 0)".into()),
        asserting("variable-of-1000000-digits", || format!("(<= Y_{} 0)", "9".repeat(1_000_000))),
        asserting("variable-with-a-sign", || "(<= Y_-1 0)".into()),
        raw("1000000-declarations", "p.vnnlib", || {
            (0..1_000_000).flat_map(|k| format!("(declare-const X_{k} Real)\n").into_bytes()).collect()
        }),
        raw("30-disjunctions-asserted-one-by-one", "p.vnnlib", || {
            [DECLARED.as_bytes(), &b"(assert (or (<= Y_0 1) (<= Y_1 1)))\n".repeat(30)].concat()
        }),
        raw("500000-assertions", "p.vnnlib", || {
            [DECLARED.as_bytes(), &b"(assert (<= Y_0 -1))\n".repeat(500_000)].concat()
        })
        .may_be_answered(),
        raw("empty-box", "p.vnnlib", || [DECLARED.as_bytes(), b"(assert (>= X_0 2))"].concat()).may_be_answered(),
        raw("without-bounds", "p.vnnlib", || DECLARED.lines().next().unwrap_or_default().into()),
        raw("definition-of-a-function", "p.vnnlib", || b"(define-fun-rec f () Real (f))".to_vec()),
        two("versions-1000000-times", || "(vnnlib-version <2.0>)".repeat(1_000_000)),
        raw("2-version-of-10000000-digits", "p.vnnlib", || {
            format!("(vnnlib-version <2.{}>)", "0".repeat(10_000_000)).into_bytes()
        }),
        two("400000-networks", || {
            let network = |k| format!("(declare-network f(declare-input X{k} real [2])(declare-output Y{k} real [2]))");
            (0..400_000).map(network).collect()
        }),
        two("equal-to-1000000-networks", || format!("(declare-network f {}", "(equal-to g)".repeat(1_000_000))),
        two("shape-of-10000000-extents", || {
            format!("(declare-network f (declare-input X real [{}1])", "1,".repeat(10_000_000))
        }),
        two("shape-beyond-memory", || {
            let n = usize::MAX;
            format!(
                "(declare-network f (declare-input X real [{n},{n},2]) (declare-output Y real [2])) (assert (<= X 0.0))"
            )
        }),
        two("element-with-10000000-indices", || {
            format!("{DECLARED_2}(assert (<= Y[{}0] 0.0))", "0,".repeat(10_000_000))
        }),
        two("name-of-20-MB", || format!("(declare-network {}", "f".repeat(20_000_000))),
        two("string-of-20-MB-without-an-end", || {
            format!(
                "(declare-network f (declare-input X real [2]) (declare-hidden H real [2] \"{}",
                "h".repeat(20_000_000)
            )
        }),
        two("and-nested-1000000-deep", || format!("{DECLARED_2}(assert {}", "(and ".repeat(1_000_000))),
        two("negations-nested-1000000-deep", || format!("{DECLARED_2}(assert (<= {}", "(- ".repeat(1_000_000))),
        two("number-of-1000000-digits", || format!("{DECLARED_2}(assert (<= Y[0] {}.0))", "9".repeat(1_000_000))),
        two("500000-assertions", || format!("{DECLARED_2}{}", "(assert (<= Y[0] -1.0))".repeat(500_000))),
        two("40-inequalities-of-outputs", || format!("{DECLARED_2}{}", "(assert (!= Y[0] Y[1]))".repeat(40))),
        raw("bomb-of-10-GB", "p.vnnlib.gz", || bomb(10 << 10)),
        raw("bomb-of-10-GB-without-its-ending", "p.vnnlib", || bomb(10 << 10)),
        raw("gzip-cut-off", "p.vnnlib.gz", || bomb(16)[..100].to_vec()),
        Case::new("vnnlib-is-an-endless-device", &["verify", "/dev/zero", "--network", "m.unm"], |folder| {
            write(folder, "m.unm", NETWORK);
        }),
    ]
}
