//! Runs that are killed, stopped, starved and damaged: nothing that was reported is lost, nothing is counted twice, and the next call goes
//! on.

#![cfg(unix)]

mod runs;

use runs::{World, results, verdicts};
use std::collections::BTreeSet;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Instant;

const EPS: &str = "0.02,0.06,0.1";
const IMAGES: usize = 120;
const KILLS: usize = 200;
/// So many kills in a run are enough, and so many are more than it takes.
const FEW: usize = 6;
const MANY: usize = 16;

#[test]
fn a_run_killed_two_hundred_times_answers_as_one_that_was_not() {
    let world = World::new(IMAGES, 1);
    let start = Instant::now();
    assert_eq!(world.run(&world.arguments("whole", EPS)).code, Some(0));
    // Kills come within a share of the time that all of it takes; as a busy machine measures wrong, it is kept such that some strike each run.
    let mut reach = start.elapsed() / 4;
    let expected = verdicts(&world.read("whole"));
    assert_eq!(expected.len(), 3 * IMAGES);
    for word in ["Robust", "counterexample", "misclassified"] {
        assert!(expected.iter().any(|(.., words)| words.contains(word)), "no question tests {word}");
    }
    let mut random = fastrand::Rng::with_seed(7);
    let (mut kills, mut runs, mut kills_at_work) = (0, 0, 0);
    while kills < KILLS {
        runs += 1;
        let run = format!("run-{runs}");
        let (mut reported, mut kills_of_run) = (Vec::new(), 0);
        loop {
            let mut command = world.command(&[&world.arguments(&run, EPS)[..], &["--format", "jsonl"]].concat());
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
            if kills < KILLS {
                std::thread::sleep(reach.mul_f64(random.f64()));
                child.kill().expect("it can be killed");
            }
            let mut stdout = String::new();
            child.stdout.take().expect("a pipe").read_to_string(&mut stdout).expect("text");
            // The last line may be cut where the pipe was full, and was then not reported.
            reported.extend(stdout.split_inclusive('\n').filter_map(|l| l.strip_suffix('\n')).map(str::to_owned));
            let ended = child.wait().expect("it ended");
            if ended.code() == Some(0) {
                break;
            }
            assert_eq!(ended.code(), None, "only a signal ends it early");
            (kills, kills_of_run) = (kills + 1, kills_of_run + 1);
            let written = std::fs::read(world.path(&run).join("results.jsonl")).unwrap_or_default();
            let lines = written.iter().filter(|&&byte| byte == b'\n').count();
            kills_at_work += usize::from((1..expected.len()).contains(&lines));
            if kills_of_run > MANY {
                reach = reach.mul_f64(1.25);
            }
        }
        if kills_of_run < FEW {
            reach = reach.mul_f64(0.6);
        }
        let written = results(&world.path(&run));
        for line in &reported {
            let fields = line.strip_suffix('}').expect("an object");
            assert!(written.iter().any(|l| l.starts_with(fields)), "reported and lost: {line}");
        }
        let distinct: BTreeSet<&String> = written.iter().collect();
        assert_eq!((written.len(), distinct.len()), (expected.len(), expected.len()), "each question once");
        assert_eq!(verdicts(&world.read(&run)), expected);
        world.expect_checked(&run);
        assert!(world.read(&run).notes.is_empty());
        std::fs::remove_dir_all(world.path(&run)).expect("removable");
    }
    println!("{runs} runs, {kills_at_work} of {kills} kills at work, within {reach:?} in the end");
    assert!(runs <= KILLS / 4, "too few kills in a run to test anything: it was done {runs} times");
    assert!(kills_at_work >= KILLS / 3, "too few kills at work to test anything: {kills_at_work}");
}

#[test]
fn a_full_disk_is_an_error_and_what_was_reported_is_there() {
    let world = World::new(60, 2);
    let arguments = [&world.arguments("run", EPS)[..], &["--format", "jsonl"]].concat();
    let mut reported = BTreeSet::new();
    let mut struck = 0;
    // Some four records more each time, until there is room for all.
    let limits = std::iter::once(0).chain((0..1000).map(|k| 4 * k));
    for (is_deadly, blocks) in [false, true].into_iter().cycle().zip(limits) {
        let trap = if is_deadly { "" } else { "trap '' XFSZ; " };
        let script = format!("{trap}ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_unmoved")).args(&arguments);
        command.current_dir(world.folder.path()).stdin(Stdio::null());
        let ended = world.ended(command);
        if ended.code == Some(0) {
            break;
        }
        if is_deadly {
            assert_eq!((ended.code, ended.stderr.contains("panicked")), (None, false), "{}", ended.stderr);
        } else {
            assert_eq!(ended.code, Some(2), "{}", ended.stderr);
            assert!(ended.stderr.contains("error[U0002]: cannot write"), "{}", ended.stderr);
        }
        struck += 1;
        reported.extend(ended.stdout.lines().map(str::to_owned));
    }
    println!("{struck} limits struck, {} results were reported before", reported.len());
    assert!(struck >= 20, "too few limits struck to test anything: {struck}");
    assert!(!reported.is_empty(), "the limits let nothing through");
    let ended = world.run(&arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let written = results(&world.path("run"));
    assert_eq!(written.len(), 180);
    assert!(reported.iter().all(|line| written.iter().any(|l| l.starts_with(&line[..line.len() - 1]))));
    world.expect_checked("run");
}

