//! Writes that break a rule each.

use jiff::{SignedDuration, Timestamp};
use km_model::limits::{
    CONTENT_BYTES_MAX, FUTURE_SECONDS_MAX, ID_BYTES_MAX, LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX,
    LABELS_MAX, NESTING_MAX, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX, TITLE_BYTES_MAX, WRITE_ID_BYTES_MAX,
};
use serde_json::{Map, Value, json};

use super::harness::http::Call;
use super::{Case, case};

/// A write that is taken, with these fields instead of its own; `null` takes one away.
pub(crate) fn write_with(changes: Value) -> Value {
    let mut write = json!({"path": "incident_resolve", "incident_id": "INC-1", "title": "of a test"});
    let Value::Object(changes) = changes else { panic!("fields: {changes}") };
    for (field, value) in changes {
        match value {
            Value::Null => drop(write.as_object_mut().unwrap().remove(&field)),
            value => write[field] = value,
        }
    }
    write
}

fn write(what: &str, changes: Value, code: &'static str, field: &str) -> Case {
    case(what, Call::post("/v1/writes", write_with(changes).to_string()), code, field)
}

fn text(what: &str, body: &str, code: &'static str, field: &str) -> Case {
    case(what, Call::post("/v1/writes", body), code, field)
}

fn ahead(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).to_string()
}

