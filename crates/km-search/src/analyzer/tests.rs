//! What the analyzer makes of texts.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use super::*;

fn of_kind(text: &str, kind: TermKind) -> Vec<String> {
    terms(text).into_iter().filter(|term| term.kind == kind).map(|term| term.text).collect()
}

fn words(text: &str) -> Vec<String> {
    of_kind(text, TermKind::Word)
}

fn readings(text: &str) -> Vec<String> {
    of_kind(text, TermKind::Reading)
}

#[test]
fn chinese_japanese_and_korean_become_pairs_with_an_edge() {
    assert_eq!(words("磁盘空间"), ["磁盘", "盘空", "空间"]);
    assert_eq!(of_kind("磁盘空间", TermKind::Edge), ["间"]);
    assert_eq!(words("再起動する"), ["再起", "起动", "动す", "する"]);
    assert_eq!(words("서버 장애"), ["서버", "장애"]);
    assert_eq!(of_kind("盘 a", TermKind::Single), ["盘"]);
}

#[test]
fn traditional_and_simplified_give_the_same_terms() {
    let plain = |text| terms(text).into_iter().map(|term| term.text).collect::<Vec<_>>();
    assert_eq!(plain("磁碟空間與記憶體"), plain("磁碟空间与记忆体"));
}

#[test]
fn identifiers_give_their_parts_and_the_whole() {
    assert_eq!(words("KubePodCrashLooping"), ["kube", "pod", "crash", "loop"]);
    assert_eq!(
        readings("KubePodCrashLooping"),
        terms("kubepodcrashlooping").iter().map(|t| t.text.clone()).collect::<Vec<_>>()
    );
    assert_eq!(readings("kube-pod_crash.looping"), readings("KubePodCrashLooping"));
    assert_eq!(words("HTTPServerError"), ["http", "server", "error"]);
    assert_eq!(readings("10.0.0.1"), ["10.0.0.1"]);
    assert_eq!(readings("node01"), ["node", "01"]);
    assert_eq!(words("k8s"), ["k8s"]);
}

#[test]
fn joints_at_the_ends_are_no_part() {
    assert_eq!(words("--force."), ["forc"]);
    assert_eq!(readings("--force."), Vec::<String>::new());
    assert_eq!(words("__init__"), ["init"]);
}

#[test]
fn ranges_point_at_the_source() {
    let text = "節點 NodeNotReady ＡＢＣ";
    let found: Vec<_> = terms(text).into_iter().map(|term| (term.text, &text[term.range])).collect();
    assert!(found.contains(&("节点".to_owned(), "節點")));
    assert!(found.contains(&("readi".to_owned(), "Ready")));
    assert!(found.contains(&("abc".to_owned(), "ＡＢＣ")));
}

#[test]
fn a_long_run_is_cut_and_loses_no_pair() {
    let text = "甲乙".repeat(RUN_CHARS_MAX);
    assert_eq!(words(&text).len(), 2 * RUN_CHARS_MAX - 1);
    let long = "x".repeat(10 * RUN_CHARS_MAX);
    assert!(terms(&long).iter().all(|term| term.text.len() <= WHOLE_BYTES_MAX));
    assert_eq!(terms(&long)[0].text, terms(&"x".repeat(RUN_CHARS_MAX))[0].text);
}
