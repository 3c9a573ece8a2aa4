//! The whole test suite, with all features and with what they need fetched first.
//!
//! HiGHS is built from source and needs cmake and libclang: those of the system if there are any, else from apt when
//! run as root, else from Python wheels in `target/tools`. The independent runtimes that some tests compare with (HiGHS,
//! onnxruntime) are Python packages in a virtual environment in `target/tools/python`. Reports are looked at in Chromium, which
//! comes from apt; where that has none, as Ubuntu's, the tests named `..._in_chromium` are left out.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::root;

/// The Python packages that tests compare with, pinned so that a run next year tests the same thing.
const PYTHON_PACKAGES: &[&str] =
    &["numpy==2.4.6", "highspy==1.15.1", "onnx==1.23.2", "onnxruntime==1.32.0", "vnnlib==1.0.2"];

/// `cargo xtask test`
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A folder with data/mnist, data/cifar10, nets and bench; runs the tests that need them as well
    #[arg(long, env = "UNMOVED_DATA")]
    data: Option<PathBuf>,
    /// Run only tests whose names contain this
    filter: Option<String>,
}

/// Installs what is missing and runs everything.
pub(crate) fn run(args: &Args) -> Result<()> {
    let tools = Tools::prepare()?;
    match &args.data {
        Some(data) => {
            let data = data.canonicalize().with_context(|| format!("{}", data.display()))?;
            tools.cargo_test(&args.filter, &["--include-ignored"], Some(&data))?;
        }
        None => {
            tools.cargo_test(&args.filter, &[], None)?;
            println!("tests that need data sets are left out; --data DIR or UNMOVED_DATA runs them");
            // Those that need nothing but the interpreter have it in their names.
            tools.cargo_test(&Some("in_python".into()), &["--ignored"], None)?;
            if tools.chromium.is_some() {
                tools.cargo_test(&Some("in_chromium".into()), &["--ignored"], None)?;
            }
        }
    }
    let train = ["test", "--release", "--manifest-path", "xtask/train/Cargo.toml"];
    let status = tools.command(crate::cargo()).args(train).status()?;
    ensure!(status.success(), "the tests of xtask/train failed");
    Ok(())
}

/// The environment in which the tests run.
struct Tools {
    python: PathBuf,
    path: OsString,
    libclang: Option<PathBuf>,
    chromium: Option<PathBuf>,
}

impl Tools {
    fn prepare() -> Result<Self> {
        let folder = root().join("target/tools");
        let python = virtual_environment(&folder.join("python"))?;
        pip(&python, PYTHON_PACKAGES)?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let chromium = chromium(&path);
        let mut tools = Self { python, path, libclang: None, chromium };
        if !(runs("cmake", "--version") && system_libclang()) {
            if runs("apt-get", "--version") && is_root() {
                apt(&["cmake", "libclang1-14"]).or_else(|_| apt(&["cmake", "libclang1"]))?;
            }
            if !(runs("cmake", "--version") && system_libclang()) {
                tools.use_wheels()?;
            }
        }
        Ok(tools)
    }

    /// cmake and libclang as Python packages carry them.
    fn use_wheels(&mut self) -> Result<()> {
        pip(&self.python, &["cmake==3.31.6", "libclang==18.1.1"])?;
        let bin = self.python.parent().context("an interpreter stands in a folder")?.to_owned();
        let paths = std::iter::once(bin).chain(std::env::split_paths(&self.path));
        self.path = std::env::join_paths(paths)?;
        let code = "import clang, os; print(os.path.join(list(clang.__path__)[0], 'native'))";
        let output = Command::new(&self.python).args(["-c", code]).output()?;
        ensure!(output.status.success(), "the libclang package does not say where its library is");
        self.libclang = Some(String::from_utf8(output.stdout)?.trim().into());
        Ok(())
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(root()).env("PATH", &self.path).env("UNMOVED_PYTHON", &self.python);
        let found = [("LIBCLANG_PATH", &self.libclang), ("UNMOVED_CHROMIUM", &self.chromium)];
        command.envs(found.into_iter().filter_map(|(name, path)| Some((name, path.as_ref()?))));
        command
    }

