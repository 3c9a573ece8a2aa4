//! The bound table, computed from the box: intervals everywhere; where a proof asks for it, linear bounds of what those leave undecided.

use crate::backward::{Backward, Scene};
use crate::lane::Lane;
use crate::layers::{Affine, Gather, Image, Kind, Layers};
use crate::queue::share;
use crate::real::{Real, add_up, gamma, mul_up, sane, sum_up, tiny};
use crate::region::Region;
use crate::table::{Bounds, Table};
use crate::window::Window;
use std::sync::Arc;
use unmoved_ir::{NodeId, Slack};
use unmoved_property::InputRegion;

/// How many adjoints all threads together may have, if they are more than one: some gigabytes.
const MAX_ADJOINTS: usize = 1 << 29;
/// So many multiplications are not worth a second thread.
const ALONE: usize = 1 << 22;
/// More threads than any machine runs are of no use.
const MAX_THREADS: usize = 1024;

/// Everything that bounds of one query are computed from, and the table of those known so far.
pub(crate) struct Prover<R, const B: usize> {
    pub(crate) layers: Arc<Layers<R>>,
    pub(crate) region: Region,
    pub(crate) table: Table,
    slack: Vec<Vec<f64>>,
    /// One per thread, and at least one.
    walkers: Vec<Walker<R, B>>,
}

/// Where one thread bounds forms.
pub(crate) struct Walker<R, const B: usize> {
    /// One form at a time: best where it is alone.
    pub(crate) single: Backward<R, 1>,
    /// `B` forms at a time.
    pub(crate) batch: Backward<R, B>,
}

impl<R: Real, const B: usize> Prover<R, B> {
    /// Computes the initial table. `Err` names a node with a bound that is not finite.
    pub(crate) fn new(layers: Arc<Layers<R>>, region: &InputRegion) -> Result<Self, NodeId> {
        let count = layers.nodes.len();
        let mut prover = Self {
            region: Region::new(region),
            table: Table::new(&layers.tabled, |node| layers.nodes[node].image.len()),
            slack: vec![Vec::new(); count],
            walkers: vec![Walker::new(count)],
            layers,
        };
        let input = region.enclosing_box();
        for i in 0..input.lower.len() {
            prover.table.tighten(0, i, input.lower[i], input.upper[i]);
        }
        // To the very end: the slack of the nodes above the last Relu is needed too.
        prover.propagate(count - 1, &[])?;
        prover.table.settle();
        Ok(prover)
    }

    /// Lets so many threads work, or as many as there is room for: each has adjoints of its own.
    pub(crate) fn with_threads(mut self, threads: usize) -> Self {
        let elements: usize = self.layers.nodes.iter().map(|layer| layer.image.len()).sum();
        let most = (MAX_ADJOINTS / (elements * B).max(1)).clamp(1, MAX_THREADS);
        self.walkers.resize_with(threads.clamp(1, most), || Walker::new(self.layers.nodes.len()));
        self
    }

    /// The same for one thread of its own.
    pub(crate) fn share(&self) -> Self {
        Self {
            layers: self.layers.clone(),
            region: self.region.clone(),
            table: self.table.settled(),
            slack: self.slack.clone(),
            walkers: vec![Walker::new(self.layers.nodes.len())],
        }
    }

    pub(crate) fn threads(&self) -> usize {
        self.walkers.len()
    }

    /// What bounds are computed from, and the walk for single forms.
    pub(crate) fn single(&mut self) -> (Scene<'_, R>, &mut Backward<R, 1>) {
        let (scene, walkers) = self.walkers(1);
        (scene, &mut walkers[0].single)
    }

    /// The same with what threads work with that share so many batches of forms.
    pub(crate) fn walkers(&mut self, batches: usize) -> (Scene<'_, R>, &mut [Walker<R, B>]) {
        let Self { layers, region, table, slack, walkers } = self;
        // To begin a thread takes longer than a few batches of a small network.
        let alone = batches.saturating_mul(layers.products * B) < ALONE;
        let count = if alone { 1 } else { walkers.len() };
        (Scene { layers, region, table, slack }, &mut walkers[..count])
    }

