//! Receivers: what each integration needs, what goes to km, and receivers that nobody or nothing is behind.

use std::collections::HashSet;
use std::sync::Arc;

use km_yaml::Node;

use super::Look;
use crate::config::Receiver;
use crate::finding::Level;
use crate::report::{Report, Spot};
use crate::schema::is_true;

/// Where km takes the notifications of Alertmanager.
const KM_PATH: &str = "/v1/webhooks/alertmanager";

/// Names of receivers that are meant to send nothing.
const SILENT: [&str; 12] = [
    "null",
    "none",
    "blackhole",
    "black-hole",
    "devnull",
    "dev-null",
    "noop",
    "drop",
    "void",
    "ignore",
    "silent",
    "watchdog",
];

/// Fields of which at most one may be given.
const EXCLUSIVE: &[(&str, &[&str])] = &[
    ("slack_configs", &["api_url", "api_url_file"]),
    ("slack_configs", &["app_token", "app_token_file"]),
    ("wechat_configs", &["api_secret", "api_secret_file"]),
    ("victorops_configs", &["api_key", "api_key_file"]),
    ("opsgenie_configs", &["api_key", "api_key_file"]),
    ("discord_configs", &["webhook_url", "webhook_url_file"]),
    ("msteams_configs", &["webhook_url", "webhook_url_file"]),
    ("msteamsv2_configs", &["webhook_url", "webhook_url_file"]),
    ("mattermost_configs", &["webhook_url", "webhook_url_file"]),
    ("incidentio_configs", &["url", "url_file"]),
    ("incidentio_configs", &["alert_source_token", "alert_source_token_file"]),
    ("pagerduty_configs", &["routing_key", "routing_key_file"]),
    ("pagerduty_configs", &["service_key", "service_key_file"]),
    ("pushover_configs", &["user_key", "user_key_file"]),
    ("pushover_configs", &["token", "token_file"]),
    ("pushover_configs", &["html", "monospace"]),
    ("rocketchat_configs", &["token", "token_file"]),
    ("rocketchat_configs", &["token_id", "token_id_file"]),
    ("telegram_configs", &["bot_token", "bot_token_file"]),
    ("telegram_configs", &["chat_id", "chat_id_file"]),
    ("webhook_configs", &["url", "url_file"]),
    ("email_configs", &["auth_password", "auth_password_file"]),
    ("email_configs", &["auth_secret", "auth_secret_file"]),
];

/// The same of the `global` block.
const EXCLUSIVE_GLOBALLY: &[&[&str]] = &[
    &["slack_api_url", "slack_api_url_file"],
    &["slack_app_token", "slack_app_token_file"],
    &["opsgenie_api_key", "opsgenie_api_key_file"],
    &["victorops_api_key", "victorops_api_key_file"],
    &["telegram_bot_token", "telegram_bot_token_file"],
    &["smtp_auth_password", "smtp_auth_password_file"],
    &["smtp_auth_secret", "smtp_auth_secret_file"],
    &["rocketchat_token", "rocketchat_token_file"],
    &["rocketchat_token_id", "rocketchat_token_id_file"],
    &["wechat_api_secret", "wechat_api_secret_file"],
    &["mattermost_webhook_url", "mattermost_webhook_url_file"],
];

/// Of an integration: fields of which one has to be there, and those of `global` that stand in for them.
const NEEDED: &[(&str, &[&str], &[&str])] = &[
    (
        "slack_configs",
        &["api_url", "api_url_file", "app_token", "app_token_file"],
        &["slack_api_url", "slack_api_url_file", "slack_app_token", "slack_app_token_file"],
    ),
    ("wechat_configs", &["api_secret", "api_secret_file"], &["wechat_api_secret", "wechat_api_secret_file"]),
    ("wechat_configs", &["corp_id"], &["wechat_api_corp_id"]),
    ("victorops_configs", &["api_key", "api_key_file"], &["victorops_api_key", "victorops_api_key_file"]),
    ("victorops_configs", &["routing_key"], &[]),
    ("opsgenie_configs", &["api_key", "api_key_file"], &["opsgenie_api_key", "opsgenie_api_key_file"]),
    ("discord_configs", &["webhook_url", "webhook_url_file"], &[]),
    ("msteams_configs", &["webhook_url", "webhook_url_file"], &[]),
    ("msteamsv2_configs", &["webhook_url", "webhook_url_file"], &[]),
    (
        "mattermost_configs",
        &["webhook_url", "webhook_url_file"],
        &["mattermost_webhook_url", "mattermost_webhook_url_file"],
    ),
    ("incidentio_configs", &["url", "url_file"], &[]),
    ("pagerduty_configs", &["routing_key", "routing_key_file", "service_key", "service_key_file"], &[]),
    ("pushover_configs", &["user_key", "user_key_file"], &[]),
    ("pushover_configs", &["token", "token_file"], &[]),
    ("rocketchat_configs", &["token", "token_file"], &["rocketchat_token", "rocketchat_token_file"]),
    (
        "rocketchat_configs",
        &["token_id", "token_id_file"],
        &["rocketchat_token_id", "rocketchat_token_id_file"],
    ),
    (
        "telegram_configs",
        &["bot_token", "bot_token_file"],
        &["telegram_bot_token", "telegram_bot_token_file"],
    ),
    ("telegram_configs", &["chat_id", "chat_id_file"], &[]),
    ("webhook_configs", &["url", "url_file"], &[]),
    ("email_configs", &["to"], &[]),
    ("email_configs", &["smarthost"], &["smtp_smarthost"]),
    ("email_configs", &["from"], &["smtp_from"]),
    ("jira_configs", &["project"], &[]),
    ("jira_configs", &["issue_type"], &[]),
    ("jira_configs", &["api_url"], &["jira_api_url"]),
    ("sns_configs", &["topic_arn", "phone_number", "target_arn"], &[]),
    ("webex_configs", &["room_id"], &[]),
];

