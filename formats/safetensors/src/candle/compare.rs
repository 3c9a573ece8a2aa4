//! A network and the model of candle that it was made of, on the same inputs.

use super::CandleError;
use candle_core::{DType, Device, Tensor, WithDType};
use unmoved_ir::{Network, Number};

/// The largest relative difference that rounding explains in f32: about a thousand units of the last place.
pub const TOLERANCE_F32: f64 = 1e-4;
/// The largest relative difference that rounding explains in f64.
pub const TOLERANCE_F64: f64 = 1e-12;

pub(super) fn check_against(
    network: &Network,
    forward: impl FnMut(&Tensor) -> candle_core::Result<Tensor>,
    inputs: usize,
) -> Result<f64, CandleError> {
    let (difference, tolerance) = match network.input_dtype() {
        unmoved_ir::DType::F32 => (difference::<f32>(network, forward, inputs)?, TOLERANCE_F32),
        unmoved_ir::DType::F64 => (difference::<f64>(network, forward, inputs)?, TOLERANCE_F64),
    };
    if difference <= tolerance { Ok(difference) } else { Err(CandleError::Differs { difference, tolerance }) }
}

/// The largest difference relative to the range; infinite if something is not finite.
fn difference<T: Number + WithDType>(
    network: &Network,
    mut forward: impl FnMut(&Tensor) -> candle_core::Result<Tensor>,
    inputs: usize,
) -> Result<f64, CandleError> {
    let of_one = |dims: &[usize]| [&[1], dims].concat();
    let input = of_one(network.input().shape.dims());
    let output = of_one(network.node(network.output()).shape.dims());
    let mut random = fastrand::Rng::with_seed(0);
    let (mut largest, mut lower, mut upper) = (0.0f64, f64::INFINITY, f64::NEG_INFINITY);
    for _ in 0..inputs.max(1) {
        let x: Vec<T> =
            (0..network.input().shape.len()).map(|_| <T as Number>::from_f64(2.0 * random.f64() - 1.0)).collect();
        let theirs = forward(&Tensor::from_slice(&x, input.as_slice(), &Device::Cpu)?)?;
        if theirs.dims() != output {
            return Err(CandleError::OutputShape { candle: theirs.dims().to_vec(), network: output });
        }
        let theirs: Vec<f64> = theirs.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        for (ours, theirs) in network.forward(&x)?.into_iter().map(WithDType::to_f64).zip(theirs) {
            let apart = (ours - theirs).abs();
            largest = if apart.is_finite() { largest.max(apart) } else { f64::INFINITY };
            (lower, upper) = (lower.min(ours), upper.max(ours));
        }
    }
    // A network of one value has no range; then its size is what a difference is measured by.
    let range = if upper > lower { upper - lower } else { upper.abs() };
    Ok(if largest == 0.0 || largest.is_infinite() { largest } else { largest / range })
}
