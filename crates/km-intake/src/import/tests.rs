//! Files as people write them.

use km_model::{PathKind, Write};
use proptest::prelude::*;

use super::*;

fn page(name: &str, text: &str) -> Write {
    markdown(name, text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}")).write
}

#[test]
fn a_runbook_is_named_by_its_path_and_its_alert_by_its_file() {
    let write = page("runbooks/node/NodeDiskFull.md", "# Node disk full\n\n## Mitigation\n\nClean up.\n");
    assert_eq!(write.path.kind(), PathKind::PlaybookExtract);
    assert_eq!(write.playbook.as_ref().map(AsRef::as_ref), Some("runbooks/node/NodeDiskFull"));
    assert_eq!(
        (write.title.as_str(), write.labels["alertname"].as_str()),
        ("Node disk full", "NodeDiskFull")
    );
    assert_eq!(write.tags, ["NodeDiskFull"]);
}

#[test]
fn a_post_mortem_is_told_by_type_folder_or_headings() {
    let by_type = page("a.md", "---\ntype: Postmortem\nincident: INC-7\n---\n# Outage\n");
    assert_eq!(by_type.path.incident().map(AsRef::as_ref), Some("INC-7"));
    let by_folder = page("postmortems/2026-03-01-db.md", "# Outage\n");
    assert_eq!(by_folder.path.incident().map(AsRef::as_ref), Some("postmortems/2026-03-01-db"));
    let by_headings = page("x.md", "# 数据库故障复盘\n\n## 时间线\n\n## 根因\n\n磁盘已满\n");
    assert_eq!(by_headings.path.kind(), PathKind::IncidentResolve);
    let runbook = page("incidents/x.md", "---\ntype: runbook\n---\n# Not one\n");
    assert_eq!(runbook.path.kind(), PathKind::PlaybookExtract);
}

#[test]
fn real_files_have_marks_of_other_editors() {
    let write = page(
        "a.md",
        "\u{feff}---\r\ntitle: \"A: b\"\r\ntags: [x, z]\r\nalerts:\r\n  - OneAlert\r\n  - TwoAlert\r\n---\r\nText\r\nmore\r\n",
    );
    assert_eq!((write.title.as_str(), write.content.as_str()), ("A: b", "Text\nmore"));
    assert_eq!(write.tags, ["x", "z", "OneAlert", "TwoAlert"]);
    assert_eq!(page("dir/no heading.md", "just text").title, "no heading");
    assert_eq!(page("a.md", "Setext\n======\n\ntext").title, "Setext");
    assert_eq!(page("a.md", "```\n# not a heading\n```\n\n# Heading #\n").title, "Heading");
    assert_eq!(page("a.md", "---\nnever closed\n").content, "---\nnever closed");
}

#[test]
fn the_dates_of_a_document_are_kept_and_are_no_version() {
    let named = page("postmortems/2026-03-01-db.md", "# Outage\n");
    let told = page("a.md", "---\ndate: 2026-03-02\nlastmod: 2026-03-03T10:00:00+01:00\n---\n# Outage\n");
    let vague = page("a.md", "---\ndate: early March\n---\n# Outage\n");
    let line = jsonl(br#"{"id": "i", "text": "x", "occurred_at": "2026-03-04", "updated_at": "5 March"}"#)
        .unwrap_or_else(|error| panic!("{error}"))
        .write;
    for write in [&named, &told, &vague, &line] {
        assert_eq!(write.occurred_at, None);
    }
    assert_eq!(named.metadata.0["document_date"], "2026-03-01T00:00:00Z");
    assert_eq!(told.metadata.0["document_date"], "2026-03-02T00:00:00Z");
    assert_eq!(told.metadata.0["document_updated"], "2026-03-03T09:00:00Z");
    assert_eq!(vague.metadata.0["document_date"], "early March");
    assert_eq!(
        (&line.metadata.0["document_date"], &line.metadata.0["updated_at"]),
        (&"2026-03-04".into(), &"5 March".into())
    );
}

#[test]
fn two_long_paths_are_two_playbooks() {
    let slug = |end: &str| page(&format!("{}/{end}.md", "deep/".repeat(60)), "# t\n").playbook;
    assert_ne!(slug("a"), slug("b"));
}

fn refusal(bytes: &[u8]) -> String {
    markdown("a.md", bytes).map_or_else(|error| error.to_string(), |_| "taken".to_owned())
}

#[test]
fn a_broken_file_is_named_with_its_line() {
    assert_eq!(refusal(b"# ok\nline \xff"), "line 2: not UTF-8: byte 6 of the line");
    assert!(refusal(b"# ok\n\nnul \0").starts_with("line 3: holds the control character U+0000"));
    assert!(
        refusal(b"---\ntitle: ok\nbad: [1\n---\ntext").contains("front matter"),
        "{}",
        refusal(b"---\ntitle: ok\nbad: [1\n---\ntext")
    );
    assert!(refusal(b" \n").contains("empty"));
    assert!(refusal("x".repeat(limits::CONTENT_BYTES_MAX + 1).as_bytes()).contains("262144"));
    assert_eq!(refusal("x".repeat(limits::CONTENT_BYTES_MAX).as_bytes()), "taken");
}

#[test]
fn lines_are_documents_or_writes() {
    let read = |line: &str| jsonl(line.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let faq = read(
        r#"{"id": "faq:1", "title": "How?", "text": "So.", "lang": "en", "kind": "faq", "source": "a/b@c:d", "licence": "MIT"}"#,
    );
    assert_eq!(faq.write.playbook.as_ref().map(AsRef::as_ref), Some("faq:1"));
    assert_eq!(faq.write.source.url.as_deref(), Some("a/b@c:d"));
    assert_eq!(faq.write.metadata.0["licence"], "MIT");
    let incident = read(r#"{"id": "i-1", "title": "Outage", "content": "x", "kind": "postmortem"}"#);
    assert_eq!(incident.write.path.kind(), PathKind::IncidentResolve);
    let own = read(r#"{"path": "incident_resolve", "incident_id": "I", "title": "t", "write_id": "w"}"#);
    assert_eq!(own.write_id.as_ref().map(AsRef::as_ref), Some("w"));
    let refused =
        |line: &str| jsonl(line.as_bytes()).map_or_else(|error| error.to_string(), |_| "taken".to_owned());
    assert!(refused(r#"{"title": "no id"}"#).contains("neither"));
    assert!(refused(r#"{"id": "1", "#).contains("EOF"));
    assert!(refused(r#"{"path": "incident_resolve", "titel": "t"}"#).contains("titel"));
}

#[test]
fn only_files_that_are_meant_are_taken() {
    assert_eq!(classify(Path::new("a/b.MD")), Some(Format::Markdown));
    assert_eq!(classify(Path::new("a.ndjson")), Some(Format::JsonLines));
    assert_eq!(classify(Path::new("a.png")), None);
    assert_eq!(classify(Path::new("Makefile")), None);
}

proptest! {
    #[test]
    fn every_text_is_taken_or_refused(name in "[a-zA-Z/.]{1,20}", text in "(---\n)?(\\PC{0,20}\n){0,6}(---\n)?\\PC{0,40}") {
        match markdown(&name, text.as_bytes()) {
            Ok(request) => prop_assert!(Write::try_from(km_model::WriteDocument::from(&request.write)).is_ok()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(markdown("a.md", &bytes));
        prop_assert!(jsonl(&bytes).is_err());
    }
}
