//! Completions and man pages, as the programs that read them see them.

#![cfg(unix)]

use std::io::Write as _;
use std::process::{Command, Stdio};

fn unmoved(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_unmoved")).args(arguments).output().expect("the binary runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// What a program makes of an input, with its complaints; `None` where there is no such program.
fn given(program: &str, arguments: &[&str], input: &str) -> Option<(String, String)> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("left out: there is no {program}");
        return None;
    };
    let mut pipe = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    let writer = std::thread::spawn(move || drop(pipe.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    assert!(output.status.success(), "{program}: {}", text(output.stderr));
    Some((text(output.stdout), text(output.stderr)))
}

#[test]
fn bash_completes_commands_options_and_values() {
    let script = unmoved(&["completions", "bash"]);
    let ask = |words: &str, current: &str, before: &str| {
        let count = words.split_whitespace().count() + usize::from(current.is_empty());
        let call = format!(
            "COMP_WORDS=({words}); COMP_CWORD={}\n_unmoved unmoved '{current}' '{before}'\necho \"${{COMPREPLY[*]}}\"\n",
            count - 1
        );
        given("bash", &["--norc"], &format!("{script}\n{call}"))
    };
    for (words, current, before, expected) in [
        ("unmoved rob", "rob", "unmoved", "robust"),
        ("unmoved robust --trust", "--trust", "robust", "--trust-solver"),
        ("unmoved robust --norm li", "li", "--norm", "linf"),
        ("unmoved completions fi", "fi", "completions", "fish"),
    ] {
        let Some((found, errors)) = ask(words, current, before) else { return };
        assert_eq!((found.trim(), errors.as_str()), (expected, ""), "{words}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let calls = [
        (&["robust", "tiny.unm", "--image", "tiny.npy", "--eps", "0.01"][..], 0),
        (&["robust", "no.unm", "--image", "tiny.npy", "--eps", "0.01"], 2),
        (&["man"], 0),
    ];
    for (arguments, code) in calls {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unmoved"));
        command.args(arguments).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = unmoved(&["completions", shell]);
        assert!(script.contains("robust") && script.contains("trust-solver"), "{shell}");
    }
}

#[test]
fn man_pages_are_typeset_without_a_warning() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let into = folder.path().join("share/man1");
    unmoved(&["man", "--quiet", "--into", into.to_str().expect("UTF-8")]);
    let names: Vec<String> = std::fs::read_dir(&into)
        .expect("it was made")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    assert!(names.contains(&"unmoved-robust.1".into()) && !names.contains(&"unmoved-help.1".into()), "{names:?}");
    let first = std::fs::read_to_string(into.join("unmoved.1")).expect("written");
    assert_eq!(first.trim_end(), unmoved(&["man"]).trim_end());
    for name in names {
        let page = std::fs::read_to_string(into.join(&name)).expect("written");
        let Some((text, errors)) = given("groff", &["-man", "-Tutf8", "-ww", "-P-cbu"], &page) else { return };
        assert_eq!(errors, "", "{name}");
        assert!(text.contains("EXIT STATUS") && text.contains("EXAMPLES"), "{text}");
    }
}
