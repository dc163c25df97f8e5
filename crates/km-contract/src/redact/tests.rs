//! A zoo of secrets, and texts that only look like them.

use serde_json::json;

use super::*;

/// Each secret with a sentence that carries it; `{}` is where it stands. None of them opens anything.
const ZOO: [(&str, &str); 24] = [
    ("Authorization: Bearer {}", "mF_9.B5f-4.1JqM_longenough"),
    ("Authorization: Basic {}", "dXNlcjpodW50ZXIyaHVudGVyMg=="),
    ("key {}", "AKIAIOSFODNN7EXAMPLE"),
    ("aws_secret_access_key = {}", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("{}", "AIzaSyA1234567890abcdefghijklmnopqrstuv"),
    ("AccountKey={}", "Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9vYmFyZm9v=="),
    ("token {}", "ghp_0123456789abcdefghijklmnopqrstuvwxyzAB"),
    ("token {}", "github_pat_11ABCDEFG0123456789_abcdef"),
    ("token {}", "glpat-abcdefghij0123456789"),
    ("slack {}", "xoxb-123456789012-abcdefABCDEF"),
    ("https://hooks.slack.com/{}", "services/T000/B000/XXXXXXXXXXXXXXXXXXXXXXXX"),
    ("https://discord.com/api/webhooks/{}", "123456789/abcdefghijklmnop_QRS"),
    ("https://oapi.dingtalk.com/robot/send?access_token={}", "0123456789abcdef0123456789abcdef"),
    ("bot {}", "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"),
    ("stripe {}", "sk_live_0123456789abcdefABCDEF"),
    ("vault {}", "hvs.CAESIJabcdefghijklmnopqrstuv"),
    ("jwt {}", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2lnbmF0dXJl"),
    ("postgres://km:{}@db.internal:5432/km", "s3cr3t-pass"),
    ("redis://:{}@cache:6379/0", "hunter22"),
    ("    client-key-data: {}", "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo="),
    ("    token: {}", "eyAbCdEfGhIjKlMnOpQrStUvWxYz0123456789"),
    ("password={}", "correct-horse-9"),
    ("\"api_key\": \"{}\"", "0123456789abcdef"),
    ("curl -u admin:{} https://x", "pa55word!"),
];

#[test]
fn no_secret_of_the_zoo_survives() {
    for (sentence, secret) in ZOO {
        let text = sentence.replace("{}", secret);
        let redacted = redact(text.clone());
        assert!(!redacted.contains(secret), "{text} became {redacted}");
        assert!(redacted.contains("[redacted:"), "{text} became {redacted}");
    }
}

#[test]
fn a_private_key_goes_whole_also_when_it_is_cut_off() {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----";
    assert!(redact(format!("before\n{key}\nafter")).starts_with("before\n[redacted:pem:"));
    assert!(redact(format!("before\n{key}\nafter")).ends_with("]\nafter"));
    assert!(!redact("-----BEGIN PRIVATE KEY-----\nMIIEow".into()).contains("MIIEow"));
}

#[test]
fn ordinary_texts_come_back_unchanged() {
    for text in [
        "basic understanding of authentication is needed",
        "the bearer of bad news",
        "password: required",
        "Run `kubectl get secret` and check the token: it expires",
        "https://user@example.org/path and http://example.org:8080/a@b",
        "postgres://km:$PASSWORD@db/km",
        "pod kube-system/coredns-558bd4d5db-x7n2p restarted",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "磁盘已满,请检查密码策略",
    ] {
        assert_eq!(redact(text.to_owned()), text);
    }
}

#[test]
fn redacting_twice_changes_nothing_more() {
    for (sentence, secret) in ZOO {
        let once = redact(sentence.replace("{}", secret));
        assert_eq!(redact(once.clone()), once);
    }
}

#[test]
fn equal_secrets_are_recognisable() {
    let one = redact("a AKIAIOSFODNN7EXAMPLE".into());
    let two = redact("b AKIAIOSFODNN7EXAMPLE".into());
    assert_eq!(one[2..], two[2..]);
}

#[test]
fn metadata_is_redacted_at_every_depth_and_by_name() {
    let Value::Object(mut map) = json!({
        "db_password": "simple", "list": [{"x": "AKIAIOSFODNN7EXAMPLE"}], "n": 1, "secretName": "tls"
    }) else {
        panic!("an object")
    };
    redact_json(&mut map);
    let text = Value::Object(map).to_string();
    assert!(!text.contains("simple") && !text.contains("AKIA"), "{text}");
    assert!(text.contains("\"secretName\":\"tls\""), "{text}");
}
