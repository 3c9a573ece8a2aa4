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
    log: Vec<Change>,
}

/// An element's bounds before a change.
struct Change {
    node: u32,
    index: u32,
    lower: f64,
    upper: f64,
}

impl Bounds {
    pub(crate) fn unknown(len: usize) -> Self {
        Self { lower: vec![f64::NEG_INFINITY; len], upper: vec![f64::INFINITY; len] }
    }

    /// The largest magnitude among the bounds of element `k`.
    pub(crate) fn magnitude(&self, k: usize) -> f64 {
        self.lower[k].abs().max(self.upper[k].abs())
    }

    /// Elements that may be negative and may be positive.
    pub(crate) fn undecided(&self, k: usize) -> bool {
        self.lower[k] < 0.0 && self.upper[k] > 0.0
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
            self.log.push(Change { node: node as u32, index: index as u32, lower: *l, upper: *u });
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

    /// Makes the present bounds the ones that cannot be taken back.
    pub(crate) fn settle(&mut self) {
        self.log = Vec::new();
    }

    /// Whether some lower bound exceeds its upper bound: then nothing is left to prove.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.iter().flatten().any(|row| row.lower.iter().zip(&row.upper).any(|(l, u)| l > u))
    }
}
