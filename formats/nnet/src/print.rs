//! From a network to text, in the one canonical form.

use crate::header::{self, INPUT_MAX, INPUT_MEAN, INPUT_MIN, INPUT_RANGE};
use crate::lines::{join, split};
use crate::normalisation::means_and_ranges;
use crate::parse::NO_BOUND;
use crate::{Error, MAX_FILE, MAX_LAYERS};
use unmoved_ir::{Conv2d, Dense, Network, Node, NodeId, Op};

/// A network as the format sees it.
struct Chain<'a> {
    front: Option<&'a Node>,
    layers: Vec<&'a Dense>,
    behind: Option<&'a Node>,
}

pub(crate) fn print(network: &Network) -> Result<String, Error> {
    let chain = chain(network)?;
    let inputs = network.input().shape.len();
    let (means, ranges) = input_normalisation(network, &chain)?;
    let [range, mean] = output_normalisation(&chain)?;

    let mut out = String::new();
    header::write(&mut out, network.metadata());
    let sizes: Vec<usize> = std::iter::once(inputs).chain(chain.layers.iter().map(|l| l.outputs())).collect();
    let widest = sizes.iter().max().copied().unwrap_or(inputs);
    let mut line = |list: String| {
        out.push_str(&list);
        out.push_str(",\n");
    };
    let whole = |v: &[usize]| v.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    line(whole(&[chain.layers.len(), inputs, network.output_len(), widest]));
    line(whole(&sizes));
    line("0".into());
    line(bounds(network, INPUT_MIN, -NO_BOUND)?);
    line(bounds(network, INPUT_MAX, NO_BOUND)?);
    line(join(means.into_iter().chain([mean])));
    line(join(ranges.into_iter().chain([range])));
    for layer in &chain.layers {
        let columns = layer.inputs();
        for row in 0..layer.outputs() {
            line(join((0..columns).map(|column| layer.weight.get(row * columns + column))));
        }
        (0..layer.outputs()).for_each(|row| line(join([layer.bias.get(row)])));
    }
    if out.len() as u64 > MAX_FILE {
        return Err(unwritable(network.input(), format!("the text would be larger than {MAX_FILE} bytes")));
    }
    Ok(out)
}

fn unwritable(node: &Node, reason: impl Into<String>) -> Error {
    Error::Unwritable { node: node.name.clone(), reason: reason.into() }
}

/// Takes the network apart, or names the node that has no place in the format.
fn chain(network: &Network) -> Result<Chain<'_>, Error> {
    let last = network.node(network.output());
    if network.ordering_only() {
        return Err(unwritable(last, "the Softmax behind it was dropped, which the format has no word for"));
    }
    let mut steps = Vec::new();
    for (k, node) in network.nodes().iter().enumerate().skip(1) {
        if node.inputs != [NodeId(k - 1)] {
            return Err(unwritable(node, "the format knows chains only, each node reading the one before"));
        }
        let reshape = match &node.op {
            Op::Flatten => true,
            Op::Gather(map) => map.is_reshape(network.node(NodeId(k - 1)).shape.len()),
            _ => false,
        };
        // Elements in their order are all that the format knows of shapes.
        if !reshape {
            steps.push(node);
        }
    }
    let mut steps = steps.into_iter().peekable();
    let is_affine = |node: &&Node| matches!(&node.op, Op::Conv2d(conv) if conv.is_per_channel());
    let front = steps.next_if(is_affine);
    let mut layers = Vec::new();
    loop {
        let node = steps.next().ok_or_else(|| unwritable(last, "the format ends with a dense layer"))?;
        let Op::Dense(dense) = &node.op else {
            return Err(unwritable(node, format!("expected a dense layer, found {}", node.op.name())));
        };
        if layers.len() == MAX_LAYERS {
            return Err(unwritable(node, format!("a network has at most {MAX_LAYERS} layers")));
        }
        layers.push(dense);
        if steps.next_if(|node| node.op == Op::Relu).is_none() {
            break;
        }
    }
    let behind = steps.next_if(is_affine);
    match steps.next() {
        Some(node) => Err(unwritable(node, format!("expected Relu behind a dense layer, found {}", node.op.name()))),
        None => Ok(Chain { front, layers, behind }),
    }
}

fn affine(node: Option<&Node>) -> Option<(&Node, &Conv2d)> {
    node.and_then(|node| if let Op::Conv2d(conv) = &node.op { Some((node, conv)) } else { None })
}

/// The means and ranges of the inputs.
fn input_normalisation(network: &Network, chain: &Chain<'_>) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let inputs = network.input().shape.len();
    let Some((node, conv)) = affine(chain.front) else {
        return Ok((vec![0.0; inputs], vec![1.0; inputs]));
    };
    // Means that are all 0 and ranges that are all 1 are not stored.
    let given = |key: &str, default: f64| match network.metadata().get(key) {
        Some(text) => split(text, inputs).filter(|v| key != INPUT_RANGE || !v.contains(&0.0)),
        None => Some(vec![default; inputs]),
    };
    let given = given(INPUT_MEAN, 0.0).zip(given(INPUT_RANGE, 1.0));
    means_and_ranges(conv, inputs, given).ok_or_else(|| {
        unwritable(node, "this scale and shift is not exactly (x - mean) / range for any numbers mean and range")
    })
}

/// Range and mean of the outputs.
fn output_normalisation(chain: &Chain<'_>) -> Result<[f64; 2], Error> {
    let Some((node, conv)) = affine(chain.behind) else { return Ok([1.0, 0.0]) };
    let first = [&conv.weight, &conv.bias].map(|t| t.get(0));
    let same =
        (0..conv.outputs()).all(|k| [&conv.weight, &conv.bias].map(|t| t.get(k).to_bits()) == first.map(f64::to_bits));
    if same { Ok(first) } else { Err(unwritable(node, "the format has one range and one mean for all outputs")) }
}

/// The minimums or maximums of the inputs; without any, numbers that no float32 input passes.
fn bounds(network: &Network, key: &'static str, default: f64) -> Result<String, Error> {
    let inputs = network.input().shape.len();
    let values = match network.metadata().get(key) {
        Some(text) => split(text, inputs).ok_or(Error::Metadata { key, expected: inputs })?,
        None => vec![default; inputs],
    };
    Ok(join(values))
}
