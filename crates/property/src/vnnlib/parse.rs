//! From text to formulas: `declare-const` and `assert`, linear terms over decimals.

use super::formula::{Atom, Formula, Side};
use super::scan::{Scanner, Token, quote};
use super::{MAX_CONSTRAINTS, MAX_DEPTH, VnnlibError, VnnlibProblem};
use crate::Constraint;
use unmoved_ir::Rational;

const STATEMENTS: &str = "`declare-const` or `assert`";
const FORMULA: &str = "a constraint such as (<= Y_0 Y_1)";
const OPERATORS: &str = "`and`, `or`, `<=`, `>=`, `<`, `>` or `=`";
const TERM: &str = "a variable, a number, or a term such as (+ Y_0 (* 2 Y_1))";
const TERM_OPERATORS: &str = "`+`, `-` or `*`";

/// The asserted formulas of a text about a network with so many inputs and outputs.
pub(super) fn parse(text: &str, inputs: usize, outputs: usize) -> Result<Vec<Formula>, VnnlibError> {
    let mut parser = Parser {
        scanner: Scanner::new(text),
        inputs: vec![false; inputs],
        outputs: vec![false; outputs],
        asserted: Vec::new(),
        constraints: 0,
    };
    while parser.scanner.peek() != Token::End {
        parser.statement()?;
    }
    Ok(parser.asserted)
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    /// Which of the network's inputs have been declared.
    inputs: Vec<bool>,
    /// Which of its outputs.
    outputs: Vec<bool>,
    asserted: Vec<Formula>,
    /// How many of them the text has spelt out.
    constraints: usize,
}

#[derive(Clone, Copy)]
enum Variable {
    Input(usize),
    Output(usize),
}

impl Parser<'_> {
    fn statement(&mut self) -> Result<(), VnnlibError> {
        self.scanner.open("a statement such as (assert (<= X_0 0.5))")?;
        let (word, at) = self.scanner.word(STATEMENTS)?;
        match word {
            "declare-const" => self.declaration()?,
            "assert" => {
                let formula = self.formula(0)?;
                self.asserted.push(formula);
            }
            _ => return Err(self.unsupported(word, at, STATEMENTS)),
        }
        self.scanner.close("`)` at the end of the statement")
    }

    fn declaration(&mut self) -> Result<(), VnnlibError> {
        let (name, at) = self.scanner.word("a variable such as X_0")?;
        let variable = self.variable(name, at)?;
        let declared = self.declared(variable);
        if std::mem::replace(declared, true) {
            return Err(self.scanner.error(at, VnnlibProblem::DeclaredTwice(quote(name))));
        }
        let (sort, at) = self.scanner.word("`Real`")?;
        if sort == "Real" { Ok(()) } else { Err(self.unsupported(sort, at, "`Real`")) }
    }

    fn formula(&mut self, depth: usize) -> Result<Formula, VnnlibError> {
        self.check_depth(depth)?;
        self.scanner.open(FORMULA)?;
        let (operator, at) = self.scanner.word(OPERATORS)?;
        if let "and" | "or" = operator {
            let mut parts = vec![self.formula(depth + 1)?];
            while self.scanner.peek() != Token::Close {
                parts.push(self.formula(depth + 1)?);
            }
            self.scanner.advance();
            return Ok(if operator == "and" { Formula::And(parts) } else { Formula::Or(parts) });
        }
        if !matches!(operator, "<=" | ">=" | "<" | ">" | "=") {
            return Err(self.unsupported(operator, at, OPERATORS));
        }
        let left = self.term(depth + 1)?;
        let right = self.term(depth + 1)?;
        self.scanner.close("`)` after the second side of the constraint")?;
        if !(left.outputs.is_empty() && right.outputs.is_empty()) {
            self.constraints += 1;
            if self.constraints > MAX_CONSTRAINTS {
                return Err(VnnlibError::TooLarge);
            }
        }
        let at_most = |parser: &Self, small: &Linear, large: &Linear, strict| {
            let difference = small.clone().plus(large.clone().times(&-&Rational::ONE));
            difference.at_most_zero(strict).ok_or_else(|| parser.scanner.error(at, VnnlibProblem::LongConstant))
        };
        match operator {
            "<=" | "<" => at_most(self, &left, &right, operator == "<"),
            ">=" | ">" => at_most(self, &right, &left, operator == ">"),
            _ => Ok(Formula::And(vec![at_most(self, &left, &right, false)?, at_most(self, &right, &left, false)?])),
        }
    }

    fn term(&mut self, depth: usize) -> Result<Linear, VnnlibError> {
        self.check_depth(depth)?;
        match self.scanner.peek() {
            Token::Word(word) => {
                let at = self.scanner.at();
                self.scanner.advance();
                self.leaf(word, at)
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
            Token::Close | Token::End => Err(self.scanner.expected(TERM)),
        }
    }

    fn leaf(&mut self, word: &str, at: usize) -> Result<Linear, VnnlibError> {
        if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
            // A fraction such as 1/3 is a number to `Rational`, but not to VNN-LIB.
            let number = word.parse::<Rational>().ok().filter(|_| !word.contains('/'));
            let number = number.ok_or_else(|| self.scanner.error(at, VnnlibProblem::NotANumber(quote(word))))?;
            return Ok(Linear { constant: number, ..Linear::default() });
        }
        let variable = self.variable(word, at)?;
        if !*self.declared(variable) {
            return Err(self.scanner.error(at, VnnlibProblem::Undeclared(quote(word))));
        }
        let mut value = Linear::default();
        match variable {
            Variable::Input(i) => value.inputs.push((i, Rational::ONE)),
            Variable::Output(k) => value.outputs.push((k, Rational::ONE)),
        }
        Ok(value)
    }

    fn product(&self, left: Linear, right: Linear, at: usize) -> Result<Linear, VnnlibError> {
        let product = match (left.is_constant(), right.is_constant()) {
            (_, true) => left.times(&right.constant),
            (true, _) => right.times(&left.constant),
            _ => return Err(self.scanner.error(at, VnnlibProblem::NotLinear)),
        };
        // Checked here and not at the end alone: a product of many long numbers would take for ever.
        if product.is_too_long() { Err(self.scanner.error(at, VnnlibProblem::LongConstant)) } else { Ok(product) }
    }

    /// The variable of a name, if the network has it.
    fn variable(&self, name: &str, at: usize) -> Result<Variable, VnnlibError> {
        let index = |prefix| name.strip_prefix(prefix).filter(|digits| is_index(digits));
        let (inputs, outputs) = (self.inputs.len(), self.outputs.len());
        let (variable, exists) = match (index("X_"), index("Y_")) {
            (Some(i), _) => {
                let i = i.parse().unwrap_or(usize::MAX);
                (Variable::Input(i), i < inputs)
            }
            (_, Some(k)) => {
                let k = k.parse().unwrap_or(usize::MAX);
                (Variable::Output(k), k < outputs)
            }
            _ => return Err(self.scanner.error(at, VnnlibProblem::NotAVariable(quote(name)))),
        };
        let name = quote(name);
        let missing = VnnlibProblem::NoSuchVariable { name, inputs, outputs };
        if exists { Ok(variable) } else { Err(self.scanner.error(at, missing)) }
    }

    fn declared(&mut self, variable: Variable) -> &mut bool {
        match variable {
            Variable::Input(i) => &mut self.inputs[i],
            Variable::Output(k) => &mut self.outputs[k],
        }
    }

    fn check_depth(&self, depth: usize) -> Result<(), VnnlibError> {
        let too_deep = || self.scanner.error(self.scanner.at(), VnnlibProblem::TooDeep);
        if depth > MAX_DEPTH { Err(too_deep()) } else { Ok(()) }
    }

    fn unsupported(&self, word: &str, at: usize, expected: &'static str) -> VnnlibError {
        self.scanner.error(at, VnnlibProblem::Unsupported { word: quote(word), expected })
    }
}

