//! From text to a network.

use crate::error::Fault;
use crate::header::{self, INPUT_MAX, INPUT_MEAN, INPUT_MIN, INPUT_RANGE};
use crate::lines::{Line, Lines, join, number, whole};
use crate::normalisation::scale_and_shift;
use crate::{MAX_LAYERS, Problem};
use std::collections::BTreeMap;
use std::fmt;
use unmoved_ir::{
    Builder, Conv2d, DType, Dense, IrError, Network, NodeId, NodeProblem, Op, Scale, Shape, Shift, Tensor,
};

/// The most that a minimum can be below, and a maximum above, without saying anything of a float32 input.
pub(crate) const NO_BOUND: f64 = f32::MAX as f64;

/// What a line holds.
#[derive(Clone, Copy)]
enum Record {
    Counts,
    Sizes,
    Flag,
    Minimums,
    Maximums,
    Means,
    Ranges,
    /// Layer and row, from 1.
    Weights(usize, usize),
    Bias(usize, usize),
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counts => f.write_str("the line of four counts (layers, inputs, outputs, largest layer)"),
            Self::Sizes => f.write_str("the layer sizes"),
            Self::Flag => f.write_str("the flag"),
            Self::Minimums => f.write_str("the minimums of the inputs"),
            Self::Maximums => f.write_str("the maximums of the inputs"),
            Self::Means => f.write_str("the means of inputs and outputs"),
            Self::Ranges => f.write_str("the ranges of inputs and outputs"),
            Self::Weights(layer, row) => write!(f, "row {row} of the weights of layer {layer}"),
            Self::Bias(layer, row) => write!(f, "bias {row} of layer {layer}"),
        }
    }
}

/// A dense layer as it stands in the file: weights row by row.
struct Layer {
    inputs: usize,
    weight: Vec<f64>,
    bias: Vec<f64>,
}

/// What is done to inputs and outputs.
struct Normalisation {
    /// None if it changes nothing.
    input: Option<(Scale, Shift)>,
    /// Range and mean.
    output: [f64; 2],
}

pub(crate) fn parse(text: &str) -> Result<Network, Fault> {
    let mut lines = Lines::new(text);
    let mut metadata = header::read(&mut lines);
    let (line, sizes) = sizes(&mut lines)?;
    let normalisation = normalisation(&mut lines, sizes[0], &mut metadata)?;
    let mut layers = Vec::new();
    for (k, pair) in sizes.windows(2).enumerate() {
        layers.push(layer(&mut lines, k + 1, pair[0], pair[1])?);
    }
    lines.finish()?;
    let network = build(&layers, &normalisation).map_err(|error| line.fault(error.into()))?;
    Ok(network.with_metadata(metadata))
}

/// The layer sizes, input first, and the line where they stand: what is too large is so because of it.
fn sizes<'a>(lines: &mut Lines<'a>) -> Result<(Line<'a>, Vec<usize>), Fault> {
    let first = lines.expect(&Record::Counts)?;
    let counts = first.list(&Record::Counts, 4, whole)?;
    if !(1..=MAX_LAYERS).contains(&counts[0]) {
        return Err(first.fault(Problem::Layers));
    }
    let line = lines.expect(&Record::Sizes)?;
    let sizes = line.list(&Record::Sizes, counts[0] + 1, whole)?;
    for (what, claimed, found) in [("inputs", counts[1], sizes[0]), ("outputs", counts[2], sizes[counts[0]])] {
        if claimed != found {
            return Err(line.fault(Problem::Sizes { what, claimed, found }));
        }
    }
    for pair in sizes.windows(2) {
        Shape::new(&[pair[1], pair[0]]).map_err(|problem| line.fault(IrError::Tensor(problem).into()))?;
    }
    Ok((line, sizes))
}

