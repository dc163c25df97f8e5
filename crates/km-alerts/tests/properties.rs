//! Whatever is read, the linter answers: no text makes it panic, and nothing that cannot be read is called clean.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod common;

use common::{configuration, linted, rules};
use km_alerts::{Level, UNREADABLE};
use proptest::prelude::*;

const WHOLE: &str = "route:
  receiver: a
  group_by: [alertname, cluster]
  routes:
    - matchers: [ 'team=~\"db|web\"', severity!=info ]
      continue: true
      group_wait: 30s
    - match_re: { team: \"d.*\" }
receivers:
  - name: a
    webhook_configs: [ { url: \"http://a/\", send_resolved: true } ]
inhibit_rules:
  # km: allow=AM104 a reason
  - source_matchers: [ 'alertname=\"Down\"' ]
    target_matchers: [ '\"k8s.io/x\"=\"y\"', severity=~\"warning|info\" ]
    equal: [ cluster ]
";

const RULES: &str = "groups:
- name: g
  rules:
  - alert: Down
    expr: sum by (cluster) (up{job=~\"a|b\"}) == 0 or absent(x{y=\"z\"})
    labels: { severity: warning, owner: \"{{ $labels.team }}\" }
";

/// A text with a piece of it taken out, doubled, or put elsewhere.
fn torn(text: &'static str) -> impl Strategy<Value = String> {
    let chars = text.chars().count();
    (
        0..chars,
        0..40_usize,
        0..chars,
        any::<prop::sample::Index>(),
        "[ \\t\\n:\\[\\]{}'\"&*!|>%@`~,#=()\\\\a-z0-9]{0,6}",
    )
        .prop_map(move |(from, length, to, kind, noise)| {
            let chars: Vec<char> = text.chars().collect();
            let piece: Vec<char> = chars.iter().skip(from).take(length).copied().collect();
            let rest: Vec<char> =
                chars.iter().take(from).chain(chars.iter().skip(from + length)).copied().collect();
            let kept = if kind.index(2) == 0 { &chars } else { &rest };
            let (head, tail) = kept.split_at(to.min(kept.len()));
            let middle = if kind.index(3) == 0 { piece } else { noise.chars().collect() };
            head.iter().chain(&middle).chain(tail).collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        let linted = linted(&[configuration(&text)]);
        prop_assert!(!linted.findings.is_empty(), "called clean: {text:?}");
    }

    #[test]
    fn torn_configurations_and_rules_are_answered(text in torn(WHOLE), rule_file in torn(RULES)) {
        let linted = linted(&[configuration(&text), rules(&rule_file)]);
        let unreadable = linted.findings.iter().any(|finding| finding.code == UNREADABLE);
        prop_assert!(unreadable || linted.configurations == 1, "{:?}", linted.findings);
        for finding in &linted.findings {
            prop_assert!(finding.place.line.is_some_and(|line| line > 0), "{finding:?}");
            prop_assert!(finding.level <= Level::Note && !finding.message.is_empty());
        }
    }
}

#[test]
fn the_whole_is_clean_before_it_is_torn() {
    let linted = linted(&[configuration(WHOLE), rules(RULES)]);
    assert!(linted.findings.iter().all(|finding| finding.level != Level::Error), "{:#?}", linted.findings);
}
