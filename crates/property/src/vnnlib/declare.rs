//! The first part of a text in VNN-LIB 2.0: its version, networks and their tensors.

use super::place::Span;
use super::scan::{Dialect, Scanner, Token, quote};
use super::{NotBuilt, VnnlibError, VnnlibProblem};
use std::collections::HashSet;
use std::fmt;

/// A version of VNN-LIB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 1.0, which does not name itself.
    V1,
    /// 2.x; minor versions break nothing.
    V2 {
        /// The part after the point.
        minor: u32,
    },
}

/// What a text says of itself before its first assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declarations {
    /// Of the language.
    pub version: Version,
    /// The networks of 2.0, in the order of the text; 1.0 declares none.
    pub networks: Vec<NetworkDeclaration>,
}

/// `declare-network`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkDeclaration {
    /// The name by which a file is assigned to it.
    pub name: String,
    /// At least one.
    pub inputs: Vec<TensorDeclaration>,
    /// Values between layers.
    pub hidden: Vec<TensorDeclaration>,
    /// At least one.
    pub outputs: Vec<TensorDeclaration>,
}

/// `declare-input`, `declare-output` or `declare-hidden`. Displays as `X real [1,5]`, the line above the values of an
/// assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorDeclaration {
    /// Unique in the text.
    pub name: String,
    /// The type of the elements, as it stands in the text.
    pub sort: String,
    /// Extents; none for a scalar. Elements stand in row-major order.
    pub shape: Vec<usize>,
}

/// The most tensors that a text may declare, and the most extents of each; we can hold two of rank four.
pub(super) const MAX_TENSORS: usize = 4096;
pub(super) const MAX_RANK: usize = 64;

/// Reads the declarations of a text and none of its assertions: 1.0 is recognised by its first word.
///
/// What [`super::read`] refuses as not built yet (several networks, hidden tensors, types other than `real`) is declared all the same.
///
/// # Errors
/// Text that begins like 2.0 and does not go on like it, or names another version.
pub fn declarations(text: &str) -> Result<Declarations, VnnlibError> {
    if !is_two(text) {
        return Ok(Declarations { version: Version::V1, networks: Vec::new() });
    }
    let header = Header::parse(&mut Scanner::new(text, Dialect::Two))?;
    let list = |network: &Net<'_>, kind| {
        network.tensors.iter().filter(|t| t.kind == kind).map(|t| t.declaration.clone()).collect()
    };
    let network = |network: &Net<'_>| NetworkDeclaration {
        name: network.name.to_owned(),
        inputs: list(network, Kind::Input),
        hidden: list(network, Kind::Hidden),
        outputs: list(network, Kind::Output),
    };
    Ok(Declarations {
        version: Version::V2 { minor: header.minor },
        networks: header.networks.iter().map(network).collect(),
    })
}

/// Whether a text claims to be in a version that has a name.
pub(super) fn is_two(text: &str) -> bool {
    let mut scanner = Scanner::new(text, Dialect::Two);
    // With a blank after the parenthesis it is wrong, but no 1.0 either.
    let claims = |token| matches!(token, Token::Statement("vnnlib-version") | Token::Word("vnnlib"));
    claims(scanner.peek()) || (scanner.take(Token::Open) && claims(scanner.peek()))
}

/// The declarations with their places.
pub(super) struct Header<'a> {
    minor: u32,
    pub(super) networks: Vec<Net<'a>>,
}

pub(super) struct Net<'a> {
    name: &'a str,
    pub(super) at: Span,
    /// `isomorphic-to` and `equal-to`.
    pub(super) equivalences: Vec<(&'static str, Span)>,
    /// Inputs, then hidden ones, then outputs.
    pub(super) tensors: Vec<Tensor>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Input,
    Hidden,
    Output,
}

pub(super) struct Tensor {
    pub(super) kind: Kind,
    pub(super) declaration: TensorDeclaration,
    pub(super) at: Span,
    pub(super) sort_at: Span,
    pub(super) shape_at: Span,
}

impl<'a> Header<'a> {
    /// Up to the first assertion.
    pub(super) fn parse(scanner: &mut Scanner<'a>) -> Result<Self, VnnlibError> {
        let minor = version(scanner)?;
        let (mut networks, mut names) = (Vec::new(), HashSet::new());
        while let Token::Statement("declare-network") = scanner.peek() {
            scanner.advance();
            networks.push(network(scanner, &mut names)?);
        }
        if networks.is_empty() {
            return Err(scanner.expected("`(declare-network`"));
        }
        Ok(Self { minor, networks })
    }
}

/// The minor version.
fn version(scanner: &mut Scanner<'_>) -> Result<u32, VnnlibError> {
    scanner
        .expect(Token::Statement("vnnlib-version"), "`(vnnlib-version <2.0>)` without blanks after the parenthesis")?;
    let at = scanner.at();
    let Token::Quoted(version) = scanner.peek() else { return Err(scanner.expected("a version such as <2.0>")) };
    let numbers = version.strip_prefix('<').and_then(|v| v.strip_suffix('>')).and_then(|v| v.split_once('.'));
    let Some((major, minor)) = numbers else { return Err(scanner.expected("a version such as <2.0>")) };
    let minor = minor.parse().ok().filter(|_| major == "2");
    let minor = minor.ok_or_else(|| scanner.error(at, VnnlibProblem::Version(quote(version))))?;
    scanner.advance();
    scanner.expect(Token::Close, "`)` after the version")?;
    Ok(minor)
}