    fn cargo_test(&self, filter: &Option<String>, harness: &[&str], data: Option<&Path>) -> Result<()> {
        let mut command = self.command(crate::cargo());
        command.args(["test", "--workspace", "--all-features", "--no-fail-fast"]);
        command.arg("--").args(filter).args(harness);
        if self.chromium.is_none() {
            println!("there is no Chromium; tests that need one are left out");
            command.args(["--skip", "in_chromium"]);
        }
        match data {
            Some(data) => command.env("UNMOVED_DATA", data),
            None => command.env_remove("UNMOVED_DATA"),
        };
        ensure!(command.status()?.success(), "tests failed");
        Ok(())
    }
}

fn virtual_environment(folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if !python.exists() {
        if !runs("python3", "--version") && is_root() {
            apt(&["python3", "python3-venv"])?;
        }
        let made = || Command::new("python3").args(["-m", "venv"]).arg(folder).status().is_ok_and(|s| s.success());
        // Debian's python3 comes without the module that makes environments.
        let done = made() || (is_root() && apt(&["python3-venv"]).is_ok() && made());
        ensure!(done, "cannot make a Python environment; install python3 with its venv module");
    }
    Ok(python)
}

fn pip(python: &Path, packages: &[&str]) -> Result<()> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    ensure!(command.status()?.success(), "pip could not install {}", packages.join(" "));
    Ok(())
}

fn apt(packages: &[&str]) -> Result<()> {
    let run = |args: &[&str]| {
        let status = Command::new("apt-get").args(args).env("DEBIAN_FRONTEND", "noninteractive").status();
        status.is_ok_and(|s| s.success())
    };
    run(&["-qq", "update"]);
    let install = [&["-qq", "-y", "install", "--no-install-recommends"], packages].concat();
    ensure!(run(&install), "apt-get could not install {}", packages.join(" "));
    Ok(())
}

/// Chromium as the environment names it, as it is installed, or as apt installs it.
fn chromium(path: &OsStr) -> Option<PathBuf> {
    let find = || find_chromium(std::env::var_os("UNMOVED_CHROMIUM").map(PathBuf::from), path);
    find().or_else(|| {
        let installed = is_root() && runs("apt-get", "--version") && apt(&["chromium"]).is_ok();
        installed.then(find).flatten()
    })
}

/// The first Chromium that runs. Where it is a snap, a script of its name may stand there that only says so.
fn find_chromium(named: Option<PathBuf>, path: &OsStr) -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let known = names.iter().flat_map(|name| std::env::split_paths(path).map(move |folder| folder.join(name)));
    named.into_iter().chain(known).find(|program| runs(program, "--version"))
}

fn runs(program: impl AsRef<OsStr>, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|o| o.status.success())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

/// Whether the dynamic linker, a folder of LLVM's or the environment knows a libclang.
fn system_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let listed = Command::new("ldconfig").arg("-p").output();
    if listed.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("libclang")) {
        return true;
    }
    let llvm = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    llvm.map(|e| e.path()).filter(|p| p.to_string_lossy().contains("llvm-")).any(|p| {
        std::fs::read_dir(p.join("lib"))
            .into_iter()
            .flatten()
            .flatten()
            .any(|e| e.file_name().to_string_lossy().starts_with("libclang"))
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_chromium_that_only_says_where_to_get_one_is_none() {
        let _alone = crate::ONE_PROGRAM.lock().unwrap_or_else(|e| e.into_inner());
        let folder = tempfile::tempdir().unwrap();
        let find = |named: Option<PathBuf>| find_chromium(named, folder.path().as_os_str());
        assert_eq!(find(Some("no/such/program".into())), None);
        crate::script(&folder.path().join("chromium"), "echo 'snap install chromium' >&2; exit 1");
        assert_eq!(find(None), None);
        let fine = folder.path().join("google-chrome");
        crate::script(&fine, "echo Chromium 1");
        assert_eq!(find(None), Some(fine.clone()));
        let named = folder.path().join("named");
        crate::script(&named, "echo Chromium 1");
        assert_eq!(find(Some(named.clone())), Some(named));
    }
}
