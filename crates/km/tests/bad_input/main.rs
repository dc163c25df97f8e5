//! Whatever is wrong with a request, the answer is a problem document that says what: its code, its status,
//! whether to try again, and the field. Every code is provoked here, or named as out of a caller's reach.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod calls;
#[path = "../harness/mod.rs"]
mod harness;
mod settings;
mod writes;

use std::collections::{BTreeMap, BTreeSet};

use harness::http::{Answer, Call};
use harness::{Place, items};
use km_model::limits::{BATCH_BODY_BYTES_MAX, BATCH_WRITES_MAX, BODY_BYTES_MAX, METADATA_BYTES_MAX};
use serde_json::{Value, json};

/// A request, the code that answers it, and the field that is named; none where it is empty.
struct Case {
    what: String,
    call: Call,
    code: &'static str,
    field: String,
}

fn case(what: &str, call: Call, code: &'static str, field: &str) -> Case {
    Case { what: what.to_owned(), call, code, field: field.to_owned() }
}

/// Codes that only a failing disk, a failing store, an end at the right instant or a fault of km's brings about.
const OUT_OF_REACH: [&str; 7] = ["KM0016", "KM0034", "KM0035", "KM0036", "KM0037", "KM0039", "KM0041"];

/// What is told about the codes, by code.
fn explained(place: &Place) -> BTreeMap<String, Value> {
    let codes = place.json(&["explain"]);
    let problems = items(&codes).iter().filter(|code| code["code"].as_str().unwrap().starts_with("KM"));
    problems.map(|code| (code["code"].as_str().unwrap().to_owned(), code.clone())).collect()
}

/// Whether an answer is the problem that it should be; webhooks are answered 503 where others get another status.
fn assert_problem(told: &BTreeMap<String, Value>, case: &Case, answer: &Answer) {
    let (what, told) = (&case.what, &told[case.code]);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}: {answer:?}");
    let problem = answer.json();
    assert_eq!(problem["code"], case.code, "{what}: {problem:#}");
    let webhook = case.call.target.starts_with("/v1/webhooks/") && problem["retryable"] == true;
    let status = if webhook { &json!(503) } else { &told["status"] };
    assert_eq!((&json!(answer.status), &problem["status"]), (status, status), "{what}: {problem:#}");
    assert_eq!(problem["retryable"], told["retryable"], "{what}: {problem:#}");
    assert_eq!(problem["title"], told["title"], "{what}");
    assert_eq!(problem["type"], format!("/errors/{}", case.code), "{what}");
    let later = problem["retryable"] == true && answer.status != 400;
    assert_eq!(answer.header("retry-after").is_some(), later, "{what}: {answer:?}");
    let fields: Vec<_> = items(&problem["errors"]).iter().map(|error| &error["field"]).collect();
    assert_eq!(fields.first().map_or("", |field| field.as_str().unwrap()), case.field, "{what}: {problem:#}");
}

fn assert_problems(place: &Place, server: &harness::Server, cases: &[Case]) {
    let told = explained(place);
    cases.iter().for_each(|case| assert_problem(&told, case, &server.call(&case.call)));
}

#[test]
fn every_mistake_in_a_write_is_named() {
    let place = Place::new();
    let server = place.serve(&[]);
    assert_problems(&place, &server, &writes::mistakes());
    assert_eq!(server.get("/v1/writes")["writes"], json!([]), "nothing of it was kept");
}

#[test]
fn every_limit_is_taken_exactly_at_it() {
    let place = Place::new();
    let server = place.serve(&[]);
    for limit in writes::limits() {
        let answer = server.post("/v1/writes", &(limit.write)(limit.max));
        assert!(matches!(answer.status, 200 | 201), "{} {}: {answer:?}", limit.field, limit.max);
    }
}

#[test]
fn every_limit_is_refused_one_past_it() {
    let place = Place::new();
    let server = place.serve(&[]);
    assert_problems(&place, &server, &writes::one_past_each_limit());
}

#[test]
fn a_nul_is_refused_in_every_field() {
    let place = Place::new();
    let server = place.serve(&[]);
    assert_problems(&place, &server, &writes::with_nul());
}

#[test]
fn every_call_that_cannot_be_served_says_why() {
    let place = Place::new();
    let server = place.serve(&[]);
    let cases = calls::mistakes(&calls::prepare(&server));
    assert_problems(&place, &server, &cases);
}

