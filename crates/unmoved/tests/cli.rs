//! The command line from outside: every file in `tests/cli` is one call, its snapshot what a user sees.
//!
//! A case is the arguments, in the folder `tests/models`; lines that start with `#` say why it exists.

mod call;

use call::unmoved;

#[test]
fn every_case_reads_as_it_should() {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d+\.\d{3} s\b", "[time] s");
    settings.add_filter(r"(?m)^ *\d+\.\d\d s  ", "[time] s  ");
    settings.add_filter(r#""(time|check)_s":[0-9.e-]+"#, r#""${1}_s":[time]"#);
    settings.add_filter(r"unmoved \d+\.\d+\.\d+", "unmoved [version]");
    settings.add_filter(r"os error \d+", "os error [number]");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| {
        insta::glob!("cli/*.case", |path| {
            let case = std::fs::read_to_string(path).expect("a case is text");
            let arguments: Vec<&str> =
                case.lines().filter(|l| !l.starts_with('#')).flat_map(str::split_whitespace).collect();
            let (stdout, stderr, code) = unmoved(&arguments);
            let shown = format!("exit code: {code}\n----- stdout -----\n{stdout}----- stderr -----\n{stderr}");
            insta::assert_snapshot!(shown);
        });
    });
}

#[test]
#[cfg(not(feature = "highs"))]
fn what_is_too_large_for_microlp_is_an_error_and_nothing_falls_back() {
    let models = "../../../../test-models";
    let (model, image) = (format!("{models}/mnist-residual.onnx"), format!("{models}/digits/3.png"));
    let question = ["robust", &model, "--image", &image, "--eps", "0.15", "--engine", "milp"];
    let (stdout, stderr, code) = unmoved(&question);
    assert_eq!((stdout.as_str(), code), ("", 2));
    assert!(stderr.contains("more than 40 binaries needs HiGHS") && stderr.contains("--engine search"), "{stderr}");
}

#[test]
fn a_certificate_written_is_accepted_and_a_damaged_one_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proof = folder.path().join("p.proof");
    let proof = proof.to_str().expect("UTF-8");
    let query = format!("{proof}.query");
    let question = ["robust", "tiny.unm", "--image", "tiny.npy", "--eps", "1/16", "--certificate", proof];
    assert_eq!(unmoved(&question).2, 0);
    assert_eq!(unmoved(&["check", "tiny.unm", &query, proof]).2, 0);
    assert_eq!(unmoved(&["check", "tiny.unm", &query, proof, "--exact"]).2, 0);
    // Of another network it proves nothing.
    let (stdout, _, code) = unmoved(&["check", "other.unm", &query, proof]);
    assert_eq!(code, 1, "{stdout}");
    let bytes = std::fs::read(proof).expect("the proof was written");
    for keep in 0..bytes.len() {
        std::fs::write(proof, &bytes[..keep]).expect("writable");
        assert_ne!(unmoved(&["check", "tiny.unm", &query, proof]).2, 0, "cut to {keep} bytes");
    }
}

#[test]
fn a_counterexample_is_written_as_it_was_replayed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("c.npy");
    let file = file.to_str().expect("UTF-8");
    let question = ["robust", "tiny.unm", "--image", "tiny.npy", "--eps", "3/4", "--counterexample", file];
    assert_eq!(unmoved(&question).2, 1);
    // As the input of another question it is misclassified from the start.
    let again = ["robust", "tiny.unm", "--image", file, "--eps", "0", "--label", "0", "--format", "json"];
    let (stdout, _, code) = unmoved(&again);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("misclassified"), "{stdout}");
}

#[test]
fn both_ends_of_a_distortion_are_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (proof, input) = (path("p.proof"), path("c.npy"));
    let keep = ["--certificate", &proof, "--counterexample", &input];
    assert_eq!(unmoved(&[&["distortion", "tiny.unm", "--image", "tiny.npy"], &keep[..]].concat()).2, 0);
    assert_eq!(unmoved(&["check", "tiny.unm", &format!("{proof}.query"), &proof, "--exact"]).2, 0);
    let again = ["distortion", "tiny.unm", "--image", &input, "--label", "0"];
    let (stdout, _, code) = unmoved(&again);
    assert!(code == 0 && stdout.contains("misclassified"), "{stdout}");
}