    /// Intersects the table with bounds computed afresh: intervals up to node `last`, and linear bounds for undecided
    /// elements of the nodes in `linear` (ascending).
    pub(crate) fn propagate(&mut self, last: usize, linear: &[usize]) -> Result<(), NodeId> {
        let mut intervals: Vec<Bounds> = Vec::with_capacity(last + 1);
        for node in 0..=last {
            let mut bounds = self.interval(node, &intervals);
            if bounds.lower.iter().chain(&bounds.upper).any(|&v| !sane(v)) {
                return Err(NodeId(node));
            }
            if self.layers.tabled[node] {
                for k in 0..bounds.lower.len() {
                    self.table.tighten(node, k, bounds.lower[k], bounds.upper[k]);
                }
                if linear.binary_search(&node).is_ok() {
                    self.tighten_undecided(node);
                }
                bounds = self.table.rows[node].clone().unwrap_or(bounds);
            }
            intervals.push(bounds);
        }
        Ok(())
    }

    /// The interval of a node's value from those before it.
    fn interval(&mut self, node: usize, before: &[Bounds]) -> Bounds {
        if node == 0 {
            return self.table.input().clone();
        }
        if let Some(max) = self.layers.lowered.maximum(NodeId(node)) {
            return maximum(&before[max.before.0], &before[max.candidate.0], &self.layers.nodes[max.candidate.0].kind);
        }
        let layer = &self.layers.nodes[node];
        let input = |k: usize| &before[layer.inputs[k]];
        match &layer.kind {
            Kind::Input => self.table.input().clone(),
            Kind::Relu => map(input(0), |v| v.max(0.0)),
            Kind::Gather(gather) => gathered(gather, input(0), layer.image),
            Kind::Add => {
                let add = |a: &[f64], b: &[f64], round: fn(R) -> f64| -> Vec<f64> {
                    a.iter().zip(b).map(|(&a, &b)| round(R::from_f64(a).plus(&R::from_f64(b)))).collect()
                };
                let (a, b) = (input(0), input(1));
                Bounds {
                    lower: add(&a.lower, &b.lower, |v| below(&v, gamma::<R>(1) * v.size())),
                    upper: add(&a.upper, &b.upper, |v| above(&v, gamma::<R>(1) * v.size())),
                }
            }
            Kind::Affine(affine) => {
                let mut bounds = affine_interval(affine, input(0), layer.image);
                if let Some(slack) = &affine.slack {
                    // The first time, the table holds on the whole region: what is lost there is never more later.
                    if self.slack[node].is_empty() {
                        self.slack[node] = slack_of(affine, slack, input(0), layer.image);
                    }
                    for (k, d) in self.slack[node].iter().enumerate() {
                        bounds.lower[k] = (bounds.lower[k] - d).next_down();
                        bounds.upper[k] = (bounds.upper[k] + d).next_up();
                    }
                }
                bounds
            }
        }
    }

    /// Intersects the bounds of a node's undecided elements with default linear bounds: from above, then, where that does
    /// not show a Relu to be dead, from below.
    fn tighten_undecided(&mut self, node: usize) {
        let Image([channels, height, width]) = self.layers.nodes[node].image;
        for sign in [-1.0, 1.0] {
            let Some(row) = &self.table.rows[node] else { return };
            // Channels of one place read the same window, so they go into one batch.
            let places = (0..height * width).flat_map(|p| (0..channels).map(move |c| c * height * width + p));
            let elements: Vec<usize> = places.filter(|&k| row.undecided(k)).collect();
            let batches: Vec<&[usize]> = elements.chunks(B).collect();
            let (scene, walkers) = self.walkers(batches.len());
            let bounds = share(walkers, batches.len(), |walker, batch| {
                for (b, &k) in batches[batch].iter().enumerate() {
                    walker.batch.seed(scene.layers, node, k, b, sign, 0.0);
                }
                walker.batch.bound(&scene, [Lane::default(); B])
            });
            for (&k, bound) in elements.iter().zip(bounds.into_iter().flatten()) {
                if sign > 0.0 {
                    self.table.tighten(node, k, bound, f64::INFINITY);
                } else {
                    self.table.tighten(node, k, f64::NEG_INFINITY, -bound);
                }
            }
        }
    }
}

impl<R: Real, const B: usize> Walker<R, B> {
    fn new(nodes: usize) -> Self {
        Self { single: Backward::new(nodes), batch: Backward::new(nodes) }
    }
}

/// A float not above `v`, which may be off by `error`.
fn below<R: Real>(v: &R, error: f64) -> f64 {
    if R::UNIT == 0.0 { v.floor() } else { (v.floor() - error).next_down() }
}

