//! Certificates, and the queries that they are about.

use super::protobuf::varint;
use super::{Case, write};
use std::process::Command;

const NETWORK: &str = "net 1\ninput x f32 [2]\ntensor w f32 [2 2] = 1 -1 0.5 0.25\nlayer h = dense x w .\nlayer y = relu h\noutput y\nend\n";
const PROPERTY: &str =
    "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)
(assert (>= X_0 0))(assert (<= X_0 1))(assert (>= X_1 0))(assert (<= X_1 1))(assert (<= Y_0 -1))\n";
/// Magic, version, semantics, two digests.
const HEADER: usize = 8 + 2 + 1 + 64;

/// A certificate that begins like a right one; `change` gets its header and what follows.
fn changed(name: &str, change: impl Fn(&[u8], &[u8]) -> Vec<u8> + Send + Sync + 'static) -> Case {
    Case::new(format!("certificate-{name}"), &["check", "m.unm", "c.query", "hostile"], move |folder| {
        write(folder, "m.unm", NETWORK);
        write(folder, "p.vnnlib", PROPERTY);
        let made = Command::new(env!("CARGO_BIN_EXE_unmoved"))
            .args(["verify", "p.vnnlib", "--network", "m.unm", "--certificate", "c", "--quiet"])
            .current_dir(folder)
            .output();
        assert!(made.is_ok_and(|made| made.status.success()), "the property is proved");
        let right = std::fs::read(folder.join("c")).expect("the proof was kept");
        let (header, steps) = right.split_at(HEADER);
        write(folder, "hostile", change(header, steps));
    })
    .refused()
}

