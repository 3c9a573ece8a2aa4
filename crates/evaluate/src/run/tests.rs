use super::folder::Folder;
use super::line::{MAX_LINE, from_line, scan, to_line};
use super::*;
use proptest::prelude::*;
use std::io::BufReader;
use std::path::Path;
use unmoved_ir::Rational;
use unmoved_property::Norm;

pub(super) fn fraction(text: &str) -> Fraction {
    Fraction(text.parse().expect("a fraction"))
}

/// A run over images 0..10 at radii 0.1 and 0.2.
pub(super) fn asked() -> Asked {
    Asked {
        version: Asked::VERSION,
        command: "unmoved evaluate m.onnx".into(),
        model: AskedModel {
            path: "m.onnx".into(),
            arch: None,
            output: None,
            mean: Vec::new(),
            std: Vec::new(),
            sha256: "00".into(),
        },
        data: AskedData { name: "mnist".into(), path: "mnist".into(), layout: None, sha256: "11".into() },
        indices: 0..10,
        shard: None,
        norm: Norm::Linf,
        range: Some((Fraction(Rational::ZERO), Fraction(Rational::ONE))),
        targets: None,
        kind: Kind::Radii,
        eps: vec![fraction("0.1"), fraction("0.2")],
        time_limit_s: Some(120.0),
        threads: 2,
        seed: 0,
        engine: "auto".into(),
    }
}

pub(super) fn unknown(index: usize, limit_s: f64) -> Record {
    Record {
        index,
        label: 3,
        predicted: 3,
        verdict: Word::Unknown,
        reason: Some("time-limit".into()),
        certified: false,
        target: None,
        norm: "linf".into(),
        eps: Some(0.1),
        lower: 0.0,
        upper: None,
        time_s: 0.1 + 0.2,
        decided_by: "nothing".into(),
        attempt: 1,
        limit_s: Some(limit_s),
        key: format!("key {index}"),
        proved: None,
        certificate: None,
        counterexample: None,
    }
}

pub(super) fn misclassified(index: usize) -> Record {
    let reason = Some(MISCLASSIFIED.into());
    Record { verdict: Word::Violated, reason, target: Some(1), upper: Some(0.0), ..unknown(index, 1.0) }
}

/// A robust record whose certificate is in the folder.
pub(super) fn robust(folder: &Folder, index: usize) -> Record {
    let mut record = Record { verdict: Word::Robust, certified: true, reason: None, lower: 0.1, ..unknown(index, 1.0) };
    let name = record.file_name(KeptKind::Certificate);
    record.certificate = Some(folder.keeper().keep(KeptKind::Certificate, name, b"proof").expect("writable"));
    record
}

pub(super) fn lines(records: &[Record]) -> String {
    records.iter().map(|r| to_line(r).expect("JSON")).collect()
}

pub(super) fn results(folder: &Path) -> std::path::PathBuf {
    folder.join("results.jsonl")
}

#[test]
fn a_line_reads_back_to_the_same_bits_and_no_other_line_does() {
    let record = Record { lower: 0.0, time_s: 0.1 + 0.2, ..unknown(7, 1e-300) };
    let line = to_line(&record).expect("JSON");
    let line = line.trim_end().as_bytes();
    assert_eq!(from_line(line), Some(record));
    for position in 0..line.len() {
        for bit in 0..8 {
            let mut damaged = line.to_vec();
            damaged[position] ^= 1 << bit;
            // The case of the check's digits is all that may differ.
            let same = damaged.eq_ignore_ascii_case(line) && position > line.len() - 11;
            assert!(same || from_line(&damaged).is_none(), "byte {position}, bit {bit}");
        }
        assert!(from_line(&line[..position]).is_none());
        assert!(from_line(&line[position + 1..]).is_none());
    }
}

