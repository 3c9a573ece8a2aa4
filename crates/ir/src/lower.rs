//! Max-pooling expressed by the other operators, so that bounds and certificates need only one nonlinearity.
//!
//! A window `e1, e2, ..., eJ` (its elements outside the padding, row-major) becomes the chain
//! `m1 = e1`, `m_j = m_(j-1) + relu(e_j - m_(j-1))`, all windows of a pool at once. Where a window has fewer than `j`
//! elements, `e_j - m_(j-1)` is replaced by zero.

use crate::{Builder, Conv2d, Gather, IrError, MAX_ELEMENTS, MaxPool, Network, NodeId, NodeProblem, Op, Shape, Tensor};

/// A network without [`MaxPool`], and how it corresponds to the one it came from.
#[derive(Debug, Clone)]
pub struct Lowered {
    /// Computes the same function over the reals.
    pub network: Network,
    /// For each node of the original, the node that has its value.
    pub origin: Vec<NodeId>,
    /// The nodes that are a maximum of others, in topological order.
    pub maxima: Vec<Maximum>,
}

/// Node `value` is the elementwise maximum of `before` and `candidate` (just `before` where `candidate` gathers nothing):
/// its interval is the maximum of theirs, which is tighter than what the sum that computes it would give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Maximum {
    /// The maximum.
    pub value: NodeId,
    /// The maximum of the elements before.
    pub before: NodeId,
    /// The element compared with it, a Gather.
    pub candidate: NodeId,
}

impl Lowered {
    /// The [`Maximum`] that a node of the lowered network is, if it is one.
    pub fn maximum(&self, value: NodeId) -> Option<&Maximum> {
        self.maxima.binary_search_by_key(&value, |m| m.value).ok().map(|i| &self.maxima[i])
    }
}

/// Replaces every max-pool by the chain above. Errors only if the result would be too large.
pub fn lower_max_pool(network: &Network) -> Result<Lowered, IrError> {
    let mut b = Builder::new();
    let input = network.input();
    let mut origin = vec![b.input(&input.name, input.shape.dims(), network.input_dtype())?];
    let mut maxima = Vec::new();
    for node in &network.nodes()[1..] {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|i| origin[i.0]).collect();
        let id = match &node.op {
            Op::MaxPool(pool) => lower_one(&mut b, &node.name, pool, inputs[0], &node.shape, &mut maxima)?,
            op => b.push(&b.fresh(&node.name), op.clone(), &inputs)?,
        };
        origin.push(id);
    }
    let output = origin[network.output().0];
    let network = b.finish_unchanged(output, network)?;
    Ok(Lowered { network, origin, maxima })
}

fn lower_one(
    b: &mut Builder,
    name: &str,
    pool: &MaxPool,
    x: NodeId,
    out: &Shape,
    maxima: &mut Vec<Maximum>,
) -> Result<NodeId, IrError> {
    let problem = |p: NodeProblem| IrError::Node { node: name.to_owned(), problem: p };
    let sliding = pool.sliding(b.shape(x)).map_err(problem)?;
    let [channels, height, width] = sliding.input;
    let [rows, columns] = sliding.output;
    let longest = |axis: usize| (0..sliding.output[axis]).map(|out| sliding.valid_taps(axis, out).len()).max();
    let candidates = longest(0).unwrap_or(0) * longest(1).unwrap_or(0);
    // A file can claim a window as large as the image in a few bytes.
    if candidates.saturating_mul(out.len()) > MAX_ELEMENTS {
        return Err(problem(NodeProblem::TooLarge(vec![candidates, channels, rows, columns])));
    }
    let windows: Vec<Vec<u32>> = (0..rows * columns)
        .map(|p| sliding.taps(p / columns, p % columns).map(|(_, _, y, x)| (y * width + x) as u32).collect())
        .collect();
    // The j-th element of every window of every channel, absent where a window is shorter.
    let element = |j: usize| -> Vec<Option<u32>> {
        (0..channels)
            .flat_map(|c| windows.iter().map(move |w| w.get(j).map(|i| (c * height * width) as u32 + i)))
            .collect()
    };
    let mut push = |role: String, op: Op, inputs: &[NodeId]| {
        let name = b.fresh(&format!("{name}:{role}"));
        b.push(&name, op, inputs)
    };
    let gather = |index| Gather::new(index, out.dims()).map(Op::Gather).map_err(problem);
    let mut m = push("first".into(), gather(element(0))?, &[x])?;
    for j in 1..candidates {
        let index = element(j);
        let present: Vec<Option<u32>> = (0u32..).zip(&index).map(|(k, i)| i.map(|_| k)).collect();
        let all_present = present.iter().all(Option::is_some);
        let candidate = push(format!("candidate{j}"), gather(index)?, &[x])?;
        let kept = if all_present { m } else { push(format!("kept{j}"), gather(present)?, &[m])? };
        let minus_one = Tensor::f32(&[channels], vec![-1.0; channels]).map_err(problem)?;
        let negate = Conv2d::per_channel(minus_one, Tensor::zeros(&[channels]).map_err(problem)?).map_err(problem)?;
        let negated = push(format!("negated{j}"), Op::Conv2d(negate), &[kept])?;
        let difference = push(format!("difference{j}"), Op::Add, &[candidate, negated])?;
        let gain = push(format!("gain{j}"), Op::Relu, &[difference])?;
        let value = push(format!("max{j}"), Op::Add, &[m, gain])?;
        maxima.push(Maximum { value, before: m, candidate });
        m = value;
    }
    Ok(m)
}
