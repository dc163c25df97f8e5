//! Limits of a server that only its settings, or a slow caller, bring within reach.

use std::io::Write;
use std::thread;

use serde_json::json;

use super::harness::http::{Answer, Call};
use super::harness::{Place, until};
use super::writes::write_with;

/// A request, and how it was answered.
type Answered = (Call, Answer);

/// What brings a server to one of its limits.
type Provoke = fn(&Place) -> Answered;

/// The code of each, the field that is named, and what provokes it.
pub(crate) const REACHED: [(&str, &str, Provoke); 6] = [
    ("KM0021", "", broken_body),
    ("KM0031", "", full_queue),
    ("KM0032", "", fast_key),
    ("KM0033", "", busy_server),
    ("KM0038", "", full_letters),
    ("KM0040", "", slow_caller),
];

fn write() -> Call {
    Call::post("/v1/writes", write_with(json!({})).to_string())
}

fn broken_body(place: &Place) -> Answered {
    let server = place.serve(&[]);
    let call = write().header("Transfer-Encoding", "chunked").body("5\r\n{\"pat\r\nno chunk\r\n");
    let answer = server.call(&call);
    (call, answer)
}

/// Callers without end, until one of them is told that the queue is full.
fn full_queue(place: &Place) -> Answered {
    let server = place.serve_with(0, &[("KM__QUEUE__WRITES_MAX", "1")]);
    let call = |caller: u32| write().header("Idempotency-Key", &format!("caller-{caller}"));
    let answer = until("a write is refused", || {
        let answers = thread::scope(|scope| {
            let callers = (0..16).map(|caller| {
                scope.spawn({
                    let server = &server;
                    move || server.call(&call(caller))
                })
            });
            let callers: Vec<_> = callers.collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect::<Vec<_>>()
        });
        answers.into_iter().find(|answer| answer.status == 429)
    });
    (call(0), answer)
}

fn fast_key(place: &Place) -> Answered {
    let key = place.key(&["read"]);
    let limits = [("KM__HTTP__REQUESTS_PER_SECOND", "1"), ("KM__HTTP__REQUEST_BURST", "1")];
    let server = place.serve_with(0, &limits);
    let call = Call::get("/v1/status").key(&key);
    let answer =
        until("a call comes too early", || Some(server.call(&call)).filter(|answer| answer.status != 200));
    (call, answer)
}

/// One caller takes the only place and says nothing more.
fn busy_server(place: &Place) -> Answered {
    let server = place.serve_with(0, &[("KM__HTTP__REQUESTS_IN_FLIGHT_MAX", "1")]);
    let call = Call::get("/v1/status");
    let answer = until("the place is taken", || {
        let _held = write().declaring(100).begin(&server.host()).unwrap();
        Some(server.call(&call)).filter(|answer| answer.status != 200)
    });
    (call, answer)
}

fn full_letters(place: &Place) -> Answered {
    let server = place.serve_with(0, &[("KM__DEAD_LETTERS__COUNT_MAX", "1")]);
    let unreadable = |body: &str| Call::post("/v1/webhooks/alertmanager", body);
    server.call(&unreadable("the first")).expect(202);
    let call = unreadable("the second");
    let answer = server.call(&call);
    (call, answer)
}

fn slow_caller(place: &Place) -> Answered {
    let server = place.serve_with(0, &[("KM__HTTP__REQUEST_TIMEOUT", "100ms")]);
    let call = Call::post("/v1/writes", "").declaring(100);
    let mut stream = call.begin(&server.host()).unwrap();
    stream.write_all(b"{").unwrap();
    (call, Answer::read(stream).unwrap())
}
