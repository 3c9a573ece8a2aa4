//! Rewrites keep the function: exactly, or within the slack that they declare.

use super::reference;
use crate::testing::Rng;
use crate::*;

fn rational(v: f64) -> Rational {
    Rational::from_f64(v).unwrap()
}

fn dense(rng: &mut Rng, outputs: usize, inputs: usize, bits: u32) -> Dense {
    // With few bits every product is exact; with many none is.
    let grid = 2f64.powi(bits as i32);
    let mut list = |n: usize| (0..n).map(|_| (rng.signed() * grid).round() / grid).collect();
    let (w, b) = (list(outputs * inputs), list(outputs));
    Dense::new(Tensor::f64(&[outputs, inputs], w).unwrap(), Tensor::f64(&[outputs], b).unwrap()).unwrap()
}

fn exact_output(network: &Network, x: &[f64]) -> Vec<Rational> {
    let x: Vec<Exact> = x.iter().map(|&v| Exact::from_f64(v)).collect();
    network.forward(&x).unwrap().iter().map(Exact::to_rational).collect()
}

#[test]
fn affine_is_scale_and_shift() {
    let mut rng = Rng(5);
    for dims in [&[6][..], &[2, 3, 1], &[2, 1, 3], &[3, 2], &[6, 1, 1]] {
        for n in [2, 6] {
            let image = dims.len() == 3 && dims[0] == n;
            if n != 6 && !image {
                continue;
            }
            let mut list = |n: usize| (0..n).map(|_| rng.signed()).collect::<Vec<f64>>();
            let (x, s, t) = (list(6), list(n), list(n));
            let mut b = Builder::new();
            let input = b.input("x", dims, DType::F64).unwrap();
            let y = b.affine("y", input, Scale::exact(s.clone()), Shift::exact(t.clone())).unwrap();
            assert_eq!(b.shape(y).dims(), dims);
            let network = b.finish(y).unwrap();
            let per = 6 / n;
            let expected: Vec<Rational> =
                (0..6).map(|k| &(&rational(s[k / per]) * &rational(x[k])) + &rational(t[k / per])).collect();
            assert_eq!(exact_output(&network, &x), expected, "{dims:?} by {n}");
            assert!(!network.has_slack());
        }
    }
}

#[test]
fn a_scale_and_shift_behind_a_dense_or_a_convolution_is_folded() {
    let mut rng = Rng(9);
    for per_image in [false, true] {
        let mut b = Builder::new();
        let x = b.input("x", &[2, 3, 3], DType::F64).unwrap();
        let mut y = if per_image {
            let weight: Vec<f64> = (0..16).map(|k| k as f64 / 8.0 - 1.0).collect();
            let conv = Conv2d::new(Tensor::f64(&[2, 2, 2, 2], weight).unwrap(), Tensor::zeros(&[2]).unwrap()).unwrap();
            b.push("layer", Op::Conv2d(conv), &[x]).unwrap()
        } else {
            let flat = b.reshape("flat", x, &[18]).unwrap();
            b.push("layer", Op::Dense(dense(&mut rng, 8, 18, 3)), &[flat]).unwrap()
        };
        let plain = y;
        let n = if per_image { 2 } else { 8 };
        // A chain, with a change of shape in the middle.
        for k in 0..3 {
            let factors: Vec<f64> = (0..n).map(|i| [2.0, -0.5, 4.0][(i + k) % 3]).collect();
            let shifts: Vec<f64> = (0..n).map(|i| i as f64 - 3.0).collect();
            y = b.affine(&format!("affine{k}"), y, Scale::exact(factors), Shift::exact(shifts)).unwrap();
            if k == 0 && !per_image {
                y = b.reshape("square", y, &[4, 2]).unwrap();
            }
        }
        let y = b.reshape("end", y, &[8]).unwrap();
        let network = b.finish(y).unwrap();
        let affine = network.nodes().iter().filter(|n| matches!(&n.op, Op::Conv2d(c) if c.is_per_channel())).count();
        assert_eq!(affine, 0);
        assert!(network.nodes().len() <= 3, "nothing is left of it");
        assert!(!network.has_slack(), "powers of two are exact");
        // Against the unfolded layer, scaled by hand.
        let mut one = Builder::new();
        let x = one.input("x", &[2, 3, 3], DType::F64).unwrap();
        assert_eq!(plain.0, if per_image { 1 } else { 2 });
        let layer = if per_image {
            let weight: Vec<f64> = (0..16).map(|k| k as f64 / 8.0 - 1.0).collect();
            let conv = Conv2d::new(Tensor::f64(&[2, 2, 2, 2], weight).unwrap(), Tensor::zeros(&[2]).unwrap()).unwrap();
            one.push("layer", Op::Conv2d(conv), &[x]).unwrap()
        } else {
            let flat = one.reshape("flat", x, &[18]).unwrap();
            one.push("layer", Op::Dense(dense(&mut Rng(9), 8, 18, 3)), &[flat]).unwrap()
        };
        let unfolded = one.finish(layer).unwrap();
        let input: Vec<f64> = (0..18).map(|_| rng.signed()).collect();
        let mut expected = exact_output(&unfolded, &input);
        for k in 0..3 {
            for (i, v) in expected.iter_mut().enumerate() {
                let row = if per_image { i / 4 } else { i };
                *v = &(&rational([2.0, -0.5, 4.0][(row + k) % 3]) * v) + &rational(row as f64 - 3.0);
            }
        }
        assert_eq!(exact_output(&network, &input), expected);
    }
}

