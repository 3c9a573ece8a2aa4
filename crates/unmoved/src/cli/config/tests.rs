use super::*;
use crate::cli::help;

/// The command line `unmoved TYPED --config FILE`, with what the file adds; what follows after the name of the command.
fn extended(text: &str, typed: &str) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("c.toml");
    std::fs::write(&path, text).expect("writable");
    let path = path.to_str().expect("UTF-8");
    let typed = ["unmoved"].into_iter().chain(typed.split_whitespace()).map(|w| if w == "FILE" { path } else { w });
    let list = extend(&help::command(), typed.map(OsString::from).collect()).map_err(|e| e.to_string())?.list;
    let word = |w: OsString| w.into_string().expect("UTF-8").replace(path, "FILE");
    Ok(list.into_iter().skip(1).map(word).collect())
}

#[track_caller]
fn check(text: &str, typed: &str, expected: &str) {
    let list = extended(text, typed).map(|list| list.join(" "));
    assert_eq!(list.as_deref(), Ok(expected), "{text}");
}

#[test]
fn options_stand_behind_the_command_as_if_they_were_typed() {
    let file = "format = 'json'\n[robust]\neps = '8/255'\ntrust-solver = true\n[verify]\ntime_limit = 5";
    check(file, "--config FILE robust m.onnx", "--config FILE robust --eps=8/255 --trust-solver --format=json m.onnx");
    check(file, "verify --config FILE p.vnnlib", "verify --time-limit=5 --format=json --config FILE p.vnnlib");
    check(file, "inspect m.onnx --config FILE", "inspect --format=json m.onnx --config FILE");
    // Even where the command line ends its options or breaks off.
    check("[robust]\neps = 1", "robust --config FILE -- m.onnx", "robust --eps=1 --config FILE -- m.onnx");
    check("[robust]\neps = 1", "robust --config FILE m.onnx --norm", "robust --eps=1 --config FILE m.onnx --norm");
    // A file of its own name is no command.
    check("[robust]\neps = 1", "--config FILE robust robust", "--config FILE robust --eps=1 robust");
}

#[test]
fn numbers_keep_their_digits() {
    for number in ["0.05", "0.30", "5e-2", "1E+3", "0.1000000000000000000000000001", "7", "-0.0"] {
        check(
            &format!("[robust]\neps = {number}"),
            "robust m --config FILE",
            &format!("robust --eps={number} m --config FILE"),
        );
    }
    check("[attack]\nsteps = 1_000", "attack m --config FILE", "attack --steps=1000 m --config FILE");
}

#[test]
fn arrays_and_aliases() {
    let text = "[robust]\nmean = [0.5, '1/3']\nstd = '1,1'\ntarget = [3]\ntimeout = 9\ntrust_solver = false";
    let mut list = extended(text, "robust m --config FILE").expect("a fine file");
    list.sort();
    let set: Vec<&str> = list.iter().filter(|w| w.contains('=')).map(String::as_str).collect();
    assert_eq!(set, ["--mean=0.5", "--mean=1/3", "--std=1,1", "--targets=3", "--time-limit=9"]);
    assert!(!list.iter().any(|w| w.contains("trust")));
}

#[test]
fn what_is_typed_goes_before_the_file() {
    let file = "verbose = true\nformat = 'json'\n[robust]\nformat = 'jsonl'\neps = 1\ndataset = 'mnist'\ndata = 'd'\nindex = 3";
    let typed = "robust m --config FILE --eps 2 --format text";
    check(file, typed, &typed.replace("robust", "robust --data=d --dataset=mnist --index=3 --verbose"));
    // What does not go together with it stays out.
    check(file, "robust m --config FILE --image i -q", "robust --eps=1 --format=jsonl m --config FILE --image i -q");
    check("verbose = true\nquiet = false", "-q inspect m --config FILE", "-q inspect m --config FILE");
    // A table goes before the head.
    check("verbose = true\n[inspect]\nverbose = false", "inspect m --config FILE", "inspect m --config FILE");
    check("verbose = true\n[inspect]\nquiet = true", "inspect m --config FILE", "inspect --quiet m --config FILE");
}

#[test]
fn the_command_line_can_be_typed_again_without_the_file() {
    let list =
        ["./unmoved", "robust", "--eps=8/255", "my model.onnx", "--config", "c.toml", "it's", ""].map(OsString::from);
    let arguments = Arguments { list: list.to_vec(), origins: Vec::new() };
    assert_eq!(arguments.command_line(), r"unmoved robust --eps=8/255 'my model.onnx' 'it'\''s' ''");
}

#[test]
fn without_a_file_nothing_changes() {
    for typed in [
        "",
        "--help",
        "robust",
        "robust --help",
        "--config",
        "--config no.toml",
        "robust --config",
        "rbust --config no",
    ] {
        let list: Vec<OsString> = ["unmoved"].into_iter().chain(typed.split_whitespace()).map(Into::into).collect();
        assert_eq!(extend(&help::command(), list.clone()).map(|a| a.list).map_err(|e| e.to_string()), Ok(list));
    }
    assert!(extended("", "robust --config no.toml").is_err_and(|e| e.contains("U0003")));
}

#[test]
fn hostile_files_are_errors() {
    let long = |part: &str, n: usize| part.repeat(n);
    let files = [
        long("[", 100_000),
        format!("a = {}", long("[", 100_000)),
        format!("a = {}", long("{a=", 50_000)),
        format!("[{}a]", long("a.", 50_000)),
        format!("{}a = 1", long("a.", 50_000)),
        format!("[robust]\n{}a = 1", long("eps.", 50_000)),
        format!("[robust]\neps = {}", long("9", 200_000)),
        format!("[robust]\ntargets = [{}]\nx = 1", long("[],", 50_000)),
        (0..20_000).map(|i| format!("[a{i}]\n")).collect(),
        long("x", (MAX_BYTES + 1) as usize),
        "[robust]\neps = 1\neps = 2".into(),
        "[robust]\neps = 1\n[robust]\n".into(),
        "[[robust]]\neps = 1".into(),
        "robust = 1".into(),
        "\u{feff}[robust]\neps = \u{1F600}".into(),
    ];
    for text in files {
        let start = std::time::Instant::now();
        match extended(&text, "robust m --config FILE") {
            // An eps of many digits is one.
            Ok(list) => assert!(list[1].starts_with("--eps=999")),
            Err(error) => assert!(error.len() < 1000 && error.contains("U000"), "{error}"),
        }
        assert!(start.elapsed().as_secs() < 5, "{}", &text[..40]);
    }
    // Whatever a file breaks off at, and whatever byte is another one.
    let fine =
        "quiet = true # ä\n[robust]\neps = 0.05\nmean = [0.5, \"1\"]\nstd='''1'''\n[supports]\nonnx_operators = true\n";
    for at in 0..fine.len() {
        let mut bytes = fine.as_bytes().to_vec();
        for byte in [0, b'"', b'=', b'\n', b'[', 0xff] {
            bytes[at] = byte;
            let _ = extended(&String::from_utf8_lossy(&bytes), "robust m --config FILE");
        }
        let _ = extended(&String::from_utf8_lossy(&fine.as_bytes()[..at]), "robust m --config FILE");
    }
}
