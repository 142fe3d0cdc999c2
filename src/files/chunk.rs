//! Reads the entries of a file some at a time: enough to wait for the disk only now and then, few enough to take little
//! memory. It must not know what an entry is.

use super::FileProblem;

/// The most entries that are read at a time.
const MOST: usize = 1_000;

/// The next entries that `next` gives, none at the end.
///
/// # Errors
/// That of `next`.
pub fn some_entries<E>(mut next: impl FnMut() -> Result<Option<E>, FileProblem>) -> Result<Vec<E>, FileProblem> {
    let mut entries = Vec::new();
    while entries.len() < MOST
        && let Some(entry) = next()?
    {
        entries.push(entry);
    }
    Ok(entries)
}
