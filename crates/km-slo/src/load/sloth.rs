//! Sloth's `prometheus/v1`. The fields are those of its specification,
//! <https://pkg.go.dev/github.com/slok/sloth/pkg/prometheus/api/v1>.

use std::collections::BTreeMap;

use super::query::query;
use super::yaml::{Field, Fields, Problems};
use super::{Defaults, extras};
use crate::objective::{Alerting, Channel, Indicator, Objective, Place, Share};

pub(super) const VERSION: &str = "prometheus/v1";

/// The objectives of a document whose version was read.
pub(super) fn read(
    root: &Field<'_>,
    mut fields: Fields<'_>,
    defaults: &Defaults,
    problems: &mut Problems,
) -> Vec<Objective> {
    let service =
        fields.required("service", problems).and_then(|field| field.text(problems).map(str::to_owned));
    let labels = fields.optional("labels").map(|field| labels(&field, problems)).unwrap_or_default();
    let slos = fields.required("slos", problems);
    fields.unsupported("slo_plugins", "km runs no plugins of Sloth", problems);
    fields.end(problems);
    let Some(slos) = slos else { return Vec::new() };
    let items = slos.list(problems);
    if items.is_empty() && problems.found.is_empty() {
        root.refuse(problems, "`slos` is empty");
    }
    let service = service.unwrap_or_default();
    items.iter().filter_map(|item| objective(item, &service, &labels, defaults, problems)).collect()
}

fn objective(
    item: &Field<'_>,
    service: &str,
    shared: &BTreeMap<String, String>,
    defaults: &Defaults,
    problems: &mut Problems,
) -> Option<Objective> {
    let mut fields = item.fields(problems)?;
    let name = fields.required("name", problems).and_then(|field| field.text(problems));
    let target = fields.required("objective", problems).and_then(|field| percent(&field, problems));
    let description = fields.optional("description").map_or("", |field| field.prose(problems));
    let mut labels = shared.clone();
    labels.extend(fields.optional("labels").map(|field| self::labels(&field, problems)).unwrap_or_default());
    let extras = extras(&mut labels, defaults, item, problems);
    let indicator = fields.required("sli", problems).and_then(|field| indicator(&field, problems));
    let alerting =
        fields.optional("alerting").and_then(|field| alerting(&field, problems)).unwrap_or_default();
    fields.unsupported("plugins", "km runs no plugins of Sloth", problems);
    fields.end(problems);
    let (name, target, indicator) = (name?, target?, indicator?);
    Some(Objective {
        id: format!("{service}/{name}"),
        service: service.to_owned(),
        name: name.to_owned(),
        description: description.to_owned(),
        labels,
        target,
        window: defaults.period,
        indicator,
        weight: extras.weight,
        events_min: extras.events_min,
        alerting,
        place: Place { file: problems.file().to_owned(), line: item.line() },
    })
}

/// A percentage as a share. 99.9 becomes the double nearest to 0.999.
fn percent(field: &Field<'_>, problems: &mut Problems) -> Option<f64> {
    let percent = field.number(problems)?;
    if !(0.0..=100.0).contains(&percent) {
        field.refuse(problems, format!("expected a percentage from 0 to 100, found `{percent}`"));
        return None;
    }
    Some(share_of_percent(percent))
}

/// Shifts the decimal text and does not divide the double, which keeps 99.9 at 0.999.
pub(super) fn share_of_percent(percent: f64) -> f64 {
    format!("{percent}e-2").parse().unwrap_or(percent / 100.0)
}

/// Labels whose names Prometheus takes.
fn labels(field: &Field<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let labels = field.labels(problems);
    for name in labels.keys() {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(fits) {
            field.refuse(problems, format!("`{name}` is no name of a label"));
        }
    }
    labels
}

fn indicator(field: &Field<'_>, problems: &mut Problems) -> Option<Indicator> {
    let mut fields = field.fields(problems)?;
    let (events, raw) = (fields.optional("events"), fields.optional("raw"));
    let plugin = fields.optional("plugin");
    let indicator = match (events, raw, plugin) {
        (Some(events), None, None) => of_events(&events, problems),
        (None, Some(raw), None) => of_raw(&raw, problems),
        (_, _, Some(plugin)) => {
            plugin.refuse(problems, "km runs no plugins of Sloth: write the queries out");
            None
        }
        (Some(_), Some(_), None) => {
            fields.refuse(problems, "either `events` or `raw`, and not both");
            None
        }
        (None, None, None) => {
            fields.refuse(problems, "`events` or `raw` is missing");
            None
        }
    };
    fields.end(problems);
    indicator
}

fn of_events(field: &Field<'_>, problems: &mut Problems) -> Option<Indicator> {
    let mut fields = field.fields(problems)?;
    let bad = fields.required("error_query", problems).and_then(|field| query(&field, problems));
    let total = fields.required("total_query", problems).and_then(|field| query(&field, problems));
    fields.end(problems);
    Some(Indicator::Bad { bad: bad?, total: total? })
}

fn of_raw(field: &Field<'_>, problems: &mut Problems) -> Option<Indicator> {
    let mut fields = field.fields(problems)?;
    let ratio = fields.required("error_ratio_query", problems).and_then(|field| query(&field, problems));
    fields.end(problems);
    Some(Indicator::Raw { ratio: ratio?, of: Share::Failure })
}

fn alerting(field: &Field<'_>, problems: &mut Problems) -> Option<Alerting> {
    let mut fields = field.fields(problems)?;
    let alerting = Alerting {
        name: fields.optional("name").and_then(|field| field.text(problems)).map(str::to_owned),
        labels: fields.optional("labels").map(|field| labels(&field, problems)).unwrap_or_default(),
        annotations: fields.optional("annotations").map(|field| field.labels(problems)).unwrap_or_default(),
        page: fields.optional("page_alert").and_then(|field| channel(&field, problems)).unwrap_or_default(),
        ticket: fields
            .optional("ticket_alert")
            .and_then(|field| channel(&field, problems))
            .unwrap_or_default(),
    };
    fields.end(problems);
    Some(alerting)
}

fn channel(field: &Field<'_>, problems: &mut Problems) -> Option<Channel> {
    let mut fields = field.fields(problems)?;
    let channel = Channel {
        disabled: fields.optional("disable").and_then(|field| field.flag(problems)).unwrap_or(false),
        labels: fields.optional("labels").map(|field| labels(&field, problems)).unwrap_or_default(),
        annotations: fields.optional("annotations").map(|field| field.labels(problems)).unwrap_or_default(),
    };
    fields.end(problems);
    Some(channel)
}
