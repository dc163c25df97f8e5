//! Reads what Prometheus answers to an instant query: one number, nothing, or one of the many ways to be neither.
//!
//! The format is that of <https://prometheus.io/docs/prometheus/latest/querying/api/>. What stands between, such as a
//! login page or a proxy that is tired, answers in its own format, and is told apart.

use serde::Deserialize;
use serde_json::Value;

use crate::evaluate::{ErrorReason, Trouble};

/// What annotations of the language itself begin with; they say nothing about missing parts.
const LANGUAGE: &str = "PromQL ";
/// Foreign words are shown up to so many characters.
const SHOWN_MAX: usize = 200;

#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    error: String,
    warnings: Option<Vec<String>>,
    /// VictoriaMetrics says so when a storage node is missing.
    #[serde(default, rename = "isPartial")]
    is_partial: bool,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    result_type: String,
    result: Value,
}

/// The number of an answer, or `None` when there is no series.
pub(crate) fn read(status: u16, body: &[u8]) -> Result<Option<f64>, Trouble> {
    if matches!(status, 401 | 403 | 407) {
        return Err(Trouble::new(
            ErrorReason::Auth,
            format!("Prometheus answered {status}: it does not let km in"),
        ));
    }
    let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else { return Err(foreign(status, body)) };
    match envelope.status.as_str() {
        "success" if (200..300).contains(&status) => succeeded(envelope),
        "error" => Err(failed(&envelope)),
        _ => Err(foreign(status, body)),
    }
}

/// Something that is not the API of Prometheus.
fn foreign(status: u16, body: &[u8]) -> Trouble {
    let start = shown(&String::from_utf8_lossy(body.get(..4 * SHOWN_MAX).unwrap_or(body)));
    match status {
        300..400 => {
            Trouble::new(ErrorReason::Protocol, format!("redirected ({status}); is there a login in front?"))
        }
        // A proxy whose Prometheus is away, or a Prometheus that is reading its log back.
        429 | 500..600 => Trouble::new(ErrorReason::Unreachable, format!("answered {status}: {start}")),
        _ => Trouble::new(
            ErrorReason::Protocol,
            format!("answered {status} and not as Prometheus does: {start}"),
        ),
    }
}

fn failed(envelope: &Envelope) -> Trouble {
    let reason = match envelope.error_type.as_str() {
        "timeout" => ErrorReason::Timeout,
        "unavailable" | "canceled" | "too_many_requests" => ErrorReason::Unreachable,
        // VictoriaMetrics names the status.
        "429" | "502" | "503" | "504" => ErrorReason::Unreachable,
        _ => ErrorReason::Query,
    };
    Trouble::new(
        reason,
        format!("Prometheus says {}: {}", shown(&envelope.error_type), shown(&envelope.error)),
    )
}

fn succeeded(envelope: Envelope) -> Result<Option<f64>, Trouble> {
    if envelope.is_partial {
        return Err(Trouble::new(ErrorReason::Partial, "the answer is marked as partial"));
    }
    if let Some(warning) = envelope.warnings.iter().flatten().find(|warning| !warning.starts_with(LANGUAGE)) {
        return Err(Trouble::new(
            ErrorReason::Partial,
            format!("the answer comes with a warning: {}", shown(warning)),
        ));
    }
    let Some(Data { result_type, result }) = envelope.data else {
        return Err(Trouble::new(ErrorReason::Protocol, "the answer holds no data"));
    };
    match (result_type.as_str(), &result) {
        ("vector", Value::Array(series)) => of_vector(series),
        ("scalar", sample) => number(sample).map(Some),
        ("vector", _) => Err(Trouble::new(ErrorReason::Protocol, "the vector is no list")),
        (other, _) => Err(Trouble::new(ErrorReason::Type, format!("a {} and no number", shown(other)))),
    }
}

fn of_vector(series: &[Value]) -> Result<Option<f64>, Trouble> {
    match series {
        [] => Ok(None),
        [one] if one.get("histogram").is_some() => {
            Err(Trouble::new(ErrorReason::Type, "a native histogram and no number"))
        }
        [one] => number(one.get("value").unwrap_or(&Value::Null)).map(Some),
        [first, ..] => {
            let labels = shown(&first.get("metric").unwrap_or(&Value::Null).to_string());
            let reason =
                format!("{} series, one of them {labels}: aggregate them, as with sum()", series.len());
            Err(Trouble::new(ErrorReason::Ambiguous, reason))
        }
    }
}

/// The value of a pair of time and text.
fn number(sample: &Value) -> Result<f64, Trouble> {
    let text = sample.get(1).and_then(Value::as_str);
    let number = text.and_then(|text| match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        text => text.parse().ok(),
    });
    number.ok_or_else(|| {
        Trouble::new(ErrorReason::Protocol, format!("no sample: {}", shown(&sample.to_string())))
    })
}

/// Foreign text on one line, without control characters, and cut.
pub(crate) fn shown(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = line.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect();
    if line.chars().count() > SHOWN_MAX { format!("{plain}…") } else { plain }
}
