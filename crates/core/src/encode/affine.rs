//! Dense and Conv2d as lists of weighted inputs, one list per output.

use unmoved_ir::{Conv2d, Network, Node, Op, Slack, Sliding};

/// An affine node, its weights widened to f64 (which is exact) once.
pub(crate) struct Affine<'a> {
    weight: Vec<f64>,
    bias: Vec<f64>,
    slack: &'a Option<Slack>,
    window: Option<(&'a Conv2d, Sliding)>,
}

impl<'a> Affine<'a> {
    /// `None` if the node is not affine.
    pub(crate) fn new(network: &Network, node: &'a Node) -> Option<Self> {
        let (weight, bias, slack, window) = match &node.op {
            Op::Dense(dense) => (&dense.weight, &dense.bias, &dense.slack, None),
            Op::Conv2d(conv) => {
                let sliding = conv.sliding(&network.node(node.inputs[0]).shape).expect("shapes were checked");
                (&conv.weight, &conv.bias, &conv.slack, Some((conv, sliding)))
            }
            _ => return None,
        };
        Some(Self { weight: weight.to_f64(), bias: bias.to_f64(), slack, window })
    }

    /// The row of the bias, and of the slack, that output `k` has.
    fn channel(&self, k: usize) -> usize {
        self.window.as_ref().map_or(k, |(_, sliding)| k / (sliding.output[0] * sliding.output[1]))
    }

    pub(crate) fn bias(&self, k: usize) -> f64 {
        self.bias[self.channel(k)]
    }

    /// The relative error of the weights of output `k` and the absolute one of its bias; zero for exact imports.
    pub(crate) fn slack(&self, k: usize) -> (f64, f64) {
        let row = self.channel(k);
        self.slack.as_ref().map_or((0.0, 0.0), |s| (s.weight[row], s.bias[row]))
    }

    /// Calls `visit(input, weight)` for every weight of output `k` that is not zero, inputs ascending.
    pub(crate) fn row(&self, k: usize, mut visit: impl FnMut(usize, f64)) {
        let mut visit = |i: usize, w: f64| {
            if w != 0.0 {
                visit(i, w);
            }
        };
        let Some((conv, sliding)) = &self.window else {
            let inputs = self.weight.len() / self.bias.len();
            self.weight[k * inputs..(k + 1) * inputs].iter().enumerate().for_each(|(i, &w)| visit(i, w));
            return;
        };
        let [_, height, width] = sliding.input;
        let [rows, columns] = sliding.output;
        let [kernel_height, kernel_width] = conv.kernel();
        let per_group = conv.weight.shape().dims()[1];
        let (output, y, x) = (self.channel(k), k / columns % rows, k % columns);
        let first = output / (conv.outputs() / conv.groups) * per_group;
        for c in 0..per_group {
            for ky in sliding.valid_taps(0, y) {
                let Some(iy) = sliding.source(0, y, ky) else { continue };
                for kx in sliding.valid_taps(1, x) {
                    let Some(ix) = sliding.source(1, x, kx) else { continue };
                    let w = self.weight[((output * per_group + c) * kernel_height + ky) * kernel_width + kx];
                    visit(((first + c) * height + iy) * width + ix, w);
                }
            }
        }
    }
}
