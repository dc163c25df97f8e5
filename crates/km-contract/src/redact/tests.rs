//! A zoo of secrets, texts that only look like them, and what must hold for every text.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod bodies;
mod bounds;
mod zoo;

use super::*;
use zoo::{FORMS, PLACES, TOKENS};

fn redacted(text: &str) -> String {
    redact(text.to_owned())
}

#[test]
fn no_token_of_the_zoo_survives_wherever_it_stands() {
    for (kind, parts) in TOKENS {
        let token = parts.concat();
        for place in PLACES {
            let text = place.replace("{}", &token);
            let redacted = redacted(&text);
            assert!(!redacted.contains(&token), "{text} became {redacted}");
            assert!(redacted.contains(&format!("[redacted:{kind}:")), "{text} became {redacted}");
        }
    }
}

#[test]
fn no_secret_of_the_zoo_survives_behind_what_makes_it_one() {
    for (before, parts, after) in FORMS {
        let secret = parts.concat();
        let text = format!("{before}{secret}{after}");
        let redacted = redacted(&text);
        let placeholder = redacted.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        let placeholder = placeholder.unwrap_or_else(|| panic!("{text} became {redacted}"));
        assert_eq!(scan::placeholder_len(placeholder), Some(placeholder.len()), "{text} became {redacted}");
    }
}

#[test]
fn every_secret_of_a_text_goes() {
    let text =
        "curl -u a:hunter22 https://x && curl -u b:secret99 https://y; docker run -u 1000:1000 -p 80:80 x";
    let redacted = redacted(text);
    assert!(!redacted.contains("hunter22") && !redacted.contains("secret99"), "{redacted}");
    assert!(redacted.ends_with(" https://y; docker run -u 1000:1000 -p 80:80 x"), "{redacted}");
}

#[test]
fn only_the_secret_changes() {
    let text = redacted("amqp://guest:guest@rabbit:5672/ and redis://:e@cache:6379/0, e and guest");
    let mut parts = text.split("[redacted:dsn:");
    assert_eq!(parts.next(), Some("amqp://guest:"));
    assert_eq!(parts.next().map(|part| &part[8..]), Some("]@rabbit:5672/ and redis://:"));
    assert_eq!(parts.next().map(|part| &part[8..]), Some("]@cache:6379/0, e and guest"));
}

#[test]
fn ordinary_texts_come_back_unchanged() {
    let as_payload =
        |text: &str| String::from_utf8(redact_payload(text.as_bytes())).expect("text stays text");
    let changed = zoo::ORDINARY.map(|text| [redacted(text), as_payload(text)].map(|after| (text, after)));
    let changed: Vec<_> = changed.into_iter().flatten().filter(|(before, after)| before != after).collect();
    assert!(changed.is_empty(), "{changed:#?}");
}

#[test]
fn equal_secrets_are_recognisable_whatever_stands_around_them() {
    let token = ["AK", "IA", "IOSFODNN7EXAMPLE"].concat();
    let found: Vec<_> = [format!("a {token}."), format!("{{\"x\": \"{token}\"}}"), format!("key={token}&b")]
        .map(|text| {
            let redacted = redacted(&text);
            let at = redacted.find("[redacted:").expect("it is taken out");
            redacted[at..at + scan::placeholder_len(&redacted[at..]).expect("a placeholder")].to_owned()
        })
        .to_vec();
    assert!(found.iter().all(|placeholder| *placeholder == found[0]), "{found:?}");
}

