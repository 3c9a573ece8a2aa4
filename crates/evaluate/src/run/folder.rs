//! A run folder that this process works on, and reading one.
//!
//! Records are appended to `results.jsonl` in groups and are on disk before anyone is told of them; the files that a record names
//! are written and closed before it, under names that no earlier record has. So whatever ends the process, the folder is as if
//! the last group had not been begun: a torn line is cut off when it is opened again.

use super::line::{MAX_LINE, scan, to_line};
use super::{Answers, Asked, Kept, Record, RunError};
use sha2::Digest as _;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use unmoved_ir::Digest;

/// `results.jsonl` and what stands beside it.
const RESULTS: &str = "results.jsonl";
const ASKED: &str = "run.json";
const CERTIFICATES: &str = "certificates";
const COUNTEREXAMPLES: &str = "counterexamples";

/// Far beyond any `run.json`.
const MAX_ASKED: u64 = 1 << 20;
/// Far beyond any picture of ours.
const MAX_PICTURE: u64 = 16 << 20;
/// How many lines are named one by one.
const MOST_NAMED: usize = 5;

/// A run as it was found.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was asked.
    pub asked: Asked,
    /// What is known.
    pub answers: Answers,
    /// What was found amiss, in words.
    pub notes: Vec<String>,
}

/// Reads a run folder, whether or not a process works on it. Of damaged, torn and foreign records nothing is taken in; neither of those
/// whose certificate or counterexample is missing or has another length.
///
/// # Errors
/// If `run.json` or `results.jsonl` cannot be read, or two records cannot both be true.
pub fn read(folder: &Path) -> Result<Run, RunError> {
    let asked = read_asked(folder)?.ok_or_else(|| {
        let path = folder.join(ASKED);
        RunError::Read { path, source: ErrorKind::NotFound.into() }
    })?;
    expect_folders(folder)?;
    let path = folder.join(RESULTS);
    let file = open_plain(&path).map_err(RunError::read(&path))?;
    let (answers, notes, _) = read_results(folder, &asked, &file)?;
    Ok(Run { asked, answers, notes })
}

/// Opens a file of a folder that others may have made. What is a link might lead out of it, what is a pipe might never end.
fn open_plain(path: &Path) -> io::Result<File> {
    if !std::fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "no plain file"));
    }
    File::open(path)
}

/// Writes a file in the place of what has its name: what is a link is replaced, not followed.
pub fn write_plain(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create_plain(path)?.write_all(bytes)
}

fn create_plain(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => OpenOptions::new().write(true).create_new(true).open(path),
    }
}

/// The folders of a run must not lead out of it, either; they may be missing.
fn expect_folders(path: &Path) -> Result<(), RunError> {
    for folder in [CERTIFICATES, COUNTEREXAMPLES].map(|name| path.join(name)) {
        if std::fs::symlink_metadata(&folder).is_ok_and(|found| !found.is_dir()) {
            return Err(RunError::read(&folder)(io::Error::new(ErrorKind::NotADirectory, "no plain folder")));
        }
    }
    Ok(())
}

/// The file of a certificate or counterexample in a run folder.
pub fn kept_path(folder: &Path, kept: &Kept, kind: KeptKind) -> PathBuf {
    folder.join(kind.folder()).join(&kept.file)
}

/// What a kept file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptKind {
    /// A proof, as the checker reads it.
    Certificate,
    /// A float32 input, as `.npy`.
    Counterexample,
}

impl KeptKind {
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Certificate => CERTIFICATES,
            Self::Counterexample => COUNTEREXAMPLES,
        }
    }
}

/// The name of the picture beside a counterexample.
pub(crate) fn picture_name(input: &str) -> String {
    format!("{}.png", input.trim_end_matches(".npy"))
}

/// A run folder that is locked by this process.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    results: File,
    /// The length of the whole lines.
    length: u64,
}

