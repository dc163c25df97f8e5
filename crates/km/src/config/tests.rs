//! Where values come from, and which are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is the test's verdict")]

use std::time::Duration;

use tempfile::TempDir;

use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Layers::load(None, &environment(variables)).map(|layers| layers.config().clone())
}

fn load_file(text: &str) -> Result<Config, ConfigError> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("km.toml");
    std::fs::write(&path, text).unwrap();
    Layers::load(Some(&path), &Environment::default()).map(|layers| layers.config().clone())
}

#[test]
fn the_shipped_file_is_the_default() {
    assert_eq!(*Layers::shipped().unwrap().config(), Config::default());
}

#[test]
fn every_key_has_a_comment_in_the_shipped_file() {
    let text = include_str!("../../../../config/default.toml");
    let mut explained = false;
    for line in text.lines() {
        let comment = line.starts_with('#');
        assert!(comment || explained || !line.contains(" = "), "no comment above `{line}`");
        explained = comment;
    }
}

#[test]
fn a_variable_goes_over_a_file_and_a_file_over_the_default() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("km.toml");
    std::fs::write(&path, "[queue]\nwrites-max = 7\nbytes-max = \"1MiB\"\n").unwrap();
    let layers = Layers::load(Some(&path), &environment(&[("KM__QUEUE__WRITES_MAX", "9")])).unwrap();
    assert_eq!(layers.config().queue.writes_max.get(), 9);
    assert_eq!(layers.config().queue.bytes_max, ByteSize::mebibytes(1));
    assert_eq!(layers.config().queue.batch_writes_max.get(), 256);
}

#[test]
fn the_older_variables_are_understood() {
    assert_eq!(load(&[("KM_WRITE_AWAIT", "false")]).unwrap().write.policy, Policy::Emergency);
    assert_eq!(load(&[("KM_WRITE_AWAIT", "true")]).unwrap().write.policy, Policy::Normal);
    assert!(!load(&[("ENABLE_KM_BACKFILL_RECONCILER", "False")]).unwrap().reconcile.links.enabled);
    assert!(load(&[("KM_WRITE_AWAIT", "perhaps")]).is_err());
}

#[test]
fn nested_and_hyphenated_keys_have_variables() {
    let config = load(&[
        ("KM__RECONCILE__LINKS__INTERVAL", "90s"),
        ("KM__DEAD_LETTERS__COUNT_MAX", "5"),
        ("KM__DATA__ALLOW_VOLATILE", "true"),
    ])
    .unwrap();
    assert_eq!(config.reconcile.links.interval.0, Duration::from_secs(90));
    assert_eq!(config.dead_letters.count_max.get(), 5);
    assert!(config.data.allow_volatile);
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    let error = load_file("[queue]\nwrite-max = 7\n").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("km.toml: there is no key `queue.write-max`; did you mean `queue.writes-max`?")
    );
    let error = load(&[("KM__HTTP__LISTN", "127.0.0.1:1")]).unwrap_err();
    assert!(error.to_string().starts_with("KM__HTTP__LISTN: there is no key `http.listn`"), "{error}");
}

#[test]
fn a_value_that_does_not_fit_is_refused_with_its_place_and_reason() {
    for (variable, value, reason) in [
        ("KM__QUEUE__WRITES_MAX", "0", "nonzero"),
        ("KM__HTTP__REQUEST_TIMEOUT", "30", "no duration above zero"),
        ("KM__QUEUE__BYTES_MAX", "many", "no size above zero"),
        ("KM__HTTP__LISTEN", "somewhere", "socket address"),
        ("KM__WRITE__POLICY", "lossy", "`normal` or `emergency`"),
        ("KM__RECONCILE__LINKS__INTERVAL", "0s", "no duration above zero"),
    ] {
        let error = load(&[(variable, value)]).unwrap_err().to_string();
        assert!(error.starts_with(variable) && error.contains(reason), "{error}");
    }
}
