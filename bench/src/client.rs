//! A keep-alive HTTP/1.1 client: one connection, one request at a time, requests made before the clock runs.

use std::fmt::Write as _;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request(Vec<u8>);

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self(format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes())
    }

    /// A write under an id of its own.
    pub(crate) fn write(write_id: &str, body: &[u8]) -> Self {
        let head = format!(
            "POST /v1/writes HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             idempotency-key: \"{write_id}\"\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self([head.as_bytes(), body].concat())
    }

    /// A search for the best ten.
    pub(crate) fn search(words: &str) -> Self {
        Self::get(&format!("/v1/search?q={}&limit=10", encoded(words)))
    }
}

/// Everything but letters and digits as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("text takes text");
        }
        encoded
    })
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(4_096) })
    }

    /// Sends a request and waits for its answer, whatever its status.
    pub(crate) async fn send(&mut self, request: &Request) -> Result<Answer> {
        self.stream.write_all(&request.0).await?;
        loop {
            if let Some((answer, length)) = Answer::parse(&self.received)? {
                self.received.drain(..length);
                return Ok(answer);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
        }
    }

    /// The body of a 200, as text.
    pub(crate) async fn text(&mut self, path: &str) -> Result<String> {
        let answer = self.send(&Request::get(path)).await?;
        match answer.status {
            200 => String::from_utf8(answer.body).map_err(|error| Error::new(ErrorKind::InvalidData, error)),
            status => Err(Error::other(format!("GET {path} was answered {status}"))),
        }
    }

    /// The body of a 200, as JSON.
    pub(crate) async fn json(&mut self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.text(path).await?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_encoded() {
        assert_eq!(encoded("a b&磁"), "a%20b%26%E7%A3%81");
    }

    #[test]
    fn a_write_states_its_id_and_length() {
        let request = String::from_utf8(Request::write("w-1", b"{}").0).unwrap();
        assert!(request.contains("\r\nidempotency-key: \"w-1\"\r\n"));
        assert!(request.ends_with("\r\ncontent-length: 2\r\n\r\n{}"));
    }
}
