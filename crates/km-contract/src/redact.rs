//! Secrets are taken out before anything is kept or logged.
//!
//! A secret becomes `[redacted:kind:hash8]`: eight digits of its SHA-256 keep equal secrets recognisable
//! without giving one away.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use km_model::ContentHash;
use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// A kind of secret and how it looks. A text without any of the needles, in whatever case, has none of the
/// kind and is not searched further. The group `s` is the secret; without one the whole match is.
struct Detector {
    kind: &'static str,
    needles: &'static [&'static str],
    pattern: &'static str,
}

const fn detector(kind: &'static str, needles: &'static [&'static str], pattern: &'static str) -> Detector {
    Detector { kind, needles, pattern }
}

/// In this order, so that a more telling kind wins over a vaguer one.
const DETECTORS: [Detector; 21] = [
    detector(
        "pem",
        &["private key-----"],
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
    ),
    detector("jwt", &["eyj"], r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    detector(
        "aws",
        &["akia", "asia", "aroa", "aida"],
        r"(?-u:\b)(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}(?-u:\b)",
    ),
    detector(
        "aws",
        &["accesskey", "access_key"],
        r#"(?i-u:aws_?secret_?access_?key)["']?(?-u:\s)*[=:](?-u:\s)*["']?(?P<s>[A-Za-z0-9/+=]{40})"#,
    ),
    detector("gcp", &["aiza"], r"(?-u:\b)AIza[0-9A-Za-z_-]{35}"),
    detector(
        "azure",
        &["accountkey=", "sharedaccesskey="],
        r"(?i-u:AccountKey|SharedAccessKey)=(?P<s>[A-Za-z0-9+/=]{40,})",
    ),
    detector(
        "github",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"],
        r"(?-u:\b)(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    ),
    detector(
        "gitlab",
        &["glpat-", "glptt-", "glrt-", "gldt-"],
        r"(?-u:\b)gl(?:pat|ptt|rt|dt)-[A-Za-z0-9_-]{20,}",
    ),
    detector(
        "slack",
        &["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-"],
        r"(?-u:\b)xox[abeoprs]-[A-Za-z0-9-]{10,}",
    ),
    detector(
        "slack",
        &["hooks.slack.com"],
        r"https://hooks\.slack\.com/(?P<s>(?:services|workflows)/[A-Za-z0-9/_-]+)",
    ),
    detector(
        "chat",
        &["/api/webhooks/"],
        r"https://(?:[a-z]+\.)?discord(?:app)?\.com/api/webhooks/(?P<s>[0-9]+/[A-Za-z0-9_-]+)",
    ),
    detector(
        "chat",
        &["qyapi.weixin", "oapi.dingtalk"],
        r"(?:qyapi\.weixin\.qq\.com/cgi-bin/webhook/send\?key|oapi\.dingtalk\.com/robot/send\?access_token)=(?P<s>[A-Za-z0-9-]{16,})",
    ),
    detector("telegram", &[":aa"], r"(?-u:\b|bot)[0-9]{8,10}:AA[A-Za-z0-9_-]{33}(?-u:\b)"),
    detector(
        "token",
        &["sk_", "rk_", "sk-", "npm_", "pypi-", "dop_v1_", "hvs.", "glsa_"],
        r"(?-u:\b)(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{16,}|dop_v1_[a-f0-9]{64}|hvs\.[A-Za-z0-9_-]{20,}|glsa_[A-Za-z0-9_]{32,})",
    ),
    detector("km", &["km_"], r"(?-u:\b)km_[a-z0-9]{8,}_[A-Za-z0-9_-]{40,}"),
    detector(
        "dsn",
        &["://"],
        r#"(?-u:\b)[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@"'<>]*:(?P<s>[^\s@/"'<>\[$][^\s@/"'<>]*)@"#,
    ),
    detector(
        "kubeconfig",
        &["client-key-data:", "token:"],
        r"(?:client-key-data|token|id-token|refresh-token):(?-u:\s)*(?P<s>[A-Za-z0-9+/=._-]{20,})",
    ),
    detector("bearer", &["bearer"], r"(?i-u:\bbearer)(?-u:\s)+(?P<s>[A-Za-z0-9._~+/-]{16,}=*)"),
    detector("basic", &["basic"], r"(?i-u:\bbasic)(?-u:\s)+(?P<s>[A-Za-z0-9+/]{8,}={0,2})"),
    detector(
        "basic",
        &["curl"],
        r#"(?i-u:\bcurl\b)[^\n]*(?-u:\s)(?:-u|--user)[ =]?["']?[^\s:"']+:(?P<s>[^\s"'\[$]+)"#,
    ),
    detector(
        "credential",
        &[
            "password",
            "passwd",
            "pwd",
            "secret",
            "api_key",
            "apikey",
            "access_token",
            "accesstoken",
            "auth_token",
            "authtoken",
        ],
        r#"(?i-u:password|passwd|pwd|client_secret|secret_key|api_?key|access_?token|auth_?token)["']?(?-u:\s)*[=:](?-u:\s)*["']?(?P<s>[^\s"'&;,()\[\]<>{}$*%`|\\]{8,})"#,
    ),
];

/// Names in `metadata` whose text is a secret whatever it looks like.
const SECRET_NAMES: &str = r"(?i)^(?:.*[_.-])?(?:password|passwd|pwd|authorization|api_?key|access_?token|auth_?token|client_secret|secret_key|private_key)$";

struct Compiled {
    needles: AhoCorasick,
    /// The detector that each needle belongs to.
    owners: Vec<usize>,
    patterns: Vec<Regex>,
    names: Regex,
}

#[expect(clippy::expect_used, reason = "the needles and patterns are constants that the tests compile")]
static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let owned = DETECTORS
        .iter()
        .enumerate()
        .flat_map(|(nth, one)| one.needles.iter().map(move |needle| (nth, needle)));
    let (owners, needles): (Vec<usize>, Vec<&str>) = owned.map(|(nth, needle)| (nth, *needle)).unzip();
    let searcher =
        AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(needles);
    Compiled {
        needles: searcher.expect("the needles compile"),
        owners,
        patterns: DETECTORS.iter().map(|one| Regex::new(one.pattern).expect("a detector compiles")).collect(),
        names: Regex::new(SECRET_NAMES).expect("the secret names compile"),
    }
});

/// Takes the secrets out of a text; a text without any comes back as it is.
pub fn redact(text: String) -> String {
    let suspected = suspected(&text);
    if suspected == 0 {
        return text;
    }
    let detectors = (0..DETECTORS.len()).filter(|nth| suspected & (1 << nth) != 0);
    detectors.fold(text, |text, nth| match replace(nth, &text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(redacted) => redacted,
    })
}

/// The detectors that have a needle in the text, one bit each.
fn suspected(text: &str) -> u32 {
    let found = COMPILED.needles.find_overlapping_iter(text);
    found.fold(0, |bits, needle| bits | 1 << COMPILED.owners[needle.pattern().as_usize()])
}

/// Takes the secrets out of every text of a JSON object, and out of every member that a secret name holds.
pub(crate) fn redact_json(map: &mut Map<String, Value>) {
    for (name, value) in map.iter_mut() {
        match value {
            Value::String(text) if COMPILED.names.is_match(name) => *text = placeholder("credential", text),
            Value::String(_)
            | Value::Array(_)
            | Value::Object(_)
            | Value::Null
            | Value::Bool(_)
            | Value::Number(_) => {
                redact_value(value);
            }
        }
    }
}

fn redact_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact(std::mem::take(text)),
        Value::Array(items) => items.iter_mut().for_each(redact_value),
        Value::Object(map) => redact_json(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn replace(nth: usize, text: &str) -> Cow<'_, str> {
    let kind = DETECTORS[nth].kind;
    COMPILED.patterns[nth].replace_all(text, |captures: &Captures<'_>| {
        let whole = &captures[0];
        let secret = captures.name("s").map_or(whole, |secret| secret.as_str());
        if !is_secret(kind, secret) {
            return whole.to_owned();
        }
        whole.replace(secret, &placeholder(kind, secret))
    })
}

fn placeholder(kind: &str, secret: &str) -> String {
    if secret.is_empty() || secret.starts_with("[redacted:") {
        return secret.to_owned();
    }
    format!("[redacted:{kind}:{}]", &ContentHash::of(secret.as_bytes()).to_string()[..8])
}

/// Words can follow `basic` and `password:` too, so those two look at what they found.
fn is_secret(kind: &str, found: &str) -> bool {
    match kind {
        "basic" if !found.contains(|c: char| c.is_ascii_digit() || c == '=' || c == '+') => {
            decodes_to_credentials(found)
        }
        "credential" => {
            found.contains(|c: char| c.is_ascii_digit()) || found.contains(|c: char| c.is_ascii_punctuation())
        }
        _ => true,
    }
}

/// Whether Base64 text holds `user:password`.
fn decodes_to_credentials(base64: &str) -> bool {
    let mut bits = 0_u32;
    let mut held = 0;
    for c in base64.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            if (bits >> held) & 0xff == u32::from(b':') {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests;
