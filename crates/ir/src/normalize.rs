//! Passes over a finished graph: fold scales and shifts, merge index maps, drop what nothing reads.

use crate::{Conv2d, Dense, Gather, IrError, Network, Node, NodeId, NodeProblem, Op, Slack, Tensor};

pub(crate) fn normalize(mut network: Network, foldable: &[NodeId]) -> Result<Network, IrError> {
    for &id in foldable {
        fold(&mut network, id)?;
    }
    merge_index_maps(&mut network)?;
    drop_unread(&mut network);
    Ok(network)
}

/// Makes every reader of `from` read `to` instead.
fn redirect(network: &mut Network, from: NodeId, to: NodeId) {
    for input in network.nodes.iter_mut().flat_map(|n| &mut n.inputs) {
        if *input == from {
            *input = to;
        }
    }
    if network.output == from {
        network.output = to;
    }
}

/// Folds the per-channel convolution `id` into the Dense or Conv2d whose value it alone reads, if there is one. A
/// Dense may be followed by a change of shape.
fn fold(network: &mut Network, id: NodeId) -> Result<(), IrError> {
    let Op::Conv2d(affine) = network.node(id).op.clone() else { return Ok(()) };
    let readers = network.readers();
    let mut source = network.node(id).inputs[0];
    let mut reshaped = false;
    while is_reshape(network, source) && readers[source.0] == 1 {
        source = network.node(source).inputs[0];
        reshaped = true;
    }
    if readers[source.0] != 1 {
        return Ok(());
    }
    let name = network.node(id).name.clone();
    let folded = match &network.node(source).op {
        Op::Conv2d(conv) if !reshaped => scaled_conv(conv, &affine).map(Op::Conv2d),
        Op::Dense(dense) if dense.outputs() == affine.outputs() => scaled_dense(dense, &affine).map(Op::Dense),
        _ => return Ok(()),
    };
    network.nodes[source.0].op = folded.map_err(IrError::at(&name))?;
    let input = network.node(id).inputs[0];
    redirect(network, id, input);
    Ok(())
}

/// Products at least this large have a representable rounding error, which a fused multiply-add reveals, and a relative
/// one of at most half an epsilon.
const SAFE_PRODUCT: f64 = f64::MIN_POSITIVE * 4.0 / f64::EPSILON;

fn scaled_dense(dense: &Dense, affine: &Conv2d) -> Result<Dense, NodeProblem> {
    let (weight, bias, slack) = scaled_rows(&dense.weight, &dense.bias, &dense.slack, affine)?;
    Ok(Dense { weight, bias, slack })
}

fn scaled_conv(conv: &Conv2d, affine: &Conv2d) -> Result<Conv2d, NodeProblem> {
    let (weight, bias, slack) = scaled_rows(&conv.weight, &conv.bias, &conv.slack, affine)?;
    Ok(Conv2d { weight, bias, slack, ..conv.clone() })
}

/// `s (W x + b) + t` row by row, in f64, with a bound of every rounding.
fn scaled_rows(
    weight: &Tensor,
    bias: &Tensor,
    slack: &Option<Slack>,
    affine: &Conv2d,
) -> Result<(Tensor, Tensor, Option<Slack>), NodeProblem> {
    let rows = bias.shape().len();
    let columns = weight.shape().len() / rows;
    let mut w = weight.to_f64();
    let mut b = bias.to_f64();
    let mut out = Slack { weight: vec![0.0; rows], bias: vec![0.0; rows] };
    for row in 0..rows {
        let (s, t) = (affine.weight.get(row), affine.bias.get(row));
        let given = |slack: &Option<Slack>| slack.as_ref().map_or((0.0, 0.0), |k| (k.weight[row], k.bias[row]));
        let ((w_error, b_error), (s_error, t_error)) = (given(slack), given(&affine.slack));
        let mut rounded = 0.0;
        for w in &mut w[row * columns..(row + 1) * columns] {
            let product = s * *w;
            if s != 0.0 && *w != 0.0 && product.abs() < SAFE_PRODUCT {
                return Err(NodeProblem::Attribute("a folded weight underflows".into()));
            }
            if s.mul_add(*w, -product) != 0.0 {
                rounded = f64::EPSILON;
            }
            *w = product;
        }
        // (1 + a)(1 + b)(1 + r) - 1 with all three tiny, rounded up generously.
        out.weight[row] = up_if_any(w_error + s_error + rounded);
        let product = s * b[row];
        let sum = product + t;
        let safe = s == 0.0 || b[row] == 0.0 || product.abs() >= SAFE_PRODUCT;
        let exact = safe && s.mul_add(b[row], -product) == 0.0 && two_sum_is_exact(product, t, sum);
        let rounding = if exact { 0.0 } else { f64::EPSILON * (product.abs() + sum.abs()) + f64::MIN_POSITIVE };
        let carried = s.abs() * b_error * (1.0 + s_error) + product.abs() * s_error + t_error;
        out.bias[row] = up_if_any(carried + rounding);
        b[row] = sum;
    }
    let any = out.weight.iter().chain(&out.bias).any(|&e| e > 0.0);
    Ok((Tensor::narrowest(weight.shape().dims(), w)?, Tensor::narrowest(bias.shape().dims(), b)?, any.then_some(out)))
}

