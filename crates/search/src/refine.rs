//! Refinement of intermediate bounds: a small branch and bound per unstable neuron on the part of the network below it, layer by layer
//! from the input, each layer upon the refined bounds of those before. It is the progressive tightening of Tjeng, Xiao and Tedrake
//! (ICLR 2019, section 4.2) with another solver.

use crate::attack;
use crate::bab::{self, Effort, Goal};
use crate::outcome::{Progress, Watch};
use crate::workers::{lock, on_threads, unlocked};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use unmoved_bounds::engine::{Compact, Form, LANES, phase};
use unmoved_check::{Bounds, Examiner, Side, Step};
use unmoved_ir::{Lowered, NodeId, Op};
use unmoved_property::InputRegion;

/// How much to spend.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refinement {
    /// The most subproblems per bound.
    pub(crate) nodes: usize,
    /// Steps of the ascent at the roots, and at every other subproblem.
    pub(crate) steps: [usize; 2],
    pub(crate) threads: usize,
}

/// A bound that gains less than this share of the width between the two is not worth its proof.
const WORTHWHILE: f64 = 0.01;

/// So many elements of a layer are tried before it is asked whether it pays.
const TRIAL: usize = 32;
/// It pays where at least this share of them is shown to have one sign.
const PAYS: f64 = 0.1;
/// A refinement that costs many times more pays where the one before has settled at least this share.
const PAYS_AGAIN: f64 = 0.25;

/// What came of it.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Refined {
    pub(crate) subproblems: usize,
    /// Elements on which more than the ascent at the root was spent, and how many of them were shown to have one sign.
    tried: usize,
    settled: usize,
}

impl Refined {
    /// Whether as much should be spent on the next elements.
    fn pays(&self) -> bool {
        self.tried < TRIAL || self.settled as f64 >= PAYS * self.tried as f64
    }

    /// Whether spending more on each bound is worth it.
    pub(crate) fn has_paid(&self) -> bool {
        self.settled as f64 >= PAYS_AGAIN * self.tried as f64
    }
}

/// Whether there is anything to refine: a ReLU above another.
pub(crate) fn is_possible(lowered: &Lowered) -> bool {
    layers(lowered).any(|(_, deep)| deep)
}

/// The values that ReLUs read, and whether there are ReLUs below them.
fn layers(lowered: &Lowered) -> impl Iterator<Item = (NodeId, bool)> {
    let network = &lowered.network;
    let mut above: Vec<bool> = Vec::with_capacity(network.nodes().len());
    let mut read = vec![false; network.nodes().len()];
    for node in network.nodes() {
        above.push(node.op == Op::Relu || node.inputs.iter().any(|i| above[i.0]));
        if node.op == Op::Relu {
            read[node.inputs[0].0] = true;
        }
    }
    (0..read.len()).filter(move |&k| read[k]).map(move |k| (NodeId(k), above[k]))
}

/// The differences by which max-pools compare elements. Few of those that are undecided are ever settled, whatever is spent on them.
fn comparisons(lowered: &Lowered) -> Vec<NodeId> {
    let network = &lowered.network;
    let gains = lowered.maxima.iter().flat_map(|m| network.node(m.value).inputs.get(1));
    gains.flat_map(|gain| network.node(*gain).inputs.first()).copied().collect()
}

/// Tightens bounds until `stop` says so or all layers are done. What it finds is in the examiner's table, proved. In layers where the search
/// settles few signs (convolutions, mostly) the bounds of most elements are only improved by the ascent at the root.
pub(crate) fn refine(
    examiner: &mut Examiner<'_>,
    region: &InputRegion,
    refinement: Refinement,
    stop: impl Fn() -> bool + Sync,
    watch: Watch<'_>,
) -> Refined {
    let mut refined = Refined::default();
    let mut changed = false;
    let layers: Vec<(NodeId, bool)> = layers(examiner.lowered()).collect();
    let comparisons = comparisons(examiner.lowered());
    for &(node, _) in layers.iter().filter(|(_, deep)| *deep) {
        if stop() {
            break;
        }
        if changed {
            // A refusal only means that nothing is gained here.
            let _ = examiner.extend(vec![Step::Recompute { nodes: vec![node] }]);
        }
        if comparisons.contains(&node) {
            continue;
        }
        let before = undecided(examiner, node).len();
        let (lemmas, layer) = layer(examiner, region, node, refinement, &stop);
        refined.subproblems += layer.subproblems;
        refined.tried += layer.tried;
        refined.settled += layer.settled;
        for lemma in lemmas {
            if stop() {
                break;
            }
            changed |= examiner.extend(lemma).is_ok();
        }
        let subproblems = layer.subproblems;
        let undecided = [before, undecided(examiner, node).len()];
        watch(&Progress::Refined { node, undecided, subproblems });
    }
    refined
}

