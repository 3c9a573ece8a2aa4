//! From tokens to statements.

use super::scan::{STATEMENTS, whole};
use super::{
    Arch, Fault, Input, Kind, Layer, MAX_LAYERS, MAX_MAP_ENTRIES, MAX_RANK, Parameters, Problem, Scanner, Span, Token,
    Window, quote,
};
use unmoved_ir::{DType, Gather, NodeProblem, Shape};

/// Reads statement after statement and keeps those of the architecture; others are left to the caller, who reads
/// them from [`Reader::scanner`].
#[derive(Debug)]
pub struct Reader<'a> {
    /// The tokens.
    pub scanner: Scanner<'a>,
    input: Option<Input>,
    layers: Vec<Layer>,
    output: Option<(super::Name, bool)>,
    entries: usize,
    end: Span,
}

/// What [`Reader::next_statement`] came to.
#[derive(Debug)]
pub enum Statement<'a> {
    /// A statement of the architecture, which was read.
    Architecture,
    /// `tensor` or `meta`, of which only this word was read.
    Other(&'a str, Span),
}

impl<'a> Reader<'a> {
    /// Reads `net 1`.
    pub fn new(text: &'a str) -> Result<Self, Fault> {
        let mut scanner = Scanner::new(text)?;
        if *scanner.peek() != Token::Word("net") {
            return Err(scanner.expected("`net 1`"));
        }
        scanner.advance()?;
        let (version, span) = scanner.word("the version, 1")?;
        if version != "1" {
            return Err(Fault::new(span, Problem::Version(quote(version))));
        }
        Ok(Self { scanner, input: None, layers: Vec::new(), output: None, entries: 0, end: 0..0 })
    }

    /// Reads the next statement; `None` after `end`.
    pub fn next_statement(&mut self) -> Result<Option<Statement<'a>>, Fault> {
        let s = &mut self.scanner;
        let fault = |s: &Scanner<'_>, problem| Err(Fault::new(s.span(), problem));
        if *s.peek() == Token::End {
            return fault(s, Problem::Truncated);
        }
        if !s.first_on_line() {
            return fault(s, Problem::SameLine);
        }
        if !s.statement_is_over() {
            return fault(s, Problem::UnknownStatement(s.found()));
        }
        let (Token::Word(word), span) = s.advance()? else { unreachable!("statements begin with a word") };
        let misplaced = |rule| Err(Fault::new(span.clone(), Problem::Misplaced(rule)));
        match (word, &self.input, &self.output) {
            ("end", _, Some(_)) => {
                self.end = span;
                return if *s.peek() == Token::End { Ok(None) } else { fault(s, Problem::AfterEnd) };
            }
            ("end", _, None) => return misplaced("there must be an `output` before `end`"),
            (_, _, Some(_)) => return misplaced("only `end` may follow `output`"),
            ("net", ..) => return misplaced("`net` stands only at the beginning"),
            ("input", Some(_), _) => return misplaced("a network has one input"),
            ("layer" | "output", None, _) => return misplaced("`input` must come before this"),
            ("input", ..) => self.input = Some(input(s)?),
            ("layer", ..) => {
                if self.layers.len() == MAX_LAYERS {
                    return Err(Fault::new(span, Problem::TooManyLayers));
                }
                let layer = layer(s, MAX_MAP_ENTRIES - self.entries)?;
                self.entries += match &layer.kind {
                    Kind::Gather(gather) => gather.index.len(),
                    _ => 0,
                };
                self.layers.push(layer);
            }
            ("output", ..) => {
                let name = s.name("the name of the output")?;
                let ordering_only = s.skip_word("ordering-only")?;
                self.output = Some((name, ordering_only));
            }
            _ => return Ok(Some(Statement::Other(word, span))),
        }
        Ok(Some(Statement::Architecture))
    }

    /// The architecture, once [`Reader::next_statement`] gave `None`.
    pub fn finish(self) -> Result<Arch, Fault> {
        let (Some(input), Some((output, ordering_only))) = (self.input, self.output) else {
            return Err(Fault::new(self.end, Problem::Truncated));
        };
        Ok(Arch { input, layers: self.layers, output, ordering_only })
    }
}

/// `[2 3]`, without regard to how many elements that makes.
pub fn read_dims(s: &mut Scanner<'_>) -> Result<Vec<usize>, Fault> {
    s.symbol('[', "a shape such as [1 28 28]")?;
    let mut dims = Vec::new();
    while !s.skip_symbol(']')? {
        if dims.len() == MAX_RANK {
            return Err(Fault::new(s.span(), Problem::Rank));
        }
        dims.push(s.whole("an extent or `]`")?.0);
    }
    Ok(dims)
}

/// `f32` or `f64`.
pub fn read_dtype(s: &mut Scanner<'_>) -> Result<DType, Fault> {
    for dtype in [DType::F32, DType::F64] {
        if s.skip_word(dtype.name())? {
            return Ok(dtype);
        }
    }
    Err(s.expected("f32 or f64"))
}

fn input(s: &mut Scanner<'_>) -> Result<Input, Fault> {
    let name = s.name("the name of the input")?;
    Ok(Input { name, dtype: read_dtype(s)?, dims: read_dims(s)? })
}

const VALUE: &str = "the name of a layer or the input";

