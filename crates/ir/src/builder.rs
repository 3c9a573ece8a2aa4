//! Builds a network node by node, checking shapes as it goes; rewrites what is not one of the seven operators.

use crate::network::Cached;
use crate::normalize;
use crate::{
    Conv2d, DType, Gather, IrError, MAX_TOTAL, MaxPool, Network, Node, NodeId, NodeProblem, Op, Rewrite, Shape, Slack,
    Sliding, Tensor,
};
use std::collections::{BTreeMap, HashSet};

/// Builds a [`Network`]: first [`Builder::input`], then nodes in topological order, then [`Builder::finish`].
#[derive(Debug, Default)]
pub struct Builder {
    nodes: Vec<Node>,
    names: HashSet<String>,
    /// The number of elements of all values so far.
    total: usize,
    ordering_only: bool,
    rewrites: Vec<Rewrite>,
    metadata: BTreeMap<String, String>,
    /// Convolutions that stand for a scale and shift of the file and may be folded into what they read.
    foldable: Vec<NodeId>,
}

/// Factors of an elementwise rewrite with a bound of their relative rounding error.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// The factors.
    pub values: Vec<f64>,
    /// `|s - s~| <= error |s~|`; zero if they are exact.
    pub error: f64,
}

/// Summands of an elementwise rewrite with bounds of their absolute rounding errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Shift {
    /// The summands.
    pub values: Vec<f64>,
    /// One bound each; empty if they are exact.
    pub errors: Vec<f64>,
}

impl Scale {
    /// Factors without error.
    pub fn exact(values: Vec<f64>) -> Self {
        Self { values, error: 0.0 }
    }

    /// The factors `1 / divisors`: exact for powers of two.
    pub fn reciprocal(divisors: &[f64]) -> Self {
        let values: Vec<f64> = divisors.iter().map(|d| 1.0 / d).collect();
        // The residual of a correctly rounded normal quotient is representable, so zero means exact. A subnormal quotient
        // has no relative accuracy; the infinite error makes the node's slack be refused.
        let exact = values.iter().zip(divisors).all(|(v, d)| v.mul_add(*d, -1.0) == 0.0);
        if values.iter().any(|v| !v.is_normal()) {
            return Self { values, error: f64::INFINITY };
        }
        Self { values, error: if exact { 0.0 } else { f64::EPSILON } }
    }
}

impl Shift {
    /// Summands without error.
    pub fn exact(values: Vec<f64>) -> Self {
        Self { values, errors: Vec::new() }
    }
}

impl Builder {
    /// An empty builder.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the input; must be called once, first.
    pub fn input(&mut self, name: &str, dims: &[usize], dtype: DType) -> Result<NodeId, IrError> {
        if !self.nodes.is_empty() {
            return Err(IrError::at(name)(NodeProblem::InputNode));
        }
        let shape = Shape::new(dims).map_err(IrError::at(name))?;
        self.append(name, Op::Input(dtype), &[], shape).map_err(IrError::at(name))
    }

