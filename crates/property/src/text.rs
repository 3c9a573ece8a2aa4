//! Query files: region and unsafe set as readable text, one canonical form, without the network.
//!
//! ```text
//! query 1
//! ball linf 1/20 range 0 1          # or: ball l2 3 unbounded      or: box
//! centre 0 0.25 1                   # box: two lines, lower and upper, of exact fractions
//! or                                # one per disjunct, followed by its constraints g <= 0 (le) or g < 0 (lt)
//! le 0 y0 -1 y7 1                   # constant, then outputs and inputs with their coefficients
//! end
//! ```

use crate::{Conjunction, Constraint, InputRegion, Norm, Query, QueryTextError, RegionKind};
use std::fmt::Write as _;
use std::sync::Arc;
use unmoved_ir::{Network, Rational};

impl Query {
    /// The canonical text; reads back to the same query.
    pub fn to_text(&self) -> String {
        let mut out = String::from("query 1\n");
        let list = |out: &mut String, word: &str, values: &mut dyn Iterator<Item = String>| {
            out.push_str(word);
            values.for_each(|v| {
                out.push(' ');
                out.push_str(&v);
            });
            out.push('\n');
        };
        match self.region().kind() {
            RegionKind::Box { lower, upper } => {
                out.push_str("box\n");
                list(&mut out, "lower", &mut lower.iter().map(Rational::to_string));
                list(&mut out, "upper", &mut upper.iter().map(Rational::to_string));
            }
            RegionKind::Ball { centre, norm, eps, range } => {
                let range = range.as_ref().map_or("unbounded".to_owned(), |(l, u)| format!("range {l} {u}"));
                let _ = writeln!(out, "ball {} {eps} {range}", norm.name());
                list(&mut out, "centre", &mut centre.iter().map(f64::to_string));
            }
        }
        for conjunction in self.unsafe_set() {
            out.push_str("or\n");
            for c in &conjunction.0 {
                let _ = write!(out, "{} {}", if c.strict { "lt" } else { "le" }, c.constant);
                for (k, a) in &c.outputs {
                    let _ = write!(out, " y{k} {a}");
                }
                for (i, a) in &c.inputs {
                    let _ = write!(out, " x{i} {a}");
                }
                out.push('\n');
            }
        }
        out.push_str("end\n");
        out
    }

    /// Reads a query about a network. Comments (`#` to the end of the line) and blank lines are skipped.
    pub fn from_text(network: Arc<Network>, text: &str) -> Result<Self, QueryTextError> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(i, l)| Line { number: i + 1, words: l.split('#').next().unwrap_or("").split_whitespace() })
            .filter(|l| l.words.clone().next().is_some());
        let mut next =
            move || lines.next().ok_or_else(|| syntax(text.lines().count().max(1), "\"end\"", "end of file"));
        let inputs = network.input().shape.len();
        let mut first = next()?;
        first.keyword("query")?;
        first.keyword("1")?;
        first.finish()?;
        let mut head = next()?;
        let region = match head.word("\"ball\" or \"box\"")? {
            "ball" => {
                let norm = head.norm()?;
                let eps = head.rational()?;
                let range = match head.word("\"range\" or \"unbounded\"")? {
                    "range" => Some((head.rational()?, head.rational()?)),
                    "unbounded" => None,
                    other => return Err(syntax(head.number, "\"range\" or \"unbounded\"", other)),
                };
                head.finish()?;
                InputRegion::ball(next()?.list("centre", inputs, Line::float)?, norm, eps, range)?
            }
            "box" => {
                head.finish()?;
                let lower = next()?.list("lower", inputs, Line::rational)?;
                InputRegion::boxed(lower, next()?.list("upper", inputs, Line::rational)?)?
            }
            other => return Err(syntax(head.number, "\"ball\" or \"box\"", other)),
        };
        let mut unsafe_set: Vec<Conjunction> = Vec::new();
        loop {
            let mut line = next()?;
            match line.word("\"or\", \"le\", \"lt\" or \"end\"")? {
                "or" => unsafe_set.push(Conjunction::default()),
                "end" => {
                    line.finish()?;
                    break;
                }
                word @ ("le" | "lt") => {
                    let constraint = line.constraint(word == "lt")?;
                    let Some(last) = unsafe_set.last_mut() else {
                        return Err(syntax(line.number, "\"or\" before the first constraint", word));
                    };
                    last.0.push(constraint);
                    continue;
                }
                other => return Err(syntax(line.number, "\"or\", \"le\", \"lt\" or \"end\"", other)),
            }
            line.finish()?;
        }
        if let Ok(line) = next() {
            return Err(syntax(line.number, "nothing after \"end\"", line.words.clone().next().unwrap_or("")));
        }
        Ok(Self::new(network, region, unsafe_set)?)
    }
}

