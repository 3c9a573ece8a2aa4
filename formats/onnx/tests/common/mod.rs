//! What several tests share.

use unmoved_ir::{DType, Network};

/// The outputs with the final Softmax that the import dropped.
pub(crate) fn deployed(network: &Network, input: &[f64]) -> Vec<f64> {
    let logits = match network.input_dtype() {
        DType::F64 => network.forward(input).unwrap(),
        DType::F32 => {
            let input: Vec<f32> = input.iter().map(|&v| v as f32).collect();
            network.forward(&input).unwrap().into_iter().map(f64::from).collect()
        }
    };
    let dropped = network.rewrites().iter().rev().find(|r| network.ordering_only() && r.from.ends_with("Softmax"));
    let Some(dropped) = dropped else { return logits };
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|v| (v - largest).exp()).sum();
    let log = logits.iter().map(|v| v - largest - sum.ln());
    if dropped.from == "LogSoftmax" { log.collect() } else { log.map(f64::exp).collect() }
}
