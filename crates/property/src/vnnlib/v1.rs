//! VNN-LIB 1.0: `declare-const` and `assert`; inputs are `X_i`, outputs `Y_k`.

use super::formula::Formula;
use super::linear::{Linear, Variable};
use super::parse::{Comparison, Parser, Syntax};
use super::place::Span;
use super::scan::{Dialect, Scanner, Token, quote};
use super::{VnnlibError, VnnlibProblem};
use unmoved_ir::Rational;

const STATEMENTS: &str = "`declare-const` or `assert`";

/// The asserted formulas of a text about a network with so many inputs and outputs.
pub(super) fn parse(text: &str, inputs: usize, outputs: usize) -> Result<Vec<Formula>, VnnlibError> {
    let declared = Declared { inputs: vec![false; inputs], outputs: vec![false; outputs] };
    let mut parser = Parser::new(Scanner::new(text, Dialect::One), declared);
    let mut asserted = Vec::new();
    while parser.scanner.peek() != Token::End {
        asserted.extend(parser.statement()?);
    }
    Ok(asserted)
}

/// Which of the network's inputs and outputs have been declared.
struct Declared {
    inputs: Vec<bool>,
    outputs: Vec<bool>,
}

impl Parser<'_, Declared> {
    fn statement(&mut self) -> Result<Option<Formula>, VnnlibError> {
        self.scanner.expect(Token::Open, "a statement such as (assert (<= X_0 0.5))")?;
        let (word, at) = self.scanner.word(STATEMENTS)?;
        let asserted = match word {
            "declare-const" => {
                self.declaration()?;
                None
            }
            "assert" => Some(self.formula(0)?),
            "declare-network" => return Err(self.scanner.error(at, VnnlibProblem::NoVersion(quote(word)))),
            _ => return Err(self.unsupported(word, at, STATEMENTS)),
        };
        self.scanner.expect(Token::Close, "`)` at the end of the statement")?;
        Ok(asserted)
    }

    fn declaration(&mut self) -> Result<(), VnnlibError> {
        let (name, at) = self.scanner.word("a variable such as X_0")?;
        let variable = self.syntax.variable(&self.scanner, name, at)?;
        if std::mem::replace(self.syntax.is_declared(variable), true) {
            return Err(self.scanner.error(at, VnnlibProblem::DeclaredTwice(quote(name))));
        }
        let (sort, at) = self.scanner.word("`Real`")?;
        if sort == "Real" { Ok(()) } else { Err(self.unsupported(sort, at, "`Real`")) }
    }
}

impl Syntax for Declared {
    const OPERATORS: &'static str = "`and`, `or`, `<=`, `>=`, `<`, `>` or `=`";

    fn comparison(word: &str) -> Option<Comparison> {
        Comparison::order(word).or_else(|| (word == "=").then_some(Comparison::Equal))
    }

    fn leaf(&mut self, scanner: &mut Scanner<'_>, word: &str, at: Span) -> Result<Linear, VnnlibError> {
        if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
            // A fraction such as 1/3 is a number to `Rational`, but not to VNN-LIB.
            let number = word.parse::<Rational>().ok().filter(|_| !word.contains('/'));
            let number = number.ok_or_else(|| scanner.error(at, VnnlibProblem::NotANumber(quote(word))))?;
            return Ok(number.into());
        }
        let variable = self.variable(scanner, word, at)?;
        if *self.is_declared(variable) {
            Ok(variable.into())
        } else {
            Err(scanner.error(at, VnnlibProblem::Undeclared(quote(word))))
        }
    }
}

impl Declared {
    /// The variable of a name, if the network has it.
    fn variable(&self, scanner: &Scanner<'_>, name: &str, at: Span) -> Result<Variable, VnnlibError> {
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
            _ => return Err(scanner.error(at, VnnlibProblem::NotAVariable(quote(name)))),
        };
        let name = quote(name);
        let missing = VnnlibProblem::NoSuchVariable { name, inputs, outputs };
        if exists { Ok(variable) } else { Err(scanner.error(at, missing)) }
    }

    fn is_declared(&mut self, variable: Variable) -> &mut bool {
        match variable {
            Variable::Input(i) => &mut self.inputs[i],
            Variable::Output(k) => &mut self.outputs[k],
        }
    }
}

/// Digits without leading zeros: to SMT-LIB `X_01` and `X_1` are two variables.
fn is_index(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'))
}
