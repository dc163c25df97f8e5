//! Calls that cannot be served, whatever they bring.

use km_model::limits::{BATCH_BODY_BYTES_MAX, BATCH_WRITES_MAX, BODY_BYTES_MAX};
use serde_json::json;

use super::harness::http::Call;
use super::harness::{Place, Server};
use super::writes::write_with;
use super::{Case, case};

/// What has to be there before some calls can go wrong.
#[derive(Default)]
pub(crate) struct Prepared {
    /// A dead letter that was discarded.
    closed_letter: String,
}

/// Keeps a write under the write id `used`, and a letter that is decided.
pub(crate) fn prepare(server: &Server) -> Prepared {
    server.write(&write_with(json!({"write_id": "used"})));
    let parked = server.call(&Call::post("/v1/webhooks/alertmanager", "unreadable")).expect(202);
    let closed_letter = format!("/v1/dead-letters/{}", parked["parked"][0].as_str().unwrap());
    server.post(&format!("{closed_letter}:discard"), &json!({"reason": "of a test"})).expect(200);
    Prepared { closed_letter }
}

fn get(target: &str, code: &'static str, field: &str) -> Case {
    case(target, Call::get(target), code, field)
}

fn post(target: &str, body: &str, code: &'static str, field: &str) -> Case {
    case(&format!("{target} {body}"), Call::post(target, body), code, field)
}

