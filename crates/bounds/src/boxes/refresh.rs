//! The table of a box, computed afresh: intervals, and linear bounds of what those leave undecided.

use super::layers::Kind;
use super::product::{LANES, Lanes, add_interval};
use super::walk::{Line, Walker};
use super::{Layers, Table};
use crate::Bounds;

impl Walker<'_> {
    /// Intersects the table with bounds computed afresh from its box, as the checker does where a proof recomputes the bounds of all
    /// tabled values (SPEC.md of the checker, section 8).
    pub fn refresh(&mut self, table: &mut Table) {
        let layers = self.layers;
        for node in 0..layers.nodes.len() {
            self.interval(node, table);
            let layer = &layers.nodes[node];
            let Some(place) = layer.place else { continue };
            let own = &self.intervals[node];
            for k in 0..layer.len {
                let (l, u) = (&mut table.lower[place + k], &mut table.upper[place + k]);
                *l = l.max(own.lower[k]);
                *u = u.min(own.upper[k]);
            }
            if node > 0 {
                self.tighten_undecided(node, place, table);
            }
            self.draw(node, table);
            let own = &mut self.intervals[node];
            own.lower.copy_from_slice(&table.lower[place..place + layer.len]);
            own.upper.copy_from_slice(&table.upper[place..place + layer.len]);
        }
    }

    /// The lines of the ReLUs that read a node.
    fn draw(&mut self, node: usize, table: &Table) {
        let layer = &self.layers.nodes[node];
        let Some(place) = layer.place else { return };
        let ends = table.lower[place..place + layer.len].iter().zip(&table.upper[place..]);
        self.lines[node].clear();
        self.lines[node].extend(ends.map(|(&l, &u)| Line::new(l, u)));
    }

    /// The interval of a node's value from those before it.
    fn interval(&mut self, node: usize, table: &Table) {
        let layer = &self.layers.nodes[node];
        let (before, own) = self.intervals.split_at_mut(node);
        let Bounds { lower, upper } = &mut own[0];
        let input = |k: usize| &before[layer.inputs[k]];
        match &layer.kind {
            Kind::Input => {
                let (l, u) = table.input();
                lower.copy_from_slice(l);
                upper.copy_from_slice(u);
            }
            Kind::Relu => {
                lower.iter_mut().zip(&input(0).lower).for_each(|(l, v)| *l = v.max(0.0));
                upper.iter_mut().zip(&input(0).upper).for_each(|(u, v)| *u = v.max(0.0));
            }
            Kind::Flatten => {
                lower.copy_from_slice(&input(0).lower);
                upper.copy_from_slice(&input(0).upper);
            }
            Kind::Gather(index) => {
                for (to, from) in [(lower, &input(0).lower), (upper, &input(0).upper)] {
                    let picked = index.iter().map(|i| i.map_or(0.0, |i| from[i as usize]));
                    to.iter_mut().zip(picked).for_each(|(to, v)| *to = v);
                }
            }
            Kind::Add(None) => {
                for (to, [a, b]) in [(lower, [0, 1].map(|k| &input(k).lower)), (upper, [0, 1].map(|k| &input(k).upper))]
                {
                    to.iter_mut().zip(a.iter().zip(b)).for_each(|(to, (a, b))| *to = a + b);
                }
                own[0].widen(0.0);
            }
            Kind::Add(Some([held, candidate])) => {
                let (held, other) = (&before[*held], &before[*candidate]);
                for (to, [a, b]) in [(lower, [&held.lower, &other.lower]), (upper, [&held.upper, &other.upper])] {
                    let larger = a.iter().zip(b).enumerate();
                    let larger =
                        larger.map(|(k, (a, b))| if self.layers.exists(*candidate, k) { a.max(*b) } else { *a });
                    to.iter_mut().zip(larger).for_each(|(to, v)| *to = v);
                }
            }
            Kind::Affine(matrix) => {
                // Centre and radius first, in the places of the ends.
                lower.copy_from_slice(&matrix.bias);
                upper.fill(0.0);
                let ends = input(0).lower.iter().copied().zip(input(0).upper.iter().copied());
                add_interval(matrix, ends, lower, upper);
                for (l, u) in lower.iter_mut().zip(upper) {
                    (*l, *u) = (*l - *u, *l + *u);
                }
                let largest = (0..matrix.columns).map(|k| input(0).lower[k].abs().max(input(0).upper[k].abs()));
                let size = matrix.row_sum * largest.fold(0.0, f64::max) + matrix.most_bias;
                own[0].widen((matrix.columns + 1) as f64 * f64::EPSILON / 2.0 * size);
            }
        }
    }

    /// Linear bounds of a node's undecided elements: from above, then, where that does not show a ReLU to be dead, from below.
    fn tighten_undecided(&mut self, node: usize, place: usize, table: &mut Table) {
        let len = self.layers.nodes[node].len;
        for sign in [-1.0, 1.0] {
            let undecided = |k: &usize| table.lower[place + k] <= 0.0 && table.upper[place + k] >= 0.0;
            let elements: Vec<usize> = (0..len).filter(undecided).collect();
            for batch in elements.chunks(LANES) {
                for (lane, &k) in batch.iter().enumerate() {
                    self.seed(node, k, lane, sign);
                }
                self.descend();
                let Lanes(mut bounds) = self.minimum(table);
                for (lane, bound) in bounds.iter_mut().enumerate() {
                    *bound -= f64::EPSILON * self.size(table, lane) + f64::MIN_POSITIVE;
                }
                for (lane, (&k, bound)) in batch.iter().zip(bounds).enumerate() {
                    if sign > 0.0 {
                        table.lower[place + k] = table.lower[place + k].max(bound);
                    } else {
                        table.upper[place + k] = table.upper[place + k].min(-bound);
                        self.share(place + k, lane, table);
                    }
                }
                self.clear();
            }
        }
    }
}

impl Bounds {
    /// By what a rounding error may be, at the least: what is zero for all inputs is undecided here as it is in the checker.
    fn widen(&mut self, error: f64) {
        self.lower.iter_mut().for_each(|l| *l = (*l - error).next_down());
        self.upper.iter_mut().for_each(|u| *u = (*u + error).next_up());
    }
}

impl Layers {
    /// Whether a Gather takes an element from somewhere.
    fn exists(&self, gather: usize, k: usize) -> bool {
        !matches!(&self.nodes[gather].kind, Kind::Gather(index) if index[k].is_none())
    }
}