/// Writes with a mistake each.
pub(crate) fn mistakes() -> Vec<Case> {
    let late = ahead(FUTURE_SECONDS_MAX + 60);
    let cut = &b"{\"title\":\"\xff\"}"[..];
    vec![
        text("no body", "", "KM0001", ""),
        text("half a body", r#"{"path":"incident_"#, "KM0001", ""),
        text("more than one", r#"{"path":"incident_resolve"} {}"#, "KM0001", ""),
        text("words", "the pool is full", "KM0001", ""),
        case("not UTF-8", Call::post("/v1/writes", cut), "KM0001", ""),
        text("a number", "7", "KM0002", "."),
        write("an unknown field", json!({"titel": "x"}), "KM0002", "titel"),
        write("an unknown field of the source", json!({"source": {"who": "x"}}), "KM0002", "source.who"),
        write("a number for a text", json!({"title": 7}), "KM0002", "title"),
        write("a number among the tags", json!({"tags": ["a", 7]}), "KM0002", "tags[1]"),
        write("a number for a label", json!({"labels": {"x": 7}}), "KM0002", "labels.x"),
        write("a list for the metadata", json!({"metadata": []}), "KM0002", "metadata"),
        write("no path", json!({"path": null}), "KM0003", "path"),
        write("no incident", json!({"incident_id": null}), "KM0003", "incident_id"),
        write("an empty incident", json!({"incident_id": ""}), "KM0003", "incident_id"),
        write(
            "an approval of nothing",
            json!({"path": "approval_manual", "incident_id": null}),
            "KM0003",
            "approval_id",
        ),
        write("an empty tag", json!({"tags": ["a", " "]}), "KM0003", "tags[1]"),
        write("a label without a name", json!({"labels": {"": "x"}}), "KM0003", "labels"),
        write(
            "nothing that names it",
            json!({"path": "playbook_extract", "incident_id": null}),
            "KM0003",
            "write_id",
        ),
        write("nothing to remember", json!({"title": null}), "KM0004", "content"),
        write("white space", json!({"title": " ", "content": "\n"}), "KM0004", "content"),
        write("a title by bytes, not letters", json!({"title": "磁".repeat(171)}), "KM0005", "title"),
        write("no time", json!({"occurred_at": "yesterday"}), "KM0009", "occurred_at"),
        write(
            "a time without an offset",
            json!({"occurred_at": "2026-11-20T10:00:00"}),
            "KM0009",
            "occurred_at",
        ),
        write("white space around an id", json!({"incident_id": " INC-1"}), "KM0009", "incident_id"),
        write("a write id of two words", json!({"write_id": "two words"}), "KM0009", "write_id"),
        write("a write id beyond ASCII", json!({"write_id": "schlüssel"}), "KM0009", "write_id"),
        write(
            "an unknown status",
            json!({"path": "approval_manual", "approval_status": "maybe"}),
            "KM0010",
            "approval_status",
        ),
        write("an unknown path", json!({"path": "incident"}), "KM0011", "path"),
        write("a status of no approval", json!({"approval_status": "approved"}), "KM0012", "approval_status"),
        write("a time to come", json!({"occurred_at": late}), "KM0013", "occurred_at"),
        case(
            "two write ids",
            Call::post("/v1/writes", write_with(json!({"write_id": "a"})).to_string())
                .header("Idempotency-Key", "b"),
            "KM0015",
            "write_id",
        ),
        case(
            "an Idempotency-Key of two words",
            Call::post("/v1/writes", write_with(json!({})).to_string()).header("Idempotency-Key", "a b"),
            "KM0009",
            "write_id",
        ),
    ]
}

/// A bound of one field: how a write with so much of it looks.
pub(crate) struct Limit {
    pub(crate) field: String,
    pub(crate) max: usize,
    pub(crate) code: &'static str,
    pub(crate) write: fn(usize) -> Value,
}

/// Every bound on a field.
pub(crate) fn limits() -> Vec<Limit> {
    let limit = |field: &str, max, code, write| Limit { field: field.to_owned(), max, code, write };
    let long_name = format!("labels.{}", "n".repeat(64));
    vec![
        limit("title", TITLE_BYTES_MAX, "KM0005", |n| write_with(json!({"title": x(n)}))),
        limit("content", CONTENT_BYTES_MAX, "KM0005", |n| write_with(json!({"content": x(n)}))),
        limit("tags", TAGS_MAX, "KM0006", |n| write_with(json!({"tags": names(n)}))),
        limit("tags[0]", TAG_BYTES_MAX, "KM0005", |n| write_with(json!({"tags": [x(n)]}))),
        limit("labels", LABELS_MAX, "KM0006", |n| write_with(json!({"labels": labels(names(n))}))),
        limit(&long_name, LABEL_NAME_BYTES_MAX, "KM0005", |n| {
            write_with(json!({"labels": labels(vec!["n".repeat(n)])}))
        }),
        limit("labels.a", LABEL_VALUE_BYTES_MAX, "KM0005", |n| write_with(json!({"labels": {"a": x(n)}}))),
        limit("incident_id", ID_BYTES_MAX, "KM0005", |n| write_with(json!({"incident_id": x(n)}))),
        limit("approval_id", ID_BYTES_MAX, "KM0005", |n| write_with(json!({"approval_id": x(n)}))),
        limit("execution_id", ID_BYTES_MAX, "KM0005", |n| write_with(json!({"execution_id": x(n)}))),
        limit("playbook", ID_BYTES_MAX, "KM0005", |n| write_with(json!({"playbook": x(n)}))),
        limit("entry_type", ID_BYTES_MAX, "KM0005", |n| write_with(json!({"entry_type": x(n)}))),
        limit("write_id", WRITE_ID_BYTES_MAX, "KM0005", |n| write_with(json!({"write_id": x(n)}))),
        limit("source.actor", SOURCE_BYTES_MAX, "KM0005", |n| write_with(json!({"source": {"actor": x(n)}}))),
        limit("source.service", SOURCE_BYTES_MAX, "KM0005", |n| {
            write_with(json!({"source": {"service": x(n)}}))
        }),
        limit("source.url", SOURCE_BYTES_MAX, "KM0005", |n| write_with(json!({"source": {"url": x(n)}}))),
        limit("metadata", NESTING_MAX, "KM0007", |n| write_with(json!({"metadata": nested(n)}))),
        limit("metadata", NESTING_MAX, "KM0007", |n| write_with(json!({"metadata": {"a": lists(n - 1)}}))),
        limit("occurred_at", FUTURE_SECONDS_MAX.unsigned_abs() as usize, "KM0013", |n| {
            // The clock goes on while the request is on its way.
            let beyond = i64::try_from(n).unwrap() > FUTURE_SECONDS_MAX;
            let seconds = i64::try_from(n).unwrap() + if beyond { 60 } else { 0 };
            write_with(json!({"occurred_at": ahead(seconds)}))
        }),
    ]
}

pub(crate) fn one_past_each_limit() -> Vec<Case> {
    let past = |limit: Limit| {
        let body = (limit.write)(limit.max + 1).to_string();
        case("one past the limit", Call::post("/v1/writes", body), limit.code, &limit.field)
    };
    limits().into_iter().map(past).collect()
}

/// A NUL in each field that holds text.
pub(crate) fn with_nul() -> Vec<Case> {
    let nul = "a\0b";
    let fields = ["title", "content", "incident_id", "approval_id", "execution_id", "playbook", "entry_type"];
    let plain = fields.iter().map(|field| write("NUL", json!({*field: nul}), "KM0008", field));
    let source = ["actor", "service", "url"]
        .map(|part| write("NUL", json!({"source": {part: nul}}), "KM0008", &format!("source.{part}")));
    plain
        .chain(source)
        .chain([
            write("NUL", json!({"tags": ["a", nul]}), "KM0008", "tags[1]"),
            write("NUL", json!({"labels": {"x": nul}}), "KM0008", "labels.x"),
            write("NUL", json!({"labels": {nul: "x"}}), "KM0008", "labels.a\0b"),
            write("NUL", json!({"metadata": {"x": [{"y": nul}]}}), "KM0008", "metadata"),
            write("NUL", json!({"metadata": {nul: 1}}), "KM0008", "metadata"),
            write("NUL", json!({"write_id": nul}), "KM0009", "write_id"),
        ])
        .collect()
}

fn x(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|nth| format!("n{nth}")).collect()
}

fn labels(names: Vec<String>) -> Map<String, Value> {
    names.into_iter().map(|name| (name, "x".into())).collect()
}

/// Objects in each other, so many.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({"a": inner}))
}

/// Lists in each other, so many.
fn lists(levels: usize) -> Value {
    (1..levels).fold(json!([]), |inner, _| json!([inner]))
}
