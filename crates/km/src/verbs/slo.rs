//! `km slo`.

use std::fs;
use std::path::PathBuf;

use km_slo::{History, LoadErrors, Objective, Report, Wrapping};
use serde_json::json;

use crate::cli::{RulesFormat, SloCheckArgs, SloLintArgs, SloRulesArgs, SloVerb};
use crate::client::{Access, Call, SloBody, SloLineBody, SloMetaBody, connect, server_of};
use crate::console::{Console, DIM, GREEN, RED, RESET, YELLOW, safe};
use crate::context::Context;
use crate::failure::{Ending, Failure};
use crate::findings::{self, Finding, Format, Level, Place};

/// A trend is shown in so many columns at most.
const TREND_COLUMNS: usize = 24;
/// From an overdrawn error budget to a whole one.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) async fn run(context: &Context, verb: &SloVerb) -> Result<Ending, Failure> {
    match verb {
        SloVerb::Check(args) => check(context, args).await,
        SloVerb::Lint(args) => lint(context, args),
        SloVerb::Rules(args) => rules(context, args),
    }
}

/// A server that is named has looked already; otherwise this process asks Prometheus.
async fn check(context: &Context, args: &SloCheckArgs) -> Result<Ending, Failure> {
    let console = context.console;
    let text = if is_for_a_server(context, args)? {
        let client = connect(context, Access::Existing).await?;
        let answer = client.ask(Call::get("/v1/slo")).await?;
        String::from_utf8_lossy(&answer.body).trim_end().to_owned()
    } else {
        let Some(report) = ask(context, args).await? else { return Ok(Ending::CannotRead) };
        serde_json::to_string(&report).map_err(std::io::Error::from)?
    };
    let body: SloBody =
        serde_json::from_str(&text).map_err(|source| Failure::Answer { status: 200, source })?;
    if console.json {
        console.line(text)?;
    } else {
        show(console, &body)?;
    }
    Ok(ending(&body.meta))
}

/// Whether a server was named, and nothing here that this process could look at itself.
fn is_for_a_server(context: &Context, args: &SloCheckArgs) -> Result<bool, Failure> {
    let nothing_here = args.paths.is_empty() && context.config().slo.objectives.is_empty();
    Ok(context.global.url.is_some() || nothing_here && server_of(context)?.is_some())
}

async fn ask(context: &Context, args: &SloCheckArgs) -> Result<Option<Report>, Failure> {
    let section = &context.config().slo;
    let objectives = match read(context, &args.paths)? {
        Ok(objectives) => objectives,
        Err(LoadErrors(errors)) => {
            errors.iter().try_for_each(|error| context.console.complain(error))?;
            return Ok(None);
        }
    };
    let prometheus = crate::slo::prometheus(section, args.prometheus.as_deref())?;
    let mut report = prometheus.check(&objectives, crate::runtime::clock().now()).await;
    let file = context.data().join(crate::slo::HISTORY_FILE);
    match History::read(&file) {
        Ok(history) => history.put_trends(&mut report),
        Err(error) => context.console.note(format_args!("{} shows no trend: {error}", file.display()))?,
    }
    Ok(Some(report))
}

/// The objectives of these paths, or else of the configuration.
fn read(context: &Context, paths: &[PathBuf]) -> Result<Result<Vec<Objective>, LoadErrors>, Failure> {
    let section = &context.config().slo;
    let paths = if paths.is_empty() { &section.objectives } else { paths };
    if paths.is_empty() {
        return Err(Failure::Usage("no objectives: name their files, or set slo.objectives".to_owned()));
    }
    crate::slo::objectives(section, paths)
}

/// What is broken is a finding, and so is that nothing can be said for want of data. Failing to look is neither: it is
/// told apart, so that nobody takes it for an answer.
fn ending(meta: &SloMetaBody) -> Ending {
    match meta.status.as_str() {
        "violated" => Ending::Findings,
        _ if meta.self_failure => Ending::CannotRead,
        "no_data" => Ending::Findings,
        _ => Ending::Done,
    }
}

fn show(console: Console, body: &SloBody) -> Result<(), Failure> {
    let headings =
        ["state", "objective", "target", "window", "sli", "burn", "budget left", "trend", "reason"];
    console.table(&headings, body.objectives.iter().map(row).collect())?;
    for line in body.objectives.iter().filter(|line| !line.detail.is_empty()) {
        console.line(format_args!("{DIM}{}: {}{RESET}", safe(&line.slo), safe(&line.detail)))?;
    }
    let meta = &body.meta;
    let colour = match meta.status.as_str() {
        "ok" => GREEN,
        "violated" | "error" | "empty" => RED,
        _ => YELLOW,
    };
    let score = meta.health_score.map_or_else(|| "none".to_owned(), percent);
    console.line(format_args!(
        "{colour}{}{RESET}, ok {}, violated {}, no data {}, errors {}, coverage {}, health score {score}, at {}",
        safe(&meta.status),
        meta.ok_count,
        meta.violated_count,
        meta.no_data_count,
        meta.error_count,
        percent(meta.coverage),
        safe(&meta.evaluated_at),
    ))?;
    Ok(())
}

