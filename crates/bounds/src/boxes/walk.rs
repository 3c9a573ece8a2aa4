//! The walk of linear forms down to the input, eight side by side.

use super::layers::{Kind, Layer};
use super::product::{LANES, Lanes, add_interval, add_transposed};
use super::{Layers, Table};
use crate::{Bounds, LEANING};

/// `sum c_k y_k + sum p_i x_i + sum s_z z + constant`.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// Output positions with their coefficients.
    pub outputs: Vec<(u32, f64)>,
    /// Input positions with theirs.
    pub inputs: Vec<(u32, f64)>,
    /// What ReLUs read: node, element, coefficient.
    pub neurons: Vec<(usize, usize, f64)>,
    /// The constant term.
    pub constant: f64,
}

/// A form bounded from below.
#[derive(Debug, Clone)]
pub struct Bounded {
    /// Nowhere in the box is the form less than `constant + slopes . x`.
    pub slopes: Vec<f64>,
    /// See `slopes`.
    pub constant: f64,
    /// The least value of that over the box.
    pub minimum: f64,
    /// The magnitudes that add up to `minimum`, by which rounding errors are to be judged.
    pub size: f64,
    /// What the relaxation of ReLUs loses, shared out among the input elements by how much each moves the pre-activations.
    pub blame: Vec<f64>,
    /// The ReLU by which most is lost, and how much.
    pub worst: Worst,
    /// With which factor the form reads the ReLU of each of its neurons, the last if several read it, beside the form's own.
    pub adjoints: Vec<f64>,
    /// Multipliers of ReLUs that read nothing but zero: node, element, multiplier. Whether these count as active or dead hangs on rounding.
    pub moot: Vec<(usize, usize, f64)>,
}

/// A ReLU that a bound loses by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Worst {
    /// The node that the ReLU reads.
    pub node: usize,
    /// The element of its value.
    pub index: usize,
    /// What is lost; zero if nothing is.
    pub lost: f64,
}

/// Values below this are zero but for rounding.
const NOTHING: f64 = 1e-9;

/// How forms pass a ReLU: slopes for positive and for negative adjoints, and what the latter lose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    rising: f64,
    falling: f64,
    chord: f64,
    /// How far the lower line may be from the ReLU.
    gap: f64,
    /// Whether it reads nothing but zero.
    moot: bool,
}

impl Line {
    /// The checker's default rule (SPEC.md of the checker, section 7).
    pub(super) fn new(l: f64, u: f64) -> Self {
        let moot = l.abs().max(u.abs()) < NOTHING;
        if u <= 0.0 {
            Self { rising: 0.0, falling: 0.0, chord: 0.0, gap: 0.0, moot }
        } else if l >= 0.0 {
            Self { rising: 1.0, falling: 1.0, chord: 0.0, gap: 0.0, moot }
        } else {
            let rising = if LEANING * u > -l { 1.0 } else { 0.0 };
            Self { rising, falling: u / (u - l), chord: -l * u / (u - l), gap: u.min(-l), moot }
        }
    }
}

/// What one thread needs to bound forms.
#[derive(Debug)]
pub struct Walker<'l> {
    pub(super) layers: &'l Layers,
    adjoints: Vec<Vec<Lanes>>,
    /// Which adjoints are not all zero.
    reached: Vec<bool>,
    constant: Lanes,
    /// The magnitudes that add up to it.
    size: Lanes,
    /// The rows of a matrix that count.
    rows: Vec<u32>,
    pub(super) intervals: Vec<Bounds>,
    /// By the node that a ReLU reads.
    pub(super) lines: Vec<Vec<Line>>,
    /// For every tabled element how much of its width is each input's.
    shares: Vec<f64>,
    /// What the forms lose, by lane and input.
    blame: Option<Vec<Lanes>>,
    worst: [Worst; LANES],
    /// Neurons whose adjoints are wanted: node, element, lane; and the adjoints.
    watched: Vec<(usize, usize, usize, f64)>,
    /// Multipliers of moot ReLUs: node, element, lane, multiplier.
    moot: Vec<(usize, usize, usize, f64)>,
}

impl<'l> Walker<'l> {
    /// Nothing is known yet.
    pub fn new(layers: &'l Layers) -> Self {
        let nodes = || layers.nodes.iter();
        let bounds = |len| Bounds { lower: vec![0.0; len], upper: vec![0.0; len] };
        Self {
            layers,
            adjoints: nodes().map(|layer| vec![Lanes::ZERO; layer.len]).collect(),
            reached: vec![false; layers.nodes.len()],
            constant: Lanes::ZERO,
            size: Lanes::ZERO,
            rows: Vec::new(),
            intervals: nodes().map(|layer| bounds(layer.len)).collect(),
            lines: vec![Vec::new(); layers.nodes.len()],
            shares: vec![0.0; layers.tabled * layers.inputs()],
            blame: None,
            worst: Default::default(),
            watched: Vec::new(),
            moot: Vec::new(),
        }
    }