impl Folder {
    /// Opens the folder, or makes it; cuts off a torn last line. The radii become those of the folder and of `asked`.
    ///
    /// # Errors
    /// If another process works on it, if it was asked something else, if it cannot be read or written.
    pub(crate) fn open(path: &Path, asked: Asked) -> Result<(Self, Run), RunError> {
        if let Some(problem) = asked.problem() {
            return Err(RunError::Asked { path: path.into(), problem });
        }
        expect_folders(path)?;
        for folder in [path.to_owned(), path.join(CERTIFICATES), path.join(COUNTEREXAMPLES)] {
            std::fs::create_dir_all(&folder).map_err(RunError::write(&folder))?;
        }
        let file = path.join(RESULTS);
        if std::fs::symlink_metadata(&file).is_ok_and(|found| !found.is_file()) {
            return Err(RunError::write(&file)(io::Error::new(ErrorKind::InvalidInput, "no plain file")));
        }
        let mut options = OpenOptions::new();
        let results = options.read(true).write(true).create(true).truncate(false).open(&file);
        let results = results.map_err(RunError::write(&file))?;
        results.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RunError::Locked { path: path.into() },
            TryLockError::Error(source) => RunError::Write { path: file.clone(), source },
        })?;
        let earlier = read_asked(path)?;
        let asked = match &earlier {
            Some(earlier) => {
                let differences = earlier.differences(&asked);
                if !differences.is_empty() {
                    return Err(RunError::Differs { path: path.into(), differences });
                }
                asked.after(earlier)
            }
            None => asked,
        };
        if let Some(problem) = asked.problem() {
            return Err(RunError::Asked { path: path.into(), problem });
        }
        if earlier.as_ref() != Some(&asked) {
            write_asked(path, &asked)?;
        }
        let (answers, notes, extent) = read_results(path, &asked, &results)?;
        let mut folder = Self { path: path.into(), results, length: extent.whole };
        folder.mend(extent.torn)?;
        Ok((folder, Run { asked, answers, notes }))
    }

    /// Cuts off what follows the last whole line. What is too long to be the beginning of a record was not written here: it becomes
    /// a line of its own, that nobody reads.
    fn mend(&mut self, torn: u64) -> Result<(), RunError> {
        let path = self.path.join(RESULTS);
        if torn >= MAX_LINE as u64 {
            self.results.seek(SeekFrom::End(0)).map_err(RunError::write(&path))?;
            self.results.write_all(b"\n").map_err(RunError::write(&path))?;
            self.length += torn + 1;
        } else if torn > 0 {
            self.results.set_len(self.length).map_err(RunError::write(&path))?;
        }
        self.results.seek(SeekFrom::Start(self.length)).map_err(RunError::write(&path))?;
        Ok(())
    }

    /// Appends records; when this returns, they are on disk. After an error none of them is there, as far as the disk allows.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), RunError> {
        let path = self.path.join(RESULTS);
        let lines: Result<String, _> = records.iter().map(to_line).collect();
        let lines = lines.map_err(|e| RunError::write(&path)(e.into()))?;
        let written = self.results.write_all(lines.as_bytes()).and_then(|()| self.results.sync_data());
        if let Err(error) = written {
            let _ = self.mend(1);
            return Err(RunError::write(&path)(error));
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Where files are kept.
    pub(crate) fn keeper(&self) -> Keeper {
        Keeper { path: self.path.clone() }
    }
}

/// Says so at once: a child that this process has begun just then still holds the file open.
impl Drop for Folder {
    fn drop(&mut self) {
        let _ = self.results.unlock();
    }
}

/// Writes the files that records name.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    path: PathBuf,
}

impl Keeper {
    /// Writes a file of the folder. It is not yet on disk: one that a power cut swallows has another length when the folder is opened,
    /// and its question is answered again.
    pub(crate) fn keep(&self, kind: KeptKind, file: String, bytes: &[u8]) -> Result<Kept, RunError> {
        let path = self.path.join(kind.folder()).join(&file);
        write_plain(&path, bytes).map_err(RunError::write(&path))?;
        Ok(Kept { file, bytes: bytes.len() as u64, sha256: Digest(sha2::Sha256::digest(bytes).into()).to_string() })
    }
}

impl Keeper {
    /// Copies a file that another folder kept; `None`, and no file, if it is not what is said.
    pub(crate) fn copy(
        &self,
        kind: KeptKind,
        from: &Path,
        file: String,
        kept: &Kept,
    ) -> Result<Option<Kept>, RunError> {
        let path = self.path.join(kind.folder()).join(&file);
        let mut source = open_plain(from).map_err(RunError::read(from))?.take(kept.bytes);
        let mut target = create_plain(&path).map_err(RunError::write(&path))?;
        let (mut hash, mut buffer, mut bytes) = (sha2::Sha256::new(), [0; 1 << 14], 0);
        loop {
            let read = source.read(&mut buffer).map_err(RunError::read(from))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            target.write_all(&buffer[..read]).map_err(RunError::write(&path))?;
            bytes += read as u64;
        }
        let sha256 = Digest(hash.finalize().into()).to_string();
        if (bytes, &sha256) != (kept.bytes, &kept.sha256) {
            std::fs::remove_file(&path).map_err(RunError::write(&path))?;
            return Ok(None);
        }
        Ok(Some(Kept { file, bytes, sha256 }))
    }

    /// Copies the picture beside a counterexample of another folder, if it has one. Nothing rests on it.
    pub(crate) fn copy_picture(&self, from: &Path, file: &str) -> Result<(), RunError> {
        let Ok(source) = open_plain(from) else { return Ok(()) };
        let path = self.path.join(COUNTEREXAMPLES).join(file);
        let target = create_plain(&path).map_err(RunError::write(&path))?;
        io::copy(&mut source.take(MAX_PICTURE), &mut &target).map_err(RunError::write(&path))?;
        Ok(())
    }

