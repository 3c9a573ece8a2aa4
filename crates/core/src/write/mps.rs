//! Free MPS format.

use super::names;
use super::number::Number;
use crate::milp::{Milp, Sense};
use std::io::{self, Write};

impl Milp {
    /// Writes the program in free MPS format. Names are encoded so that [`crate::decode_name`] restores them; every number
    /// reads back to the same bits. The constant of the cost is the negated right-hand side of its row, as usual.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_mps(&self, out: &mut impl Write) -> io::Result<()> {
        let rows: Vec<String> = self.rows.iter().enumerate().map(|(k, r)| names::encode(&r.name, 'r', k)).collect();
        writeln!(out, "NAME unmoved FREE\nROWS\n N cost")?;
        for (row, name) in self.rows.iter().zip(&rows) {
            let kind = match row.sense {
                Sense::AtMost => 'L',
                Sense::Equal => 'E',
                Sense::AtLeast => 'G',
            };
            writeln!(out, " {kind} {name}")?;
        }
        writeln!(out, "COLUMNS")?;
        let mut integer = false;
        for (k, (column, terms)) in self.columns.iter().zip(self.by_column()).enumerate() {
            if column.integer != integer {
                integer = column.integer;
                writeln!(out, " MARKER 'MARKER' '{}'", if integer { "INTORG" } else { "INTEND" })?;
            }
            let name = names::encode(&column.name, 'c', k);
            // A column without any entry would not exist for the reader.
            let cost = self.cost.terms.iter().find(|(c, _)| *c == k).map(|t| t.1);
            if cost.is_some() || terms.is_empty() {
                writeln!(out, " {name} cost {}", Number(cost.unwrap_or(0.0)))?;
            }
            for (row, a) in terms {
                writeln!(out, " {name} {} {}", rows[row], Number(a))?;
            }
        }
        if integer {
            writeln!(out, " MARKER 'MARKER' 'INTEND'")?;
        }
        writeln!(out, "RHS")?;
        if self.cost.constant != 0.0 {
            writeln!(out, " rhs cost {}", Number(-self.cost.constant))?;
        }
        for (row, name) in self.rows.iter().zip(&rows).filter(|(r, _)| r.rhs != 0.0) {
            writeln!(out, " rhs {name} {}", Number(row.rhs))?;
        }
        writeln!(out, "BOUNDS")?;
        for (k, column) in self.columns.iter().enumerate() {
            let name = names::encode(&column.name, 'c', k);
            match (column.lower, column.upper) {
                _ if column.integer => writeln!(out, " BV bounds {name}")?,
                (f64::NEG_INFINITY, f64::INFINITY) => writeln!(out, " FR bounds {name}")?,
                (l, u) => {
                    let (low, high) = (l.is_finite(), u.is_finite());
                    if low {
                        writeln!(out, " LO bounds {name} {}", Number(l))?;
                    } else {
                        writeln!(out, " MI bounds {name}")?;
                    }
                    if high {
                        writeln!(out, " UP bounds {name} {}", Number(u))?;
                    }
                }
            }
        }
        writeln!(out, "ENDATA")
    }

    /// The entries of each column as rows with coefficients.
    fn by_column(&self) -> Vec<Vec<(usize, f64)>> {
        let mut columns = vec![Vec::new(); self.columns.len()];
        for (r, row) in self.rows.iter().enumerate() {
            row.terms.iter().for_each(|&(c, a)| columns[c].push((r, a)));
        }
        columns
    }
}