    /// The network.
    pub fn layers(&self) -> &'l Layers {
        self.layers
    }

    /// Bounds forms from below in the box of the table that was refreshed last, or in one within it.
    pub fn bound(&mut self, table: &Table, forms: &[Form]) -> Vec<Bounded> {
        let mut all = Vec::with_capacity(forms.len());
        for batch in forms.chunks(LANES) {
            for (lane, form) in batch.iter().enumerate() {
                form.outputs.iter().for_each(|&(k, c)| self.seed(self.layers.output, k as usize, lane, c));
                form.inputs.iter().for_each(|&(i, p)| self.seed(0, i as usize, lane, p));
                form.neurons.iter().for_each(|&(node, k, s)| self.seed(node, k, lane, s));
                self.watched.extend(form.neurons.iter().map(|&(node, k, _)| (node, k, lane, 0.0)));
                self.constant.0[lane] += form.constant;
                self.size.0[lane] += form.constant.abs();
            }
            self.blame = Some(vec![Lanes::ZERO; self.layers.inputs()]);
            self.worst = Default::default();
            self.descend();
            let minimum = self.minimum(table);
            let blame = self.blame.take().unwrap_or_default();
            let (watched, moot) = (std::mem::take(&mut self.watched), std::mem::take(&mut self.moot));
            let of = |lane| moot.iter().filter(move |m| m.2 == lane).map(|&(node, k, _, mu)| (node, k, mu));
            all.extend((0..batch.len()).map(|lane| Bounded {
                slopes: self.adjoints[0].iter().map(|a| a.0[lane]).collect(),
                constant: self.constant.0[lane],
                minimum: minimum.0[lane],
                size: self.size(table, lane),
                blame: blame.iter().map(|b| b.0[lane]).collect(),
                worst: self.worst[lane],
                moot: of(lane).collect(),
                adjoints: watched.iter().filter(|w| w.2 == lane).map(|w| w.3).collect(),
            }));
            self.clear();
        }
        all
    }

    /// The network's output at a point.
    pub fn output(&mut self, x: &[f64]) -> &[f64] {
        for node in 0..self.layers.nodes.len() {
            let layer = &self.layers.nodes[node];
            let (before, own) = self.intervals.split_at_mut(node);
            let input = |k: usize| &before[layer.inputs[k]].lower;
            let Bounds { lower: own, upper: spare } = &mut own[0];
            match &layer.kind {
                Kind::Input => own.copy_from_slice(x),
                Kind::Relu => own.iter_mut().zip(input(0)).for_each(|(to, v)| *to = v.max(0.0)),
                Kind::Flatten => own.copy_from_slice(input(0)),
                Kind::Gather(index) => {
                    let picked = index.iter().map(|i| i.map_or(0.0, |i| input(0)[i as usize]));
                    own.iter_mut().zip(picked).for_each(|(to, v)| *to = v);
                }
                Kind::Add(_) => {
                    own.iter_mut().zip(input(0).iter().zip(input(1))).for_each(|(to, (a, b))| *to = a + b);
                }
                Kind::Affine(matrix) => {
                    own.copy_from_slice(&matrix.bias);
                    add_interval(matrix, input(0).iter().map(|&v| (v, v)), own, spare);
                }
            }
        }
        &self.intervals[self.layers.output].lower
    }

    pub(super) fn seed(&mut self, node: usize, k: usize, lane: usize, value: f64) {
        self.adjoints[node][k].0[lane] += value;
        self.reached[node] = true;
    }

    /// Down to the input.
    pub(super) fn descend(&mut self) {
        for node in (1..self.layers.nodes.len()).rev() {
            if !std::mem::take(&mut self.reached[node]) {
                continue;
            }
            let layer = &self.layers.nodes[node];
            let (below, own) = self.adjoints.split_at_mut(node);
            let own = &mut own[0];
            for &input in &layer.inputs {
                self.reached[input] = true;
            }
            let target = &mut below[layer.inputs[0]];
            match &layer.kind {
                Kind::Input => {}
                Kind::Affine(matrix) => {
                    self.rows.clear();
                    for (k, a) in own.iter().enumerate() {
                        if *a != Lanes::ZERO {
                            self.rows.push(k as u32);
                            for lane in 0..LANES {
                                let term = a.0[lane] * matrix.bias[k];
                                self.constant.0[lane] += term;
                                self.size.0[lane] += term.abs();
                            }
                        }
                    }
                    add_transposed(matrix, &self.rows, own, target);
                }
                Kind::Flatten => target.iter_mut().zip(own.iter()).for_each(|(to, a)| to.add(a)),
                Kind::Gather(index) => {
                    let pairs = index.iter().zip(own.iter()).filter_map(|(i, a)| Some(((*i)?, a)));
                    pairs.for_each(|(i, a)| target[i as usize].add(a));
                }
                Kind::Add(_) => {
                    for &input in &layer.inputs {
                        below[input].iter_mut().zip(own.iter()).for_each(|(to, a)| to.add(a));
                    }
                }
                Kind::Relu => {
                    let read = layer.inputs[0];
                    let lines = &self.lines[read];
                    let reads_it = |layer: &Layer| matches!(layer.kind, Kind::Relu) && layer.inputs[0] == read;
                    if !self.layers.nodes[node + 1..].iter().any(reads_it) {
                        for (_, k, lane, adjoint) in self.watched.iter_mut().filter(|w| w.0 == read) {
                            *adjoint = own[*k].0[*lane];
                        }
                    }
                    for ((a, to), line) in own.iter().zip(target.iter_mut()).zip(lines) {
                        for lane in 0..LANES {
                            let (up, down) = (a.0[lane].max(0.0), a.0[lane].min(0.0));
                            to.0[lane] += up * line.rising + down * line.falling;
                            self.constant.0[lane] += down * line.chord;
                            self.size.0[lane] -= down * line.chord;
                        }
                    }
                    if let (Some(blame), Some(place)) = (&mut self.blame, self.layers.nodes[read].place) {
                        let inputs = blame.len();
                        for (k, (a, line)) in own.iter().zip(lines).enumerate().filter(|(_, (_, line))| line.moot) {
                            let multiplier = |a: f64| a.max(0.0) * line.rising + a.min(0.0) * line.falling;
                            let lanes = a.0.iter().enumerate().filter(|(_, a)| **a != 0.0);
                            self.moot.extend(lanes.map(|(lane, &a)| (read, k, lane, multiplier(a))));
                        }
                        for (k, (a, line)) in own.iter().zip(lines).enumerate().filter(|(_, (_, line))| line.gap > 0.0)
                        {
                            let shares = &self.shares[(place + k) * inputs..][..inputs];
                            for lane in 0..LANES {
                                let lost = a.0[lane].max(0.0) * line.gap - a.0[lane].min(0.0) * line.chord;
                                blame.iter_mut().zip(shares).for_each(|(b, s)| b.0[lane] += lost * s);
                                if lost > self.worst[lane].lost {
                                    self.worst[lane] = Worst { node: read, index: k, lost };
                                }
                            }
                        }
                    }
                }
            }
            own.fill(Lanes::ZERO);
        }
    }

    /// The least values of what the forms have become over the box.
    pub(super) fn minimum(&self, table: &Table) -> Lanes {
        let (lower, upper) = table.input();
        let mut least = self.constant;
        for (a, (l, u)) in self.adjoints[0].iter().zip(lower.iter().zip(upper)) {
            for lane in 0..LANES {
                least.0[lane] += (a.0[lane] * l).min(a.0[lane] * u);
            }
        }
        least
    }

    /// The magnitudes that add up to a lane's least value.
    pub(super) fn size(&self, table: &Table, lane: usize) -> f64 {
        let (lower, upper) = table.input();
        let ends = lower.iter().zip(upper).map(|(l, u)| l.abs().max(u.abs()));
        self.size.0[lane] + self.adjoints[0].iter().zip(ends).map(|(a, x)| a.0[lane].abs() * x).sum::<f64>()
    }

    /// Remembers what share each input has in the width of a tabled element, to which a lane's form has come down.
    pub(super) fn share(&mut self, element: usize, lane: usize, table: &Table) {
        let (lower, upper) = table.input();
        let shares = &mut self.shares[element * lower.len()..][..lower.len()];
        let widths = || lower.iter().zip(upper).map(|(l, u)| u - l);
        for ((share, a), width) in shares.iter_mut().zip(&self.adjoints[0]).zip(widths()) {
            *share = a.0[lane].abs() * width;
        }
        if shares.iter().all(|share| *share == 0.0) {
            // The form has come down to a constant, but what it bounds is none.
            shares.iter_mut().zip(widths()).for_each(|(share, width)| *share = width);
        }
        let total = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        shares.iter_mut().for_each(|share| *share /= total);
    }

    /// Forgets the forms.
    pub(super) fn clear(&mut self) {
        self.adjoints[0].fill(Lanes::ZERO);
        self.reached[0] = false;
        (self.constant, self.size) = (Lanes::ZERO, Lanes::ZERO);
    }
}
