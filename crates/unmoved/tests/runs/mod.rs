//! A small network, random images, and the program that evaluates them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use unmoved::evaluate::run::Run;

/// Inputs, neurons of each of two layers, classes.
const SIZES: [usize; 4] = [6, 14, 14, 4];

/// A folder with `m.unm` and `data`, some of whose labels are wrong.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new(images: usize, seed: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut weight = || random.f32() * 2.0 - 1.0;
        let [i, h, g, o] = SIZES;
        let mut text = format!("net 1\ninput x f32 [{i}]\n");
        for (name, rows, columns) in [("a", h, i), ("b", g, h), ("c", o, g)] {
            let mut numbers = |n: usize| (0..n).fold(String::new(), |t, _| t + &format!(" {:?}", weight()));
            let _ = writeln!(text, "tensor {name}.w f32 [{rows} {columns}] ={}", numbers(rows * columns));
            let _ = writeln!(text, "tensor {name}.b f32 [{rows}] ={}", numbers(rows));
        }
        text += "layer h = dense x a.w a.b\nlayer r = relu h\nlayer g = dense r b.w b.b\nlayer s = relu g\n";
        text += "layer y = dense s c.w c.b\noutput y\nend\n";
        let model = folder.path().join("m.unm");
        std::fs::write(&model, text).expect("writable");
        let network = unmoved::read_model(&model, &unmoved::Choices::default()).expect("a network").network;
        let values: Vec<f32> = (0..images * i).map(|_| random.f32()).collect();
        let mut label = |x: &[f32]| {
            let y = network.forward(x).expect("it fits");
            let class = (0..o).fold(0, |best, k| if y[k] > y[best] { k } else { best });
            if random.u8(..) < 20 { (class + 1) % o } else { class }
        };
        let labels: Vec<u8> = values.chunks(i).map(|x| label(x) as u8).collect();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("writable");
        unmoved::evaluate::write_image(&data.join("images.npy"), &values, &[images, i]).expect("writable");
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({images},), }}");
        let header = format!("{header:<117}\n");
        let bytes = [b"\x93NUMPY\x01\x00\x76\x00", header.as_bytes(), &labels].concat();
        std::fs::write(data.join("labels.npy"), bytes).expect("writable");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments that evaluate the network in a run folder, and one radius or several.
    pub(crate) fn arguments<'a>(&self, run: &'a str, eps: &'a str) -> Vec<&'a str> {
        let question = ["evaluate", "m.unm", "--dataset", "arrays", "--data", "data", "--eps", eps];
        [&question[..], &["--run", run, "--threads", "2"]].concat()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unmoved"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.ended(self.command(arguments))
    }

    pub(crate) fn ended(&self, mut command: Command) -> Ended {
        let output = command.output().expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
    }

    pub(crate) fn read(&self, run: &str) -> Run {
        unmoved::evaluate::run::read(&self.path(run)).expect("a run folder")
    }

    /// Fails unless every certificate of a run is accepted and every counterexample is one.
    pub(crate) fn expect_checked(&self, run: &str) {
        let checked = self.run(&["check", "--run", run]);
        assert_eq!(checked.code, Some(0), "{}{}", checked.stdout, checked.stderr);
        assert!(checked.stdout.contains(" 0 refused"), "{}", checked.stdout);
    }
}

/// What a call left.
pub(crate) struct Ended {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// None if a signal ended it.
    pub(crate) code: Option<i32>,
}

/// What each question was answered, in order.
pub(crate) fn verdicts(run: &Run) -> Vec<(usize, Option<f64>, String)> {
    let words = |r: &unmoved::evaluate::run::Record| format!("{:?} {:?}", r.verdict, r.reason);
    run.answers.iter().map(|(_, r)| (r.index, r.eps, words(r))).collect()
}

/// The lines of `results.jsonl`.
pub(crate) fn results(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("results.jsonl")).expect("results");
    text.lines().map(Into::into).collect()
}
