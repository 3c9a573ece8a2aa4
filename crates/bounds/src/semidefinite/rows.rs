//! Pre-activations as affine functions of the inputs and of the unstable ReLUs below them.

use super::blocks::WIDTH;
use crate::engine::{Compact, Form, Kind, LANES, Lanes, Unstable};
use std::ops::Range;
use unmoved_property::{Norm, RegionKind};

/// Beyond so many coefficients, zeros and all, there are no rows.
const MOST_COEFFICIENTS: usize = 1 << 23;

/// `constant + sum x_i v_i + sum y_k v_k`, the `v_k` being unstable ReLUs.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub(super) constant: f32,
    /// Inputs first, as the compact network has them, then all of its unstable ReLUs.
    pub(super) coefficients: Vec<f32>,
}

impl Row {
    /// How many coefficients there are in blocks that are not zero.
    fn in_blocks(&self) -> usize {
        WIDTH * self.coefficients.chunks(WIDTH).filter(|block| block.iter().any(|c| *c != 0.0)).count()
    }
}

/// The pre-activation of every unstable ReLU of a compact network, once for all forms and splits.
#[derive(Debug)]
pub struct Rows<'a> {
    pub(super) compact: &'a Compact,
    pub(super) rows: Vec<Row>,
    /// The unstable ReLUs of one node are a group: none of them reads another.
    pub(super) groups: Vec<Range<usize>>,
    pub(super) ball: Option<Ball>,
}

/// An l2 ball around a centre, which cuts the corners off the box.
#[derive(Debug, Clone)]
pub(super) struct Ball {
    pub(super) centre: Vec<f32>,
    pub(super) eps: f32,
}

impl<'a> Rows<'a> {
    /// Whether their coefficients are not too many.
    pub fn is_possible(compact: &Compact) -> bool {
        let unstable = compact.unstable().len();
        unstable.saturating_mul(compact.lower.len() + unstable) <= MOST_COEFFICIENTS
    }

    /// `None` where they would be too many coefficients, or none.
    pub fn new(compact: &'a Compact) -> Option<Self> {
        Self::within(compact, usize::MAX, || false)
    }

    /// `None`, too, where they have more than `most` coefficients, blocks of zeros left out: about what a step of an ascent has to do with. And once it
    /// is to `stop`.
    pub fn within(compact: &'a Compact, most: usize, stop: impl Fn() -> bool) -> Option<Self> {
        let unstable = compact.unstable();
        if unstable.is_empty() || !Self::is_possible(compact) {
            return None;
        }
        let mut rows = Vec::with_capacity(unstable.len());
        let mut count = 0;
        let mut walk = Walk::new(compact);
        for some in unstable.chunks(LANES) {
            let seeds: Vec<Vec<(usize, u32, f32)>> = some.iter().map(|u| vec![(u.node.0, u.position, 1.0)]).collect();
            let some = walk.down(&seeds);
            count += some.iter().map(Row::in_blocks).sum::<usize>();
            rows.extend(some);
            if count > most || stop() {
                return None;
            }
        }
        let ball = match compact.region.kind() {
            RegionKind::Ball { norm: Norm::L2, centre: x0, eps, .. } => {
                let centre = compact.nodes[0].elements.iter().map(|&e| x0[e as usize] as f32).collect();
                Some(Ball { centre, eps: eps.to_f64() as f32 })
            }
            _ => None,
        };
        Some(Self { compact, rows, groups: groups(unstable), ball })
    }

    /// The row of a form, once for all its programs.
    pub fn of(&self, form: &Form) -> Row {
        let terms = form.terms.iter().map(|&(position, c)| (form.node, position, c));
        let seeds = terms.chain(form.inputs.iter().map(|&(position, c)| (0, position, c))).collect();
        let mut row = Walk::new(self.compact).down(&[seeds]).remove(0);
        row.constant += form.constant;
        row
    }
}

fn groups(unstable: &[Unstable]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for (k, u) in unstable.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if unstable[group.start].relu == u.relu => group.end = k + 1,
            _ => groups.push(k..k + 1),
        }
    }
    groups
}

/// A walk down that ends at inputs and at unstable ReLUs.
struct Walk<'a> {
    compact: &'a Compact,
    adjoints: Vec<Vec<Lanes>>,
    reached: Vec<Lanes>,
}

impl<'a> Walk<'a> {
    fn new(compact: &'a Compact) -> Self {
        let adjoints = compact.nodes.iter().map(|n| vec![Lanes::ZERO; n.elements.len()]).collect();
        Self { compact, adjoints, reached: vec![Lanes::ZERO; compact.unstable().len()] }
    }

    /// The rows of up to [`LANES`] sums of elements: node, position, coefficient.
    fn down(&mut self, seeds: &[Vec<(usize, u32, f32)>]) -> Vec<Row> {
        let mut top = 0;
        for (lane, &(node, position, c)) in seeds.iter().enumerate().flat_map(|(l, s)| s.iter().map(move |s| (l, s))) {
            top = top.max(node);
            let place = self.compact.nodes[node].place[position as usize];
            if place != u32::MAX {
                self.adjoints[node][place as usize].0[lane] += c;
            }
        }
        let mut constant = Lanes::ZERO;
        for k in (1..=top).rev() {
            let part = &self.compact.nodes[k];
            let (below, own) = self.adjoints.split_at_mut(k);
            let own = &mut own[0];
            part.hand_down(own, below);
            match &part.kind {
                Kind::Input | Kind::Copy(_) => {}
                Kind::Affine { bias, .. } => {
                    for (a, b) in own.iter().zip(bias) {
                        constant.0.iter_mut().zip(&a.0).for_each(|(sum, a)| *sum += a * b);
                    }
                }
                Kind::Relu { of } => {
                    for (a, &(z, number)) in own.iter().zip(of) {
                        match number {
                            u32::MAX => below[part.inputs[0]][z as usize].add(a),
                            _ => self.reached[number as usize].add(a),
                        }
                    }
                }
            }
            own.fill(Lanes::ZERO);
        }
        let row = |lane: usize| {
            let ends = self.adjoints[0].iter().chain(&self.reached);
            Row { constant: constant.0[lane], coefficients: ends.map(|a| a.0[lane]).collect() }
        };
        let rows = (0..seeds.len()).map(row).collect();
        self.adjoints[0].fill(Lanes::ZERO);
        self.reached.fill(Lanes::ZERO);
        rows
    }
}
