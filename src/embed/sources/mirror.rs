//! A mirror of the hub for the tests: a few lines of HTTP/1.1 on a loopback port, which misbehaves as it is told.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// How one path is answered.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub status: u16,
    pub body: Vec<u8>,
    pub headers: Vec<(&'static str, String)>,
    /// The first answer breaks off after so many bytes of its body.
    pub first_cut_at: Option<usize>,
    /// Every answer is the whole file.
    pub ignores_range: bool,
}

impl Served {
    pub fn file(body: &[u8]) -> Self {
        Self { status: 200, body: body.to_vec(), headers: Vec::new(), first_cut_at: None, ignores_range: false }
    }

    pub fn status(status: u16) -> Self {
        Self { status, ..Self::file(b"no") }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A request as it came in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub path: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

/// Serves until it is dropped.
pub(super) struct Mirror {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mirror {
    pub fn serve(files: impl IntoIterator<Item = (String, Served)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let mut files: HashMap<String, Served> = files.into_iter().collect();
        let (log, stop) = (asked.clone(), stopping.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A client that hangs up in the middle is one of the cases, not a failure of the mirror.
                let _ = stream.and_then(|stream| answer(stream, &mut files, &log));
            }
        });
        Self { address, asked, stopping, thread: Some(thread) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream, files: &mut HashMap<String, Served>, log: &Mutex<Vec<Asked>>) -> std::io::Result<()> {
    let asked = read_request(&stream)?;
    log.lock().unwrap().push(asked.clone());
    let mut missing = Served::status(404);
    let served = files.get_mut(&asked.path).unwrap_or(&mut missing);
    let start = match asked.range.as_deref() {
        Some(range) if !served.ignores_range && served.status == 200 => {
            range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap()
        }
        _ => 0,
    };
    let total = served.body.len();
    let (status, body) = match start {
        0 => (served.status, &served.body[..]),
        _ if start >= total => (416, &b""[..]),
        _ => (206, &served.body[start..]),
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if status == 206 {
        head += &format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1);
    }
    for (name, value) in &served.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let sent = served.first_cut_at.take().map_or(body, |length| &body[..length]);
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(sent)
}

fn read_request(stream: &TcpStream) -> std::io::Result<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut asked = Asked { path, range: None, authorization: None };
    for line in lines {
        let line = line?;
        match line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())) {
            None => break,
            Some((name, value)) if name == "range" => asked.range = Some(value),
            Some((name, value)) if name == "authorization" => asked.authorization = Some(value),
            Some(_) => {}
        }
    }
    Ok(asked)
}
