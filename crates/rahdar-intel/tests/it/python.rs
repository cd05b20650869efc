//! Libraries of others that read what we write.

use std::path::PathBuf;
use std::process::Command;

/// A Python that has this library: of `RAHDAR_PYTHON`, of `packaging/test-tools.sh`, or of the
/// machine.
pub(crate) fn with(library: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let installed = cache.map(|cache| cache.join("rahdar-test-tools/bin/python"));
    let given = std::env::var_os("RAHDAR_PYTHON").map(PathBuf::from);
    let candidates = given.into_iter().chain(installed).chain([PathBuf::from("python3")]);
    let has = |python: &PathBuf| {
        let import = Command::new(python).args(["-c", &format!("import {library}")]).output();
        import.is_ok_and(|output| output.status.success())
    };
    let found = candidates.into_iter().find(has);
    if found.is_none() {
        rahdar_testkit::skipped(format_args!(
            "no Python with `{library}`; packaging/test-tools.sh installs it"
        ));
    }
    found
}

/// Runs a script with these arguments.
pub(crate) fn run(python: &PathBuf, script: &str, arguments: &[PathBuf]) -> Result<(), String> {
    let output = Command::new(python).args(["-c", script]).args(arguments).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