/// `x -> dense -> affine -> relu`, and a second reader of the dense layer that the output may depend on or not.
fn with_second_reader(live: bool, affine_is_live: bool) -> Network {
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F32).unwrap();
    let one = |w: f32| Dense::new(Tensor::f32(&[1, 1], vec![w]).unwrap(), Tensor::zeros(&[1]).unwrap()).unwrap();
    let d = b.push("d", Op::Dense(one(1.0)), &[x]).unwrap();
    let a = b.affine("a", d, Scale::exact(vec![8.0]), Shift::exact(vec![1.0])).unwrap();
    let other = b.push("other", Op::Relu, &[d]).unwrap();
    let a = b.reshape("flat", a, &[1]).unwrap();
    let sum = b.push("sum", Op::Add, &[a, other]).unwrap();
    b.finish(match (live, affine_is_live) {
        (true, true) => sum,
        (true, false) => other,
        _ => a,
    })
    .unwrap()
}

#[test]
fn folding_leaves_other_readers_alone() {
    assert_eq!(with_second_reader(true, true).forward(&[3.0f32]).unwrap(), [28.0]);
    // A scale that nothing reads once changed the layer under the ReLU that is read.
    assert_eq!(with_second_reader(true, false).forward(&[3.0f32]).unwrap(), [3.0]);
    let alone = with_second_reader(false, true);
    assert_eq!(alone.forward(&[3.0f32]).unwrap(), [25.0]);
    assert_eq!(alone.nodes().len(), 2, "folded: nobody else reads the layer");
}

#[test]
fn the_output_counts_as_a_reader() {
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F32).unwrap();
    let one = Dense::new(Tensor::f32(&[1, 1], vec![1.0]).unwrap(), Tensor::zeros(&[1]).unwrap()).unwrap();
    let d = b.push("d", Op::Dense(one), &[x]).unwrap();
    b.affine("unread", d, Scale::exact(vec![8.0]), Shift::exact(vec![1.0])).unwrap();
    assert_eq!(b.finish(d).unwrap().forward(&[3.0f32]).unwrap(), [3.0]);
}

