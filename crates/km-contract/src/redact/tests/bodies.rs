//! Bodies: JSON member by member, everything else byte for byte.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn body(text: &str) -> String {
    String::from_utf8(redact_payload(text.as_bytes())).unwrap()
}

fn is_placeholder(value: &Value) -> bool {
    value.as_str().is_some_and(|text| scan::placeholder_len(text) == Some(text.len()))
}

#[test]
fn json_stays_json_and_nothing_else_changes() {
    let text = "{ \"b\": 1.50, \"n\": 12345678901234567890123,\r\n \"a\": \"echo \\\"curl -u admin:{}\\\"\", \"b\" : [ ] }";
    let redacted = body(&text.replace("{}", "pa55word"));
    let (before, after) = text.split_once("{}").unwrap();
    let placeholder = redacted.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).unwrap();
    assert_eq!(scan::placeholder_len(placeholder), Some(placeholder.len()), "{redacted}");
    assert!(serde_json::from_str::<Value>(&redacted).is_ok());
}

#[test]
fn a_member_whose_name_says_so_is_secret_whole() {
    let text = json!({
        "password": 12345678, "api_key": ["plainkey"], "x": [{"db_password": "short"}], "client_secret": {"a": 1.5},
        "Authorization": "Bearer abc123", "pwd": "hunter22", "list": ["a", {"private_key": "multi\nline"}],
    });
    let redacted: Value = serde_json::from_str(&body(&text.to_string())).unwrap();
    for pointer in
        ["/password", "/api_key", "/x/0/db_password", "/client_secret", "/pwd", "/list/1/private_key"]
    {
        assert!(is_placeholder(redacted.pointer(pointer).unwrap()), "{pointer} of {redacted}");
    }
    assert!(
        redacted["Authorization"].as_str().unwrap().starts_with("Bearer [redacted:bearer:"),
        "{redacted}"
    );
}

#[test]
fn a_member_that_tells_nothing_stays() {
    let text = json!({
        "password": null, "api_key": true, "secret": {"name": "grafana-tls"}, "token": "prometheus-k8s-token-nwtrf",
        "pwd": "/var/lib/postgresql", "password_file": "/run/secrets/x", "tokens": 4096, "secretName": "tls",
    })
    .to_string();
    assert_eq!(body(&text), text);
}

#[test]
fn a_text_whose_secret_is_out_is_none_itself() {
    let once = body(r#"{"token":"password=x"}"#);
    assert!(once.starts_with(r#"{"token":"password=["#), "{once}");
    assert_eq!(body(&once), once);
}

#[test]
fn a_secret_in_a_name_goes_with_the_name() {
    let token = ["AK", "IA", "IOSFODNN7EXAMPLE"].concat();
    let redacted: Value =
        serde_json::from_str(&body(&json!({ &token: {"password": 1} }).to_string())).unwrap();
    let (name, value) = redacted.as_object().unwrap().iter().next().unwrap();
    assert!(name.starts_with("[redacted:aws:"), "{redacted}");
    assert!(is_placeholder(&value["password"]), "{redacted}");
}

#[test]
fn an_edit_with_quoted_text_is_still_a_write() {
    let text = r#"{"incident_id":"INC-2","path":"incident_resolve","title":"echo \"curl -u admin:pa55word\" works"}"#;
    let redacted = body(text);
    assert!(!redacted.contains("pa55word"), "{redacted}");
    assert!(serde_json::from_str::<km_model::WriteDocument>(&redacted).is_ok(), "{redacted}");
}

#[test]
fn what_is_not_json_is_redacted_as_text() {
    let redacted = body(r#"{"text":"password=\"s3cret-pass-1\" and db_password: \"x\"", broken"#);
    assert!(!redacted.contains("s3cret") && !redacted.contains(r#"\"x\""#), "{redacted}");
    assert!(
        redacted.ends_with(r#"\"", broken"#) && redacted.starts_with(r#"{"text":"password=\"["#),
        "{redacted}"
    );
}

#[test]
fn other_encodings_come_through_byte_for_byte() {
    // GBK for `磁盘已满`.
    let gbk = b"{\"title\": \"\xb4\xc5\xc5\xcc\xd2\xd1\xc2\xfa\", broken".to_vec();
    assert_eq!(redact_payload(&gbk), gbk);
    let secret = [&gbk[..], b" password=hunter22 ", &gbk[..]].concat();
    let redacted = redact_payload(&secret);
    assert!(redacted.starts_with(&gbk) && redacted.ends_with(&gbk));
    assert!(!redacted.windows(8).any(|window| window == b"hunter22"));
    let in_json = [&b"{\"password\": \""[..], b"\xb4\xc5hunter22", b"\"}"].concat();
    assert!(!redact_payload(&in_json).windows(8).any(|window| window == b"hunter22"));
    let marked = "\u{feff}{\"password\": \"hunter22\"}".to_owned();
    assert!(body(&marked).starts_with("\u{feff}{\"password\": \"[redacted:"));
}

#[test]
fn metadata_is_redacted_at_every_depth_and_by_name() {
    let token = ["AK", "IA", "IOSFODNN7EXAMPLE"].concat();
    let Value::Object(mut map) = json!({
        "db_password": "simple", "list": [{"x": token}], "n": 1.0, "secretName": "tls"
    }) else {
        panic!("an object")
    };
    redact_json(&mut map);
    assert!(is_placeholder(&map["db_password"]) && is_placeholder(&map["list"][0]["x"]), "{map:?}");
    assert_eq!((&map["n"], &map["secretName"]), (&json!(1.0), &json!("tls")));
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = || prop_oneof![Just("password".to_owned()), Just("token".to_owned()), "[a-z\"\\\\ ]{0,4}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        bounds::any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn any_json_stays_json_and_twice_is_once(value in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value)? } else { value.to_string() };
        let once = redact_payload(text.as_bytes());
        prop_assert!(serde_json::from_slice::<Value>(&once).is_ok());
        prop_assert_eq!(redact_payload(&once), once);
    }

    #[test]
    fn any_bytes_are_taken_and_twice_is_once(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let once = redact_payload(&bytes);
        prop_assert_eq!(redact_payload(&once), once);
    }
}
