//! From text to lines of numbers.

use crate::error::{Fault, quote};
use crate::{MAX_NUMBER, Problem};
use std::fmt::{Display, Write};

/// A line without its end, and where it starts in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    pub(crate) start: usize,
}

/// The lines of a text, one after the other.
pub(crate) struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next line, not taken yet; none at the end.
    pub(crate) fn peek(&self) -> Option<Line<'a>> {
        let rest = &self.text[self.at..];
        let line = rest.split('\n').next().filter(|_| !rest.is_empty())?;
        Some(Line { text: line.strip_suffix('\r').unwrap_or(line), start: self.at })
    }

    /// Takes the next line.
    pub(crate) fn next(&mut self) -> Option<Line<'a>> {
        let line = self.peek()?;
        self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |end| self.at + end + 1);
        Some(line)
    }

    /// Takes a line that must be there; `what` says what it holds.
    pub(crate) fn expect(&mut self, what: &dyn Display) -> Result<Line<'a>, Fault> {
        let end = self.text.len();
        self.next().ok_or_else(|| Fault::new(end..end, Problem::Truncated(what.to_string())))
    }

    /// Errors unless only blanks are left.
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        let rest = self.text[self.at..].trim_start();
        let (start, word) = (self.text.len() - rest.len(), rest.split_whitespace().next().unwrap_or_default());
        if word.is_empty() { Ok(()) } else { Err(Fault::new(start..start + word.len(), Problem::AfterEnd)) }
    }
}

impl Line<'_> {
    /// The entries of a list with commas between them and, if it likes, one behind the last; there must be `expected`.
    pub(crate) fn list<T>(
        self,
        what: &dyn Display,
        expected: usize,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Result<Vec<T>, Fault> {
        let end = self.text.trim_end();
        let body = end.strip_suffix(',').unwrap_or(end);
        // Grows with the numbers that are there, whatever the sizes say.
        let mut values = Vec::new();
        let mut at = self.start;
        for entry in body.split(',').filter(|_| !body.trim().is_empty()) {
            let word = entry.trim();
            let from = at + (entry.len() - entry.trim_start().len());
            let fault = |problem| Fault::new(from..from + word.len(), problem);
            if values.len() == expected {
                return Err(fault(Problem::TooMany { what: what.to_string(), expected }));
            }
            values.push(parse(word).map_err(fault)?);
            at += entry.len() + 1;
        }
        if values.len() < expected {
            let (at, found) = (self.start + end.len(), values.len());
            return Err(Fault::new(at..at, Problem::TooFew { what: what.to_string(), expected, found }));
        }
        Ok(values)
    }

    /// The whole line, as the span of a problem.
    pub(crate) fn fault(self, problem: Problem) -> Fault {
        Fault::new(self.start..self.start + self.text.trim_end().len(), problem)
    }
}

/// Rounded once to the nearest float64, as every reader of the format does.
pub(crate) fn number(word: &str) -> Result<f64, Problem> {
    if word.len() > MAX_NUMBER {
        return Err(Problem::LongNumber);
    }
    // Rust's parser also knows "inf" and "nan", which consist of other characters.
    let decimal = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    match word.parse::<f64>() {
        Ok(value) if decimal && value.is_finite() => Ok(value),
        Ok(_) if decimal => Err(Problem::OutOfRange(quote(word))),
        _ => Err(Problem::NotANumber(quote(word))),
    }
}

/// Digits only, no sign, not past the machine word.
pub(crate) fn whole(word: &str) -> Result<usize, Problem> {
    if word.len() > MAX_NUMBER {
        return Err(Problem::LongNumber);
    }
    let digits = word.bytes().all(|b| b.is_ascii_digit());
    word.parse().ok().filter(|_| digits).ok_or_else(|| Problem::NotWhole(quote(word)))
}

/// The canonical form of numbers: the shortest decimals that read back to the same bits, without empty fractions, a
/// comma between them.
pub(crate) fn join(values: impl IntoIterator<Item = f64>) -> String {
    let mut out = String::new();
    for value in values {
        if !out.is_empty() {
            out.push(',');
        }
        write!(out, "{value:?}").expect("a string takes all");
        if out.ends_with(".0") {
            out.truncate(out.len() - 2);
        }
    }
    out
}

/// The numbers of a metadata value in the form of [`join`].
pub(crate) fn split(text: &str, expected: usize) -> Option<Vec<f64>> {
    Line { text, start: 0 }.list(&"", expected, number).ok()
}
