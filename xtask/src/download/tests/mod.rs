//! Downloads from servers that misbehave, and archives that do not hold what they should.

mod server;
mod unpack;

use std::fs;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use self::server::Behaviour::{self, *};
use self::server::Server;
use super::fetch::{self, Client, Failed, Fault, Patience};
use super::table::{CIFAR10, DataSet, MNIST, Remote};

/// A file of 200,000 bytes: more than one read, and nothing that repeats with the length of a buffer.
fn body() -> Vec<u8> {
    (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn wrong_body() -> Vec<u8> {
    body().iter().map(|byte| byte ^ 1).collect()
}

fn remote() -> Remote {
    let digest: String = Sha256::digest(body()).iter().map(|byte| format!("{byte:02x}")).collect();
    Remote { name: "file.bin", size: body().len() as u64, sha256: digest.leak() }
}

struct Run {
    folder: TempDir,
    servers: Vec<Server>,
    outcome: Result<(), Failed>,
}

/// Fetches the file from one server per script, into a folder where `part` is left from before.
fn fetch_with_part(part: Option<&[u8]>, scripts: Vec<Vec<Behaviour>>) -> Run {
    let patience =
        Patience { connect: Duration::from_secs(5), read: Duration::from_millis(400), pause: Duration::from_millis(1) };
    let folder = TempDir::new().unwrap();
    if let Some(part) = part {
        fs::write(folder.path().join("file.bin.part"), part).unwrap();
    }
    let servers: Vec<Server> = scripts.into_iter().map(Server::start).collect();
    let mirrors: Vec<&str> = servers.iter().map(|server| server.mirror.as_str()).collect();
    let outcome = Client::new(patience).fetch(&remote(), &mirrors, folder.path(), &ProgressBar::hidden());
    Run { folder, servers, outcome }
}

fn fetch(scripts: Vec<Vec<Behaviour>>) -> Run {
    fetch_with_part(None, scripts)
}

impl Run {
    /// The file is there, whole, and nothing else is.
    #[track_caller]
    fn is_good(&self) {
        if let Err(failed) = &self.outcome {
            panic!("{failed}");
        }
        assert!(fs::read(self.folder.path().join("file.bin")).unwrap() == body(), "the file differs");
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1, "something is left over");
    }

    /// The file is not there; these are the faults.
    #[track_caller]
    fn faults(&self) -> Vec<&Fault> {
        assert!(!self.folder.path().join("file.bin").exists());
        self.outcome.as_ref().expect_err("no mirror was good").faults.iter().map(|(_, fault)| fault).collect()
    }
}

#[test]
fn an_honest_server_delivers() {
    fetch(vec![vec![Honest(body())]]).is_good();
    fetch(vec![vec![NoLength(body())]]).is_good();
}

#[test]
fn a_broken_download_is_resumed_at_the_same_server() {
    let run = fetch(vec![vec![Truncates(body(), 70_000), Honest(body())]]);
    run.is_good();
    assert_eq!(run.servers[0].ranges(), [None, Some(70_000)]);
}

#[test]
fn what_an_earlier_run_left_is_resumed() {
    let run = fetch_with_part(Some(&body()[..123]), vec![vec![Honest(body())]]);
    run.is_good();
    assert_eq!(run.servers[0].ranges(), [Some(123)]);
    fetch_with_part(Some(&body()), vec![vec![Status(500)]]).is_good();
}

#[test]
fn a_server_that_ignores_ranges_is_read_from_the_start() {
    fetch(vec![vec![Truncates(body(), 70_000), IgnoresRange(body())]]).is_good();
}

#[test]
fn a_server_that_always_truncates_is_left_for_the_next() {
    let run = fetch(vec![vec![Truncates(body(), 5_000)], vec![Honest(body())]]);
    run.is_good();
    assert_eq!(run.servers[1].ranges(), [Some(5_000)]);
    let run = fetch(vec![vec![Truncates(body(), 5_000)]]);
    assert!(run.faults().iter().all(|fault| matches!(fault, Fault::BrokenOff { have: 5_000, size: 200_000, .. })));
}

#[test]
fn a_server_that_hangs_is_left_for_the_next() {
    let start = Instant::now();
    let run = fetch(vec![vec![Hangs(body(), 50_000)], vec![Honest(body())]]);
    run.is_good();
    assert!(start.elapsed() < Duration::from_secs(20));
    let run = fetch(vec![vec![Hangs(body(), 0)]]);
    let faults = run.faults();
    assert!(faults.iter().all(|fault| matches!(fault, Fault::BrokenOff { have: 0, .. })), "{faults:?}");
    assert!(faults[0].to_string().contains("timeout"), "{}", faults[0]);
}

#[test]
fn a_wrong_digest_is_an_error_and_the_file_is_thrown_away() {
    let run = fetch(vec![vec![Honest(wrong_body())]]);
    assert!(matches!(run.faults()[..], [Fault::WrongDigest { .. }]));
    assert_eq!(fs::read_dir(run.folder.path()).unwrap().count(), 0);
    fetch(vec![vec![Honest(wrong_body())], vec![Honest(body())]]).is_good();
}

#[test]
fn a_beginning_spoilt_by_another_server_is_fetched_again() {
    fetch(vec![vec![Truncates(wrong_body(), 70_000), Status(404)], vec![Honest(body())]]).is_good();
    fetch_with_part(Some(b"nonsense"), vec![vec![Honest(body())]]).is_good();
    fetch_with_part(Some(&[0; 200_001]), vec![vec![Honest(body())]]).is_good();
}

#[test]
fn a_missing_file_is_looked_for_elsewhere() {
    let run = fetch(vec![vec![Status(404)], vec![Honest(body())]]);
    run.is_good();
    assert_eq!(run.servers[0].ranges().len(), 1, "a 404 is not asked twice");
    let run = fetch(vec![vec![Status(404)], vec![Status(503)]]);
    assert!(matches!(run.faults()[..], [Fault::Status(404), Fault::Status(503)]));
    let message = run.outcome.unwrap_err().to_string();
    assert!(message.contains("the server answered 404") && message.contains("--from"), "{message}");
}

#[test]
fn more_than_was_published_is_refused() {
    let long = [body(), vec![0; 10]].concat();
    for behaviour in [Honest(long.clone()), NoLength(long)] {
        let run = fetch(vec![vec![behaviour.clone()]]);
        assert!(matches!(run.faults()[..], [Fault::TooLong { size: 200_000 }]));
        fetch(vec![vec![behaviour], vec![Honest(body())]]).is_good();
    }
}

#[test]
fn less_than_was_published_is_refused() {
    let run = fetch(vec![vec![Honest(body()[..100].to_vec()), Status(416)]]);
    assert!(matches!(run.faults()[..], [Fault::BrokenOff { have: 100, .. }, Fault::Status(416)]));
}

#[test]
fn a_wrong_range_is_fetched_again_from_the_start() {
    let run = fetch(vec![vec![Truncates(body(), 70_000), WrongRange(body()), Honest(body())]]);
    run.is_good();
    assert_eq!(run.servers[0].ranges(), [None, Some(70_000), None]);
}

#[test]
fn a_server_that_is_not_there_is_a_fault() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mirror = format!("http://{}/", server.local_addr().unwrap());
    drop(server);
    let folder = TempDir::new().unwrap();
    let client = Client::new(Patience { pause: Duration::ZERO, ..Patience::default() });
    let failed = client.fetch(&remote(), &[&mirror], folder.path(), &ProgressBar::hidden()).unwrap_err();
    assert!(failed.faults.iter().all(|(_, fault)| matches!(fault, Fault::Transport(_))));
}

