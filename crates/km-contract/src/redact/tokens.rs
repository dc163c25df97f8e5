//! What is a secret by its own form.

use std::ops::Range;

use super::{Kind, Secret};

/// A beginning that only secrets have, and how they go on.
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) prefix: &'static str,
    /// Bytes that can follow.
    alphabet: fn(u8) -> bool,
    /// How many must follow, and how many can.
    length: (usize, usize),
    part: Part,
    is_one: fn(&str) -> bool,
}

/// How much of it is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// What follows the beginning: the address of a webhook, for one, stays readable.
    Rest,
}

const fn whole(kind: Kind, prefix: &'static str, alphabet: fn(u8) -> bool, length: (usize, usize)) -> Token {
    Token { kind, prefix, alphabet, length, part: Part::Whole, is_one: |_| true }
}

/// As [`whole`], where words could go on like that too: a random text has digits and both cases.
const fn mixed(prefix: &'static str, alphabet: fn(u8) -> bool, at_least: usize) -> Token {
    Token { is_one: is_mixed, ..whole(Kind::Token, prefix, alphabet, (at_least, ANY)) }
}

const fn rest(kind: Kind, prefix: &'static str, alphabet: fn(u8) -> bool, at_least: usize) -> Token {
    Token { part: Part::Rest, ..whole(kind, prefix, alphabet, (at_least, ANY)) }
}

const ANY: usize = usize::MAX;

/// Sources: the prefixes as their issuers document them.
pub(super) static TOKENS: [Token; 67] = [
    Token { is_one: is_jwt, ..whole(Kind::Jwt, "eyJ", dotted, (16, ANY)) },
    // The Base64 text of a PEM block, as a kubeconfig carries it.
    Token { is_one: is_private_pem, ..whole(Kind::Pem, "LS0tLS1CRUdJTi", base64, (32, ANY)) },
    whole(Kind::Pem, "AGE-SECRET-KEY-1", alphanumeric, (50, 64)),
    whole(Kind::Aws, "AKIA", upper, (16, 16)),
    whole(Kind::Aws, "ASIA", upper, (16, 16)),
    whole(Kind::Aws, "AROA", upper, (16, 16)),
    whole(Kind::Aws, "AIDA", upper, (16, 16)),
    rest(Kind::Azure, "AccountKey=", base64, 40),
    rest(Kind::Azure, "SharedAccessKey=", base64, 40),
    whole(Kind::Gcp, "AIza", dashed, (35, 35)),
    whole(Kind::Gcp, "GOCSPX-", dashed, (28, 28)),
    whole(Kind::Gcp, "ya29.", dashed, (20, ANY)),
    whole(Kind::Github, "ghp_", alphanumeric, (36, ANY)),
    whole(Kind::Github, "gho_", alphanumeric, (36, ANY)),
    whole(Kind::Github, "ghu_", alphanumeric, (36, ANY)),
    whole(Kind::Github, "ghs_", alphanumeric, (36, ANY)),
    whole(Kind::Github, "ghr_", alphanumeric, (36, ANY)),
    whole(Kind::Github, "github_pat_", word, (22, ANY)),
    whole(Kind::Gitlab, "glpat-", dotted, (20, ANY)),
    whole(Kind::Gitlab, "glptt-", dashed, (20, ANY)),
    whole(Kind::Gitlab, "glrt-", dashed, (20, ANY)),
    whole(Kind::Gitlab, "gldt-", dashed, (20, ANY)),
    whole(Kind::Gitlab, "glcbt-", dashed, (20, ANY)),
    whole(Kind::Slack, "xoxa-", dashed, (10, ANY)),
    whole(Kind::Slack, "xoxb-", dashed, (10, ANY)),
    whole(Kind::Slack, "xoxe-", dashed, (10, ANY)),
    whole(Kind::Slack, "xoxo-", dashed, (10, ANY)),
    whole(Kind::Slack, "xoxp-", dashed, (10, ANY)),
    whole(Kind::Slack, "xoxr-", dashed, (10, ANY)),
    whole(Kind::Slack, "xoxs-", dashed, (10, ANY)),
    whole(Kind::Slack, "xapp-", dashed, (20, ANY)),
    rest(Kind::Slack, "hooks.slack.com/services/", path, 10),
    rest(Kind::Slack, "hooks.slack.com/workflows/", path, 10),
    rest(Kind::Slack, "hooks.slack.com/triggers/", path, 10),
    rest(Kind::Chat, "discord.com/api/webhooks/", path, 20),
    rest(Kind::Chat, "discordapp.com/api/webhooks/", path, 20),
    rest(Kind::Chat, "qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", dashed, 16),
    rest(Kind::Chat, "oapi.dingtalk.com/robot/send?access_token=", dashed, 16),
    rest(Kind::Chat, "open.feishu.cn/open-apis/bot/v2/hook/", dashed, 16),
    rest(Kind::Chat, "open.larksuite.com/open-apis/bot/v2/hook/", dashed, 16),
    rest(Kind::Chat, "webhook.office.com/webhookb2/", path, 32),
    rest(Kind::Chat, "events.pagerduty.com/integration/", alphanumeric, 20),
    whole(Kind::Km, "km_", dashed, (49, ANY)),
    whole(Kind::Token, "sk_live_", alphanumeric, (16, ANY)),
    whole(Kind::Token, "sk_test_", alphanumeric, (16, ANY)),
    whole(Kind::Token, "rk_live_", alphanumeric, (16, ANY)),
    whole(Kind::Token, "rk_test_", alphanumeric, (16, ANY)),
    whole(Kind::Token, "whsec_", base64, (24, ANY)),
    mixed("sk-", dashed, 20),
    mixed("npm_", alphanumeric, 36),
    mixed("pypi-", dashed, 16),
    mixed("hf_", alphanumeric, 34),
    mixed("SG.", dotted, 60),
    mixed("LTAI", alphanumeric, 12),
    mixed("AKID", alphanumeric, 32),
    mixed("dckr_pat_", dashed, 20),
    mixed("lin_api_", alphanumeric, 32),
    mixed("NRAK-", alphanumeric, 24),
    mixed("glc_", base64, 32),
    whole(Kind::Token, "glsa_", word, (32, ANY)),
    whole(Kind::Token, "hvs.", dashed, (20, ANY)),
    whole(Kind::Token, "hvb.", dashed, (20, ANY)),
    whole(Kind::Token, "dop_v1_", alphanumeric, (64, 64)),
    whole(Kind::Token, "dp.pt.", alphanumeric, (40, ANY)),
    whole(Kind::Token, "shpat_", alphanumeric, (32, 32)),
    whole(Kind::Token, "rubygems_", alphanumeric, (48, 48)),
    whole(Kind::Token, "sntrys_", dotted, (40, ANY)),
];

