//! Dense and Conv2d as lists of weighted inputs per output, forward and transposed.

use unmoved_ir::{Conv2d, Dense, Network, Node, Op, Slack, Sliding};

/// How many rows (neurons to bound) one backward pass carries; their adjoints lie side by side so that each weight is
/// loaded once for all.
pub(crate) const LANES: usize = 8;

/// One adjoint of each row.
pub(crate) type Lanes = [f64; LANES];

/// The part of a value in which adjoints may differ from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Nowhere,
    /// All channels of the image rows and columns `[from, to)`.
    Window {
        rows: [usize; 2],
        columns: [usize; 2],
    },
    Everywhere,
}

impl Extent {
    pub(crate) fn join(self, other: Self) -> Self {
        let hull = |a: [usize; 2], b: [usize; 2]| [a[0].min(b[0]), a[1].max(b[1])];
        match (self, other) {
            (Self::Nowhere, e) | (e, Self::Nowhere) => e,
            (Self::Window { rows: r, columns: c }, Self::Window { rows, columns }) => {
                Self::Window { rows: hull(r, rows), columns: hull(c, columns) }
            }
            _ => Self::Everywhere,
        }
    }

    /// The positions in a value of the given dimensions.
    pub(crate) fn positions(self, dims: &[usize]) -> impl Iterator<Item = usize> + Clone + use<> {
        let (channels, height, width) = match *dims {
            [c, h, w] => (c, h, w),
            _ => (1, 1, dims.iter().product()),
        };
        let (rows, columns) = match self {
            Self::Nowhere => ([0, 0], [0, 0]),
            Self::Window { rows, columns } => (rows, columns),
            Self::Everywhere => ([0, height], [0, width]),
        };
        (0..channels).flat_map(move |c| {
            (rows[0]..rows[1]).flat_map(move |y| (columns[0]..columns[1]).map(move |x| (c * height + y) * width + x))
        })
    }
}

/// An affine node with its weights widened to f64 once.
pub(crate) enum Affine {
    Dense { weight: Vec<f64>, bias: Vec<f64>, inputs: usize, slack: Option<Slack> },
    Conv { weight: Vec<f64>, bias: Vec<f64>, conv: Box<Conv2d>, sliding: Sliding },
}

impl Affine {
    /// `None` for nodes that are not affine layers.
    pub(crate) fn new(network: &Network, node: &Node) -> Option<Self> {
        match &node.op {
            Op::Dense(dense @ Dense { weight, bias, slack }) => Some(Self::Dense {
                weight: weight.to_f64(),
                bias: bias.to_f64(),
                inputs: dense.inputs(),
                slack: slack.clone(),
            }),
            Op::Conv2d(conv) => Some(Self::Conv {
                weight: conv.weight.to_f64(),
                bias: conv.bias.to_f64(),
                sliding: conv.sliding(&network.node(node.inputs[0]).shape).expect("shapes were checked"),
                conv: Box::new(conv.clone()),
            }),
            _ => None,
        }
    }

    pub(crate) fn bias(&self, k: usize) -> f64 {
        match self {
            Self::Dense { bias, .. } => bias[k],
            Self::Conv { bias, sliding, .. } => bias[k / (sliding.output[0] * sliding.output[1])],
        }
    }

    /// The relative weight error and the absolute bias error of output `k`.
    pub(crate) fn slack(&self, k: usize) -> Option<(f64, f64)> {
        let (slack, row) = match self {
            Self::Dense { slack, .. } => (slack, k),
            Self::Conv { conv, sliding, .. } => (&conv.slack, k / (sliding.output[0] * sliding.output[1])),
        };
        slack.as_ref().map(|s| (s.weight[row], s.bias[row]))
    }

    /// The most terms that any output sums up.
    pub(crate) fn terms_per_output(&self) -> usize {
        match self {
            Self::Dense { inputs, .. } => *inputs,
            Self::Conv { conv, .. } => conv.weight.shape().len() / conv.outputs(),
        }
    }

    /// The most terms that any input contributes to.
    pub(crate) fn terms_per_input(&self) -> usize {
        match self {
            Self::Dense { bias, .. } => bias.len(),
            Self::Conv { conv, .. } => conv.outputs() / conv.groups * conv.kernel()[0] * conv.kernel()[1],
        }
    }

    /// Calls `visit(first, weights)` for every run of weights of output `k` that read consecutive inputs from `first` on.
    pub(crate) fn row(&self, k: usize, mut visit: impl FnMut(usize, &[f64])) {
        match self {
            Self::Dense { weight, inputs, .. } => visit(0, &weight[k * inputs..(k + 1) * inputs]),
            Self::Conv { weight, conv, sliding, .. } => {
                let [_, height, width] = sliding.input;
                let [rows, columns] = sliding.output;
                let [kh, kw] = conv.kernel();
                let per_group = conv.weight.shape().dims()[1];
                let (o, y, x) = (k / (rows * columns), k / columns % rows, k % columns);
                let first = o / (conv.outputs() / conv.groups) * per_group;
                let (tap_rows, taps) = (sliding.valid_taps(0, y), sliding.valid_taps(1, x));
                let Some(left) = sliding.source(1, x, taps.start).filter(|_| !taps.is_empty()) else { return };
                let step = conv.dilation[1];
                for c in 0..per_group {
                    for ky in tap_rows.clone() {
                        let Some(iy) = sliding.source(0, y, ky) else { continue };
                        let from = ((first + c) * height + iy) * width + left;
                        let line = ((o * per_group + c) * kh + ky) * kw;
                        let weights = &weight[line + taps.start..line + taps.end];
                        if step == 1 {
                            visit(from, weights);
                        } else {
                            weights.chunks(1).enumerate().for_each(|(j, w)| visit(from + j * step, w));
                        }
                    }
                }
            }
        }
    }

    /// `below += W^T above` for all lanes, for the outputs in `extent`; returns where `below` was touched.
    pub(crate) fn add_transposed(
        &self,
        above: &[Lanes],
        extent: Extent,
        dims: &[usize],
        below: &mut [Lanes],
    ) -> Extent {
        for k in extent.positions(dims) {
            let a = &above[k];
            if *a == [0.0; LANES] {
                continue;
            }
            self.row(k, |first, weights| {
                for (w, below) in weights.iter().zip(&mut below[first..]) {
                    for lane in 0..LANES {
                        below[lane] += w * a[lane];
                    }
                }
            });
        }
        match (self, extent) {
            (_, Extent::Nowhere) => Extent::Nowhere,
            (Self::Conv { sliding, .. }, Extent::Window { rows, columns }) => {
                let reach = |axis: usize, range: [usize; 2]| {
                    let sources = (range[0]..range[1])
                        .flat_map(|o| sliding.valid_taps(axis, o).filter_map(move |t| sliding.source(axis, o, t)));
                    sources.fold([usize::MAX, 0], |[from, to], s| [from.min(s), to.max(s + 1)])
                };
                let (rows, columns) = (reach(0, rows), reach(1, columns));
                if rows[0] >= rows[1] || columns[0] >= columns[1] {
                    return Extent::Nowhere;
                }
                Extent::Window { rows, columns }
            }
            _ => Extent::Everywhere,
        }
    }
}
