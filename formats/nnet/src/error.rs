//! What can go wrong, where, and how that is shown.

use crate::{MAX_LAYERS, MAX_NUMBER};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use unmoved_ir::IrError;

/// Why a network could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// A folder, a device or a pipe.
    #[error("{0} is not a plain file")]
    NotAFile(PathBuf),
    /// A file beyond the limit.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
    /// The text does not say what it should. The message shows the line.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The network does not fit the format.
    #[error("node \"{node}\" cannot be written as .nnet: {reason}")]
    Unwritable {
        /// The node that stands in the way.
        node: String,
        /// Why.
        reason: String,
    },
    /// Metadata of this format that do not belong to the network.
    #[error("the metadata \"{key}\" should be {expected} numbers with commas between them")]
    Metadata {
        /// One of the keys `nnet.*`.
        key: &'static str,
        /// The number of inputs.
        expected: usize,
    },
}

/// A problem and the bytes that it concerns.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) span: Range<usize>,
    /// Boxed, because the parser returns a `Result` for every number.
    pub(crate) problem: Box<Problem>,
}

impl Fault {
    pub(crate) fn new(span: Range<usize>, problem: Problem) -> Self {
        Self { span, problem: Box::new(problem) }
    }
}

/// What is wrong with a text.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what they are
pub enum Problem {
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("the text ends before {0}: it is truncated")]
    Truncated(String),
    #[error("nothing may follow the last bias")]
    AfterEnd,
    #[error("{what}: expected {expected} number(s), found {found}")]
    TooFew { what: String, expected: usize, found: usize },
    #[error("{what}: expected {expected} number(s), here is one more")]
    TooMany { what: String, expected: usize },
    #[error("{0} is not a decimal number")]
    NotANumber(String),
    #[error("a number has at most {MAX_NUMBER} characters")]
    LongNumber,
    #[error("{0} is beyond the range of float64")]
    OutOfRange(String),
    #[error("{0} is not a whole number")]
    NotWhole(String),
    #[error("a network has 1 to {MAX_LAYERS} layers")]
    Layers,
    #[error("the first line says {claimed} {what}, the layer sizes say {found}")]
    Sizes { what: &'static str, claimed: usize, found: usize },
    #[error("the flag is not 0: symmetric networks are not read")]
    Flag,
    #[error("inputs are divided by their ranges; one of them is zero, or too near to it or to infinity")]
    Range,
    #[error(transparent)]
    Network(#[from] IrError),
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

/// How many characters of a line are shown before the problem, of it, and after it.
const CONTEXT: usize = 40;

impl SyntaxError {
    /// Finds line and column of a fault in the text that it came from.
    pub(crate) fn new(file: &str, text: &str, fault: Fault) -> Self {
        let start = text.floor_char_boundary(fault.span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
        let end = text.ceil_char_boundary(fault.span.end).clamp(start, line_end);
        let (before, marked, after) = (&text[line_start..start], &text[start..end], &text[end..line_end]);

        let column = before.chars().count();
        let (skipped, width) = (column.saturating_sub(CONTEXT), marked.chars().count());
        let mut shown = String::from(if skipped > 0 { "..." } else { "" });
        shown.extend(before.chars().skip(skipped).map(printable));
        let from = shown.chars().count();
        shown.extend(marked.chars().take(CONTEXT).map(printable));
        let to = shown.chars().count();
        if width <= CONTEXT {
            shown.extend(after.trim_end().chars().take(CONTEXT).map(printable));
        }
        shown.push_str(if width > CONTEXT || after.trim_end().chars().nth(CONTEXT).is_some() { "..." } else { "" });
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

/// A piece of the text in backticks, shortened.
pub(crate) fn quote(text: &str) -> String {
    let shown: String = text.chars().take(CONTEXT).flat_map(char::escape_debug).collect();
    let rest = if text.chars().nth(CONTEXT).is_some() { "..." } else { "" };
    format!("`{shown}{rest}`")
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
