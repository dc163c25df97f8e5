//! HTTP/1.1 as far as the proof speaks it: one call after another on a connection that is kept. (RFC 9112)

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer later than this is none: km answers every request within its own, shorter limit.
const ANSWER_MAX: Duration = Duration::from_secs(45);
/// Longest line of a head, and most lines.
const LINE_BYTES_MAX: u64 = 16 << 10;
const LINES_MAX: usize = 128;
/// Longest body that is read.
const BODY_BYTES_MAX: usize = 32 << 20;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) method: &'static str,
    pub(crate) target: &'a str,
    /// The `Idempotency-Key`.
    pub(crate) key: Option<&'a str>,
    /// JSON.
    pub(crate) body: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(crate) const fn get(target: &'a str) -> Self {
        Self { method: "GET", target, key: None, body: None }
    }

    fn text(&self, host: SocketAddr) -> String {
        let Self { method, target, key, body } = self;
        let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n");
        if let Some(key) = key {
            text.push_str(&format!("Idempotency-Key: \"{key}\"\r\n"));
        }
        match body {
            Some(body) => {
                let length = body.len();
                text.push_str(&format!(
                    "Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                ));
            }
            None => text.push_str("\r\n"),
        }
        text
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The media type without its parameters.
    pub(crate) media_type: String,
    pub(crate) body: Vec<u8>,
    closes: bool,
}

#[cfg(test)]
impl Reply {
    pub(crate) fn new(status: u16, media_type: &str, body: Vec<u8>) -> Self {
        Self { status, media_type: media_type.to_owned(), body, closes: false }
    }
}

/// Calls one server, on one connection as long as that lasts.
#[derive(Debug)]
pub(crate) struct Caller {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Caller {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// Makes sure that there is a connection. A call after this was sent, as far as anybody can tell.
    pub(crate) fn connect(&mut self) -> io::Result<()> {
        if self.connection.is_none() {
            let stream = TcpStream::connect_timeout(&self.address, ANSWER_MAX)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ANSWER_MAX))?;
            self.connection = Some(BufReader::new(stream));
        }
        Ok(())
    }

    /// Sends a call and reads its answer. After an error the call may or may not have been carried out.
    pub(crate) fn call(&mut self, call: Call<'_>) -> io::Result<Reply> {
        self.connect()?;
        let mut connection = self.connection.take().ok_or(io::ErrorKind::NotConnected)?;
        connection.get_mut().write_all(call.text(self.address).as_bytes())?;
        let reply = read_reply(&mut connection)?;
        if !reply.closes {
            self.connection = Some(connection);
        }
        Ok(reply)
    }
}

fn read_reply(stream: &mut impl BufRead) -> io::Result<Reply> {
    let status_line = read_line(stream)?;
    let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| malformed("the status line"))?;
    let mut head = Head::default();
    for _ in 0..LINES_MAX {
        let line = read_line(stream)?;
        if line.is_empty() {
            let body = head.body(stream)?;
            return Ok(Reply { status, media_type: head.media_type, body, closes: head.closes });
        }
        head.note(&line)?;
    }
    Err(malformed("the head, which does not end"))
}

/// The fields that matter here.
#[derive(Default)]
struct Head {
    length: Option<usize>,
    chunked: bool,
    closes: bool,
    media_type: String,
}

impl Head {
    fn note(&mut self, line: &str) -> io::Result<()> {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a field"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                self.length = Some(value.parse().map_err(|_| malformed("the length"))?);
            }
            "transfer-encoding" => self.chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => self.closes = value.eq_ignore_ascii_case("close"),
            "content-type" => {
                self.media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            }
            _ => {}
        }
        Ok(())
    }

    fn body(&self, stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
        match self.length {
            _ if self.chunked => read_chunks(stream),
            Some(length) => read_exactly(stream, length),
            None => Err(malformed("the head, which says no length")),
        }
    }
}

fn read_chunks(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| malformed("the size of a chunk"))?;
        if body.len() + size > BODY_BYTES_MAX {
            return Err(malformed("the body, which is too long"));
        }
        body.extend(read_exactly(stream, size)?);
        let end = read_line(stream)?;
        match (size, end.is_empty()) {
            (0, true) => return Ok(body),
            (_, true) => {}
            (_, false) => return Err(malformed("the end of a chunk")),
        }
    }
}

fn read_exactly(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    if length > BODY_BYTES_MAX {
        return Err(malformed("the body, which is too long"));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    stream.take(LINE_BYTES_MAX).read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} of the answer is malformed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<Reply> {
        read_reply(&mut text.as_bytes())
    }

    #[test]
    fn bodies_with_a_length_and_in_chunks_are_read() {
        let plain = read(
            "HTTP/1.1 201 Created\r\nContent-Type: application/json; x=y\r\nContent-Length: 2\r\n\r\n{}",
        );
        let plain = plain.unwrap();
        assert_eq!((plain.status, plain.media_type.as_str(), plain.closes), (201, "application/json", false));
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        let chunked = read(chunks).unwrap();
        assert_eq!((chunked.body.as_slice(), chunked.closes), (b"abcd".as_slice(), true));
    }

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert!(read(whole).is_ok());
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
    }
}
