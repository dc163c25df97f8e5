//! What somebody new meets: the demo, the help, the pages of the codes, the configuration.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use harness::Place;
use serde_json::Value;

#[test]
fn the_demo_shows_search_chain_and_the_lines_to_repeat_it() {
    let place = Place::new();
    let shown = place.done(&["demo", "--once"]);
    for part in [
        "http://127.0.0.1:",
        "Have we seen this before?",
        "In Chinese",
        "One incident, with everything that is tied to it",
        "curl '",
        "km-demo-1",
    ] {
        assert!(shown.to_lowercase().contains(&part.to_lowercase()), "{part}: {shown}");
    }
    assert!(shown.matches("why: ").count() >= 2, "each question has a hit: {shown}");
    assert!(!shown.contains('\x1b'), "no colours where there is no terminal");
    let verdict = place.json(&["verify", "--data", "km-demo-1"]);
    assert_eq!(verdict["broken"], 0);
    assert!(verdict["writes"].as_u64().unwrap() > 10);
}

#[test]
fn the_demo_leaves_an_existing_store_alone() {
    let place = Place::new();
    place.write(&["--data", "mine"], "INC-1", "mine");
    assert_eq!(place.km(&["demo", "--once", "--dir", "mine"]).code, 2);
    assert_eq!(place.json(&["verify", "--data", "mine"])["writes"], 1);
}

#[test]
fn every_code_is_explained() {
    let place = Place::new();
    let codes = place.json(&["explain"]);
    let codes = codes.as_array().unwrap();
    assert!(codes.len() > 10);
    for code in codes {
        let id = code["code"].as_str().unwrap();
        let page = place.done(&["explain", &id.to_lowercase()]);
        assert!(page.contains(id) && page.contains(code["title"].as_str().unwrap()), "{page}");
    }
}

#[test]
fn there_are_completions_for_every_usual_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(place.done(&["completions", shell]).contains("dead-letters"), "{shell}");
    }
}

#[test]
fn the_configuration_says_where_each_value_comes_from() {
    let place = Place::new();
    place.file("km.toml", "[queue]\nwrites-max = 7\n");
    let mut command = place.command(&["--json", "config", "print", "--data", "elsewhere"]);
    let output = command.env("KM__LOG__LEVEL", "debug").output().unwrap();
    let values: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (key, value, source) in [
        ("queue.writes-max", Value::from(7), "km.toml"),
        ("log.level", Value::from("debug"), "KM__LOG__LEVEL"),
        ("data.dir", Value::from("elsewhere"), "--data"),
        ("http.listen", Value::from("127.0.0.1:8787"), "default"),
    ] {
        assert_eq!((&values[key]["value"], &values[key]["source"]), (&value, &source.into()), "{key}");
    }
}

#[test]
fn a_printed_configuration_is_one_that_km_reads() {
    let place = Place::new();
    let printed = place.done(&["config", "print"]);
    let file = place.file("printed.toml", &printed);
    assert_eq!(place.km(&["config", "check", &file]).code, 0);
}

#[test]
fn a_wrong_configuration_is_refused_with_file_key_and_reason() {
    let place = Place::new();
    let file = place.file("wrong.toml", "[queue]\nwrites-max = 0\n");
    let ended = place.km(&["config", "check", &file]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("wrong.toml: `queue.writes-max`: "), "{}", ended.err);
    assert_eq!(place.km(&["--config", &file, "status"]).code, 2);
    assert_eq!(place.km(&["--config", &file, "doctor"]).code, 1);
}