#[test]
fn a_private_key_goes_whole() {
    let line = "MIIEowIBAAKCAQEAx7Jq0y2mVqYQm3kGZp8n5vVt0bXb9cWl1QeZ";
    for (begin, end) in [
        (
            format!("-----BEGIN RSA {}-----\n", "PRIVATE KEY"),
            format!("\n-----END RSA {}-----", "PRIVATE KEY"),
        ),
        (format!("-----BEGIN {}-----\\n", "PRIVATE KEY"), format!("\\n-----END {}-----", "PRIVATE KEY")),
        (
            format!("-----BEGIN EC {}-----\r\n", "PRIVATE KEY"),
            format!("\r\n-----END EC {}-----", "PRIVATE KEY"),
        ),
        (
            format!(
                "-----BEGIN RSA {}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B\n\n",
                "PRIVATE KEY"
            ),
            format!("\n-----END RSA {}-----", "PRIVATE KEY"),
        ),
        (
            format!("-----BEGIN PGP {} BLOCK-----\nVersion: GnuPG v2\n\n", "PRIVATE KEY"),
            format!("\n=ab1d\n-----END PGP {} BLOCK-----", "PRIVATE KEY"),
        ),
        (format!("-----BEGIN {}-----\\n\"\n  \"", "PRIVATE KEY"), String::new()),
        (format!("-----BEGIN {}-----", "PRIVATE KEY"), String::new()),
        (format!("-----BEGIN OPENSSH {}-----\n    ", "PRIVATE KEY"), "\n    c2hvcnQ=".to_owned()),
    ] {
        let text = format!("before {begin}{line}{end}\nafter it, nothing is lost");
        let redacted = redacted(&text);
        let rest = redacted
            .strip_prefix("before ")
            .and_then(|rest| rest.strip_suffix("\nafter it, nothing is lost"));
        let rest = rest.unwrap_or_else(|| panic!("{text:?} became {redacted:?}"));
        assert_eq!(scan::placeholder_len(rest), Some(rest.len()), "{text:?} became {redacted:?}");
    }
    assert!(!redacted(&format!("-----BEGIN {}-----\nMIIEow", "PRIVATE KEY")).contains("MIIEow"));
}

#[test]
fn what_only_speaks_of_a_private_key_stays() {
    let marker = format!("-----BEGIN RSA {}-----", "PRIVATE KEY");
    for text in [
        format!(
            "Check that tls.key begins with {marker} and restart nginx.\n\nStep 2: drain the node.\nStep 3: page."
        ),
        format!("`{marker}` and `{}`", marker.replace("BEGIN", "END")),
        format!("{marker}\n...\n{}", marker.replace("BEGIN", "END")),
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0B\n-----END CERTIFICATE-----"
            .to_owned(),
    ] {
        assert_eq!(redacted(&text), text);
    }
}

#[test]
fn a_placeholder_stays_what_it_is() {
    for text in [
        "password=[redacted:credential:0a1b2c3d] and token: [redacted:jwt:0a1b2c3d]",
        "[redacted:credential:0a1b2c3d]",
        "postgres://km:[redacted:dsn:0a1b2c3d]@db/km",
        "curl -u admin:[redacted:credential:0a1b2c3d] https://x",
        "password=…[cut]",
    ] {
        assert_eq!(redacted(text), text);
    }
}

#[test]
fn a_label_is_judged_by_its_name_and_a_name_that_holds_a_secret_goes_whole() {
    let member = |name: &str, value: &str| redact_member(name, value.to_owned(), 4_096);
    for (name, value) in [
        ("password", "simple"),
        ("db_password", "12345678"),
        ("apiKey", "plainkey"),
        ("token", "a1b2c3d4e5f6"),
        ("note", "password=x"),
    ] {
        assert!(!member(name, value).ends_with(value), "{name}={value}");
    }
    for (name, value) in [
        ("secret", "grafana-tls"),
        ("token", "prometheus-k8s-token-nwtrf"),
        ("password", "${DB_PASSWORD}"),
        ("pwd", "/var/lib/postgresql"),
        ("secretName", "tls-2026"),
        ("alertname", "KubeSecretRotationFailed"),
    ] {
        assert_eq!(member(name, value), value, "{name}");
    }
    assert!(member("Authorization", "Bearer a1b2c3").starts_with("Bearer [redacted:bearer:"));
    let token = ["gh", "p_0123456789abcdefghijklmnopqrstuvwxyzAB"].concat();
    let name = redact_name(format!("x {token}"));
    assert_eq!(scan::placeholder_len(&name), Some(name.len()));
}
