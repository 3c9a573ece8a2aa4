//! A small HTTP server that misbehaves on request.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What the server does with one request. The last behaviour of a script is repeated.
#[derive(Clone, Debug)]
pub(super) enum Behaviour {
    /// Answers as it should, ranges too.
    Honest(Vec<u8>),
    /// The whole file, even if only the rest was asked for.
    IgnoresRange(Vec<u8>),
    /// Announces the whole and closes after so many bytes of it.
    Truncates(Vec<u8>, usize),
    /// Sends so many bytes and then nothing, with the connection open.
    Hangs(Vec<u8>, usize),
    /// An answer with this status and no body.
    Status(u16),
    /// Without a length; the end of the connection is the end of the body.
    NoLength(Vec<u8>),
    /// A rest that starts at the wrong place.
    WrongRange(Vec<u8>),
}

/// A server in a thread of its own.
pub(super) struct Server {
    /// Its address with a final slash, as mirrors are written.
    pub(super) mirror: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    /// Starts a server that behaves as `script` says, request by request.
    pub(super) fn start(script: Vec<Behaviour>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let mirror = format!("http://{}/", listener.local_addr().expect("an address"));
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&ranges);
        thread::spawn(move || {
            for (request, stream) in listener.incoming().enumerate() {
                let behaviour = script[request.min(script.len() - 1)].clone();
                let log = Arc::clone(&log);
                // A client that gave up makes writing fail; that is its business.
                thread::spawn(move || answer(stream.expect("a connection"), behaviour, &log));
            }
        });
        Self { mirror, ranges }
    }

    /// The start of the range that each request so far asked for.
    pub(super) fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().expect("no panic in the server").clone()
    }
}

fn answer(mut stream: TcpStream, behaviour: Behaviour, log: &Mutex<Vec<Option<usize>>>) -> std::io::Result<()> {
    let mut range = None;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        let line = line.to_ascii_lowercase();
        if let Some(start) = line.strip_prefix("range: bytes=").and_then(|rest| rest.strip_suffix('-')) {
            range = start.parse::<usize>().ok();
        }
    }
    log.lock().expect("no panic in the server").push(range);
    let ok = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let partial = |start: usize, total: usize| {
        let (last, length) = (total - 1, total - start);
        format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{last}/{total}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    };
    match behaviour {
        Behaviour::Honest(body) => {
            let start = range.unwrap_or(0);
            let head = if range.is_some() { partial(start, body.len()) } else { ok(body.len()) };
            stream.write_all(head.as_bytes())?;
            stream.write_all(&body[start..])
        }
        Behaviour::IgnoresRange(body) => {
            stream.write_all(ok(body.len()).as_bytes())?;
            stream.write_all(&body)
        }
        Behaviour::Truncates(body, sent) => {
            stream.write_all(ok(body.len()).as_bytes())?;
            stream.write_all(&body[..sent])
        }
        Behaviour::Hangs(body, sent) => {
            stream.write_all(ok(body.len()).as_bytes())?;
            stream.write_all(&body[..sent])?;
            thread::sleep(Duration::from_secs(30));
            Ok(())
        }
        Behaviour::Status(status) => {
            write!(stream, "HTTP/1.1 {status} Sorry\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        }
        Behaviour::NoLength(body) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            stream.write_all(&body)
        }
        Behaviour::WrongRange(body) => {
            let head = if range.is_some() { partial(1, body.len()) } else { ok(body.len()) };
            stream.write_all(head.as_bytes())?;
            stream.write_all(&body[1..])
        }
    }
}