/// Searches for better bounds of the undecided elements of one node.
fn layer(
    examiner: &Examiner<'_>,
    region: &InputRegion,
    node: NodeId,
    refinement: Refinement,
    stop: &(impl Fn() -> bool + Sync),
) -> (Vec<Vec<Step>>, Refined) {
    let lowered = examiner.lowered();
    let known = attack::known(examiner);
    let Some(bounds) = &examiner.bounds()[node.0] else { return Default::default() };
    let undecided = undecided(examiner, node);
    let mut groups: Vec<&[u32]> = undecided.chunks(LANES / 2).collect();
    // The first are tried for all.
    fastrand::Rng::with_seed(0).shuffle(&mut groups);
    // Where every element reads everything below, one part serves them all.
    let whole = match lowered.network.node(node).op {
        Op::Conv2d(_) => None,
        _ => Some(Compact::below(lowered, region, known, node, &undecided)),
    };
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), Refined::default()));
    let work = || {
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !stop()) {
            let part;
            let compact = match &whole {
                Some(whole) => whole,
                None => {
                    part = Compact::below(lowered, region, known, node, group);
                    &part
                }
            };
            let so_far = lock(&done).1;
            let searches = so_far.pays();
            let nodes = if searches { refinement.nodes } else { 1 };
            let found = elements(compact, node, group, bounds, Refinement { nodes, ..refinement }, stop);
            let mut done = lock(&done);
            done.1.subproblems += found.subproblems;
            if searches {
                done.1.tried += group.len();
                done.1.settled += found.settled;
            }
            done.0.extend(found.lemmas);
        }
    };
    // Nobody waits for another.
    on_threads(refinement.threads, work, || {});
    let (mut lemmas, refined) = unlocked(done);
    // In an order that does not depend on the threads.
    lemmas.sort_by_key(|l: &(u32, Vec<Step>)| l.0);
    (lemmas.into_iter().map(|l| l.1).collect(), refined)
}

/// Undecided elements, those of an image pixel by pixel.
fn undecided(examiner: &Examiner<'_>, node: NodeId) -> Vec<u32> {
    let Some(bounds) = &examiner.bounds()[node.0] else { return Vec::new() };
    let shape = &examiner.lowered().network.node(node).shape;
    let [channels, height, width] = shape.image().unwrap_or([1, 1, shape.len()]);
    let all = (0..height * width).flat_map(|p| (0..channels).map(move |c| c * height * width + p));
    all.filter(|&k| phase(bounds.lower[k], bounds.upper[k]).is_none()).map(|k| k as u32).collect()
}

/// Lemmas for a few elements, each with its element and its proof.
struct Found {
    lemmas: Vec<(u32, Vec<Step>)>,
    subproblems: usize,
    /// Elements that were shown to have one sign.
    settled: usize,
}

fn elements(
    compact: &Compact,
    node: NodeId,
    group: &[u32],
    bounds: &Bounds,
    Refinement { nodes: most, steps: [root_steps, steps], .. }: Refinement,
    stop: &(impl Fn() -> bool + Sync),
) -> Found {
    let sides = [(Side::Lower, 1.0), (Side::Upper, -1.0)];
    let wanted: Vec<(u32, Side, f32)> = group.iter().flat_map(|&k| sides.map(|(side, sign)| (k, side, sign))).collect();
    let goals: Vec<Goal> = wanted
        .iter()
        .enumerate()
        .map(|(g, &(k, _, sign))| {
            let form = Form { node: node.0, terms: vec![(k, sign)], ..Form::default() };
            Goal { form, lambda: Vec::new(), group: g / 2 }
        })
        .collect();
    let effort =
        Effort { root_steps, steps, enough: 1e-6, threads: 1, most, extensions: 0, most_open: usize::MAX, all: false };
    let searched = bab::search(compact, &goals, &effort, true, stop, |_, _| false, &|_| {});
    let settled = searched.endings.chunks(2).filter(|e| e.iter().any(|e| e.margin == f32::INFINITY)).count();
    let lemmas = wanted.iter().zip(&searched.endings).filter_map(|(&(index, side, _), ending)| {
        let (l, u) = (bounds.lower[index as usize], bounds.upper[index as usize]);
        let before = if side == Side::Lower { l } else { -u };
        if f64::from(ending.margin.min(0.0)) - before < WORTHWHILE * (u - l) {
            return None;
        }
        let mut steps = vec![Step::Lemma { node, index, side }];
        searched.tree.steps(ending.root, compact, &mut steps)?;
        Some((index, steps))
    });
    Found { lemmas: lemmas.collect(), subproblems: searched.nodes, settled }
}