#[test]
fn slack_bounds_every_rounding_of_a_fold() {
    let mut rng = Rng(11);
    let mut rounded = 0;
    for case in 0..200 {
        let (outputs, inputs) = (3, 4);
        let layer = dense(&mut rng, outputs, inputs, if case % 4 == 0 { 3 } else { 52 });
        let error = [0.0, 1e-16, 0.25][case % 3];
        let scale: Vec<f64> = (0..outputs).map(|_| rng.signed() * 10f64.powi(rng.below(9) as i32 - 4)).collect();
        let shift: Vec<f64> = (0..outputs).map(|_| rng.signed() * 10f64.powi(rng.below(9) as i32 - 4)).collect();
        let shift_errors: Vec<f64> = shift.iter().map(|t| t.abs() * error).collect();
        let layer_slack = (case % 5 == 0).then(|| Slack { weight: vec![error; outputs], bias: vec![error; outputs] });
        let mut b = Builder::new();
        let x = b.input("x", &[inputs], DType::F64).unwrap();
        let mut given = layer.clone();
        given.slack = layer_slack.clone();
        let d = b.push("d", Op::Dense(given), &[x]).unwrap();
        let a = b.affine(
            "a",
            d,
            Scale { values: scale.clone(), error },
            Shift { values: shift.clone(), errors: shift_errors.clone() },
        );
        let network = b.finish(a.unwrap()).unwrap();
        assert_eq!(network.nodes().len(), 2, "folded");
        let Op::Dense(folded) = &network.nodes()[1].op else { panic!() };
        let zero = Slack { weight: vec![0.0; outputs], bias: vec![0.0; outputs] };
        let slack = folded.slack.clone().unwrap_or(zero);
        rounded += usize::from(folded.slack.is_some());
        let layer_slack = layer_slack.unwrap_or(Slack { weight: vec![0.0; outputs], bias: vec![0.0; outputs] });
        // The true numbers may lie anywhere within their errors: the ends are the worst.
        let ends = |v: f64, e: f64| [&rational(v) - &rational(e), &rational(v) + &rational(e)];
        let relative =
            |v: &Rational, e: f64| [&rational(1.0) - &rational(e), &rational(1.0) + &rational(e)].map(|f| v * &f);
        for row in 0..outputs {
            for s in relative(&rational(scale[row]), error) {
                for k in row * inputs..(row + 1) * inputs {
                    let found = reference::weight(&folded.weight, k);
                    for w in relative(&reference::weight(&layer.weight, k), layer_slack.weight[row]) {
                        let off = (&(&s * &w) - &found).abs();
                        assert!(off <= &rational(slack.weight[row]) * &found.abs(), "case {case}");
                    }
                }
                let found = reference::weight(&folded.bias, row);
                for bias in ends(layer.bias.get(row), layer_slack.bias[row]) {
                    for t in ends(shift[row], shift_errors[row]) {
                        let off = (&(&(&s * &bias) + &t) - &found).abs();
                        assert!(off <= rational(slack.bias[row]), "case {case}");
                    }
                }
            }
        }
    }
    assert!(rounded > 150);
}

#[test]
fn what_would_overflow_or_underflow_is_not_folded() {
    for (weight, scale) in [(1e-200, 1e-200), (1e200, 1e200), (f64::MIN_POSITIVE, 0.5)] {
        let mut b = Builder::new();
        let x = b.input("x", &[1], DType::F64).unwrap();
        let d = Dense::new(Tensor::f64(&[1, 1], vec![weight]).unwrap(), Tensor::zeros(&[1]).unwrap()).unwrap();
        let d = b.push("d", Op::Dense(d), &[x]).unwrap();
        let a = b.affine("a", d, Scale::exact(vec![scale]), Shift::exact(vec![0.0])).unwrap();
        let network = b.finish(a).unwrap();
        assert_eq!(exact_output(&network, &[3.0]), [&(&rational(weight) * &rational(scale)) * &rational(3.0)]);
    }
}

#[test]
fn reciprocals_know_whether_they_are_exact() {
    for d in [1.0, 2.0, 0.125, -4.0, 1024.0, 3.0, 9.0, 10.0, 0.1, 1e300, 49.0, 1e-308] {
        let scale = Scale::reciprocal(&[d]);
        let off = (&(&rational(scale.values[0]) * &rational(d)) - &Rational::ONE).abs();
        // |1/d - v| <= e |v|  <=>  |1 - v d| <= e |v d|
        let allowed = &rational(scale.error) * &(&rational(scale.values[0]) * &rational(d)).abs();
        assert!(off <= allowed, "{d}");
        assert_eq!(scale.error == 0.0, off == Rational::ZERO, "{d}");
    }
    for d in [0.0, f64::NAN, 1e308, 1.7e308, f64::INFINITY, 5e-324] {
        assert_eq!(Scale::reciprocal(&[d]).error, f64::INFINITY, "{d}");
    }
}

