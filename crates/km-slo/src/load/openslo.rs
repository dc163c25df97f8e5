//! A strict part of OpenSLO v1: the kinds `SLO` and `SLI`, ratios counted in Prometheus, one rolling window,
//! occurrences. The fields are those of <https://github.com/OpenSLO/OpenSLO/blob/v1.0.0/README.md>.

use std::collections::{BTreeMap, HashMap};

use super::query::{increase, query};
use super::yaml::{Field, Fields, Node, Problems};
use super::{Defaults, LoadError, extras};
use crate::objective::{Alerting, Indicator, Objective, Place, Query, Share, Window};

pub(super) const VERSION: &str = "openslo/v1";

/// The indicators that stand in documents of their own, in any file.
#[derive(Default)]
pub(super) struct Indicators {
    found: HashMap<String, Own>,
    twice: Vec<LoadError>,
}

struct Own {
    indicator: Option<Indicator>,
    place: Place,
    problems: Vec<LoadError>,
}

impl Indicators {
    /// Takes the indicators of a file. Files that are no YAML are told of elsewhere.
    pub(super) fn gather(&mut self, file: &str, text: &str) {
        for document in super::yaml::documents(file, text).unwrap_or_default() {
            self.gather_one(file, &document);
        }
    }

    fn gather_one(&mut self, file: &str, document: &Node) {
        let (mut problems, mut aside) = (Problems::of(file), Problems::of(file));
        let root = Field::root(document);
        let Some(mut fields) = root.fields(&mut aside) else { return };
        let is = |field: Option<Field<'_>>, text: &str| {
            field.is_some_and(|field| field.text(&mut Problems::of(file)) == Some(text))
        };
        if !is(fields.optional("apiVersion"), VERSION) || !is(fields.optional("kind"), "SLI") {
            return;
        }
        let name = fields.required("metadata", &mut problems).map(|field| metadata(&field, &mut problems));
        let spec = fields.required("spec", &mut problems);
        fields.end(&mut problems);
        let indicator = spec.and_then(|field| indicator(&field, &mut problems));
        let name = name.and_then(|meta| meta.name).unwrap_or_default();
        let place = Place { file: file.to_owned(), line: root.line() };
        let own = Own { indicator, place, problems: problems.found };
        if let Some(other) = self.found.insert(name.clone(), own) {
            let reason = format!("the SLI `{name}` stands at {} already", other.place);
            root.refuse(&mut aside, reason);
            self.twice.append(&mut aside.found);
        }
    }

    /// What is wrong with the indicators themselves, said once.
    pub(super) fn problems(&self) -> Vec<LoadError> {
        let own = self.found.values().flat_map(|own| own.problems.iter().cloned());
        let mut problems: Vec<LoadError> = own.chain(self.twice.iter().cloned()).collect();
        problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        problems
    }
}

/// The objectives of a document whose version was read.
pub(super) fn read(
    root: &Field<'_>,
    mut fields: Fields<'_>,
    defaults: &Defaults,
    indicators: &Indicators,
    problems: &mut Problems,
) -> Vec<Objective> {
    let Some(kind) = fields.required("kind", problems) else { return Vec::new() };
    match kind.text(problems) {
        Some("SLO") => {}
        // Read when the indicators were gathered.
        Some("SLI") | None => return Vec::new(),
        Some(other) => {
            kind.refuse(problems, format!("km reads the kinds SLO and SLI, and not {other}"));
            return Vec::new();
        }
    }
    let meta =
        fields.required("metadata", problems).map(|field| metadata(&field, problems)).unwrap_or_default();
    let spec = fields.required("spec", problems);
    fields.end(problems);
    let Some(spec) = spec else { return Vec::new() };
    objectives(root, &meta, &spec, defaults, indicators, problems).unwrap_or_default()
}

