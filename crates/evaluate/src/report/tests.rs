use super::{page, table};
use crate::run::{Answers, Asked, AskedData, AskedModel, Fraction, Kept, Kind, Record, Run, Word};
use std::path::Path;
use unmoved_property::Norm;

fn fraction(text: &str) -> Fraction {
    Fraction(text.parse().unwrap())
}

fn asked(images: usize, kind: Kind, eps: &[&str]) -> Asked {
    Asked {
        version: Asked::VERSION,
        command: "unmoved evaluate '<script>alert(1)</script>.onnx' --eps 0.1".into(),
        model: AskedModel {
            path: "<script>alert(1)</script>.onnx".into(),
            arch: None,
            output: None,
            mean: Vec::new(),
            std: Vec::new(),
            sha256: "0a".repeat(32),
        },
        data: AskedData { name: "pngs".into(), path: "absent\"&<b>".into(), layout: None, sha256: String::new() },
        indices: 0..images,
        shard: None,
        norm: Norm::Linf,
        range: Some((fraction("0"), fraction("1"))),
        targets: None,
        kind,
        eps: eps.iter().map(|eps| fraction(eps)).collect(),
        time_limit_s: Some(120.0),
        threads: 2,
        seed: 0,
        engine: "auto".into(),
    }
}

fn record(index: usize, verdict: Word, eps: Option<f64>, bounds: (f64, Option<f64>)) -> Record {
    let kept = |ending: &str| Kept { file: format!("{index}.{ending}"), bytes: 1, sha256: String::new() };
    Record {
        index,
        label: index % 10,
        predicted: index % 10,
        verdict,
        reason: (verdict == Word::Violated).then(|| "counterexample".into()),
        certified: verdict == Word::Robust,
        target: (verdict == Word::Violated).then_some(3),
        norm: "linf".into(),
        eps,
        lower: bounds.0,
        upper: bounds.1,
        time_s: 0.001 * (1 + index % 7) as f64,
        decided_by: "<i>search</i>".into(),
        attempt: 1,
        limit_s: Some(120.0),
        key: "k".into(),
        proved: (verdict == Word::Robust).then(|| "1/10".into()),
        certificate: (verdict == Word::Robust).then(|| kept("proof")),
        counterexample: (verdict == Word::Violated).then(|| kept("npy")),
    }
}

fn run(asked: Asked, records: Vec<Record>) -> Run {
    let mut answers = Answers::default();
    for record in records {
        assert!(answers.insert(&asked, record, false).unwrap());
    }
    Run { asked, answers, notes: vec!["a <u>note</u>".into()] }
}

fn radii(images: usize, count: usize) -> Run {
    let records = (0..count).map(|index| match index % 5 {
        0 => record(index, Word::Violated, Some(0.1), (0.0, Some(0.01 + 0.09 * index as f64 / images as f64))),
        1 => record(index, Word::Unknown, Some(0.1), (0.0, None)),
        _ => record(index, Word::Robust, Some(0.1), (0.1, None)),
    });
    run(asked(images, Kind::Radii, &["1/10"]), records.collect())
}

fn html(run: &Run) -> String {
    page(run, Path::new("absent")).unwrap()
}

#[test]
fn what_others_wrote_is_escaped_and_nothing_is_fetched() {
    let html = html(&radii(10, 10));
    for hostile in ["<script", "<i>search", "<u>note", "absent\"&<b>"] {
        assert!(!html.contains(hostile), "{hostile}");
    }
    for fetched in ["http:", "https:", "url(", "@import", "<link"] {
        assert!(!html.contains(fetched), "{fetched}");
    }
    assert!(html.contains("<title>adversarial error in [20.00, 40.00] % · "));
    assert!(html.contains("The original images are not shown"));
}

#[test]
fn the_same_records_give_the_same_bytes() {
    assert_eq!(html(&radii(30, 20)), html(&radii(30, 20)));
    assert_eq!(table(&radii(30, 20)).unwrap(), table(&radii(30, 20)).unwrap());
}

#[test]
fn a_run_of_ten_thousand_makes_a_page_of_a_few_megabytes() {
    let html = html(&radii(10_000, 10_000));
    assert!(html.len() < 3 << 20, "{} bytes", html.len());
    assert_eq!(html.matches("<td class=\"picture\">").count(), 2 * 2_000);
    assert!(html.contains("The first 2000 of 4000 answers that are not robust, of 10000"));
}

#[test]
fn distortions_have_a_headline_a_curve_and_a_histogram() {
    let records = (0..20).map(|index| {
        let upper = 0.05 + 0.005 * index as f64;
        record(index, Word::Measured, Some(1.0), (upper * 0.995, Some(upper)))
    });
    let run = run(asked(20, Kind::Distortion { gap: fraction("1/100") }, &["1"]), records.collect());
    let html = html(&run);
    assert!(
        html.contains("<title>linf distortion: mean in [0.0970, 0.0975], median in [0.0970, 0.0975] · "),
        "{}",
        &html[..900]
    );
    for title in ["Certified accuracy", "Distortions", "Time"] {
        assert!(html.contains(&format!("<h2>{title}</h2>")), "{title}");
    }
}

#[test]
fn nothing_answered_and_strange_numbers_are_still_a_page() {
    let html = html(&radii(10, 0));
    assert!(html.contains("There is no answer yet.") && html.contains("[0.00, 100.00] %"));
    assert!(table(&radii(10, 0)).unwrap().starts_with(b"index,label,"));
    let strange = [5e-324, 1e-320, 1e-300, 1e300, f64::MAX, 0.0]
        .map(|upper| Record { time_s: upper, ..record(0, Word::Violated, Some(0.1), (0.0, Some(upper))) });
    for record in strange {
        let html = page(&run(asked(1, Kind::Radii, &["1/10"]), vec![record]), Path::new("absent")).unwrap();
        assert!(!html.contains("NaN") && !html.contains("inf\""));
    }
}

#[test]
fn the_table_has_every_field() {
    let text = String::from_utf8(table(&radii(10, 2)).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].split(',').collect::<Vec<_>>(), super::COLUMNS);
    let first = "0,0,0,violated,counterexample,false,3,linf,0.1,0.0,0.01,0.001,<i>search</i>,1,120.0,k,,0.npy";
    assert_eq!(lines[1], first);
    assert_eq!(lines[2], "1,1,1,unknown,,false,,linf,0.1,0.0,,0.002,<i>search</i>,1,120.0,k,,");
}
