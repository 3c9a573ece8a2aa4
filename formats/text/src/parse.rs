//! From text to a network. The architecture statements are read by [`arch`]; here are `meta` and `tensor`.

use crate::reference::References;
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;
use unmoved_ir::{DType, Network, NodeProblem, Shape, Tensor};
use unmoved_safetensors::arch::{
    self, Fault, MAX_NUMBER, MAX_TENSORS, Name, Problem, Reader, Scanner, Span, Statement, Token,
};

/// A tensor statement.
struct Declared {
    tensor: Tensor,
    span: Span,
    read: bool,
}

/// Reads a network; `references` finds the tensors that stand in other files.
pub(crate) fn parse(text: &str, references: &mut References<'_>) -> Result<Network, Fault> {
    let mut reader = Reader::new(text)?;
    let mut metadata = BTreeMap::new();
    let mut tensors: HashMap<String, Declared> = HashMap::new();
    while let Some(statement) = reader.next_statement()? {
        let s = &mut reader.scanner;
        match statement {
            Statement::Architecture => {}
            Statement::Other("meta", _) => meta(s, &mut metadata)?,
            Statement::Other(..) => {
                let name = s.name("the name of the tensor")?;
                if tensors.len() == MAX_TENSORS {
                    return Err(Fault::new(name.span, Problem::TooManyTensors));
                }
                if tensors.contains_key(&name.text) {
                    return Err(Fault::new(name.span, Problem::NameTwice(arch::quote(&name.text))));
                }
                let tensor = tensor(s, references)?;
                tensors.insert(name.text, Declared { tensor, span: name.span, read: false });
            }
        }
    }
    let mut lookup = |name: &Name| match tensors.get_mut(&name.text) {
        Some(declared) if declared.span.start < name.span.start => {
            declared.read = true;
            Ok(declared.tensor.clone())
        }
        _ => Err(Problem::UnknownTensor(arch::quote(&name.text))),
    };
    let network = reader.finish()?.build(&mut lookup, metadata)?;
    let unread = tensors.into_iter().filter(|(_, t)| !t.read).min_by_key(|(_, t)| t.span.start);
    match unread {
        Some((name, declared)) => Err(Fault::new(declared.span, Problem::Unread(arch::quote(&name)))),
        None => Ok(network),
    }
}

fn meta(s: &mut Scanner<'_>, metadata: &mut BTreeMap<String, String>) -> Result<(), Fault> {
    let (key, span) = s.string("a key in quotes")?;
    let (value, _) = s.string("a value in quotes")?;
    match metadata.insert(key.clone(), value) {
        Some(_) => Err(Fault::new(span, Problem::NameTwice(arch::quote(&key)))),
        None => Ok(()),
    }
}

/// The type, the shape, and the numbers or where they are.
fn tensor(s: &mut Scanner<'_>, references: &mut References<'_>) -> Result<Tensor, Fault> {
    let dtype = arch::read_dtype(s)?;
    let start = s.span();
    let dims = arch::read_dims(s)?;
    let ir = |problem: NodeProblem| Fault::new(start.clone(), Problem::Network(problem.into()));
    let shape = Shape::new(&dims).map_err(ir)?;
    let equals = s.skip_symbol('=')?;
    if !equals && s.skip_word("from")? {
        return referenced(s, references, dtype, &shape);
    }
    match dtype {
        DType::F32 => Tensor::f32(&dims, numbers(s, shape.len(), dtype, f32::is_finite)?),
        DType::F64 => Tensor::f64(&dims, numbers(s, shape.len(), dtype, f64::is_finite)?),
    }
    .map_err(ir)
}

/// As many numbers as the shape needs, each parsed straight to its type: a detour through f64 would round twice.
fn numbers<T: FromStr + Copy>(
    s: &mut Scanner<'_>,
    expected: usize,
    dtype: DType,
    is_finite: fn(T) -> bool,
) -> Result<Vec<T>, Fault> {
    // Grows with the numbers that are there, whatever the shape says.
    let mut values = Vec::new();
    while values.len() < expected {
        let Token::Word(word) = *s.peek() else {
            return Err(s.expected("a number"));
        };
        if s.statement_is_over() {
            return Err(Fault::new(s.span(), Problem::TooFew { expected, found: values.len() }));
        }
        let fault = |problem| Fault::new(s.span(), problem);
        if word.len() > MAX_NUMBER {
            return Err(fault(Problem::LongNumber));
        }
        // Rust's parser also knows "inf" and "nan", which consist of other characters.
        let decimal = word.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
        let Some(value) = word.parse::<T>().ok().filter(|_| decimal) else {
            return Err(fault(Problem::NotANumber(arch::quote(word))));
        };
        if !is_finite(value) {
            return Err(fault(Problem::OutOfRange { number: arch::quote(word), dtype: dtype.name() }));
        }
        values.push(value);
        s.advance()?;
    }
    if s.list_goes_on() { Err(Fault::new(s.span(), Problem::TooMany { expected })) } else { Ok(values) }
}

/// `"file" key "k" sha256 <64 digits>`.
fn referenced(
    s: &mut Scanner<'_>,
    references: &mut References<'_>,
    dtype: DType,
    shape: &Shape,
) -> Result<Tensor, Fault> {
    let (file, file_span) = s.string("a file in quotes")?;
    if !s.skip_word("key")? {
        return Err(s.expected("`key`"));
    }
    let (key, key_span) = s.string("a key in quotes")?;
    if !s.skip_word("sha256")? {
        return Err(s.expected("`sha256`"));
    }
    let (digest, digest_span) = s.word("64 hexadecimal digits")?;
    references.tensor(&file, &key, dtype, shape, digest).map_err(|error| {
        use crate::ReferenceError::*;
        let span = match error {
            BadDigest | Digest { .. } => digest_span,
            DType { .. } | Shape { .. } | File(unmoved_safetensors::Error::MissingTensor(_)) => key_span,
            _ => file_span,
        };
        Fault::new(span, Problem::Other(Box::new(error)))
    })
}