    /// Adds a node. Errors name it: a name used twice, inputs that do not come before it, shapes that do not fit.
    pub fn push(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> Result<NodeId, IrError> {
        if self.nodes.is_empty() {
            return Err(IrError::at(name)(NodeProblem::InputNode));
        }
        let shape = Node::check(&op, inputs, &self.nodes).map_err(IrError::at(name))?;
        self.append(name, op, inputs, shape).map_err(IrError::at(name))
    }

    fn append(&mut self, name: &str, op: Op, inputs: &[NodeId], shape: Shape) -> Result<NodeId, NodeProblem> {
        if name.is_empty() {
            return Err(NodeProblem::EmptyName);
        }
        if self.names.contains(name) {
            return Err(NodeProblem::DuplicateName);
        }
        if self.total + shape.len() > MAX_TOTAL {
            return Err(NodeProblem::TotalTooLarge);
        }
        self.total += shape.len();
        self.names.insert(name.to_owned());
        self.nodes.push(Node { name: name.to_owned(), op, inputs: inputs.to_vec(), shape });
        Ok(NodeId(self.nodes.len() - 1))
    }

    fn shape_of(&self, name: &str, x: NodeId) -> Result<Shape, IrError> {
        let node = self.nodes.get(x.0).ok_or_else(|| IrError::at(name)(NodeProblem::UnknownInput(x.0)))?;
        Ok(node.shape.clone())
    }

    /// The nodes so far.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What has been noted so far; see [`Builder::note`].
    pub fn rewrites(&self) -> &[Rewrite] {
        &self.rewrites
    }

    /// The shape of a node's value.
    pub fn shape(&self, id: NodeId) -> &Shape {
        &self.nodes[id.0].shape
    }

    /// `name`, or `name` with a number that makes it unused: the next one, if those before were made here too.
    pub fn fresh(&self, name: &str) -> String {
        if !self.names.contains(name) {
            return name.to_owned();
        }
        // Doubling and halving, not counting: thousands of nodes may want one name.
        let taken = |k: usize| k < 2 || self.names.contains(&format!("{name}.{k}"));
        let (mut last, mut free) = (1, 2);
        while taken(free) {
            (last, free) = (free, 2 * free);
        }
        while free - last > 1 {
            let middle = last + (free - last) / 2;
            if taken(middle) { last = middle } else { free = middle }
        }
        format!("{name}.{free}")
    }

    /// The type of the input; single precision before there is one.
    pub fn dtype(&self) -> DType {
        match self.nodes.first().map(|n| &n.op) {
            Some(&Op::Input(dtype)) => dtype,
            _ => DType::F32,
        }
    }

    /// Records that an operator of the file became others.
    pub fn note(&mut self, node: &str, from: &str, into: &str, rounds: bool) {
        self.rewrites.push(Rewrite { node: node.into(), from: from.into(), into: into.into(), rounds });
    }

    /// Declares that a final Softmax was dropped (see [`Network::ordering_only`]).
    pub fn drop_softmax(&mut self, node: &str, from: &str) {
        self.ordering_only = true;
        self.note(node, from, "nothing: it keeps the order of the outputs", false);
    }

    /// Adds a key-value pair that the model file carries.
    pub fn metadata(&mut self, key: &str, value: &str) {
        self.metadata.insert(key.into(), value.into());
    }

    /// Changes the shape, not the order of the elements. A no-op if the shape is the same.
    pub fn reshape(&mut self, name: &str, x: NodeId, dims: &[usize]) -> Result<NodeId, IrError> {
        let shape = self.shape_of(name, x)?;
        if shape.dims() == dims {
            return Ok(x);
        }
        let len = shape.len();
        let target = Shape::new(dims).map_err(IrError::at(name))?;
        if target.len() != len {
            return Err(IrError::at(name)(NodeProblem::mismatch("elements", len, target)));
        }
        let op =
            if dims.len() == 1 { Op::Flatten } else { Op::Gather(Gather::reshape(dims).map_err(IrError::at(name))?) };
        self.push(name, op, &[x])
    }

    /// `scale * x + shift`: one factor per channel of an image, or one per element of any shape. Becomes a depthwise
    /// 1x1 convolution, which [`Builder::finish`] folds into a Dense or Conv2d in front of it.
    pub fn affine(&mut self, name: &str, x: NodeId, scale: Scale, shift: Shift) -> Result<NodeId, IrError> {
        let shape = self.shape_of(name, x)?;
        let n = scale.values.len();
        if shift.values.len() != n || (!shift.errors.is_empty() && shift.errors.len() != n) {
            return Err(IrError::at(name)(NodeProblem::mismatch("shift", n, shift.values.len())));
        }
        let per_channel = shape.image().is_some_and(|[c, ..]| c == n);
        if !per_channel && n != shape.len() {
            return Err(IrError::at(name)(NodeProblem::mismatch(
                "scale",
                format!("one factor per element of {shape}"),
                n,
            )));
        }
        let conv = (|| {
            let tensor = |values| Tensor::in_type(self.dtype(), &[n], values);
            let mut conv = Conv2d::per_channel(tensor(scale.values)?, tensor(shift.values)?)?;
            // NaN is not zero: it becomes a slack, which is refused.
            if scale.error != 0.0 || shift.errors.iter().any(|&e| e != 0.0) {
                let bias = if shift.errors.is_empty() { vec![0.0; n] } else { shift.errors };
                conv.slack = Some(Slack { weight: vec![scale.error; n], bias });
            }
            Ok(Op::Conv2d(conv))
        })()
        .map_err(IrError::at(name))?;
        if per_channel {
            let y = self.push(name, conv, &[x])?;
            self.foldable.push(y);
            return Ok(y);
        }
        let column = self.reshape(&self.fresh(&format!("{name}.column")), x, &[n, 1, 1])?;
        let y = self.push(name, conv, &[column])?;
        self.foldable.push(y);
        self.reshape(&self.fresh(&format!("{name}.shape")), y, shape.dims())
    }

    /// Average over windows without dilation, of whose padding all counts or nothing; see [`Builder::average_windows`].
    pub fn average_pool(
        &mut self,
        name: &str,
        x: NodeId,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 4],
        count_padding: bool,
    ) -> Result<NodeId, IrError> {
        let windows = MaxPool { kernel, stride, padding, dilation: [1; 2] };
        self.average_windows(name, x, &windows, if count_padding { padding } else { [0; 4] })
    }

