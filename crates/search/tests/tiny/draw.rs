//! What the cases are drawn from: coarse numbers, so that values tie and meet boundaries, and now and then fine ones.

use std::sync::Arc;
use unmoved_ir::testing::{Recipe, Rng, random_network};
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor, lower_max_pool};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query};

/// More is out of reach of an enumeration.
const MOST_RELUS: usize = 8;
const SHAPES: [&[usize]; 9] = [&[1], &[2], &[3], &[3], &[1, 1, 2], &[2, 1, 1], &[1, 1, 3], &[1, 3, 1], &[3, 1, 1]];

fn pick<T: Copy>(rng: &mut Rng, of: &[T]) -> T {
    of[rng.below(of.len())]
}

/// A fraction between -2 and 2, of which some are no floats.
fn fraction(rng: &mut Rng) -> Rational {
    let denominator = pick(rng, &[1, 2, 2, 4, 3]);
    let numerator = rng.below(4 * denominator + 1) as i64 - 2 * denominator as i64;
    Rational::from(numerator).checked_div(&Rational::from(denominator as i64)).expect("not zero")
}

/// A network of three to eight ReLUs with one operator that it surely has, since some turn up seldom by themselves.
pub(crate) fn network(rng: &mut Rng) -> Network {
    let wanted = pick(rng, &["Relu", "Relu", "Relu", "MaxPool", "MaxPool", "Conv2d"]);
    loop {
        let (scale, step) = pick(rng, &[(2.0, Some(1.0)), (2.0, Some(0.25)), (1.0, None)]);
        let input = pick(rng, &SHAPES).to_vec();
        let (nodes, outputs) = (4 + rng.below(6), 1 + rng.below(3));
        let tiny = Recipe { input, nodes, outputs, scale, step, width: 8, relus: MOST_RELUS, ..Recipe::default() };
        let network = random_network(rng, &tiny);
        let relus = lower_max_pool(&network).expect("it is small").network.relus();
        if relus >= 3 && network.nodes().iter().any(|n| n.op.name() == wanted) {
            return network;
        }
    }
}

/// Two to four inputs and one to three hidden layers.
pub(crate) fn dense(rng: &mut Rng) -> Network {
    let step = pick(rng, &[1.0, 0.25, 1.0 / 1024.0]);
    let mut builder = Builder::new();
    let mut width = 2 + rng.below(3);
    let mut value = builder.input("x", &[width], DType::F32).expect("a shape");
    let hidden = 1 + rng.below(3);
    for layer in 0..=hidden {
        let rows = if layer < hidden { 2 + rng.below(2) } else { 1 + rng.below(3) };
        let mut numbers = |n: usize| (0..n).map(|_| ((2.0 * rng.signed() / step).round() * step) as f32).collect();
        let weight = Tensor::f32(&[rows, width], numbers(rows * width)).expect("it fits");
        let bias = Tensor::f32(&[rows], numbers(rows)).expect("it fits");
        let op = Op::Dense(Dense::new(weight, bias).expect("it fits"));
        value = builder.push(&format!("n{layer}"), op, &[value]).expect("it fits");
        if layer < hidden {
            value = builder.push(&format!("a{layer}"), Op::Relu, &[value]).expect("it fits");
        }
        width = rows;
    }
    builder.finish(value).expect("it is a network")
}

/// A box, some of whose sides have no extent or hardly any, and whose ends need not be floats.
pub(crate) fn sides(rng: &mut Rng, inputs: usize) -> InputRegion {
    let side = |rng: &mut Rng| {
        let width = pick(rng, &["0", "1/1000000000", "1/3", "1/2", "1", "2", "3"]).parse().expect("a fraction");
        let lower = fraction(rng);
        (lower.clone(), &lower + &width)
    };
    let (lower, upper) = (0..inputs).map(|_| side(rng)).unzip();
    InputRegion::boxed(lower, upper).expect("no side is negative")
}