#[test]
fn average_pools_are_averages() {
    let mut rng = Rng(13);
    for case in 0..60 {
        let mut two = |most: usize| [1 + rng.below(most), 1 + rng.below(most)];
        let (kernel, stride) = (two(3), two(2));
        let padding: [usize; 4] = std::array::from_fn(|k| if case % 3 == 0 { 0 } else { two(kernel[k % 2])[0] - 1 });
        // None of the padding, all of it, or some.
        let counted = padding.map(|p| [0, p, p / 2][case % 4 % 3]);
        // Never so far apart that a window steps over the image.
        let dilation = if case % 5 == 0 { [2, 1] } else { [1; 2] };
        let mut b = Builder::new();
        let x = b.input("x", &[2, 4, 3], DType::F64).unwrap();
        let windows = MaxPool { kernel, stride, padding, dilation };
        let Ok(y) = b.average_windows("mean", x, &windows, counted) else {
            assert!((kernel[0] - 1) * dilation[0] >= 4 + padding[0] + padding[2], "case {case}");
            continue;
        };
        let dims = b.shape(y).image().unwrap();
        let network = b.finish(y).unwrap();
        let input: Vec<f64> = (0..24).map(|_| rng.signed()).collect();
        let output = exact_output(&network, &input);
        for c in 0..2 {
            for r in 0..dims[1] {
                for s in 0..dims[2] {
                    let (mut sum, mut count) = (Rational::ZERO, 0);
                    for py in (0..kernel[0]).map(|k| r * stride[0] + k * dilation[0]) {
                        for px in s * stride[1]..s * stride[1] + kernel[1] {
                            let inside = (padding[0]..padding[0] + 4).contains(&py)
                                && (padding[1]..padding[1] + 3).contains(&px);
                            let counts = (padding[0] - counted[0]..padding[0] + 4 + counted[2]).contains(&py)
                                && (padding[1] - counted[1]..padding[1] + 3 + counted[3]).contains(&px);
                            count += i64::from(counts);
                            if inside {
                                sum = &sum + &rational(input[(c * 4 + py - padding[0]) * 3 + px - padding[1]]);
                            }
                        }
                    }
                    let mean = sum.checked_div(&Rational::from(count)).unwrap();
                    let found = &output[(c * dims[1] + r) * dims[2] + s];
                    let exact = (1..=9).all(|n: i64| n.count_ones() == 1 || network.has_slack()) || *found == mean;
                    assert!(exact && (found - &mean).abs() <= rational(1e-15), "case {case}");
                    assert!(network.has_slack() || *found == mean, "case {case}");
                }
            }
        }
    }
}

#[test]
fn index_maps_merge_and_keep_the_values() {
    let mut rng = Rng(17);
    for case in 0..100 {
        let mut b = Builder::new();
        let mut x = b.input("x", &[2, 3, 2], DType::F64).unwrap();
        let mut expected: Vec<Option<usize>> = (0..12).map(Some).collect();
        for k in 0..5 {
            let op = match rng.below(3) {
                0 => Op::Flatten,
                1 => {
                    let dims = [[12, 1], [3, 4], [4, 3]][rng.below(3)];
                    if expected.len() != 12 { Op::Flatten } else { Op::Gather(Gather::reshape(&dims).unwrap()) }
                }
                _ => {
                    let n = 1 + rng.below(14);
                    let index: Vec<Option<u32>> =
                        (0..n).map(|_| (rng.below(4) > 0).then(|| rng.below(expected.len()) as u32)).collect();
                    expected = index.iter().map(|i| i.and_then(|i| expected[i as usize])).collect();
                    Op::Gather(Gather::new(index, &[n]).unwrap())
                }
            };
            x = b.push(&format!("map{k}"), op, &[x]).unwrap();
        }
        let shape = b.shape(x).clone();
        let network = b.finish(x).unwrap();
        assert!(network.nodes().len() <= 2, "case {case}: one map at most");
        assert_eq!(network.node(network.output()).shape, shape);
        let input: Vec<f64> = (0..12).map(|k| f64::from(k) + 0.5).collect();
        let found = network.forward(&input).unwrap();
        let expected: Vec<f64> = expected.iter().map(|i| i.map_or(0.0, |i| input[i])).collect();
        assert_eq!(found, expected, "case {case}");
    }
}

#[test]
fn deep_networks_take_linear_time() {
    // A quadratic pass over this would take minutes.
    let depth = 60_000;
    let mut b = Builder::new();
    let mut x = b.input("x", &[2], DType::F32).unwrap();
    for k in 0..depth {
        x = match k % 4 {
            0 => b.reshape(&format!("r{k}"), x, &[2, 1]),
            1 => b.affine(&format!("a{k}"), x, Scale::exact(vec![1.0; 2]), Shift::exact(vec![1.0; 2])),
            2 => b.reshape(&format!("r{k}"), x, &[2]),
            _ => b.push(&format!("n{k}"), Op::Relu, &[x]),
        }
        .unwrap();
    }
    let network = b.finish(x).unwrap();
    assert_eq!(network.forward(&[0.0f32, 1.0]).unwrap(), [(depth / 4) as f32, (depth / 4 + 1) as f32]);
    // One layer that takes thousands of scales in.
    let mut b = Builder::new();
    let mut x = b.input("x", &[2], DType::F32).unwrap();
    x = b.push("d", Op::Dense(dense(&mut Rng(1), 2, 2, 3)), &[x]).unwrap();
    for k in 0..10_000 {
        x = b.affine(&format!("a{k}"), x, Scale::exact(vec![1.0; 2]), Shift::exact(vec![0.0; 2])).unwrap();
    }
    assert_eq!(b.finish(x).unwrap().nodes().len(), 2);
}
