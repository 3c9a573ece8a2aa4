//! The page about a run, as a browser shows it.

use std::path::Path;
use std::process::{Command, Output};
use unmoved::evaluate::run::{Record, read};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 1500;

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)), "{command:?}: {said}");
    output
}

/// Chromium, by the variable or by its name, with a profile that is thrown away.
fn chromium(profile: &Path, page: &Path, arguments: &[&str]) -> Output {
    let program = std::env::var_os("UNMOVED_CHROMIUM").unwrap_or_else(|| "chromium".into());
    let profile = format!("--user-data-dir={}", profile.display());
    let address = format!("file://{}", page.canonicalize().expect("the page is there").display());
    let always = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"];
    succeeds(Command::new(program).args(always).arg(profile).args(arguments).arg(address))
}

/// The texts of the cells of the table with this id, as the browser has it.
fn cells(dom: &str, id: &str) -> Vec<Vec<String>> {
    let (_, table) = dom.split_once(&format!("<table id=\"{id}\">")).expect("the table is there");
    let (_, body) = table.split_once("<tbody>").expect("it has a body");
    let (body, _) = body.split_once("</tbody>").expect("it ends");
    let text = |cell: &str| {
        // The first piece is the rest of the cell's own tag, the others begin with one.
        let pieces = cell.split('<').map(|piece| piece.split_once('>').map_or("", |(_, text)| text));
        pieces.collect::<String>().trim().to_owned()
    };
    let row = |row: &str| row.split("<td").skip(1).map(text).collect();
    body.split("<tr>").skip(1).map(row).collect()
}

/// What the row of a record says, but for rounded numbers.
fn words(record: &Record) -> [String; 8] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
    let verdict = format!("{:?}", record.verdict).to_lowercase();
    [
        record.index.to_string(),
        record.label.to_string(),
        record.predicted.to_string(),
        verdict,
        or_dash(record.reason.clone()),
        or_dash(record.target.map(|t| t.to_string())),
        record.decided_by.clone(),
        record.attempt.to_string(),
    ]
}

#[test]
#[ignore = "needs chromium"]
fn the_page_shows_what_the_records_say_in_chromium() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test-models");
    let unmoved = || Command::new(env!("CARGO_BIN_EXE_unmoved"));
    let data = ["--dataset", "pngs", "--data", "digits", "--eps", "0.05,0.12,0.25", "--time-limit", "5"];
    succeeds(unmoved().current_dir(&models).args(["evaluate", "mnist-conv.onnx"]).args(data).arg("--run").arg(&run));
    succeeds(unmoved().current_dir(&models).arg("report").arg(&run));
    let page = run.join("report.html");
    let names = |ending: &str| {
        let files = std::fs::read_dir(run.join("counterexamples")).expect("a folder").flatten().map(|e| e.path());
        let mut names: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == ending)).collect();
        names.iter_mut().for_each(|name| assert!(name.set_extension("")));
        names.sort();
        names
    };
    assert!(!names("npy").is_empty() && names("npy") == names("png"), "a picture beside each counterexample");

    let dom = chromium(&folder.path().join("profile"), &page, &["--dump-dom"]);
    let dom = String::from_utf8(dom.stdout).expect("UTF-8");
    let rows = cells(&dom, "records");
    let records = read(&run).expect("a readable run").answers;
    assert_eq!((rows.len(), records.iter().count()), (30, 30));
    for (row, (_, record)) in rows.iter().zip(records.iter()) {
        let shown: Vec<&String> = [2, 3, 4, 5, 6, 7, 12, 13].map(|k| &row[k]).to_vec();
        assert_eq!(shown, words(record).iter().collect::<Vec<_>>(), "{row:?}");
        let number = |k: usize| row[k].parse::<f64>().ok();
        let near = |k: usize, value: Option<f64>, digit: f64| match (number(k), value) {
            (Some(shown), Some(value)) => (shown - value).abs() <= digit,
            (None, None) => row[k] == "–",
            _ => false,
        };
        assert!(near(8, record.eps, 1e-9) && near(11, Some(record.time_s), 6e-4), "{row:?} {record:?}");
        assert!(near(9, Some(record.lower), 1e-4) && near(10, record.upper, 1e-4), "{row:?} {record:?}");
    }
    let sums: Vec<usize> =
        cells(&dom, "radii").iter().map(|row| row[2..6].iter().flat_map(|n| n.parse::<usize>()).sum()).collect();
    assert_eq!(sums, [10; 3]);

    let picture = folder.path().join("page.png");
    let screenshot = format!("--screenshot={}", picture.display());
    let size = format!("--window-size={WIDTH},{HEIGHT}");
    chromium(&folder.path().join("profile"), &page, &[&screenshot, &size]);
    let file = std::io::BufReader::new(std::fs::File::open(picture).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut bytes).expect("all of it");
    assert_eq!((info.width, info.height), (WIDTH, HEIGHT));
    let colours: std::collections::HashSet<&[u8]> = bytes.chunks_exact(info.color_type.samples()).collect();
    assert!(colours.len() > 100, "{} colours", colours.len());
}
