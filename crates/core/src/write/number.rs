//! Numbers as text.

use std::fmt;

/// The shortest decimal that reads back to the same bits; with an exponent where zeros would outnumber digits.
pub(super) struct Number(pub(super) f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        if v == 0.0 {
            return f.write_str("0"); // never "-0"
        }
        if v.is_finite() && !(1e-5..1e16).contains(&v.abs()) { write!(f, "{v:e}") } else { write!(f, "{v}") }
    }
}

/// A sum of terms: `y.0 - 0.5 y.1`.
pub(super) fn sum(terms: &[(usize, f64)], name: impl Fn(usize) -> String) -> Vec<String> {
    let coefficient = |a: f64| if a == 1.0 { String::new() } else { format!("{} ", Number(a)) };
    let mut out = Vec::with_capacity(terms.len());
    for (i, &(column, a)) in terms.iter().enumerate() {
        let sign = match (i, a < 0.0) {
            (0, false) => "",
            (0, true) => "-",
            (_, false) => "+ ",
            (_, true) => "- ",
        };
        out.push(format!("{sign}{}{}", coefficient(a.abs()), name(column)));
    }
    out
}