fn normalisation(
    lines: &mut Lines<'_>,
    inputs: usize,
    metadata: &mut BTreeMap<String, String>,
) -> Result<Normalisation, Fault> {
    let flag = lines.expect(&Record::Flag)?;
    // It once said that the network was to be evaluated with two inputs mirrored; today's readers ignore it.
    if flag.list(&Record::Flag, 1, whole)? != [0] {
        return Err(flag.fault(Problem::Flag));
    }
    let mut list = |what: Record, expected: usize| {
        let line = lines.expect(&what)?;
        Ok((line, line.list(&what, expected, number)?))
    };
    let (_, minimums) = list(Record::Minimums, inputs)?;
    let (_, maximums) = list(Record::Maximums, inputs)?;
    let (_, mut means) = list(Record::Means, inputs + 1)?;
    let (line, mut ranges) = list(Record::Ranges, inputs + 1)?;
    let output = [ranges.remove(inputs), means.remove(inputs)];
    let (scale, shift) = scale_and_shift(&means, &ranges);
    if !scale.error.is_finite() || shift.errors.iter().any(|e| !e.is_finite()) {
        return Err(line.fault(Problem::Range));
    }
    let mut keep = |key: &str, values: &[f64], default: f64| {
        if values.iter().any(|v| v.to_bits() != default.to_bits()) {
            metadata.insert(key.into(), join(values.iter().copied()));
        }
    };
    keep(INPUT_MIN, &minimums, -NO_BOUND);
    keep(INPUT_MAX, &maximums, NO_BOUND);
    keep(INPUT_MEAN, &means, 0.0);
    keep(INPUT_RANGE, &ranges, 1.0);
    let scaled = means.iter().any(|m| m.to_bits() != 0) || ranges.iter().any(|&r| r != 1.0);
    Ok(Normalisation { input: scaled.then_some((scale, shift)), output })
}

fn layer(lines: &mut Lines<'_>, number_of: usize, inputs: usize, outputs: usize) -> Result<Layer, Fault> {
    let mut layer = Layer { inputs, weight: Vec::new(), bias: Vec::new() };
    for row in 1..=outputs {
        let what = Record::Weights(number_of, row);
        layer.weight.extend(lines.expect(&what)?.list(&what, inputs, number)?);
    }
    for row in 1..=outputs {
        let what = Record::Bias(number_of, row);
        layer.bias.extend(lines.expect(&what)?.list(&what, 1, number)?);
    }
    Ok(layer)
}

/// `range (layers)((x - means) / ranges) + mean`; the normalisation only where it does something.
fn build(layers: &[Layer], normalisation: &Normalisation) -> Result<Network, IrError> {
    let Normalisation { input, output: [range, mean] } = normalisation;
    let of_input = input.iter().flat_map(|(scale, shift)| scale.values.iter().chain(&shift.values));
    let of_layers = layers.iter().flat_map(|l| l.weight.iter().chain(&l.bias));
    let single = |v: &f64| f64::from(*v as f32).to_bits() == v.to_bits();
    let all_single = of_input.chain(of_layers).chain([range, mean]).all(single);
    let dtype = if all_single { DType::F32 } else { DType::F64 };
    let tensor = |dims: &[usize], values: &[f64]| match dtype {
        DType::F32 => Tensor::f32(dims, values.iter().map(|&v| v as f32).collect()),
        DType::F64 => Tensor::f64(dims, values.to_vec()),
    };

    let mut b = Builder::new();
    let mut x = b.input("x", &[layers[0].inputs], dtype)?;
    if let Some((scale, shift)) = input {
        let rounds = scale.error != 0.0 || shift.errors.iter().any(|&e| e != 0.0);
        x = b.affine("normalised", x, scale.clone(), shift.clone())?;
        b.note("x", "normalisation", "a scale and shift in front", rounds);
    }
    for (k, layer) in (1..).zip(layers) {
        let (n, name) = (layer.bias.len(), format!("layer{k}"));
        let dense = Dense::new(tensor(&[n, layer.inputs], &layer.weight)?, tensor(&[n], &layer.bias)?)?;
        x = b.push(&name, Op::Dense(dense), &[x])?;
        if k < layers.len() {
            x = b.push(&format!("relu{k}"), Op::Relu, &[x])?;
        }
    }
    if *range != 1.0 || mean.to_bits() != 0 {
        x = rescale(&mut b, x, *range, *mean)?;
    }
    b.finish(x)
}

/// One factor and one summand for all outputs. A node of its own: folded into the last layer it would have to round.
fn rescale(b: &mut Builder, x: NodeId, range: f64, mean: f64) -> Result<NodeId, IrError> {
    let n = b.shape(x).len();
    let all = |v: f64| Tensor::narrowest(&[n], vec![v; n]);
    let at = |problem: NodeProblem| IrError::Node { node: "rescaled".into(), problem };
    let conv = Conv2d::per_channel(all(range).map_err(at)?, all(mean).map_err(at)?).map_err(at)?;
    let column = b.reshape("rescaled.column", x, &[n, 1, 1])?;
    let y = b.push("rescaled", Op::Conv2d(conv), &[column])?;
    b.note("rescaled", "normalisation", "a scale and shift behind", false);
    b.reshape("rescaled.shape", y, &[n])
}
