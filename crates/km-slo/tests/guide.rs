//! What the guide shows is what km reads.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::path::Path;

use km_slo::{Defaults, Window, lint, load};

fn blocks(page: &str) -> Vec<String> {
    let parts = page.split("```yaml\n").skip(1);
    parts.map(|part| part.split("\n```").next().unwrap().to_owned() + "\n").collect()
}

#[test]
fn the_objectives_of_the_guide_are_read_and_found_no_fault_with() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let page = std::fs::read_to_string(root.join("guide/slo.md")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("checkout.yml");
    std::fs::write(&path, &blocks(&page)[0]).unwrap();
    let defaults = Defaults { period: Window::parse("30d").unwrap(), events_min: 1.0 };
    let objectives = load(&[path], &defaults).unwrap();
    assert_eq!(
        objectives.iter().map(|read| read.name.as_str()).collect::<Vec<_>>(),
        ["availability", "latency", "refunds"]
    );
    assert_eq!(lint(&objectives), []);
}
