//! A mixed integer linear program as plain ordered data.

use std::ops::Range;
use unmoved_ir::NodeId;

/// Minimise the cost over the columns such that every row holds. Columns and rows stand in network order, and so
/// do the sections that divide them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Milp {
    /// One per layer of the network, then what the objective adds.
    pub sections: Vec<Section>,
    /// The unknowns.
    pub columns: Vec<Column>,
    /// The constraints.
    pub rows: Vec<Row>,
    /// What is minimised; always a minimum, never a maximum.
    pub cost: Cost,
}

/// A run of columns and rows that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// For people: `layer a1 = relu [2], 1 unstable`.
    pub title: String,
    /// Its columns.
    pub columns: Range<usize>,
    /// Its rows.
    pub rows: Range<usize>,
}

/// An unknown.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// `layer.index` or `layer.index:role`; `layer[channel,row,column]` for images. Unique among columns.
    pub name: String,
    /// The least value, possibly minus infinity.
    pub lower: f64,
    /// The largest value, possibly infinity.
    pub upper: f64,
    /// Takes whole values only; here always 0 or 1.
    pub integer: bool,
    /// What the column stands for.
    pub quantity: Quantity,
}

/// What a column stands for, so that a point of the program can be made from an input and the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// An element of the value of a node.
    Value {
        /// The node.
        node: NodeId,
        /// The position in its value, row-major.
        element: usize,
    },
    /// 1 where the pre-activation of a ReLU is positive, 0 where it is negative, either where it is zero.
    Active {
        /// The ReLU.
        node: NodeId,
        /// The position in its value.
        element: usize,
    },
    /// 1 for the one candidate of a max-pool's window that is taken as its largest.
    Largest {
        /// The max-pool.
        node: NodeId,
        /// The position in its value.
        element: usize,
        /// The position of the candidate in the pool's input.
        candidate: usize,
    },
    /// How far an input element is from the centre, or more.
    Moved {
        /// The position in the input.
        element: usize,
    },
    /// The largest distance of an input element from the centre, or more.
    Distance,
    /// 1 for the one disjunct of the unsafe set that is to hold.
    Chosen {
        /// The position of the disjunct in the query.
        disjunct: usize,
    },
    /// The largest left side of the chosen disjunct's constraints, or more.
    Margin,
    /// Something of a dual program, in which no point of the network is looked for.
    Dual,
}

/// A linear constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// `layer.index:role`. Unique among rows.
    pub name: String,
    /// Columns with their coefficients; none twice, none zero.
    pub terms: Vec<(usize, f64)>,
    /// How the sum of the terms relates to `rhs`.
    pub sense: Sense,
    /// The constant on the right-hand side.
    pub rhs: f64,
}

/// The relation of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// `<=`
    AtMost,
    /// `=`
    Equal,
    /// `>=`
    AtLeast,
}

impl Sense {
    /// `<=`, `=` or `>=`.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::Equal => "=",
            Self::AtLeast => ">=",
        }
    }
}

/// A linear function to be minimised.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cost {
    /// Columns with their coefficients; none twice, none zero. Empty if any feasible point will do.
    pub terms: Vec<(usize, f64)>,
    /// The constant term.
    pub constant: f64,
}

impl Milp {
    /// The number of columns that take whole values only.
    pub fn integers(&self) -> usize {
        self.columns.iter().filter(|c| c.integer).count()
    }

    /// The number of coefficients of all rows.
    pub fn nonzeros(&self) -> usize {
        self.rows.iter().map(|r| r.terms.len()).sum()
    }

    /// The linear relaxation: every column may take any value between its bounds.
    pub fn relaxed(&self) -> Self {
        let mut relaxed = self.clone();
        relaxed.columns.iter_mut().for_each(|c| c.integer = false);
        relaxed
    }

    /// The column that stands for a quantity, if there is one.
    pub fn column(&self, quantity: Quantity) -> Option<usize> {
        self.columns.iter().position(|c| c.quantity == quantity)
    }

    /// The network's input in a point of the program (one value per column).
    pub fn input(&self, values: &[f64]) -> Vec<f64> {
        let is_input = |c: &Column| matches!(c.quantity, Quantity::Value { node: NodeId(0), .. });
        self.columns.iter().zip(values).filter(|(c, _)| is_input(c)).map(|(_, v)| *v).collect()
    }
}

impl Cost {
    /// The value at a point, in floating point.
    pub fn value(&self, values: &[f64]) -> f64 {
        self.constant + self.terms.iter().map(|&(c, a)| a * values[c]).sum::<f64>()
    }
}
