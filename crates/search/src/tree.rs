//! The proof tree while it grows.

use unmoved_bounds::LEANING;
use unmoved_bounds::engine::{Compact, Descent};
use unmoved_check::{LiftedElement, LinearForm, Multipliers, Step};

/// A place in the tree.
pub(crate) type Place = u32;

/// What stands at a place.
#[derive(Debug)]
enum Node {
    Open,
    Leaf(Box<Step>),
    /// The ReLU's number, and where its two cases are: inactive, active.
    Split(u32, [Place; 2]),
}

/// Case distinctions of one or more disjuncts; grows at its open places.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    bytes: usize,
}

impl Tree {
    /// A new root.
    pub(crate) fn root(&mut self) -> Place {
        self.nodes.push(Node::Open);
        (self.nodes.len() - 1) as Place
    }

    /// Turns an open place into a split and gives the places of its cases: inactive, active.
    pub(crate) fn split(&mut self, place: Place, relu: u32) -> [Place; 2] {
        let cases = [self.root(), self.root()];
        self.nodes[place as usize] = Node::Split(relu, cases);
        cases
    }

    /// Proves an open place.
    pub(crate) fn close(&mut self, place: Place, leaf: Step) {
        self.bytes += bytes(&leaf);
        self.nodes[place as usize] = Node::Leaf(Box::new(leaf));
    }

    /// What the multipliers of its leaves take up.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The steps of a finished subtree in preorder; `None` if something is still open.
    pub(crate) fn steps(&self, root: Place, compact: &Compact, steps: &mut Vec<Step>) -> Option<()> {
        let mut waiting = vec![root];
        while let Some(place) = waiting.pop() {
            match &self.nodes[place as usize] {
                Node::Open => return None,
                Node::Leaf(leaf) => steps.push((**leaf).clone()),
                Node::Split(relu, [inactive, active]) => {
                    let split = compact.unstable()[*relu as usize];
                    steps.push(Step::SplitRelu { node: split.node, index: split.position });
                    waiting.push(*active);
                    waiting.push(*inactive);
                }
            }
        }
        Some(())
    }
}

/// What a leaf's multipliers take up.
fn bytes(leaf: &Step) -> usize {
    let entries = |m: &Multipliers| m.slopes.len() * size_of::<(u32, u8)>() + m.raw.len() * size_of::<(u32, f64)>();
    let linear = |form: &LinearForm| form.multipliers.iter().map(entries).sum::<usize>();
    match leaf {
        Step::Linear(form) => linear(form),
        Step::Quadratic(quadratic) => {
            let lifted: usize = quadratic.lifted.iter().map(|l| l.elements.len()).sum();
            linear(&quadratic.form) + lifted * size_of::<LiftedElement>() + quadratic.inputs.len() * size_of::<f32>()
        }
        _ => 0,
    }
}

/// The leaf of a lane's best bound: its multipliers, as far as they differ from the checker's own rule.
pub(crate) fn leaf(compact: &Compact, descent: &Descent<'_>, lane: usize, lambda: Vec<f64>) -> Step {
    let mut multipliers: Vec<Multipliers> = Vec::new();
    for (j, u) in compact.unstable().iter().enumerate() {
        let at = descent.at(j, lane);
        let slope = (at.slope * 255.0).round() as u8;
        // Near where the rule turns it may hang on rounding.
        let leaning = LEANING as f32 * u.upper + u.lower;
        let near = leaning.abs() <= 1e-5 * (u.upper - u.lower);
        let by_rule = if leaning > 0.0 { 255 } else { 0 };
        let line = if at.adjoint < 0.0 { at.chord } else { at.slope };
        let raw = (at.shift != 0.0).then_some(at.adjoint * line + at.shift);
        // Where the adjoint is not positive the slope does not matter.
        let slope =
            (raw.is_none() && at.side.is_none() && at.adjoint > 0.0 && (near || slope != by_rule)).then_some(slope);
        if raw.is_none() && slope.is_none() {
            continue;
        }
        if multipliers.last().is_none_or(|m| m.relu != u.relu) {
            multipliers.push(Multipliers { relu: u.relu, slopes: Vec::new(), raw: Vec::new() });
        }
        let last = multipliers.last_mut().expect("just pushed");
        last.raw.extend(raw.map(|mu| (u.position, f64::from(mu))));
        last.slopes.extend(slope.map(|s| (u.position, s)));
    }
    for m in &mut multipliers {
        m.slopes.sort_unstable_by_key(|s| s.0);
        m.raw.sort_unstable_by_key(|r| r.0);
    }
    Step::Linear(LinearForm { lambda, multipliers })
}
