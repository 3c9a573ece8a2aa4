//! Decides exactly whether an input is a counterexample.

use crate::layers::{Affine, Kind, Layers};
use unmoved_ir::{Exact, IrError, Network, NodeId, Number, Rational};
use unmoved_property::{Constraint, Counterexample, Point, Query};

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
    /// Unsafe for the stored weights, but not for all that the import's rounding allows for; or, at an element that is not
    /// dyadic, by less than its distance to what was computed with.
    #[error("the input is unsafe only by less than the rounding of the import")]
    WithinSlack,
}

/// Decides in exact arithmetic whether an input is a counterexample: it lies in the region and the network, over the
/// reals and with whatever weights the import may have rounded, leads it into the unsafe set.
pub fn replay(query: &Query, input: &[f32]) -> Result<Counterexample, ReplayError> {
    replay_point(query, &input.to_vec().into())
}

/// [`replay`] of a point whose elements need not be float32. Such an element is enclosed by dyadic numbers, some 2^-100 of it
/// wide, and the point accepted if all that is so enclosed is unsafe; a tie is recognised only where such elements have no say.
pub fn replay_point(query: &Query, point: &Point) -> Result<Counterexample, ReplayError> {
    let network = query.network();
    let output = network.forward(&point.nearest)?;
    if !query.region().contains_point(point) {
        return Err(ReplayError::Outside);
    }
    let is_f32 = point.exact.is_empty();
    let mut input: Vec<Exact> = point.nearest.iter().map(|&v| Exact::from_f64(f64::from(v))).collect();
    let mut input_radius = vec![Exact::ZERO; input.len()];
    for (i, value) in &point.exact {
        (input[*i], input_radius[*i]) = enclose(value);
    }
    let answer = network.forward(&input)?;
    // What float32 computes may be no number at all; then it is not in the unsafe set either.
    let finite = output.iter().all(|v| v.is_finite());
    let in_f32: Vec<Exact> = output.iter().filter(|_| finite).map(|&v| Exact::from_f64(f64::from(v))).collect();
    let unsafe_in_f32 = is_f32 && finite && query.violated_at(&input, &in_f32).is_some();

    let radius = radius(network, &input, &input_radius)?;
    // The most that a constraint's value may be with other weights within the rounding, and other inputs within the enclosure.
    let highest = |c: &Constraint| {
        let move_of = |terms: &[(usize, Rational)], radius: &[Exact]| {
            terms.iter().fold(Rational::ZERO, |sum, (k, a)| &sum + &(&a.abs() * &radius[*k].to_rational()))
        };
        &(&c.value(&input, &answer) + &move_of(&c.outputs, &radius)) + &move_of(&c.inputs, &input_radius)
    };
    for (disjunct, conjunction) in query.unsafe_set().iter().enumerate() {
        let heights: Vec<_> = conjunction.0.iter().map(highest).collect();
        if conjunction.0.iter().zip(&heights).all(|(c, height)| c.holds_at(height)) {
            let boundary = heights.contains(&Rational::ZERO);
            let input = point.clone();
            return Ok(Counterexample { input, output, disjunct, real_only: !unsafe_in_f32, boundary });
        }
    }
    match query.violated_at(&input, &answer) {
        Some(_) => Err(ReplayError::WithinSlack),
        None if unsafe_in_f32 => Err(ReplayError::F32Only),
        None => Err(ReplayError::Safe),
    }
}

/// A dyadic number and how far the value may be from it: the sum of the two floats that tell most of it.
fn enclose(value: &Rational) -> (Exact, Exact) {
    let mut rest = value.clone();
    let mut near = Exact::ZERO;
    for _ in 0..2 {
        let part = rest.to_f64();
        // A region lies within the finite floats.
        let Some(exact) = Rational::from_f64(part) else { break };
        rest = &rest - &exact;
        near = &near + &Exact::from_f64(part);
    }
    (near, Exact::from_f64(rest.distance_up(0.0).min(f64::MAX)))
}

/// How far each output may be from its computed value because of rounded weights and of how far the input may be:
/// `E = |W| E_in + eta |W| (|x| + E_in) + beta`, exactly; a maximum moves no more than the most that moves in it, and a ReLU that
/// stays inactive not at all.
fn radius(network: &Network, input: &[Exact], of_input: &[Exact]) -> Result<Vec<Exact>, IrError> {
    if !network.has_slack() && of_input.iter().all(|r| r.signum() == 0) {
        return Ok(vec![Exact::ZERO; network.output_len()]);
    }
    let layers = Layers::<Exact>::new(network)?;
    let values = layers.lowered.network.trace(input)?;
    let mut radii: Vec<Vec<Exact>> = Vec::with_capacity(values.len());
    for (node, layer) in layers.nodes.iter().enumerate() {
        let read = |k: usize| &radii[layer.inputs[k]];
        let radius = match &layer.kind {
            Kind::Input => of_input.to_vec(),
            Kind::Relu => zip(&values[layer.inputs[0]], read(0), |x, r| {
                // What is negative wherever it may be becomes zero.
                if (x + r).signum() <= 0 { Exact::ZERO } else { r.clone() }
            }),
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
