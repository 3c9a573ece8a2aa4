//! The files, byte for byte.

mod common;

use common::{Case, random::random_case};
use unmoved_core::{Milp, decode_name};

fn lp(milp: &Milp) -> String {
    let mut out = Vec::new();
    milp.write_lp(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn mps(milp: &Milp) -> String {
    let mut out = Vec::new();
    milp.write_mps(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn lp_of_odd_names() {
    insta::assert_snapshot!(lp(&Case::read("tests/cases/odd_names.unm".as_ref()).milp()));
}

#[test]
fn mps_of_odd_names() {
    insta::assert_snapshot!(mps(&Case::read("tests/cases/odd_names.unm".as_ref()).milp()));
}

#[test]
fn the_same_query_gives_the_same_bytes() {
    for seed in 0..20 {
        let (a, b) = (random_case(seed).milp(), random_case(seed).milp());
        assert_eq!((lp(&a), mps(&a), a.listing()), (lp(&b), mps(&b), b.listing()));
    }
}

/// Every name of every case comes back, and no two columns or rows share one.
#[test]
fn names_are_unique_and_come_back() {
    for entry in std::fs::read_dir("tests/cases").unwrap() {
        let milp = Case::read(&entry.unwrap().path()).milp();
        let file = mps(&milp);
        let section = |from: &str, to: &str| file.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
        let rows = section("ROWS\n", "COLUMNS\n");
        let mut rows: Vec<String> =
            rows.lines().skip(1).map(|l| decode_name(l.split_whitespace().nth(1).unwrap()).unwrap()).collect();
        assert!(rows.iter().eq(milp.rows.iter().map(|r| &r.name)));
        let bounds = section("BOUNDS\n", "ENDATA");
        let mut columns: Vec<String> =
            bounds.lines().map(|l| decode_name(l.split_whitespace().nth(2).unwrap()).unwrap()).collect();
        columns.dedup();
        assert!(columns.iter().eq(milp.columns.iter().map(|c| &c.name)));
        for names in [&mut rows, &mut columns] {
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
