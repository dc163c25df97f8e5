//! The servers that the tests run against, from Debian's packages.

use crate::{has, run};

/// A program of a package, arguments with which it succeeds when the package is there, and the package.
const NEEDED: [(&str, &[&str], &str); 5] = [
    ("prometheus", &["--version"], "prometheus"),
    ("prometheus-alertmanager", &["--version"], "prometheus-alertmanager"),
    ("patch", &["--version"], "patch"),
    ("unshare", &["--version"], "util-linux"),
    // Without the package the module is there and fails when an environment is made.
    ("/usr/bin/python3", &["-c", "import ensurepip, venv"], "python3-venv"),
];

/// Installs the packages whose programs are missing.
///
/// # Errors
/// The line that installs them, when this user cannot.
pub(crate) fn install_missing() -> Result<(), String> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(program, probe, _)| !has(program, probe))
        .map(|(_, _, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    let by_hand =
        format!("apt-get update && apt-get install -y --no-install-recommends {}", missing.join(" "));
    let prefix: &[&str] = if has("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        &[]
    } else if has("sudo", &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(format!("run this as root first: {by_hand}"));
    };
    let install = ["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", &by_hand];
    let call: Vec<&str> = prefix.iter().chain(&install).copied().collect();
    run(call[0], &call[1..])
}
