//! Runs cases, measures them and says what is wrong.

use super::Case;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What a file may cost.
const MAX_TIME: Duration = Duration::from_secs(2);
const MAX_KIB: u64 = 256 << 10;
/// What waits for a pipe or a lock does not end by itself.
const HANGS: &str = "30";
/// Runs its arguments within so many KiB of address space, which is more than what is resident. glibc would reserve another 64 MiB
/// for every thread that allocates, the guard of `verify` for one, and leave it empty.
const UNDER_LIMIT: &str = r#"export MALLOC_ARENA_MAX=1; ulimit -v "$0"; "$@"; code=$?; times >"$TIMES"; exit $code"#;
/// Tells the memory that was resident, where it is installed.
const GNU_TIME: &str = "/usr/bin/time";

/// What a case cost.
pub(crate) struct Measured {
    name: String,
    /// Of the processor.
    time: Duration,
    wall: Duration,
    /// The largest resident set, in KiB.
    memory: Option<u64>,
    /// Of all files of the case, in bytes.
    size: u64,
    code: Option<i32>,
    /// The first line that the program had to say.
    said: String,
    pub(crate) failure: Option<String>,
}

/// Runs all cases, two at a time. Those that were slow by the clock alone run once more, one at a time: other tests may
/// have kept the processor busy.
pub(crate) fn all(cases: &[Case]) -> Vec<Measured> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((case, one(case)));
        }
        done
    };
    let done = std::thread::scope(|scope| {
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers.into_iter().flat_map(|w| w.join().expect("a case could not be run")).collect::<Vec<_>>()
    });
    let again = |(case, measured): (&Case, Measured)| match measured.wall {
        wall if wall > MAX_TIME && measured.time <= MAX_TIME => one(case),
        _ => measured,
    };
    done.into_iter().map(again).collect()
}

fn one(case: &Case) -> Measured {
    let folder = tempfile::tempdir().expect("a temporary folder");
    (case.build)(folder.path());
    let size = fs::read_dir(folder.path()).expect("it was just made").flatten();
    let size = size.filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum();
    // Outside of the folder that the program runs in.
    let logs = tempfile::tempdir().expect("a temporary folder");
    let log = |name| File::create(logs.path().join(name)).expect("the temporary folder is writable");
    let mut command = Command::new("timeout");
    command.args([HANGS, "sh", "-c", UNDER_LIMIT, &MAX_KIB.to_string()]);
    if Path::new(GNU_TIME).exists() {
        command.args([GNU_TIME, "--quiet", "--format=%M", "--output"]).arg(logs.path().join("memory"));
    }
    command.arg(env!("CARGO_BIN_EXE_unmoved")).args(&case.arguments).current_dir(folder.path());
    command.env("TIMES", logs.path().join("times")).stdin(Stdio::null()).stdout(log("out")).stderr(log("err"));
    let start = Instant::now();
    let code = command.status().expect("the program starts").code();
    let wall = start.elapsed();
    let read = |name| String::from_utf8_lossy(&fs::read(logs.path().join(name)).unwrap_or_default()).into_owned();
    let (out, err) = (read("out"), read("err"));
    let time = processor_time(&read("times")).unwrap_or(wall);
    let memory = read("memory").lines().last().and_then(|line| line.parse().ok());
    let said: String = err.lines().chain(out.lines()).next().unwrap_or_default().chars().take(160).collect();
    let wrong = if err.contains("panicked") {
        Some("panicked".to_owned())
    } else if !code.is_some_and(|code| case.allowed.contains(&code)) {
        Some(format!("ended with {code:?}, not one of {:?}", case.allowed))
    } else if time > MAX_TIME {
        Some(format!("took {:.1} s ({:.1} s by the clock)", time.as_secs_f64(), wall.as_secs_f64()))
    } else {
        None
    };
    let failure = wrong.map(|wrong| format!("{}: {wrong}: {said}", case.name));
    Measured { name: case.name.clone(), time, wall, memory, size, code, said, failure }
}

/// What the children of a shell took, from the second line of its `times`: `0m1.5s 0m0.25s`.
fn processor_time(times: &str) -> Option<Duration> {
    let seconds = |word: &str| {
        let (minutes, seconds) = word.strip_suffix('s')?.split_once('m')?;
        Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
    };
    let (user, system) = times.lines().nth(1)?.split_once(' ')?;
    Some(Duration::from_secs_f64(seconds(user)? + seconds(system)?))
}

/// Prints the slowest and the largest; all of them if asked for by the variable `HOSTILE`.
pub(crate) fn table(results: &mut [Measured]) {
    let print = |title: &str, results: &[Measured]| {
        println!("\n{title}\n{:>7} {:>7} {:>9} {:>10}  exit  case", "s", "clock", "peak KiB", "bytes");
        for r in results {
            let (time, wall, code) =
                (r.time.as_secs_f64(), r.wall.as_secs_f64(), r.code.map_or("-".into(), |c| c.to_string()));
            let memory = r.memory.map_or("-".into(), |m| m.to_string());
            println!("{time:7.2} {wall:7.2} {memory:>9} {:10}  {code:>4}  {}: {}", r.size, r.name, r.said);
        }
    };
    if std::env::var_os("HOSTILE").is_some() {
        return print("all", results);
    }
    let shown = results.len().min(10);
    results.sort_by_key(|r| std::cmp::Reverse(r.time));
    print("slowest", &results[..shown]);
    results.sort_by_key(|r| std::cmp::Reverse(r.memory));
    print("largest", &results[..shown]);
    println!("\n{} cases", results.len());
}
