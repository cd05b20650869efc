//! An error and its causes in one line, for people.

use std::error::Error;

/// An error and its causes, from the outermost in: `cannot import: the disk is full`. Some libraries repeat
/// their cause in their own text; it is left out there.
///
/// ```
/// use rahdar_model::failure::chain;
///
/// let cause = std::io::Error::other("the disk is full");
/// assert_eq!(chain(&cause), "the disk is full");
/// ```
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
        next = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_cause_is_told_once() {
        let failed = |cause: &str| StoreError::Failed { action: "storing flows", cause: cause.into() };
        assert_eq!(chain(&failed("the disk is full")), "storing flows failed: the disk is full");
        assert_eq!(chain(&failed("storing flows failed")), "storing flows failed");
    }
}
