//! From characters to tokens, with one token of lookahead.
//!
//! The two versions cut their texts differently: 1.0 is SMT-LIB, where words end at blanks and parentheses; 2.0 has the tokens
//! of its grammar, where `(assert` is one and blanks are needed only between words (`(<=X[0]1.0)`).

use super::place::Span;
use super::{Place, VnnlibError, VnnlibProblem};
use winnow::ascii::digit1;
use winnow::combinator::{Repeat, alt, opt, preceded, repeat};
use winnow::error::EmptyError;
use winnow::prelude::*;
use winnow::stream::Location;
use winnow::token::{any, none_of, one_of, take_till, take_while};
use winnow::{LocatingSlice, Result};

type Input<'a> = LocatingSlice<&'a str>;

/// The smallest unit of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Open,
    Close,
    /// A keyword, an operator, a name or a number.
    Word(&'a str),
    /// 2.0: an opening parenthesis with the statement's keyword, which is kept.
    Statement(&'a str),
    /// 2.0: `[`, `]` or `,`.
    Mark(char),
    /// 2.0: a string with its quotes, or a version with its angle brackets.
    Quoted(&'a str),
    /// 2.0: what begins no token.
    Stray(&'a str),
    /// The end of the text.
    End,
}

/// What cuts a text into tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    One,
    Two,
}

/// Reads tokens one after the other and knows the next.
pub(super) struct Scanner<'a> {
    text: &'a str,
    dialect: Dialect,
    input: Input<'a>,
    token: Token<'a>,
    /// Where the next token stands.
    span: Span,
}

impl<'a> Scanner<'a> {
    /// At the first token of a text.
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        let (input, span) = (LocatingSlice::new(text), Span { start: 0, end: 0 });
        let mut scanner = Self { text, dialect, input, token: Token::End, span };
        scanner.advance();
        scanner
    }

    /// The next token.
    pub(super) fn peek(&self) -> Token<'a> {
        self.token
    }

    /// Where the next token stands.
    pub(super) fn at(&self) -> Span {
        self.span
    }

    /// Takes the next token.
    pub(super) fn advance(&mut self) -> Token<'a> {
        let skipped: Result<(), EmptyError> = match self.dialect {
            Dialect::One => repeat(0.., blank_one).parse_next(&mut self.input),
            Dialect::Two => repeat(0.., blank_two).parse_next(&mut self.input),
        };
        debug_assert!(skipped.is_ok(), "nothing to skip is fine too");
        let start = self.input.current_token_start();
        let next = match self.dialect {
            Dialect::One => token_one(&mut self.input),
            Dialect::Two => token_two(&mut self.input),
        };
        let next = next.unwrap_or(Token::End);
        self.span = Span { start, end: self.input.current_token_start() };
        std::mem::replace(&mut self.token, next)
    }

    /// Takes the next token if it is this one.
    pub(super) fn take(&mut self, token: Token<'_>) -> bool {
        let is_it = self.token == token;
        if is_it {
            self.advance();
        }
        is_it
    }

    /// A token that must stand here.
    pub(super) fn expect(&mut self, token: Token<'_>, expected: &'static str) -> Result<(), VnnlibError> {
        if self.take(token) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// A word that must stand here, and where.
    pub(super) fn word(&mut self, expected: &'static str) -> Result<(&'a str, Span), VnnlibError> {
        let Token::Word(word) = self.token else { return Err(self.expected(expected)) };
        let at = self.span;
        self.advance();
        Ok((word, at))
    }

    /// The error that something else was expected in place of the next token.
    pub(super) fn expected(&self, expected: &'static str) -> VnnlibError {
        let found = match self.token {
            Token::Open => "`(`".to_owned(),
            Token::Close => "`)`".to_owned(),
            Token::Mark(mark) => format!("`{mark}`"),
            Token::Statement(word) => format!("`({word}`"),
            Token::Word(word) | Token::Quoted(word) | Token::Stray(word) => quote(word),
            Token::End => "the end of the text".to_owned(),
        };
        self.error(self.span, VnnlibProblem::Expected { expected, found })
    }

    /// The error that something is wrong at a place.
    pub(super) fn error(&self, at: Span, problem: impl Into<VnnlibProblem>) -> VnnlibError {
        VnnlibError::Text { place: Box::new(Place::new(self.text, at)), problem: problem.into() }
    }
}

/// A piece of the text in backticks, shortened, for messages.
pub(super) fn quote(text: &str) -> String {
    const SHOWN: usize = 40;
    let shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    let rest = if text.chars().nth(SHOWN).is_some() { "..." } else { "" };
    format!("`{shown}{rest}`")
}

/// A blank or a comment of 1.0.
fn blank_one(input: &mut Input<'_>) -> Result<(), EmptyError> {
    let spaces = take_while(1.., char::is_whitespace).void();
    let comment = (';', take_till(0.., ['\n', '\r'])).void();
    alt((spaces, comment)).parse_next(input)
}

fn token_one<'a>(input: &mut Input<'a>) -> Result<Token<'a>, EmptyError> {
    let word = take_while(1.., |c: char| !c.is_whitespace() && !matches!(c, '(' | ')' | ';'));
    alt(('('.value(Token::Open), ')'.value(Token::Close), word.map(Token::Word))).parse_next(input)
}

/// A blank or a comment of 2.0.
fn blank_two(input: &mut Input<'_>) -> Result<(), EmptyError> {
    let spaces = take_while(1.., [' ', '\t', '\r', '\n', '\x0c']).void();
    let comment = (';', take_till(0.., '\n')).void();
    alt((spaces, comment)).parse_next(input)
}

fn token_two<'a>(input: &mut Input<'a>) -> Result<Token<'a>, EmptyError> {
    // The longest token wins; of two that begin alike the longer stands first.
    let parenthesis = alt((statement, '('.value(Token::Open), ')'.value(Token::Close)));
    let mark = one_of(['[', ']', ',']).map(Token::Mark);
    let operator = alt(("<=", ">=", "!=", "==", "<", ">", "+", "-", "*"));
    let quoted = alt((version, string)).map(Token::Quoted);
    let word = alt((number, operator, name)).map(Token::Word);
    alt((parenthesis, mark, quoted, word, any.take().map(Token::Stray))).parse_next(input)
}

fn statement<'a>(input: &mut Input<'a>) -> Result<Token<'a>, EmptyError> {
    let declaration = alt(("declare-network", "declare-input", "declare-output", "declare-hidden"));
    let keyword = alt(("assert", declaration, "isomorphic-to", "equal-to", "vnnlib-version"));
    preceded('(', keyword).map(Token::Statement).parse_next(input)
}

fn version<'a>(input: &mut Input<'a>) -> Result<&'a str, EmptyError> {
    ('<', digit1, '.', digit1, '>').take().parse_next(input)
}

fn number<'a>(input: &mut Input<'a>) -> Result<&'a str, EmptyError> {
    (opt('-'), digit1, opt(('.', digit1))).take().parse_next(input)
}

fn name<'a>(input: &mut Input<'a>) -> Result<&'a str, EmptyError> {
    let letter = one_of(|c: char| c.is_ascii_alphabetic());
    (letter, take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_')).take().parse_next(input)
}

fn string<'a>(input: &mut Input<'a>) -> Result<&'a str, EmptyError> {
    let escape = ('\\', one_of(['"', '\\', 'n', 't']));
    let inside: Repeat<_, _, _, (), _> = repeat(0.., alt((none_of(['"', '\\']).void(), escape.void())));
    ('"', inside, '"').take().parse_next(input)
}
