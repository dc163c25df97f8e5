//! Findings that somebody decided to live with, with a reason: `# km: allow=AM104 why`.

use km_yaml::Mark;

use crate::finding::{Finding, Level};
use crate::report::{Found, Report};
use crate::source::Source;

/// What a comment begins with that suppresses.
const BEGIN: &str = "km: allow=";

/// A comment that suppresses findings of one code.
struct Allowance {
    source: usize,
    /// Where the comment stands.
    mark: Mark,
    code: String,
    has_reason: bool,
    /// The line that it speaks of: its own, or the next that is no comment.
    line: usize,
    is_used: bool,
}

/// Takes out the findings that are allowed, and says of allowances without a reason or without an effect.
pub(crate) fn apply(sources: &[Source], is_code: &dyn Fn(&str) -> bool, report: Report) -> Vec<Finding> {
    let mut allowances: Vec<Allowance> =
        sources.iter().enumerate().flat_map(|(nth, source)| allowances(nth, &source.text)).collect();
    let mut left = Vec::new();
    for found in report.found {
        match allowances.iter_mut().find(|allowance| allowance.covers(&found)) {
            Some(allowance) => allowance.is_used = true,
            None => left.push(found.finding),
        }
    }
    // Checks of other rooms are theirs to judge.
    let is_ours = |code: &str| code.starts_with("AM") || !is_code(code);
    for allowance in allowances.iter().filter(|allowance| is_ours(&allowance.code)) {
        let Some(source) = sources.get(allowance.source) else { continue };
        let mut say = |code, level, message: String| {
            let message = message + &source.remark(allowance.mark);
            left.push(Finding { code, level, message, place: source.place(allowance.mark), help: None });
        };
        let code = &allowance.code;
        if !is_code(code) {
            say("AM901", Level::Warning, format!("`{code}` is no check, so that nothing is allowed"));
        } else if !allowance.is_used {
            say(
                "AM901",
                Level::Warning,
                format!("allows {code}, which is not found here; take the comment out"),
            );
        }
        if !allowance.has_reason {
            say("AM902", Level::Warning, format!("allows {code} without saying why"));
        }
    }
    left
}

impl Allowance {
    fn covers(&self, found: &Found) -> bool {
        self.source == found.source
            && self.code == found.finding.code
            && (self.line == found.line || self.line == found.item)
    }
}

fn allowances(source: usize, text: &str) -> Vec<Allowance> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (nth, line) in lines.iter().enumerate() {
        let Some((at, body)) = comment(line) else { continue };
        let Some(rest) = body.trim_start().strip_prefix(BEGIN) else { continue };
        let (codes, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let stands_alone = line.get(..at).is_some_and(|before| before.trim().is_empty());
        let next = lines.iter().enumerate().skip(nth + 1).find(|(_, line)| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#')
        });
        let line = if stands_alone { next.map_or(nth + 1, |(next, _)| next + 1) } else { nth + 1 };
        let column = text_column(lines.get(nth).copied().unwrap_or_default(), at);
        found.extend(codes.split(',').filter(|code| !code.is_empty()).map(|code| Allowance {
            source,
            mark: Mark { line: nth + 1, column },
            code: code.to_ascii_uppercase(),
            has_reason: reason.chars().any(char::is_alphanumeric),
            line,
            is_used: false,
        }));
    }
    found
}

fn text_column(line: &str, at: usize) -> usize {
    line.get(..at).map_or(1, |before| before.chars().count() + 1)
}

/// The comment of a line: where it begins, and what follows its mark.
fn comment(line: &str) -> Option<(usize, &str)> {
    let marks = line.match_indices('#').filter(|(at, _)| {
        line.get(..*at).is_none_or(|before| before.is_empty() || before.ends_with(char::is_whitespace))
    });
    let is_allowance = |rest: &str| rest.trim_start().starts_with(BEGIN);
    marks.map(|(at, _)| (at, line.get(at + 1..).unwrap_or_default())).find(|(_, rest)| is_allowance(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_speaks_of_its_line_or_of_the_next_that_is_none() {
        let text =
            "# km: allow=AM101 because\n# more\n\n- a\n- b # km: allow=am104,AM103\n- 'c # km:allow=AM1'\n";
        let all = allowances(0, text);
        let seen: Vec<_> = all.iter().map(|one| (one.code.as_str(), one.line, one.has_reason)).collect();
        assert_eq!(seen, [("AM101", 4, true), ("AM104", 5, false), ("AM103", 5, false)]);
    }
}
