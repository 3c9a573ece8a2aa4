//! The bytes.

use super::support::*;
use crate::*;
use proptest::prelude::*;
use unmoved_ir::{Digest, NodeId};

fn empty(steps: Vec<Step>) -> Certificate {
    Certificate { network: Digest([1; 32]), query: Digest([2; 32]), semantics: Semantics::Reals, steps }
}

fn every_kind_of_step() -> Vec<Step> {
    let multipliers = vec![
        Multipliers { relu: NodeId(2), slopes: vec![(0, 0), (1, 255), (300, 7)], raw: vec![] },
        Multipliers { relu: NodeId(200), slopes: vec![], raw: vec![(0, 0.1), (3, 0.5), (4, -0.0), (9, -1e300)] },
    ];
    let form = LinearForm { lambda: vec![1.0, 0.25], multipliers };
    vec![
        Step::SplitDisjuncts,
        Step::SplitRelu { node: NodeId(130), index: 4_000_000_000 },
        Step::SplitInput { index: 5, at: 0.1 },
        Step::Lemma { node: NodeId(1), index: 2, side: Side::Upper },
        Step::Recompute { nodes: vec![NodeId(0), NodeId(1), NodeId(7)] },
        Step::Clip { form: form.clone(), ends: vec![End { index: 3, side: Side::Lower, at: 0.75 }] },
        Step::Linear(form.clone()),
        Step::Quadratic(Box::new(QuadraticForm {
            form,
            lifted: vec![
                Lifted {
                    relu: NodeId(2),
                    elements: vec![
                        LiftedElement { index: 0, nu: 0.5, d: -1.0, kappa: 0.0 },
                        LiftedElement { index: 200, nu: -0.0, d: 0.1, kappa: 3.0 },
                    ],
                },
                Lifted { relu: NodeId(4), elements: vec![] },
            ],
            constant: 0.125,
            inputs: vec![0.0, 1.0, 2.0],
            ball: 0.25,
        })),
        Step::Empty,
    ]
}

