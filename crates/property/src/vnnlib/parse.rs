//! From tokens to formulas: what both versions have in common.

use super::formula::Formula;
use super::linear::Linear;
use super::place::Span;
use super::scan::{Scanner, Token, quote};
use super::{MAX_CONSTRAINTS, MAX_DEPTH, VnnlibError, VnnlibProblem};
use unmoved_ir::Rational;

const FORMULA: &str = "a constraint such as (<= a b)";
const TERM: &str = "a variable, a number, or a term such as (+ a (* 2.0 b))";
const TERM_OPERATORS: &str = "`+`, `-` or `*`";

/// How a version writes comparisons, numbers and variables.
pub(super) trait Syntax {
    /// The operators of formulas, for messages.
    const OPERATORS: &'static str;

    /// The comparison of an operator, if it is one.
    fn comparison(word: &str) -> Option<Comparison>;

    /// A number or a variable that begins with this word, which has been taken.
    fn leaf(&mut self, scanner: &mut Scanner<'_>, word: &str, at: Span) -> Result<Linear, VnnlibError>;

    /// Called before each comparison.
    fn begin_comparison(&mut self) {}
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    AtMost,
    AtLeast,
    Less,
    Greater,
    Equal,
    Unequal,
}

impl Comparison {
    /// The orders, which both versions write alike.
    pub(super) fn order(word: &str) -> Option<Self> {
        Some(match word {
            "<=" => Self::AtMost,
            ">=" => Self::AtLeast,
            "<" => Self::Less,
            ">" => Self::Greater,
            _ => return None,
        })
    }
}

/// Parses formulas.
pub(super) struct Parser<'a, S> {
    pub(super) scanner: Scanner<'a>,
    pub(super) syntax: S,
    /// How many constraints the text has spelt out.
    constraints: usize,
}

impl<'a, S: Syntax> Parser<'a, S> {
    pub(super) fn new(scanner: Scanner<'a>, syntax: S) -> Self {
        Self { scanner, syntax, constraints: 0 }
    }

    pub(super) fn formula(&mut self, depth: usize) -> Result<Formula, VnnlibError> {
        self.check_depth(depth)?;
        self.scanner.expect(Token::Open, FORMULA)?;
        let (operator, at) = self.scanner.word(S::OPERATORS)?;
        if let "and" | "or" = operator {
            let mut parts = vec![self.formula(depth + 1)?];
            while self.scanner.peek() != Token::Close {
                parts.push(self.formula(depth + 1)?);
            }
            self.scanner.advance();
            return Ok(if operator == "and" { Formula::And(parts) } else { Formula::Or(parts) });
        }
        let comparison = S::comparison(operator).ok_or_else(|| self.unsupported(operator, at, S::OPERATORS))?;
        self.syntax.begin_comparison();
        let left = self.term(depth + 1)?;
        let right = self.term(depth + 1)?;
        self.scanner.expect(Token::Close, "`)` after the second side of the constraint")?;
        if left.has_outputs() || right.has_outputs() {
            self.constraints += 1;
            if self.constraints > MAX_CONSTRAINTS {
                return Err(VnnlibError::TooLarge);
            }
        }
        let at_most = |small: &Linear, large: &Linear, strict| {
            let difference = small.clone().plus(large.clone().times(&-&Rational::ONE));
            difference.at_most_zero(strict).ok_or_else(|| self.scanner.error(at, VnnlibProblem::LongConstant))
        };
        let both = |strict| -> Result<Vec<Formula>, VnnlibError> {
            Ok(vec![at_most(&left, &right, strict)?, at_most(&right, &left, strict)?])
        };
        match comparison {
            Comparison::AtMost => at_most(&left, &right, false),
            Comparison::AtLeast => at_most(&right, &left, false),
            Comparison::Less => at_most(&left, &right, true),
            Comparison::Greater => at_most(&right, &left, true),
            Comparison::Equal => both(false).map(Formula::And),
            Comparison::Unequal => both(true).map(Formula::Or),
        }
    }

    fn term(&mut self, depth: usize) -> Result<Linear, VnnlibError> {
        self.check_depth(depth)?;
        match self.scanner.peek() {
            Token::Word(word) => {
                let at = self.scanner.at();
                self.scanner.advance();
                self.syntax.leaf(&mut self.scanner, word, at)
            }
            Token::Open => {
                self.scanner.advance();
                let (operator, at) = self.scanner.word(TERM_OPERATORS)?;
                if !matches!(operator, "+" | "-" | "*") {
                    return Err(self.unsupported(operator, at, TERM_OPERATORS));
                }
                let mut value = self.term(depth + 1)?;
                if operator == "-" && self.scanner.peek() == Token::Close {
                    value = value.times(&-&Rational::ONE);
                }
                while self.scanner.peek() != Token::Close {
                    let next = self.term(depth + 1)?;
                    value = match operator {
                        "+" => value.plus(next),
                        "-" => value.plus(next.times(&-&Rational::ONE)),
                        _ => self.product(value, next, at)?,
                    };
                }
                self.scanner.advance();
                Ok(value)
            }
            _ => Err(self.scanner.expected(TERM)),
        }
    }

    fn product(&self, left: Linear, right: Linear, at: Span) -> Result<Linear, VnnlibError> {
        let product = match (left.is_constant(), right.is_constant()) {
            (_, true) => left.times(&right.constant),
            (true, _) => right.times(&left.constant),
            _ => return Err(self.scanner.error(at, VnnlibProblem::NotLinear)),
        };
        // Checked here and not at the end alone: a product of many long numbers would take for ever.
        if product.is_too_long() { Err(self.scanner.error(at, VnnlibProblem::LongConstant)) } else { Ok(product) }
    }

    fn check_depth(&self, depth: usize) -> Result<(), VnnlibError> {
        let too_deep = || self.scanner.error(self.scanner.at(), VnnlibProblem::TooDeep);
        if depth > MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
    }

    pub(super) fn unsupported(&self, word: &str, at: Span, expected: &'static str) -> VnnlibError {
        self.scanner.error(at, VnnlibProblem::Unsupported { word: quote(word), expected })
    }
}