#[test]
fn every_box_of_a_property_has_its_certificate() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (one, several) = (path("one"), path("several"));
    assert_eq!(unmoved(&["verify", "holds.vnnlib", "--network", "tiny.unm", "--certificate", &one]).2, 0);
    assert_eq!(unmoved(&["verify", "boxes.vnnlib", "--network", "tiny.unm", "--certificate", &several]).2, 0);
    for proof in [one, format!("{several}.0"), format!("{several}.1")] {
        let (stdout, _, code) = unmoved(&["check", "tiny.unm", &format!("{proof}.query"), &proof]);
        assert_eq!(code, 0, "{stdout}");
    }
    // One box that holds proves nothing of a property that is violated in another.
    let (proof, input) = (path("violated"), path("input.npy"));
    let keep = ["--certificate", &proof, "--counterexample", &input];
    let question = [&["verify", "boxes-violated.vnnlib", "--network", "tiny.unm"], &keep[..]].concat();
    assert_eq!(unmoved(&question).2, 1);
    let written = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(written, 7, "three proofs with their queries, one input");
    let again = ["robust", "tiny.unm", "--image", &input, "--eps", "0", "--label", "0"];
    assert_eq!(unmoved(&again).2, 1);
}

#[test]
fn properties_are_converted_between_versions_and_mean_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    for (property, code) in [("holds.vnnlib", 0), ("boxes.vnnlib", 0), ("boxes-violated.vnnlib", 1)] {
        let (two, one) = (path("two.vnnlib"), path("one.vnnlib"));
        let (stdout, stderr, done) = unmoved(&["convert", property, &two, "--network", "tiny.unm"]);
        assert!(done == 0 && stdout.contains("VNN-LIB 2.0") && stdout.contains("the same queries"), "{stdout}{stderr}");
        let back = ["convert", &two, &one, "--network", "tiny.unm", "--vnnlib", "1.0", "--format", "json"];
        let (stdout, stderr, done) = unmoved(&back);
        assert!(
            done == 0 && stdout.contains(r#""version":"1.0""#) && stdout.contains(r#""same":true"#),
            "{stdout}{stderr}"
        );
        for file in [&two, &one] {
            assert_eq!(unmoved(&["verify", file, "--network", "tiny.unm"]).2, code, "{property} as {file}");
        }
    }
    // The query of an image is written by its ending alone, and decided as `robust` does.
    let query = path("query.vnnlib");
    let question = ["encode", "tiny.unm", "--image", "tiny.npy", "--eps", "0.01", "--write", &query];
    assert_eq!(unmoved(&question).2, 0);
    assert_eq!(unmoved(&["verify", &query, "--network", "tiny.unm"]).2, 0);
}

#[test]
fn converting_there_and_back_gives_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let files = ["a.onnx", "b.unm", "c.safetensors", "d.onnx", "e.unm", "f.safetensors"].map(path);
    let mut from = "conv.unm".to_owned();
    for to in &files {
        let (stdout, stderr, code) = unmoved(&["convert", &from, to, "--format", "json"]);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("\"largest_difference\":0.0"), "{stdout}");
        from.clone_from(to);
    }
    for (first, second) in [(0, 3), (1, 4), (2, 5)] {
        assert_eq!(std::fs::read(&files[first]).ok(), std::fs::read(&files[second]).ok(), "{}", files[first]);
    }
}

#[test]
fn a_chain_of_dense_layers_goes_through_every_format() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    for (from, first) in [("tiny.unm", "a.nnet"), ("units.nnet", "b.nnet")] {
        let first = path(first);
        let mut from = from.to_owned();
        let files = [first.clone(), path("c.unm"), path("d.safetensors"), path("e.onnx"), path("f.nnet")];
        for to in &files {
            let (stdout, stderr, code) = unmoved(&["convert", &from, to]);
            assert_eq!(code, 0, "{stderr}");
            assert_eq!(stdout, format!("{to}: every weight exactly; largest difference 0 on 64 inputs\n"));
            from.clone_from(to);
        }
        assert_eq!(std::fs::read(&first).ok(), std::fs::read(&files[4]).ok(), "{first}");
    }
}

#[test]
fn the_normalisation_of_a_file_is_part_of_what_is_proved() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let proof = folder.path().join("p.proof");
    let proof = proof.to_str().expect("UTF-8");
    assert_eq!(unmoved(&["verify", "units.vnnlib", "--network", "units.nnet", "--certificate", proof]).2, 0);
    let query = format!("{proof}.query");
    assert_eq!(unmoved(&["check", "units.nnet", &query, proof]).2, 0);
    assert_eq!(unmoved(&["check", "tiny.unm", &query, proof]).2, 1);
}

#[test]
fn the_competition_may_list_its_networks() {
    for (list, word) in [("[('f', 'tiny.unm')]", "sat\n"), ("[('g', 'tiny.unm')]", "error\n")] {
        let (stdout, _, code) = unmoved(&["vnncomp", "v1", "test", list, "tensors.vnnlib", "/dev/stdout", "60"]);
        assert!(code == 0 && stdout.starts_with(word), "{stdout}");
    }
}
