//! The workspace itself is tidy.

#[test]
fn this_workspace_is_tidy() {
    let findings: Vec<String> = super::check(&crate::root()).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
