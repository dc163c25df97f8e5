//! `km alertmanager lint` on files: what it prints, how it ends, and what cannot hurt it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

mod harness;

use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use harness::alerting::tool;
use harness::{Place, items};
use serde_json::Value;

const GOOD: &str = "route: {receiver: a}
receivers:
- name: a
  webhook_configs: [{url: 'http://a/'}]
inhibit_rules:
- source_matchers: [a=b]
  target_matchers:
    - c=d
  equal: [cluster]
";

/// The same rule, guarded.
fn guarded() -> String {
    GOOD.replace("[a=b]", "[a=b, 'cluster=~\".+\"']")
        .replace("    - c=d\n", "    - c=d\n    - 'cluster=~\".+\"'\n")
}

#[test]
fn exit_codes_say_clean_findings_and_cannot_read() {
    let place = Place::new();
    let (found, clean, torn) =
        (place.file("found.yml", GOOD), place.file("clean.yml", &guarded()), place.file("torn.yml", "a: ["));
    assert_eq!(place.km(&["alertmanager", "lint", &clean]).code, 0);
    assert_eq!(place.km(&["alertmanager", "lint", &clean, &found]).code, 1);
    let ended = place.km(&["alertmanager", "lint", &found, &torn, "nothing.yml", "."]);
    assert_eq!(ended.code, 2);
    for named in ["found.yml:9:11: warning[AM104]", "torn.yml:1:", "nothing.yml:1:1: error[AM001]"] {
        assert!(ended.out.contains(named), "{named}: {}", ended.out);
    }
    assert_eq!(place.km(&["alertmanager", "lint"]).code, 2);
    assert_eq!(place.km(&["alertmanager", "lint", &clean, "--target-version", "new"]).code, 2);
}

#[test]
fn every_format_says_the_same() {
    let place = Place::new();
    let file = place.file("am.yml", GOOD);
    let of = |format: &str| place.km(&["alertmanager", "lint", &file, "--format", format]).out;
    let json: Value = serde_json::from_str(&of("json")).unwrap();
    let finding = &json["findings"][0];
    assert_eq!((&finding["code"], &finding["place"]["line"]), (&"AM104".into(), &9.into()));
    assert_eq!(json["summary"]["inhibit_rules"], 1);
    let sarif: Value = serde_json::from_str(&of("sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "AM104");
    assert!(of("github").starts_with(&format!("::warning file={file},line=9,col=11,title=AM104::")));
    let by_flag: Value =
        serde_json::from_str(&place.km(&["--json", "alertmanager", "lint", &file]).out).unwrap();
    assert_eq!(by_flag, json);
}

#[test]
fn the_fix_is_a_diff_that_patch_takes_and_that_leaves_nothing_to_fix() {
    let place = Place::new();
    place.file("am.yml", GOOD);
    let fixed = place.km(&["alertmanager", "lint", "am.yml", "--fix"]);
    assert_eq!(fixed.code, 1);
    let diff = place.file("am.diff", &fixed.out);
    let target = place.path("am.yml");
    let (taken, said) = tool("patch", &[target.to_str().unwrap(), &diff]);
    assert!(taken, "{said}\n{}", fixed.out);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), guarded());
    assert_eq!(place.km(&["alertmanager", "lint", "am.yml"]).code, 0);
    let (taken, said) = tool("amtool", &["check-config", target.to_str().unwrap()]);
    assert!(taken, "{said}");
}

#[test]
fn standard_input_is_read_too() {
    let place = Place::new();
    let mut command = place.command(&["alertmanager", "lint", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(guarded().as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
}

#[test]
fn links_in_circles_and_what_is_no_text_do_no_harm() {
    let place = Place::new();
    let file = place.file("am.yml", &guarded());
    place.file("rules/deep/a.yml", "groups: [{name: g, rules: [{alert: A, expr: up == 0}]}]\n");
    symlink(place.path("rules"), place.path("rules/deep/again")).unwrap();
    symlink(place.path("rules/loop.yml"), place.path("rules/loop.yml")).unwrap();
    let ended = place.km(&["alertmanager", "lint", &file, "--rules", place.path("rules").to_str().unwrap()]);
    assert_eq!(ended.code, 2, "{}", ended.out);
    assert!(
        ended.out.contains("loop.yml:1:1: error[AM001]") && ended.out.contains("alerts 1"),
        "{}",
        ended.out
    );
    let bytes = place.path("bytes.yml");
    std::fs::write(&bytes, b"route: \xff\xfe").unwrap();
    let ended = place.km(&["alertmanager", "lint", bytes.to_str().unwrap()]);
    assert!(ended.code == 2 && ended.out.contains("not UTF-8: byte 8"), "{}", ended.out);
}

/// Errors that say that Alertmanager refuses the file.
const REFUSALS: [&str; 7] = ["AM206", "AM207", "AM208", "AM304", "AM305", "AM306", "AM307"];

#[test]
fn what_amtool_refuses_is_refused_and_nothing_else() {
    let place = Place::new();
    let (_, said) = tool("amtool", &["--version"]);
    let version =
        said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../km-alerts/tests/public/configurations");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // amtool reads no Secrets.
    let plain: Vec<_> = files.filter(|path| !path.to_str().unwrap().contains("secret.yaml")).collect();
    assert!(plain.len() > 50, "{}", plain.len());
    for path in plain {
        let path = path.to_str().unwrap();
        let (taken, said) = tool("amtool", &["check-config", path]);
        let ended = place.km(&["--json", "alertmanager", "lint", path, "--target-version", version]);
        let document: Value = serde_json::from_str(&ended.out).unwrap();
        let refusals = items(&document["findings"]).iter().filter(|finding| {
            finding["level"] == "error" && REFUSALS.iter().any(|code| finding["code"] == *code)
        });
        assert_eq!(taken, refusals.count() == 0, "{path}: {said}\n{}", ended.out);
    }
}

#[test]
fn every_check_is_explained() {
    let place = Place::new();
    let page = place.done(&["explain", "am104"]);
    assert!(page.starts_with("# AM104: ") && page.contains("## Good"), "{page}");
    assert!(place.done(&["explain"]).contains("AM901"));
}
