//! What splits have brought so far: pseudo-costs, as mixed integer programming has them (Bénichou et al., 1971).

use unmoved_bounds::engine::Descent;

/// How often each ReLU counts as split with average success before it was split at all.
const PRIOR: f32 = 1.0;

/// What the splits of one goal's ReLUs have gained, and what was expected of them.
pub(crate) struct History {
    /// By ReLU and case, inactive and active.
    splits: Vec<[Sum; 2]>,
    all: [Sum; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    expected: f32,
    gained: f32,
    count: f32,
}

/// A ReLU to split, and what is expected of that.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Branch {
    pub(crate) relu: u32,
    pub(crate) expected: f32,
}

impl History {
    pub(crate) fn new(relus: usize) -> Self {
        Self { splits: vec![[Sum::default(); 2]; relus], all: [Sum::default(); 2] }
    }

    /// In this case (0 inactive, 1 active) a split has raised the bound by `gained`.
    pub(crate) fn learn(&mut self, branch: Branch, case: usize, gained: f32) {
        for sum in [&mut self.splits[branch.relu as usize][case], &mut self.all[case]] {
            sum.expected += branch.expected;
            sum.gained += gained;
            sum.count += 1.0;
        }
    }

    /// The ReLU of a subproblem whose split promises most: its gap, corrected by what its splits have brought elsewhere,
    /// both cases multiplied (Achterberg, Koch, Martin, 2005).
    pub(crate) fn branch(&self, descent: &Descent<'_>, lane: usize) -> Option<Branch> {
        // A ReLU's own record is mixed with that of an average one.
        let average = self.all.map(|all| {
            if all.count == 0.0 {
                return [1.0; 2];
            }
            [all.expected, all.gained.max(1e-6 * all.expected)].map(|sum| PRIOR * sum.max(1e-20) / all.count)
        });
        let mut best = None;
        let mut most = f32::NEG_INFINITY;
        for (relu, expected) in descent.promises(lane) {
            let gain = |case: usize| {
                let (sum, [before, gained]) = (&self.splits[relu][case], average[case]);
                expected * (gained + sum.gained) / (before + sum.expected)
            };
            let promise = gain(0).max(1e-9) * gain(1).max(1e-9);
            if promise > most {
                (best, most) = (Some(Branch { relu: relu as u32, expected }), promise);
            }
        }
        best
    }
}
