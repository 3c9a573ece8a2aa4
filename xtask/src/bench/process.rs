//! One case in one process.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;
use wait4::Wait4;

use super::cases::{Case, Verdict};
use super::results::Row;

/// How cases are run.
pub(super) struct Process<'a> {
    pub(super) binary: &'a Path,
    /// What the names of the cases are relative to.
    pub(super) folder: &'a Path,
    pub(super) threads: usize,
    /// How long after its limit a case is killed. It may have to finish a step, and the machine may be busy.
    pub(super) grace: Duration,
}

impl Process<'_> {
    /// Runs a case to its end, or kills it.
    pub(super) fn run(&self, case: &Case) -> Result<Row> {
        let start = Instant::now();
        let mut child = Command::new(self.binary)
            .arg("verify")
            .arg(self.folder.join(&case.vnnlib))
            .arg("--network")
            .arg(self.folder.join(&case.onnx))
            .args(["--format", "json", "--quiet"])
            .args(["--timeout", &case.limit.as_secs_f64().to_string(), "--threads", &self.threads.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {}", self.binary.display()))?;
        // The end of the output is the end of the process; to wait for it leaves the process there to be killed.
        let (ended, end) = mpsc::channel();
        let output = collect(child.stdout.take(), Some(ended));
        let errors = collect(child.stderr.take(), None);
        let is_late = end.recv_timeout(case.limit + self.grace).is_err();
        if is_late {
            child.kill().context("cannot kill a process")?;
        }
        let used = child.wait4().context("a process is lost")?;
        let seconds = start.elapsed().as_secs_f64();
        let (output, errors) = (joined(output), joined(errors));
        let said: Value = serde_json::from_str(&output).unwrap_or_default();
        let text = |field: &str| said[field].as_str().unwrap_or_default().to_owned();
        let (verdict, note) = match Verdict::from_word(&text("verdict")) {
            _ if is_late => (Verdict::TimedOut, format!("killed {} s after the limit", self.grace.as_secs())),
            Some(verdict) if verdict.decides() => (verdict, String::new()),
            Some(verdict) => (verdict, text("reason")),
            None => (Verdict::Error, format!("{}: {}", used.status, errors.lines().next().unwrap_or_default())),
        };
        Ok(Row {
            onnx: case.onnx.clone(),
            vnnlib: case.vnnlib.clone(),
            verdict,
            expected: case.expected,
            seconds,
            limit: case.limit.as_secs_f64(),
            // Systems that do not tell say 0.
            peak_mb: Some(used.rusage.maxrss).filter(|&b| b > 0).map(|b| b as f64 / 1e6),
            decided_by: text("decided_by"),
            subproblems: said["subproblems"].as_u64(),
            note,
        })
    }
}

/// Reads a pipe to its end, which a full one would never come to, and says when.
fn collect(pipe: Option<impl Read + Send + 'static>, ended: Option<mpsc::Sender<()>>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What a killed process leaves is of no interest.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        let _ = ended.map(|ended| ended.send(()));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn joined(text: JoinHandle<String>) -> String {
    text.join().unwrap_or_default()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What is made of a program that answers like this.
    fn answer(script: &str, limit: Duration) -> Row {
        let _alone = crate::ONE_PROGRAM.lock().unwrap_or_else(|e| e.into_inner());
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("program");
        crate::script(&binary, script);
        let case = Case { onnx: "a.onnx".into(), vnnlib: "b.vnnlib".into(), limit, expected: None };
        let grace = Duration::from_millis(200);
        Process { binary: &binary, folder: folder.path(), threads: 1, grace }.run(&case).unwrap()
    }

    #[test]
    fn answers_are_read() {
        let limit = Duration::from_secs(20);
        let row = answer(
            r#"test "$1" = verify || exit 2
               echo '{"verdict":"unsat","decided_by":"linear","subproblems":7,"reason":null}'"#,
            limit,
        );
        assert_eq!((row.verdict, row.decided_by.as_str(), row.subproblems), (Verdict::Unsat, "linear", Some(7)));
        assert!(row.seconds < 20.0 && row.note.is_empty() && row.limit == 20.0);
        let row = answer(r#"echo '{"verdict":"unknown","reason":"open"}'; exit 3"#, limit);
        assert_eq!((row.verdict, row.note.as_str()), (Verdict::Unknown, "open"));
        let row = answer("echo 'error[U0107]: cannot encode Sigmoid' >&2; echo note >&2; exit 2", limit);
        assert_eq!(row.verdict, Verdict::Error);
        assert_eq!(row.note, "exit status: 2: error[U0107]: cannot encode Sigmoid");
        assert_eq!(answer("kill -9 $$", limit).verdict, Verdict::Error);
    }

    #[test]
    fn what_does_not_end_is_killed() {
        let row = answer("exec sleep 60", Duration::from_millis(100));
        assert_eq!((row.verdict, row.note.as_str()), (Verdict::TimedOut, "killed 0 s after the limit"));
        assert!((0.3..30.0).contains(&row.seconds), "{} s", row.seconds);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_memory_of_a_process_is_its_own() {
        let peak = |bytes: usize| {
            let script = format!("x=$(head -c {bytes} /dev/zero | tr '\\0' a); echo '{{\"verdict\":\"sat\"}}'");
            answer(&script, Duration::from_secs(60)).peak_mb.unwrap()
        };
        let (large, small) = (peak(60_000_000), peak(1));
        assert!(large > 60.0 && small < 30.0, "{large} and {small} MB");
    }
}
