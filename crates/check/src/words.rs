//! What was proved, in words and as JSON.

use std::fmt::Write as _;
use unmoved_check::{Accepted, Arithmetic};
use unmoved_property::{Constraint, Query, RegionKind};

/// A few lines for people.
pub(crate) fn text(query: &Query, arithmetic: Arithmetic, result: &Result<Accepted, String>) -> String {
    let mut out = String::new();
    let line = |out: &mut String, what: &str, value: &str| {
        let _ = writeln!(out, "  {what:<8} {value}");
    };
    match result {
        Ok(_) => out.push_str("accepted: the certificate proves that\n"),
        Err(why) => {
            let _ = writeln!(out, "refused: {why}\nThe certificate does not prove that");
        }
    }
    line(&mut out, "for", &region(query));
    line(&mut out, "holds", &claim(query));
    line(&mut out, "over", "the real numbers, weights taken exactly as stored");
    if query.network().has_slack() {
        line(&mut out, "and", "for all weights within the rounding of the import");
    }
    if query.network().ordering_only() {
        line(&mut out, "note", "a final softmax was dropped; it does not change the order of the outputs");
    }
    line(&mut out, "network", &query.network().digest().to_string());
    line(&mut out, "query", &query.digest().to_string());
    if let Ok(accepted) = result {
        let proof = format!("{} steps, {} leaves", accepted.steps, accepted.leaves);
        line(&mut out, "proof", &proof);
        if accepted.margin.is_finite() {
            line(&mut out, "margin", &format!("at least {:?}", accepted.margin));
        }
        line(&mut out, "checked", &format!("in {}", arithmetic_name(arithmetic)));
    }
    out
}

/// One object on one line.
pub(crate) fn json(query: &Query, arithmetic: Arithmetic, result: &Result<Accepted, String>) -> String {
    let mut fields = vec![
        ("accepted", result.is_ok().to_string()),
        ("region", quoted(&region(query))),
        ("claim", quoted(&claim(query))),
        ("semantics", quoted("reals")),
        ("rounded_import", query.network().has_slack().to_string()),
        ("network", quoted(&query.network().digest().to_string())),
        ("query", quoted(&query.digest().to_string())),
        ("arithmetic", quoted(arithmetic_name(arithmetic))),
    ];
    match result {
        Ok(accepted) => {
            let margin = if accepted.margin.is_finite() { format!("{:?}", accepted.margin) } else { "null".into() };
            fields.push(("steps", accepted.steps.to_string()));
            fields.push(("leaves", accepted.leaves.to_string()));
            fields.push(("margin", margin));
        }
        Err(why) => fields.push(("refusal", quoted(why))),
    }
    let fields: Vec<String> = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}\n", fields.join(","))
}

fn arithmetic_name(arithmetic: Arithmetic) -> &'static str {
    match arithmetic {
        Arithmetic::Float => "double precision with rounding bounds",
        Arithmetic::Exact => "exact arithmetic",
    }
}

fn region(query: &Query) -> String {
    let inputs = query.region().len();
    match query.region().kind() {
        RegionKind::Box { .. } => format!("every input in the box of the query file ({inputs} elements)"),
        RegionKind::Ball { norm, eps, range, .. } => {
            let range = range.as_ref().map_or(String::new(), |(l, u)| format!(", every element within {l} and {u}"));
            format!("every input within {} distance {eps} of the centre ({inputs} elements){range}", norm.name())
        }
    }
}

/// What can never happen, put positively where it is the comparison of one output with others.
fn claim(query: &Query) -> String {
    let unsafe_set = query.unsafe_set();
    let comparisons: Option<Vec<(usize, usize, bool)>> =
        unsafe_set.iter().map(|conjunction| if let [c] = &conjunction.0[..] { comparison(c) } else { None }).collect();
    match comparisons.as_deref() {
        Some([first, rest @ ..]) if rest.iter().all(|c| (c.0, c.2) == (first.0, first.2)) => {
            let others: Vec<String> = std::iter::once(first).chain(rest).map(|c| format!("y{}", c.1)).collect();
            let relation = if first.2 { "is at least" } else { "exceeds" };
            format!("y{} {relation} {}", first.0, others.join(", "))
        }
        _ => format!("the outputs avoid all {} disjuncts of the unsafe set", unsafe_set.len()),
    }
}

/// `(i, j, strict)` for a constraint that says `y_i <= y_j` or `y_i < y_j`.
fn comparison(c: &Constraint) -> Option<(usize, usize, bool)> {
    let [(i, a), (j, _)] = c.outputs.as_slice() else { return None };
    let positive = *a > unmoved_ir::Rational::ZERO;
    c.compares_two_outputs().then_some(if positive { (*i, *j, c.strict) } else { (*j, *i, c.strict) })
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
