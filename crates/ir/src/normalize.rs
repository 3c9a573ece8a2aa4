//! Turns a finished graph into its normal form: scales and shifts folded, index maps merged, unread nodes dropped.

use crate::op::check_slack;
use crate::{Conv2d, DType, Dense, Gather, IrError, Network, Node, NodeId, NodeProblem, Op, Slack, Tensor};

/// Visits every live node once, in topological order. A node that turns out to have the value of another is replaced by
/// it; since all readers come later, they find the replacement when their turn comes.
pub(crate) fn normalize(network: Network, foldable: &[NodeId]) -> Result<Network, IrError> {
    let count = network.nodes.len();
    let mut may_fold = vec![false; count];
    foldable.iter().for_each(|id| may_fold[id.0] = true);
    let mut pass = Pass { readers: network.readers(), network };
    let mut replacement: Vec<NodeId> = Vec::with_capacity(count);
    for k in 0..count {
        let id = NodeId(k);
        pass.network.nodes[k].inputs.iter_mut().for_each(|i| *i = replacement[i.0]);
        // What nothing reads must change nothing: a fold would alter a value that others still read.
        let same = match pass.readers[k] {
            0 => None,
            _ if may_fold[k] => pass.fold(id),
            _ => pass.merge_index_map(id)?,
        };
        if let Some(same) = same {
            pass.readers[same.0] += pass.readers[k] - 1;
        }
        replacement.push(same.unwrap_or(id));
    }
    let mut network = pass.network;
    network.output = replacement[network.output.0];
    drop_unread(&mut network);
    Ok(network)
}

struct Pass {
    network: Network,
    /// How many live nodes read each node, the output counting as one.
    readers: Vec<usize>,
}

impl Pass {
    /// Folds the per-channel convolution `id` into the Dense or Conv2d whose value it alone reads, if there is one, and
    /// returns the node that has its value then. A Dense may be followed by a change of shape. Where the product would
    /// overflow or underflow, the convolution stays.
    fn fold(&mut self, id: NodeId) -> Option<NodeId> {
        let Op::Conv2d(affine) = &self.network.node(id).op else { return None };
        let input = self.network.node(id).inputs[0];
        let mut source = input;
        while self.readers[source.0] == 1 && is_reshape(&self.network, source) {
            source = self.network.node(source).inputs[0];
        }
        if self.readers[source.0] != 1 {
            return None;
        }
        let dtype = self.network.input_dtype();
        let folded = match &self.network.node(source).op {
            Op::Conv2d(conv) if source == input => scaled_conv(dtype, conv, affine).map(Op::Conv2d),
            Op::Dense(dense) if dense.outputs() == affine.outputs() => {
                scaled_dense(dtype, dense, affine).map(Op::Dense)
            }
            _ => return None,
        };
        self.network.nodes[source.0].op = folded.ok()?;
        Some(input)
    }

    /// Merges an index map (or Flatten) with the one that it reads; returns its input if nothing is left to do.
    fn merge_index_map(&mut self, id: NodeId) -> Result<Option<NodeId>, IrError> {
        if let Some(merged) = merged_with_input(&self.network, id)? {
            let inner = self.network.node(id).inputs[0];
            let source = self.network.node(inner).inputs[0];
            self.readers[inner.0] -= 1;
            if self.readers[inner.0] > 0 {
                self.readers[source.0] += 1;
            }
            self.network.nodes[id.0].op = merged;
            self.network.nodes[id.0].inputs = vec![source];
        }
        if is_reshape(&self.network, id) {
            let node = self.network.node(id);
            let input = node.inputs[0];
            if self.network.node(input).shape == node.shape {
                return Ok(Some(input));
            }
            if node.shape.rank() == 1 {
                self.network.nodes[id.0].op = Op::Flatten;
            }
        }
        Ok(None)
    }
}

