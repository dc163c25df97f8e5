//! Which crate may use which.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::Finding;

/// The rooms, and the rooms each may use. A crate may use only what stands here.
const ROOMS: [(&str, &[&str]); 14] = [
    ("km-model", &[]),
    ("km-yaml", &[]),
    ("km-contract", &["km-model"]),
    ("km-search", &["km-model"]),
    ("km-intake", &["km-model"]),
    ("km-alerts", &["km-yaml"]),
    ("km-drift", &["km-yaml"]),
    ("km-slo", &["km-model", "km-yaml"]),
    ("km-store", &["km-model", "km-contract", "km-search"]),
    ("km-server", &["km-model", "km-contract", "km-search", "km-intake", "km-slo"]),
    (
        "km",
        &[
            "km-model",
            "km-yaml",
            "km-contract",
            "km-search",
            "km-intake",
            "km-alerts",
            "km-drift",
            "km-slo",
            "km-store",
            "km-server",
        ],
    ),
    ("km-bench", &["km-model", "km-contract", "km-store"]),
    ("km-proof", &["km-model", "km-contract", "km-store"]),
    ("xtask", &[]),
];

/// Heavy dependencies, and the only crates that may name them.
const OWNERS: [(&str, &[&str]); 17] = [
    ("rusqlite", &["km-store", "km-bench"]),
    ("axum", &["km-server", "km"]),
    ("utoipa", &["km-server"]),
    ("utoipa-axum", &["km-server"]),
    ("tower-http", &["km-server"]),
    ("clap", &["km"]),
    ("clap_complete", &["km"]),
    ("indicatif", &["km"]),
    ("tracing-subscriber", &["km"]),
    ("reqwest", &["km", "km-slo"]),
    ("promql-parser", &["km-alerts"]),
    ("granit-parser", &["km-yaml"]),
    ("ruff_python_parser", &["km-drift"]),
    ("ruff_python_ast", &["km-drift"]),
    ("ruff_text_size", &["km-drift"]),
    ("rust-stemmers", &["km-search"]),
    ("serde-saphyr", &["km-intake"]),
];

pub(super) fn check(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in ["crates", "."] {
        for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
            let manifest = entry.path().join("Cargo.toml");
            let Ok(text) = fs::read_to_string(&manifest) else { continue };
            let shown = manifest.strip_prefix(root).unwrap_or(&manifest).to_path_buf();
            findings.extend(manifest_findings(&shown, &text));
        }
    }
    findings
}

fn manifest_findings(path: &Path, text: &str) -> Vec<Finding> {
    let Ok(manifest) = text.parse::<Table>() else {
        return vec![Finding::new(path, 1, "not TOML")];
    };
    let Some(name) = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str)
    else {
        return Vec::new();
    };
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == name) else {
        return vec![Finding::new(
            path,
            1,
            format!("the crate {name} has no floor: add it to the table in tidy"),
        )];
    };
    let dependencies = manifest.get("dependencies").and_then(Value::as_table);
    let mut findings = Vec::new();
    for used in dependencies.into_iter().flat_map(Table::keys) {
        let line = 1 + text.lines().position(|line| line.starts_with(used.as_str())).unwrap_or_default();
        if used.starts_with("km") && !allowed.contains(&used.as_str()) {
            findings.push(Finding::new(
                path,
                line,
                format!("{name} may not use {used}: it is on no lower floor"),
            ));
        }
        if let Some((_, owners)) = OWNERS.iter().find(|(dependency, _)| dependency == used)
            && !owners.contains(&name)
        {
            findings.push(Finding::new(path, line, format!("only {} may name {used}", owners.join(", "))));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        manifest_findings(Path::new("Cargo.toml"), text).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_crate_may_use_only_lower_floors() {
        assert_eq!(
            found("[package]\nname = \"km-contract\"\n[dependencies]\nkm-model.workspace = true"),
            [""; 0]
        );
        let upwards = found("[package]\nname = \"km-contract\"\n[dependencies]\nkm-store.workspace = true");
        assert_eq!(upwards, ["km-contract may not use km-store: it is on no lower floor"]);
    }

    #[test]
    fn heavy_dependencies_have_owners() {
        let named = found("[package]\nname = \"km-server\"\n[dependencies]\nrusqlite = \"1\"");
        assert_eq!(named, ["only km-store, km-bench may name rusqlite"]);
        let tests = found("[package]\nname = \"km-server\"\n[dev-dependencies]\nkm-store = \"1\"");
        assert_eq!(tests, [""; 0], "what tests use is their own affair");
    }

    #[test]
    fn a_new_crate_needs_a_floor() {
        assert_eq!(found("[package]\nname = \"km-new\"").len(), 1);
    }
}