fn layer(s: &mut Scanner<'_>, entries_left: usize) -> Result<Layer, Fault> {
    let name = s.name("the name of the layer")?;
    s.symbol('=', "`=`")?;
    let (operator, span) = s.word("an operator")?;
    let arity = match operator {
        "dense" | "conv" | "relu" | "maxpool" | "flatten" | "gather" | "reshape" => 1,
        "add" => 2,
        _ => return Err(Fault::new(span, Problem::UnknownOperator(quote(operator)))),
    };
    let inputs = (0..arity).map(|_| s.name(VALUE)).collect::<Result<_, _>>()?;
    let kind = match operator {
        "dense" => {
            let parameters = parameters(s)?;
            attributes("dense", &mut [], s)?;
            Kind::Dense(parameters)
        }
        "conv" => {
            let parameters = parameters(s)?;
            let (mut window, mut groups) = (Window::default(), [1]);
            let Window { stride, padding, dilation } = &mut window;
            let known: &mut [(&str, &mut [usize])] =
                &mut [("stride", stride), ("pad", padding), ("dilation", dilation), ("groups", &mut groups)];
            attributes("conv", known, s)?;
            Kind::Conv(parameters, window, groups[0])
        }
        "maxpool" => {
            let (mut window, mut kernel) = (Window::default(), [0; 2]);
            let Window { stride, padding, dilation } = &mut window;
            let known: &mut [(&str, &mut [usize])] =
                &mut [("kernel", &mut kernel), ("stride", stride), ("pad", padding), ("dilation", dilation)];
            if !attributes("maxpool", known, s)?.contains(&"kernel") {
                return Err(Fault::new(span, Problem::NoKernel));
            }
            Kind::MaxPool(kernel, window)
        }
        "gather" => gather(s, entries_left)?,
        "reshape" => Kind::Reshape(read_dims(s)?),
        "relu" => {
            attributes("relu", &mut [], s)?;
            Kind::Relu
        }
        "flatten" => {
            attributes("flatten", &mut [], s)?;
            Kind::Flatten
        }
        _ => {
            attributes("add", &mut [], s)?;
            Kind::Add
        }
    };
    Ok(Layer { name, inputs, kind })
}

/// The weight and the bias, or `.` for a bias of zero.
fn parameters(s: &mut Scanner<'_>) -> Result<Parameters, Fault> {
    let weight = s.name("the weight, a tensor")?;
    let bias = if s.skip_word(".")? { None } else { Some(s.name("the bias: a tensor, or `.` for zero")?) };
    Ok(Parameters { weight, bias })
}

/// Reads attributes such as `stride 2 2` into their places and says which there were. A new line may continue them,
/// but if it begins with an unknown word that is more likely a misspelt statement.
fn attributes<'a>(
    operator: &'static str,
    known: &mut [(&str, &mut [usize])],
    s: &mut Scanner<'a>,
) -> Result<Vec<&'a str>, Fault> {
    let mut given = Vec::new();
    while let (&Token::Word(word), false) = (s.peek(), s.statement_is_over()) {
        let Some((_, values)) = known.iter_mut().find(|(name, _)| *name == word) else {
            if s.first_on_line() {
                break;
            }
            let attribute = s.found();
            let problem = if STATEMENTS.contains(&word) {
                Problem::SameLine
            } else {
                Problem::UnknownAttribute { operator, attribute }
            };
            return Err(Fault::new(s.span(), problem));
        };
        if given.contains(&word) {
            return Err(Fault::new(s.span(), Problem::AttributeTwice));
        }
        s.advance()?;
        given.push(word);
        for value in values.iter_mut() {
            *value = s.whole("a whole number")?.0;
        }
    }
    Ok(given)
}

/// A shape and as many entries: an index, a run `from-to`, or `.` for zero.
fn gather(s: &mut Scanner<'_>, entries_left: usize) -> Result<Kind, Fault> {
    let start = s.span();
    let ir = |problem: NodeProblem| Fault::new(start.clone(), Problem::Network(problem.into()));
    let dims = read_dims(s)?;
    let expected = Shape::new(&dims).map_err(ir)?.len();
    if expected > entries_left {
        return Err(Fault::new(start.clone(), Problem::TooManyEntries));
    }
    // A run is the one place where a few bytes become many entries, so it is checked before it is unrolled.
    let mut index = Vec::new();
    while index.len() < expected {
        if s.statement_is_over() && *s.peek() != Token::End {
            return Err(Fault::new(s.span(), Problem::TooFew { expected, found: index.len() }));
        }
        let (word, span) = s.word("an index, a run such as 0-9, or `.`")?;
        if word == "." {
            index.push(None);
            continue;
        }
        let (from, to) = word.split_once('-').unwrap_or((word, word));
        let number = |text| whole(text).and_then(|n| u32::try_from(n).ok());
        let (Some(from), Some(to)) = (number(from), number(to)) else {
            return Err(Fault::new(span, Problem::NotWhole(quote(word))));
        };
        if from > to {
            return Err(Fault::new(span, Problem::Descending));
        }
        if (to - from) as usize >= expected - index.len() {
            return Err(Fault::new(span, Problem::TooMany { expected }));
        }
        index.extend((from..=to).map(Some));
    }
    if s.list_goes_on() {
        return Err(Fault::new(s.span(), Problem::TooMany { expected }));
    }
    Ok(Kind::Gather(Gather::new(index, &dims).map_err(ir)?))
}