/// Products at least this large have a representable rounding error, which a fused multiply-add reveals, and a relative
/// one of at most half an epsilon.
const SAFE_PRODUCT: f64 = f64::MIN_POSITIVE * 4.0 / f64::EPSILON;

fn scaled_dense(dtype: DType, dense: &Dense, affine: &Conv2d) -> Result<Dense, NodeProblem> {
    let (weight, bias, slack) = scaled_rows(dtype, &dense.weight, &dense.bias, &dense.slack, affine)?;
    Ok(Dense { weight, bias, slack })
}

fn scaled_conv(dtype: DType, conv: &Conv2d, affine: &Conv2d) -> Result<Conv2d, NodeProblem> {
    let (weight, bias, slack) = scaled_rows(dtype, &conv.weight, &conv.bias, &conv.slack, affine)?;
    Ok(Conv2d { weight, bias, slack, ..conv.clone() })
}

/// `s (W x + b) + t` row by row, in f64, with a bound of every rounding. Errors where a weight under- or overflows.
fn scaled_rows(
    dtype: DType,
    weight: &Tensor,
    bias: &Tensor,
    slack: &Option<Slack>,
    affine: &Conv2d,
) -> Result<(Tensor, Tensor, Option<Slack>), NodeProblem> {
    let rows = bias.shape().len();
    let columns = weight.shape().len() / rows;
    // A bias that stands by itself, as behind a product of matrices: the weights are neither touched nor copied.
    let only_shifts = weight.dtype() == dtype && (0..rows).all(|row| affine.weight.get(row) == 1.0);
    let mut w = if only_shifts { Vec::new() } else { weight.to_f64() };
    let mut b = bias.to_f64();
    let mut out = Slack { weight: vec![0.0; rows], bias: vec![0.0; rows] };
    for row in 0..rows {
        let (s, t) = (affine.weight.get(row), affine.bias.get(row));
        let given = |slack: &Option<Slack>| slack.as_ref().map_or((0.0, 0.0), |k| (k.weight[row], k.bias[row]));
        let ((w_error, b_error), (s_error, t_error)) = (given(slack), given(&affine.slack));
        let mut rounded = 0.0;
        let weights = if only_shifts { &mut [] } else { &mut w[row * columns..(row + 1) * columns] };
        for w in weights {
            let product = s * *w;
            if s != 0.0 && *w != 0.0 && product.abs() < SAFE_PRODUCT {
                return Err(NodeProblem::Attribute("a folded weight underflows".into()));
            }
            if s.mul_add(*w, -product) != 0.0 {
                rounded = f64::EPSILON;
            }
            *w = product;
        }
        // (1 + a)(1 + b)(1 + r) - 1, where r is at most half of `rounded`.
        out.weight[row] = up_if_any(w_error + s_error + w_error * s_error + rounded * (1.0 + w_error + s_error));
        let product = s * b[row];
        let sum = product + t;
        let safe = s == 0.0 || b[row] == 0.0 || product.abs() >= SAFE_PRODUCT;
        let exact = safe && s.mul_add(b[row], -product) == 0.0 && two_sum_is_exact(product, t, sum);
        let rounding = if exact { 0.0 } else { f64::EPSILON * (product.abs() + sum.abs()) + f64::MIN_POSITIVE };
        let carried = match b_error + s_error + t_error {
            0.0 => 0.0,
            // The last term covers products of errors that underflow.
            _ => s.abs() * b_error * (1.0 + s_error) + product.abs() * s_error + t_error + f64::MIN_POSITIVE,
        };
        out.bias[row] = up_if_any(carried + rounding);
        b[row] = sum;
    }
    let out = out.weight.iter().chain(&out.bias).any(|&e| e > 0.0).then_some(out);
    check_slack(&out, rows)?;
    let tensor = |like: &Tensor, values| Tensor::in_type(dtype, like.shape().dims(), values);
    let weight = if only_shifts { weight.clone() } else { tensor(weight, w)? };
    Ok((weight, tensor(bias, b)?, out))
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
