//! The API's own form: strict, and clear about what is wrong.

use std::fmt;

use km_model::limits::{BATCH_WRITES_MAX, BODY_BYTES_MAX, NESTING_MAX};
use km_model::{Rule, Timestamp, Violation, Write, WriteDocument, WriteId};
use serde::Deserializer as _;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::Request;
use crate::text::without_bom;

/// Why a text is not a write.
#[derive(Debug, Error)]
pub enum InvalidJson {
    /// It is longer than [`BODY_BYTES_MAX`].
    #[error("the body has {bytes} bytes, the limit is {BODY_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is not JSON.
    #[error("not JSON: {source}")]
    Syntax {
        /// Where, and what was expected.
        #[source]
        source: serde_json::Error,
    },
    /// A field is unknown or has the wrong type.
    #[error("{field}: {source}")]
    Shape {
        /// The field, as a path such as `labels.cluster`; `.` is the whole.
        field: String,
        /// What was expected.
        #[source]
        source: serde_json::Error,
    },
    /// Fields break rules.
    #[error("{} field(s) break the rules", .0.len())]
    Violations(Vec<Violation>),
}

/// Reads one write.
///
/// # Errors
/// [`InvalidJson`], which names the field.
pub fn read(body: &[u8]) -> Result<Request, InvalidJson> {
    let body = without_bom(body);
    if body.len() > BODY_BYTES_MAX {
        return Err(InvalidJson::TooLong { bytes: body.len() });
    }
    let document = read_as(body).map_err(|error| too_deep(body).unwrap_or(error))?;
    from_document(document).map_err(InvalidJson::Violations)
}

/// The parser gives up on nesting that is deeper than the limit by far; only `metadata` can nest at all.
fn too_deep(body: &[u8]) -> Option<InvalidJson> {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    // The write itself is one level more than its metadata.
    let too_deep = deepest > NESTING_MAX + 1;
    too_deep.then(|| {
        InvalidJson::Violations(vec![Violation::new("metadata", Rule::TooDeep { max: NESTING_MAX })])
    })
}

/// Reads a JSON object by its shape.
///
/// # Errors
/// [`InvalidJson::Syntax`] or [`InvalidJson::Shape`], which names the field.
pub fn read_as<T: DeserializeOwned>(body: &[u8]) -> Result<T, InvalidJson> {
    let body = without_bom(body);
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(no_object(body));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(shape)?;
    deserializer.end().map_err(|source| InvalidJson::Syntax { source })?;
    Ok(read)
}

/// Checks a document, with what only a request carries.
///
/// # Errors
/// Every violated rule.
pub fn from_document(mut document: WriteDocument) -> Result<Request, Vec<Violation>> {
    let mut violations = Vec::new();
    let write_id = document.write_id.take().and_then(|id| kept(WriteId::parse(id), &mut violations));
    let received_at = document.received_at.take().and_then(|time| kept(received(&time), &mut violations));
    match Write::try_from(document) {
        Ok(write) if violations.is_empty() => Ok(Request { write_id, received_at, write }),
        Ok(_) => Err(violations),
        Err(mut broken) => {
            broken.append(&mut violations);
            Err(broken)
        }
    }
}

fn kept<T>(read: Result<T, Violation>, violations: &mut Vec<Violation>) -> Option<T> {
    read.map_err(|violation| violations.push(violation)).ok()
}

fn received(text: &str) -> Result<Timestamp, Violation> {
    let expected = "an RFC 3339 time such as 2026-11-23T10:00:00Z";
    Timestamp::parse(text).map_err(|_| Violation::new("received_at", Rule::Malformed { expected }))
}

/// Serde would take a list for the fields of an object, in the order of their names.
fn no_object(body: &[u8]) -> InvalidJson {
    let expected = "a JSON object with named fields";
    match serde_json::from_slice::<IgnoredAny>(body) {
        Ok(_) => {
            let source = serde_json::Error::invalid_type(Unexpected::Seq, &expected);
            InvalidJson::Shape { field: ".".to_owned(), source }
        }
        Err(source) => InvalidJson::Syntax { source },
    }
}

/// A syntax error says where it is; any other says in which field, as far as it is known.
fn shape(error: serde_path_to_error::Error<serde_json::Error>) -> InvalidJson {
    let field = error.path().to_string();
    let source = error.into_inner();
    if !source.is_data() {
        return InvalidJson::Syntax { source };
    }
    let field = if field == "." { named_field(&source).unwrap_or(field) } else { field };
    InvalidJson::Shape { field, source }
}

/// The name of a field that does not exist or stands twice, which the path does not carry.
fn named_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let name = ["unknown field `", "duplicate field `"].iter().find_map(|words| text.strip_prefix(words))?;
    Some(name.split('`').next()?.to_owned())
}

/// Why a batch cannot be split into its items.
#[derive(Debug, Error)]
pub enum InvalidBatch {
    /// An array that is not one.
    #[error("not a JSON array: {0}")]
    Syntax(#[source] serde_json::Error),
    /// More than [`BATCH_WRITES_MAX`] items; how many more is not counted.
    #[error("the batch has more than {BATCH_WRITES_MAX} writes, which is the limit")]
    TooMany,
}

/// How the items of a batch follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One on each line.
    Lines,
    /// In one JSON array.
    Array,
}

