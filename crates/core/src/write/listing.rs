//! The listing: for people, and for snapshots.

use super::number::{Number, sum};
use crate::milp::{Column, Milp, Section};
use std::fmt::Write as _;

/// Longer programs are listed by their counts alone.
const MAX_LINES: usize = 60;

impl Milp {
    /// A listing of at most sixty lines: counts and cost first, then one section per layer in network order, its columns with
    /// their bounds before its rows. A program that does not fit is listed by the counts of its layers. Contains nothing
    /// that depends on time or machine.
    ///
    /// ```text
    /// # layer a1 = relu [2], 1 unstable
    /// a1.0         in [0, 0.75]
    /// a1.0:on      in {0, 1}
    /// a1.0:above   a1.0 - h1.0 >= 0
    /// ```
    pub fn listing(&self) -> String {
        let mut out = format!("size: {}\n", counts(self.columns.len(), self.integers(), self.rows.len()));
        let _ = writeln!(out, "minimise {}", self.cost_text());
        // A blank line and a title per section.
        let lines = 2 + self.columns.len() + self.rows.len() + 2 * self.sections.len();
        if lines <= MAX_LINES {
            self.list_all(&mut out)
        } else {
            self.list_counts(&mut out)
        }
        out
    }

    fn cost_text(&self) -> String {
        const SHOWN: usize = 20;
        let mut terms = sum(&self.cost.terms[..self.cost.terms.len().min(SHOWN)], |c| self.columns[c].name.clone());
        if self.cost.terms.len() > SHOWN {
            terms.push(format!("... ({} terms)", self.cost.terms.len()));
        }
        let constant = self.cost.constant;
        if terms.is_empty() {
            terms.push(Number(constant).to_string());
        } else if constant != 0.0 {
            terms.push(format!("{} {}", if constant < 0.0 { "-" } else { "+" }, Number(constant.abs())));
        }
        terms.join(" ")
    }

    fn list_all(&self, out: &mut String) {
        for section in &self.sections {
            let (columns, rows) = (&self.columns[section.columns.clone()], &self.rows[section.rows.clone()]);
            let names = columns.iter().map(|c| &c.name).chain(rows.iter().map(|r| &r.name));
            let width = names.map(|n| n.chars().count()).max().unwrap_or(0);
            let _ = writeln!(out, "\n# {}", section.title);
            for c in columns {
                let _ = writeln!(out, "{:width$} in {}", c.name, range(c));
            }
            for r in rows {
                let terms = sum(&r.terms, |c| self.columns[c].name.clone());
                let left = if terms.is_empty() { "0".into() } else { terms.join(" ") };
                let _ = writeln!(out, "{:width$} {left} {} {}", r.name, r.sense.symbol(), Number(r.rhs));
            }
        }
    }

    fn list_counts(&self, out: &mut String) {
        out.push('\n');
        let line = |s: &Section| {
            let binary = self.columns[s.columns.clone()].iter().filter(|c| c.integer).count();
            format!("# {}: {}\n", s.title, counts(s.columns.len(), binary, s.rows.len()))
        };
        let shown = if self.sections.len() + 3 <= MAX_LINES { self.sections.len() } else { MAX_LINES - 4 };
        self.sections[..shown].iter().for_each(|s| out.push_str(&line(s)));
        if shown < self.sections.len() {
            let _ = writeln!(out, "# and {} more", self.sections.len() - shown);
        }
    }
}

fn range(c: &Column) -> String {
    if c.integer && (c.lower, c.upper) == (0.0, 1.0) {
        return "{0, 1}".into();
    }
    format!("[{}, {}]", Number(c.lower), Number(c.upper))
}

fn counts(columns: usize, binary: usize, rows: usize) -> String {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!("{} ({binary} binary), {}", plural(columns, "column"), plural(rows, "row"))
}