fn syntax(line: usize, expected: impl Into<String>, found: &str) -> QueryTextError {
    QueryTextError::Syntax { line, expected: expected.into(), found: found.chars().take(40).collect() }
}

struct Line<'a> {
    number: usize,
    words: std::str::SplitWhitespace<'a>,
}

impl<'a> Line<'a> {
    fn word(&mut self, expected: &str) -> Result<&'a str, QueryTextError> {
        self.words.next().ok_or_else(|| syntax(self.number, expected, "end of line"))
    }

    fn keyword(&mut self, word: &str) -> Result<(), QueryTextError> {
        match self.word(&format!("\"{word}\""))? {
            found if found == word => Ok(()),
            found => Err(syntax(self.number, format!("\"{word}\""), found)),
        }
    }

    fn finish(&mut self) -> Result<(), QueryTextError> {
        self.words.next().map_or(Ok(()), |found| Err(syntax(self.number, "end of line", found)))
    }

    fn norm(&mut self) -> Result<Norm, QueryTextError> {
        let word = self.word("a norm")?;
        [Norm::Linf, Norm::L1, Norm::L2]
            .into_iter()
            .find(|n| n.name() == word)
            .ok_or_else(|| syntax(self.number, "linf, l1 or l2", word))
    }

    fn rational(&mut self) -> Result<Rational, QueryTextError> {
        let word = self.word("a number")?;
        word.parse().map_err(|_| syntax(self.number, "a number", word))
    }

    fn float(&mut self) -> Result<f64, QueryTextError> {
        let word = self.word("a number")?;
        word.parse().map_err(|_| syntax(self.number, "a number", word))
    }

    /// A line of one keyword and at most so many values.
    fn list<T>(
        &mut self,
        keyword: &str,
        most: usize,
        mut value: impl FnMut(&mut Self) -> Result<T, QueryTextError>,
    ) -> Result<Vec<T>, QueryTextError> {
        self.keyword(keyword)?;
        let mut values = Vec::new();
        while let Some(word) = self.words.clone().next() {
            if values.len() == most {
                return Err(syntax(self.number, format!("no more than {most} values"), word));
            }
            values.push(value(self)?);
        }
        Ok(values)
    }

    fn constraint(&mut self, strict: bool) -> Result<Constraint, QueryTextError> {
        let constant = self.rational()?;
        let (mut outputs, mut inputs) = (Vec::new(), Vec::new());
        while let Some(variable) = self.words.next() {
            let expected = "a variable such as y0 or x0, in ascending order";
            let wrong = || syntax(self.number, expected, variable);
            let digits = |k: &&str| k.bytes().all(|b| b.is_ascii_digit());
            let index = |prefix| variable.strip_prefix(prefix).filter(digits).and_then(|k| k.parse::<usize>().ok());
            let (terms, k): (&mut Vec<(usize, Rational)>, usize) = match (index('y'), index('x')) {
                (Some(k), _) if inputs.is_empty() => (&mut outputs, k),
                (_, Some(i)) => (&mut inputs, i),
                _ => return Err(wrong()),
            };
            if terms.last().is_some_and(|(last, _)| *last >= k) {
                return Err(wrong());
            }
            let coefficient = self.rational()?;
            if coefficient == Rational::ZERO {
                return Err(syntax(self.number, "a coefficient other than 0", "0"));
            }
            terms.push((k, coefficient));
        }
        Ok(Constraint { outputs, inputs, constant, strict })
    }
}
