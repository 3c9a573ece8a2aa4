//! Counterexamples as VNN-LIB writes them, and what the written text is worth.
//!
//! Numbers stand with all their digits: what is read from them, as float32, as float64 or as a real number, is what was replayed.

use unmoved::check::replay_point;
use unmoved::ir::{Exact, Rational};
use unmoved::property::vnnlib::{Declarations, TensorDeclaration};
use unmoved::property::{Constraint, Counterexample, Point, Query};

/// How far outside of its bounds the competition accepts an input that no float32 value inside could stand for.
const TOLERANCE: f64 = 1e-4;

/// The assignment in the language of the property: `((X_0 0.5)\n (Y_0 1.0))` for 1.0; name, type and shape of each tensor,
/// and its elements line by line, for 2.0. Inputs that are no float32 values are written exactly, or rounded to float32.
pub(crate) fn assignment(declared: &Declarations, found: &Counterexample, in_f32: bool) -> String {
    let mut inputs: Vec<String> = found.input.nearest.iter().map(|&v| digits(v)).collect();
    if !in_f32 {
        for (i, value) in &found.input.exact {
            // The properties' numbers are decimals; what a factor divided may not be.
            inputs[*i] = value.decimal().unwrap_or_else(|| value.to_string());
        }
    }
    let outputs = found.output.iter().map(|&v| digits(v));
    let Some(network) = declared.networks.first() else {
        let x = inputs.iter().enumerate().map(|(i, v)| format!("(X_{i} {v})"));
        let y = outputs.enumerate().map(|(j, v)| format!("(Y_{j} {v})"));
        return format!("({})", x.chain(y).collect::<Vec<_>>().join("\n "));
    };
    // What is read has one input and one output.
    let headers = |tensors: &[TensorDeclaration]| tensors.iter().map(ToString::to_string).collect::<Vec<_>>();
    let lines = headers(&network.inputs).into_iter().chain(inputs);
    lines.chain(headers(&network.outputs)).chain(outputs).collect::<Vec<_>>().join("\n")
}

/// All digits of a float32 number.
fn digits(v: f32) -> String {
    // No float32 number has more places after the point.
    let all = format!("{v:.149}");
    let short = all.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

/// Reads an assignment again and replays it over the reals: whether it is a counterexample, and of the same kind.
pub(crate) fn replays(declared: &Declarations, query: &Query, text: &str, found: &Counterexample) -> bool {
    let inputs = query.region().len();
    let Some(read) = numbers(declared, text).map(|v| v.parse().ok()).collect::<Option<Vec<Rational>>>() else {
        return false;
    };
    if read.len() != inputs + query.network().output_len() {
        return false;
    }
    let mut point = Point { nearest: Vec::with_capacity(inputs), exact: Vec::new() };
    for (i, value) in read.into_iter().take(inputs).enumerate() {
        let nearest = value.to_f64() as f32;
        point.nearest.push(nearest);
        if Rational::from_f64(f64::from(nearest)).as_ref() != Some(&value) {
            point.exact.push((i, value));
        }
    }
    replay_point(query, &point).as_ref() == Ok(found)
}

/// Reads an assignment again and replays it in float32, as the competition does: the inputs lie in the box exactly, or, where that has
/// no float32 values, within its tolerance; the network's float32 outputs are those written, and unsafe without any.
pub(crate) fn replays_in_f32(declared: &Declarations, query: &Query, text: &str) -> bool {
    let read = numbers(declared, text).map(|v| {
        // Whoever reads float64 and rounds to float32 comes to the same.
        let (narrow, wide) = (v.parse::<f32>().ok()?, v.parse::<f64>().ok()?);
        (narrow.is_finite() && narrow == wide as f32).then_some(narrow)
    });
    let Some(read) = read.collect::<Option<Vec<f32>>>() else { return false };
    let Some((x, y)) = read.split_at_checked(query.region().len()) else { return false };
    let same = query.network().forward(x).is_ok_and(|output| output == y);
    same && is_near(query, x) && is_unsafe(query, x, y)
}

fn is_near(query: &Query, x: &[f32]) -> bool {
    if query.region().contains(x) {
        return true;
    }
    let limits = query.region().enclosing_box();
    let wide: Vec<f64> = x.iter().map(|&v| f64::from(v)).collect();
    // Only what has to be is outside.
    let Some(inside) = query.region().nearest_inside(&wide) else { return false };
    let mut exact = inside.exact.iter().map(|(i, _)| *i).peekable();
    (0..x.len()).all(|i| match exact.next_if_eq(&i) {
        Some(_) => limits.lower[i] - TOLERANCE <= wide[i] && wide[i] <= limits.upper[i] + TOLERANCE,
        None => inside.nearest[i] == x[i],
    })
}

/// Whether all constraints of a disjunct hold, decided exactly. On inputs alone they do within the tolerance if the inputs are not
/// those of the box.
fn is_unsafe(query: &Query, x: &[f32], y: &[f32]) -> bool {
    let slack = if query.region().contains(x) { None } else { Rational::from_f64(TOLERANCE) };
    let [x, y] = [x, y].map(|values| values.iter().map(|&v| Exact::from_f64(f64::from(v))).collect::<Vec<_>>());
    let holds = |c: &Constraint| {
        let value = c.value(&x, &y);
        match &slack {
            Some(slack) if c.outputs.is_empty() => c.holds_at(&(&value - slack)),
            _ => c.holds_at(&value),
        }
    };
    query.unsafe_set().iter().any(|conjunction| conjunction.0.iter().all(holds))
}

/// The numbers of an assignment, inputs first, as they stand there.
fn numbers<'t>(declared: &Declarations, text: &'t str) -> impl Iterator<Item = &'t str> + use<'t> {
    let is_first = declared.networks.is_empty();
    text.lines().map(str::trim).filter_map(move |line| match line.split_once(' ') {
        Some((_, value)) if is_first => Some(value.trim_end_matches(')')),
        // The name, type and shape of a tensor.
        Some(_) => None,
        None => Some(line),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_with_all_their_digits() {
        assert_eq!(digits(0.1), "0.100000001490116119384765625");
        assert_eq!((digits(-2.0).as_str(), digits(0.0).as_str()), ("-2.0", "0.0"));
        for v in [f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1), 1e-30, -123456.79, 8388609.0] {
            let exact: Rational = digits(v).parse().expect("a number");
            assert_eq!(Rational::from_f64(f64::from(v)), Some(exact));
        }
    }
}
