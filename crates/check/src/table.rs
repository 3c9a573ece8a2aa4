//! The bound table: what is known of the input and of every pre-activation, with a log that takes changes back.

/// Bounds of every element of one value.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// Lower bounds.
    pub lower: Vec<f64>,
    /// Upper bounds.
    pub upper: Vec<f64>,
}

/// Bounds of the tabled nodes (none for others). Node 0, the input, holds the box.
pub(crate) struct Table {
    pub(crate) rows: Vec<Option<Bounds>>,
    /// The bounds that each change replaced.
    log: Vec<Case>,
}

/// Bounds of one element, other than those of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) node: u32,
    pub(crate) index: u32,
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl Bounds {
    pub(crate) fn unknown(len: usize) -> Self {
        Self { lower: vec![f64::NEG_INFINITY; len], upper: vec![f64::INFINITY; len] }
    }

    /// The largest magnitude among the bounds of element `k`.
    pub(crate) fn magnitude(&self, k: usize) -> f64 {
        self.lower[k].abs().max(self.upper[k].abs())
    }

    /// Elements that may be zero: a bound that is exactly zero is so in exact arithmetic only, and both are to compute the same bounds.
    pub(crate) fn undecided(&self, k: usize) -> bool {
        self.lower[k] <= 0.0 && self.upper[k] >= 0.0
    }
}

impl Table {
    pub(crate) fn new(tabled: &[bool], len: impl Fn(usize) -> usize) -> Self {
        let row = |(node, tabled): (usize, &bool)| tabled.then(|| Bounds::unknown(len(node)));
        Self { rows: tabled.iter().enumerate().map(row).collect(), log: Vec::new() }
    }

    /// The box of inputs.
    pub(crate) fn input(&self) -> &Bounds {
        self.rows[0].as_ref().expect("the input is tabled")
    }

    /// Intersects the bounds of one element of a tabled node with others; bounds that are NaN change nothing.
    pub(crate) fn tighten(&mut self, node: usize, index: usize, lower: f64, upper: f64) {
        let Some(row) = &mut self.rows[node] else { return };
        let (l, u) = (&mut row.lower[index], &mut row.upper[index]);
        if lower > *l || upper < *u {
            self.log.push(Case { node: node as u32, index: index as u32, lower: *l, upper: *u });
            if lower > *l {
                *l = lower;
            }
            if upper < *u {
                *u = upper;
            }
        }
    }

    /// How many changes were made; [`Table::restore`] goes back to it.
    pub(crate) fn changes(&self) -> usize {
        self.log.len()
    }

    /// Takes back all changes but the first `changes`.
    pub(crate) fn restore(&mut self, changes: usize) {
        while self.log.len() > changes {
            let Some(change) = self.log.pop() else { return };
            if let Some(row) = &mut self.rows[change.node as usize] {
                row.lower[change.index as usize] = change.lower;
                row.upper[change.index as usize] = change.upper;
            }
        }
    }

    /// The elements whose bounds were changed after the first `changes` changes, with their present bounds, by node and index. These
    /// lie within those that the elements had then.
    pub(crate) fn since(&self, changes: usize) -> Vec<Case> {
        let mut cases = self.log[changes..].to_vec();
        cases.sort_unstable_by_key(|case| (case.node, case.index));
        cases.dedup_by_key(|case| (case.node, case.index));
        for case in &mut cases {
            if let Some(row) = &self.rows[case.node as usize] {
                (case.lower, case.upper) = (row.lower[case.index as usize], row.upper[case.index as usize]);
            }
        }
        cases
    }

    /// Back to how the table was after the first `changes` changes, until [`Table::put_back`].
    pub(crate) fn set_aside(&mut self, changes: usize) {
        (changes..self.log.len()).rev().for_each(|change| self.swap(change));
    }

    /// Makes the changes again that were set aside.
    pub(crate) fn put_back(&mut self, changes: usize) {
        (changes..self.log.len()).for_each(|change| self.swap(change));
    }

    /// Exchanges the bounds in the log with those in the table.
    fn swap(&mut self, change: usize) {
        let case = &mut self.log[change];
        if let Some(row) = &mut self.rows[case.node as usize] {
            std::mem::swap(&mut case.lower, &mut row.lower[case.index as usize]);
            std::mem::swap(&mut case.upper, &mut row.upper[case.index as usize]);
        }
    }

    /// Makes the present bounds the ones that cannot be taken back.
    pub(crate) fn settle(&mut self) {
        self.log = Vec::new();
    }

    /// The same bounds, none of which can be taken back.
    pub(crate) fn settled(&self) -> Self {
        Self { rows: self.rows.clone(), log: Vec::new() }
    }

    /// How many elements have bounds.
    pub(crate) fn bounds(&self) -> usize {
        self.rows.iter().flatten().map(|row| row.lower.len()).sum()
    }

    /// Whether some lower bound exceeds its upper bound: then nothing is left to prove.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.iter().flatten().any(|row| row.lower.iter().zip(&row.upper).any(|(l, u)| l > u))
    }
}
