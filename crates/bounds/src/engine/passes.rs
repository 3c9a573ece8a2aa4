//! The two passes that a bound takes: adjoints down to the input, and the relaxation up from its minimiser.

use super::compact::Kind;
use super::descent::{Descent, Subproblem};
use super::kernel::{LANES, Lanes};
use pulp::Simd;
use unmoved_property::{Norm, RegionKind};

impl Descent<'_> {
    /// The backward pass: adjoints of every value down to the input.
    #[inline(always)]
    pub(super) fn down<S: Simd>(&mut self, simd: S, problems: &[Subproblem<'_>]) {
        for part in &mut self.adjoints[..=self.top] {
            part.fill(Lanes::ZERO);
        }
        self.constant = Lanes::ZERO;
        for (lane, problem) in problems.iter().enumerate() {
            self.constant.0[lane] = problem.form.constant;
            for (node, terms) in [(problem.form.node, &problem.form.terms), (0, &problem.form.inputs)] {
                for &(position, coefficient) in terms {
                    let place = self.compact.nodes[node].place[position as usize];
                    if place != u32::MAX {
                        self.adjoints[node][place as usize].0[lane] += coefficient;
                    }
                }
            }
        }
        for k in (1..=self.top).rev() {
            let part = &self.compact.nodes[k];
            let (below, own) = self.adjoints.split_at_mut(k);
            let own = &own[0];
            match &part.kind {
                Kind::Input => {}
                Kind::Affine { down, bias, .. } => {
                    down.multiply_add_in(simd, own, &mut below[part.inputs[0]]);
                    for (a, b) in own.iter().zip(bias) {
                        for lane in 0..LANES {
                            self.constant.0[lane] += a.0[lane] * b;
                        }
                    }
                }
                Kind::Copy(inputs) => {
                    for (pairs, &input) in inputs.iter().zip(&part.inputs) {
                        for &(to, from) in pairs {
                            below[input][from as usize].add(&own[to as usize]);
                        }
                    }
                }
                Kind::Relu { of } => {
                    let below = &mut below[part.inputs[0]];
                    for (a, &(z, number)) in own.iter().zip(of) {
                        let target = &mut below[z as usize];
                        if number == u32::MAX {
                            target.add(a);
                            continue;
                        }
                        let j = number as usize;
                        self.adjoint[j] = *a;
                        let (slope, chord) = (&self.slope[j], &self.chord[j]);
                        let (offset, shift) = (&self.offset[j], &self.shift[j]);
                        let (lower, upper) = (&self.lower[j], &self.upper[j]);
                        for lane in 0..LANES {
                            let (a, shift) = (a.0[lane], shift.0[lane]);
                            let negative = a < 0.0;
                            let s = if negative { chord.0[lane] } else { slope.0[lane] };
                            target.0[lane] += a * s + shift;
                            let relaxed = if negative { a * offset.0[lane] } else { 0.0 };
                            self.constant.0[lane] += relaxed - (shift * lower.0[lane]).max(shift * upper.0[lane]);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    pub(super) fn minimise_input(&mut self) {
        self.bound = self.constant;
        if let RegionKind::Ball { norm: Norm::L1 | Norm::L2, .. } = self.compact.region.kind() {
            return self.minimise_ball();
        }
        let ends = self.compact.lower.iter().zip(&self.compact.upper);
        for ((a, x), (&l, &u)) in self.adjoints[0].iter().zip(&mut self.values[0]).zip(ends) {
            for lane in 0..LANES {
                let a = a.0[lane];
                let at = if a >= 0.0 { l } else { u };
                x.0[lane] = at;
                self.bound.0[lane] += a * at;
            }
        }
    }

    fn minimise_ball(&mut self) {
        let (region, elements) = (&self.compact.region, &self.compact.nodes[0].elements);
        let mut q = vec![0.0; region.len()];
        for lane in 0..self.used {
            elements.iter().zip(&self.adjoints[0]).for_each(|(&e, a)| q[e as usize] = f64::from(a.0[lane]));
            self.bound.0[lane] += region.minimum(&q) as f32;
            let x = region.minimiser(&q);
            elements.iter().zip(&mut self.values[0]).for_each(|(&e, to)| to.0[lane] = x[e as usize] as f32);
        }
    }

    /// The forward pass of the relaxation from its minimiser: what every pre-activation is there.
    #[inline(always)]
    pub(super) fn up<S: Simd>(&mut self, simd: S) {
        for k in 1..=self.top {
            let part = &self.compact.nodes[k];
            let (below, own) = self.values.split_at_mut(k);
            let own = &mut own[0];
            match &part.kind {
                Kind::Input => {}
                Kind::Affine { up, bias, .. } => {
                    own.iter_mut().zip(bias).for_each(|(v, b)| *v = Lanes::splat(*b));
                    up.multiply_add_in(simd, &below[part.inputs[0]], own);
                }
                Kind::Copy(inputs) => {
                    own.fill(Lanes::ZERO);
                    for (pairs, &input) in inputs.iter().zip(&part.inputs) {
                        for &(to, from) in pairs {
                            own[to as usize].add(&below[input][from as usize]);
                        }
                    }
                }
                Kind::Relu { of } => {
                    let below = &below[part.inputs[0]];
                    for (v, &(z, number)) in own.iter_mut().zip(of) {
                        *v = below[z as usize];
                        if number == u32::MAX {
                            continue;
                        }
                        let j = number as usize;
                        self.value[j] = *v;
                        let (slope, chord) = (&self.slope[j], &self.chord[j]);
                        let (offset, a) = (&self.offset[j], &self.adjoint[j]);
                        for lane in 0..LANES {
                            let negative = a.0[lane] < 0.0;
                            let s = if negative { chord.0[lane] } else { slope.0[lane] };
                            v.0[lane] = v.0[lane] * s + if negative { offset.0[lane] } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}