/// Reads the token that begins at `needle`.
pub(super) fn read(token: &Token, text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    let bytes = text.as_bytes();
    let exact = token.part == Part::Rest || text[needle.clone()] == *token.prefix;
    if !exact || inside_word(bytes, needle.start) {
        return needle.end;
    }
    let end = needle.end + run(bytes, needle.end, token.alphabet);
    let start = if token.part == Part::Rest { needle.end } else { needle.start };
    // A full stop ends the sentence, not the token.
    let secret = text[start..end].trim_end_matches('.');
    let (at_least, at_most) = token.length;
    let fits = (at_least..=at_most).contains(&secret.len().saturating_sub(needle.end - start));
    if fits && (token.is_one)(secret) {
        found.push(Secret { kind: token.kind, at: start..start + secret.len() });
    }
    end
}

/// Reads a bot's token, `digits:AA…`, from the `:AA` in its middle.
pub(super) fn read_telegram(text: &str, needle: Range<usize>, found: &mut Vec<Secret>) -> usize {
    const SECRET: usize = 33;
    let bytes = text.as_bytes();
    let digits = bytes[..needle.start].iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
    let start = needle.start - digits;
    let is_bot = bytes[..start].ends_with(b"bot") || !inside_word(bytes, start);
    let end = needle.end + run(bytes, needle.end, dashed);
    if (8..=10).contains(&digits) && is_bot && end - needle.end == SECRET {
        found.push(Secret { kind: Kind::Telegram, at: start..end });
    }
    end
}

/// How many bytes from `at` on are of an alphabet.
pub(super) fn run(bytes: &[u8], at: usize, alphabet: fn(u8) -> bool) -> usize {
    bytes[at..].iter().take_while(|byte| alphabet(**byte)).count()
}

/// Whether a word has begun before `at`.
pub(super) fn inside_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && word(bytes[at - 1])
}

fn is_mixed(token: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| token.bytes().any(|byte| kind(&byte));
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

/// `header.payload` and a signature, or what an encrypted one has instead: two long parts at least.
fn is_jwt(token: &str) -> bool {
    let mut parts = token.split('.');
    let mut is_long = || parts.next().is_some_and(|part| part.len() >= 8);
    is_long() && is_long()
}

/// Whether `PRIVATE KEY` stands in the first line, in one of the three ways that Base64 writes it.
fn is_private_pem(base64: &str) -> bool {
    let line = &base64[..base64.len().min(64)];
    ["UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"].iter().any(|words| line.contains(words))
}

pub(super) const fn alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

pub(super) const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) const fn dashed(byte: u8) -> bool {
    word(byte) || byte == b'-'
}

pub(super) const fn dotted(byte: u8) -> bool {
    dashed(byte) || byte == b'.'
}

const fn base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

const fn path(byte: u8) -> bool {
    dotted(byte) || matches!(byte, b'/' | b'@' | b'%' | b'?' | b'=' | b'&')
}
