//! A second opinion: the same file in tract, an independent runtime.

use crate::graph::Graph;
use crate::{Error, file, wire};
use std::path::Path;
use tract_onnx::prelude::{
    Datum as _, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, Tensor, TractResult, tvec,
};
use unmoved_ir::{DType, Network};

/// Why a comparison was not possible.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The file could not be read here.
    #[error(transparent)]
    Onnx(#[from] Error),
    /// Tract could not load or run it.
    #[error("tract: {0}")]
    Tract(String),
    /// The two differ in the number of outputs, so no number says how far they are apart.
    #[error("tract gives {tract} outputs, the network {network}")]
    Outputs {
        /// Of tract.
        tract: usize,
        /// Of the network.
        network: usize,
    },
}

/// Runs `network` and the file that it came from, in tract, on `n` random inputs from `[-1, 1)`; returns the largest
/// difference of two outputs relative to the range of all outputs, from the least to the largest.
pub fn compare_with_tract(path: &Path, network: &Network, n: usize, seed: u64) -> Result<f64, CompareError> {
    let file::Content { bytes, large, .. } = file::open_model(path)?;
    let model = wire::decode(bytes.clone())?;
    let dims = Graph::new(&model, None)?.input.dims;
    let double = network.input_dtype() == DType::F64;
    let tract = |e: tract_onnx::prelude::TractError| CompareError::Tract(format!("{e:#}"));
    let runnable = (|| -> TractResult<_> {
        let onnx = tract_onnx::onnx();
        let loaded = if large.places.is_empty() && path.extension().is_some_and(|e| e == "gz") {
            onnx.model_for_read(&mut bytes.as_ref())?
        } else {
            onnx.model_for_path(path)?
        };
        let kind = if double { f64::datum_type() } else { f32::datum_type() };
        let fact = InferenceFact::dt_shape(kind, dims.as_slice());
        loaded.with_input_fact(0, fact)?.into_typed()?.into_decluttered()?.into_runnable()
    })()
    .map_err(tract)?;
    let mut random = seed;
    let (mut difference, mut least, mut largest) = (0.0f64, f64::INFINITY, f64::NEG_INFINITY);
    for _ in 0..n {
        let input: Vec<f64> = (0..network.input().shape.len()).map(|_| f64::from(uniform(&mut random))).collect();
        let theirs = (|| -> TractResult<Vec<f64>> {
            let tensor =
                if double { Tensor::from_shape(&dims, &input)? } else { Tensor::from_shape(&dims, &narrow(&input))? };
            let output = runnable.run(tvec!(tensor.into()))?.remove(0);
            Ok(output.cast_to::<f64>()?.to_plain_array_view::<f64>()?.iter().copied().collect())
        })()
        .map_err(tract)?;
        let ours = outputs(network, &input)?;
        if ours.len() != theirs.len() {
            return Err(CompareError::Outputs { tract: theirs.len(), network: ours.len() });
        }
        for (a, b) in ours.iter().zip(&theirs) {
            // `max` would drop a NaN.
            if (a - b).is_nan() {
                return Ok(f64::INFINITY);
            }
            difference = difference.max((a - b).abs());
            (least, largest) = (least.min(*a), largest.max(*a));
        }
    }
    Ok(if difference == 0.0 { 0.0 } else { difference / (largest - least).max(f64::MIN_POSITIVE) })
}

/// As deployed, with the Softmax that the import dropped.
fn outputs(network: &Network, input: &[f64]) -> Result<Vec<f64>, CompareError> {
    let network_error = |e| CompareError::Onnx(Error::Network(e));
    let logits: Vec<f64> = match network.input_dtype() {
        DType::F64 => network.forward(input).map_err(network_error)?,
        DType::F32 => network.forward(&narrow(input)).map_err(network_error)?.into_iter().map(f64::from).collect(),
    };
    let dropped = network.rewrites().iter().rev().find(|r| network.ordering_only() && r.from.ends_with("Softmax"));
    let Some(dropped) = dropped else { return Ok(logits) };
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|v| (v - largest).exp()).sum();
    let log = logits.iter().map(|v| v - largest - sum.ln());
    Ok(if dropped.from == "LogSoftmax" { log.collect() } else { log.map(f64::exp).collect() })
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// SplitMix64; representable in f32, so that both sides read the same input.
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}
