//! An HTTP/1.1 answer, read from bytes: as much of RFC 9112 as a server of our own needs.

use std::io::{Error, ErrorKind, Result};

/// Longest head of an answer.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Longest body of an answer.
const BODY_BYTES_MAX: usize = 64 << 20;

/// Status and body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// How the end of a body is told.
enum Framing {
    Length(usize),
    Chunked,
}

impl Answer {
    /// The first answer in `bytes` and how many bytes it takes; `None` while it is incomplete.
    ///
    /// # Errors
    /// When the bytes are no answer, or one beyond the limits.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>> {
        let Some(head_end) = find(bytes, b"\r\n\r\n") else {
            return if bytes.len() > HEAD_BYTES_MAX { Err(bad("a head without an end")) } else { Ok(None) };
        };
        let head = std::str::from_utf8(&bytes[..head_end]).map_err(|_| bad("a head that is not text"))?;
        let (status, framing) = read_head(head)?;
        let begin = head_end + 4;
        let body = match framing {
            Framing::Length(length) => exactly(&bytes[begin..], length)?,
            Framing::Chunked => chunks(&bytes[begin..])?,
        };
        Ok(body.map(|(body, taken)| (Self { status, body }, begin + taken)))
    }
}

fn read_head(head: &str) -> Result<(u16, Framing)> {
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| bad("no status line"))?;
    let mut framing = Framing::Length(0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.trim().parse().map_err(|_| bad("no length"))?);
        }
        if name.eq_ignore_ascii_case("transfer-encoding") && value.trim().eq_ignore_ascii_case("chunked") {
            return Ok((status, Framing::Chunked));
        }
    }
    Ok((status, framing))
}

fn exactly(bytes: &[u8], length: usize) -> Result<Option<(Vec<u8>, usize)>> {
    if length > BODY_BYTES_MAX {
        return Err(bad("a body beyond the limit"));
    }
    Ok(bytes.get(..length).map(|body| (body.to_vec(), length)))
}

/// Joins chunks up to the empty one; trailers are passed over.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Some(line) = find(&bytes[at..], b"\r\n") {
        let size = chunk_size(&bytes[at..at + line])?;
        at += line + 2;
        if size == 0 {
            // Where there is no trailer, the end of the last chunk's line is half of the blank line.
            return Ok(find(&bytes[at - 2..], b"\r\n\r\n").map(|blank| (body, at - 2 + blank + 4)));
        }
        let Some(chunk) = bytes.get(at..at + size) else { return Ok(None) };
        body.extend_from_slice(chunk);
        at += size + 2;
        if body.len() > BODY_BYTES_MAX {
            return Err(bad("a body beyond the limit"));
        }
        if at > bytes.len() {
            return Ok(None);
        }
    }
    Ok(None)
}

fn chunk_size(line: &[u8]) -> Result<usize> {
    let text = std::str::from_utf8(line).ok().and_then(|line| line.split(';').next());
    let size = text.and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
    size.filter(|size| *size <= BODY_BYTES_MAX).ok_or_else(|| bad("no size of a chunk"))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn bad(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH_LENGTH: &[u8] = b"HTTP/1.1 201 Created\r\nContent-length: 5\r\nx: y\r\n\r\nhello";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n";
    const WITH_TRAILER: &[u8] =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nt: 1\r\n\r\n";

    #[test]
    fn a_whole_answer_is_read_and_the_next_one_left() {
        for (bytes, status) in [(WITH_LENGTH, 201), (CHUNKED, 200), (WITH_TRAILER, 200)] {
            let two = [bytes, bytes].concat();
            let read = Answer::parse(&two).unwrap();
            assert_eq!(read, Some((Answer { status, body: b"hello".to_vec() }, bytes.len())));
        }
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_is_waited_for() {
        for bytes in [WITH_LENGTH, CHUNKED, WITH_TRAILER] {
            for end in 0..bytes.len() {
                assert_eq!(Answer::parse(&bytes[..end]).unwrap(), None, "{end}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for bytes in [
            b"SMTP ready\r\n\r\n".to_vec(),
            b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n".to_vec(),
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_vec(),
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY_BYTES_MAX + 1).into_bytes(),
            vec![b'a'; HEAD_BYTES_MAX + 1],
        ] {
            Answer::parse(&bytes).unwrap_err();
        }
    }
}
