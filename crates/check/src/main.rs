//! `unmoved-check MODEL QUERY CERTIFICATE`: does the certificate prove the query about the model?
//!
//! Reads the user's own files, normalises the network itself and shares no code with what found the proof. Exit codes: 0
//! accepted, 1 refused, 2 error.

mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use unmoved_check::{Accepted, Arithmetic, check_bytes};
use unmoved_ir::{Network, Rational};
use unmoved_property::Query;

const USAGE: &str = "\
Checks that a certificate proves a query about a model.

Usage: unmoved-check MODEL QUERY CERTIFICATE [OPTIONS]

  MODEL        .onnx, .onnx.gz, .safetensors, .nnet or .unm
  QUERY        region and unsafe set, as text
  CERTIFICATE  the proof

Options:
  --exact             check in exact arithmetic
  --format text|json  how to answer (default: text)
  --arch FILE         architecture of a .safetensors file that does not carry one
  --output NAME       which output of an ONNX model, or any other value of its graph
  --mean M,... --std S,...
                      the network expects (x - mean) / std: one number each, or one per channel
  --help, --version

Exit codes: 0 accepted, 1 refused, 2 error";

/// Far beyond any query or certificate of the networks that fit into memory.
const MAX_BYTES: u64 = 1 << 30;

/// Any error; its text says what and where.
type Error = Box<dyn std::error::Error>;

/// What the command line asks for.
#[derive(Default)]
struct Arguments {
    files: Vec<PathBuf>,
    arithmetic: Arithmetic,
    json: bool,
    arch: Option<PathBuf>,
    output: Option<String>,
    mean: Vec<Rational>,
    std: Vec<Rational>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    if arguments.iter().any(|a| a == "--help" || a == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|a| a == "--version" || a == "-V") {
        println!("unmoved-check {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match parse(&arguments).and_then(|a| answer(&a)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse(words: &[String]) -> Result<Arguments, Error> {
    let mut arguments = Arguments::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--exact" => arguments.arithmetic = Arithmetic::Exact,
            "--format" => {
                arguments.json = match value()?.as_str() {
                    "text" => false,
                    "json" => true,
                    other => return Err(format!("unknown format {other:?}; known: text, json").into()),
                }
            }
            "--arch" => arguments.arch = Some(value()?.into()),
            "--output" => arguments.output = Some(value()?.clone()),
            "--mean" => arguments.mean = numbers(value()?)?,
            "--std" => arguments.std = numbers(value()?)?,
            option if option.starts_with('-') => return Err(format!("unknown option {option}\n\n{USAGE}").into()),
            file => arguments.files.push(file.into()),
        }
    }
    if arguments.mean.is_empty() != arguments.std.is_empty() {
        return Err("--mean and --std belong together".into());
    }
    Ok(arguments)
}

fn numbers(list: &str) -> Result<Vec<Rational>, Error> {
    Ok(list.split(',').map(|n| n.trim().parse()).collect::<Result<_, _>>()?)
}

/// Reads, checks, prints. True if the certificate is accepted.
fn answer(arguments: &Arguments) -> Result<bool, Error> {
    let [model, query, certificate] = arguments.files.as_slice() else {
        return Err(format!("expected MODEL QUERY CERTIFICATE\n\n{USAGE}").into());
    };
    let mut network = read_model(model, arguments)?;
    if !arguments.mean.is_empty() {
        network = network.with_normalized_input(&arguments.mean, &arguments.std)?;
    }
    let text = String::from_utf8(read(query)?).map_err(|e| format!("{}: {e}", query.display()))?;
    let query = Query::from_text(Arc::new(network), &text).map_err(|e| format!("{}: {e}", query.display()))?;
    let bytes = read(certificate)?;
    let result: Result<Accepted, String> = check_bytes(&query, &bytes, arguments.arithmetic)
        .map_err(|e| e.to_string())
        .and_then(|checked| checked.map_err(|refusal| refusal.to_string()));
    let print = if arguments.json { words::json } else { words::text };
    print!("{}", print(&query, arguments.arithmetic, &result));
    Ok(result.is_ok())
}

/// A plain file; a device may have no end.
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    Ok(unmoved_safetensors::files::read(path, MAX_BYTES)?)
}

fn read_model(path: &Path, arguments: &Arguments) -> Result<Network, Error> {
    let (arch, output) = (arguments.arch.as_deref(), arguments.output.as_deref());
    let name = path.to_string_lossy().to_ascii_lowercase();
    let shown = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    if arch.is_some() && !name.ends_with(".safetensors") {
        return Err("--arch is for .safetensors files; other formats carry their architecture".into());
    }
    if name.ends_with(".onnx") || name.ends_with(".onnx.gz") {
        Ok(unmoved_onnx::import(path, output).map_err(|e| shown(&e))?.network)
    } else if output.is_some() {
        Err("--output is for .onnx files; other formats have one output".into())
    } else if name.ends_with(".safetensors") {
        let imported = unmoved_safetensors::read(path, arch).map_err(|e| shown(&e))?;
        imported.notices.iter().for_each(|notice| eprintln!("note: {notice}"));
        Ok(imported.network)
    } else if name.ends_with(".nnet") {
        Ok(unmoved_nnet::read(path).map_err(|e| shown(&e))?)
    } else if name.ends_with(".unm") {
        Ok(unmoved_text::read(path).map_err(|e| shown(&e))?)
    } else {
        Err(shown(&"unknown model format; the name must end in .onnx, .onnx.gz, .safetensors, .nnet or .unm").into())
    }
}
