use super::attempt::may_go_on;
use super::{Duration, Ended, Queue, Recheck, Rerun, Task, Work, Worker, evaluate, mpsc};
use crate::run::{Asked, AskedData, AskedModel, Fraction, Kind, Record, Word, read, to_line};
use crate::{DataSet, write_image};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use unmoved_check::Arithmetic;
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor};
use unmoved_property::Norm;
use unmoved_search::Options;

/// Two inputs, which are the logits of two classes.
fn network() -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let weights = Tensor::f32(&[2, 2], vec![1.0, 0.0, 0.0, 1.0]).unwrap();
    let dense = Dense::new(weights, Tensor::f32(&[2], vec![0.0; 2]).unwrap()).unwrap();
    let y = b.push("y", Op::Dense(dense), &[x]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

fn fraction(text: &str) -> Fraction {
    Fraction(text.parse().unwrap())
}

/// Three images of the first class: one far from the other, one misclassified, one near.
fn world(folder: &Path, kind: Kind, eps: &[&str]) -> Work {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    write_image(&data.join("x.npy"), &[0.875, 0.125, 0.25, 0.5, 0.5, 0.375], &[3, 2]).unwrap();
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n";
    let labels = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &[0; 3]].concat();
    std::fs::write(data.join("y.npy"), labels).unwrap();
    let network = network();
    let images = Arc::new(DataSet::Arrays(None).open(&data).unwrap());
    let sha256 = network.digest().to_string();
    let asked = Asked {
        version: Asked::VERSION,
        command: String::new(),
        model: AskedModel { path: "m".into(), arch: None, output: None, mean: Vec::new(), std: Vec::new(), sha256 },
        data: AskedData { name: "arrays".into(), path: data, layout: None, sha256: String::new() },
        indices: 0..3,
        shard: None,
        norm: Norm::Linf,
        range: Some((Fraction(Rational::ZERO), Fraction(Rational::ONE))),
        targets: None,
        kind,
        eps: eps.iter().map(|text| fraction(text)).collect(),
        time_limit_s: None,
        threads: 1,
        seed: 0,
        engine: "auto".into(),
    };
    Work { network, images, asked, options: Options { threads: 1, ..Options::default() }, rerun: Rerun::Never }
}

fn run(work: &Work, folder: &Path) -> Ended {
    evaluate(work.clone(), Some(folder), &AtomicBool::new(false), &mut |_| {}).unwrap()
}

/// The problems of the records that are not as they were written.
fn problems(work: &Work, folder: &Path) -> Vec<String> {
    let run = read(folder).unwrap();
    let (network, found) = (work.network.clone(), Mutex::new(Vec::new()));
    let (images, arithmetic) = (&*work.images, Arithmetic::Exact);
    let recheck = Recheck { folder, run: &run, network, images, arithmetic, threads: 1 };
    let tell = |checked: &super::Rechecked<'_>| {
        found.lock().unwrap().extend(checked.problem.clone());
        Ok::<(), crate::run::RunError>(())
    };
    recheck.run(tell).unwrap();
    found.into_inner().unwrap()
}

/// Writes one of the records otherwise, with a check that fits, and examines the folder.
fn forged(work: &Work, folder: &Path, records: &[Record], at: usize, forge: impl FnOnce(&mut Record)) -> Vec<String> {
    let mut records = records.to_vec();
    forge(&mut records[at]);
    let text: String = records.iter().map(|record| to_line(record).unwrap()).collect();
    std::fs::write(folder.join("results.jsonl"), text).unwrap();
    problems(work, folder)
}

fn records(ended: &Ended) -> Vec<Record> {
    ended.run.answers.iter().map(|(_, record)| record.clone()).collect()
}

