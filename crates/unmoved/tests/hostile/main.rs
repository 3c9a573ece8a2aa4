//! Files made with ill intent, each given to the program as a user would: it must refuse (or read) every one of them
//! within two seconds and 256 MiB of address space, without panicking.
//!
//! The files are built here, one at a time in a temporary folder; a case is a name that says what is tried, and a
//! function that writes the files. The program runs under `ulimit -v`, so that a larger allocation ends it.
#![cfg(target_os = "linux")]

mod certificates;
mod containers;
mod data;
mod external;
mod graphs;
mod growth;
mod nnet;
mod protobuf;
mod run;
mod safetensors;
mod text;
mod vnnlib;
mod wire;

use std::collections::HashSet;
use std::path::Path;

/// What the program is asked about which files.
struct Case {
    name: String,
    /// What it is asked; the files are named as they lie in the case's own folder, which it runs in.
    arguments: Vec<String>,
    build: Box<dyn Fn(&Path) + Send + Sync>,
    /// Exit codes that are right.
    allowed: &'static [i32],
}

impl Case {
    fn new(name: impl Into<String>, arguments: &[&str], build: impl Fn(&Path) + Send + Sync + 'static) -> Self {
        let arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        Self { name: name.into(), arguments, build: Box::new(build), allowed: &[2] }
    }

    /// One model of this file name, which must be refused.
    fn inspect(
        name: impl Into<String>,
        file: &'static str,
        content: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, &["inspect", file], move |folder| write(folder, file, content()))
    }

    /// The files are strange, and yet there is nothing wrong with them: they may be read.
    fn may_load(self) -> Self {
        Self { allowed: &[0, 2], ..self }
    }

    /// A question that may be answered in any way, as long as it is answered. `verify` gets a second for it; what it must refuse
    /// has no limit, which on a busy machine could be reached before the file is read.
    fn may_be_answered(mut self) -> Self {
        if self.arguments[0] == "verify" {
            self.arguments.extend(["--time-limit", "1"].map(String::from));
        }
        Self { allowed: &[0, 1, 2, 3], ..self }
    }
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), content).expect("the temporary folder is writable");
}

#[test]
fn no_file_takes_down_the_program() {
    let cases: Vec<Case> = [
        external::cases(),
        wire::cases(),
        graphs::cases(),
        growth::cases(),
        containers::cases(),
        data::cases(),
        safetensors::cases(),
        text::cases(),
        nnet::cases(),
        vnnlib::cases(),
        certificates::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    let names: HashSet<&str> = cases.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have one name");
    assert!(cases.len() >= 180, "only {} cases", cases.len());
    let filter = std::env::var("HOSTILE").unwrap_or_default();
    let chosen: Vec<Case> = cases.into_iter().filter(|c| c.name.contains(&filter)).collect();
    let mut results = run::all(&chosen);
    run::table(&mut results);
    let failures: Vec<String> = results.iter().filter_map(|r| r.failure.clone()).collect();
    assert!(failures.is_empty(), "{} of {} cases:\n{}", failures.len(), results.len(), failures.join("\n"));
}
