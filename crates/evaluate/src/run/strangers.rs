//! Folders that others have made.

use super::folder::Folder;
use super::tests::{asked, fraction, lines, misclassified, results, robust, unknown};
use super::*;
use std::path::Path;

fn proof() -> Option<Kept> {
    Some(Kept { file: "p".into(), bytes: 0, sha256: String::new() })
}

#[test]
fn answers_at_two_radii_that_cannot_both_be_true_are_an_error() {
    let asked = asked();
    let robust = |lower: f64| Record {
        verdict: Word::Robust,
        certified: true,
        eps: Some(0.2),
        lower,
        certificate: proof(),
        key: "another".into(),
        ..unknown(1, 1.0)
    };
    let near = Record { verdict: Word::Violated, upper: Some(0.05), counterexample: proof(), ..unknown(1, 1.0) };
    for [first, second] in [[robust(0.2), near.clone()], [near, robust(0.2)], [misclassified(1), robust(0.2)]] {
        let mut answers = Answers::default();
        assert!(answers.insert(&asked, first, false).expect("the first"));
        let error = answers.insert(&asked, second, false).expect_err("both cannot be true");
        assert!(matches!(error, RunError::Contradiction { .. }), "{error}");
    }
    let mut answers = Answers::default();
    let safe = Record { eps: Some(0.1), ..robust(0.1) };
    assert!(answers.insert(&asked, safe, false).expect("safe in a ball"));
    let far = Record {
        verdict: Word::Violated,
        eps: Some(0.2),
        upper: Some(0.1),
        counterexample: proof(),
        ..unknown(1, 1.0)
    };
    assert!(answers.insert(&asked, far, false).expect("and unsafe on its border or beyond, which may be"));
}

#[test]
fn radii_that_no_record_can_name_are_not_asked_about() {
    let temporary = tempfile::tempdir().expect("a folder");
    let path = temporary.path();
    drop(Folder::open(path, asked()).expect("a run"));
    for radius in ["-0.1", "1e400"] {
        let asked = Asked { eps: vec![fraction(radius)], ..asked() };
        assert!(matches!(Folder::open(path, asked), Err(RunError::Asked { .. })), "{radius}");
    }
    assert_eq!(read(path).expect("a run").asked.eps, asked().eps, "the folder is as it was");
    for eps in [5e-324, 1e-190, 0.0, 0.1 + 0.2, 1e300, f64::MAX] {
        let name = Record { eps: Some(eps), ..unknown(usize::MAX, 1.0) }.file_name(KeptKind::Certificate);
        assert!(name.len() < 80 && name.contains(['.', '0']), "{name}");
    }
    let shown = Asked { model: AskedModel { path: "\u{1b}[2J.onnx".into(), ..asked().model }, ..asked() };
    assert!(shown.problem().is_some());
}

#[cfg(unix)]
#[test]
fn no_link_and_no_pipe_leads_out_of_a_folder() {
    use std::fs;
    use std::os::unix::fs::symlink;
    let temporary = tempfile::tempdir().expect("a folder");
    let outside = &temporary.path().join("outside");
    let untouched = || assert_eq!(fs::read(outside).expect("it is there"), b"private");
    fs::write(outside, "private").expect("writable");
    let path = &temporary.path().join("run");
    let (mut folder, _) = Folder::open(path, asked()).expect("a run");
    // Files that are about to be written.
    symlink(outside, path.join("certificates/1-linf-0.1.proof")).expect("a link");
    symlink(outside, path.join("run.json.new")).expect("a link");
    let mut record = Record { verdict: Word::Violated, upper: Some(0.05), ..unknown(2, 1.0) };
    let name = record.file_name(KeptKind::Counterexample);
    record.counterexample = Some(folder.keeper().keep_input(name, &[0.0], &[1]).expect("writable"));
    folder.append(&[robust(&folder, 1), record]).expect("writable");
    drop(folder);
    let more = Asked { eps: vec![fraction("0.3")], ..asked() };
    drop(Folder::open(path, more).expect("another radius"));
    untouched();
    assert!(fs::symlink_metadata(path.join("run.json")).expect("run.json").is_file());
    write_plain(&path.join("certificates/1-linf-0.1.proof"), b"proof").expect("writable");
    // Pictures that are copied though nothing rests on them.
    let picture = path.join("counterexamples/2-linf-0.1.png");
    symlink(outside, &picture).expect("a link");
    let into = &temporary.path().join("into");
    let collected = collect(std::slice::from_ref(path), into, &mut |_| {}).expect("they fit");
    assert_eq!(collected.taken, [2, 2]);
    assert!(!into.join("counterexamples/2-linf-0.1.png").exists());
    let is_refused = |what: &str| {
        assert!(read(path).is_err() && Folder::open(path, asked()).is_err(), "{what}");
    };
    for name in ["results.jsonl", "run.json", "certificates", "counterexamples"] {
        let (name, kept) = (path.join(name), temporary.path().join("kept"));
        fs::rename(&name, &kept).expect("it is there");
        symlink(&kept, &name).expect("a link");
        is_refused(&name.display().to_string());
        fs::remove_file(&name).expect("the link");
        let pipe = std::process::Command::new("mkfifo").arg(&name).status();
        if pipe.is_ok_and(|status| status.success()) {
            is_refused("a pipe");
            fs::remove_file(&name).expect("the pipe");
        }
        fs::rename(&kept, &name).expect("it was there");
    }
    assert_eq!(read(path).expect("as it was").answers.iter().count(), 2);
}

#[test]
fn the_last_attempt_that_can_be_counted_is_none() {
    let temporary = tempfile::tempdir().expect("a folder");
    let path: &Path = temporary.path();
    drop(Folder::open(path, asked()).expect("a run"));
    let last = Record { attempt: u32::MAX, ..unknown(1, 1.0) };
    let before = Record { attempt: u32::MAX - 1, ..unknown(2, 1.0) };
    std::fs::write(results(path), lines(&[last, before])).expect("writable");
    let (_, run) = Folder::open(path, asked()).expect("a run");
    assert_eq!([1, 2].map(|index| run.answers.attempts(index, 0)), [0, u32::MAX - 1]);
}
