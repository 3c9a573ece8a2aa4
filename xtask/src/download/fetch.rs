//! One file from the first mirror that delivers it: resumed where it broke off, never trusted before its digest is right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::{Response, header};

use super::table::Remote;

/// Why a file did not arrive from one place.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the server answered {0}")]
    Status(u16),
    #[error("{0}")]
    Transport(#[from] ureq::Error),
    #[error("broken off after {have} of {size} bytes ({cause})")]
    BrokenOff { have: u64, size: u64, cause: String },
    #[error("it is longer than the {size} bytes that were published")]
    TooLong { size: u64 },
    #[error("it has {have} bytes, {size} were published")]
    WrongSize { have: u64, size: u64 },
    #[error("the server answered a request for the rest of the file with {0:?}")]
    WrongRange(String),
    #[error("its SHA-256 is {found}, published is {published}")]
    WrongDigest { found: String, published: &'static str },
    #[error("cannot read or write {path}: {source}", path = .path.display())]
    File { path: PathBuf, source: io::Error },
}

/// No mirror delivered a file.
#[derive(Debug, thiserror::Error)]
#[error("cannot get {name}:{attempts}\n  help: fetch it by other means and pass its folder with --from", attempts = list(.faults))]
pub(super) struct Failed {
    name: &'static str,
    /// Every attempt: where, and what went wrong.
    pub(super) faults: Vec<(String, Fault)>,
}

fn list(faults: &[(String, Fault)]) -> String {
    faults.iter().map(|(place, fault)| format!("\n  {place}: {fault}")).collect()
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a connection.
    pub(super) connect: Duration,
    /// For the headers of the answer, and for each piece of the body.
    pub(super) read: Duration,
    /// Between two attempts at the same mirror.
    pub(super) pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), read: Duration::from_secs(30), pause: Duration::from_secs(2) }
    }
}

/// Attempts in a row at one mirror that bring no new byte.
const FRUITLESS_ATTEMPTS: usize = 2;

/// An HTTP client that gives up on servers that hang.
pub(super) struct Client {
    agent: Agent,
    patience: Patience,
}

impl Client {
    /// A client with this much patience.
    pub(super) fn new(patience: Patience) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.read))
            .timeout_per_read(Some(patience.read))
            .build();
        Self { agent: config.into(), patience }
    }

    /// Puts `file` into the folder `to`, from the first of `mirrors` that has it. What an attempt brought stays in
    /// `NAME.part`, also for the next run.
    pub(super) fn fetch(&self, file: &Remote, mirrors: &[&str], to: &Path, bar: &ProgressBar) -> Result<(), Failed> {
        let target = to.join(file.name);
        if check(&target, file).is_ok() {
            return Ok(());
        }
        let part = to.join(format!("{}.part", file.name));
        let mut faults = Vec::new();
        for mirror in mirrors {
            let address = format!("{mirror}{}", file.name);
            let mut fruitless = 0;
            while fruitless < FRUITLESS_ATTEMPTS {
                let before = length(&part);
                let outcome = self.attempt(file, &address, &part, bar).and_then(|()| finish(file, &part, &target));
                let Err(fault) = outcome else { return Ok(()) };
                // A second attempt helps when the connection broke, or when a bad beginning of another server spoilt it.
                let again = match fault {
                    Fault::BrokenOff { .. } | Fault::Transport(_) => true,
                    Fault::WrongDigest { .. } | Fault::WrongRange(_) => before > 0,
                    _ => false,
                };
                fruitless = if length(&part) > before { 0 } else { fruitless + 1 };
                faults.push((address.clone(), fault));
                if !again {
                    break;
                }
                std::thread::sleep(self.patience.pause);
            }
        }
        Err(Failed { name: file.name, faults })
    }

    /// Brings `part` to the full size.
    fn attempt(&self, file: &Remote, address: &str, part: &Path, bar: &ProgressBar) -> Result<(), Fault> {
        let mut have = length(part);
        if have > file.size {
            // Left by something else; resuming it makes no sense.
            remove(part)?;
            have = 0;
        }
        if have == file.size {
            return Ok(());
        }
        let mut request = self.agent.get(address);
        if have > 0 {
            request = request.header(header::RANGE, format!("bytes={have}-"));
        }
        let response = request.call()?;
        match response.status().as_u16() {
            206 if have > 0 => check_range(&response, have, file.size).inspect_err(|_| discard(part))?,
            // The server does not know ranges: from the start, then.
            200 => have = 0,
            status => return Err(Fault::Status(status)),
        }
        let announced =
            response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > file.size - have) {
            discard(part);
            return Err(Fault::TooLong { size: file.size });
        }
        let cannot_write = |source| Fault::File { path: part.to_owned(), source };
        let mut output = OpenOptions::new().create(true).write(true).truncate(have == 0).append(have > 0).open(part);
        let output = output.as_mut().map_err(|error| cannot_write(io::Error::new(error.kind(), error.to_string())))?;
        bar.set_position(have);
        let mut input = response.into_body().into_reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let count = match input.read(&mut buffer) {
                Ok(0) if have < file.size => {
                    return Err(Fault::BrokenOff { have, size: file.size, cause: "the server closed it".into() });
                }
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) => return Err(Fault::BrokenOff { have, size: file.size, cause: error.to_string() }),
            };
            if count as u64 > file.size - have {
                discard(part);
                return Err(Fault::TooLong { size: file.size });
            }
            output.write_all(&buffer[..count]).map_err(cannot_write)?;
            have += count as u64;
            bar.set_position(have);
        }
    }
}

