//! What is read means what the format says, and comes back as it was.

mod common;

use common::{File, files};
use proptest::prelude::*;
use std::collections::BTreeMap;
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Slack, Tensor};
use unmoved_nnet::{parse, to_string};

/// Finite numbers of any size, whole ones and zeros of both signs among them.
fn any_number() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        (-9i32..9).prop_map(|n| f64::from(n) / 4.0),
        any::<f32>().prop_filter("finite", |v| v.is_finite()).prop_map(f64::from),
        // Means and ranges of any size have quotients beyond float64.
        (-1e140f64..1e140),
        (-1e-3f64..1e-3),
    ]
}

fn read(text: &str) -> Network {
    parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// What the format says of an input, in plain float64: no clipping to minimums and maximums.
fn evaluate(file: &File, x: &[f64]) -> Vec<f64> {
    let n = file.sizes[0];
    let mut v: Vec<f64> = (0..n).map(|i| (x[i] - file.means[i]) / file.ranges[i]).collect();
    for (k, (weight, bias)) in file.layers.iter().enumerate() {
        let rows = weight.chunks(v.len()).map(|row| row.iter().zip(&v).map(|(w, v)| w * v).sum::<f64>());
        let out: Vec<f64> = rows.zip(bias).map(|(sum, b)| sum + b).collect();
        let last = k + 1 == file.layers.len();
        v = out.into_iter().map(|v| if last { v } else { v.max(0.0) }).collect();
    }
    v.into_iter().map(|v| v * file.ranges[n] + file.means[n]).collect()
}

/// Scale, shift and slack of what stands for means and ranges of the inputs, if they are not 0 and 1.
fn slack_of_the_front(network: &Network) -> Option<(Vec<f64>, Vec<f64>, Slack)> {
    network.nodes().iter().find_map(|node| match &node.op {
        Op::Conv2d(conv) if node.name == "normalised" => {
            let none = || Slack { weight: vec![0.0; conv.outputs()], bias: vec![0.0; conv.outputs()] };
            Some((conv.weight.to_f64(), conv.bias.to_f64(), conv.slack.clone().unwrap_or_else(none)))
        }
        _ => None,
    })
}

/// A chain that did not come from a file of this format.
fn chains() -> impl Strategy<Value = Network> {
    let metadata = prop::collection::btree_map("[a-z.]{1,4}|\\PC{0,4}", any::<String>(), 0..3);
    (files(any_number()), any::<bool>(), metadata).prop_map(|(file, double, metadata)| chain(&file, double, metadata))
}

fn chain(file: &File, double: bool, metadata: BTreeMap<String, String>) -> Network {
    let single = |values: &[f64]| values.iter().map(|&v| v.clamp(-1e30, 1e30) as f32).collect();
    let tensor = |dims: &[usize], values: &[f64]| {
        if double { Tensor::f64(dims, values.to_vec()) } else { Tensor::f32(dims, single(values)) }
    };
    let mut b = Builder::new();
    let dtype = if double { DType::F64 } else { DType::F32 };
    let mut x = b.input("image", &[1, file.sizes[0], 1], dtype).expect("an input");
    x = b.push("flat", Op::Flatten, &[x]).expect("fits");
    for (k, (weight, bias)) in file.layers.iter().enumerate() {
        if k > 0 {
            x = b.push(&format!("r{k}"), Op::Relu, &[x]).expect("fits");
        }
        let (rows, columns) = (file.sizes[k + 1], file.sizes[k]);
        let (weight, bias) = (tensor(&[rows, columns], weight), tensor(&[rows], bias));
        let dense = Dense::new(weight.expect("finite"), bias.expect("finite")).expect("fits");
        x = b.push(&format!("d{k}"), Op::Dense(dense), &[x]).expect("fits");
    }
    b.finish(x).expect("a network").with_metadata(metadata)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// However the numbers are written, the second file and all after it are the same bytes, and the network the same.
    #[test]
    fn files_come_back(file in files(any_number()), header in "(//[ -~]{0,9}\n){0,3}") {
        let canonical = to_string(&read(&file.text(&header, |v| format!("{v:?}")))).expect("it was read");
        for write in [|v: &f64| format!("{v:e}"), |v: &f64| format!("{v}"), |v: &f64| format!(" {v:.17e}")] {
            let network = read(&file.text(&header, write));
            let text = to_string(&network).expect("it was read");
            prop_assert_eq!(&text, &canonical);
            let again = read(&text);
            prop_assert_eq!(again.digest(), network.digest());
            prop_assert_eq!(again, network);
        }
        // All numbers are there, and so are the comments.
        let numbers = |text: &str| -> Vec<u64> {
            let body = text.lines().filter(|l| !l.starts_with("//")).flat_map(|l| l.split(','));
            body.filter_map(|n| n.parse::<f64>().ok()).map(f64::to_bits).collect()
        };
        prop_assert_eq!(numbers(&canonical), numbers(&file.text("", |v| format!("{v:e}"))));
        prop_assert!(canonical.starts_with(&header));
    }

    #[test]
    fn values_are_those_of_the_formula(file in files(-3.0f64..3.0), x in prop::collection::vec(-9.0f64..9.0, 4)) {
        let network = read(&file.text("", |v| format!("{v:?}")));
        let x = &x[..file.sizes[0]];
        let (found, expected) = (network.forward(x).expect("it fits"), evaluate(&file, x));
        prop_assert_eq!(found.len(), expected.len());
        // Ranges of 1e-6 make values of 1e7, and four layers multiply them by at most 15 each.
        let largest = expected.iter().fold(1e12, |m: f64, v| m.max(v.abs()));
        for (a, b) in found.iter().zip(&expected) {
            prop_assert!((a - b).abs() <= 1e-13 * largest, "{} and {}", a, b);
        }
    }

    /// The scale and shift in front are as near to the quotients as their slack says.
    #[test]
    fn the_slack_covers_the_quotients(file in files(any_number())) {
        let network = read(&file.text("", |v| format!("{v:?}")));
        let Some((scale, shift, slack)) = slack_of_the_front(&network) else { return Ok(()) };
        let exact = |v: f64| Rational::from_f64(v).expect("finite");
        for i in 0..file.sizes[0] {
            let quotient = |v: f64| exact(v).checked_div(&exact(file.ranges[i])).expect("not zero");
            let factor = (&quotient(1.0) - &exact(scale[i])).abs();
            prop_assert!(factor <= &exact(slack.weight[i]) * &exact(scale[i]).abs());
            let summand = (&quotient(-file.means[i]) - &exact(shift[i])).abs();
            prop_assert!(summand <= exact(slack.bias[i]));
        }
    }

    /// Every weight of a network from elsewhere stands in the file exactly, and its metadata too.
    #[test]
    fn chains_keep_their_values(network in chains(), x in prop::collection::vec(-1e3f64..1e3, 4)) {
        let text = to_string(&network).expect("a chain");
        let again = read(&text);
        prop_assert_eq!(again.metadata(), network.metadata());
        prop_assert!(!again.has_slack());
        let x = &x[..network.input().shape.len()];
        let values = |n: &Network| n.forward(x).expect("it fits").into_iter().map(f64::to_bits).collect::<Vec<_>>();
        prop_assert_eq!(values(&again), values(&network));
        prop_assert_eq!(to_string(&again).expect("it was read"), text);
    }
}
