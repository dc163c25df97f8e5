//! Every rule at its limit and one past it, and the canonical form.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::limits::ID_BYTES_MAX;

fn resolve() -> WriteDocument {
    WriteDocument {
        path: Some("incident_resolve".into()),
        incident_id: Some("INC-1".into()),
        title: Some("db full".into()),
        ..WriteDocument::default()
    }
}

fn fields(document: WriteDocument) -> Vec<String> {
    match Write::try_from(document) {
        Ok(_) => Vec::new(),
        Err(violations) => violations.into_iter().map(|violation| violation.field.into_owned()).collect(),
    }
}

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn a_path_must_bring_what_it_is_about() {
    let cases = [
        (json!({"path": "incident_resolve", "title": "t"}), vec!["incident_id"]),
        (json!({"path": "approval_manual", "title": "t"}), vec!["approval_id"]),
        (json!({"path": "approval_manual", "title": "t", "incident_id": "I"}), vec![]),
        (json!({"path": "approval_auto_ok", "title": "t", "approval_id": "P"}), vec![]),
        (json!({"path": "playbook_extract", "title": "t"}), vec![]),
        (json!({"path": "resolve", "title": "t"}), vec!["path"]),
        (json!({"title": "t"}), vec!["path"]),
        (json!({"path": "incident_resolve", "incident_id": "I"}), vec!["content"]),
    ];
    for (body, broken) in cases {
        let document: WriteDocument = serde_json::from_value(body.clone()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(fields(document), broken, "{body}");
    }
}

#[test]
fn all_broken_fields_are_named_at_once() {
    let document = WriteDocument {
        path: Some("incident_resolve".into()),
        incident_id: Some("a\0".into()),
        occurred_at: Some("yesterday".into()),
        ..WriteDocument::default()
    };
    assert_eq!(fields(document), ["incident_id", "content", "occurred_at"]);
    let document =
        WriteDocument { occurred_at: Some("yesterday".into()), content: Some("\0".into()), ..resolve() };
    assert_eq!(fields(document), ["content", "occurred_at"]);
}

#[test]
fn title_and_content_are_taken_at_the_limit_and_refused_past_it() {
    let title = |bytes| WriteDocument { title: Some("t".repeat(bytes)), ..resolve() };
    assert_eq!(fields(title(TITLE_BYTES_MAX)), none());
    assert_eq!(fields(title(TITLE_BYTES_MAX + 1)), ["title"]);
    let content = |bytes| WriteDocument { content: Some("c".repeat(bytes)), ..resolve() };
    assert_eq!(fields(content(CONTENT_BYTES_MAX)), none());
    assert_eq!(fields(content(CONTENT_BYTES_MAX + 1)), ["content"]);
}

#[test]
fn tags_and_labels_are_taken_at_the_limit_and_refused_past_it() {
    let tags =
        |count| WriteDocument { tags: Some((0..count).map(|i| format!("t{i}")).collect()), ..resolve() };
    assert_eq!(fields(tags(TAGS_MAX)), none());
    assert_eq!(fields(tags(TAGS_MAX + 1)), ["tags"]);
    let long = |bytes| WriteDocument { tags: Some(vec!["t".repeat(bytes)]), ..resolve() };
    assert_eq!(fields(long(TAG_BYTES_MAX)), none());
    assert_eq!(fields(long(TAG_BYTES_MAX + 1)), ["tags[0]"]);
    let labels = |count| {
        let labels = (0..count).map(|i| (format!("l{i}"), "v".to_owned())).collect();
        WriteDocument { labels: Some(labels), ..resolve() }
    };
    assert_eq!(fields(labels(LABELS_MAX)), none());
    assert_eq!(fields(labels(LABELS_MAX + 1)), ["labels"]);
    let value =
        |bytes| WriteDocument { labels: Some([("name".to_owned(), "v".repeat(bytes))].into()), ..resolve() };
    assert_eq!(fields(value(LABEL_VALUE_BYTES_MAX)), none());
    assert_eq!(fields(value(LABEL_VALUE_BYTES_MAX + 1)), ["labels.name"]);
}

#[test]
fn label_names_are_taken_at_the_limit_and_refused_past_it() {
    let name =
        |bytes| WriteDocument { labels: Some([("n".repeat(bytes), "v".to_owned())].into()), ..resolve() };
    assert_eq!(fields(name(LABEL_NAME_BYTES_MAX)), none());
    assert_eq!(fields(name(LABEL_NAME_BYTES_MAX + 1)), [format!("labels.{}", "n".repeat(64))]);
    assert_eq!(fields(name(0)), ["labels"]);
}

#[test]
fn the_source_is_taken_at_the_limit_and_refused_past_it() {
    let all = |bytes| {
        let part = Some("s".repeat(bytes));
        let source = SourceDocument { actor: part.clone(), service: part.clone(), url: part };
        WriteDocument { source: Some(source), ..resolve() }
    };
    assert_eq!(fields(all(SOURCE_BYTES_MAX)), none());
    assert_eq!(fields(all(SOURCE_BYTES_MAX + 1)), ["source.service", "source.actor", "source.url"]);
}

#[test]
fn every_id_is_taken_at_the_limit_and_refused_past_it() {
    let all = |bytes| {
        let id = Some("i".repeat(bytes));
        WriteDocument {
            path: Some("approval_manual".into()),
            incident_id: id.clone(),
            approval_id: id.clone(),
            execution_id: id.clone(),
            entry_type: id.clone(),
            playbook: id,
            title: Some("t".into()),
            ..WriteDocument::default()
        }
    };
    assert_eq!(fields(all(ID_BYTES_MAX)), none());
    let broken = ["playbook", "incident_id", "approval_id", "execution_id", "entry_type"];
    let mut found = fields(all(ID_BYTES_MAX + 1));
    found.retain(|field| broken.contains(&field.as_str()));
    found.dedup();
    assert_eq!(found, broken);
}

fn with_metadata(value: Value) -> WriteDocument {
    let Value::Object(map) = value else { panic!("an object") };
    WriteDocument { metadata: Some(map), ..resolve() }
}

#[test]
fn metadata_is_taken_at_the_limit_of_nesting_and_refused_past_it() {
    let lists = |levels: usize| {
        let value = (1..levels).fold(json!("x"), |inner, _| json!([inner]));
        with_metadata(json!({ "deep": value }))
    };
    let objects =
        |levels: usize| with_metadata((1..levels).fold(json!({"x": 1}), |inner, _| json!({"x": inner})));
    for nested in [lists, objects] {
        assert_eq!(fields(nested(NESTING_MAX)), none());
        assert_eq!(fields(nested(NESTING_MAX + 1)), ["metadata"]);
    }
}

#[test]
fn metadata_is_taken_at_the_limit_of_bytes_and_refused_past_it() {
    let wide = |bytes: usize| with_metadata(json!({ "wide": "x".repeat(bytes - r#"{"wide":""}"#.len()) }));
    assert_eq!(fields(wide(METADATA_BYTES_MAX)), none());
    assert_eq!(fields(wide(METADATA_BYTES_MAX + 1)), ["metadata"]);
    let nul = with_metadata(json!({ "a": { "b\0": 1 } }));
    assert_eq!(fields(nul), ["metadata"]);
}

/// Every content hash rests on it: a feature of `serde_json` that any crate can switch on for all would keep the
/// order of insertion instead.
#[test]
fn the_members_of_an_object_stand_in_the_order_of_their_names() {
    let map: Map<String, Value> =
        ["b", "a", "c"].into_iter().map(|name| (name.to_owned(), json!(1))).collect();
    assert_eq!(map.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let canonical = |text: &str| {
        let metadata = serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}"));
        let write = Write::try_from(WriteDocument { metadata: Some(metadata), ..resolve() });
        WriteDocument::canonical(&write.unwrap_or_else(|v| panic!("{v:?}")))
    };
    let sorted = canonical(r#"{"a": {"x": 1, "y": 2}, "b": 3}"#);
    assert_eq!(canonical(r#"{"b": 3, "a": {"y": 2, "x": 1}}"#), sorted);
}

#[test]
fn an_approval_status_belongs_to_approval_paths() {
    assert_eq!(
        fields(WriteDocument { approval_status: Some("revoked".into()), ..resolve() }),
        ["approval_status"]
    );
    let approval = WriteDocument { path: Some("approval_manual".into()), ..resolve() };
    let with = |status: &str| WriteDocument { approval_status: Some(status.into()), ..approval.clone() };
    assert_eq!(fields(with("revoked")), none());
    assert_eq!(fields(with("maybe")), ["approval_status"]);
}

#[test]
fn repeated_tags_count_once() {
    let document = WriteDocument { tags: Some(vec!["db".into(), "db".into(), "io".into()]), ..resolve() };
    let write = Write::try_from(document).unwrap_or_else(|v| panic!("{v:?}"));
    assert_eq!(write.tags, ["db", "io"]);
}

fn any_document() -> impl Strategy<Value = WriteDocument> {
    let path = prop::sample::select(&PathKind::ALL[..]).prop_map(|kind| Some(kind.as_str().to_owned()));
    let text = || prop::option::of("[^\0]{0,12}");
    let labels = prop::option::of(prop::collection::btree_map("[a-z]{1,4}", "[^\0]{0,6}", 0..4));
    let tags = prop::option::of(prop::collection::vec("[a-z ]{1,4}x", 0..4));
    let metadata =
        prop::option::of(("[a-z]{1,3}", any::<f64>(), any::<i64>(), "[^\0]{0,5}")).prop_map(|parts| {
            let (name, float, integer, text) = parts?;
            let Value::Object(map) = json!({ name: { "f": float, "i": integer, "t": text } }) else {
                return None;
            };
            Some(map)
        });
    let at = prop::option::of(0_i64..4_000_000_000_000_000)
        .prop_map(|m| m.map(|m| Timestamp::from_micros(m).to_string()));
    (path, text(), labels, tags, metadata, at).prop_map(
        |(path, content, labels, tags, metadata, occurred_at)| {
            let title = Some("t".to_owned());
            let incident_id = Some("INC 1".to_owned());
            WriteDocument {
                path,
                incident_id,
                title,
                content,
                labels,
                tags,
                metadata,
                occurred_at,
                ..Default::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn the_canonical_form_of_a_canonical_form_is_itself(document in any_document()) {
        let write = Write::try_from(document).map_err(|v| TestCaseError::fail(format!("{v:?}")))?;
        let canonical = WriteDocument::canonical(&write);
        let read: WriteDocument = serde_json::from_slice(&canonical)?;
        let again = Write::try_from(read).map_err(|v| TestCaseError::fail(format!("{v:?}")))?;
        prop_assert_eq!(WriteDocument::canonical(&again), canonical);
    }
}