#[test]
fn bytes_round_trip() {
    let certificate = empty(every_kind_of_step());
    let bytes = certificate.to_bytes();
    let again = Certificate::from_bytes(&bytes).unwrap();
    assert_eq!(again, certificate);
    assert_eq!(again.to_bytes(), bytes);
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let form = LinearForm {
        lambda: vec![1.0],
        multipliers: vec![Multipliers { relu: NodeId(2), slopes: vec![(1, 128)], raw: vec![(0, 0.5), (200, 0.1)] }],
    };
    let bytes =
        empty(vec![Step::SplitRelu { node: NodeId(1), index: 200 }, Step::Linear(form), Step::Empty]).to_bytes();
    let mut expected = b"UNMOVED\n\x02\x00\x00".to_vec();
    expected.extend([1; 32]);
    expected.extend([2; 32]);
    expected.extend([3]);
    expected.extend([1, 1, 0xc8, 0x01]);
    expected.extend([0, 0, 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
    expected.extend([1, 2, 1, 1, 128]);
    expected.extend([1, 0, 0, 0, 0, 0x3f]);
    expected.extend([1, 0xc8, 0x01]);
    expected.extend(0.1f64.to_le_bytes());
    expected.extend([0, 2]);
    assert_eq!(bytes, expected);
}

#[test]
fn the_bytes_of_a_quadratic_leaf_are_those_of_the_specification() {
    let element = LiftedElement { index: 1, nu: 0.5, d: -1.0, kappa: 2.0 };
    let form = QuadraticForm {
        form: LinearForm::default(),
        lifted: vec![Lifted { relu: NodeId(2), elements: vec![element, LiftedElement { index: 3, ..element }] }],
        constant: 1.0,
        inputs: vec![0.0, 0.25],
        ball: 0.125,
    };
    let bytes = empty(vec![Step::Quadratic(Box::new(form))]).to_bytes();
    let mut expected = vec![1, 0, 1, 0, 0, 1, 2, 2];
    for gap in [1, 1] {
        expected.push(gap);
        [0.5f32, -1.0, 2.0].into_iter().for_each(|v| expected.extend(v.to_le_bytes()));
    }
    expected.extend(1.0f32.to_le_bytes());
    expected.push(2);
    [0.0f32, 0.25, 0.125].into_iter().for_each(|v| expected.extend(v.to_le_bytes()));
    assert_eq!(bytes[75..], expected);
}

fn problem(bytes: &[u8]) -> FormatProblem {
    Certificate::from_bytes(bytes).unwrap_err().problem
}

#[test]
fn every_truncation_is_refused() {
    let bytes = empty(every_kind_of_step()).to_bytes();
    for len in 0..bytes.len() {
        let expected = if len < 8 { FormatProblem::Magic } else { FormatProblem::Truncated };
        assert_eq!(problem(&bytes[..len]), expected, "{len}");
    }
}

#[test]
fn headers_and_kinds_that_do_not_exist() {
    let with = |at: usize, value: u8, steps: Vec<Step>| {
        let mut bytes = empty(steps).to_bytes();
        bytes[at] = value;
        problem(&bytes)
    };
    assert_eq!(with(0, b'X', vec![]), FormatProblem::Magic);
    assert_eq!(with(8, 1, vec![]), FormatProblem::Version(1));
    assert_eq!(with(10, 1, vec![]), FormatProblem::Semantics(1));
    assert_eq!(with(76, 9, vec![Step::SplitDisjuncts]), FormatProblem::Step(9));
    assert_eq!(with(77, 1, vec![Step::Empty]), FormatProblem::Truncated);
    assert_eq!(with(77, 3, vec![Step::Empty]), FormatProblem::Leaf(3));
    assert_eq!(with(77, 2, vec![Step::Lemma { node: NodeId(1), index: 0, side: Side::Lower }]), FormatProblem::Number);
}

/// What a certificate is about is known before any of its steps is read.
#[test]
fn a_header_needs_no_steps() {
    let whole = empty(every_kind_of_step());
    let bytes = whole.to_bytes();
    assert_eq!(Certificate::header(&bytes[..75]), Ok(Certificate { steps: Vec::new(), ..whole }));
    assert!(Certificate::header(&bytes[..74]).is_err());
}

#[test]
fn bytes_after_the_end() {
    let mut bytes = empty(vec![leaf(1)]).to_bytes();
    bytes.push(0);
    assert_eq!(problem(&bytes), FormatProblem::Trailing(1));
}

#[test]
fn numbers_have_one_spelling() {
    let header = empty(vec![]).to_bytes();
    let count = |bytes: &[u8]| problem(&[&header[..75], bytes].concat());
    assert_eq!(count(&[0x80, 0x00]), FormatProblem::Number);
    assert_eq!(count(&[0xff, 0xff, 0xff, 0xff, 0x1f]), FormatProblem::Number);
    assert_eq!(count(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x00]), FormatProblem::Number);
    // Four billion steps in no bytes.
    assert_eq!(count(&[0xff, 0xff, 0xff, 0xff, 0x0f]), FormatProblem::Truncated);
    // 0.5 among the wide values.
    let mut bytes = [&header[..75], &[1, 0, 0, 0, 1, 2, 0, 0, 1, 0]].concat();
    bytes.extend(0.5f64.to_le_bytes());
    assert_eq!(problem(&bytes), FormatProblem::Number);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let header = empty(vec![]).to_bytes();
        for bytes in [bytes.clone(), [&header[..75], &bytes].concat()] {
            if let Ok(certificate) = Certificate::from_bytes(&bytes) {
                prop_assert_eq!(Certificate::from_bytes(&certificate.to_bytes()).map(|c| c.steps.len()), Ok(certificate.steps.len()));
            }
        }
    }

    #[test]
    fn damaged_certificates_never_panic(at in 75usize..200, value: u8) {
        let query = tiny_query("1/8");
        let mut certificate = Certificate::new(&query, every_kind_of_step());
        certificate.steps.insert(0, leaf(1));
        let mut bytes = certificate.to_bytes();
        let at = at.min(bytes.len() - 1);
        bytes[at] = value;
        if let Ok(damaged) = Certificate::from_bytes(&bytes) {
            for arithmetic in [Arithmetic::Float, Arithmetic::Exact] {
                let _ = check(&query, &damaged, arithmetic);
            }
        }
    }
}