#[derive(Default)]
struct Metadata {
    name: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn metadata(field: &Field<'_>, problems: &mut Problems) -> Metadata {
    let Some(mut fields) = field.fields(problems) else { return Metadata::default() };
    let name = fields.required("name", problems).and_then(|field| field.text(problems)).map(str::to_owned);
    if let Some(shown) = fields.optional("displayName") {
        shown.prose(problems);
    }
    let labels = fields.optional("labels").map(|field| field.labels_of_many(problems)).unwrap_or_default();
    let annotations = fields.optional("annotations").map(|field| field.labels(problems)).unwrap_or_default();
    fields.end(problems);
    Metadata { name, labels, annotations }
}

fn objectives(
    root: &Field<'_>,
    meta: &Metadata,
    spec: &Field<'_>,
    defaults: &Defaults,
    indicators: &Indicators,
    problems: &mut Problems,
) -> Option<Vec<Objective>> {
    let mut fields = spec.fields(problems)?;
    let description = fields.optional("description").map_or("", |field| field.prose(problems));
    let service = fields.required("service", problems).and_then(|field| field.text(problems));
    let indicator = indicator_of(&mut fields, indicators, problems);
    let window = fields.required("timeWindow", problems).and_then(|field| window(&field, problems));
    match fields.required("budgetingMethod", problems) {
        Some(method) if method.text(problems) != Some("Occurrences") => {
            method.refuse(problems, "km counts `Occurrences` only");
        }
        Some(_) | None => {}
    }
    let targets =
        fields.required("objectives", problems).map(|field| targets(&field, problems)).unwrap_or_default();
    if let Some(policies) = fields.optional("alertPolicies") {
        let listed = policies.list(problems);
        if !listed.is_empty() {
            policies.refuse(problems, "km reads no alert policies: `km slo rules` makes the alerts");
        }
    }
    fields.end(problems);
    let mut annotations = meta.annotations.clone();
    let labels: BTreeMap<String, String> =
        meta.labels.iter().map(|(name, text)| (as_label(name), text.clone())).collect();
    let extras = extras(&mut annotations, defaults, root, problems);
    let (name, service, indicator, window) = (meta.name.as_deref()?, service?, indicator?, window?);
    let several = targets.len() > 1;
    let made = targets.into_iter().enumerate().map(|(at, target)| {
        let name = if several { format!("{name}-{}", at + 1) } else { name.to_owned() };
        Objective {
            id: format!("{service}/{name}"),
            service: service.to_owned(),
            name,
            description: description.to_owned(),
            labels: labels.clone(),
            target,
            window,
            indicator: indicator.clone(),
            weight: extras.weight,
            events_min: extras.events_min,
            alerting: Alerting { annotations: annotations.clone(), ..Alerting::default() },
            place: Place { file: problems.file().to_owned(), line: root.line() },
        }
    });
    Some(made.collect())
}

/// A name as Prometheus takes it for a label: Kubernetes' names have dots and slashes.
fn as_label(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn indicator_of(
    fields: &mut Fields<'_>,
    indicators: &Indicators,
    problems: &mut Problems,
) -> Option<Indicator> {
    match (fields.optional("indicator"), fields.optional("indicatorRef")) {
        (Some(inline), None) => {
            let mut inner = inline.fields(problems)?;
            if let Some(meta) = inner.optional("metadata") {
                metadata(&meta, problems);
            }
            let spec = inner.required("spec", problems);
            inner.end(problems);
            indicator(&spec?, problems)
        }
        (None, Some(reference)) => {
            let name = reference.text(problems)?;
            match indicators.found.get(name) {
                Some(own) => own.indicator.clone(),
                None => {
                    reference
                        .refuse(problems, format!("there is no SLI `{name}` in the files that were read"));
                    None
                }
            }
        }
        (Some(_), Some(_)) => {
            fields.refuse(problems, "either `indicator` or `indicatorRef`, and not both");
            None
        }
        (None, None) => {
            fields.refuse(problems, "`indicator` or `indicatorRef` is missing");
            None
        }
    }
}

/// The spec of an SLI.
fn indicator(spec: &Field<'_>, problems: &mut Problems) -> Option<Indicator> {
    let mut fields = spec.fields(problems)?;
    if let Some(description) = fields.optional("description") {
        description.prose(problems);
    }
    let ratio = fields.optional("ratioMetric");
    fields.unsupported("thresholdMetric", "km reads `ratioMetric` only", problems);
    if ratio.is_none() {
        fields.refuse(problems, "`ratioMetric` is missing");
    }
    fields.end(problems);
    ratio_metric(&ratio?, problems)
}

fn ratio_metric(field: &Field<'_>, problems: &mut Problems) -> Option<Indicator> {
    let mut fields = field.fields(problems)?;
    let counter = fields.optional("counter").and_then(|field| field.flag(problems)).unwrap_or(false);
    let mut metric = |name: &'static str, problems: &mut Problems| {
        let found = fields.optional(name)?;
        Some(source(&found, problems).map(|query| if counter { increase(query) } else { query }))
    };
    let (good, bad, total) = (metric("good", problems), metric("bad", problems), metric("total", problems));
    let raw = fields.optional("raw").map(|field| source(&field, problems));
    let raw_type = fields.optional("rawType").and_then(|field| share(&field, problems));
    let indicator = match (good, bad, total, raw, raw_type) {
        (Some(good), None, Some(total), None, None) => {
            good.zip(total).map(|(good, total)| Indicator::Good { good, total })
        }
        (None, Some(bad), Some(total), None, None) => {
            bad.zip(total).map(|(bad, total)| Indicator::Bad { bad, total })
        }
        (None, None, None, Some(raw), Some(of)) => raw.map(|ratio| Indicator::Raw { ratio, of }),
        (_, _, _, _, _) => {
            fields.refuse(problems, "expected `good` and `total`, `bad` and `total`, or `raw` and `rawType`");
            None
        }
    };
    fields.end(problems);
    indicator
}

fn share(field: &Field<'_>, problems: &mut Problems) -> Option<Share> {
    match field.text(problems)? {
        "success" => Some(Share::Success),
        "failure" => Some(Share::Failure),
        _ => {
            field.refuse(problems, "expected `success` or `failure`");
            None
        }
    }
}

/// The query of a metric that lies in Prometheus.
fn source(field: &Field<'_>, problems: &mut Problems) -> Option<Query> {
    let mut fields = field.fields(problems)?;
    let source = fields.required("metricSource", problems);
    fields.end(problems);
    let mut fields = source?.fields(problems)?;
    let kind = fields.required("type", problems);
    if let Some(kind) = kind
        && kind.text(problems).is_some_and(|text| !text.eq_ignore_ascii_case("prometheus"))
    {
        kind.refuse(problems, "km asks `Prometheus` only");
    }
    if let Some(reference) = fields.optional("metricSourceRef") {
        one_source(&reference, problems);
    }
    let spec = fields.required("spec", problems);
    fields.end(problems);
    let mut fields = spec?.fields(problems)?;
    let query = fields.required("query", problems).and_then(|field| query(&field, problems));
    fields.end(problems);
    query
}

/// km asks one Prometheus, so that all references of a file have to be to the same one.
fn one_source(reference: &Field<'_>, problems: &mut Problems) {
    let Some(name) = reference.text(problems) else { return };
    let first = problems.source.get_or_insert_with(|| name.to_owned()).clone();
    if first != name {
        let reason = format!("another data source than `{first}` before: km asks one Prometheus");
        reference.refuse(problems, reason);
    }
}

fn window(field: &Field<'_>, problems: &mut Problems) -> Option<Window> {
    let windows = field.list(problems);
    let [only] = windows.as_slice() else {
        field.refuse(problems, "expected one window");
        return None;
    };
    let mut fields = only.fields(problems)?;
    let duration = fields.required("duration", problems);
    match fields.optional("isRolling") {
        Some(rolling) if rolling.flag(problems) == Some(false) => {
            rolling.refuse(problems, "km knows rolling windows only");
        }
        // A window without a calendar rolls.
        Some(_) | None => {}
    }
    fields.unsupported("calendar", "km knows rolling windows only", problems);
    fields.end(problems);
    let duration = duration?;
    let window = Window::parse(duration.text(problems)?);
    if window.is_none() {
        duration.refuse(
            problems,
            "expected a whole number of `w`, `d`, `h` or `m`, such as `30d`, up to ten years",
        );
    }
    window
}

fn targets(field: &Field<'_>, problems: &mut Problems) -> Vec<f64> {
    let items = field.list(problems);
    if items.is_empty() {
        field.refuse(problems, "expected at least one objective");
    }
    items.iter().filter_map(|item| target(item, problems)).collect()
}

fn target(item: &Field<'_>, problems: &mut Problems) -> Option<f64> {
    let mut fields = item.fields(problems)?;
    if let Some(shown) = fields.optional("displayName") {
        shown.prose(problems);
    }
    let (share, percent) = (fields.optional("target"), fields.optional("targetPercent"));
    for name in ["op", "value"] {
        fields.unsupported(
            name,
            "a threshold belongs to `thresholdMetric`, which km does not read",
            problems,
        );
    }
    for name in ["timeSliceTarget", "timeSliceWindow"] {
        fields.unsupported(name, "km counts `Occurrences` only", problems);
    }
    for name in ["compositeWeight", "indicator", "indicatorRef"] {
        fields.unsupported(name, "km reads no composite objectives", problems);
    }
    let target = match (share, percent) {
        (Some(share), None) => within(&share, 1.0, problems),
        (None, Some(percent)) => within(&percent, 100.0, problems).map(super::sloth::share_of_percent),
        (Some(_), Some(_)) => {
            fields.refuse(problems, "either `target` or `targetPercent`, and not both");
            None
        }
        (None, None) => {
            fields.refuse(problems, "`target` or `targetPercent` is missing");
            None
        }
    };
    fields.end(problems);
    target
}

fn within(field: &Field<'_>, most: f64, problems: &mut Problems) -> Option<f64> {
    let number = field.number(problems)?;
    if (0.0..=most).contains(&number) {
        return Some(number);
    }
    field.refuse(problems, format!("expected a number from 0 to {most}, found `{number}`"));
    None
}
