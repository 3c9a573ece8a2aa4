//! Which bounds a search may use, from outside.

mod call;

use call::unmoved;

const QUESTION: [&str; 6] = ["verify", "quadratic.vnnlib", "--network", "quadratic.unm", "--engine", "search"];

/// Not a snapshot, because the widths of a machine's registers show in the last digits of these bounds.
#[test]
fn what_semidefinite_bounds_decide_is_said_and_can_be_checked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (proof, query, options) = (path("p.proof"), path("p.proof.query"), path("options.toml"));
    std::fs::write(&options, "[verify]\nbounds = \"semidefinite\"\n").expect("writable");
    for more in [["--bounds", "semidefinite"], ["--config", &options]] {
        let extra = ["--format", "json", "--threads", "1", "--certificate", &proof];
        let (text, _, code) = unmoved(&[&QUESTION[..], &more, &extra].concat());
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(r#""verdict":"unsat","certified":true"#), "{text}");
        assert!(text.contains(r#""decided_by":"semidefinite""#), "{text}");
        for arithmetic in [&[][..], &["--exact"]] {
            let (text, _, code) = unmoved(&[&["check", "quadratic.unm", &query, &proof][..], arithmetic].concat());
            assert_eq!(code, 0, "{text}");
        }
    }
    let (text, _, code) = unmoved(&[&QUESTION[..], &["--bounds", "linear", "--format", "json"]].concat());
    assert!(code == 0 && text.contains(r#""decided_by":"search""#), "{text}");
}

#[test]
fn every_command_that_searches_takes_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let result = folder.path().join("out.txt");
    let result = result.to_str().expect("UTF-8");
    let image = ["tiny.unm", "--image", "tiny.npy"];
    let robust = [&["robust"][..], &image, &["--eps", "1/16"]].concat();
    let distortion = [&["distortion"][..], &image].concat();
    let competition = vec!["vnncomp", "v1", "test", "quadratic.unm", "quadratic.vnnlib", result, "60"];
    for bounds in ["linear", "semidefinite", "auto"] {
        for question in [&robust, &distortion, &competition, &QUESTION.to_vec()] {
            let (text, _, code) = unmoved(&[&question[..], &["--bounds", bounds]].concat());
            assert_eq!(code, 0, "{question:?} with {bounds}: {text}");
        }
        assert_eq!(std::fs::read_to_string(result).expect("written"), "unsat\n");
    }
    let (help, ..) = unmoved(&["evaluate", "--help"]);
    assert!(help.contains("--bounds"), "{help}");
    assert_eq!(unmoved(&[&QUESTION[..], &["--bounds", "quadratic"]].concat()).2, 2);
}