fn row(line: &SloLineBody) -> Vec<String> {
    let figure = |figure: Option<f64>, shown: fn(f64) -> String| figure.map(shown).unwrap_or_default();
    vec![
        line.state.clone(),
        safe(&line.slo),
        percent(line.target),
        line.window.clone(),
        figure(line.sli, percent),
        figure(line.burn_rate, |rate| format!("{rate:.2}")),
        figure(line.budget_remaining, |left| format!("{:.1} %", left * 100.0)),
        sparkline(&line.trend),
        line.reason.clone().unwrap_or_default(),
    ]
}

/// A share with as many digits as tell it from others, up to four.
fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Error budgets as columns: empty is at the bottom, whole at the top, a dot where nothing was known.
fn sparkline(trend: &[Option<f64>]) -> String {
    let step = trend.len().div_ceil(TREND_COLUMNS).max(1);
    // Groups are counted from the newest, which is always shown.
    let groups = trend.rchunks(step).map(|group| group.iter().rev().find_map(|left| *left));
    let mut columns: Vec<char> = groups.map(|left| left.map_or('·', level)).collect();
    columns.reverse();
    columns.into_iter().collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value lies between 0 and 7")]
fn level(left: f64) -> char {
    let nth = (left.clamp(0.0, 1.0) * 7.0).round() as usize;
    LEVELS.get(nth).copied().unwrap_or('█')
}

fn lint(context: &Context, args: &SloLintArgs) -> Result<Ending, Failure> {
    let (found, objectives, ending) = match read(context, &args.paths)? {
        Ok(objectives) => {
            let found: Vec<Finding> = km_slo::lint(&objectives).into_iter().map(finding).collect();
            let ending = if found.is_empty() { Ending::Done } else { Ending::Findings };
            (found, objectives.len(), ending)
        }
        Err(LoadErrors(errors)) => (errors.into_iter().map(unreadable).collect(), 0, Ending::CannotRead),
    };
    let format = Format::chosen(args.format, context.console);
    let summary = json!({ "objectives": objectives });
    findings::print(context.console, format, "km slo lint", &found, &summary)?;
    Ok(ending)
}

fn finding(found: km_slo::Finding) -> Finding {
    Finding {
        code: found.code,
        level: if found.certain { Level::Error } else { Level::Warning },
        message: found.message,
        place: Some(Place { file: found.place.file, line: Some(found.place.line), column: None }),
        help: Some(found.help.to_owned()),
    }
}

fn unreadable(error: km_slo::LoadError) -> Finding {
    let message =
        if error.path.is_empty() { error.reason } else { format!("`{}`: {}", error.path, error.reason) };
    Finding {
        code: km_slo::UNREADABLE,
        level: Level::Error,
        message,
        place: Some(Place { file: error.file, line: Some(error.line), column: error.column }),
        help: None,
    }
}

fn rules(context: &Context, args: &SloRulesArgs) -> Result<Ending, Failure> {
    let objectives = match read(context, &args.paths)? {
        Ok(objectives) => objectives,
        Err(LoadErrors(errors)) => {
            errors.iter().try_for_each(|error| context.console.complain(error))?;
            return Ok(Ending::CannotRead);
        }
    };
    let wrapping = match args.format {
        RulesFormat::Prometheus => Wrapping::File,
        RulesFormat::Kubernetes => Wrapping::Resource,
    };
    let text = km_slo::rules(&objectives, wrapping);
    match &args.output {
        Some(path) => fs::write(path, text).map_err(Failure::file(path))?,
        None => context.console.raw(text.as_bytes())?,
    }
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trend_is_drawn_from_the_newest_and_never_wider_than_its_columns() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[Some(0.0), Some(0.5), None, Some(1.0), Some(-3.0)]), "▁▅·█▁");
        let day: Vec<Option<f64>> = (0..48).map(|at| Some(f64::from(at) / 47.0)).collect();
        let drawn = sparkline(&day);
        assert_eq!((drawn.chars().count(), drawn.chars().last()), (24, Some('█')));
        assert_eq!(sparkline(&day[..25]).chars().count(), 13);
    }

    #[test]
    fn a_share_keeps_the_digits_that_matter() {
        assert_eq!(percent(0.999), "99.9 %");
        assert_eq!(percent(0.99999), "99.999 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.0), "0 %");
    }
}