#[test]
fn a_record_that_says_more_than_is_behind_it_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, _) = Folder::open(folder.path(), asked()).expect("a run");
    let read = |record: &Record| from_line(to_line(record).expect("JSON").trim_end().as_bytes());
    let good = robust(&folder, 1);
    assert_eq!(read(&good).as_ref(), Some(&good));
    let named = |file: &str| Some(Kept { file: file.into(), ..good.certificate.clone().expect("it has one") });
    for wrong in [
        Record { certified: false, ..good.clone() },
        Record { certificate: None, ..good.clone() },
        Record { verdict: Word::Violated, upper: Some(0.1), ..good.clone() },
        Record { lower: f64::NAN, ..good.clone() },
        Record { lower: -0.5, ..good.clone() },
        Record { certificate: named("../../secret"), ..good.clone() },
        Record { certificate: named("/etc/passwd"), ..good.clone() },
        Record { certificate: named(""), ..good.clone() },
        Record { certificate: named(".."), ..good.clone() },
        Record { lower: 0.1, ..unknown(1, 1.0) },
        Record { upper: Some(0.2), ..good.clone() },
        Record { upper: None, ..misclassified(1) },
        Record { verdict: Word::Measured, upper: Some(0.05), reason: misclassified(1).reason, ..good.clone() },
        Record { time_s: -1.0, ..good.clone() },
        Record { decided_by: "\u{1b}[2J".into(), ..good.clone() },
        // There would be no next attempt, or a file would be written twice.
        Record { attempt: 0, ..good.clone() },
        Record { attempt: u32::MAX, ..good.clone() },
    ] {
        assert_eq!(read(&wrong), None, "{wrong:?}");
    }
}

#[test]
fn what_was_appended_is_there_and_a_torn_line_is_cut_off() {
    let temporary = tempfile::tempdir().expect("a folder");
    let path = temporary.path();
    let (mut folder, run) = Folder::open(path, asked()).expect("a run");
    assert_eq!(run.answers.iter().count(), 0);
    let records = [misclassified(0), robust(&folder, 1), unknown(2, 5.0)];
    folder.append(&records).expect("writable");
    assert!(matches!(Folder::open(path, asked()), Err(RunError::Locked { .. })));
    drop(folder);
    let whole = std::fs::read(results(path)).expect("results");
    for torn in [&b"{"[..], b"\0\0\0\0", &whole[..40], lines(&[unknown(3, 1.0)]).trim_end().as_bytes()] {
        std::fs::write(results(path), [&whole, torn].concat()).expect("writable");
        let (mut folder, run) = Folder::open(path, asked()).expect("a run");
        assert_eq!(run.answers.iter().map(|(_, r)| r.clone()).collect::<Vec<_>>(), records);
        assert_eq!(run.notes.len(), 1, "{:?}", run.notes);
        folder.append(&[unknown(4, 1.0)]).expect("writable");
        let expected = [whole.clone(), lines(&[unknown(4, 1.0)]).into_bytes()].concat();
        assert_eq!(std::fs::read(results(path)).expect("results"), expected);
    }
}

#[test]
fn damaged_records_are_named_and_their_questions_open_again() {
    let temporary = tempfile::tempdir().expect("a folder");
    let path = temporary.path();
    let (folder, _) = Folder::open(path, asked()).expect("a run");
    let [first, second] = [1, 2].map(|index| robust(&folder, index));
    drop(folder);
    let huge = "x".repeat(3 * MAX_LINE);
    let other = Record { eps: Some(0.3), ..unknown(5, 1.0) };
    let text = [
        lines(std::slice::from_ref(&first)),
        "\n{}\n\u{fffd}\n".into(),
        lines(&[misclassified(3)]).replace("\"label\":3", "\"label\":4"),
        huge + "\n",
        lines(&[second.clone(), second, other, unknown(99, 1.0)]),
    ];
    std::fs::write(results(path), text.concat()).expect("writable");
    std::fs::write(path.join("certificates/1-linf-0.1.proof"), b"proof, but longer").expect("writable");
    let (folder, run) = Folder::open(path, asked()).expect("a run");
    assert_eq!(run.answers.iter().map(|(_, r)| r.index).collect::<Vec<_>>(), [2]);
    assert_eq!(run.answers.attempts(1, 0), 1);
    assert_eq!(
        run.notes,
        [
            "results.jsonl: 5 records are damaged and not counted: line 2, 3, 4, 5, 6",
            "results.jsonl: 2 records are about other questions and not counted: line 9, 10",
            "results.jsonl: 1 record is without the file that stands behind it and not counted: line 1",
        ]
    );
    drop(folder);
    // What nobody wrote here is not cut off, however much it is.
    std::fs::write(results(path), "garbage ".repeat(MAX_LINE)).expect("writable");
    let (mut folder, run) = Folder::open(path, asked()).expect("a run");
    assert_eq!(run.notes.len(), 1);
    folder.append(&[misclassified(1)]).expect("writable");
    drop(folder);
    let (_, run) = Folder::open(path, asked()).expect("a run");
    assert_eq!(run.answers.iter().map(|(_, r)| r.index).collect::<Vec<_>>(), [1]);
    assert!(std::fs::metadata(results(path)).expect("results").len() > 8 * MAX_LINE as u64);
}