/// A float not below `v`, which may be off by `error`.
fn above<R: Real>(v: &R, error: f64) -> f64 {
    // Not a negation, which would turn 0 into -0.
    0.0 - below(&R::zero().minus(v), error)
}

fn map(bounds: &Bounds, f: impl Fn(f64) -> f64) -> Bounds {
    let apply = |v: &[f64]| v.iter().map(|&v| f(v)).collect();
    Bounds { lower: apply(&bounds.lower), upper: apply(&bounds.upper) }
}

/// The elementwise maximum, where the candidate is one.
fn maximum(before: &Bounds, candidate: &Bounds, gather: &Kind<impl Real>) -> Bounds {
    let counts = |k: usize| !matches!(gather, Kind::Gather(g) if g.source(k).is_none());
    let larger = |a: &[f64], b: &[f64]| -> Vec<f64> {
        (0..a.len()).map(|k| if counts(k) { a[k].max(b[k]) } else { a[k] }).collect()
    };
    Bounds { lower: larger(&before.lower, &candidate.lower), upper: larger(&before.upper, &candidate.upper) }
}

fn gathered(gather: &Gather, input: &Bounds, image: Image) -> Bounds {
    let pick = |v: &[f64]| (0..image.len()).map(|k| gather.source(k).map_or(0.0, |i| v[i])).collect();
    Bounds { lower: pick(&input.lower), upper: pick(&input.upper) }
}

fn affine_interval<R: Real>(affine: &Affine<R>, input: &Bounds, image: Image) -> Bounds {
    let len = input.lower.len();
    // The ends that a positive and a negative weight multiply for the lower and the upper sum.
    let ends = |k: usize| [R::from_f64(input.lower[k]), R::from_f64(input.upper[k])];
    let ends: Vec<[[R; 2]; 2]> = (0..len).map(ends).map(|[l, u]| [[l.clone(), u.clone()], [u, l]]).collect();
    let largest = (0..len).map(|k| input.magnitude(k)).fold(0.0, f64::max);
    let bias = affine.bias.iter().map(|b| b.nearest().abs()).fold(0.0, f64::max);
    let size = add_up(mul_up(affine.row_sum, largest), bias);
    let roundings = affine.row_terms + 1;
    let error =
        if sane(size) { add_up(mul_up(gamma::<R>(roundings), size), tiny::<R>(roundings)) } else { f64::INFINITY };
    let mut bounds = Bounds { lower: vec![0.0; image.len()], upper: vec![0.0; image.len()] };
    pulp::Arch::new().dispatch(|| {
        let mut sums: [Vec<R>; 2] = Default::default();
        for site in affine.sites(&Window::full(image)) {
            let outputs = (0..site.count).map(|o| site.first + o * site.stride);
            for sums in &mut sums {
                sums.clear();
                sums.extend(outputs.clone().map(|k| affine.bias(k).clone()));
            }
            let [lower, upper] = &mut sums;
            affine.columns(&site, |input, weights| {
                let [positive, negative] = &ends[input];
                for ((w, lower), upper) in weights.iter().zip(lower.iter_mut()).zip(upper.iter_mut()) {
                    let ends = if *w < R::zero() { negative.clone() } else { positive.clone() };
                    lower.add_product(w, &ends[0]);
                    upper.add_product(w, &ends[1]);
                }
            });
            for (o, k) in outputs.enumerate() {
                bounds.lower[k] = below(&sums[0][o], error);
                bounds.upper[k] = above(&sums[1][o], error);
            }
        }
    });
    bounds
}

/// `d_k = eta_k sum_j |w_kj| A_j + beta_k`, rounded up; `A_j` is the largest magnitude of input `j`.
fn slack_of<R: Real>(affine: &Affine<R>, slack: &Slack, input: &Bounds, image: Image) -> Vec<f64> {
    let of = |k: usize| {
        let channel = affine.channel(k);
        let mut total = 0.0;
        affine.runs(k, |weights, start, step| {
            let terms = weights.iter().enumerate();
            let products = terms.map(|(i, w)| mul_up(w.nearest().abs(), input.magnitude(start + i * step)));
            total = add_up(total, sum_up(products));
        });
        add_up(mul_up(slack.weight[channel], total), slack.bias[channel])
    };
    (0..image.len()).map(of).collect()
}
