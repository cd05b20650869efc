//! The invariants of ARCHITECTURE.md that a machine can hold.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rahdar_testkit::prose;
use serde::Deserialize;

use crate::docs;

/// Who imports whom. The arrows of ARCHITECTURE.md, and the only ones.
const ROOMS: &[(&str, &[&str])] = &[
    ("rahdar-model", &[]),
    ("rahdar-wire", &["rahdar-model"]),
    ("rahdar-intel", &["rahdar-model"]),
    ("rahdar-hunt", &["rahdar-model", "rahdar-intel"]),
    ("rahdar-scenario", &["rahdar-model"]),
    ("rahdar-figure", &["rahdar-model"]),
    ("rahdar-case", &["rahdar-model", "rahdar-figure"]),
    ("rahdar-store", &["rahdar-model", "rahdar-intel"]),
    ("rahdar-lake", &["rahdar-model"]),
    ("rahdar-server", &["rahdar-model", "rahdar-wire", "rahdar-intel"]),
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

/// Dependencies that these rooms alone may name, by the start of their name.
const KEPT_IN: &[(&str, &[&str])] = &[
    ("datafusion", &["rahdar-lake"]),
    ("deltalake", &["rahdar-lake"]),
    ("arrow", &["rahdar-lake"]),
    ("parquet", &["rahdar-lake"]),
    ("object_store", &["rahdar-lake"]),
    ("sqlx", &["rahdar-store"]),
    // Sockets; and what is free of a disk.
    ("nix", &["rahdar-server", "rahdar-lake"]),
    ("reqwest", &["rahdar-server"]),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "core", "misc", "types", "manager"];

/// Rooms that say sentences to people.
const SPEAK: &[&str] = &["rahdar-hunt", "rahdar-case", "rahdar"];

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
    sentences(root, &mut faults)?;
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
        for import in may_import.iter().filter(|import| !manifest.dependencies.contains_key(**import)) {
            faults.push(format!("{name}: may import {import} and does not; take the arrow out of the table"));
        }
        for import in manifest.dependencies.keys().chain(manifest.dev_dependencies.keys()) {
            for (kept, rooms) in KEPT_IN {
                if import.starts_with(kept) && !rooms.contains(&name) {
                    faults.push(format!("{name}: {import} belongs in {} alone", rooms.join(" and ")));
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
        let (told, expected) = (told_imports(&architecture, name), in_words(may_import));
        if told != Some(expected.as_str()) {
            faults.push(format!("{name}: ARCHITECTURE.md must say that it may import: {expected}"));
        }
    }
    Ok(())
}

/// What the table of rooms in ARCHITECTURE.md says that a room may import: the last cell of its row.
fn told_imports<'a>(architecture: &'a str, room: &str) -> Option<&'a str> {
    let begin = format!("| `{room}` |");
    let row = architecture.lines().find(|line| line.starts_with(&begin))?;
    row.strip_suffix('|')?.rsplit('|').next().map(str::trim)
}

/// Imports as ARCHITECTURE.md writes them.
fn in_words(imports: &[&str]) -> String {
    // All but the room itself and the one for tests.
    if imports.len() == ROOMS.len() - 2 {
        return "all".to_owned();
    }
    if imports.is_empty() {
        return "nothing of ours".to_owned();
    }
    let names: Vec<&str> = imports.iter().map(|import| import.trim_start_matches("rahdar-")).collect();
    names.join(", ")
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

/// Generated documents are fresh, the schema is a schema, README and CI name `make test`.
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
            faults.push(format!("{path}: does not name `make test`"));
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

/// No text that rooms say to people mixes likelihood with confidence.
fn sentences(root: &Path, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let mut open: Vec<PathBuf> =
        SPEAK.iter().map(|room| root.join("crates").join(room).join("src")).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(&path)? {
                open.push(entry?.path());
            }
            continue;
        }
        for text in literals(&read(&path)?) {
            if let Some(sentence) = prose::mixed(&text) {
                let shown = path.strip_prefix(root).unwrap_or(&path).display();
                faults
                    .push(format!("{shown}: likelihood and confidence in one sentence: {}", sentence.trim()));
            }
        }
    }
    Ok(())
}

/// The string literals of a source file, as they are written; those of one expression over several lines are one.
fn literals(source: &str) -> Vec<String> {
    let (mut literals, mut own) = (Vec::new(), None::<String>);
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut chars = code.flat_map(|line| line.trim_start().chars().chain([' ']));
    while let Some(c) = chars.next() {
        match (c, &mut own) {
            ('\\', Some(text)) => text.extend(chars.next().filter(|escaped| *escaped != ' ')),
            ('"', Some(_)) => literals.extend(own.take()),
            (c, Some(text)) => text.push(c),
            // What follows may be the character `"`, which begins nothing.
            ('\'', None) => drop(chars.next()),
            ('"', None) => own = Some(String::new()),
            _ => {}
        }
    }
    literals
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
    fn the_document_is_read_by_its_table() {
        let document = "`rahdar-a` is good.\n| crate | may import |\n| `rahdar-a` | good | model, intel |\n";
        assert_eq!(told_imports(document, "rahdar-a"), Some("model, intel"));
        assert_eq!(told_imports(document, "rahdar-b"), None);
        assert_eq!(in_words(&["rahdar-model", "rahdar-intel"]), "model, intel");
        assert_eq!(in_words(&[]), "nothing of ours");
    }

    #[test]
    fn texts_are_found_as_they_are_said() {
        let source = r#"let a = "one \
                two"; let quote = '"'; // of two lines
            // "three"
            let b = "say \"four\"";"#;
        assert_eq!(literals(source), ["one two", "say \"four\""]);
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