#[test]
fn the_best_record_counts_and_counts_once() {
    let asked = asked();
    let mut answers = Answers::default();
    let mut insert = |record: &Record| answers.insert(&asked, record.clone(), false);
    for record in
        [unknown(0, 5.0), unknown(0, 2.0), unknown(1, 2.0), misclassified(1), unknown(1, 9.0), misclassified(1)]
    {
        assert!(insert(&record).expect("no contradiction"));
    }
    let proof = Some(Kept { file: "p".into(), bytes: 0, sha256: String::new() });
    let robust = Record { verdict: Word::Robust, certified: true, lower: 0.1, certificate: proof, ..unknown(1, 1.0) };
    let error = insert(&robust).expect_err("both cannot be true");
    assert_eq!(
        error.to_string(),
        "image 1: violated at linf 0.1 (by nothing) and robust at linf 0.1 (by nothing) cannot both be true; \
         a defect worth reporting"
    );
    assert_eq!(answers.get(0, 0).and_then(|r| r.limit_s), Some(5.0));
    let counts = Counts { images: 10, misclassified: 1, undecided: 1, ..Counts::default() };
    let none = Counts { images: 10, ..Counts::default() };
    assert_eq!(Summary::new(&asked, &answers), Summary::Radii(vec![counts, none]));
}

#[test]
fn shares_are_rounded_outward() {
    let counts = Counts { images: 10_000, robust: 9562, misclassified: 189, adversarial: 249, undecided: 0 };
    let text =
        "adversarial error in [4.38, 4.38] % (189 misclassified, 249 with an adversarial example, 0 unknown of 10000)";
    assert_eq!(counts.to_string(), text);
    let counts = Counts { images: 7, robust: 4, misclassified: 1, adversarial: 1, undecided: 1 };
    let text = "adversarial error in [28.57, 42.86] % (1 misclassified, 1 with an adversarial example, 1 unknown of 7)";
    assert_eq!(counts.to_string(), text);
    let none = Counts::default().to_string();
    assert!(none.starts_with("adversarial error in [0.00, 100.00] %"), "{none}");
}

#[test]
fn means_and_medians_are_rounded_outward() {
    let kind = Kind::Distortion { gap: fraction("1/2") };
    let asked = Asked { eps: vec![fraction("1")], kind, ..asked() };
    let of = |ends: &[[f64; 2]]| {
        let mut answers = Answers::default();
        for (index, &[lower, upper]) in ends.iter().enumerate() {
            let record =
                Record { verdict: Word::Measured, eps: Some(1.0), lower, upper: Some(upper), ..unknown(index, 1.0) };
            assert!(answers.insert(&asked, record, false).expect("no contradiction"));
        }
        match Summary::new(&asked, &answers) {
            Summary::Distortions(found) => (found.mean, found.median),
            Summary::Radii(_) => unreachable!(),
        }
    };
    assert_eq!(of(&[]), (None, None));
    assert_eq!(of(&[[0.1, 0.2]]), (Some([0.1, 0.2]), Some([0.1, 0.2])));
    // The sum of these is no float: 1/8 and a little.
    let (tiny, eighth) = (1e-30, 0.125);
    let (mean, median) = of(&[[eighth, eighth], [tiny, tiny], [tiny, tiny], [eighth, eighth]]);
    assert_eq!((mean, median), (Some([0.0625, 0.0625f64.next_up()]), Some([0.0625, 0.0625f64.next_up()])));
    assert_eq!(of(&[[0.5, f64::MAX], [0.25, f64::MAX]]).0, Some([0.375, f64::MAX]));
}

