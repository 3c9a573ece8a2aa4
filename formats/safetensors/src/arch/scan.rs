//! From characters to tokens, with one token of lookahead.

use super::{Fault, MAX_NAME, MAX_NUMBER, Problem, Span};
use winnow::combinator::delimited;
use winnow::error::EmptyError;
use winnow::prelude::*;
use winnow::stream::Location;
use winnow::token::{any, take_till, take_while};
use winnow::{LocatingSlice, Result};

type Input<'a> = LocatingSlice<&'a str>;

/// The words that begin a statement when they begin a line.
pub(super) const STATEMENTS: [&str; 7] = ["net", "meta", "input", "tensor", "layer", "output", "end"];

/// The smallest unit of the text.
#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    /// Characters between blanks: a keyword, a bare name or a number.
    Word(&'a str),
    /// A string, without quotes and escapes.
    Quoted(String),
    /// `[`, `]` or `=`.
    Symbol(char),
    /// The end of the text.
    End,
}

/// A name and where it stands.
#[derive(Debug, Clone)]
pub struct Name {
    /// Without quotes and escapes.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// Reads tokens one after the other and knows the next.
#[derive(Debug)]
pub struct Scanner<'a> {
    input: Input<'a>,
    token: Token<'a>,
    span: Span,
    first_on_line: bool,
}

impl<'a> Scanner<'a> {
    /// At the first token of a text.
    pub fn new(text: &'a str) -> Result<Self, Fault> {
        let mut scanner = Self { input: LocatingSlice::new(text), token: Token::End, span: 0..0, first_on_line: true };
        scanner.advance()?;
        scanner.first_on_line = true;
        Ok(scanner)
    }

