//! The invariants of ARCHITECTURE.md that a machine can hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::docs;

/// Who may import whom. The arrows of ARCHITECTURE.md, and the only ones.
const ROOMS: &[(&str, &[&str])] = &[
    ("rahdar-model", &[]),
    ("rahdar-wire", &["rahdar-model"]),
    ("rahdar-intel", &["rahdar-model"]),
    ("rahdar-hunt", &["rahdar-model", "rahdar-intel"]),
    ("rahdar-scenario", &["rahdar-model"]),
    ("rahdar-figure", &["rahdar-model"]),
    ("rahdar-case", &["rahdar-model", "rahdar-intel", "rahdar-hunt", "rahdar-figure"]),
    ("rahdar-store", &["rahdar-model", "rahdar-intel", "rahdar-case"]),
    ("rahdar-lake", &["rahdar-model"]),
    (
        "rahdar-server",
        &["rahdar-model", "rahdar-wire", "rahdar-intel", "rahdar-hunt", "rahdar-case", "rahdar-figure"],
    ),
    (
        "rahdar",
        &[
            "rahdar-model",
            "rahdar-wire",
            "rahdar-intel",
            "rahdar-hunt",
            "rahdar-scenario",
            "rahdar-figure",
            "rahdar-case",
            "rahdar-store",
            "rahdar-lake",
            "rahdar-server",
        ],
    ),
    ("rahdar-testkit", &["rahdar-model"]),
];

/// Dependencies that one room alone may name, by the start of their name.
const KEPT_IN: &[(&str, &str)] = &[
    ("datafusion", "rahdar-lake"),
    ("deltalake", "rahdar-lake"),
    ("arrow", "rahdar-lake"),
    ("parquet", "rahdar-lake"),
    ("object_store", "rahdar-lake"),
    ("sqlx", "rahdar-store"),
    ("nix", "rahdar-server"),
    ("reqwest", "rahdar-server"),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "core", "misc", "types", "manager"];

/// The document whose lines are each held by a test.
const SEMANTICS: &str = "docs/semantics.md";

/// The JSON Schema of a hunt.
const SCHEMA: &str = "docs/hunt.schema.json";

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    dependencies: BTreeMap<String, Ignored>,
    #[serde(default, rename = "dev-dependencies")]
    dev_dependencies: BTreeMap<String, Ignored>,
    #[serde(default)]
    features: BTreeMap<String, Ignored>,
    lints: Option<Lints>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Lints {
    workspace: bool,
}

/// A value whose content does not matter here.
struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Checks everything and names every fault at once.
pub(crate) fn check(root: &Path) -> anyhow::Result<()> {
    let mut faults = Vec::new();
    rooms(root, &mut faults)?;
    sources(root, &mut faults)?;
    documents(root, &mut faults)?;
    tests_named(root, &mut faults)?;
    if !faults.is_empty() {
        bail!("the house is not in order:\n  {}", faults.join("\n  "));
    }
    Ok(())
}

/// Import directions, dependencies kept in one room, lints, and no features of ours.
fn rooms(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let architecture = read(&root.join("ARCHITECTURE.md"))?;
    for folder in folders(&root.join("crates"))? {
        let text = read(&folder.join("Cargo.toml"))?;
        let manifest: Manifest = basic_toml::from_str(&text)
            .with_context(|| format!("cannot read the manifest in {}", folder.display()))?;
        let name = manifest.package.name.as_str();
        let Some((_, may_import)) = ROOMS.iter().find(|(room, _)| *room == name) else {
            faults.push(format!("{name}: not in the table of rooms (xtask/src/tidy.rs, ARCHITECTURE.md)"));
            continue;
        };
        for import in manifest.dependencies.keys().filter(|import| import.starts_with("rahdar")) {
            if !may_import.contains(&import.as_str()) {
                faults.push(format!("{name}: may not import {import}"));
            }
        }
        for import in manifest.dependencies.keys().chain(manifest.dev_dependencies.keys()) {
            for (kept, room) in KEPT_IN {
                if import.starts_with(kept) && name != *room {
                    faults.push(format!("{name}: {import} belongs in {room} alone"));
                }
            }
        }
        if text.lines().any(|line| line.contains("features = [")) {
            // A feature that tests alone ask for would have the engine compiled a second time.
            faults.push(format!("{name}: features of dependencies belong in the manifest of the workspace"));
        }
        if !manifest.lints.is_some_and(|lints| lints.workspace) {
            faults.push(format!("{name}: lints of the workspace are not taken over"));
        }
        if !manifest.features.is_empty() {
            faults.push(format!("{name}: there is one feature set, and it is empty"));
        }
        if !architecture.contains(&format!("`{name}`")) {
            faults.push(format!("{name}: ARCHITECTURE.md does not mention it"));
        }
    }
    Ok(())
}

/// Every source file: named for what it holds, opened by what it is for.
fn sources(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let mut open = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if EMPTY_NAMES.contains(&stem) {
                faults.push(format!("{shown}: a name that says nothing about what is inside"));
            }
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !read(&path)?.starts_with("//!")
            {
                faults.push(format!("{shown}: does not say in its first line what it is for"));
            }
        }
    }
    Ok(())
}

/// Generated documents are fresh, the schema is a schema, README and CI run the same test command.
fn documents(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for (path, expected) in docs::generated()? {
        if read(&root.join(path)).ok().as_deref() != Some(&expected) {
            faults.push(format!("{path}: stale; run `cargo xtask docs`"));
        }
    }
    let schema =
        serde_json::from_str(&read(&root.join(SCHEMA))?).with_context(|| format!("cannot read {SCHEMA}"))?;
    if !jsonschema::meta::is_valid(&schema) {
        faults.push(format!("{SCHEMA}: not a JSON Schema"));
    }
    for path in ["README.md", ".ci/run"] {
        if !read(&root.join(path))?.contains("make test") {
            faults.push(format!("{path}: does not run `make test`"));
        }
    }
    Ok(())
}

/// Every test that a document names as `path::function` is there.
fn tests_named(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let text = read(&root.join(SEMANTICS))?;
    let mut tests = 0;
    for quoted in text.split('`').filter(|quoted| quoted.starts_with("crates/")) {
        let Some((path, test)) = quoted.split_once("::") else { continue };
        tests += 1;
        let source = read(&root.join(path)).unwrap_or_default();
        if !source.contains(&format!("fn {test}(")) {
            faults.push(format!("{SEMANTICS}: there is no test `{test}` in {path}"));
        }
    }
    if tests == 0 {
        faults.push(format!("{SEMANTICS}: names no test"));
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn folders(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_in_order() {
        check(&crate::root().unwrap()).unwrap();
    }

    #[test]
    fn the_table_of_rooms_has_no_circle() {
        for (position, (_, imports)) in ROOMS.iter().enumerate() {
            for import in *imports {
                let imported = ROOMS.iter().position(|(room, _)| room == import);
                assert!(imported.is_some_and(|imported| imported < position), "{import}");
            }
        }
    }
}
