//! The best multipliers of a linear bound, as a linear program: the dual of the relaxation in which each ReLU is the hull of its
//! graph, written in the terms of the checker's own formula.
//!
//! Its unknowns are one weight per constraint and one `mu` per undecided ReLU; adjoints are linear in them, and so is the bound
//! but for the loss `t` at each ReLU, of which the program knows that it is at least `mu v - a relu(v)` at the ends of the
//! bounds and at zero. A split drops one of these two ends. Whatever values a solver returns are multipliers, and sound: the
//! checker evaluates them.

use crate::encode::{Affine, EncodeError};
use crate::milp::{Column, Cost, Milp, Quantity, Row, Sense};
use crate::solve::{Limits, Reoptimise, Solver, SolverError, Status};
use unmoved_bounds::engine::Known;
use unmoved_check::{LinearForm, Multipliers};
use unmoved_ir::{Lowered, NodeId, Op};
use unmoved_property::{Constraint, InputRegion, Norm, RegionKind};

/// The program of one conjunction of constraints: how large can a bound of a weighted mean of them be?
#[derive(Debug)]
pub struct DualProgram {
    milp: Milp,
    lambda: Vec<usize>,
    relus: Vec<Undecided>,
    /// The size of the bound's terms as a linear function of the sizes of columns, and what it is at least.
    size: Terms,
    least_size: f64,
}

/// A ReLU element that the bounds leave undecided and that the constraints depend on.
#[derive(Debug)]
struct Undecided {
    relu: NodeId,
    node: NodeId,
    element: usize,
    lower: f64,
    upper: f64,
    /// Its adjoint as a linear function of columns.
    adjoint: Terms,
    mu: usize,
    /// Slack columns of the loss at the lower and at the upper end: free where a split cuts that end off.
    cut: [usize; 2],
}

type Terms = Vec<(usize, f64)>;

/// The terms of a bound count as no smaller than this share of the largest coefficient.
const LEAST_SIZE: f64 = 1e-6;

/// One case of a ReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    /// The node that the ReLU reads.
    pub node: NodeId,
    /// The element of its value.
    pub element: usize,
    /// `z >= 0`, not `z <= 0`.
    pub active: bool,
}

/// Multipliers, and what a solver made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Dual {
    /// Their bound, within the solver's tolerance; not above what was asked for as enough.
    pub bound: f64,
    /// How large the terms are that the bound is the sum of.
    pub size: f64,
    /// For a checker.
    pub form: LinearForm,
    /// The element to split next, by the node that its ReLU reads; absent if all are split.
    pub branch: Option<(NodeId, usize)>,
}

impl DualProgram {
    /// The program over the bounds that a checker has. Weights that an import has rounded are taken as they are.
    ///
    /// # Errors
    /// [`EncodeError::L2`] for a Euclidean ball, [`EncodeError::NoConstraint`] where there is nothing to bound,
    /// [`EncodeError::Unbounded`] where a ReLU has no finite bounds.
    pub fn new<'a>(
        lowered: &Lowered,
        region: &InputRegion,
        known: impl Fn(NodeId) -> Option<Known<'a>>,
        constraints: &[Constraint],
    ) -> Result<Self, EncodeError> {
        if let RegionKind::Ball { norm: Norm::L2, .. } = region.kind() {
            return Err(EncodeError::L2("ball"));
        }
        if constraints.is_empty() {
            return Err(EncodeError::NoConstraint(0));
        }
        let network = &lowered.network;
        let mut build = Build::default();
        let mut adjoints: Vec<Vec<Terms>> = network.nodes().iter().map(|n| vec![Terms::new(); n.shape.len()]).collect();
        let lambda: Vec<usize> = constraints.iter().map(|_| build.column(0.0, f64::INFINITY)).collect();
        build.row(lambda.iter().map(|&l| (l, 1.0)).collect(), Sense::Equal, 1.0);
        for (&l, constraint) in lambda.iter().zip(constraints) {
            build.gain(l, constraint.constant.to_f64());
            for (k, c) in &constraint.outputs {
                adjoints[network.output().0][*k].push((l, c.to_f64()));
            }
            constraint.inputs.iter().for_each(|(i, c)| adjoints[0][*i].push((l, c.to_f64())));
        }
        let mut relus = Vec::new();
        for (id, node) in network.iter().skip(1).rev() {
            let own: Vec<Terms> = std::mem::take(&mut adjoints[id.0]).into_iter().map(merged).collect();
            let read = node.inputs[0];
            match &node.op {
                Op::Relu => {
                    let bounds = known(read).ok_or_else(|| EncodeError::Unbounded(node.name.clone()))?;
                    for (element, adjoint) in own.into_iter().enumerate().filter(|(_, a)| !a.is_empty()) {
                        let (lower, upper) = (bounds.lower[element], bounds.upper[element]);
                        if !(lower.is_finite() && upper.is_finite()) {
                            return Err(EncodeError::Unbounded(node.name.clone()));
                        }
                        let below = &mut adjoints[read.0][element];
                        // What is both dead and active, zero, counts as dead, as it does for the checker.
                        if upper <= 0.0 {
                            continue;
                        }
                        if lower >= 0.0 {
                            below.extend(adjoint);
                        } else {
                            let (mu, cut) = build.relu(&adjoint, lower, upper);
                            below.push((mu, 1.0));
                            relus.push(Undecided { relu: id, node: read, element, lower, upper, adjoint, mu, cut });
                        }
                    }
                }
                Op::Dense(_) | Op::Conv2d(_) => {
                    let layer = Affine::new(network, node).expect("affine nodes have layers");
                    for (k, adjoint) in own.into_iter().enumerate().filter(|(_, a)| !a.is_empty()) {
                        let (column, factor) = build.alone(adjoint);
                        build.gain(column, factor * layer.bias(k));
                        layer.row(k, |i, w| adjoints[read.0][i].push((column, factor * w)));
                    }
                }
                Op::Gather(map) => {
                    for (source, adjoint) in map.index.iter().zip(own) {
                        source.iter().for_each(|&i| adjoints[read.0][i as usize].extend_from_slice(&adjoint));
                    }
                }
                Op::Flatten | Op::Add => {
                    for input in &node.inputs {
                        adjoints[input.0].iter_mut().zip(&own).for_each(|(below, a)| below.extend_from_slice(a));
                    }
                }
                Op::MaxPool(_) | Op::Input(_) => unreachable!("max-pools are lowered and the input is first"),
            }
        }
        build.region(std::mem::take(&mut adjoints[0]).into_iter().map(merged), region);
        relus.reverse();
        let coefficients = constraints.iter().flat_map(|c| c.outputs.iter().chain(&c.inputs));
        let least_size = LEAST_SIZE * coefficients.map(|(_, c)| c.to_f64().abs()).fold(f64::MIN_POSITIVE, f64::max);
        // Before terms of the same column meet: what cancels out has been rounded all the same.
        let size = merged(build.gain.iter().map(|&(c, a)| (c, a.abs())).collect());
        Ok(Self { milp: build.finish(), lambda, relus, size, least_size })
    }

    /// Loads the program into a solver.
    ///
    /// # Errors
    /// What the solver refuses.
    pub fn load<'s>(&'s self, solver: &'s dyn Solver) -> Result<DualSession<'s>, SolverError> {
        let mut session = DualSession { program: self, solver: solver.load(&self.milp)?, enough: f64::INFINITY };
        session.limit(f64::INFINITY);
        Ok(session)
    }
}

