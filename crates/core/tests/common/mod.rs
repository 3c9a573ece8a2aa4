//! Cases from files, and the trace check: a point of the region, put through the network, must be a point of the program.
//!
//! A case is a network in the native text format. Lines that begin with `#:` hold what is asked of it:
//!
//! ```text
//! #: minimise worst              or feasibility, closest linf, closest l1
//! #: disjuncts 0 2               optional
//! #: slack h1 0.25 0.5           optional: relative error of all weights of a layer, absolute one of its biases
//! #: query 1                     the query, in its own text format
//! ```
#![allow(dead_code, unreachable_pub)] // each test binary uses a part

pub mod random;

use std::path::Path;
use std::sync::Arc;
use unmoved_bounds::{Propagation, Tier};
use unmoved_core::{EncodeError, Milp, Objective, Quantity, Sense, encode};
use unmoved_ir::{Builder, Exact, Lowered, Network, NodeId, Op, Rational, Slack, lower_max_pool};
use unmoved_property::{Norm, Query, RegionKind};

pub struct Case {
    pub query: Query,
    pub lowered: Lowered,
    pub objective: Objective,
    pub disjuncts: Option<Vec<usize>>,
}

impl Case {
    pub fn new(query: Query, objective: Objective) -> Self {
        let lowered = lower_max_pool(query.network()).unwrap();
        Self { query, lowered, objective, disjuncts: None }
    }

    pub fn read(path: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap())
    }

    pub fn parse(text: &str) -> Self {
        let mut network = unmoved_text::parse(text).unwrap();
        let (mut objective, mut disjuncts, mut query) = (None, None, String::new());
        for line in text.lines().filter_map(|l| l.strip_prefix("#: ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["minimise", "feasibility"] => objective = Some(Objective::Feasibility),
                ["minimise", "worst"] => objective = Some(Objective::Worst),
                ["minimise", "closest", "linf"] => objective = Some(Objective::Closest(Norm::Linf)),
                ["minimise", "closest", "l1"] => objective = Some(Objective::Closest(Norm::L1)),
                ["minimise", ..] => panic!("unknown objective: {line}"),
                ["disjuncts", ref list @ ..] => disjuncts = Some(list.iter().map(|i| i.parse().unwrap()).collect()),
                ["slack", layer, weight, bias] => {
                    network = with_slack(&network, layer, weight.parse().unwrap(), bias.parse().unwrap());
                }
                _ => query += &format!("{line}\n"),
            }
        }
        let query = Query::from_text(Arc::new(network), &query).unwrap();
        Self { disjuncts, ..Self::new(query, objective.expect("a line \"#: minimise ...\"")) }
    }

    pub fn milp(&self) -> Milp {
        self.try_milp().unwrap()
    }

    pub fn try_milp(&self) -> Result<Milp, EncodeError> {
        let propagation = Propagation::new(&self.lowered, self.query.region(), Tier::Interval);
        encode(&self.query, &propagation, self.objective, self.disjuncts.as_deref())
    }

    /// The margin of each disjunct that takes part, the largest `g` of its constraints, at an input.
    fn margins(&self, trace: &[Vec<Exact>]) -> Vec<(usize, Rational)> {
        let network = self.query.network();
        let all: Vec<usize> = (0..self.query.unsafe_set().len()).collect();
        let margin = |i: usize| {
            let constraints = &self.query.unsafe_set()[i].0;
            constraints.iter().map(|c| c.value(&trace[0], &trace[network.output().0])).max()
        };
        let disjuncts = self.disjuncts.as_ref().unwrap_or(&all);
        disjuncts.iter().map(|&i| (i, margin(i).unwrap_or(Rational::from(-1)))).collect()
    }

    /// The smallest margin at an input: at most zero where it is unsafe.
    pub fn worst(&self, input: &[f32]) -> Rational {
        let trace = self.trace(self.query.network(), input);
        self.margins(&trace).into_iter().map(|m| m.1).min().unwrap()
    }

    fn trace(&self, network: &Network, input: &[f32]) -> Vec<Vec<Exact>> {
        let input: Vec<Exact> = input.iter().map(|&x| Exact::from_f64(f64::from(x))).collect();
        network.trace(&input).unwrap()
    }

    /// The point of the program that an input leads to. `network` is that of the query, or one within its slack.
    pub fn point(&self, milp: &Milp, network: &Network, input: &[f32]) -> Vec<Rational> {
        let trace = self.trace(network, input);
        let (chosen, margin) = self.margins(&trace).into_iter().min_by(|a, b| a.1.cmp(&b.1)).unwrap();
        let moved = |k: usize| match self.query.region().kind() {
            RegionKind::Ball { centre, .. } => (&trace[0][k] - &Exact::from_f64(centre[k])).abs(),
            RegionKind::Box { .. } => panic!("a box has no centre"),
        };
        let read = |node: NodeId, k: usize| &trace[network.node(node).inputs[0].0][k];
        let binary = |on: bool| if on { Rational::ONE } else { Rational::ZERO };
        let value = |quantity: Quantity| match quantity {
            Quantity::Value { node, element } => trace[node.0][element].to_rational(),
            Quantity::Active { node, element } => binary(read(node, element).signum() > 0),
            Quantity::Largest { node, element, candidate } => {
                let rivals = milp.columns.iter().filter_map(|c| match c.quantity {
                    Quantity::Largest { node: n, element: e, candidate } if (n, e) == (node, element) => {
                        Some(candidate)
                    }
                    _ => None,
                });
                // The first of those that tie.
                let winner = rivals.reduce(|a, b| if read(node, b) > read(node, a) { b } else { a });
                binary(winner == Some(candidate))
            }
            Quantity::Moved { element } => moved(element).to_rational(),
            Quantity::Distance => (0..input.len()).map(moved).max().unwrap().to_rational(),
            Quantity::Chosen { disjunct } => binary(disjunct == chosen),
            Quantity::Margin => margin.clone(),
            Quantity::Dual => unreachable!("no encoding has one"),
        };
        milp.columns.iter().map(|c| value(c.quantity)).collect()
    }

    /// Checks that an input of the region is a point of the program. The rows of the unsafe set bind unsafe inputs only.
    pub fn check_trace(&self, milp: &Milp, network: &Network, input: &[f32]) -> Result<(), String> {
        assert!(self.query.region().contains(input), "the sample is outside the region");
        let point = self.point(milp, network, input);
        let safe = self.objective != Objective::Worst && self.worst(input) > Rational::ZERO;
        let unsafe_rows = milp.sections.last().filter(|_| safe).map_or(0..0, |s| s.rows.clone());
        violations(milp, &point)
            .into_iter()
            .find(|(row, _)| !row.is_some_and(|r| unsafe_rows.contains(&r)))
            .map_or(Ok(()), |(_, what)| Err(format!("{what} at input {input:?}")))
    }
}

