//! CPLEX LP format.

use super::names;
use super::number::{Number, sum};
use crate::milp::Milp;
use std::io::{self, Write};

/// Old readers take lines of up to 255 characters, and one term may have a long name.
const LINE: usize = 100;

impl Milp {
    /// Writes the program in CPLEX LP format. Names are encoded so that [`crate::decode_name`] restores them; every
    /// number reads back to the same bits.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_lp(&self, out: &mut impl Write) -> io::Result<()> {
        let columns: Vec<String> =
            self.columns.iter().enumerate().map(|(k, c)| names::encode(&c.name, 'c', k)).collect();
        let name = |c: usize| columns[c].clone();
        // A sum needs at least one term in this format.
        let nothing = || columns.first().map_or_else(String::new, |first| format!("0 {first}"));
        let terms = |terms: &[(usize, f64)]| {
            if terms.is_empty() { vec![nothing()] } else { sum(terms, name) }
        };
        writeln!(out, "Minimize")?;
        let mut cost = terms(&self.cost.terms);
        match self.cost.constant {
            0.0 => {}
            c => cost.push(format!("{} {}", if c < 0.0 { "-" } else { "+" }, Number(c.abs()))),
        }
        wrapped(out, " cost:".into(), cost)?;
        writeln!(out, "Subject To")?;
        for (k, row) in self.rows.iter().enumerate() {
            let mut words = terms(&row.terms);
            words.push(format!("{} {}", row.sense.symbol(), Number(row.rhs)));
            wrapped(out, format!(" {}:", names::encode(&row.name, 'r', k)), words)?;
        }
        writeln!(out, "Bounds")?;
        for (c, name) in self.columns.iter().zip(&columns).filter(|(c, _)| !c.integer) {
            writeln!(out, " {} <= {name} <= {}", Number(c.lower), Number(c.upper))?;
        }
        if self.integers() > 0 {
            writeln!(out, "Binaries")?;
            for (_, name) in self.columns.iter().zip(&columns).filter(|(c, _)| c.integer) {
                writeln!(out, " {name}")?;
            }
        }
        writeln!(out, "End")
    }
}

/// Words with blanks between them, on as many lines as it takes.
fn wrapped(out: &mut impl Write, mut line: String, words: Vec<String>) -> io::Result<()> {
    for word in words {
        if line.len() + word.len() >= LINE {
            writeln!(out, "{line}")?;
            line = "  ".into();
        }
        line.push(' ');
        line.push_str(&word);
    }
    writeln!(out, "{line}")
}
