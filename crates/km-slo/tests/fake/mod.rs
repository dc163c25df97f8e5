//! A server that answers queries as a test says.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a query is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With this.
    Body { status: u16, body: String },
    /// With a page for people.
    Page,
    /// Too late.
    Waits,
    /// With half of what was announced.
    Cut,
    /// Without an end.
    Floods,
}

impl Answer {
    pub fn value(text: &str) -> Self {
        Self::vector(&format!(r#"{{"metric":{{}},"value":[1,"{text}"]}}"#))
    }

    pub fn none() -> Self {
        Self::vector("")
    }

    fn vector(series: &str) -> Self {
        let body = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#);
        Self::Body { status: 200, body }
    }
}

/// What was asked: the parameters and the headers, all names in small letters.
pub type Asked = BTreeMap<String, String>;

type Answers = Arc<Mutex<Vec<(&'static str, Answer)>>>;

/// The server. It knows a query by a word in it.
pub struct Fake {
    port: u16,
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<Mutex<bool>>,
}

impl Fake {
    /// Answers a query that contains the word, and any other with no series.
    pub fn start(answers: Vec<(&'static str, Answer)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, stop) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<Mutex<bool>>::default());
        let answers: Answers = Arc::new(Mutex::new(answers));
        let (log, stopped, shared) = (asked.clone(), stop.clone(), answers.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                if *stopped.lock().unwrap() {
                    return;
                }
                let (answers, log) = (shared.clone(), log.clone());
                thread::spawn(move || drop(serve(stream.unwrap(), &answers, &log)));
            }
        });
        Self { port, answers, asked, stop }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Answers so from now on.
    pub fn answer(&self, answers: Vec<(&'static str, Answer)>) {
        *self.answers.lock().unwrap() = answers;
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        *self.stop.lock().unwrap() = true;
        // The listener wakes, sees that it is over, and goes.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(
    stream: TcpStream,
    answers: &Mutex<Vec<(&'static str, Answer)>>,
    log: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let Some(asked) = request(&mut reader)? else { return Ok(()) };
        let query = asked.get("query").cloned().unwrap_or_default();
        log.lock().unwrap().push(asked);
        let known = answers.lock().unwrap().iter().find(|(word, _)| query.contains(word)).cloned();
        match known.map_or_else(Answer::none, |(_, answer)| answer) {
            Answer::Body { status, body } => {
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}")?;
            }
            Answer::Page => {
                let body = "<!DOCTYPE html><title>Sign in</title>";
                let length = body.len();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8";
                write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}")?;
            }
            Answer::Waits => {
                thread::sleep(Duration::from_secs(3));
                return Ok(());
            }
            Answer::Cut => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{{\"status\"")?;
                return Ok(());
            }
            Answer::Floods => {
                write!(stream, "HTTP/1.1 200 OK\r\n\r\n")?;
                loop {
                    stream.write_all(&[b' '; 65_536])?;
                }
            }
        }
    }
}

/// Reads one request; `None` when the connection is over.
fn request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut asked = Asked::new();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().unwrap_or(0);
        }
        asked.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((target.as_str(), ""));
    asked.insert("path".to_owned(), path.to_owned());
    asked.insert("body".to_owned(), String::from_utf8_lossy(&body).into_owned());
    let form = if query.is_empty() { String::from_utf8_lossy(&body).into_owned() } else { query.to_owned() };
    for pair in form.split('&') {
        if let Some((name, value)) = pair.split_once('=') {
            asked.insert(name.to_owned(), decoded(value));
        }
    }
    Ok(Some(asked))
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap_or("00"), 16).unwrap_or(b'?')
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// TLS needs a provider, even where nobody speaks it.
pub fn set_up() {
    drop(rustls::crypto::ring::default_provider().install_default());
}
