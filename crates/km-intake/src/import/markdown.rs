//! One Markdown file into one write.

use std::collections::BTreeMap;

use km_model::limits::{
    CONTENT_BYTES_MAX, ID_BYTES_MAX, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX, TITLE_BYTES_MAX,
};
use km_model::{Timestamp, WriteDocument};
use serde_json::{Map, Value};

use super::front_matter::FrontMatter;
use super::{ImportError, Reason, text_of};
use crate::text::{fit, fit_id, fit_labels};
use crate::{Request, json};

/// Words in headings that only post-mortems have.
const POSTMORTEM_HEADINGS: [&str; 12] = [
    "root cause",
    "timeline",
    "lessons learned",
    "postmortem",
    "post-mortem",
    "what went well",
    "incident summary",
    "根因",
    "时间线",
    "复盘",
    "故障原因",
    "经验教训",
];
/// Folder names that say what lies in them.
const POSTMORTEM_FOLDERS: [&str; 6] =
    ["postmortem", "postmortems", "post-mortems", "post-mortem", "incidents", "incident-reports"];

/// Reads one Markdown file; `name` is its path below the imported folder, with forward slashes.
///
/// The title is the front matter's, the first heading's, or the file's name. A file is a post-mortem by its
/// front matter (`type`), its folder, or its headings, and then names an incident; otherwise it is a runbook
/// and names a playbook. An alert's name is taken from the front matter, or from a file name like
/// `KubePodCrashLooping.md`.
///
/// Its dates stand in the metadata (`document_date`, `document_updated`) and say nothing about which of two texts
/// is newer: people edit a file and leave its dates alone. The file that is imported later is.
///
/// # Errors
/// [`ImportError`], with the line where one is known.
pub fn markdown(name: &str, bytes: &[u8]) -> Result<Request, ImportError> {
    let text = text_of(bytes)?;
    let (matter, body) = FrontMatter::split(text)?;
    let body = body.trim();
    if body.is_empty() {
        return Err(ImportError::whole(Reason::Empty));
    }
    if body.len() > CONTENT_BYTES_MAX {
        return Err(ImportError::whole(Reason::TooLong { bytes: body.len() }));
    }
    let page = Page { name, matter, body };
    json::from_document(page.document())
        .map_err(|violations| ImportError::whole(Reason::Violations(violations)))
}

struct Page<'a> {
    name: &'a str,
    matter: FrontMatter,
    body: &'a str,
}