    /// Average over the windows of a pool. The divisor is the number of a window's elements within the image and the
    /// innermost `counted` of its padding (top, left, bottom, right). One that is the same everywhere becomes a depthwise
    /// convolution; one that depends on the position a sum and a scale per element.
    pub fn average_windows(
        &mut self,
        name: &str,
        x: NodeId,
        windows: &MaxPool,
        counted: [usize; 4],
    ) -> Result<NodeId, IrError> {
        let at = || IrError::at(name);
        let shape = self.shape_of(name, x)?;
        let [channels, height, width] =
            shape.image().ok_or_else(|| at()(NodeProblem::mismatch("input", "[channels height width]", &shape)))?;
        let &MaxPool { kernel, stride, padding, dilation } = windows;
        let taps = kernel[0].saturating_mul(kernel[1]);
        let dtype = self.dtype();
        let window = |weight: f64, error: f64| {
            let dims = [channels, 1, kernel[0], kernel[1]];
            let len = Shape::new(&dims)?.len();
            let tensor = |dims: &[usize], values| Tensor::in_type(dtype, dims, values);
            let mut conv = Conv2d::new(tensor(&dims, vec![weight; len])?, tensor(&[channels], vec![0.0; channels])?)?;
            (conv.stride, conv.padding, conv.dilation, conv.groups) = (stride, padding, dilation, channels);
            if error > 0.0 {
                conv.slack = Some(Slack { weight: vec![error; channels], bias: vec![0.0; channels] });
            }
            Ok(conv)
        };
        if counted == padding {
            let scale = Scale::reciprocal(&[taps as f64]);
            let conv = window(scale.values[0], scale.error).map_err(at())?;
            return self.push(name, Op::Conv2d(conv), &[x]);
        }
        // The windows over an image of all that counts.
        let beyond = |k: usize| padding[k].checked_sub(counted[k]);
        let (Some(top), Some(left), Some(bottom), Some(right)) = (beyond(0), beyond(1), beyond(2), beyond(3)) else {
            return Err(at()(NodeProblem::Attribute("more padding counts than there is".into())));
        };
        let extent = |image: usize, k: usize| image.saturating_add(counted[k]).saturating_add(counted[k + 2]);
        let all = Shape::new(&[1, extent(height, 0), extent(width, 1)]).map_err(at())?;
        let conv = window(1.0, 0.0).map_err(at())?;
        let sliding = Sliding::new(&all, kernel, stride, [top, left, bottom, right], dilation).map_err(at())?;
        let sum = self.push(&self.fresh(&format!("{name}.sum")), Op::Conv2d(conv), &[x])?;
        let [rows, columns] = sliding.output;
        let counts: Vec<f64> = (0..channels * rows * columns)
            .map(|k| sliding.count_taps(k / columns % rows, k % columns) as f64)
            .collect();
        if counts.contains(&0.0) {
            return Err(at()(NodeProblem::Attribute("a window lies wholly in the padding".into())));
        }
        let len = counts.len();
        self.affine(name, sum, Scale::reciprocal(&counts), Shift::exact(vec![0.0; len]))
    }

    /// Finishes without normalising: the lowered form must keep one node for each that it was made of.
    pub(crate) fn finish_unchanged(self, output: NodeId, like: &Network) -> Result<Network, IrError> {
        Ok(Network { nodes: self.nodes, output, ..like.clone_without_nodes() })
    }

    /// Normalises and checks the whole: folds scales and shifts, merges index maps, drops nodes that nothing reads.
    pub fn finish(self, output: NodeId) -> Result<Network, IrError> {
        if self.nodes.get(output.0).is_none() {
            return Err(IrError::at("output")(NodeProblem::UnknownInput(output.0)));
        }
        let network = Network {
            nodes: self.nodes,
            output,
            ordering_only: self.ordering_only,
            rewrites: self.rewrites,
            metadata: self.metadata,
            digest: Cached::default(),
        };
        normalize::normalize(network, &self.foldable)
    }
}
