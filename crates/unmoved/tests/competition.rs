//! The scripts of VNN-COMP, run as the competition runs them.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The scripts in a folder of their own, the program installed beside them.
struct Tool(tempfile::TempDir);

impl Tool {
    fn install() -> Self {
        let tool = Self(tempfile::tempdir().expect("a temporary folder"));
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vnncomp");
        for name in ["install_tool.sh", "prepare_instance.sh", "run_instance.sh"] {
            std::fs::copy(scripts.join(name), tool.0.path().join(name)).expect("the scripts are there");
        }
        let output = tool.run("install_tool.sh", &["v1"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), env!("CARGO_PKG_VERSION"));
        tool
    }

    fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.0.path().join(script));
        command
            .args(arguments)
            .env("UNMOVED", env!("CARGO_BIN_EXE_unmoved"))
            .current_dir(models())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Output {
        self.command(script, arguments).output().expect("scripts can be run")
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("UTF-8").to_owned()
    }
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

#[test]
fn instances_are_prepared_and_run() {
    let tool = Tool::install();
    let results = tool.path("out.txt");
    for (property, first) in [("holds.vnnlib", "unsat"), ("violated.vnnlib.gz", "sat"), ("absent.vnnlib", "error")] {
        std::fs::write(&results, "no_result_in_file\n").expect("writable");
        let prepared = tool.run("prepare_instance.sh", &["v1", "test", "tiny.unm", property]);
        assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
        let run = tool.run("run_instance.sh", &["v1", "test", "tiny.unm", property, &results, "60"]);
        assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stderr));
        let result = std::fs::read_to_string(&results).expect("written");
        let (word, rest) = result.split_once('\n').expect("a line");
        assert_eq!(word, first);
        assert_eq!(rest.starts_with("((X_0 ") && rest.ends_with("))\n"), first == "sat", "{result}");
    }
}

#[test]
fn wrong_arguments_are_errors() {
    let tool = Tool::install();
    let wrong: [(&str, &[&str]); 5] = [
        ("install_tool.sh", &["v2"]),
        ("prepare_instance.sh", &["v1", "test", "tiny.unm"]),
        ("prepare_instance.sh", &["v2", "test", "tiny.unm", "holds.vnnlib"]),
        ("run_instance.sh", &["v1", "test", "tiny.unm", "holds.vnnlib", "out.txt"]),
        ("run_instance.sh", &["v2", "test", "tiny.unm", "holds.vnnlib", "out.txt", "60"]),
    ];
    for (script, arguments) in wrong {
        assert_eq!(tool.run(script, arguments).status.code(), Some(1), "{script} {arguments:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_an_earlier_instance_left_running_is_ended() {
    let tool = Tool::install();
    // A pipe that nobody writes to takes forever to read.
    let pipe = tool.path("p.vnnlib");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let arguments = ["v1", "test", "tiny.unm", &pipe, &tool.path("out.txt"), "0"];
    let mut left = tool.command("run_instance.sh", &arguments).spawn().expect("scripts can be run");
    let name = format!("/proc/{}/comm", left.id());
    let start = Instant::now();
    while std::fs::read_to_string(&name).is_ok_and(|n| n.trim() != "unmoved") {
        assert!(start.elapsed() < Duration::from_secs(20), "the script never became the program");
        std::thread::sleep(Duration::from_millis(5));
    }
    let prepared = tool.run("prepare_instance.sh", &["v1", "test", "tiny.unm", "holds.vnnlib"]);
    assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));
    assert_eq!(left.wait().expect("it was started").code(), None, "a signal ended it");
}
