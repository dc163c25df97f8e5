//! An import of thousands of documents, English and Chinese: the labelled set where it lies beside the checkout,
//! else one of the same size that is made here.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use harness::http::encoded;
use harness::{Place, Server, items, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How many documents the labelled set has, and the made one too.
const DOCUMENTS: u64 = 4_696;
/// The largest page of hits.
const PAGE: usize = 100;
const LABELLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/ops");

/// A folder with the documents.
fn corpus(place: &Place) -> String {
    let files = ["corpus.jsonl", "corpus_bysa.jsonl"].map(|name| Path::new(LABELLED).join(name));
    if files.iter().all(|file| file.exists()) {
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            place.file(&format!("corpus/{}", file.file_name().unwrap().display()), &text);
        }
    } else {
        place.file("corpus/made.jsonl", &made());
    }
    place.path("corpus").to_str().unwrap().to_owned()
}

/// Documents of a kind that occurs, each with a word of its own.
fn made() -> String {
    let texts = [
        ("en", "Connection pool exhausted", "Raise max_connections, then restart the pooler of shard"),
        ("zh", "磁盘空间不足", "磁盘使用率过高，请清理日志并扩容，分片"),
        ("en", "Certificate expired", "Renew the certificate of the ingress with the operator of shard"),
        ("zh", "连接池耗尽", "数据库连接数达到上限，请重启连接池，分片"),
    ];
    (0..DOCUMENTS).zip(texts.iter().cycle()).fold(String::new(), |mut lines, (nth, (lang, title, text))| {
        let document = json!({"id": format!("made:{nth}"), "title": title, "text": format!("{text} s{nth}"), "lang": lang, "kind": "runbook"});
        writeln!(lines, "{document}").unwrap();
        lines
    })
}

/// Each document's id and its whole text, in small letters.
fn documents(folder: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(folder).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    let read = |line: &str| {
        let document: Value = serde_json::from_str(line).unwrap();
        (document["id"].as_str().unwrap().to_owned(), line.to_lowercase())
    };
    files.flat_map(|text| text.lines().map(read).collect::<Vec<_>>()).collect()
}

fn counts(tally: &Value) -> [u64; 4] {
    ["created", "replayed", "refused", "not_taken"].map(|name| tally[name].as_u64().unwrap())
}

/// The ids under which hits were imported.
fn found(server: &Server, words: &str) -> Vec<String> {
    let hits = server.get(&format!("/v1/search?limit={PAGE}&q={}", encoded(words)));
    let name = |hit: &Value| {
        let entry = &hit["entry"];
        entry["playbook"].as_str().or(entry["incident_id"].as_str()).unwrap().to_owned()
    };
    items(&hits["hits"]).iter().map(name).collect()
}

#[test]
fn everything_goes_in_and_a_second_run_only_replays_it() {
    let place = Place::new();
    let corpus = corpus(&place);
    assert_eq!(counts(&place.json(&["import", &corpus])), [DOCUMENTS, 0, 0, 0]);
    assert_eq!(counts(&place.json(&["import", &corpus])), [0, DOCUMENTS, 0, 0]);
    let verdict = place.json(&["verify"]);
    assert_eq!((&verdict["writes"], &verdict["broken"]), (&DOCUMENTS.into(), &0.into()));
}

#[test]
fn broken_lines_are_named_with_file_and_line_and_the_others_go_in() {
    let place = Place::new();
    let corpus = corpus(&place);
    let good = |nth: u64| json!({"id": format!("good:{nth}"), "title": "good", "text": "good"}).to_string();
    let lines =
        [good(1), "{ no write".to_owned(), good(2), String::new(), json!({"title": "whose?"}).to_string()];
    place.file("corpus/broken.jsonl", &lines.join("\n"));
    let ended = place.km(&["--json", "import", &corpus]);
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert_eq!(counts(&serde_json::from_str(&ended.out).unwrap()), [DOCUMENTS + 2, 0, 2, 0]);
    for line in ["broken.jsonl, line 2: ", "broken.jsonl, line 5: "] {
        assert!(ended.err.contains(line), "{line}: {}", ended.err);
    }
    assert_eq!(ended.err.matches("broken.jsonl").count(), 2, "{}", ended.err);
}

#[test]
fn chinese_words_of_two_characters_and_english_words_find_their_documents() {
    let place = Place::new();
    let corpus = corpus(&place);
    place.done(&["import", &corpus]);
    let (server, documents) = (place.serve(&[]), documents(&corpus));
    for word in ["磁盘", "连接", "重启", "扩容", "certificate", "connection", "restart"] {
        let holding = documents.iter().filter(|(_, text)| text.contains(word));
        let holding: HashSet<&str> = holding.map(|(id, _)| id.as_str()).collect();
        let found = found(&server, word).into_iter().filter(|id| holding.contains(id.as_str())).count();
        // The same words in other script, and other words for the same, are found too and take places.
        assert!(found >= holding.len().min(PAGE / 4) && found > 0, "{word}: {found} of {}", holding.len());
    }
}

#[test]
fn an_import_through_a_server_is_the_same() {
    let place = Place::new();
    let corpus = corpus(&place);
    let server = place.serve(&[]);
    let import = ["import", corpus.as_str(), "--url", &server.url];
    assert_eq!(counts(&place.json(&import)), [DOCUMENTS, 0, 0, 0]);
    assert_eq!(counts(&place.json(&import)), [0, DOCUMENTS, 0, 0]);
    assert_eq!(server.get("/v1/status")["store"]["entries"], DOCUMENTS);
}

#[test]
fn an_import_that_was_killed_is_completed_by_the_next() {
    let place = Place::new();
    let corpus = corpus(&place);
    let server = place.serve(&[]);
    let import = ["--json", "import", corpus.as_str(), "--url", &server.url];
    let mut killed = place.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let kept = || server.get("/v1/status")["store"]["entries"].as_u64().unwrap();
    until("a part is in", || (kept() > 200).then_some(()));
    kill_process(Pid::from_child(&killed), Signal::KILL).unwrap();
    assert!(!killed.wait().unwrap().success(), "it was killed on the way");
    let [created, replayed, refused, not_taken] = counts(&place.json(&import[1..]));
    assert_eq!((created + replayed, refused, not_taken), (DOCUMENTS, 0, 0));
    assert!(created > 0 && replayed > 0, "{created} {replayed}");
    assert_eq!(kept(), DOCUMENTS);
}

#[test]
fn an_import_into_a_directory_that_was_killed_is_completed_by_the_next() {
    let place = Place::new();
    let corpus = corpus(&place);
    let import = ["--json", "import", corpus.as_str()];
    let mut killed = place.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ledger = || fs::metadata(place.path("km-data/km.db-wal")).map_or(0, |file| file.len());
    until("a part is in", || (ledger() > 2_000_000).then_some(()));
    kill_process(Pid::from_child(&killed), Signal::KILL).unwrap();
    assert!(!killed.wait().unwrap().success(), "it was killed on the way");
    let [created, replayed, ..] = counts(&place.json(&import[1..]));
    assert_eq!(created + replayed, DOCUMENTS);
    assert!(created > 0 && replayed > 0, "{created} {replayed}");
}