/// Calls of a server without keys.
pub(crate) fn mistakes(prepared: &Prepared) -> Vec<Case> {
    let write = write_with(json!({})).to_string();
    let good = || Call::post("/v1/writes", write.as_str());
    let lines = format!("{write}\n").repeat(BATCH_WRITES_MAX + 1);
    let array = format!("[{}]", vec![write.as_str(); BATCH_WRITES_MAX + 1].join(","));
    let conflict = write_with(json!({"write_id": "used", "title": "other"})).to_string();
    let letter = prepared.closed_letter.as_str();
    let edit = json!({"payload": "x", "format": "write"}).to_string();
    let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n", BODY_BYTES_MAX + 1, " ".repeat(BODY_BYTES_MAX + 1));
    vec![
        post("/v1/writes", &conflict, "KM0014", "write_id"),
        case("too large by its own word", good().declaring(BODY_BYTES_MAX + 1), "KM0017", ""),
        case("too large", good().body(chunked).header("Transfer-Encoding", "chunked"), "KM0017", ""),
        case(
            "a batch too large",
            Call::post("/v1/writes:batch", "").declaring(BATCH_BODY_BYTES_MAX + 1),
            "KM0017",
            "",
        ),
        case(
            "a delivery too large",
            Call::post("/v1/webhooks/alertmanager", "").declaring(BATCH_BODY_BYTES_MAX + 1),
            "KM0017",
            "",
        ),
        case("too many lines", Call::post("/v1/writes:batch", lines), "KM0018", ""),
        case("too many items", Call::post("/v1/writes:batch", array), "KM0018", ""),
        post("/v1/writes:batch", "[1,", "KM0001", ""),
        case("text", good().header("Content-Type", "text/plain"), "KM0019", ""),
        case("a form", good().header("Content-Type", "application/x-www-form-urlencoded"), "KM0019", ""),
        case("undeclared", good().header("Content-Type", ""), "KM0019", ""),
        case("undeclared batch", Call::new("POST", "/v1/writes:batch").body("{}"), "KM0019", ""),
        case("a page wanted", good().header("Accept", "text/html"), "KM0020", ""),
        case("JSON not wanted", good().header("Accept", "application/json;q=0"), "KM0020", ""),
        case("a foreign host", good().header("Host", "km.example.net"), "KM0024", ""),
        case("a rebound host", good().header("Host", "127.0.0.1.nip.io:80"), "KM0024", ""),
        case("a foreign page", good().header("Origin", "https://example.net"), "KM0024", ""),
        case("a page of nowhere", good().header("Origin", "null"), "KM0024", ""),
        get("/v1/entries/00000000000000000000000000000000", "KM0025", ""),
        get("/v1/entries/no-id", "KM0025", ""),
        get("/v1/entries/00000000000000000000000000000000/revisions", "KM0025", ""),
        get("/v1/incidents/INC-0", "KM0025", ""),
        get("/v1/approvals/AP-0/incidents", "KM0025", ""),
        get("/v1/writes/never", "KM0025", ""),
        get("/v1/dead-letters/never", "KM0025", ""),
        get("/v1/redrives/never", "KM0025", ""),
        get("/errors/KM9999", "KM0025", ""),
        case("no such key", Call::new("DELETE", "/v1/keys/never"), "KM0025", ""),
        post("/v1/reconcilers/never:run", "{}", "KM0025", ""),
        post("/v1/dead-letters/never:redrive", "{}", "KM0025", ""),
        get("/v1/nothing", "KM0026", ""),
        get("/v1/writes/", "KM0026", ""),
        post("/v1/reconcilers/links:stop", "{}", "KM0026", ""),
        post("/v1/dead-letters/never:eat", "{}", "KM0026", ""),
        case("another method", Call::new("DELETE", "/v1/writes"), "KM0027", ""),
        case("another method", Call::new("PATCH", "/v1/keys"), "KM0027", ""),
        get("/v1/entries?cursor=what", "KM0028", ""),
        get("/v1/writes?after=-1", "KM0028", ""),
        get("/v1/search?q=x&cursor=what", "KM0028", ""),
        get("/v1/dead-letters?cursor=what", "KM0028", ""),
        get("/v1/search", "KM0029", "q"),
        get("/v1/search?q=", "KM0029", "q"),
        get("/v1/search?q=x&sort=age", "KM0029", "sort"),
        get("/v1/search?q=x&q=y", "KM0029", "q"),
        get("/v1/entries?limit=0", "KM0029", "limit"),
        get("/v1/entries?limit=101", "KM0029", "limit"),
        get("/v1/entries?limit=few", "KM0029", "limit"),
        get("/v1/entries?path=nowhere", "KM0029", "path"),
        get("/v1/entries?occurred_from=then", "KM0029", "occurred_from"),
        get("/v1/entries?tag=a%00b", "KM0029", "tag"),
        get("/v1/dead-letters?state=lost", "KM0029", "state"),
        post("/v1/keys", r#"{"name":"x","scopes":["all"]}"#, "KM0010", "scopes[0]"),
        post("/v1/keys", r#"{"name":"x","scopes":[]}"#, "KM0003", "scopes"),
        post("/v1/keys", r#"{"name":"","scopes":["read"]}"#, "KM0003", "name"),
        post("/v1/keys", r#"{"name":"x","tenant":"No","scopes":["read"]}"#, "KM0009", "tenant"),
        post("/v1/redrives", r#"{"rate_per_second":0}"#, "KM0009", "rate_per_second"),
        post("/v1/redrives", r#"{"state":"lost"}"#, "KM0010", "state"),
        case(
            "an unknown policy",
            Call::new("PUT", "/v1/policy")
                .body(r#"{"policy":"x"}"#)
                .header("Content-Type", "application/json"),
            "KM0010",
            "policy",
        ),
        post(&format!("{letter}:redrive"), "{}", "KM0030", ""),
        post(&format!("{letter}:discard"), r#"{"reason":"again"}"#, "KM0030", ""),
        post(&format!("{letter}:edit"), &edit, "KM0030", ""),
        post(&format!("{letter}:discard"), r#"{"reason":" "}"#, "KM0003", "reason"),
        post(&format!("{letter}:edit"), r#"{"payload":"x","format":"y"}"#, "KM0010", "format"),
    ]
}

/// One key of each kind.
pub(crate) struct Keys {
    reads: String,
    writes: String,
    revoked: String,
}

impl Keys {
    pub(crate) fn new(place: &Place) -> Self {
        let revoked = place.key(&["admin"]);
        let id = revoked.split('_').nth(1).unwrap();
        place.done(&["keys", "revoke", id]);
        Self { reads: place.key(&["read"]), writes: place.key(&["write"]), revoked }
    }
}

/// Calls of a server with keys.
pub(crate) fn refused(keys: &Keys) -> Vec<Case> {
    let write = || Call::post("/v1/writes", write_with(json!({})).to_string());
    let search = || Call::get("/v1/search?q=x");
    let cut = &keys.reads[..keys.reads.len() - 1];
    vec![
        case("no key", write(), "KM0022", ""),
        case("no key, on this machine", search().header("Host", "localhost"), "KM0022", ""),
        case("no known key", search().key("km_000000000000_0"), "KM0022", ""),
        case("no key of km", search().key("secret"), "KM0022", ""),
        case("another scheme", search().header("Authorization", "Basic a206a20="), "KM0022", ""),
        case("a part of a key", search().key(cut), "KM0022", ""),
        case("a revoked key", search().key(&keys.revoked), "KM0022", ""),
        case("a reader writes", write().key(&keys.reads), "KM0023", ""),
        case("a writer reads", search().key(&keys.writes), "KM0023", ""),
        case("a reader works letters", Call::get("/v1/dead-letters").key(&keys.reads), "KM0023", ""),
        case("a writer makes keys", Call::get("/v1/keys").key(&keys.writes), "KM0023", ""),
    ]
}
