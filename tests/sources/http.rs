//! A small HTTP server on loopback: files, git's own `http-backend`, and every
//! way to misbehave.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How much of the body is sent before the connection is closed.
    pub(crate) cut: Option<usize>,
}

impl Answer {
    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Answer {
        Answer {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
            cut: None,
        }
    }

    pub(crate) fn status(status: u16) -> Answer {
        Answer {
            status,
            ..Answer::ok("")
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn cut_after(mut self, bytes: usize) -> Answer {
        self.cut = Some(bytes);
        self
    }
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// A running server; it ends with the process.
pub(crate) struct Server {
    pub(crate) address: String,
    /// Requests that are answered at the same time, at most so far.
    pub(crate) busiest: Arc<AtomicUsize>,
    /// What was asked for, in order.
    pub(crate) requests: Arc<Mutex<Vec<Request>>>,
    is_stopped: Arc<AtomicBool>,
}

impl Server {
    /// Starts a server on a free port.
    pub(crate) fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Server {
        Server::with_latency(Duration::ZERO, handler)
    }

    /// Starts a server that takes its time for every answer.
    pub(crate) fn with_latency(
        latency: Duration,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Server {
        Server::run(latency, None, handler)
    }

    /// Starts a server that speaks TLS.
    pub(super) fn with_tls(
        config: Arc<rustls::ServerConfig>,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Server {
        Server::run(Duration::ZERO, Some(config), handler)
    }

    fn run(
        latency: Duration,
        tls: Option<Arc<rustls::ServerConfig>>,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let address = format!("{scheme}://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(handler);
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (busiest, active) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (log, peak) = (requests.clone(), busiest.clone());
        let ends = is_stopped.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                let (handler, log) = (handler.clone(), log.clone());
                let (active, peak) = (active.clone(), peak.clone());
                let tls = tls.clone();
                std::thread::spawn(move || {
                    let Ok(stream) = stream else { return };
                    let answer = |stream: &mut dyn Stream| {
                        let Some(request) = read(stream) else { return };
                        let now = active.fetch_add(1, Ordering::SeqCst) + 1;
                        peak.fetch_max(now, Ordering::SeqCst);
                        std::thread::sleep(latency);
                        log.lock().unwrap().push(request.clone());
                        let answer = handler(&request);
                        active.fetch_sub(1, Ordering::SeqCst);
                        send(stream, &request, &answer);
                    };
                    match tls {
                        None => answer(&mut { stream }),
                        Some(config) => {
                            let connection = rustls::ServerConnection::new(config).unwrap();
                            let mut stream = rustls::StreamOwned::new(connection, stream);
                            answer(&mut stream);
                            stream.conn.send_close_notify();
                            let _ = stream.flush();
                            // What the client still sends must not reset the
                            // connection before it has read the answer.
                            let socket = &mut stream.sock;
                            let _ = socket.shutdown(std::net::Shutdown::Write);
                            let _ = socket.set_read_timeout(Some(Duration::from_secs(1)));
                            let _ = std::io::copy(socket, &mut std::io::sink());
                        }
                    }
                });
            }
        });
        Server {
            address,
            busiest,
            requests,
            is_stopped,
        }
    }

    /// Ends the server: from now on, nobody listens there.
    pub(super) fn stop(self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        let address = self.address.split("://").nth(1).unwrap();
        let _ = std::net::TcpStream::connect(address);
        while std::net::TcpStream::connect(address).is_ok() {
            std::thread::yield_now();
        }
    }

    /// How often a path was asked for.
    pub(crate) fn count(&self, path: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|r| r.path() == path).count()
    }
}

fn read(stream: &mut dyn Stream) -> Option<Request> {
    // One request for each connection: what is read ahead belongs to it.
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        target,
        headers,
        body,
    })
}

fn send(stream: &mut dyn Stream, request: &Request, answer: &Answer) {
    let mut head = format!(
        "HTTP/1.1 {} x\r\ncontent-length: {}\r\nconnection: close\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let body = match answer.cut {
        Some(cut) => &answer.body[..cut],
        None => &answer.body,
    };
    // A client may have gone.
    let _ = stream.write_all(head.as_bytes());
    if request.method != "HEAD" {
        let _ = stream.write_all(body);
    }
}

/// Answers as `git http-backend` does for the repositories in a folder.
pub(crate) fn git(root: PathBuf) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    move |request| {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let mut command = Command::new("git");
        command
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", &root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("REQUEST_METHOD", &request.method)
            .env("CONTENT_LENGTH", request.body.len().to_string())
            .env("REMOTE_ADDR", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(kind) = request.header("content-type") {
            command.env("CONTENT_TYPE", kind);
        }
        if let Some(protocol) = request.header("git-protocol") {
            command.env("GIT_PROTOCOL", protocol);
        }
        let mut child = command.spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(&request.body);
        let mut output = Vec::new();
        child
            .stdout
            .take()
            .unwrap()
            .read_to_end(&mut output)
            .unwrap();
        child.wait().unwrap();
        let end = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&output[..end]).into_owned();
        let mut answer = Answer::ok(&output[end + 4..]);
        for line in head.lines() {
            match line.split_once(": ") {
                Some(("Status", status)) => {
                    answer.status = status[..3].parse().unwrap();
                }
                Some((name, value)) => answer.headers.push((name.to_owned(), value.to_owned())),
                None => {}
            }
        }
        answer
    }
}
