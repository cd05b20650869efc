//! The folder that holds everything. ARCHITECTURE.md says what is in it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use etcetera::BaseStrategy as _;
use rahdar_lake::Lake;
use rahdar_store::Database;

use crate::note;

/// The home of one installation.
pub(crate) struct Home {
    path: PathBuf,
}

impl Home {
    /// The folder given, or the XDG data folder. It is made if it is not there.
    pub(crate) fn open(given: Option<&Path>) -> anyhow::Result<Self> {
        let path = chosen(given)?;
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make `{}`; give another --home", path.display()))?;
        Ok(Self { path })
    }

    /// The same, for commands that expect a home: warns if it does not exist, since its name may be
    /// mistyped.
    pub(crate) fn held(given: Option<&Path>) -> anyhow::Result<Self> {
        let path = chosen(given)?;
        if !path.is_dir() {
            note!("`{}` did not exist; created an empty home there; check --home", path.display());
        }
        Self::open(given)
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The tables.
    pub(crate) fn lake(&self) -> anyhow::Result<Lake> {
        Ok(Lake::open(&self.path)?)
    }

    /// The tables as they are now, or as they were when the flows were of a version; they stand still.
    pub(crate) fn lake_at(&self, version: Option<u64>) -> anyhow::Result<Lake> {
        let lake = self.lake()?;
        Ok(match version {
            Some(version) => lake.at(version)?,
            None => lake.pinned()?,
        })
    }

    /// The book, networks and events.
    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        Ok(Database::open(&self.path.join("book.sqlite"))?)
    }
}

fn chosen(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    match given {
        Some(path) => Ok(path.to_owned()),
        None => Ok(etcetera::choose_base_strategy()
            .context("there is no home folder; give --home DIR")?
            .data_dir()
            .join("rahdar")),
    }
}