#[test]
fn a_file_that_is_there_is_not_fetched_again() {
    let run = fetch(vec![vec![Honest(body())]]);
    let client = Client::new(Patience::default());
    client.fetch(&remote(), &[], run.folder.path(), &ProgressBar::hidden()).unwrap();
}

#[test]
fn local_files_are_checked_like_others() {
    let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let copy = || fetch::copy(&remote(), from.path(), to.path(), &ProgressBar::hidden());
    assert!(matches!(copy().unwrap_err().faults[0].1, Fault::File { .. }));
    for (bytes, name) in [(body()[1..].to_vec(), "WrongSize"), (wrong_body(), "WrongDigest")] {
        fs::write(from.path().join("file.bin"), bytes).unwrap();
        assert!(format!("{:?}", copy().unwrap_err()).contains(name));
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    }
    fs::write(from.path().join("file.bin"), body()).unwrap();
    copy().unwrap();
    assert!(fs::read(to.path().join("file.bin")).unwrap() == body());
}

#[test]
fn the_table_is_well_formed() {
    for DataSet { mirrors, files, .. } in [MNIST, CIFAR10] {
        assert!(mirrors.iter().all(|mirror| mirror.starts_with("http") && mirror.ends_with('/')));
        for file in files {
            assert!(file.size > 0 && !file.name.contains('/'));
            assert!(file.sha256.len() == 64 && file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        }
    }
}