#[test]
fn ctrl_c_writes_down_what_is_done_and_says_how_to_go_on() {
    // More questions than any machine answers before the signal comes.
    let (images, radii) = (3000, 60);
    let world = World::new(images, 3);
    let eps: Vec<String> = (1..=radii).map(|k| format!("{k}/500")).collect();
    let eps = eps.join(",");
    let arguments = [&world.arguments("run", &eps)[..], &["--format", "jsonl"]].concat();
    let mut child = world.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut first = [0];
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut first).expect("a result");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill runs").success());
    let mut text = "{".to_owned();
    stdout.read_to_string(&mut text).expect("text");
    let output = child.wait_with_output().expect("it ended");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("stopped: ") && stderr.contains("the same command goes on"), "{stderr}");
    let reported: Vec<&str> = text.lines().collect();
    let written = results(&world.path("run"));
    assert_eq!(reported.len(), written.len());
    assert!(written.len() < images * radii, "it was done before it could be stopped");
}

#[test]
fn two_processes_do_not_work_on_one_folder() {
    let world = World::new(3000, 4);
    let arguments = world.arguments("run", EPS);
    let mut first = world.command(&[&arguments[..], &["--format", "jsonl"]].concat());
    let mut first = first.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    first.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("a result");
    let second = world.run(&arguments);
    assert_eq!(second.code, Some(2));
    assert!(second.stderr.contains("error[U0600]: run: another process works on this run"), "{}", second.stderr);
    let collected = world.run(&["collect", "run", "--into", "run"]);
    assert!(collected.stderr.contains("U0600"), "{}", collected.stderr);
    first.kill().expect("it can be killed");
    first.wait().expect("it ended");
    // A lock goes with its process.
    let third = world.run(&world.arguments("run", "0.06"));
    assert_eq!(third.code, Some(0), "{}", third.stderr);
}

#[test]
fn parts_are_put_together_and_distortions_agree_with_radii() {
    let world = World::new(40, 5);
    assert_eq!(world.run(&world.arguments("whole", "0.06")).code, Some(0));
    for part in ["1/3", "2/3", "3/3"] {
        let name = format!("part-{}", &part[..1]);
        let arguments = world.arguments(&name, "0.06");
        assert_eq!(world.run(&[&arguments[..], &["--shard", part]].concat()).code, Some(0));
    }
    let two = world.run(&["collect", "part-1", "part-3", "--into", "all"]);
    assert_eq!(two.code, Some(3), "{}", two.stderr);
    for _ in 0..2 {
        let all = world.run(&["collect", "part-1", "part-2", "part-3", "whole", "--into", "all"]);
        assert_eq!(all.code, Some(0), "{}", all.stderr);
        assert_eq!(results(&world.path("all")).len(), 40);
    }
    let run = world.read("all");
    assert_eq!(verdicts(&run), verdicts(&world.read("whole")));
    world.expect_checked("all");
    assert_eq!(world.run(&world.arguments("all", "0.06")).code, Some(0));
    let other = world.run(&["collect", "part-1", "--into", "part-2"]);
    assert!(other.stderr.contains("U0601") && other.stderr.contains("shard"), "{}", other.stderr);

    let distortion = world.arguments("far", "0.5");
    let distortion = [&distortion[..], &["--distortion", "--gap", "2%"]].concat();
    let ended = world.run(&distortion);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("mean in ["), "{}", ended.stdout);
    world.expect_checked("far");
    assert_eq!(world.run(&distortion).stdout, ended.stdout);
    for (_, record) in world.read("far").answers.iter() {
        let verdict = run.answers.get(record.index, 0).expect("it was asked").verdict;
        let is_safe = verdict == unmoved::evaluate::run::Word::Robust;
        assert!(if is_safe { record.upper.is_none_or(|u| u > 0.06) } else { record.lower <= 0.06 }, "{record:?}");
    }
    assert!(world.run(&world.arguments("far", "0.5")).stderr.contains("kind: the folder has distortions"));
}