/// Disjunctions of conjunctions of many constraints: some alike, some opposite, some constant.
pub(crate) fn conjunctions(rng: &mut Rng, network: Arc<Network>, region: InputRegion) -> Query {
    let (inputs, outputs) = (network.input().shape.len(), network.output_len());
    let conjunction = |rng: &mut Rng| {
        let mut all = vec![constraint(rng, inputs, outputs)];
        for _ in 0..rng.below(4) {
            let last = all[all.len() - 1].clone();
            all.push(match rng.below(8) {
                0 => last,
                1 => opposite(last),
                2 => Constraint { outputs: Vec::new(), inputs: Vec::new(), ..last },
                _ => constraint(rng, inputs, outputs),
            });
        }
        Conjunction(all)
    };
    let unsafe_set = (0..1 + rng.below(3)).map(|_| conjunction(rng)).collect();
    Query::new(network, region, unsafe_set).expect("it fits")
}

fn opposite(constraint: Constraint) -> Constraint {
    let minus = |terms: &[(usize, Rational)]| terms.iter().map(|(k, c)| (*k, -c)).collect();
    Constraint {
        outputs: minus(&constraint.outputs),
        inputs: minus(&constraint.inputs),
        constant: -&constraint.constant,
        ..constraint
    }
}

/// A box, or a ball of any norm.
pub(crate) fn region(rng: &mut Rng, inputs: usize) -> InputRegion {
    if rng.below(4) == 0 {
        let side = |rng: &mut Rng| {
            let width = pick(rng, &["0", "1/3", "1/2", "1", "2"]).parse().expect("a fraction");
            // A side without extent must be a float, or the region would hold none.
            let lower = if width == Rational::ZERO { Rational::from(rng.below(3) as i64 - 1) } else { fraction(rng) };
            (lower.clone(), &lower + &width)
        };
        let (lower, upper) = (0..inputs).map(|_| side(rng)).unzip();
        return InputRegion::boxed(lower, upper).expect("no side is negative");
    }
    let fine = rng.below(3) == 0;
    let element = |rng: &mut Rng| if fine { f64::from(rng.signed() as f32) } else { rng.below(9) as f64 / 4.0 - 1.0 };
    let centre = (0..inputs).map(|_| element(rng)).collect();
    let norm = pick(rng, &[Norm::Linf, Norm::Linf, Norm::L1, Norm::L1, Norm::L2]);
    let eps = pick(rng, &["1/10", "1/4", "1/3", "1/2", "1", "1", "3/2", "2"]).parse().expect("a fraction");
    let range = (rng.below(2) == 0).then(|| (Rational::from(-1), Rational::ONE));
    InputRegion::ball(centre, norm, eps, range).expect("the centre lies in the range")
}

/// Robustness of a class, or a disjunction of conjunctions of any constraints.
pub(crate) fn query(rng: &mut Rng, network: Arc<Network>, region: InputRegion) -> Query {
    let (inputs, outputs) = (network.input().shape.len(), network.output_len());
    if outputs > 1 && rng.below(5) == 0 {
        return Query::robustness(network, region, rng.below(outputs)).expect("a class");
    }
    let conjunction =
        |rng: &mut Rng| Conjunction((0..1 + rng.below(2)).map(|_| constraint(rng, inputs, outputs)).collect());
    let unsafe_set = (0..1 + rng.below(3)).map(|_| conjunction(rng)).collect();
    Query::new(network, region, unsafe_set).expect("it fits")
}

fn constraint(rng: &mut Rng, inputs: usize, outputs: usize) -> Constraint {
    let strict = rng.below(4) == 0;
    if outputs > 1 && rng.below(3) == 0 {
        let smaller = rng.below(outputs);
        let larger = (smaller + 1 + rng.below(outputs - 1)) % outputs;
        return Constraint { strict, ..Constraint::at_most(smaller, larger) };
    }
    let mut terms = |count: usize, share: usize| {
        let chosen: Vec<usize> = (0..count).filter(|_| rng.below(4) < share).collect();
        chosen.into_iter().map(|k| (k, fraction(rng))).collect()
    };
    let (outputs, inputs) = (terms(outputs, 3), terms(inputs, 1));
    Constraint { outputs, inputs, constant: fraction(rng), strict }
}
