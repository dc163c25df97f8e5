//! Texts that nobody meant to be read: nothing panics, and nothing hangs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::fs;
use std::path::{Path, PathBuf};

use km_drift::{Policy, Source, Terms, ValuesMap, compare, extract, read};
use proptest::prelude::*;

/// Files that are cut, doubled and spoilt.
fn seeds() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [
        "tests/oracle/two.py",
        "tests/oracle/one.py",
        "../../deploy/compose.yaml",
        "../../deploy/helm/km/templates/statefulset.yaml",
        "../../deploy/drift.toml",
    ];
    files.iter().map(|file| fs::read_to_string(here.join(file)).unwrap()).collect()
}

/// A piece of a seed with one part replaced by another text.
fn spoilt() -> impl Strategy<Value = String> {
    let tokens = prop_oneof![
        Just("("),
        Just("["),
        Just("{{"),
        Just("}}"),
        Just("\"\"\""),
        Just("\\"),
        Just("\n"),
        Just("&a [*a]"),
        Just("${"),
        Just("f'{"),
        Just("lambda"),
        Just(" | "),
        Just("- "),
        Just(": "),
        Just("\t"),
        Just("é"),
        Just("\u{feff}"),
        Just("\0")
    ];
    (
        0..5_usize,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        prop::collection::vec(tokens, 0..6),
    )
        .prop_map(|(seed, from, to, tokens)| {
            let text: Vec<char> = seeds().swap_remove(seed).chars().collect();
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            let (from, to) = (from.min(to), from.max(to));
            let head: String = text.iter().take(from).collect();
            let tail: String = text.iter().skip(to).collect();
            format!("{head}{}{tail}", tokens.concat())
        })
}

fn look_at(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let source =
        Source { files: vec![put("a.py")], root: Some(folder.path().to_owned()), ..Source::default() };
    let extraction = extract(&source).expect("reading ends");
    let mut map = ValuesMap::default();
    map.add("a.*=*").unwrap();
    let deployed = read(&[put("a.yaml"), put("a.env")], &map);
    let policy = Policy::built_in();
    let terms = Terms { policy: &policy, today: "2026-01-01", key: b"key" };
    for target in deployed.targets.iter().map(Some).chain([None]) {
        let report = compare(&extraction.settings, target, &deployed, &terms);
        assert!(report.rows.len() >= extraction.settings.len());
    }
    drop(Policy::read("p.toml", text));
    drop(Policy::read("p.yaml", text));
    drop(km_drift::own_settings("d.toml", text));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoilt_files_are_read_or_refused(text in spoilt()) {
        look_at(&text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        look_at(&text);
    }
}
