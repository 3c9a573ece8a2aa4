//! From queries to text, without rounding.

use super::v2::element_name;
use super::{TensorDeclaration, Version};
use crate::{Conjunction, Constraint, Norm, Query, RegionKind};
use std::fmt::Write as _;
use unmoved_ir::Rational;

/// Queries that VNN-LIB cannot express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Nothing to write.
    #[error("there is no query to write")]
    NoQuery,
    /// Queries about networks whose inputs or outputs differ.
    #[error("the queries are about networks of different shapes")]
    Networks,
    /// A region that no linear constraints describe.
    #[error("VNN-LIB describes boxes and linf balls, but no {} ball", .0.name())]
    Norm(Norm),
    /// A number that no reader would take.
    #[error("the number {0} has more than 1000 digits")]
    LongNumber(String),
}

/// Writes queries about one network as one property: its counterexamples are those of all of them.
///
/// [`super::read`] gives the same queries again, but for what the language has no word for: an l-inf ball is read as the box
/// that it is, equal boxes as one, a constraint that only bounds an input as a part of the box, and constraints with coefficients that are
/// no finite decimals multiplied out. Bounds are exact in any case: an upper end of 8/255 is written as `(<= (* 255.0 X_0) 8.0)`.
///
/// In 2.0 the network is `N`, its tensors are `X` and `Y` of type `real`, with the shapes of the network: without the batch
/// extent that an ONNX file may have. Minor versions of 2 are all written as 2.0.
pub fn write(queries: &[Query], version: Version) -> Result<String, WriteError> {
    let network = queries.first().ok_or(WriteError::NoQuery)?.network();
    let (inputs, outputs) = (&network.input().shape, &network.node(network.output()).shape);
    let shapes_match = |q: &&Query| {
        let other = q.network();
        other.input().shape == *inputs && other.node(other.output()).shape == *outputs
    };
    if !queries.iter().all(|q| shapes_match(&q)) {
        return Err(WriteError::Networks);
    }
    let tensor = |name: &str, shape: &[usize]| TensorDeclaration {
        name: name.to_owned(),
        sort: "real".to_owned(),
        shape: shape.to_vec(),
    };
    let writer = Writer { version, input: tensor("X", inputs.dims()), output: tensor("Y", outputs.dims()) };
    let mut out = writer.declarations(inputs.len(), outputs.len());
    // Where nothing is unsafe, there is nothing to say, unless there is nothing else.
    let telling: Vec<&Query> = queries.iter().filter(|q| !q.unsafe_set().is_empty()).collect();
    match telling.as_slice() {
        [] => writer.assert_one(&mut out, &queries[0])?,
        [one] => writer.assert_one(&mut out, one)?,
        several => {
            out.push_str("(assert (or\n");
            for query in several {
                let _ = writeln!(out, "  (and {}", writer.bounds(query)?.join(" "));
                let _ = writeln!(out, "    {})", writer.unsafe_set(query, "    ")?);
            }
            out.push_str("))\n");
        }
    }
    Ok(out)
}

struct Writer {
    version: Version,
    input: TensorDeclaration,
    output: TensorDeclaration,
}

impl Writer {
    fn declarations(&self, inputs: usize, outputs: usize) -> String {
        if let Version::V2 { .. } = self.version {
            let (input, output) = (&self.input, &self.output);
            return format!(
                "(vnnlib-version <2.0>)\n\n(declare-network N\n  (declare-input {input})\n  (declare-output {output}))\n\n"
            );
        }
        let names = (0..inputs).map(|i| self.input_name(i)).chain((0..outputs).map(|k| self.output_name(k)));
        names.map(|name| format!("(declare-const {name} Real)\n")).chain(["\n".to_owned()]).collect()
    }

    /// A query whose box holds in all that follows.
    fn assert_one(&self, out: &mut String, query: &Query) -> Result<(), WriteError> {
        for pair in self.bounds(query)?.chunks(2) {
            let _ = writeln!(out, "(assert {})", pair.join(") (assert "));
        }
        out.push('\n');
        match query.unsafe_set() {
            [Conjunction(all)] => {
                for constraint in all {
                    let _ = writeln!(out, "(assert {})", self.constraint(constraint)?);
                }
            }
            _ => {
                let _ = writeln!(out, "(assert {})", self.unsafe_set(query, "")?);
            }
        }
        Ok(())
    }