/// A little more than `v`, but zero for zero: covers the roundings in computing the error bound itself.
fn up_if_any(v: f64) -> f64 {
    if v == 0.0 { 0.0 } else { v * (1.0 + 1e-9) + f64::MIN_POSITIVE }
}

/// Whether `a + b` was computed without rounding (Knuth's two-sum).
fn two_sum_is_exact(a: f64, b: f64, sum: f64) -> bool {
    let bb = sum - a;
    (a - (sum - bb)) + (b - bb) == 0.0
}

fn is_reshape(network: &Network, id: NodeId) -> bool {
    let node = network.node(id);
    match &node.op {
        Op::Flatten => true,
        Op::Gather(g) => g.is_reshape(network.node(node.inputs[0]).shape.len()),
        _ => false,
    }
}

/// Index maps that read index maps become one; maps and flattenings that change nothing vanish.
fn merge_index_maps(network: &mut Network) -> Result<(), IrError> {
    for k in 1..network.nodes.len() {
        let id = NodeId(k);
        while let Some(merged) = merged_with_input(network, id)? {
            network.nodes[k].inputs = network.node(network.node(id).inputs[0]).inputs.clone();
            network.nodes[k].op = merged;
        }
        let node = network.node(id);
        if matches!(node.op, Op::Gather(_) | Op::Flatten) {
            let input = node.inputs[0];
            if is_reshape(network, id) && network.node(input).shape == node.shape {
                redirect(network, id, input);
            } else if is_reshape(network, id) && node.shape.rank() == 1 {
                network.nodes[k].op = Op::Flatten;
            }
        }
    }
    Ok(())
}

/// The one map that node `id` and the map that it reads amount to.
fn merged_with_input(network: &Network, id: NodeId) -> Result<Option<Op>, IrError> {
    let node = network.node(id);
    if !matches!(node.op, Op::Gather(_) | Op::Flatten) {
        return Ok(None);
    }
    let inner = network.node(node.inputs[0]);
    let op = match (&node.op, &inner.op) {
        (Op::Flatten, Op::Flatten) => Op::Flatten,
        (Op::Flatten, Op::Gather(g)) => gather(node, g.index.to_vec())?,
        (Op::Gather(g), Op::Flatten) => Op::Gather(g.clone()),
        (Op::Gather(outer), Op::Gather(g)) => {
            gather(node, outer.index.iter().map(|i| i.and_then(|i| g.index[i as usize])).collect())?
        }
        _ => return Ok(None),
    };
    Ok(Some(op))
}

fn gather(node: &Node, index: Vec<Option<u32>>) -> Result<Op, IrError> {
    Gather::new(index, node.shape.dims()).map(Op::Gather).map_err(IrError::at(&node.name))
}

fn drop_unread(network: &mut Network) {
    let live = network.live();
    let mut renumbered = Vec::with_capacity(live.len());
    let mut next = 0;
    for &l in &live {
        renumbered.push(NodeId(next));
        next += usize::from(l);
    }
    let mut keep = live.iter();
    network.nodes.retain(|_| *keep.next().expect("one flag per node"));
    network.nodes.iter_mut().flat_map(|n| &mut n.inputs).for_each(|i| *i = renumbered[i.0]);
    network.output = renumbered[network.output.0];
}