    /// The next token.
    pub fn peek(&self) -> &Token<'a> {
        &self.token
    }

    /// Where the next token stands.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Whether the next token is the first of its line.
    pub fn first_on_line(&self) -> bool {
        self.first_on_line
    }

    /// Whether the current statement is over: the next token begins another, or there is none.
    pub fn statement_is_over(&self) -> bool {
        match self.token {
            Token::Word(word) => self.first_on_line && STATEMENTS.contains(&word),
            Token::End => true,
            _ => false,
        }
    }

    /// Whether the next token is one more entry of a list that ought to be over. On a new line, what does not look
    /// like a number is more likely a misspelt statement.
    pub fn list_goes_on(&self) -> bool {
        match self.token {
            Token::Word(word) if self.first_on_line => {
                word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
            }
            Token::Word(word) => !STATEMENTS.contains(&word),
            _ => false,
        }
    }

    /// Takes the next token.
    pub fn advance(&mut self) -> Result<(Token<'a>, Span), Fault> {
        self.first_on_line = blank(&mut self.input);
        let start = self.input.current_token_start();
        let token = token(&mut self.input)?;
        let span = start..self.input.current_token_start();
        Ok((std::mem::replace(&mut self.token, token), std::mem::replace(&mut self.span, span)))
    }

    /// A fault at the next token: something else was expected.
    pub fn expected(&self, expected: &'static str) -> Fault {
        let problem = match &self.token {
            Token::End => Problem::Truncated,
            _ => Problem::Expected { expected, found: self.found() },
        };
        Fault::new(self.span(), problem)
    }

    /// The next token as messages show it.
    pub fn found(&self) -> String {
        match &self.token {
            Token::Word(word) => quote(word),
            Token::Quoted(text) => quote(&format!("\"{text}\"")),
            Token::Symbol(symbol) => quote(&symbol.to_string()),
            Token::End => "the end".to_owned(),
        }
    }

    /// Takes the next token if it is this word, and says whether it did.
    pub fn skip_word(&mut self, word: &str) -> Result<bool, Fault> {
        let found = self.token == Token::Word(word) && !self.statement_is_over();
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes the next token if it is this symbol, and says whether it did.
    pub fn skip_symbol(&mut self, symbol: char) -> Result<bool, Fault> {
        let found = self.token == Token::Symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// A symbol that must stand here.
    pub fn symbol(&mut self, symbol: char, expected: &'static str) -> Result<(), Fault> {
        if self.skip_symbol(symbol)? { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// A word of the current statement.
    pub fn word(&mut self, expected: &'static str) -> Result<(&'a str, Span), Fault> {
        match self.token {
            Token::Word(word) if !self.statement_is_over() => Ok((word, self.advance()?.1)),
            _ => Err(self.expected(expected)),
        }
    }

    /// A string in quotes, of any length.
    pub fn string(&mut self, expected: &'static str) -> Result<(String, Span), Fault> {
        match self.token {
            Token::Quoted(_) => match self.advance()? {
                (Token::Quoted(text), span) => Ok((text, span)),
                _ => unreachable!("the token was looked at"),
            },
            _ => Err(self.expected(expected)),
        }
    }

    /// A name, bare or in quotes.
    pub fn name(&mut self, expected: &'static str) -> Result<Name, Fault> {
        let (text, span) = match &self.token {
            Token::Quoted(_) => self.string(expected)?,
            _ => {
                let (word, span) = self.word(expected)?;
                if !is_bare(word) {
                    return Err(Fault::new(span, Problem::NeedsQuotes(quote(word))));
                }
                (word.to_owned(), span)
            }
        };
        match text.len() {
            0 => Err(Fault::new(span, Problem::EmptyName)),
            1..=MAX_NAME => Ok(Name { text, span }),
            _ => Err(Fault::new(span, Problem::LongName)),
        }
    }

    /// A whole number in decimal digits.
    pub fn whole(&mut self, expected: &'static str) -> Result<(usize, Span), Fault> {
        let (word, span) = self.word(expected)?;
        match whole(word) {
            Some(value) => Ok((value, span)),
            None => Err(Fault::new(span, Problem::NotWhole(quote(word)))),
        }
    }
}

/// A whole number: digits only, no sign, not past the machine word.
pub(super) fn whole(word: &str) -> Option<usize> {
    if word.len() > MAX_NUMBER || !word.bytes().all(|b| b.is_ascii_digit()) { None } else { word.parse().ok() }
}

/// Whether a name may stand without quotes. A lone point means "zero" where a name could stand.
pub fn is_bare(name: &str) -> bool {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"_./:-".contains(&b);
    !name.is_empty() && name != "." && name.bytes().all(bare)
}

/// A piece of the text in backticks, shortened, for messages.
pub fn quote(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    shown = shown.replace("\\\"", "\"");
    let rest = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("`{shown}{rest}`")
}

/// Skips blanks and comments; true if a line ended.
fn blank(input: &mut Input<'_>) -> bool {
    let mut line_ended = false;
    loop {
        let spaces: Result<&str, EmptyError> = take_while(0.., (' ', '\t', '\r', '\n')).parse_next(input);
        line_ended |= spaces.is_ok_and(|s| s.contains('\n'));
        let comment: Result<_, EmptyError> = ('#', take_till(0.., '\n')).void().parse_next(input);
        if comment.is_err() {
            return line_ended;
        }
    }
}

fn token<'a>(input: &mut Input<'a>) -> Result<Token<'a>, Fault> {
    let in_word = |c: char| !matches!(c, ' ' | '\t' | '\r' | '\n' | '#' | '"' | '[' | ']' | '=');
    match input.chars().next() {
        None => Ok(Token::End),
        Some('"') => quoted(input).map(Token::Quoted),
        Some('[' | ']' | '=') => any.map(Token::Symbol).parse_next(input),
        Some(_) => take_while(1.., in_word).map(Token::Word).parse_next(input),
    }
}

fn quoted(input: &mut Input<'_>) -> Result<String, Fault> {
    let opening = input.current_token_start();
    any.void().parse_next(input)?;
    let mut text = String::new();
    loop {
        let plain: &str = take_till(0.., |c: char| matches!(c, '"' | '\\') || c.is_control()).parse_next(input)?;
        text.push_str(plain);
        let here = input.current_token_start();
        match any::<_, Fault>.parse_next(input) {
            Ok('"') => return Ok(text),
            Ok('\\') => {
                let c = escape(input).map_err(|_| Fault::new(here..here + 2, Problem::BadEscape))?;
                text.push(c);
            }
            Ok('\n') | Err(_) => return Err(Fault::new(opening..here, Problem::OpenString)),
            Ok(c) => return Err(Fault::new(here..here + 1, Problem::ControlCharacter(c as u32))),
        }
    }
}

fn escape(input: &mut Input<'_>) -> Result<char, EmptyError> {
    match any.parse_next(input)? {
        c @ ('"' | '\\') => Ok(c),
        'n' => Ok('\n'),
        'r' => Ok('\r'),
        't' => Ok('\t'),
        'u' => delimited('{', take_while(1..=6, |c: char| c.is_ascii_hexdigit()), '}')
            .verify_map(|hex: &str| u32::from_str_radix(hex, 16).ok().and_then(char::from_u32))
            .parse_next(input),
        _ => Err(EmptyError),
    }
}

/// Lets winnow's parsers fail with a [`Fault`] of the place that they reached.
impl winnow::error::ParserError<Input<'_>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'_>) -> Self {
        let here = input.current_token_start();
        Self::new(here..here, Problem::Truncated)
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}