impl Page<'_> {
    fn document(&self) -> WriteDocument {
        let postmortem = self.is_postmortem();
        let slug = fit_id(&self.slug(), ID_BYTES_MAX);
        let incident =
            self.matter.text(&["incident_id", "incident", "id"]).map(|id| fit_id(&id, ID_BYTES_MAX));
        let about_incident = incident.filter(|_| postmortem).or_else(|| postmortem.then(|| slug.clone()));
        let kind = if postmortem { "postmortem" } else { "runbook" };
        WriteDocument {
            path: Some(if postmortem { "incident_resolve" } else { "playbook_extract" }.to_owned()),
            incident_id: about_incident,
            playbook: (!postmortem).then_some(slug),
            title: Some(fit(&self.title(), TITLE_BYTES_MAX)),
            content: Some(self.body.replace("\r\n", "\n")),
            entry_type: Some(kind.to_owned()),
            tags: Some(self.tags()),
            labels: Some(self.labels()),
            source: Some(km_model::SourceDocument {
                service: Some("import".to_owned()),
                actor: self.matter.text(&["author", "owner"]).map(|text| fit(&text, SOURCE_BYTES_MAX)),
                url: self.matter.text(&["source", "url", "link"]).map(|text| fit(&text, SOURCE_BYTES_MAX)),
            }),
            metadata: Some(self.metadata()),
            ..WriteDocument::default()
        }
    }

    fn slug(&self) -> String {
        self.matter.text(&["slug", "playbook"]).unwrap_or_else(|| stem(self.name).to_owned())
    }

    fn file_stem(&self) -> &str {
        let stem = stem(self.name);
        stem.rsplit('/').next().unwrap_or(stem)
    }

    fn title(&self) -> String {
        let heading = || headings(self.body).next().map(|(_, text)| text.to_owned());
        self.matter.text(&["title"]).or_else(heading).unwrap_or_else(|| self.file_stem().to_owned())
    }

    fn is_postmortem(&self) -> bool {
        if let Some(kind) = self.matter.text(&["type", "kind", "category"]).map(|kind| kind.to_lowercase()) {
            if kind.contains("mortem") || kind.contains("incident") || kind.contains("复盘") {
                return true;
            }
            if kind.contains("runbook") || kind.contains("playbook") || kind.contains("howto") {
                return false;
            }
        }
        let mut folders = self.name.split('/').rev().skip(1).map(str::to_lowercase);
        if folders.any(|folder| POSTMORTEM_FOLDERS.contains(&folder.as_str())) {
            return true;
        }
        let told = |heading: &str| {
            let heading = heading.to_lowercase();
            POSTMORTEM_HEADINGS.iter().any(|word| heading.contains(word))
        };
        headings(self.body).filter(|(_, heading)| told(heading)).count() >= 2
    }

    /// The alerts it is about.
    fn alerts(&self) -> Vec<String> {
        let named = self.matter.list(&["alert", "alertname", "alert_name", "alerts"]);
        if !named.is_empty() {
            return named;
        }
        let title = self.title();
        let candidates = [self.file_stem(), title.split_whitespace().next().unwrap_or_default()];
        candidates
            .iter()
            .find(|name| is_alert_name(name))
            .map(|name| (*name).to_owned())
            .into_iter()
            .collect()
    }

    fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        let named = self.matter.list(&["tags", "tag", "keywords", "services", "service"]);
        for tag in named.into_iter().chain(self.alerts()) {
            let tag = fit(&tag, TAG_BYTES_MAX);
            if tags.len() < TAGS_MAX && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.matter.map("labels");
        for name in ["severity", "team", "lang", "service"] {
            if let Some(text) = self.matter.text(&[name]) {
                labels.entry(name.to_owned()).or_insert(text);
            }
        }
        if let Some(alert) = self.alerts().into_iter().next() {
            labels.entry("alertname".to_owned()).or_insert(alert);
        }
        fit_labels(&labels)
    }

    /// A date of the front matter: as a time where it can be read as one, else as it stands there.
    fn date(&self, names: &[&str]) -> Option<String> {
        let named = self.matter.text(names)?;
        Some(time(&named).map_or_else(|| fit(&named, SOURCE_BYTES_MAX), |at| at.to_string()))
    }

    fn metadata(&self) -> Map<String, Value> {
        let mut metadata = Map::new();
        metadata.insert("file".to_owned(), Value::from(self.name));
        let told = self.date(&["date", "occurred_at", "resolved_at"]);
        let date = told.or_else(|| date_in(self.file_stem()).map(|at| at.to_string()));
        let updated = self.date(&["updated", "lastmod", "last_modified", "last_updated", "modified"]);
        for (name, date) in [("document_date", date), ("document_updated", updated)] {
            metadata.extend(date.map(|date| (name.to_owned(), Value::from(date))));
        }
        for name in ["licence", "license", "source"] {
            if let Some(text) = self.matter.text(&[name]) {
                metadata.insert(name.to_owned(), Value::from(text));
            }
        }
        metadata
    }
}

fn stem(name: &str) -> &str {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[file..].rfind('.') {
        Some(dot) if dot > 0 => &name[..file + dot],
        Some(_) | None => name,
    }
}

/// The headings outside code blocks, with their levels: `#` signs, or a line underlined with `=` or `-`.
fn headings(body: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    let mut above = "";
    body.lines().filter_map(move |line| {
        let line = line.trim_end();
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            fenced = !fenced;
        }
        let before = std::mem::replace(&mut above, if fenced { "" } else { line });
        if fenced {
            return None;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        let text = line.trim_start_matches('#');
        if (1..=6).contains(&level) && text.starts_with([' ', '\t']) {
            return Some((level, text.trim().trim_end_matches('#').trim_end()))
                .filter(|(_, text)| !text.is_empty());
        }
        let underlined =
            line.len() >= 3 && (line.bytes().all(|b| b == b'=') || line.bytes().all(|b| b == b'-'));
        let level = if line.starts_with('=') { 1 } else { 2 };
        Some((level, before.trim())).filter(|(_, text)| underlined && !text.is_empty())
    })
}

/// Two or more words in CamelCase, ASCII letters and digits only: how alert rules are named.
fn is_alert_name(name: &str) -> bool {
    let humps = name
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && humps.count() >= 1
}

fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).ok().or_else(|| date_in(text))
}

/// The first `YYYY-MM-DD` of a text, as midnight UTC.
fn date_in(text: &str) -> Option<Timestamp> {
    let shape = b"dddd-dd-dd";
    let fits = |window: &[u8]| {
        window
            .iter()
            .zip(shape)
            .all(|(byte, kind)| if *kind == b'd' { byte.is_ascii_digit() } else { byte == kind })
    };
    let at = text.as_bytes().windows(shape.len()).position(fits)?;
    Timestamp::parse(&format!("{}T00:00:00Z", &text[at..at + shape.len()])).ok()
}