/// Puts `file` into the folder `to` from another folder, after the same checks.
pub(super) fn copy(file: &Remote, from: &Path, to: &Path, bar: &ProgressBar) -> Result<(), Failed> {
    let (source, part) = (from.join(file.name), to.join(format!("{}.part", file.name)));
    let copied = (check(&source, file))
        .and_then(|()| fs::copy(&source, &part).map_err(|source| Fault::File { path: part.clone(), source }))
        .and_then(|_| finish(file, &part, &to.join(file.name)));
    bar.set_position(file.size);
    copied.map_err(|fault| Failed { name: file.name, faults: vec![(from.display().to_string(), fault)] })
}

/// Checks `part` and gives it its name; a file that is wrong is removed.
fn finish(file: &Remote, part: &Path, target: &Path) -> Result<(), Fault> {
    check(part, file).inspect_err(|_| discard(part))?;
    fs::rename(part, target).map_err(|source| Fault::File { path: target.to_owned(), source })
}

/// Whether the file at `path` has the published size and digest.
fn check(path: &Path, file: &Remote) -> Result<(), Fault> {
    let cannot_read = |source| Fault::File { path: path.to_owned(), source };
    let mut input = File::open(path).map_err(cannot_read)?;
    let have = input.metadata().map_err(cannot_read)?.len();
    if have != file.size {
        return Err(Fault::WrongSize { have, size: file.size });
    }
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = input.read(&mut buffer).map_err(cannot_read)?;
        if count == 0 {
            break;
        }
        digest.update(&buffer[..count]);
    }
    let found: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == file.sha256 { Ok(()) } else { Err(Fault::WrongDigest { found, published: file.sha256 }) }
}

/// Whether a partial answer is the rest that was asked for: `bytes HAVE-(SIZE-1)/SIZE`.
fn check_range<B>(response: &Response<B>, have: u64, size: u64) -> Result<(), Fault> {
    let range = response.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let last = size - 1;
    let expected = [format!("bytes {have}-{last}/{size}"), format!("bytes {have}-{last}/*")];
    if expected.iter().any(|expected| expected == range) { Ok(()) } else { Err(Fault::WrongRange(range.to_owned())) }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn remove(path: &Path) -> Result<(), Fault> {
    fs::remove_file(path).map_err(|source| Fault::File { path: path.to_owned(), source })
}

/// Removes a file that is worth nothing; should that fail, the next attempt finds it wrong again.
fn discard(path: &Path) {
    let _ = fs::remove_file(path);
}
