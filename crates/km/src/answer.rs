//! Reading what another server answers, up to a bound.

use reqwest::{Error, Response};

/// Why an answer was not read whole.
pub(crate) enum Unread {
    /// The connection broke.
    Broken(Error),
    /// It is larger than the bound.
    TooLarge,
}

/// The body of an answer, if it has at most `max` bytes.
pub(crate) async fn read(mut answer: Response, max: usize) -> Result<Vec<u8>, Unread> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(Unread::Broken)? {
        if body.len() + piece.len() > max {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