    /// Writes an input as `.npy`.
    pub(crate) fn keep_input(&self, file: String, values: &[f32], shape: &[usize]) -> Result<Kept, RunError> {
        let path = self.path.join(COUNTEREXAMPLES).join(&file);
        let mut bytes = Vec::new();
        crate::npy::write(&mut bytes, values, shape).map_err(RunError::write(&path))?;
        self.keep(KeptKind::Counterexample, file, &bytes)
    }
}

fn read_asked(folder: &Path) -> Result<Option<Asked>, RunError> {
    let path = folder.join(ASKED);
    let file = match open_plain(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RunError::read(&path)(error)),
    };
    let mut text = String::new();
    let read = file.take(MAX_ASKED + 1).read_to_string(&mut text);
    // A terminal obeys what is no letter.
    let shown = |problem: String| problem.replace(char::is_control, "\u{fffd}");
    let wrong = |problem: String| Err(RunError::Asked { path: path.clone(), problem: shown(problem) });
    match read {
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return wrong("not what a run was asked: no text".into());
        }
        Err(error) => return Err(RunError::read(&path)(error)),
        Ok(length) if length as u64 > MAX_ASKED => return wrong("not what a run was asked: too long".into()),
        Ok(_) => {}
    }
    match serde_json::from_str::<Asked>(&text) {
        Ok(asked) => match asked.problem() {
            Some(problem) => wrong(problem),
            None => Ok(Some(asked)),
        },
        Err(error) => wrong(format!("not what a run was asked: {error}")),
    }
}

/// Writes `run.json` so that at any moment there is the old one or the new one.
fn write_asked(folder: &Path, asked: &Asked) -> Result<(), RunError> {
    let (path, temporary) = (folder.join(ASKED), folder.join("run.json.new"));
    let mut text = serde_json::to_vec_pretty(asked).map_err(|e| RunError::write(&path)(e.into()))?;
    text.push(b'\n');
    let write = || {
        let mut file = create_plain(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        // The name is in the folder only when that is on disk, too; not every system lets a folder be opened.
        File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
    };
    write().map_err(RunError::write(&path))
}

fn read_results(
    folder: &Path,
    asked: &Asked,
    file: &File,
) -> Result<(Answers, Vec<String>, super::line::Extent), RunError> {
    let (mut answers, mut failed) = (Answers::default(), None);
    let [mut damaged, mut foreign, mut bare] = [const { Lines { count: 0, first: Vec::new() } }; 3];
    let extent = scan(BufReader::with_capacity(1 << 16, file), |number, record| {
        let Some(record) = record else { return damaged.push(number) };
        let is_void = !is_kept(folder, &record);
        match answers.insert(asked, record, is_void) {
            Ok(true) if is_void => bare.push(number),
            Ok(true) => {}
            Ok(false) => foreign.push(number),
            Err(error) => drop(failed.get_or_insert(error)),
        }
    });
    let extent = extent.map_err(RunError::read(&folder.join(RESULTS)))?;
    if let Some(error) = failed {
        return Err(error);
    }
    let mut notes: Vec<String> = [
        (damaged, "damaged and not counted"),
        (foreign, "about other questions and not counted"),
        (bare, "without the file that stands behind it and not counted"),
    ]
    .into_iter()
    .filter(|(lines, _)| lines.count > 0)
    .map(|(lines, what)| format!("{RESULTS}: {} {what}: line {}", counted(lines.count), lines.named()))
    .collect();
    if extent.torn > 0 {
        notes.push(format!("{RESULTS}: the last line was not written to its end and is not counted"));
    }
    Ok((answers, notes, extent))
}

fn counted(count: usize) -> String {
    if count == 1 { "1 record is".into() } else { format!("{count} records are") }
}

/// Lines of which the first are named; a hostile file may have any number.
struct Lines {
    count: usize,
    first: Vec<usize>,
}

impl Lines {
    fn push(&mut self, number: usize) {
        self.count += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(number);
        }
    }

    fn named(&self) -> String {
        let shown: Vec<String> = self.first.iter().map(ToString::to_string).collect();
        let rest = if self.count > self.first.len() { ", ..." } else { "" };
        format!("{}{rest}", shown.join(", "))
    }
}

/// Whether the files that a record names are there, with the length that it says.
fn is_kept(folder: &Path, record: &Record) -> bool {
    let there = |kept: &Option<Kept>, kind| {
        kept.as_ref().is_none_or(|kept| {
            let found = std::fs::symlink_metadata(kept_path(folder, kept, kind));
            found.is_ok_and(|found| found.is_file() && found.len() == kept.bytes)
        })
    };
    there(&record.certificate, KeptKind::Certificate) && there(&record.counterexample, KeptKind::Counterexample)
}
