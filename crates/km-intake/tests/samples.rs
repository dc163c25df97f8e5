//! Everything the project ships as a sample, and everything the labelled set holds, is taken.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::fs;
use std::path::Path;

use km_intake::import::{jsonl, markdown};
use km_intake::{alertmanager, json};
use km_model::PathKind;

fn samples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples"))
}

fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder_path = samples().join(folder);
    let named = |entry: fs::DirEntry| format!("{folder}/{}", entry.file_name().to_string_lossy());
    let read = |name: String| (name.clone(), fs::read(samples().join(&name)).unwrap());
    fs::read_dir(folder_path).unwrap().map(|entry| read(named(entry.unwrap()))).collect()
}

#[test]
fn the_sample_runbooks_and_post_mortems_are_taken_as_such() {
    for (folder, path, count) in
        [("runbooks", PathKind::PlaybookExtract, 15), ("postmortems", PathKind::IncidentResolve, 8)]
    {
        let files = files(folder);
        assert_eq!(files.len(), count);
        for (name, bytes) in files {
            let write = markdown(&name, &bytes).unwrap_or_else(|error| panic!("{name}: {error}")).write;
            assert_eq!(write.path.kind(), path, "{name}");
            assert!(write.metadata.0.contains_key("licence"), "{name}");
        }
    }
}

#[test]
fn the_sample_alerts_and_writes_are_taken() {
    for (name, bytes) in files("alerts") {
        assert_eq!(
            alertmanager::read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")).alerts.len(),
            1
        );
    }
    let writes = fs::read(samples().join("writes.jsonl")).unwrap();
    let (_, items) = json::items(&writes).unwrap();
    assert_eq!(items.len(), 4);
    items.into_iter().for_each(|item| drop(json::read(item).unwrap()));
}

/// The labelled set is not part of the project; where it lies beside it, all of it has to be taken.
#[test]
fn every_document_of_the_labelled_set_is_taken() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/ops"));
    let expected = [("corpus.jsonl", 4_186), ("corpus_bysa.jsonl", 510)];
    for (name, count) in expected.iter().filter(|(name, _)| folder.join(name).exists()) {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        for (at, line) in text.lines().enumerate() {
            jsonl(line.as_bytes()).unwrap_or_else(|error| panic!("{at}: {error}"));
        }
        assert_eq!(text.lines().count(), *count);
    }
}
