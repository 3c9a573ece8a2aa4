//! A program while it is being written.

use super::EncodeError;
use crate::milp::{Column, Milp, Quantity, Row, Section, Sense};
use std::fmt::Write as _;
use unmoved_ir::{Network, NodeId, Shape};

pub(crate) struct Program {
    milp: Milp,
    /// The names of the network's nodes, which sections of our own must not repeat.
    layers: Vec<String>,
    /// The first finding that no solver should be asked about.
    fault: Option<EncodeError>,
}

impl Program {
    pub(crate) fn new(network: &Network) -> Self {
        let layers = network.nodes().iter().map(|n| n.name.clone()).collect();
        Self { milp: Milp::default(), layers, fault: None }
    }

    /// `name`, or with as many underscores behind it as make it differ from every layer's name.
    pub(crate) fn fresh(&self, name: &str) -> String {
        let mut name = name.to_owned();
        while self.layers.contains(&name) {
            name.push('_');
        }
        name
    }

    /// Starts the section that all further columns and rows belong to.
    pub(crate) fn section(&mut self, title: String) {
        let (columns, rows) = (self.milp.columns.len(), self.milp.rows.len());
        self.milp.sections.push(Section { title, columns: columns..columns, rows: rows..rows });
    }

    /// Adds to the title of the current section.
    pub(crate) fn annotate(&mut self, remark: &str) {
        if let Some(section) = self.milp.sections.last_mut() {
            section.title.push_str(remark);
        }
    }

    pub(crate) fn column(&mut self, name: String, [lower, upper]: [f64; 2], quantity: Quantity) -> usize {
        if lower > upper || lower.is_nan() || upper.is_nan() {
            self.fault.get_or_insert(EncodeError::Empty(name.clone()));
        }
        self.push(Column { name, lower, upper, integer: false, quantity })
    }

    pub(crate) fn binary(&mut self, name: String, quantity: Quantity) -> usize {
        self.push(Column { name, lower: 0.0, upper: 1.0, integer: true, quantity })
    }

    fn push(&mut self, column: Column) -> usize {
        self.milp.columns.push(column);
        let end = self.milp.columns.len();
        if let Some(section) = self.milp.sections.last_mut() {
            section.columns.end = end;
        }
        end - 1
    }

    pub(crate) fn row(&mut self, name: String, terms: Vec<(usize, f64)>, sense: Sense, rhs: f64) {
        // A big-M that overflowed leaves a coefficient or a right-hand side that is no number.
        if !rhs.is_finite() || terms.iter().any(|(_, a)| !a.is_finite()) {
            self.fault.get_or_insert(EncodeError::Unbounded(name.clone()));
        }
        self.milp.rows.push(Row { name, terms, sense, rhs });
        if let Some(section) = self.milp.sections.last_mut() {
            section.rows.end = self.milp.rows.len();
        }
    }

    pub(crate) fn minimise(&mut self, terms: Vec<(usize, f64)>, constant: f64) {
        self.milp.cost.terms = terms;
        self.milp.cost.constant = constant;
    }

    pub(crate) fn finish(self) -> Result<Milp, EncodeError> {
        self.fault.map_or(Ok(self.milp), Err)
    }
}

/// `fc.3` for element 3 of a vector, `conv[0,2,1]` for one of an image.
pub(crate) fn element_name(layer: &str, shape: &Shape, k: usize) -> String {
    let dims = shape.dims();
    if dims.len() == 1 {
        return format!("{layer}.{k}");
    }
    let mut name = format!("{layer}[");
    let mut stride = shape.len();
    for (axis, d) in dims.iter().enumerate() {
        stride /= d;
        let _ = write!(name, "{}{}", if axis == 0 { "" } else { "," }, k / stride % d);
    }
    name.push(']');
    name
}

/// The column of an element of the network's input: they come first.
pub(crate) fn input_quantity(element: usize) -> Quantity {
    Quantity::Value { node: NodeId(0), element }
}
