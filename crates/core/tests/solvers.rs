//! Solvers agree with each other, with a reader of our files, and with an enumeration that knows no big-M.

#![cfg(feature = "microlp")]

mod common;

use common::{Case, random::random_case};
use std::path::PathBuf;
use std::process::Command;
use unmoved_core::{GoodLp, Limits, Milp, Objective, Solution, Solver, Status};

fn cases() -> Vec<(String, Milp)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir("tests/cases").unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let named = |p: &PathBuf| (p.file_stem().unwrap().to_string_lossy().into_owned(), Case::read(p).milp());
    let random = (0..20).map(|seed| (format!("random{seed}"), random_case(seed).milp()));
    paths.iter().map(named).chain(random).collect()
}

fn microlp(milp: &Milp) -> Solution {
    GoodLp::microlp().solve(milp, &Limits::default()).unwrap()
}

/// The optimum, or `None` if there is no point.
fn optimum(solution: &Solution) -> Option<f64> {
    match &solution.status {
        Status::Optimal => solution.cost,
        Status::Infeasible => None,
        other => panic!("{other:?}"),
    }
}

fn assert_close(name: &str, a: Option<f64>, b: Option<f64>) {
    let close = match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-6,
        (a, b) => a == b,
    };
    assert!(close, "{name}: {a:?} against {b:?}");
}

#[test]
fn the_worked_example_is_solved() {
    let milp = Case::read("tests/cases/dense_relu.unm".as_ref()).milp();
    let solution = microlp(&milp);
    assert_eq!(solution.status, Status::Optimal);
    assert!((solution.cost.unwrap() - 0.03125).abs() < 1e-9, "{solution:?}");
    assert_eq!(milp.input(&solution.values.unwrap()).len(), 2);
}

#[test]
fn no_time_is_no_answer() {
    let milp = Case::read("tests/cases/large.unm".as_ref()).milp();
    let limits = Limits { time: Some(std::time::Duration::ZERO) };
    assert_eq!(GoodLp::microlp().solve(&milp, &limits).unwrap().status, Status::TimeLimit);
}

/// Each point that microlp returns is one of the region, and its worst margin there is the cost.
#[test]
fn optima_are_attained() {
    for seed in 0..60 {
        let case = random_case(seed);
        if case.objective != Objective::Worst || case.query.network().has_slack() {
            continue;
        }
        let milp = case.milp();
        let solution = microlp(&milp);
        let input: Vec<f32> = milp.input(&solution.values.unwrap()).iter().map(|&v| v as f32).collect();
        let worst = case.worst(&input).to_f64();
        assert!((worst - solution.cost.unwrap()).abs() < 1e-5, "seed {seed}: {worst} against {:?}", solution.cost);
        for input in common::samples(&case, 50) {
            assert!(case.worst(&input).to_f64() > solution.bound.unwrap() - 1e-6, "seed {seed}");
        }
    }
}

#[test]
#[ignore = "needs highspy"]
fn files_read_back_by_highs_in_python_have_the_same_optimum() {
    let python = std::env::var("UNMOVED_PYTHON").expect("UNMOVED_PYTHON names an interpreter that has highspy");
    let folder = std::env::temp_dir().join(format!("unmoved-read-back-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let cases = cases();
    let mut files = Vec::new();
    for (name, milp) in &cases {
        let (lp, mps) = (folder.join(format!("{name}.lp")), folder.join(format!("{name}.mps")));
        milp.write_lp(&mut std::fs::File::create(&lp).unwrap()).unwrap();
        milp.write_mps(&mut std::fs::File::create(&mps).unwrap()).unwrap();
        files.extend([lp, mps]);
    }
    let output = Command::new(python).arg("tests/read_back.py").args(&files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(text.lines().count(), files.len(), "{text}");
    for ((line, file), (name, milp)) in text.lines().zip(&files).zip(cases.iter().flat_map(|c| [c, c])) {
        let theirs = match line.split_once(' ').unwrap() {
            ("Optimal", cost) => Some(cost.parse::<f64>().unwrap()),
            ("Infeasible", _) => None,
            (status, _) => panic!("{}: {status}", file.display()),
        };
        assert_close(&format!("{name} in {}", file.display()), theirs, optimum(&microlp(milp)));
    }
}

#[cfg(feature = "highs")]
mod highs {
    use super::*;
    use unmoved_core::{Cost, Highs, Session};

    #[test]
    fn agrees_with_microlp() {
        for (name, milp) in cases() {
            let solution = Highs.solve(&milp, &Limits::default()).unwrap();
            assert_close(&name, optimum(&solution), optimum(&microlp(&milp)));
            assert_close(&name, solution.bound, solution.cost);
            assert_eq!(solution.duals.is_some(), milp.integers() == 0 && solution.values.is_some(), "{name}");
        }
    }

    #[test]
    fn a_session_minimises_one_cost_after_another() {
        let milp = Case::read("tests/cases/dense_relu.unm".as_ref()).milp();
        let mut session = Session::new(&milp).unwrap();
        for (column, c) in milp.columns.iter().enumerate() {
            for sign in [1.0, -1.0] {
                let cost = Cost { terms: vec![(column, sign)], constant: 2.0 };
                let solution = session.minimise(&cost, &Limits::default()).unwrap();
                let alone = Highs.solve(&Milp { cost, ..milp.clone() }, &Limits::default()).unwrap();
                assert_close(&c.name, solution.cost, alone.cost);
                assert_close(&c.name, solution.bound, alone.bound);
            }
        }
    }

    /// Dual signs: the increase of the cost per unit of right-hand side.
    #[test]
    fn duals_are_rates_of_the_cost() {
        let milp = Case::read("tests/cases/dense_relu.unm".as_ref()).milp().relaxed();
        let solve = |milp: &Milp| Highs.solve(milp, &Limits::default()).unwrap();
        let solution = solve(&milp);
        for (r, dual) in solution.duals.unwrap().iter().enumerate() {
            let mut moved = milp.clone();
            let step = 1.0 / 1024.0;
            let mut rates = [step, -step].map(|by| {
                moved.rows[r].rhs = milp.rows[r].rhs + by;
                solve(&moved).cost.map(|c| (c - solution.cost.unwrap()) / by)
            });
            rates.sort_by(|a, b| a.partial_cmp(b).unwrap());
            let [low, high] = rates.map(|r| r.unwrap_or(*dual));
            assert!((low - 1e-6..=high + 1e-6).contains(dual), "{}: {dual} not in {low}..{high}", milp.rows[r].name);
        }
    }

    #[test]
    fn what_highs_would_drop_is_refused_or_counted() {
        let mut milp = Case::read("tests/cases/dense_relu.unm".as_ref()).milp();
        milp.rows[0].terms[1].1 = 1e-10;
        assert_eq!(Highs.solve(&milp, &Limits::default()).unwrap().ignored, 1);
        milp.rows[0].terms[1].1 = 1e15;
        let error = Highs.solve(&milp, &Limits::default()).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"h1.0:sum: coefficient 1000000000000000 is too large for HiGHS, which takes magnitudes below 1000000000000000");
    }
}
