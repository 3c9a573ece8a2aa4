//! VNN-LIB 2.0: typed tensors of a declared network, after the LBNF grammar of the standard (arXiv:2605.07451).

use super::declare::{Header, Kind, Net, Tensor, is_name, shape_text};
use super::formula::Formula;
use super::linear::{Linear, Variable};
use super::parse::{Comparison, Parser, Syntax};
use super::place::Span;
use super::scan::{Dialect, Scanner, Token, quote};
use super::{NotBuilt, TensorDeclaration, VnnlibError, VnnlibProblem};
use unmoved_ir::{Network, Rational, Shape};

/// The asserted formulas of a text about a network, and its input as the text declares it.
pub(super) fn parse(text: &str, network: &Network) -> Result<(Vec<Formula>, TensorDeclaration), VnnlibError> {
    let mut scanner = Scanner::new(text, Dialect::Two);
    let header = Header::parse(&mut scanner)?;
    let tensors = tensors(&scanner, header, network)?;
    let mut parser = Parser::new(scanner, tensors);
    let mut asserted = Vec::new();
    while parser.scanner.take(Token::Statement("assert")) {
        asserted.push(parser.formula(0)?);
        parser.scanner.expect(Token::Close, "`)` at the end of the assertion")?;
    }
    if asserted.is_empty() || parser.scanner.peek() != Token::End {
        return Err(parser.scanner.expected("`(assert`; declarations come first"));
    }
    Ok((asserted, parser.syntax.input))
}

/// The one input and the one output of what is declared, if that is something that queries can be made of.
fn tensors(scanner: &Scanner<'_>, header: Header<'_>, network: &Network) -> Result<Tensors, VnnlibError> {
    let refuse = |at, reason: NotBuilt| Err(scanner.error(at, reason));
    let mut networks = header.networks.into_iter();
    let Some(Net { equivalences, tensors, .. }) = networks.next() else {
        return Err(scanner.expected("`(declare-network`"));
    };
    if let Some(&(word, at)) = equivalences.first() {
        return refuse(at, NotBuilt::Equivalence(word));
    }
    if let Some(second) = networks.next() {
        return refuse(second.at, NotBuilt::Networks);
    }
    let mut ends: [Option<TensorDeclaration>; 2] = [None, None];
    for tensor in tensors {
        let (end, what, shape) = match tensor.kind {
            Kind::Hidden => return refuse(tensor.at, NotBuilt::Hidden),
            Kind::Input => (&mut ends[0], "input", &network.input().shape),
            Kind::Output => (&mut ends[1], "output", &network.node(network.output()).shape),
        };
        if end.is_some() {
            return refuse(tensor.at, NotBuilt::Tensors(what));
        }
        real(scanner, &tensor)?;
        let TensorDeclaration { name, shape: declared, .. } = &tensor.declaration;
        if !fits(declared, shape) {
            let (name, declared) = (quote(name), shape_text(declared));
            let problem = VnnlibProblem::Shape { name, kind: what, declared, network: shape_text(shape.dims()) };
            return Err(scanner.error(tensor.shape_at, problem));
        }
        *end = Some(tensor.declaration);
    }
    match ends {
        [Some(input), Some(output)] => Ok(Tensors { input, output, numbers: None }),
        _ => Err(scanner.expected("`(declare-input` and `(declare-output`")),
    }
}

/// The standard writes `real`; drafts of it wrote `Real`, as SMT-LIB does.
fn real(scanner: &Scanner<'_>, tensor: &Tensor) -> Result<(), VnnlibError> {
    let sort = tensor.declaration.sort.as_str();
    let reason = match sort {
        "real" | "Real" => return Ok(()),
        sort if sort.contains("float") => NotBuilt::Floats(quote(sort)),
        sort => NotBuilt::Type(quote(sort)),
    };
    Err(scanner.error(tensor.sort_at, reason))
}

/// Whether elements in row-major order are the network's: extents are the same but for ones (formats drop the batch), or
/// one of the two is a flat list.
fn fits(declared: &[usize], network: &Shape) -> bool {
    let without_ones = |dims: &[usize]| dims.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
    let (declared, network) = (without_ones(declared), without_ones(network.dims()));
    let len = |dims: &[usize]| dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    declared == network || (declared.len().min(network.len()) <= 1 && len(&declared) == len(&network))
}

