//! Concrete inputs, sixteen at a time: outputs and gradients, for attacks.

use super::compact::{Compact, Kind};
use super::kernel::{LANES, Lanes};

/// Room for the evaluation of [`LANES`] inputs; reused.
pub struct Probe<'a> {
    compact: &'a Compact,
    values: Vec<Vec<Lanes>>,
    adjoints: Vec<Vec<Lanes>>,
    /// By position; those that were left out are zero.
    outputs: Vec<Lanes>,
    /// See [`Probe::soften`].
    soft: f32,
}

impl<'a> Probe<'a> {
    /// Room for inputs of this network.
    pub fn new(compact: &'a Compact) -> Self {
        let room = || compact.nodes.iter().map(|n| vec![Lanes::ZERO; n.elements.len()]).collect::<Vec<_>>();
        let outputs = vec![Lanes::ZERO; compact.nodes[compact.output].place.len()];
        Self { compact, values: room(), adjoints: room(), outputs, soft: 0.0 }
    }

    /// Lets the slope of an unstable ReLU, in gradients alone, rise from 0 to 1 over this share of the way between its bounds, about zero.
    /// With 0, as at first, it jumps. Soft slopes tell how a function falls in a wider neighbourhood.
    pub fn soften(&mut self, soft: f32) {
        self.soft = soft;
    }

    /// The outputs, by position, of inputs given by position.
    pub fn outputs(&mut self, inputs: &[Lanes]) -> &[Lanes] {
        for (x, &e) in self.values[0].iter_mut().zip(&self.compact.nodes[0].elements) {
            *x = inputs[e as usize];
        }
        for k in 1..=self.compact.output {
            let part = &self.compact.nodes[k];
            let (below, own) = self.values.split_at_mut(k);
            let own = &mut own[0];
            match &part.kind {
                Kind::Input => {}
                Kind::Affine { up, bias, .. } => {
                    own.iter_mut().zip(bias).for_each(|(v, b)| *v = Lanes::splat(*b));
                    up.multiply_add(&below[part.inputs[0]], own);
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
                    for (v, &(z, _)) in own.iter_mut().zip(of) {
                        *v = Lanes(below[part.inputs[0]][z as usize].0.map(|z| z.max(0.0)));
                    }
                }
            }
        }
        for (&e, y) in self.compact.nodes[self.compact.output].elements.iter().zip(&self.values[self.compact.output]) {
            self.outputs[e as usize] = *y;
        }
        &self.outputs
    }

    /// The gradients of linear forms of the outputs at the inputs last evaluated, by position of the input.
    pub fn gradients(&mut self, coefficients: &[Lanes], gradients: &mut [Lanes]) {
        let output = self.compact.output;
        self.adjoints[..output].iter_mut().for_each(|a| a.fill(Lanes::ZERO));
        for (a, &e) in self.adjoints[output].iter_mut().zip(&self.compact.nodes[output].elements) {
            *a = coefficients[e as usize];
        }
        for k in (1..=output).rev() {
            let part = &self.compact.nodes[k];
            let (below, own) = self.adjoints.split_at_mut(k);
            let own = &own[0];
            match &part.kind {
                Kind::Relu { of } => {
                    let below = &mut below[part.inputs[0]];
                    let read = &self.values[part.inputs[0]];
                    for ((a, v), &(z, number)) in own.iter().zip(&self.values[k]).zip(of) {
                        let target = &mut below[z as usize];
                        if self.soft > 0.0 && number != u32::MAX {
                            let u = &self.compact.unstable[number as usize];
                            let (low, width) = (self.soft * u.lower, self.soft * (u.upper - u.lower));
                            for lane in 0..LANES {
                                let share = (read[z as usize].0[lane] - low) / width;
                                target.0[lane] += share.clamp(0.0, 1.0) * a.0[lane];
                            }
                            continue;
                        }
                        for lane in 0..LANES {
                            target.0[lane] += if v.0[lane] > 0.0 { a.0[lane] } else { 0.0 };
                        }
                    }
                }
                _ => part.hand_down(own, below),
            }
        }
        gradients.fill(Lanes::ZERO);
        for (a, &e) in self.adjoints[0].iter().zip(&self.compact.nodes[0].elements) {
            gradients[e as usize] = *a;
        }
    }
}