    /// The bounds of every input, lower and upper in turn.
    fn bounds(&self, query: &Query) -> Result<Vec<String>, WriteError> {
        let region = query.region();
        let (lower, upper) = region.exact_box().ok_or(match region.kind() {
            RegionKind::Ball { norm, .. } => WriteError::Norm(*norm),
            RegionKind::Box { .. } => WriteError::NoQuery,
        })?;
        let ends = lower.iter().zip(&upper).enumerate();
        ends.flat_map(|(i, (l, u))| [self.bound(">=", i, l), self.bound("<=", i, u)]).collect()
    }

    fn bound(&self, operator: &str, input: usize, at: &Rational) -> Result<String, WriteError> {
        let name = self.input_name(input);
        if let Some(at) = at.decimal() {
            return Ok(format!("({operator} {name} {at})"));
        }
        let factor = at.denominator();
        Ok(format!("({operator} (* {} {name}) {})", number(&factor)?, number(&(at * &factor))?))
    }

    /// A formula that says that one of the disjuncts holds.
    fn unsafe_set(&self, query: &Query, indent: &str) -> Result<String, WriteError> {
        let disjuncts = query.unsafe_set().iter().map(|c| self.conjunction(c)).collect::<Result<Vec<_>, _>>()?;
        Ok(match disjuncts.as_slice() {
            [] => "(< 0.0 0.0)".to_owned(),
            [one] => one.clone(),
            several => format!("(or\n{indent}  {})", several.join(&format!("\n{indent}  "))),
        })
    }

    fn conjunction(&self, Conjunction(all): &Conjunction) -> Result<String, WriteError> {
        let all = all.iter().map(|c| self.constraint(c)).collect::<Result<Vec<_>, _>>()?;
        // The grammar has no empty conjunction.
        Ok(if all.is_empty() { "(<= 0.0 0.0)".to_owned() } else { format!("(and {})", all.join(" ")) })
    }

    /// What is added on the left, and on the right what is subtracted.
    fn constraint(&self, constraint: &Constraint) -> Result<String, WriteError> {
        let Constraint { outputs, inputs, constant, strict } = constraint;
        let coefficients = || outputs.iter().chain(inputs).map(|(_, c)| c).chain([constant]);
        let factor = coefficients().fold(Rational::ONE, |factor, c| {
            let scaled = &factor * c;
            if scaled.decimal().is_some() { factor } else { &factor * &scaled.denominator() }
        });
        let outputs = outputs.iter().map(|(k, c)| (self.output_name(*k), c));
        let named = outputs.chain(inputs.iter().map(|(i, c)| (self.input_name(*i), c)));
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (name, c) in named {
            let side = if *c > Rational::ZERO { &mut left } else { &mut right };
            let c = (&factor * c).abs();
            side.push(if c == Rational::ONE { name } else { format!("(* {} {name})", number(&c)?) });
        }
        let only_right = left.is_empty() && !right.is_empty();
        if *constant != Rational::ZERO {
            let side = if *constant > Rational::ZERO { &mut left } else { &mut right };
            side.push(number(&(&factor * constant).abs())?);
        }
        let sum = |terms: Vec<String>| match terms.as_slice() {
            [] => "0.0".to_owned(),
            [one] => one.clone(),
            several => format!("(+ {})", several.join(" ")),
        };
        let (left, right, end) = (sum(left), sum(right), if *strict { "" } else { "=" });
        // Variables first, as people and simple readers expect it.
        Ok(if only_right { format!("(>{end} {right} {left})") } else { format!("(<{end} {left} {right})") })
    }

    fn input_name(&self, element: usize) -> String {
        self.name(&self.input, element)
    }

    fn output_name(&self, element: usize) -> String {
        self.name(&self.output, element)
    }

    fn name(&self, tensor: &TensorDeclaration, element: usize) -> String {
        match self.version {
            Version::V1 => format!("{}_{element}", tensor.name),
            Version::V2 { .. } => element_name(tensor, element),
        }
    }
}

fn number(value: &Rational) -> Result<String, WriteError> {
    let long = || WriteError::LongNumber(value.to_string().chars().take(40).collect());
    if value.is_too_long() { Err(long()) } else { value.decimal().ok_or_else(long) }
}