/// Every bound and row that a point violates, decided exactly: the row's position and a sentence.
pub fn violations(milp: &Milp, point: &[Rational]) -> Vec<(Option<usize>, String)> {
    let exact = |v: f64| Rational::from_f64(v).expect("finite");
    let mut found = Vec::new();
    for (c, v) in milp.columns.iter().zip(point) {
        if *v < exact(c.lower) || *v > exact(c.upper) || (c.integer && *v != Rational::ZERO && *v != Rational::ONE) {
            found.push((None, format!("{} is {v}, outside [{}, {}]", c.name, c.lower, c.upper)));
        }
    }
    for (k, r) in milp.rows.iter().enumerate() {
        let sum = r.terms.iter().fold(Rational::ZERO, |s, &(c, a)| &s + &(&exact(a) * &point[c]));
        let rhs = exact(r.rhs);
        let holds = match r.sense {
            Sense::AtMost => sum <= rhs,
            Sense::Equal => sum == rhs,
            Sense::AtLeast => sum >= rhs,
        };
        if !holds {
            found.push((Some(k), format!("{}: {sum} {} {} does not hold", r.name, r.sense.symbol(), r.rhs)));
        }
    }
    found
}

/// The cost of a point, exactly.
pub fn cost(milp: &Milp, point: &[Rational]) -> Rational {
    let exact = |v: f64| Rational::from_f64(v).expect("finite");
    milp.cost.terms.iter().fold(exact(milp.cost.constant), |s, &(c, a)| &s + &(&exact(a) * &point[c]))
}

/// Float32 points of the case's region: its corners as far as they are inside, its centre, and random ones.
pub fn samples(case: &Case, count: usize) -> Vec<Vec<f32>> {
    let region = case.query.region();
    let mut random = Random(1);
    let mut points: Vec<Vec<f64>> = (0..count).map(|_| region.sample(|| random.next())).collect();
    for corner in 0..1u32 << region.len().min(6) {
        let b = region.enclosing_box();
        points.push(
            (0..region.len()).map(|k| if corner >> (k % 6) & 1 == 0 { b.lower[k] } else { b.upper[k] }).collect(),
        );
    }
    if let RegionKind::Ball { centre, .. } = region.kind() {
        points.push(centre.clone());
        // One element at a time: the corners of an l1 ball.
        for k in 0..centre.len() {
            let b = region.enclosing_box();
            for end in [b.lower[k], b.upper[k]] {
                let mut p = centre.clone();
                p[k] = end;
                points.push(p);
            }
        }
    }
    points.iter_mut().for_each(|p| region.project(p));
    points.iter().filter_map(|p| region.to_f32_inside(p)).collect()
}

/// The network with slack at one affine layer.
pub fn with_slack(network: &Network, layer: &str, weight: f64, bias: f64) -> Network {
    rebuilt(network, |name, op| {
        let slack = |rows: usize| Some(Slack { weight: vec![weight; rows], bias: vec![bias; rows] });
        match op {
            Op::Dense(d) if name == layer => d.slack = slack(d.outputs()),
            Op::Conv2d(c) if name == layer => c.slack = slack(c.outputs()),
            _ => {}
        }
    })
}

/// The network with every operator passed through `change`.
pub fn rebuilt(network: &Network, mut change: impl FnMut(&str, &mut Op)) -> Network {
    let mut b = Builder::new();
    b.input(&network.input().name, network.input().shape.dims(), network.input_dtype()).unwrap();
    for node in &network.nodes()[1..] {
        let mut op = node.op.clone();
        change(&node.name, &mut op);
        b.push(&node.name, op, &node.inputs).unwrap();
    }
    b.finish(network.output()).unwrap()
}

/// A small generator (xorshift) whose numbers never change.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x1234_5677);
        let mut x = self.0;
        x ^= x >> 31;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 29;
        (x >> 11) as f64 / (1u64 << 53) as f64
    }
}