/// Integrations that may be written as nothing at all.
const MAY_BE_NULL: [&str; 4] = ["slack_configs", "opsgenie_configs", "wechat_configs", "rocketchat_configs"];

pub(super) fn check(look: &Look<'_>, report: &mut Report) {
    globally(look, report);
    let used: HashSet<&str> = look
        .configuration
        .routes
        .iter()
        .filter_map(|route| Some(route.receiver.as_ref()?.text.as_str()))
        .collect();
    for receiver in &look.configuration.receivers {
        for (key, list) in &receiver.integrations {
            for item in list.items() {
                integration(look, receiver.spot.at(item.mark), key, item, report);
            }
        }
        if !used.contains(receiver.name.text.as_str()) {
            let message = format!("no route leads to the receiver `{}`", receiver.name.text);
            look.say(report, receiver.spot, "AM203", Level::Warning, message, None);
        } else if receiver.is_empty() && !is_meant_to_be_silent(receiver) {
            let message = format!("alerts are routed to `{}`, which notifies nobody", receiver.name.text);
            let help = format!("give it an integration, or call it {} when nothing shall be sent", SILENT[0]);
            look.say(report, receiver.spot, "AM204", Level::Warning, message, Some(help));
        }
    }
}

fn is_meant_to_be_silent(receiver: &Receiver) -> bool {
    let name = receiver.name.text.to_lowercase().replace('_', "-");
    SILENT.iter().any(|silent| name.split(['/', ' ', '.']).any(|part| part == *silent))
}

fn global<'a>(look: &'a Look<'_>) -> Option<&'a Arc<Node>> {
    look.configuration.root.get("global")
}

/// Whether a field says something; an empty text says nothing.
fn says(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|value| match value.text() {
        Some(text) => !text.is_empty() && text != "false",
        None => !value.items().is_empty() || !value.entries().is_empty(),
    })
}

fn refused(look: &Look<'_>, report: &mut Report, spot: Spot, message: &str) {
    look.say(report, spot, "AM307", Level::Error, format!("{message}; Alertmanager refuses the file"), None);
}

fn globally(look: &Look<'_>, report: &mut Report) {
    let Some(global) = global(look) else { return };
    let spot = Spot::new(look.configuration.source, global.mark);
    for fields in EXCLUSIVE_GLOBALLY {
        exclusive(look, spot, global, fields, report);
    }
    let both = ["slack_app_token", "slack_app_token_file"].iter().any(|key| says(global, key))
        && ["slack_api_url", "slack_api_url_file"].iter().any(|key| says(global, key));
    let same = global.get("slack_api_url").and_then(|url| url.text())
        == Some(
            global
                .get("slack_app_url")
                .and_then(|url| url.text())
                .unwrap_or("https://slack.com/api/chat.postMessage"),
        );
    if both && !same {
        refused(look, report, spot, "`global` has both a Slack app token and a Slack API URL");
    }
}

fn exclusive(look: &Look<'_>, spot: Spot, node: &Node, fields: &[&str], report: &mut Report) {
    let given: Vec<&str> = fields.iter().copied().filter(|field| says(node, field)).collect();
    if let [first, second, ..] = given[..] {
        refused(look, report, spot, &format!("`{first}` and `{second}` exclude each other"));
    }
}

fn integration(look: &Look<'_>, spot: Spot, key: &str, node: &Arc<Node>, report: &mut Report) {
    if node.entries().is_empty() && !MAY_BE_NULL.contains(&key) {
        return refused(look, report, spot, &format!("an item of `{key}` is empty"));
    }
    for (_, fields) in EXCLUSIVE.iter().filter(|(of, _)| *of == key) {
        exclusive(look, spot, node, fields, report);
    }
    for (_, fields, stand_ins) in NEEDED.iter().filter(|(of, ..)| *of == key) {
        let stands_in = global(look).is_some_and(|global| stand_ins.iter().any(|field| says(global, field)));
        if !stands_in && !fields.iter().any(|field| says(node, field)) {
            let global =
                stand_ins.first().map(|field| format!(", and `global` no `{field}`")).unwrap_or_default();
            let message = format!("an item of `{key}` has no `{}`{global}", fields.join("` or `"));
            refused(look, report, spot, &message);
        }
    }
    match key {
        "webhook_configs" => webhook(look, spot, node, report),
        "slack_configs" => slack(look, spot, node, report),
        "telegram_configs" => telegram(look, spot, node, report),
        "opsgenie_configs" => opsgenie(look, spot, node, report),
        "webex_configs" if !authorized(look, node) => {
            refused(look, report, spot, "an item of `webex_configs` has no `http_config.authorization`");
        }
        "sns_configs" => sns(look, spot, node, report),
        "incidentio_configs" => incidentio(look, spot, node, report),
        _ => {}
    }
}

