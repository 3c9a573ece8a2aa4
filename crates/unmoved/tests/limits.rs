//! Limits of time and memory from outside: there is an answer in time, whatever the program is at, and nothing kills it.

#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Standard output, exit code, and how long it took.
fn unmoved(folder: &Path, arguments: &[&str]) -> (String, i32, Duration) {
    let start = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_unmoved"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (text, output.status.code().expect("no signal ended it"), start.elapsed())
}

/// The same where it took less than `most` seconds; on a busy machine it may be late a few times.
fn in_time(folder: &Path, arguments: &[&str], most: f64) -> (String, i32, Duration) {
    let mut answers = (0..5).map(|_| unmoved(folder, arguments));
    answers.find(|answer| answer.2.as_secs_f64() < most).expect("one of five answers comes in time")
}

/// A folder with a pipe that nobody writes to, which takes forever to read.
fn with_pipe() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = Command::new("mkfifo").arg(folder.path().join("p.vnnlib")).status().expect("mkfifo runs");
    assert!(made.success());
    folder
}

/// A folder with a property that is true and beyond what is proved in a second: the outputs of a network of 1,700 ReLUs on
/// all pictures are not quite as large as bounds make them.
fn with_hard_property() -> tempfile::TempDir {
    use std::fmt::Write as _;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut text = String::new();
    for i in 0..784 {
        let _ = writeln!(text, "(declare-const X_{i} Real) (assert (>= X_{i} 0)) (assert (<= X_{i} 1))");
    }
    (0..10).for_each(|j| text += &format!("(declare-const Y_{j} Real)\n"));
    text += "(assert (>= Y_0 200))\n";
    std::fs::write(folder.path().join("p.vnnlib"), text).expect("writable");
    std::fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-models/mnist-residual.onnx"),
        folder.path().join("m.onnx"),
    )
    .expect("a test model");
    folder
}

#[test]
fn what_does_not_end_is_answered_for() {
    let folder = with_pipe();
    let limit = ["--timeout", "0.5"];
    let question = ["verify", "p.vnnlib", "--network", "m.onnx"];
    let (text, code, time) = in_time(folder.path(), &[&question[..], &limit].concat(), 1.5);
    assert_eq!((text.as_str(), code), ("timed-out\n", 3));
    assert!(time.as_secs_f64() >= 0.5, "{time:?}");
    let (text, code, _) = unmoved(folder.path(), &[&question[..], &limit, &["--format", "json"]].concat());
    assert!(text.starts_with(r#"{"verdict":"timed-out","certified":false,"reason":"time-limit","#), "{text}");
    assert_eq!(code, 3);
    // No process of this kind fits into a mebibyte.
    let limit = ["--timeout", "0", "--mem-limit", "1MiB"];
    let (text, code, _) = in_time(folder.path(), &[&question[..], &limit].concat(), 1.0);
    assert_eq!((text.as_str(), code), ("unknown\n", 3));
}

#[test]
fn the_competition_finds_a_result_in_time() {
    let folder = with_pipe();
    let result = folder.path().join("out.txt");
    for (timeout, extra, word) in [("0.5", &[][..], "timeout\n"), ("0", &["--mem-limit", "1MiB"], "unknown\n")] {
        std::fs::write(&result, "no_result_in_file").expect("writable");
        let instance = ["vnncomp", "v1", "test", "m.onnx", "p.vnnlib", "out.txt", timeout];
        let (text, code, _) = in_time(folder.path(), &[&instance, extra].concat(), 1.5);
        assert_eq!((text.as_str(), code), ("", 0));
        assert_eq!(std::fs::read_to_string(&result).expect("written"), word);
    }
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 2, "nothing but the pipe and the result");
}

#[test]
fn a_search_ends_at_its_limits() {
    let folder = with_hard_property();
    let question = ["verify", "p.vnnlib", "--network", "m.onnx", "--quiet", "--threads", "1"];
    let (text, code, _) = in_time(folder.path(), &[&question[..], &["--timeout", "1"]].concat(), 2.0);
    assert_eq!((text.as_str(), code), ("timed-out\n", 3));
    let (text, code, _) =
        unmoved(folder.path(), &[&question[..], &["--mem-limit", "24MiB", "--format", "json"]].concat());
    assert!(text.contains(r#""verdict":"unknown""#) && text.contains(r#""reason":"memory-limit""#), "{text}");
    assert_eq!(code, 3);
}

#[test]
fn a_result_goes_through_a_link_and_leaves_it_there() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    std::fs::write(&file, "something longer than a result").expect("writable");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    let results = link.to_str().expect("UTF-8");
    let (_, code, _) = unmoved(&models, &["vnncomp", "v1", "test", "tiny.unm", "holds.vnnlib", results, "60"]);
    assert_eq!(code, 0);
    assert!(link.symlink_metadata().expect("it is there").is_symlink());
    assert_eq!(std::fs::read_to_string(&file).expect("written"), "unsat\n");
}

#[test]
fn a_result_without_room_for_a_neighbour_is_written_in_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    // As long as a name may be: nothing that is longer can stand beside it.
    let file = folder.path().join("r".repeat(255));
    let results = file.to_str().expect("UTF-8");
    let (_, code, _) = unmoved(&models, &["vnncomp", "v1", "test", "tiny.unm", "holds.vnnlib", results, "60"]);
    assert_eq!(code, 0);
    assert_eq!(std::fs::read_to_string(&file).expect("written"), "unsat\n");
}
