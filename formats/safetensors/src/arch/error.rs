//! What can be wrong with a text, where, and how that is shown.

use super::{MAX_LAYERS, MAX_MAP_ENTRIES, MAX_NAME, MAX_NUMBER, MAX_RANK, MAX_TENSORS};
use std::fmt;
use std::ops::Range;
use unmoved_ir::IrError;

/// Bytes of the text.
pub type Span = Range<usize>;

/// A problem and the bytes that it concerns; [`SyntaxError::new`] makes it fit to be shown.
#[derive(Debug)]
pub struct Fault {
    /// The bytes.
    pub span: Span,
    /// Boxed, because the parser returns a `Result` for every number.
    pub problem: Box<Problem>,
}

impl Fault {
    /// A problem of these bytes.
    pub fn new(span: Span, problem: Problem) -> Self {
        Self { span, problem: Box::new(problem) }
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what they are
pub enum Problem {
    #[error("expected {expected}, found {found}")]
    Expected { expected: &'static str, found: String },
    #[error("the text ends before `end`: it is truncated")]
    Truncated,
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("version {0} is not known; this program reads `net 1`")]
    Version(String),
    #[error("nothing but comments may follow `end`")]
    AfterEnd,
    #[error("a statement must begin on a new line")]
    SameLine,
    #[error("unknown statement {0}")]
    UnknownStatement(String),
    #[error("{0}")]
    Misplaced(&'static str),

    #[error("the string does not end on this line")]
    OpenString,
    #[error("unknown escape; a string knows \\\" \\\\ \\n \\r \\t and \\u{{hex}}")]
    BadEscape,
    #[error("a control character must be escaped as \\u{{{0:x}}}")]
    ControlCharacter(u32),
    #[error("{0} needs quotes: only letters, digits and _ . / : - go without")]
    NeedsQuotes(String),
    #[error("a name must not be empty")]
    EmptyName,
    #[error("a name has at most {MAX_NAME} bytes")]
    LongName,

    #[error("{0} is not a decimal number")]
    NotANumber(String),
    #[error("a number has at most {MAX_NUMBER} characters")]
    LongNumber,
    #[error("{number} is beyond the range of {dtype}")]
    OutOfRange { number: String, dtype: &'static str },
    #[error("the shape needs {expected} elements, found {found}")]
    TooFew { expected: usize, found: usize },
    #[error("the shape needs {expected} elements, here is one more")]
    TooMany { expected: usize },
    #[error("{0} is not a whole number")]
    NotWhole(String),
    #[error("a shape has at most {MAX_RANK} dimensions")]
    Rank,
    #[error("a run must ascend")]
    Descending,

    #[error("unknown operator {0}; known are dense conv relu maxpool flatten add gather reshape")]
    UnknownOperator(String),
    #[error("{operator} has no attribute {attribute}")]
    UnknownAttribute { operator: &'static str, attribute: String },
    #[error("the attribute is given twice")]
    AttributeTwice,
    #[error("maxpool needs `kernel HEIGHT WIDTH`")]
    NoKernel,
    #[error("there is no layer or input {0} before this line")]
    UnknownValue(String),
    #[error("there is no tensor {0} before this line")]
    UnknownTensor(String),
    #[error("the name {0} is already taken")]
    NameTwice(String),
    #[error("{0} is never read")]
    Unread(String),
    #[error("a network has at most {MAX_LAYERS} layers")]
    TooManyLayers,
    #[error("a text has at most {MAX_TENSORS} tensors")]
    TooManyTensors,
    #[error("the index maps of one network have at most {MAX_MAP_ENTRIES} entries")]
    TooManyEntries,

    #[error(transparent)]
    Network(#[from] IrError),
    /// A problem of a statement that is not part of the architecture grammar, or of where the tensors come from.
    #[error(transparent)]
    Other(Box<dyn std::error::Error + Send + Sync>),
}

/// A problem with its place in the text; shown with the line and a caret.
#[derive(Debug)]
pub struct SyntaxError {
    /// The file, or what else the text is called.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Box<Problem>,
    /// The line, shortened around the column if it is long.
    pub text: String,
    /// The characters of `text` that are underlined.
    pub caret: Range<usize>,
}

/// How much of a line is shown on either side of the problem.
const CONTEXT: usize = 60;

impl SyntaxError {
    /// Finds line and column of a fault in the text that it came from.
    pub fn new(file: &str, text: &str, fault: Fault) -> Self {
        let start = text.floor_char_boundary(fault.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let end = text.ceil_char_boundary(fault.span.end).clamp(start, line_end);
        let (before, marked, after) = (&text[line_start..start], &text[start..end], &text[end..line_end]);

        let column = before.chars().count();
        let width = marked.chars().count();
        let (left, right) = (column.min(CONTEXT), CONTEXT.saturating_sub(width.min(CONTEXT)));
        let mut shown = String::new();
        shown.push_str(if column > left { "..." } else { "" });
        shown.extend(before.chars().skip(column - left).map(printable));
        let from = shown.chars().count();
        shown.extend(marked.chars().take(CONTEXT).map(printable));
        let to = shown.chars().count();
        let cut = width > CONTEXT || after.chars().nth(right).is_some();
        shown.extend(after.trim_end().chars().take(right).map(printable));
        shown.push_str(if cut { "..." } else { "" });
        Self {
            file: file.to_owned(),
            line: text[..start].bytes().filter(|&b| b == b'\n').count() + 1,
            column: column + 1,
            problem: fault.problem,
            text: shown,
            caret: from..to.max(from + 1),
        }
    }
}

/// A character of unknown width or effect would part the caret from its place, or worse.
fn printable(c: char) -> char {
    match c {
        '\t' => ' ',
        // Marks of no width, some of which turn the direction of writing.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, problem, text, caret } = self;
        let gutter = " ".repeat(line.to_string().len());
        let (indent, carets) = (" ".repeat(caret.start), "^".repeat(caret.len()));
        writeln!(f, "{problem}")?;
        writeln!(f, "{gutter}--> {file}:{line}:{column}")?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {text}")?;
        write!(f, "{gutter} | {indent}{carets}")
    }
}

impl std::error::Error for SyntaxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.problem.source()
    }
}
