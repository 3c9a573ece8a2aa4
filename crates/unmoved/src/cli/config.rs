//! `--config FILE.toml`: options out of a file.
//!
//! What the file says about the command at hand becomes arguments in front of those that were typed, but for options that were
//! typed themselves or exclude one that was. So everything else about an option, from its values to its error messages, is as if
//! it had been typed.

use super::CliError;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use unmoved::property::vnnlib::Place;
use unmoved_safetensors::files;

/// Far beyond any file that someone writes.
const MAX_BYTES: u64 = 1 << 18;

/// The option itself.
pub(crate) fn arg() -> Arg {
    Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .global(true)
        .display_order(1000)
        .help("Read options from this TOML file, too; what is typed wins")
}

/// A command line, and which of it stands in a file.
pub(crate) struct Arguments {
    pub(crate) list: Vec<OsString>,
    /// Options as clap names them, and where the file sets them.
    origins: Vec<(String, String)>,
}

impl Arguments {
    /// The error as one of the file, if it is about an option that stands there.
    pub(crate) fn blame(&self, error: &clap::Error) -> Option<CliError> {
        let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return None };
        let (_, place) = self.origins.iter().find(|(name, _)| name == option)?;
        let text = error.to_string();
        let message = text.split("\n\n").next()?.trim_start_matches("error: ");
        Some(CliError::new("U0004", format!("{message}\n{place}")))
    }

    /// Whether some of it stands in a file.
    pub(crate) fn is_extended(&self) -> bool {
        !self.origins.is_empty()
    }

    /// The command as a shell reads it, with the options of the file in the place of the file.
    pub(crate) fn command_line(&self) -> String {
        let mut words = vec!["unmoved".to_owned()];
        let mut list = self.list.iter().skip(1).map(|word| word.to_string_lossy());
        while let Some(word) = list.next() {
            if word == "--config" {
                list.next();
            } else if !word.starts_with("--config=") {
                words.push(quoted(&word));
            }
        }
        words.join(" ")
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    let is_plain = !word.is_empty() && word.chars().all(plain);
    if is_plain { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The command line with what the file says that it names, if it names one.
pub(crate) fn extend(command: &Command, typed: Vec<OsString>) -> Result<Arguments, CliError> {
    let plain = |list| Ok(Arguments { list, origins: Vec::new() });
    // Options that have to be given may stand in the file.
    let read = |typed: &[OsString]| command.clone().ignore_errors(true).try_get_matches_from(typed).ok();
    let Some(matches) = read(&typed) else { return plain(typed) };
    let Some((name, given)) = matches.subcommand() else { return plain(typed) };
    let Ok(Some(path)) = given.try_get_one::<PathBuf>("config") else { return plain(typed) };

    let bytes = files::read(path, MAX_BYTES).map_err(|e| CliError::new("U0003", format!("cannot read: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|e| CliError::new("U0004", format!("{}: {e}", path.display())))?;
    let mut built = command.clone();
    built.build();
    let file = File { path, text: &text, command: &built };
    let settings = file.settings(name, given)?;

    // Behind the name of the command, where its options are understood.
    let named = |n: &usize| read(&typed[..*n]).is_some_and(|m| m.subcommand_name().is_some());
    let behind = (1..typed.len()).find(named).unwrap_or(typed.len());
    let mut list = typed;
    let added: Vec<OsString> = settings.iter().flat_map(|s| s.arguments.iter().map(OsString::from)).collect();
    list.splice(behind..behind, added);
    let origins = settings.iter().map(|s| (s.option.to_string(), file.excerpt(s.place.clone()))).collect();
    Ok(Arguments { list, origins })
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
    /// Of the whole program, built.
    command: &'a Command,
}

/// What the file says about an option.
struct Setting<'a> {
    option: &'a Arg,
    arguments: Vec<String>,
    place: Range<usize>,
}

impl<'a> File<'a> {
    fn excerpt(&self, place: Range<usize>) -> String {
        Place::of(self.text, place).excerpt(self.path.display())
    }

    fn wrong(&self, place: Range<usize>, message: impl std::fmt::Display) -> CliError {
        CliError::new("U0004", format!("{message}\n{}", self.excerpt(place)))
    }

    /// What the file adds to a command for which some options are given. Errors anywhere in the file.
    fn settings(&self, name: &str, given: &ArgMatches) -> Result<Vec<Setting<'a>>, CliError> {
        let document = DeTable::parse(self.text).map_err(|error| {
            let place = error.span().unwrap_or(self.text.len()..self.text.len());
            let fraction = self.text.get(place.clone()).is_some_and(|t| t.contains('/'));
            let wrong = self.wrong(place, error.message());
            if fraction { wrong.help("a fraction stands in quotes: \"8/255\"") } else { wrong }
        })?;
        let (mut own, mut common) = (Vec::new(), Vec::new());
        for (key, value) in document.get_ref() {
            let Some(table) = value.get_ref().as_table() else {
                common.push((key, value));
                continue;
            };
            let command = commands(self.command).find(|c| c.get_name() == key.get_ref().as_ref()).ok_or_else(|| {
                let wrong = self.wrong(key.span(), format_args!("there is no command \"{}\"", key.get_ref()));
                suggest(wrong, key.get_ref(), commands(self.command).map(Command::get_name))
            })?;
            let settings = self.options(command, table.iter(), Part::Table)?;
            if command.get_name() == name {
                own = settings;
            }
        }
        let Some(command) = self.command.find_subcommand(name) else { return Ok(Vec::new()) };
        let common = self.options(command, common.into_iter(), Part::Head)?;

        let typed = |option: &&Arg| given.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
        let mut taken: Vec<&Arg> = command.get_arguments().filter(typed).collect();
        let mut kept = Vec::new();
        for layer in [own, common] {
            let left: Vec<_> =
                layer.into_iter().filter(|s| !taken.iter().any(|t| excludes(command, t, s.option))).collect();
            taken.extend(left.iter().map(|s| s.option));
            kept.extend(left);
        }
        Ok(kept)
    }

    /// The options of a command that a part of the file sets.
    fn options<'t>(
        &self,
        command: &'a Command,
        table: impl Iterator<Item = (&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>)>,
        part: Part,
    ) -> Result<Vec<Setting<'a>>, CliError> {
        let mut settings: Vec<Setting> = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().replace('_', "-");
            let Some(option) = options(command, part).find(|o| names(o).any(|n| n == name)) else {
                return Err(self.unknown(command, key, part));
            };
            if settings.iter().any(|s| s.option.get_id() == option.get_id()) {
                return Err(self.wrong(key.span(), format_args!("\"{}\" is set twice", key.get_ref())));
            }
            let arguments = arguments(option, value.get_ref()).ok_or_else(|| {
                let (takes, found) = (takes(option), value.get_ref().type_str());
                self.wrong(value.span(), format_args!("\"{}\" takes {takes}, not this {found}", key.get_ref()))
            })?;
            settings.push(Setting { option, arguments, place: value.span() });
        }
        Ok(settings)
    }

    fn unknown(&self, command: &Command, key: &Spanned<DeString>, part: Part) -> CliError {
        let name = key.get_ref().as_ref();
        let meant = name.replace('_', "-");
        let owns = |c: &&Command| options(c, Part::Table).any(|o| names(o).any(|n| n == meant));
        if let (Part::Head, Some(owner)) = (part, commands(self.command).find(owns)) {
            let help = format!("options of one command stand in its table, as in [{}]", owner.get_name());
            return self.wrong(key.span(), format_args!("\"{name}\" is not an option of every command")).help(help);
        }
        if command.get_positionals().any(|p| p.get_id().as_str() == name) {
            return self.wrong(key.span(), format_args!("\"{name}\" is given on the command line, it is no option"));
        }
        let wrong = self.wrong(key.span(), format_args!("there is no option \"{name}\""));
        suggest(wrong, &meant, options(command, part).filter_map(Arg::get_long))
    }
}

