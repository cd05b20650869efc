//! What is said of an error: each cause once, and what can be done.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

pub(crate) use rahdar_model::failure::chain;
use rahdar_model::store::StoreError;

/// EIO of Linux and of every other Unix.
const INPUT_OUTPUT_ERROR: i32 = 5;

/// A command line that parses but makes no sense. Exit code 2, like any usage error.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// An error and its causes.
pub(crate) fn told(error: &anyhow::Error) -> String {
    chain(&**error)
}

/// The remedy, where there is one.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    let is_damage = |cause: &StoreError| matches!(cause, StoreError::Damaged { .. });
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(is_damage) {
        return Some("restore that file from a backup; or give another --home and import again");
    }
    let of_the_system = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>())?;
    match of_the_system.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(
            "make room on that disk, then give the command again: what is stored is whole, and nothing is \
             stored twice",
        ),
        ErrorKind::ReadOnlyFilesystem => Some("give a --home that can be written to"),
        _ if of_the_system.raw_os_error() == Some(INPUT_OUTPUT_ERROR) => Some(
            "the disk failed: see the log of the kernel, then give the command again: what is stored is \
             whole, and nothing is stored twice",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn check(cause: anyhow::Error, expected: Option<&str>) {
        let hint = hint(&Err::<(), _>(cause).context("cannot import").unwrap_err());
        assert_eq!(hint.and_then(|hint| hint.split([' ', ':']).next()), expected);
    }

    #[test]
    fn a_cause_is_told_once() {
        let error =
            anyhow::anyhow!("the disk is full").context("writing failed: the disk is full").context("no");
        assert_eq!(told(&error), "no: writing failed: the disk is full");
    }

    #[test]
    fn causes_at_any_depth_are_hinted_at() {
        let failed = |code| StoreError::Failed {
            action: "storing flows",
            cause: io::Error::from_raw_os_error(code).into(),
        };
        check(failed(28).into(), Some("make"));
        check(failed(5).into(), Some("the"));
        check(failed(2).into(), None);
        check(StoreError::Damaged { path: "x".to_owned(), cause: "y".into() }.into(), Some("restore"));
    }
}