/// The right header, and these bytes behind it.
fn steps(name: &str, steps: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Case {
    changed(name, move |header, _| [header, &steps()].concat())
}

/// The right query and certificate, but for the text of the query.
fn query(name: &str, change: impl Fn(String) -> String + Send + Sync + 'static) -> Case {
    let case = changed(name, |header, steps| [header, steps].concat());
    let build = case.build;
    Case {
        build: Box::new(move |folder| {
            build(folder);
            let text = std::fs::read_to_string(folder.join("c.query")).expect("the query was kept");
            write(folder, "c.query", change(text));
        }),
        ..case
    }
}

impl Case {
    /// Certificates are not only unreadable but also wrong.
    fn refused(self) -> Self {
        Self { allowed: &[1, 2], ..self }
    }
}

/// So many steps, each of these bytes.
fn repeated(count: usize, step: &[u8]) -> Vec<u8> {
    [varint(count as u64), step.repeat(count)].concat()
}

/// Splits an element of the hidden layer, or halves the first input.
const SPLIT_RELU: [u8; 3] = [1, 1, 0];
const SPLIT_INPUT: [u8; 10] = [2, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        changed("empty", |_, _| Vec::new()),
        changed("header-cut-off", |header, _| header[..20].to_vec()),
        changed("header-alone", |header, _| header.to_vec()),
        changed("of-another-network", |header, steps| {
            let mut header = header.to_vec();
            header[11] ^= 1;
            [&header, steps].concat()
        }),
        changed("of-another-query", |header, steps| {
            let mut header = header.to_vec();
            header[HEADER - 1] ^= 1;
            [&header, steps].concat()
        }),
        changed("of-version-65535", |header, steps| [&header[..8], &[0xff; 2], &header[10..], steps].concat()),
        changed("of-unknown-semantics", |header, steps| [&header[..10], &[9], &header[11..], steps].concat()),
        changed("cut-off", |header, steps| [header, &steps[..steps.len() - 1]].concat()),
        changed("with-a-byte-behind", |header, steps| [header, steps, &[0]].concat()),
        changed("of-30-MB-behind", |header, steps| [header, steps, &[0; 30_000_000]].concat()),
        steps("claims-2-32-steps", || varint(u64::from(u32::MAX))),
        steps("claims-2-35-steps", || varint(1 << 35)),
        steps("claims-2-64-steps", || varint(u64::MAX)),
        steps("count-written-long", || vec![0x81, 0x80, 0]),
        steps("no-steps", || vec![0]),
        steps("unknown-step", || vec![1, 99]),
        steps("unknown-leaf", || vec![1, 0, 99]),
        steps("linear-of-2-32-weights", || [vec![1, 0, 0], varint(u64::from(u32::MAX))].concat()),
        steps("linear-of-2-32-multipliers", || [vec![1, 0, 0, 0], varint(u64::from(u32::MAX))].concat()),
        steps("linear-of-2-32-slopes", || [vec![1, 0, 0, 0, 1, 1], varint(u64::from(u32::MAX))].concat()),
        steps("linear-of-nan", || [vec![1, 0, 0, 1], f64::NAN.to_le_bytes().to_vec(), vec![0]].concat()),
        steps("linear-of-infinite", || [vec![1, 0, 0, 1], f64::INFINITY.to_le_bytes().to_vec(), vec![0]].concat()),
        steps("linear-of-1e308", || [vec![1, 0, 0, 1], 1e308f64.to_le_bytes().to_vec(), vec![0]].concat()),
        steps("linear-of-a-negative-weight", || [vec![1, 0, 0, 1], (-1f64).to_le_bytes().to_vec(), vec![0]].concat()),
        steps("linear-of-a-million-weights", || {
            [vec![1, 0, 0], varint(1_000_000), vec![0; 8_000_000], vec![0]].concat()
        }),
        steps("linear-with-an-unknown-node", || vec![1, 0, 0, 0, 1, 99, 0, 0, 0]),
        steps("linear-with-slopes-far-away", || {
            [vec![1, 0, 0, 0, 1, 2, 1], varint(u64::from(u32::MAX) - 1), vec![7, 0, 0]].concat()
        }),
        steps("empty-where-nothing-is", || vec![1, 0, 2]),
        steps("clip-of-2-32-ends", || [vec![1, 4, 0, 0], varint(u64::from(u32::MAX))].concat()),
        steps("clip-to-nan", || [vec![1, 4, 0, 0, 1, 0, 0], f64::NAN.to_le_bytes().to_vec()].concat()),
        steps("recompute-of-2-32-nodes", || [vec![1, 6], varint(u64::from(u32::MAX))].concat()),
        steps("recompute-of-unknown-nodes", || vec![2, 6, 1, 200, 1, 0, 2]),
        steps("lemma-without-proof", || vec![1, 5, 0, 1, 0]),
        steps("lemmas-nested-1000000-deep", || repeated(1_000_000, &[5, 0, 1, 0])),
        steps("recomputed-300000-times", || repeated(300_000, &[6, 1, 1])),
        steps("recomputed-by-nothing-2000000-times", || repeated(2_000_000, &[6, 0])),
        steps("splits-of-a-relu-1000000-deep", || repeated(1_000_000, &SPLIT_RELU)),
        steps("splits-of-an-input-1000000-deep", || repeated(1_000_000, &SPLIT_INPUT)),
        steps("disjuncts-1000000-deep", || repeated(1_000_000, &[3])),
        steps("clips-1000000-deep", || repeated(1_000_000, &[4, 0, 0, 0])),
        steps("empty-leaves-2000000", || repeated(2_000_000, &[0, 2])),
        steps("linear-leaves-2000000", || repeated(2_000_000, &[0, 0, 0, 0])),
        steps("split-of-an-unknown-node", || vec![3, 1, 0xff, 0xff, 3, 0, 0, 2, 0, 2]),
        steps("split-of-an-unknown-element", || vec![3, 1, 1, 0xff, 0xff, 3, 0, 2, 0, 2]),
        steps("split-of-an-input-at-nan", || {
            [vec![3, 2, 0], f64::NAN.to_le_bytes().to_vec(), vec![0, 2, 0, 2]].concat()
        }),
        query("query-empty", |_| String::new()),
        query("query-of-nuls", |_| "\0".repeat(1_000_000)),
        query("query-cut-off", |text| text[..text.len() / 2].into()),
        query("query-with-a-number-of-1000000-digits", |text| {
            text.replace("lower 0", &format!("lower {}", "9".repeat(1_000_000)))
        }),
        query("query-with-a-denominator-of-zero", |text| text.replace("lower 0", "lower 1/0")),
        query("query-with-exponent-999999999", |text| text.replace("lower 0", "lower 1e999999999")),
        query("query-with-10000000-numbers", |text| {
            text.replace("lower 0", &format!("lower {}", "0 ".repeat(10_000_000)))
        }),
        query("query-with-1000000-disjuncts", |text| text.replace("or\n", &"or\n".repeat(1_000_000))),
        query("query-of-30-MB-of-comment", |text| format!("{text}#{}", "a".repeat(30_000_000))).may_be_answered(),
    ];
    for (name, file) in [("certificate-is-an-endless-device", 3), ("query-is-an-endless-device", 2)] {
        let mut case = changed(name, |header, steps| [header, steps].concat());
        case.arguments[file] = "/dev/zero".into();
        cases.push(case);
    }
    cases
}
