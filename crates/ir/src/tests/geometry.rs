//! Sliding windows: against brute force, and at the edges of the machine word.

use crate::*;
use proptest::prelude::*;

fn conv(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 4], dilation: [usize; 2]) -> Conv2d {
    let weight = Tensor::zeros(&[1, 1, kernel[0], kernel[1]]).unwrap();
    let mut conv = Conv2d::new(weight, Tensor::zeros(&[1]).unwrap()).unwrap();
    (conv.stride, conv.padding, conv.dilation) = (stride, padding, dilation);
    conv
}

proptest! {
    #[test]
    fn sliding_agrees_with_brute_force(
        size in [1usize..9, 1..9], kernel in [1usize..5, 1..5], stride in [1usize..4, 1..4],
        padding in [0usize..6, 0..6, 0..6, 0..6], dilation in [1usize..4, 1..4],
    ) {
        let input = Shape::new(&[1, size[0], size[1]]).unwrap();
        let fits = |a: usize| size[a] + padding[a] + padding[a + 2] > (kernel[a] - 1) * dilation[a];
        let Ok(sliding) = conv(kernel, stride, padding, dilation).sliding(&input) else {
            prop_assert!(!fits(0) || !fits(1));
            return Ok(());
        };
        prop_assert!(fits(0) && fits(1));
        for a in 0..2 {
            let padded = size[a] + padding[a] + padding[a + 2];
            let starts = (0..padded).step_by(stride[a]).filter(|s| s + (kernel[a] - 1) * dilation[a] < padded);
            prop_assert_eq!(sliding.output[a], starts.count());
            for out in 0..sliding.output[a] {
                let read = |tap: usize| {
                    let at = (out * stride[a] + tap * dilation[a]) as i64 - padding[a] as i64;
                    usize::try_from(at).ok().filter(|&at| at < size[a])
                };
                for tap in 0..kernel[a] {
                    prop_assert_eq!(sliding.source(a, out, tap), read(tap));
                    prop_assert_eq!(sliding.valid_taps(a, out).contains(&tap), read(tap).is_some());
                }
                prop_assert!(sliding.valid_taps(a, out).end <= kernel[a]);
            }
        }
        for y in 0..sliding.output[0] {
            for x in 0..sliding.output[1] {
                let taps: Vec<_> = sliding.taps(y, x).collect();
                let mut expected = Vec::new();
                for ky in 0..kernel[0] {
                    for kx in 0..kernel[1] {
                        if let (Some(sy), Some(sx)) = (sliding.source(0, y, ky), sliding.source(1, x, kx)) {
                            expected.push((ky, kx, sy, sx));
                        }
                    }
                }
                prop_assert_eq!(sliding.count_taps(y, x), expected.len());
                prop_assert_eq!(taps, expected);
            }
        }
    }
}

#[test]
fn numbers_near_the_end_of_the_word_are_errors() {
    let input = Shape::new(&[1, 4, 4]).unwrap();
    let most = usize::MAX;
    let attribute = |c: Conv2d| matches!(c.sliding(&input), Err(NodeProblem::Attribute(_)));
    assert!(attribute(conv([1; 2], [1; 2], [most, 0, 0, 0], [1; 2])));
    assert!(attribute(conv([1; 2], [1; 2], [most - 4, 0, 1, 0], [1; 2])));
    assert!(attribute(conv([3; 2], [1; 2], [0; 4], [most / 2 + 1; 2])));
    assert!(attribute(conv([2; 2], [1; 2], [0; 4], [most; 2])));
    assert!(attribute(conv([1; 2], [0; 2], [0; 4], [1; 2])));
    assert!(attribute(conv([1; 2], [1; 2], [0; 4], [0; 2])));
    let mismatch = conv([2; 2], [1; 2], [0; 4], [most - 1; 2]).sliding(&input);
    assert!(matches!(mismatch, Err(NodeProblem::Mismatch { .. })));
    let many = conv([1; 2], [1; 2], [1 << 40; 4], [1; 2]).sliding(&input);
    assert!(matches!(many, Err(NodeProblem::TooLarge(_))));
    // One output, however far the stride.
    assert_eq!(conv([4; 2], [most; 2], [0; 4], [1; 2]).sliding(&input).unwrap().output, [1, 1]);
}

#[test]
fn a_huge_window_over_a_huge_padding_costs_nothing() {
    let huge = 1 << 40;
    let mut b = Builder::new();
    let x = b.input("x", &[1, 2, 2], DType::F32).unwrap();
    let padding = [huge - 2, huge - 2, 0, 0];
    let pool = MaxPool { kernel: [huge; 2], stride: [1; 2], padding, dilation: [1; 2] };
    let y = b.push("pool", Op::MaxPool(pool), &[x]).unwrap();
    let network = b.finish(y).unwrap();
    assert_eq!(network.forward(&[1.0f32, 4.0, 2.0, 3.0]).unwrap(), [4.0]);
    assert_eq!(lower_max_pool(&network).unwrap().network.forward(&[1.0f32, 4.0, 2.0, 3.0]).unwrap(), [4.0]);
}
