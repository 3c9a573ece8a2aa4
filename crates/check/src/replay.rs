//! Decides exactly whether an input is a counterexample.

use crate::layers::{Affine, Kind, Layers};
use unmoved_ir::{Exact, IrError, Network, NodeId, Number, Rational};
use unmoved_property::{Constraint, Counterexample, Query};

/// Why an input is no counterexample.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// A wrong number of elements.
    #[error(transparent)]
    Network(#[from] IrError),
    /// The input does not lie in the region, compared exactly.
    #[error("the input lies outside the region")]
    Outside,
    /// The output is safe.
    #[error("the input is safe")]
    Safe,
    /// Unsafe in float32 only: over the reals the output is safe.
    #[error("the input is unsafe in float32 arithmetic only")]
    F32Only,
    /// Unsafe for the stored weights, but not for all that the import's rounding allows for.
    #[error("the input is unsafe only by less than the rounding of the import")]
    WithinSlack,
}

/// Decides in exact arithmetic whether an input is a counterexample: it lies in the region and the network, over the
/// reals and with whatever weights the import may have rounded, leads it into the unsafe set.
pub fn replay(query: &Query, input: &[f32]) -> Result<Counterexample, ReplayError> {
    let network = query.network();
    let output = network.forward(input)?;
    if !query.region().contains(input) {
        return Err(ReplayError::Outside);
    }
    let exact: Vec<Exact> = input.iter().map(|&v| Exact::from_f64(f64::from(v))).collect();
    let answer = network.forward(&exact)?;
    // What float32 computes may be no number at all; then it is not in the unsafe set either.
    let finite = output.iter().all(|v| v.is_finite());
    let in_f32: Vec<Exact> = output.iter().filter(|_| finite).map(|&v| Exact::from_f64(f64::from(v))).collect();
    let unsafe_in_f32 = finite && query.violated_at(&exact, &in_f32).is_some();

    let radius = radius(network, &exact)?;
    // The most that a constraint's value may be with other weights within the rounding.
    let highest = |c: &Constraint| {
        let terms = c.outputs.iter().map(|(k, a)| &a.abs() * &radius[*k].to_rational());
        terms.fold(c.value(&exact, &answer), |sum, term| &sum + &term)
    };
    for (disjunct, conjunction) in query.unsafe_set().iter().enumerate() {
        let heights: Vec<_> = conjunction.0.iter().map(highest).collect();
        if conjunction.0.iter().zip(&heights).all(|(c, height)| c.holds_at(height)) {
            let boundary = heights.contains(&Rational::ZERO);
            let input = input.to_vec();
            return Ok(Counterexample { input, output, disjunct, real_only: !unsafe_in_f32, boundary });
        }
    }
    match query.violated_at(&exact, &answer) {
        Some(_) => Err(ReplayError::WithinSlack),
        None if unsafe_in_f32 => Err(ReplayError::F32Only),
        None => Err(ReplayError::Safe),
    }
}

/// How far each output may be from its computed value because of rounded weights: `E = |W| E_in + eta |W| (|x| + E_in) +
/// beta`, exactly; a maximum moves no more than the most that moves in it.
fn radius(network: &Network, input: &[Exact]) -> Result<Vec<Exact>, IrError> {
    if !network.has_slack() {
        return Ok(vec![Exact::ZERO; network.output_len()]);
    }
    let layers = Layers::<Exact>::new(network)?;
    let values = layers.lowered.network.trace(input)?;
    let mut radii: Vec<Vec<Exact>> = Vec::with_capacity(values.len());
    for (node, layer) in layers.nodes.iter().enumerate() {
        let read = |k: usize| &radii[layer.inputs[k]];
        let radius = match &layer.kind {
            Kind::Input => vec![Exact::ZERO; layer.image.len()],
            Kind::Relu => read(0).clone(),
            Kind::Gather(g) => {
                (0..layer.image.len()).map(|k| g.source(k).map_or(Exact::ZERO, |i| read(0)[i].clone())).collect()
            }
            Kind::Add => match layers.lowered.maximum(NodeId(node)) {
                Some(max) => zip(&radii[max.before.0], &radii[max.candidate.0], Exact::larger),
                None => zip(read(0), read(1), |a, b| a + b),
            },
            Kind::Affine(affine) => {
                (0..layer.image.len()).map(|k| affine_radius(affine, k, &values[layer.inputs[0]], read(0))).collect()
            }
        };
        radii.push(radius);
    }
    Ok(radii.swap_remove(layers.output))
}

fn zip(a: &[Exact], b: &[Exact], f: impl Fn(&Exact, &Exact) -> Exact) -> Vec<Exact> {
    a.iter().zip(b).map(|(a, b)| f(a, b)).collect()
}

fn affine_radius(affine: &Affine<Exact>, k: usize, x: &[Exact], radii: &[Exact]) -> Exact {
    let slack = affine.slack.as_ref().map_or((0.0, 0.0), |s| (s.weight[affine.channel(k)], s.bias[affine.channel(k)]));
    let (eta, beta) = (Exact::from_f64(slack.0), Exact::from_f64(slack.1));
    let (mut moved, mut size) = (Exact::ZERO, Exact::ZERO);
    affine.runs(k, |weights, start, step| {
        for (i, w) in weights.iter().enumerate() {
            let j = start + i * step;
            moved.add_product(&w.abs(), &radii[j]);
            size.add_product(&w.abs(), &(&x[j].abs() + &radii[j]));
        }
    });
    &(&moved + &(&eta * &size)) + &beta
}