/// A program in a solver, to be solved for one set of splits after another.
pub struct DualSession<'s> {
    program: &'s DualProgram,
    solver: Box<dyn Reoptimise + 's>,
    enough: f64,
}

impl DualSession<'_> {
    /// Asks for no bound beyond this, which keeps finite what an impossible case leaves unbounded.
    pub fn limit(&mut self, enough: f64) {
        self.enough = enough;
        self.solver.set_bounds(CAP, f64::NEG_INFINITY, enough);
    }

    /// The best multipliers where ReLUs are split so; `None` if the solver found none: time, numerical trouble.
    ///
    /// # Errors
    /// The solver failed.
    pub fn solve(&mut self, splits: &[Phase], limits: &Limits) -> Result<Option<Dual>, SolverError> {
        let Self { program, solver, .. } = self;
        for r in &program.relus {
            let split = phase(splits, r);
            for (column, is_cut) in r.cut.iter().zip([split == Some(true), split == Some(false)]) {
                solver.set_bounds(*column, 0.0, if is_cut { f64::INFINITY } else { 0.0 });
            }
        }
        let solution = solver.minimise(&program.milp.cost, limits)?;
        let (Status::Optimal, Some(values)) = (solution.status, solution.values) else { return Ok(None) };
        let size: f64 = program.size.iter().map(|&(c, a)| a * values[c].abs()).sum();
        let (form, branch) = (program.form(&values), program.branch(&values, splits));
        Ok(Some(Dual { bound: values[CAP], size: size.max(program.least_size), form, branch }))
    }
}

/// Which phase a ReLU is in by a split.
fn phase(splits: &[Phase], r: &Undecided) -> Option<bool> {
    splits.iter().find(|s| s.node == r.node && s.element == r.element).map(|s| s.active)
}

impl DualProgram {
    fn form(&self, values: &[f64]) -> LinearForm {
        let lambda = self.lambda.iter().map(|&l| values[l].max(0.0)).collect();
        let mut multipliers: Vec<Multipliers> = Vec::new();
        for r in &self.relus {
            if multipliers.last().is_none_or(|m| m.relu != r.relu) {
                multipliers.push(Multipliers { relu: r.relu, slopes: Vec::new(), raw: Vec::new() });
            }
            let last = multipliers.last_mut().expect("just pushed");
            last.raw.push((r.element as u32, values[r.mu]));
        }
        multipliers.iter_mut().for_each(|m| m.raw.sort_unstable_by_key(|r| r.0));
        LinearForm { lambda, multipliers }
    }