#[test]
fn a_forged_record_about_a_radius_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let work = world(temporary.path(), Kind::Radii, &["0.25", "0.3"]);
    let folder = &temporary.path().join("run");
    let whole = records(&run(&work, folder));
    let words: Vec<Word> = whole.iter().map(|record| record.verdict).collect();
    assert_eq!(words, [[Word::Robust; 2], [Word::Violated; 2], [Word::Violated; 2]].concat());
    assert!(problems(&work, folder).is_empty());
    let refused = |at: usize, forge: &dyn Fn(&mut Record), expected: &str| {
        let found = forged(&work, folder, &whole, at, forge);
        assert!(matches!(&found[..], [problem] if problem.contains(expected)), "{expected}: {found:?}");
    };
    refused(0, &|r| r.lower = 0.26, "its lower end is not");
    refused(0, &|r| r.proved = Some("1/8".into()), "what is proved is not what it says");
    refused(0, &|r| r.label = 1, "its classes are not");
    refused(0, &|r| r.key = whole[1].key.clone(), "answers another question");
    // The proof of a larger ball, under its own name.
    refused(0, &|r| r.certificate = whole[1].certificate.clone(), "its certificate is refused");
    refused(4, &|r| r.upper = Some(0.2), "nearer than it says");
    refused(4, &|r| r.upper = Some(0.01), "its counterexample is none");
    refused(4, &|r| r.target = None, "another class");
    refused(4, &|r| r.reason = Some("misclassified".into()), "its counterexample is none");
    let violated = |r: &mut Record| {
        *r = Record { target: Some(1), ..whole[2].clone() };
        (r.index, r.key) = (0, whole[0].key.clone());
        r.predicted = 0;
    };
    // Beside the other radius it would be a contradiction.
    let found = forged(&work, folder, &whole[..1], 0, violated);
    assert!(found[0].contains("its counterexample is none"), "{found:?}");
}

#[test]
fn a_forged_record_about_a_distortion_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let work = world(temporary.path(), Kind::Distortion { gap: fraction("0.1") }, &["0.25"]);
    let folder = &temporary.path().join("run");
    let whole = records(&run(&work, folder));
    let words: Vec<Word> = whole.iter().map(|record| record.verdict).collect();
    assert_eq!(words, [Word::Robust, Word::Measured, Word::Measured]);
    assert!(problems(&work, folder).is_empty());
    let refused = |at: usize, forge: &dyn Fn(&mut Record), expected: &str| {
        let found = forged(&work, folder, &whole, at, forge);
        assert!(matches!(&found[..], [problem] if problem.contains(expected)), "{expected}: {found:?}");
    };
    // Safe within less than what was looked at, or measured less closely.
    let is_robust = |r: &mut Record| {
        (r.verdict, r.upper, r.counterexample, r.reason) = (Word::Robust, None, None, None);
    };
    refused(2, &is_robust, "what is proved is not what it says");
    let is_wide = |r: &mut Record| (r.lower, r.proved, r.certificate) = (0.0, None, None);
    refused(2, &is_wide, "wider than what was asked for");
    refused(2, &|r| r.lower = 1e-9, "its lower end is not");
    refused(1, &|r| r.upper = Some(0.5), "nearer than it says");
}

#[test]
fn more_images_than_there_are_take_up_no_memory() {
    let temporary = tempfile::tempdir().unwrap();
    let mut work = world(temporary.path(), Kind::Radii, &["0.25"]);
    let path = work.asked.data.path.clone();
    for (name, header) in [
        ("x", "'<f4', 'fortran_order': False, 'shape': (1000000000000, 2)"),
        ("y", "'|u1', 'fortran_order': False, 'shape': (1000000000000,)"),
    ] {
        let header = format!("{{'descr': {header}, }}\n");
        let start =
            [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &[0; 8]].concat();
        std::fs::write(path.join(format!("{name}.npy")), start).unwrap();
    }
    work.images = Arc::new(DataSet::Arrays(None).open(&path).unwrap());
    work.asked.indices = 0..work.images.len();
    let error = evaluate(work, None, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("shorter than it says"), "{error}");
}

#[test]
fn what_is_stopped_on_the_way_is_not_done() {
    let temporary = tempfile::tempdir().unwrap();
    let work = world(temporary.path(), Kind::Radii, &["0.25"]);
    let task = |index| Task { index, open: vec![(0, 1)], spent: Duration::ZERO, found: None };
    let queue = Arc::new(Queue::new(work.images.clone(), vec![task(0)], 1));
    let worker = Worker::new(work.clone(), work.asked.clone(), None, queue.clone()).unwrap();
    let turn = queue.take().unwrap().unwrap();
    queue.stop();
    let (sender, results) = mpsc::channel();
    queue.give_back(0, worker.turn(turn, &sender).unwrap());
    assert!(results.try_recv().is_err() && !queue.is_done());
}

#[test]
fn an_attempt_that_a_part_of_the_time_may_have_ended_is_not_the_last() {
    let given = Duration::from_secs(1);
    // A quarter of the time was all that a step had.
    assert!([250, 500, 1000, 1001].into_iter().all(|ms| may_go_on(Duration::from_millis(ms), given)));
    assert!(!may_go_on(Duration::from_millis(50), given));
}
