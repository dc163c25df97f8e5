//! Templates that were not rendered: Helm charts as they lie in a repository.
//!
//! Lines that only steer the template are left out, and every other action becomes a word that stands for it.
//! The same action becomes the same word, so that a reference to `{{ include "app.name" . }}-config` still finds
//! the ConfigMap that is named so.

use std::collections::BTreeSet;

/// Begins a word that stands for an action; the action follows in hexadecimal.
const WORD: &str = "kmtemplate0x";
/// Actions that open a block.
const OPENING: [&str; 5] = ["if", "range", "with", "define", "block"];

/// What was left out of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// Lines inside of a block, from 1.
    conditional: BTreeSet<usize>,
    /// A line that may bring anything in, such as `{{ toYaml . }}`.
    pub(super) brings_in: Option<usize>,
}

impl Template {
    pub(super) fn is_conditional(&self, line: usize) -> bool {
        self.conditional.contains(&line)
    }
}

/// The text without actions, line by line.
pub(super) fn without_actions(text: &str) -> (String, Template) {
    let text = &on_one_line(text);
    let mut template = Template::default();
    let mut plain = String::with_capacity(text.len());
    let mut depth: usize = 0;
    let mut above = "";
    for (at, line) in text.lines().enumerate() {
        let actions = actions_of(line);
        if !actions.is_empty() && is_only_actions(line) {
            for action in actions {
                match action.split_whitespace().next().unwrap_or_default() {
                    "end" => depth = depth.saturating_sub(1),
                    word if OPENING.contains(&word) => depth += 1,
                    "else" => {}
                    _ if action.starts_with("/*") || action.starts_with('$') => {}
                    _ if !may_hold_variables(above) => {}
                    _ => template.brings_in = template.brings_in.or(Some(at + 1)),
                }
            }
        } else {
            if depth > 0 {
                template.conditional.insert(at + 1);
            }
            plain.push_str(&with_words(line));
            above = if line.trim().is_empty() { above } else { line.trim() };
        }
        plain.push('\n');
    }
    (plain, template)
}

/// Actions over several lines on the first of them, and as many lines after it.
fn on_one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((action, behind)) = after.split_once("}}") else { break };
        let lines = action.matches('\n').count();
        out.push_str(before);
        out.push_str(&format!("{{{{{}}}}}", action.replace('\n', " ")));
        let (end, next) = behind.split_once('\n').map_or((behind, None), |(end, next)| (end, Some(next)));
        rest = behind;
        if lines > 0 && !end.contains("{{") {
            out.push_str(end);
            out.push_str(&"\n".repeat(lines));
            rest = next.map_or("", |next| {
                out.push('\n');
                next
            });
        }
    }
    out.push_str(rest);
    out
}

fn actions_of(line: &str) -> Vec<&str> {
    let after = line.split("{{").skip(1).filter_map(|after| after.split_once("}}"));
    after.map(|(action, _)| action_of(action)).collect()
}

fn is_only_actions(line: &str) -> bool {
    let mut parts = line.split("{{");
    let first = parts.next().unwrap_or_default();
    first.trim().is_empty()
        && parts.all(|part| part.split_once("}}").is_some_and(|(_, rest)| rest.trim().is_empty()))
}

/// Whether what follows a line may be a variable: not below `resources:`, for instance.
fn may_hold_variables(line: &str) -> bool {
    let Some(key) = line.strip_suffix(':') else { return true };
    matches!(
        key.trim_start_matches("- "),
        "env" | "envFrom" | "data" | "stringData" | "containers" | "initContainers" | "spec"
    )
}

fn action_of(text: &str) -> &str {
    text.trim_start_matches("{{").trim_end_matches("}}").trim_matches('-').trim()
}

fn with_words(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((action, behind)) = after.split_once("}}") else { break };
        out.push_str(before);
        out.push_str(WORD);
        for byte in action_of(action).bytes() {
            out.push_str(&format!("{byte:02x}"));
        }
        out.push('x');
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Whether a text holds an action.
pub(super) fn is_open(text: &str) -> bool {
    text.contains(WORD) || (text.contains("{{") && text.contains("}}"))
}

/// The text with its actions as they were written.
pub(super) fn written(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(WORD) {
        let Some((hex, behind)) = after.split_once('x') else { break };
        let byte = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Vec<u8> = (0..hex.len()).step_by(2).filter_map(byte).collect();
        out.push_str(&format!("{before}{{{{ {} }}}}", String::from_utf8_lossy(&bytes)));
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_become_words_and_back() {
        let (plain, _) =
            without_actions("name: {{ .Release.Name }}-x\nurl: \"http://{{ .Values.host }}:80\"");
        assert!(!plain.contains("{{"), "{plain}");
        assert_eq!(written(plain.lines().next().unwrap_or_default()), "name: {{ .Release.Name }}-x");
        assert!(is_open(&plain));
    }

    #[test]
    fn actions_over_several_lines_keep_the_count() {
        let (plain, template) = without_actions(
            "{{- include \"x\" (dict\n  \"a\" 1) -}}\nb: 2\n{{ if .x }}{{ .y }}{{ end }}\nc: {{ .a\n }}\nd: 4\n",
        );
        assert_eq!((plain.lines().nth(2), plain.lines().nth(6)), (Some("b: 2"), Some("d: 4")));
        assert!(!template.is_conditional(7));
    }

    #[test]
    fn lines_in_blocks_are_conditional_and_keep_their_numbers() {
        let (plain, template) =
            without_actions("a: 1\n{{- if .x }}\nb: 2\n{{- end }}\nc: 3\n{{ toYaml .y }}\n");
        let (_, harmless) = without_actions("resources:\n  {{- toYaml .y }}\n");
        assert_eq!(plain.lines().nth(4), Some("c: 3"));
        assert!(template.is_conditional(3) && !template.is_conditional(5));
        assert_eq!((template.brings_in, harmless.brings_in), (Some(6), None));
    }
}