fn network<'a>(scanner: &mut Scanner<'a>, names: &mut HashSet<&'a str>) -> Result<Net<'a>, VnnlibError> {
    let (name, at) = declared_name(scanner, "the network's name")?;
    let (mut equivalences, mut tensors) = (Vec::new(), Vec::new());
    while let Token::Statement(word @ ("isomorphic-to" | "equal-to")) = scanner.peek() {
        let word = if word == "equal-to" { "equal-to" } else { "isomorphic-to" };
        if equivalences.len() == MAX_TENSORS {
            return Err(scanner.error(scanner.at(), VnnlibProblem::TooManyDeclared));
        }
        equivalences.push((word, scanner.at()));
        scanner.advance();
        declared_name(scanner, "the name of another network")?;
        scanner.expect(Token::Close, "`)` after the network's name")?;
    }
    let kinds = [("declare-input", Kind::Input), ("declare-hidden", Kind::Hidden), ("declare-output", Kind::Output)];
    for (keyword, kind) in kinds {
        while scanner.take(Token::Statement(keyword)) {
            tensors.push(tensor(scanner, kind, names)?);
        }
        match kind {
            Kind::Input if tensors.is_empty() => {
                return Err(scanner.expected("`(declare-input`; inputs come first, then hidden tensors, then outputs"));
            }
            Kind::Output if tensors.last().is_none_or(|t| t.kind != Kind::Output) => {
                return Err(scanner.expected("`(declare-output`; inputs come first, then hidden tensors, then outputs"));
            }
            _ => {}
        }
    }
    scanner.expect(Token::Close, "another `(declare-output`, or `)` at the end of the network")?;
    Ok(Net { name, at, equivalences, tensors })
}

fn tensor<'a>(scanner: &mut Scanner<'a>, kind: Kind, names: &mut HashSet<&'a str>) -> Result<Tensor, VnnlibError> {
    let (name, at) = declared_name(scanner, "the tensor's name")?;
    if !names.insert(name) {
        return Err(scanner.error(at, VnnlibProblem::DeclaredTwice(quote(name))));
    }
    if names.len() > MAX_TENSORS {
        return Err(scanner.error(at, VnnlibProblem::TooManyDeclared));
    }
    let (sort, sort_at) = declared_name(scanner, "the type of the elements, such as real")?;
    let start = scanner.at();
    let mut shape = Vec::new();
    scanner.expect(Token::Mark('['), "a shape such as [1,5]")?;
    while scanner.peek() != Token::Mark(']') {
        if !shape.is_empty() {
            scanner.expect(Token::Mark(','), "`,` or `]`")?;
        }
        let (word, at) = scanner.word("an extent or `]`")?;
        if shape.len() == MAX_RANK {
            return Err(scanner.error(at, VnnlibProblem::TooManyDeclared));
        }
        let extent = word.parse().ok().filter(|&n| n > 0);
        shape.push(extent.ok_or_else(|| scanner.error(at, VnnlibProblem::Extent(quote(word))))?);
    }
    let shape_at = Span { start: start.start, end: scanner.at().end };
    scanner.advance();
    if kind == Kind::Hidden {
        if !matches!(scanner.peek(), Token::Quoted(name) if name.starts_with('"')) {
            return Err(scanner.expected("the ONNX name of the hidden tensor, in double quotes"));
        }
        scanner.advance();
    }
    if kind == Kind::Input && scanner.peek() == Token::Word("initialized") {
        return Err(scanner.error(scanner.at(), NotBuilt::Initialized));
    }
    scanner.expect(Token::Close, "`)` after the shape; only hidden tensors have ONNX names")?;
    let declaration = TensorDeclaration { name: name.to_owned(), sort: sort.to_owned(), shape };
    Ok(Tensor { kind, declaration, at, sort_at, shape_at })
}

/// A name of the grammar.
fn declared_name<'a>(scanner: &mut Scanner<'a>, expected: &'static str) -> Result<(&'a str, Span), VnnlibError> {
    let (word, at) = scanner.word(expected)?;
    if is_name(word) { Ok((word, at)) } else { Err(scanner.error(at, VnnlibProblem::NotAName(quote(word)))) }
}

/// Whether a word of 2.0 is neither operator nor number nor keyword.
pub(super) fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic()) && !matches!(word, "and" | "or")
}

/// Extents as they stand in a text.
pub(super) fn shape_text(shape: &[usize]) -> String {
    format!("[{}]", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(","))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V1 => write!(f, "1.0"),
            Self::V2 { minor } => write!(f, "2.{minor}"),
        }
    }
}

impl fmt::Display for TensorDeclaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.name, self.sort, shape_text(&self.shape))
    }
}