#[test]
fn a_folder_holds_one_question_and_more_radii() {
    let temporary = tempfile::tempdir().expect("a folder");
    let path = temporary.path();
    drop(Folder::open(path, asked()).expect("a run"));
    let more = Asked { eps: vec![fraction("0.3"), fraction("1/2")], time_limit_s: None, threads: 1, ..asked() };
    let (folder, run) = Folder::open(path, more).expect("the same question");
    assert_eq!(run.asked.eps, ["0.1", "0.2", "0.3", "0.5"].map(fraction));
    drop(folder);
    let base = asked();
    let other = |sha256: &str| AskedModel { sha256: sha256.into(), ..base.model.clone() };
    for (what, asked) in [
        ("network", Asked { model: other("22"), ..asked() }),
        ("images", Asked { data: AskedData { sha256: "22".into(), ..base.data.clone() }, ..asked() }),
        ("indices", Asked { indices: 0..11, ..asked() }),
        ("shard", Asked { shard: Some(Shard { part: 1, of: 2 }), ..asked() }),
        ("norm", Asked { norm: Norm::L1, ..asked() }),
        ("range", Asked { range: None, ..asked() }),
        ("targets", Asked { targets: Some(vec![1]), ..asked() }),
        ("kind", Asked { kind: Kind::Distortion { gap: fraction("0.01") }, eps: vec![fraction("1")], ..asked() }),
    ] {
        match Folder::open(path, asked) {
            Err(RunError::Differs { differences, .. }) => {
                assert!(differences.len() == 1 && differences[0].starts_with(what), "{differences:?}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
    // A fraction that float64 does not tell from another.
    let close = Asked { eps: vec![fraction("0.1000000000000000000001")], ..asked() };
    assert!(matches!(Folder::open(path, close), Err(RunError::Asked { .. })));
    let text = std::fs::read_to_string(path.join("run.json")).expect("run.json");
    assert_eq!(serde_json::from_str::<Asked>(&text).expect("it reads back").eps.len(), 4);
    for damaged in [
        &text[..text.len() / 2],
        "",
        "null",
        "[]",
        &text.replace("\"of\"", ""),
        &text.replace("\"version\": 1", "\"version\": 2"),
    ] {
        std::fs::write(path.join("run.json"), damaged).expect("writable");
        assert!(damaged == text || matches!(read(path), Err(RunError::Asked { .. })), "{damaged}");
    }
}

#[test]
fn shards_share_the_images_out() {
    for of in 1..6 {
        let parts = (1..=of).map(|part| Asked { indices: 3..17, shard: Some(Shard { part, of }), ..asked() });
        let mut all: Vec<usize> = Vec::new();
        for asked in parts {
            let indices: Vec<usize> = asked.indices().collect();
            assert_eq!(indices.len(), asked.images());
            assert!((0..20).all(|index| asked.has(index) == indices.contains(&index)));
            all.extend(indices);
        }
        all.sort_unstable();
        assert_eq!(all, (3..17).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever becomes of the file, what is read from it was written, and where nothing was changed it is all that was written.
    #[test]
    fn damage_never_makes_a_record(at in 0.0..1.0f64, byte: u8, cut: bool) {
        let records: Vec<Record> = (0..6).map(|index| if index % 2 == 0 { unknown(index, 3.0) } else { misclassified(index) }).collect();
        let mut text = lines(&records).into_bytes();
        let at = (at * text.len() as f64) as usize;
        if cut { text.truncate(at) } else { text[at] = byte }
        let (mut found, mut length) = (Vec::new(), 0);
        let extent = scan(BufReader::with_capacity(16, &text[..]), |number, record| {
            length = length.max(number);
            found.extend(record);
        }).expect("memory can be read");
        prop_assert_eq!(extent.whole + extent.torn, text.len() as u64);
        prop_assert!(found.iter().all(|record| records.contains(record)));
        let before = lines(&records).into_bytes()[..at].iter().filter(|b| **b == b'\n').count();
        let least = if cut { before } else { records.len() - 2 };
        prop_assert!(found.len() >= least);
        prop_assert_eq!(&found[..before.min(found.len())], &records[..before.min(found.len())]);
    }
}