fn authorized(look: &Look<'_>, node: &Node) -> bool {
    let of = |node: &Node| node.get("http_config").is_some_and(|http| http.get("authorization").is_some());
    // Without an http_config of its own it has the global one.
    of(node) || (node.get("http_config").is_none() && global(look).is_some_and(|global| of(global)))
}

fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    node.get(key).and_then(|value| value.text())
}

fn webhook(look: &Look<'_>, spot: Spot, node: &Node, report: &mut Report) {
    let url = text(node, "url").unwrap_or_default();
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if !path.ends_with(KM_PATH) {
        return;
    }
    match node.get("send_resolved") {
        Some(value) if !value.text().is_some_and(is_true) => {
            let message = "km is not told when alerts are resolved: its incidents stay open";
            let help = Some("set `send_resolved: true`".to_owned());
            look.say(report, spot.at(value.mark), "AM302", Level::Error, message, help);
        }
        Some(_) => {}
        None => {
            let message =
                "whether km is told of resolved alerts rests on a default; say `send_resolved: true`";
            look.say(report, spot, "AM302", Level::Note, message, None);
        }
    }
    if let Some(value) = node.get("max_alerts").filter(|value| value.text().is_some_and(|text| text != "0")) {
        let message = "`max_alerts` cuts what km is told: the alerts beyond it are lost to km";
        look.say(report, spot.at(value.mark), "AM303", Level::Error, message, Some("take it out".to_owned()));
    }
}

fn slack(look: &Look<'_>, spot: Spot, node: &Node, report: &mut Report) {
    let has_token = says(node, "app_token") || says(node, "app_token_file");
    if has_token && (says(node, "api_url") || says(node, "api_url_file")) {
        refused(look, report, spot, "a Slack app token and a Slack API URL exclude each other");
    }
    let posts_messages = |url: &str| url == "https://slack.com/api/chat.postMessage";
    let url = text(node, "api_url").or_else(|| global(look).and_then(|global| text(global, "slack_api_url")));
    let updates = text(node, "update_message").is_some_and(is_true);
    if updates && text(node, "api_url").is_some_and(|url| !posts_messages(url)) && url.is_some() {
        refused(look, report, spot, "`update_message` needs a bot token, and a webhook is given");
    }
}

fn sns(look: &Look<'_>, spot: Spot, node: &Node, report: &mut Report) {
    let Some(sigv4) = node.get("sigv4") else { return };
    if says(sigv4, "access_key") != says(sigv4, "secret_key") {
        refused(look, report, spot.at(sigv4.mark), "`access_key` and `secret_key` need each other");
    }
}

fn telegram(look: &Look<'_>, spot: Spot, node: &Node, report: &mut Report) {
    let mode = text(node, "parse_mode").unwrap_or_default();
    if !["", "Markdown", "MarkdownV2", "HTML"].contains(&mode) {
        refused(look, report, spot, "`parse_mode` has to be Markdown, MarkdownV2, HTML or empty");
    }
}

fn opsgenie(look: &Look<'_>, spot: Spot, node: &Node, report: &mut Report) {
    for responder in node.get("responders").map(|list| list.items()).unwrap_or_default() {
        let spot = spot.at(responder.mark);
        if !["id", "name", "username"].iter().any(|key| says(responder, key)) {
            refused(look, report, spot, "a responder has no `id`, `name` or `username`");
        }
        let kind = text(responder, "type").unwrap_or_default().to_lowercase();
        if !kind.contains("{{")
            && !["team", "teams", "user", "escalation", "schedule"].contains(&kind.as_str())
        {
            refused(
                look,
                report,
                spot,
                "the `type` of a responder has to be team, teams, user, escalation or schedule",
            );
        }
    }
}

fn incidentio(look: &Look<'_>, spot: Spot, node: &Node, report: &mut Report) {
    let has_token = says(node, "alert_source_token") || says(node, "alert_source_token_file");
    let is_authorized = node.get("http_config").is_some_and(|http| http.get("authorization").is_some());
    match (has_token, is_authorized) {
        (true, true) => refused(
            look,
            report,
            spot,
            "`alert_source_token` and `http_config.authorization` exclude each other",
        ),
        (false, false) => {
            refused(look, report, spot, "an item of `incidentio_configs` has no `alert_source_token`")
        }
        _ => {}
    }
}