    /// The element whose hull is the farthest above its graph, by its adjoint: with the best multipliers only a negative one
    /// feels that. Where none is negative any split will do.
    fn branch(&self, values: &[f64], splits: &[Phase]) -> Option<(NodeId, usize)> {
        let score = |r: &Undecided| {
            let a = value(&r.adjoint, values);
            let height = r.upper * -r.lower / (r.upper - r.lower);
            a.abs() * height * if a < 0.0 { 1.0 } else { 1e-3 }
        };
        let free = self.relus.iter().filter(|r| phase(splits, r).is_none());
        free.map(|r| (score(r), r)).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, r)| (r.node, r.element))
    }
}

fn value(terms: &Terms, values: &[f64]) -> f64 {
    terms.iter().map(|&(c, a)| a * values[c]).sum()
}

/// Every column once.
fn merged(mut terms: Terms) -> Terms {
    terms.sort_by_key(|t| t.0);
    terms.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    terms.retain(|t| t.1 != 0.0);
    terms
}

/// The bound is the first column; the row that says what it is comes first.
const CAP: usize = 0;

struct Build {
    milp: Milp,
    /// The bound, but for its sign, as a linear function of columns.
    gain: Terms,
}

impl Default for Build {
    fn default() -> Self {
        let mut build = Self { milp: Milp::default(), gain: Vec::new() };
        build.column(f64::NEG_INFINITY, f64::INFINITY);
        // Its terms are known at the end.
        build.row(Vec::new(), Sense::AtMost, 0.0);
        build.milp.cost = Cost { terms: vec![(CAP, -1.0)], constant: 0.0 };
        build
    }
}

impl Build {
    fn column(&mut self, lower: f64, upper: f64) -> usize {
        let name = format!("dual.{}", self.milp.columns.len());
        self.milp.columns.push(Column { name, lower, upper, integer: false, quantity: Quantity::Dual });
        self.milp.columns.len() - 1
    }

    fn row(&mut self, terms: Terms, sense: Sense, rhs: f64) {
        let name = format!("dual.{}", self.milp.rows.len());
        self.milp.rows.push(Row { name, terms: merged(terms), sense, rhs });
    }

    fn gain(&mut self, column: usize, coefficient: f64) {
        self.gain.push((column, coefficient));
    }

    /// A linear function as one column with a factor.
    fn alone(&mut self, terms: Terms) -> (usize, f64) {
        if let [one] = terms[..] {
            return one;
        }
        let column = self.column(f64::NEG_INFINITY, f64::INFINITY);
        self.row(terms.into_iter().chain([(column, -1.0)]).collect(), Sense::Equal, 0.0);
        (column, 1.0)
    }

    /// `mu`, and the loss `t >= max(0, mu l, (mu - a) u)`, where each end may be cut off.
    fn relu(&mut self, adjoint: &Terms, lower: f64, upper: f64) -> (usize, [usize; 2]) {
        let mu = self.column(f64::NEG_INFINITY, f64::INFINITY);
        let loss = self.column(0.0, f64::INFINITY);
        let cut = [self.column(0.0, 0.0), self.column(0.0, 0.0)];
        self.row(vec![(loss, 1.0), (mu, -lower), (cut[0], 1.0)], Sense::AtLeast, 0.0);
        let scaled = adjoint.iter().map(|&(c, a)| (c, a * upper));
        let terms = [(loss, 1.0), (mu, -upper), (cut[1], 1.0)].into_iter().chain(scaled).collect();
        self.row(terms, Sense::AtLeast, 0.0);
        self.gain(loss, -1.0);
        (mu, cut)
    }

    /// The least that the adjoints of the input, times the input, can be: `l q+ - u q-` over a box; of an l1 ball some part
    /// `p` of the adjoint is charged to the ball, at `p c - eps max |p|`.
    fn region(&mut self, adjoints: impl Iterator<Item = Terms>, region: &InputRegion) {
        let limits = region.enclosing_box();
        let ball = match region.kind() {
            RegionKind::Ball { centre, norm: Norm::L1, eps, .. } => {
                let largest = self.column(0.0, f64::INFINITY);
                self.gain(largest, -eps.round_up());
                Some((centre, largest))
            }
            _ => None,
        };
        for (i, adjoint) in adjoints.enumerate().filter(|(_, a)| !a.is_empty()) {
            let (rising, falling) = (self.column(0.0, f64::INFINITY), self.column(0.0, f64::INFINITY));
            self.gain(rising, limits.lower[i]);
            self.gain(falling, -limits.upper[i]);
            let mut terms = adjoint;
            terms.extend([(rising, -1.0), (falling, 1.0)]);
            if let Some((centre, largest)) = ball {
                let part = self.column(f64::NEG_INFINITY, f64::INFINITY);
                self.gain(part, centre[i]);
                self.row(vec![(largest, 1.0), (part, -1.0)], Sense::AtLeast, 0.0);
                self.row(vec![(largest, 1.0), (part, 1.0)], Sense::AtLeast, 0.0);
                terms.push((part, -1.0));
            }
            self.row(terms, Sense::Equal, 0.0);
        }
    }

    fn finish(mut self) -> Milp {
        let gain = merged(self.gain).into_iter().map(|(c, a)| (c, -a));
        self.milp.rows[0].terms = [(CAP, 1.0)].into_iter().chain(gain).collect();
        self.milp
    }
}
