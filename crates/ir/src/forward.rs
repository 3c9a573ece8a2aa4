//! Evaluation in any [`Number`].

use crate::{Conv2d, Dense, IrError, MaxPool, Network, Node, Number, Op, Shape};

impl Network {
    /// The output on one input, row-major. Computed in the arithmetic of the input: `f32` as deployed, `f64`, or
    /// exactly ([`crate::Exact`]).
    pub fn forward<N: Number>(&self, input: &[N]) -> Result<Vec<N>, IrError> {
        Ok(self.trace(input)?.swap_remove(self.output().0))
    }

    /// The value of every node on one input.
    pub fn trace<N: Number>(&self, input: &[N]) -> Result<Vec<Vec<N>>, IrError> {
        let expected = self.input().shape.len();
        if input.len() != expected {
            return Err(IrError::InputLength { expected, found: input.len() });
        }
        let mut values: Vec<Vec<N>> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            values.push(self.evaluate(node, input, &values));
        }
        Ok(values)
    }

    fn evaluate<N: Number>(&self, node: &Node, input: &[N], values: &[Vec<N>]) -> Vec<N> {
        let read = |k: usize| values[node.inputs[k].0].as_slice();
        match &node.op {
            Op::Input(_) => input.to_vec(),
            Op::Dense(dense) => dense_forward(dense, read(0)),
            Op::Conv2d(conv) => conv_forward(conv, read(0), &self.node(node.inputs[0]).shape),
            Op::Relu => read(0).iter().map(|x| x.larger(&N::zero())).collect(),
            Op::MaxPool(pool) => pool_forward(pool, read(0), &self.node(node.inputs[0]).shape),
            Op::Flatten => read(0).to_vec(),
            Op::Add => read(0).iter().zip(read(1)).map(|(a, b)| a.plus(b)).collect(),
            Op::Gather(gather) => {
                gather.index.iter().map(|i| i.map_or_else(N::zero, |i| read(0)[i as usize].clone())).collect()
            }
        }
    }
}

/// So many sums side by side: one alone would wait for each of its products.
const ROWS: usize = 8;

fn dense_forward<N: Number>(dense: &Dense, x: &[N]) -> Vec<N> {
    let (weight, mut y) = (N::from_tensor(&dense.weight), N::from_tensor(&dense.bias));
    for (rows, sums) in weight.chunks((ROWS * x.len()).max(1)).zip(y.chunks_mut(ROWS)) {
        for (i, x) in x.iter().enumerate() {
            for (row, sum) in rows.chunks(dense.inputs()).zip(&mut *sums) {
                sum.add_product(&row[i], x);
            }
        }
    }
    y
}

fn conv_forward<N: Number>(conv: &Conv2d, x: &[N], shape: &Shape) -> Vec<N> {
    let sliding = conv.sliding(shape).expect("shapes were checked");
    let (weight, bias) = (N::from_tensor(&conv.weight), N::from_tensor(&conv.bias));
    let [channels, height, width] = sliding.input;
    let [rows, columns] = sliding.output;
    let [kh, kw] = conv.kernel();
    let per_group = channels / conv.groups;
    let outputs = conv.outputs() / conv.groups;
    let taps = per_group * kh * kw;
    // Taps and the first input that they read, per row and per column.
    let along = |axis: usize, count: usize| -> Vec<(std::ops::Range<usize>, usize)> {
        let of = |out| {
            let taps = sliding.valid_taps(axis, out);
            let first = sliding.source(axis, out, taps.start).unwrap_or(0);
            (taps, first)
        };
        (0..count).map(of).collect()
    };
    let (down, right) = (along(0, rows), along(1, columns));
    let mut y = vec![N::zero(); conv.outputs() * rows * columns];
    for group in 0..conv.groups {
        // All outputs of a pixel side by side: by tap, then by output.
        let of_group = &weight[group * outputs * taps..(group + 1) * outputs * taps];
        let weight: Vec<N> =
            (0..taps).flat_map(|t| of_group[t..].iter().step_by(taps).take(outputs).cloned()).collect();
        let mut sums = Vec::with_capacity(outputs);
        for (row, (row_taps, top)) in down.iter().enumerate() {
            for (column, (column_taps, left)) in right.iter().enumerate() {
                sums.clear();
                sums.extend_from_slice(&bias[group * outputs..(group + 1) * outputs]);
                for c in 0..per_group {
                    for (i, ky) in row_taps.clone().enumerate() {
                        let line = ((group * per_group + c) * height + top + i * conv.dilation[0]) * width + left;
                        for (j, kx) in column_taps.clone().enumerate() {
                            let tap = (c * kh + ky) * kw + kx;
                            let x = &x[line + j * conv.dilation[1]];
                            let weights = &weight[tap * outputs..(tap + 1) * outputs];
                            sums.iter_mut().zip(weights).for_each(|(sum, w)| sum.add_product(w, x));
                        }
                    }
                }
                for (o, sum) in sums.drain(..).enumerate() {
                    y[((group * outputs + o) * rows + row) * columns + column] = sum;
                }
            }
        }
    }
    y
}

fn pool_forward<N: Number>(pool: &MaxPool, x: &[N], shape: &Shape) -> Vec<N> {
    let sliding = pool.sliding(shape).expect("shapes were checked");
    let [channels, height, width] = sliding.input;
    let [rows, columns] = sliding.output;
    let mut y = Vec::with_capacity(channels * rows * columns);
    for c in 0..channels {
        for row in 0..rows {
            for column in 0..columns {
                let window = sliding.taps(row, column).map(|(_, _, iy, ix)| &x[(c * height + iy) * width + ix]);
                y.push(window.cloned().reduce(|a, b| a.larger(&b)).expect("windows are never empty"));
            }
        }
    }
    y
}
