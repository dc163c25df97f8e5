//! A query of a file, and the template in it.

use super::yaml::{Field, Problems};
use crate::objective::{Query, WINDOW};
use crate::promql;

/// The longest query.
const QUERY_BYTES_MAX: usize = 64 << 10;

/// Reads a query. The one template that is understood is `{{ .window }}`.
pub(super) fn query(field: &Field<'_>, problems: &mut Problems) -> Option<Query> {
    let text = field.text(problems)?;
    if text.len() > QUERY_BYTES_MAX {
        field.refuse(problems, format!("the query is longer than {} KiB", QUERY_BYTES_MAX >> 10));
        return None;
    }
    let text = match template(text) {
        Ok(text) => text,
        Err(reason) => {
            field.refuse(problems, reason);
            return None;
        }
    };
    if !promql::is_closed(&text.replace(WINDOW, "5m")) {
        field.refuse(problems, "a bracket or a quote of the query is not closed");
        return None;
    }
    Some(Query { text: text.trim().to_owned(), path: field.path().to_owned(), line: field.line() })
}

fn template(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{") {
        let Some((inside, behind)) = from.split_once("}}") else {
            return Err("a template is not closed: `}}` is missing".to_owned());
        };
        if inside.trim().trim_matches('-').trim() != ".window" {
            return Err(format!("km knows the template `{WINDOW}` only, and not `{{{{{inside}}}}}`"));
        }
        plain.push_str(before);
        plain.push_str(WINDOW);
        rest = behind;
    }
    plain.push_str(rest);
    Ok(plain)
}

/// The increase of cumulative counters over the window: what `counter: true` of OpenSLO says of a query that states
/// no range itself.
pub(super) fn increase(query: Query) -> Query {
    let text = query.text;
    let selectors = promql::selectors(&text);
    if text.contains(WINDOW) || text.contains('[') || selectors.is_empty() {
        return Query { text, ..query };
    }
    let mut wrapped = String::with_capacity(text.len() + 32 * selectors.len());
    let mut at = 0;
    for selector in &selectors {
        let (before, selected) = (text.get(at..selector.bytes.start), text.get(selector.bytes.clone()));
        wrapped.push_str(before.unwrap_or_default());
        wrapped.push_str(&format!("increase({}[{WINDOW}])", selected.unwrap_or_default()));
        at = selector.bytes.end;
    }
    wrapped.push_str(text.get(at..).unwrap_or_default());
    Query { text: wrapped, ..query }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_the_one_template() {
        assert_eq!(
            template("rate(x[{{ .window }}]) / {{.window}}").as_deref(),
            Ok("rate(x[{{.window}}]) / {{.window}}")
        );
        assert!(template("x{{.service}}").is_err());
        assert!(template("x{{.window").is_err());
    }

    #[test]
    fn a_counter_without_a_range_is_asked_for_its_increase() {
        let query = |text: &str| Query { text: text.to_owned(), path: String::new(), line: 1 };
        let wrapped = |text: &str| increase(query(text)).text;
        assert_eq!(
            wrapped("sum(x{a=\"b\"}) + y"),
            "sum(increase(x{a=\"b\"}[{{.window}}])) + increase(y[{{.window}}])"
        );
        for own in ["sum(rate(x[5m]))", "sum(rate(x[{{.window}}]))", "1"] {
            assert_eq!(wrapped(own), own);
        }
    }
}
