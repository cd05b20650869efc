//! Chores of the house: `cargo xtask docs` writes the generated documents, `cargo xtask tidy`
//! checks that the house is in order. The same check runs as a test.

mod docs;
mod tidy;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let root = root()?;
    match std::env::args().nth(1).as_deref() {
        Some("docs") => docs::write(&root),
        Some("tidy") => tidy::check(&root),
        _ => bail!("usage: cargo xtask docs|tidy"),
    }
}

/// The folder of the workspace.
fn root() -> anyhow::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_owned).context("xtask lies in the workspace")
}