#[test]
fn a_call_without_a_key_that_allows_it_is_refused() {
    let place = Place::new();
    let keys = calls::Keys::new(&place);
    let server = place.serve(&[]);
    let cases = calls::refused(&keys);
    assert_problems(&place, &server, &cases);
    let unauthenticated = server.call(&cases[0].call);
    assert_eq!(unauthenticated.header("www-authenticate"), Some("Bearer"));
}

#[test]
fn every_limit_of_a_server_is_told_when_it_is_reached() {
    for (code, field, provoke) in settings::REACHED {
        let place = Place::new();
        let (call, answer) = provoke(&place);
        let case = case("a limit of the server", call, code, field);
        assert_problem(&explained(&place), &case, &answer);
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let place = Place::new();
    let server = place.serve(&[]);
    for (target, right) in
        [("/v1/writes", "GET,HEAD,POST"), ("/v1/search", "GET,HEAD"), ("/healthz", "GET,HEAD")]
    {
        let answer = server.call(&Call::new("DELETE", target));
        let mut told: Vec<&str> = answer.header("allow").unwrap().split(',').collect();
        told.sort();
        assert_eq!((answer.status, told.join(",").as_str()), (405, right), "{target}");
    }
}

#[test]
fn a_field_that_stands_twice_is_named() {
    let place = Place::new();
    let server = place.serve(&[]);
    let twice = Call::post("/v1/writes", r#"{"title":"a","title":"b"}"#);
    assert_problems(&place, &server, &[case("a field twice", twice, "KM0002", "title")]);
}

/// How metadata whose JSON is about so long is answered.
fn with_metadata(place: &Place, item: &Value, bytes: usize) -> Answer {
    let items = vec![item; bytes / (item.to_string().len() + 1)];
    place.serve(&[]).post("/v1/writes", &writes::write_with(json!({"metadata": {"a": items}})))
}

#[test]
fn metadata_of_words_is_taken_up_to_its_limit() {
    let (place, words) = (Place::new(), json!("w".repeat(999)));
    assert_eq!(with_metadata(&place, &words, METADATA_BYTES_MAX - 1_000).status, 201);
    let problem = with_metadata(&place, &words, METADATA_BYTES_MAX + 1_010).expect(422);
    assert_eq!((&problem["code"], &problem["errors"][0]["field"]), (&"KM0005".into(), &"metadata".into()));
}

#[test]
fn metadata_is_measured_by_the_bytes_of_its_json() {
    for item in [json!([]), json!(0), json!("\u{1}"), json!("\"")] {
        let place = Place::new();
        assert_eq!(with_metadata(&place, &item, METADATA_BYTES_MAX - 100).status, 201, "{item}");
        assert_eq!(with_metadata(&place, &item, METADATA_BYTES_MAX + 100).status, 422, "{item}");
    }
}

#[test]
fn metadata_of_any_depth_beyond_the_limit_is_too_deep() {
    let place = Place::new();
    let server = place.serve(&[]);
    for levels in [100, 126, 127, 128, 200, 10_000] {
        let nested = format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let body =
            format!(r#"{{"path":"incident_resolve","incident_id":"I","title":"x","metadata":{nested}}}"#);
        let deep = case(&format!("{levels} levels"), Call::post("/v1/writes", body), "KM0007", "metadata");
        assert_problems(&place, &server, &[deep]);
    }
}

#[test]
fn a_time_outside_the_years_1_to_9999_is_malformed() {
    let place = Place::new();
    let server = place.serve(&[]);
    for time in ["0000-12-31T23:59:59Z", "-000001-01-01T00:00:00Z"] {
        let body = writes::write_with(json!({"occurred_at": time})).to_string();
        let call = Call::post("/v1/writes", body);
        assert_problems(&place, &server, &[case(time, call, "KM0009", "occurred_at")]);
    }
}

#[test]
fn a_filter_that_is_not_text_is_refused() {
    let place = Place::new();
    let server = place.serve(&[]);
    let answer = server.call(&Call::get("/v1/entries?tag=%FF"));
    assert_eq!(answer.expect(400)["code"], "KM0029");
}

#[test]
fn a_list_is_no_write() {
    let place = Place::new();
    let server = place.serve(&[]);
    let by_position = json!([
        null,
        null,
        "content",
        null,
        null,
        "INC-1",
        null,
        null,
        null,
        "incident_resolve",
        null,
        null,
        null,
        "title",
        null
    ]);
    let list = case("a list", Call::post("/v1/writes", by_position.to_string()), "KM0002", ".");
    assert_problems(&place, &server, &[list]);
}

/// A text with white space at its end, up to this length.
fn padded(text: &str, bytes: usize) -> String {
    text.to_owned() + &" ".repeat(bytes - text.len())
}

#[test]
fn a_body_is_taken_at_its_limit() {
    let place = Place::new();
    let server = place.serve(&[]);
    let write = writes::write_with(json!({})).to_string();
    assert_eq!(server.call(&Call::post("/v1/writes", padded(&write, BODY_BYTES_MAX))).status, 201);
    let batch = padded(&format!("{write}\n"), BATCH_BODY_BYTES_MAX);
    assert_eq!(server.call(&Call::post("/v1/writes:batch", batch)).lines().len(), 1);
}

#[test]
fn a_batch_is_taken_at_its_limit_and_answered_in_order() {
    let place = Place::new();
    let server = place.serve(&[]);
    let id = |nth: usize| format!("w-{nth}");
    let lines = (0..BATCH_WRITES_MAX).map(|nth| writes::write_with(json!({"write_id": id(nth)})).to_string());
    let body = lines.collect::<Vec<_>>().join("\n");
    let answers = server.call(&Call::post("/v1/writes:batch", body)).lines();
    assert_eq!(answers.len(), BATCH_WRITES_MAX);
    (0..).zip(&answers).for_each(|(nth, answer)| assert_eq!(answer["receipt"]["write_id"], id(nth)));
}

#[test]
fn one_bad_write_of_a_batch_is_its_own_problem_and_the_others_go_in() {
    let place = Place::new();
    let server = place.serve(&[]);
    let good = |incident: &str| writes::write_with(json!({"incident_id": incident})).to_string();
    let long = padded(&good("LONG"), BODY_BYTES_MAX) + "!";
    let bad = ["{", r#"{"path":"incident_resolve","title":"whose?"}"#, r#"{"titel":"x"}"#, "7", &long];
    let codes = ["KM0001", "KM0003", "KM0002", "KM0002", "KM0017"];
    let pair = |(nth, bad): (usize, &&str)| [(*bad).to_owned(), good(&format!("AFTER-{nth}"))];
    let lines: Vec<String> = bad.iter().enumerate().flat_map(pair).collect();
    let answers = server.call(&Call::post("/v1/writes:batch", lines.join("\n"))).lines();
    assert_eq!(answers.len(), lines.len());
    for (pair, code) in answers.chunks(2).zip(codes) {
        assert_eq!(pair[0]["problem"]["code"], code, "{}", pair[0]);
        assert_eq!(pair[1]["outcome"], "created", "{}", pair[1]);
    }
    assert_eq!(items(&server.get("/v1/entries")["entries"]).len(), bad.len());
}

#[test]
fn a_refused_write_leaves_the_server_as_it_was() {
    let place = Place::new();
    let server = place.serve(&[]);
    let refused = writes::mistakes().into_iter().chain(writes::one_past_each_limit());
    refused.for_each(|case| assert!((400..500).contains(&server.call(&case.call).status), "{}", case.what));
    assert_eq!(server.get("/v1/status")["health"], "ready");
    assert_eq!(server.write(&writes::write_with(json!({})))["outcome"], "created");
}

#[test]
fn every_code_is_provoked_or_out_of_reach() {
    let place = Place::new();
    let keys = calls::Keys::new(&place);
    let tables = [
        writes::mistakes(),
        writes::one_past_each_limit(),
        writes::with_nul(),
        calls::mistakes(&calls::Prepared::default()),
        calls::refused(&keys),
    ];
    let provoked = tables.iter().flatten().map(|case| case.code);
    let reached = settings::REACHED.iter().map(|(code, ..)| *code);
    let provoked: BTreeSet<&str> = provoked.chain(reached).collect();
    let all = explained(&place);
    let missing: Vec<&str> = all.keys().map(String::as_str).filter(|code| !provoked.contains(code)).collect();
    assert_eq!(missing, OUT_OF_REACH);
}
