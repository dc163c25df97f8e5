//! Configurations and rules of others: no false error on good ones, the right error on broken ones.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]
#![allow(clippy::disallowed_methods, reason = "where more public files lie is told by the environment")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{files, folder, input, linted, name, rule_file, rules};
use km_alerts::{InputKind, Level, Linted};

/// A folder with more of them: `alertmanager_configs/` and `alert_rules.jsonl`.
const MORE: &str = "KM_PUBLIC_ALERTS";

/// Files that Alertmanager refuses, and the error that says why: its code, and words of its message.
const BROKEN: [(&str, &str, &str); 25] = [
    ("mattermost-both-webhook-url-and-file", "AM307", "`mattermost_webhook_url_file`"),
    ("mattermost-no-webhook-url", "AM307", "no `webhook_url`"),
    ("mattermost-valid-receiver-both-webhook-url-and-file", "AM307", "`mattermost_webhook_url_file`"),
    ("nil-match_re-route", "AM306", "`invalid_label`"),
    ("nil-source_match_re-inhibition", "AM306", "`invalid_source_label`"),
    ("nil-target_match_re-inhibition", "AM306", "`invalid_target_label`"),
    ("opsgenie-both-file-and-apikey", "AM307", "`opsgenie_api_key_file`"),
    ("opsgenie-default-apikey-old-team", "AM304", "`teams`"),
    ("opsgenie-no-apikey", "AM307", "no `api_key`"),
    ("rocketchat-both-token-and-tokenfile", "AM307", "`rocketchat_token_file`"),
    ("rocketchat-both-tokenid-and-tokenidfile", "AM307", "`rocketchat_token_id_file`"),
    ("rocketchat-no-token", "AM307", "no `token`"),
    ("slack-both-file-and-token", "AM307", "`slack_app_token_file`"),
    ("slack-both-file-and-url", "AM307", "`slack_api_url_file`"),
    ("slack-both-url-and-token", "AM307", "Slack app token"),
    ("slack-no-api-url-or-token", "AM307", "no `api_url`"),
    ("slack-update-message-and-webhook", "AM307", "`update_message`"),
    ("smtp-both-password-and-file", "AM307", "`smtp_auth_password_file`"),
    ("sns-invalid", "AM307", "no `topic_arn`"),
    ("telegram-both-bot-token-and-file", "AM307", "`telegram_bot_token_file`"),
    ("telegram-no-bot-token", "AM307", "no `bot_token`"),
    ("telegram-valid-receiver-both-bot-token-and-file", "AM307", "`telegram_bot_token_file`"),
    ("victorops-both-file-and-apikey", "AM307", "`victorops_api_key_file`"),
    ("victorops-no-apikey", "AM307", "no `api_key`"),
    ("wechat-both-file-and-secret", "AM307", "`wechat_api_secret_file`"),
];

/// One more that is broken in the same way.
const ALSO_BROKEN: (&str, &str, &str) = ("wechat-no-api-secret", "AM307", "no `api_secret`");

fn of_file(path: &Path) -> Linted {
    linted(&[input(name(path), &fs::read_to_string(path).unwrap(), InputKind::Configuration)])
}

fn errors(linted: &Linted) -> Vec<String> {
    let errors = linted.findings.iter().filter(|finding| finding.level == Level::Error);
    errors.map(|finding| format!("{} {}", finding.code, finding.message)).collect()
}

fn hold(folder: &Path) -> usize {
    let broken = || BROKEN.iter().chain([&ALSO_BROKEN]);
    let mut found = 0;
    for path in files(folder) {
        let errors = errors(&of_file(&path));
        let stem = name(&path).trim_start_matches("config__testdata__conf.").trim_end_matches(".yml");
        match broken().find(|(file, ..)| *file == stem) {
            Some((_, code, words)) => {
                found += 1;
                let right = |error: &String| error.starts_with(code) && error.contains(words);
                assert!(errors.iter().any(right), "{stem}: {code} {words} in {errors:#?}");
            }
            None => assert_eq!(errors, [""; 0], "{stem} is a good one"),
        }
    }
    found
}

#[test]
fn good_configurations_have_no_error_and_broken_ones_the_right_one() {
    assert_eq!(hold(&folder("tests/public/configurations")), BROKEN.len() + 1);
}

/// A rule set held against the configuration of kube-prometheus.
fn with_rules(jsonl: &str) -> Linted {
    let configuration = folder("tests/public/configurations/kube-prometheus__alertmanager-secret.yaml");
    let configuration = fs::read_to_string(configuration).unwrap();
    linted(&[
        input("alertmanager-secret.yaml", &configuration, InputKind::Configuration),
        rules(&rule_file(jsonl)),
    ])
}

#[test]
fn public_rules_are_followed_without_a_false_error() {
    let linted = with_rules(&fs::read_to_string(folder("tests/public/rules.jsonl")).unwrap());
    assert_eq!(errors(&linted), [""; 0]);
    assert!(linted.alerts >= 299, "{}", linted.alerts);
}

#[test]
fn more_public_files_hold_too_where_they_are() {
    let Some(more) = std::env::var_os(MORE).map(PathBuf::from) else { return };
    assert_eq!(hold(&more.join("alertmanager_configs")), BROKEN.len() + 1);
    let linted = with_rules(&fs::read_to_string(more.join("alert_rules.jsonl")).unwrap());
    assert_eq!(errors(&linted), [""; 0]);
    assert!(linted.alerts >= 2_000, "{}", linted.alerts);
    let not_followed = linted.findings.iter().filter(|finding| finding.code == "AM401").count();
    assert!(not_followed <= linted.alerts / 200, "{not_followed} of {}", linted.alerts);
}