/// Digits without leading zeros: to SMT-LIB `X_01` and `X_1` are two variables.
fn is_index(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'))
}

/// `sum a_k y_k + sum p_i x_i + constant`, in the order of the text.
#[derive(Clone)]
struct Linear {
    outputs: Vec<(usize, Rational)>,
    inputs: Vec<(usize, Rational)>,
    constant: Rational,
}

impl Default for Linear {
    fn default() -> Self {
        Self { outputs: Vec::new(), inputs: Vec::new(), constant: Rational::ZERO }
    }
}

impl Linear {
    fn is_constant(&self) -> bool {
        self.outputs.is_empty() && self.inputs.is_empty()
    }

    fn plus(mut self, other: Self) -> Self {
        self.outputs.extend(other.outputs);
        self.inputs.extend(other.inputs);
        self.constant = &self.constant + &other.constant;
        self
    }

    fn times(mut self, factor: &Rational) -> Self {
        self.outputs.iter_mut().chain(&mut self.inputs).for_each(|(_, c)| *c = &*c * factor);
        self.constant = &self.constant * factor;
        self
    }

    fn is_too_long(&self) -> bool {
        self.constant.is_too_long() || self.outputs.iter().chain(&self.inputs).any(|(_, c)| c.is_too_long())
    }

    /// `self <= 0`, or `self < 0`; `None` if a constant is too long to be written and read again.
    fn at_most_zero(self, strict: bool) -> Option<Formula> {
        let Self { outputs, inputs, constant } = self;
        let constraint = Constraint { outputs, inputs, constant, strict }.canonical();
        let Constraint { outputs, inputs, constant, .. } = &constraint;
        let atom = match (outputs.as_slice(), inputs.as_slice()) {
            ([], []) if constraint.holds_at(constant) => return Some(Formula::TRUE),
            ([], []) => return Some(Formula::FALSE),
            ([], [(input, c)]) => {
                let at = (-constant).checked_div(c)?;
                let side = if *c > Rational::ZERO { Side::Upper } else { Side::Lower };
                if at.is_too_long() {
                    return None;
                }
                Atom::Bound { input: *input, side, at, strict }
            }
            _ => {
                let mut terms = outputs.iter().chain(inputs);
                if constant.is_too_long() || terms.any(|(_, c)| c.is_too_long()) {
                    return None;
                }
                Atom::Constraint(constraint)
            }
        };
        Some(Formula::Atom(atom))
    }
}
