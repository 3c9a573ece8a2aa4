//! Means and ranges of inputs as a scale and shift, and back.

use unmoved_ir::{Conv2d, Scale, Shift};

/// At least this large, the remainder of a quotient is representable and a fused multiply-add finds it.
const SAFE: f64 = f64::MIN_POSITIVE * 4.0 / f64::EPSILON;

/// `(x - mean) / range` as `scale x + shift`, with bounds of what the quotients round. No range is zero.
pub(crate) fn scale_and_shift(means: &[f64], ranges: &[f64]) -> (Scale, Shift) {
    let mut shift = Shift::exact(Vec::new());
    for (&mean, &range) in means.iter().zip(ranges) {
        let value = -mean / range;
        let exact = mean == 0.0 || (mean.abs() >= SAFE && value.is_normal() && value.mul_add(range, mean) == 0.0);
        shift.values.push(value);
        // Half an ulp of a normal quotient, or of the smallest normal number; NaN and infinity are refused with the
        // value.
        shift.errors.push(if exact { 0.0 } else { f64::EPSILON * value.abs() + f64::MIN_POSITIVE });
    }
    (Scale::reciprocal(ranges), shift)
}

/// Whether reading these means and ranges gives the scale and shift of a convolution, and whether without rounding.
fn gives(means: &[f64], ranges: &[f64], scale: &[f64], shift: &[f64]) -> Option<bool> {
    let (s, t) = scale_and_shift(means, ranges);
    (s.values == scale && t.values == shift).then(|| s.error == 0.0 && t.errors.iter().all(|&e| e == 0.0))
}

/// The means and ranges from which a scale and shift of `len` inputs came: those that the file gave, if they still fit,
/// else numbers whose quotients are exact. None where there are no such numbers.
pub(crate) fn means_and_ranges(
    conv: &Conv2d,
    len: usize,
    given: Option<(Vec<f64>, Vec<f64>)>,
) -> Option<(Vec<f64>, Vec<f64>)> {
    // A channel of an image has many elements, and the format one number for each of them.
    let each = len / conv.outputs();
    let (scale, shift): (Vec<f64>, Vec<f64>) =
        (0..len).map(|k| (conv.weight.get(k / each), conv.bias.get(k / each))).unzip();
    if let Some((means, ranges)) = given
        && gives(&means, &ranges, &scale, &shift).is_some()
    {
        return Some((means, ranges));
    }
    let ranges: Vec<f64> = scale.iter().map(|s| 1.0 / s).collect();
    let means: Vec<f64> = shift.iter().zip(&ranges).map(|(t, range)| 0.0 - t * range).collect();
    let finite = means.iter().chain(&ranges).all(|v| v.is_finite());
    (finite && gives(&means, &ranges, &scale, &shift) == Some(true)).then_some((means, ranges))
}