/// The items of a batch, in order: JSON lines, or one JSON array.
///
/// # Errors
/// [`InvalidBatch`].
pub fn items(body: &[u8]) -> Result<(Form, Vec<&[u8]>), InvalidBatch> {
    let body = without_bom(body);
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    if is_array {
        return Ok((Form::Array, array_items(body)?));
    }
    let items: Vec<&[u8]> = lines(body).take(BATCH_WRITES_MAX + 1).collect();
    if items.len() > BATCH_WRITES_MAX { Err(InvalidBatch::TooMany) } else { Ok((Form::Lines, items)) }
}

/// The items of an array, read no further than one past the limit.
fn array_items(body: &[u8]) -> Result<Vec<&[u8]>, InvalidBatch> {
    let mut items = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = deserializer.deserialize_seq(Items(&mut items)).and_then(|()| deserializer.end());
    match read {
        _ if items.len() > BATCH_WRITES_MAX => Err(InvalidBatch::TooMany),
        Ok(()) => Ok(items),
        Err(error) => Err(InvalidBatch::Syntax(error)),
    }
}

/// Collects the items of an array, and gives up at the first one past the limit.
struct Items<'a, 'b>(&'a mut Vec<&'b [u8]>);

impl<'b> Visitor<'b> for Items<'_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'b>>(self, mut array: A) -> Result<(), A::Error> {
        while let Some(item) = array.next_element::<&RawValue>()? {
            self.0.push(item.get().as_bytes());
            if self.0.len() > BATCH_WRITES_MAX {
                return Err(A::Error::custom("too many items"));
            }
        }
        Ok(())
    }
}

/// The lines of a text that are not blank.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field_of(body: &str) -> String {
        match read(body.as_bytes()) {
            Ok(_) => "accepted".to_owned(),
            Err(InvalidJson::Shape { field, .. }) => field,
            Err(InvalidJson::Violations(violations)) => violations[0].field.to_string(),
            Err(InvalidJson::Syntax { .. }) => "syntax".to_owned(),
            Err(InvalidJson::TooLong { .. }) => "too long".to_owned(),
        }
    }

    #[test]
    fn every_mistake_is_named_by_its_field() {
        let cases = [
            (r#"{"path":"incident_resolve","incident_id":"I","title":"t"}"#, "accepted"),
            (r#"{"path":"incident_resolve","incident_id":"I","title":"t""#, "syntax"),
            (r#"{"path":"incident_resolve"} x"#, "syntax"),
            ("", "syntax"),
            (r#"{"path":"incident_resolve","incident_id":"I","titel":"t"}"#, "titel"),
            (r#"{"path":"incident_resolve","incident_id":7,"title":"t"}"#, "incident_id"),
            (r#"{"path":"incident_resolve","incident_id":"I","labels":{"a":1}}"#, "labels.a"),
            (r#"{"path":"incident_resolve","incident_id":"I","tags":["a",1]}"#, "tags[1]"),
            (r#"{"path":"incident_resolve","incident_id":"I","title":"t","write_id":"a b"}"#, "write_id"),
            (r#"{"path":"x","title":"t"}"#, "path"),
            (r#"{"path":"incident_resolve","path":"x"}"#, "path"),
            ("[]", "."),
            ("[", "syntax"),
        ];
        for (body, field) in cases {
            assert_eq!(field_of(body), field, "{body}");
        }
        assert_eq!(field_of(&" ".repeat(BODY_BYTES_MAX + 1)), "too long");
    }

    #[test]
    fn a_batch_is_lines_or_an_array() -> Result<(), InvalidBatch> {
        let expected = vec![&b"{}"[..], &b"{ }"[..]];
        assert_eq!(items(b"{}\n{ }\n")?, (Form::Lines, expected.clone()));
        assert_eq!(items(b" [{},{ }] ")?, (Form::Array, expected.clone()));
        assert_eq!(items(b"{}\r\n\n{ }")?, (Form::Lines, expected));
        assert!(matches!(items(b"[1,"), Err(InvalidBatch::Syntax(_))));
        assert!(matches!(items(b"[1] 2"), Err(InvalidBatch::Syntax(_))));
        Ok(())
    }

    #[test]
    fn a_batch_is_taken_at_the_limit_and_read_no_further_than_one_past_it() {
        let array = |count: usize, end: &str| format!("[{}{end}", vec!["{}"; count].join(","));
        let lines = |count: usize| "{}\n".repeat(count);
        assert!(items(lines(BATCH_WRITES_MAX).as_bytes()).is_ok());
        assert!(items(array(BATCH_WRITES_MAX, "]").as_bytes()).is_ok());
        assert!(matches!(items(lines(BATCH_WRITES_MAX + 1).as_bytes()), Err(InvalidBatch::TooMany)));
        // What stands behind the first item past the limit is not read.
        let endless = array(BATCH_WRITES_MAX + 1, ", this is no JSON");
        assert!(matches!(items(endless.as_bytes()), Err(InvalidBatch::TooMany)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let refused = read(&body).is_err();
            prop_assert!(refused || serde_json::from_slice::<serde_json::Value>(without_bom(&body)).is_ok());
            prop_assert!(items(&body).map_or(true, |(_, items)| items.len() <= body.len()));
        }
    }
}
