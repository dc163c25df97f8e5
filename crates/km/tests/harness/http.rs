//! A client that sends what a test says, byte for byte, and reads the whole answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The longest that an answer may let a test wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// One request, on a connection of its own.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    declared: Option<usize>,
}

/// One whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            declared: None,
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A body that is declared as JSON, whatever it is.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body).header("Content-Type", "application/json")
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a header; an empty value takes it away.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    /// Declares a length without sending a body.
    pub fn declaring(mut self, bytes: usize) -> Self {
        self.declared = Some(bytes);
        self
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }

    /// Sends it and reads the answer; `None` when no whole answer came.
    pub fn send(&self, host: &str) -> Option<Answer> {
        Answer::read(self.begin(host)?)
    }

    /// Sends it and leaves the answer to be read.
    pub fn begin(&self, host: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(host).ok()?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
        stream.write_all(self.head(host).as_bytes()).ok()?;
        // A server that has heard enough answers without reading to the end.
        drop(stream.write_all(&self.body));
        Some(stream)
    }

    fn head(&self, host: &str) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let length = self.declared.unwrap_or(self.body.len()).to_string();
        let usual = [("Host", host), ("Connection", "close"), ("Content-Length", length.as_str())];
        let framed = self.has("Transfer-Encoding");
        let usual = usual.into_iter().filter(|(name, _)| !self.has(name));
        let usual = usual.filter(|(name, _)| !(framed && *name == "Content-Length"));
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in usual.chain(own).filter(|(_, value)| !value.is_empty()) {
            head += &format!("{name}: {value}\r\n");
        }
        head + "\r\n"
    }
}

impl Answer {
    /// Reads to the end of the connection; `None` when that came too early.
    pub fn read(mut stream: TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        drop(stream.shutdown(Shutdown::Both));
        let text = String::from_utf8(bytes).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let answer = Self { status, headers, body: body.to_owned() };
        match (answer.header("content-length"), answer.header("transfer-encoding")) {
            (Some(length), _) => (length == body.len().to_string()).then_some(answer),
            (None, Some("chunked")) => Some(Self { body: dechunked(body)?, ..answer }),
            (None, _) => ended.is_ok().then_some(answer),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The JSON of an answer that must have this status.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// Each line of an NDJSON answer.
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        self.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn dechunked(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole += rest.get(..size)?;
        body = rest.get(size + 2..)?;
    }
}

/// A text as a value of a query, or a segment of a path.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().fold(String::new(), |encoded, byte| match plain(byte) {
        true => encoded + &char::from(byte).to_string(),
        false => encoded + &format!("%{byte:02X}"),
    })
}

/// Posts a JSON body on a connection of its own; `None` when no whole answer came.
pub fn post(host: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let answer = Call::post(path, body).send(host)?;
    Some((answer.status, answer.body))
}