/// Where in a file options stand.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    /// Before the first table: options of every command.
    Head,
    /// The table of a command.
    Table,
}

fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    program.get_subcommands().filter(|c| c.get_name() != "help")
}

/// The options that a part of a file may set.
fn options(command: &Command, part: Part) -> impl Iterator<Item = &Arg> {
    let asks = |o: &Arg| matches!(o.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong);
    let may = move |o: &Arg| part == Part::Table || o.is_global_set();
    command.get_arguments().filter(move |o| o.get_long().is_some() && o.get_id() != "config" && !asks(o) && may(o))
}

/// The long names of an option.
fn names(option: &Arg) -> impl Iterator<Item = &str> {
    option.get_long().into_iter().chain(option.get_all_aliases().unwrap_or_default())
}

/// The option as it would be typed; `None` if it does not take such a value.
fn arguments(option: &Arg, value: &DeValue) -> Option<Vec<String>> {
    let long = option.get_long()?;
    let with = |value: &DeValue| Some(format!("--{long}={}", text(value)?));
    match (value, option.get_action()) {
        (DeValue::Boolean(on), ArgAction::SetTrue) => Some(on.then(|| format!("--{long}")).into_iter().collect()),
        (_, ArgAction::SetTrue) => None,
        (DeValue::Array(list), ArgAction::Append) => list.iter().map(|value| with(value.get_ref())).collect(),
        (value, _) => Some(vec![with(value)?]),
    }
}

/// A single value as it would be typed: of a number the digits that stand there, because 0.1 is not the float next to it.
fn text<'v>(value: &'v DeValue) -> Option<&'v str> {
    match value {
        DeValue::String(text) => Some(text),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
        DeValue::Float(number) => Some(number.as_str()),
        _ => None,
    }
}

/// What [`arguments`] makes something of.
fn takes(option: &Arg) -> &'static str {
    match option.get_action() {
        ArgAction::SetTrue => "true or false",
        ArgAction::Append => "a string, a decimal number or an array of these",
        _ => "a string or a decimal number",
    }
}

/// Whether two options do not go together.
fn excludes(command: &Command, one: &Arg, other: &Arg) -> bool {
    let forbids = |a: &Arg, b: &Arg| command.get_arg_conflicts_with(a).iter().any(|c| c.get_id() == b.get_id());
    one.get_id() == other.get_id() || forbids(one, other) || forbids(other, one)
}

/// Adds the known name that is most like one that is not.
fn suggest<'n>(error: CliError, name: &str, known: impl Iterator<Item = &'n str>) -> CliError {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(name, known);
    match known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|k| likeness(k) > 0.5) {
        Some(known) => error.help(format_args!("did you mean \"{known}\"?")),
        None => error,
    }
}

#[cfg(test)]
mod tests;