/// What variables stand for.
struct Tensors {
    input: TensorDeclaration,
    output: TensorDeclaration,
    /// What the comparison that is being read is about, once that is known.
    numbers: Option<Numbers>,
}

/// 2.0 never converts: a comparison is about reals or about integers.
#[derive(Clone, Copy, PartialEq)]
enum Numbers {
    Real,
    Integer,
}

impl Syntax for Tensors {
    const OPERATORS: &'static str = "`and`, `or`, `<=`, `>=`, `<`, `>`, `==` or `!=`";

    fn comparison(word: &str) -> Option<Comparison> {
        match word {
            "==" => Some(Comparison::Equal),
            "!=" => Some(Comparison::Unequal),
            _ => Comparison::order(word),
        }
    }

    fn begin_comparison(&mut self) {
        self.numbers = None;
    }

    fn leaf(&mut self, scanner: &mut Scanner<'_>, word: &str, at: Span) -> Result<Linear, VnnlibError> {
        if is_name(word) {
            let variable = self.element(scanner, word, at)?;
            self.number(scanner, word, at, Numbers::Real)?;
            return Ok(variable.into());
        }
        let number = word.parse::<Rational>();
        let number = number.map_err(|_| scanner.error(at, VnnlibProblem::NotANumber(quote(word))))?;
        self.number(scanner, word, at, if word.contains('.') { Numbers::Real } else { Numbers::Integer })?;
        Ok(number.into())
    }
}

impl Tensors {
    fn number(&mut self, scanner: &Scanner<'_>, word: &str, at: Span, is: Numbers) -> Result<(), VnnlibError> {
        if *self.numbers.get_or_insert(is) == is {
            return Ok(());
        }
        let (found, expected) = match is {
            Numbers::Integer => ("an integer", "real numbers"),
            Numbers::Real => ("a real number", "integers"),
        };
        Err(scanner.error(at, VnnlibProblem::MixedTypes { number: quote(word), found, expected }))
    }

    /// The element that a name and the indices after it stand for.
    fn element(&self, scanner: &mut Scanner<'_>, name: &str, at: Span) -> Result<Variable, VnnlibError> {
        let (tensor, variable): (_, fn(usize) -> Variable) = if name == self.input.name {
            (&self.input, Variable::Input)
        } else if name == self.output.name {
            (&self.output, Variable::Output)
        } else {
            return Err(scanner.error(at, VnnlibProblem::Undeclared(quote(name))));
        };
        let (mut element, mut found) = (0, 0);
        if scanner.take(Token::Mark('[')) {
            loop {
                let (word, at) = scanner.word("an index")?;
                if let Some(&extent) = tensor.shape.get(found) {
                    let index = word.parse().ok().filter(|&index: &usize| index < extent);
                    let outside = || {
                        let (name, shape) = (quote(name), shape_text(&tensor.shape));
                        scanner.error(at, VnnlibProblem::Index { index: quote(word), name, shape })
                    };
                    element = element * extent + index.ok_or_else(outside)?;
                }
                found += 1;
                if scanner.take(Token::Mark(']')) {
                    break;
                }
                scanner.expect(Token::Mark(','), "`,` or `]`")?;
            }
        }
        let expected = tensor.shape.len();
        if found != expected {
            let (name, shape) = (quote(name), shape_text(&tensor.shape));
            return Err(scanner.error(at, VnnlibProblem::Indices { name, expected, found, shape }));
        }
        Ok(variable(element))
    }
}

/// The name of the element at a place in row-major order: `X[0,3]`.
pub(super) fn element_name(tensor: &TensorDeclaration, mut element: usize) -> String {
    let mut indices = vec![0; tensor.shape.len()];
    for (index, extent) in indices.iter_mut().zip(&tensor.shape).rev() {
        *index = element % extent;
        element /= extent;
    }
    if indices.is_empty() { tensor.name.clone() } else { format!("{}{}", tensor.name, shape_text(&indices)) }
}
