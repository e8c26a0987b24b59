//! Errors that say what they are about.

use std::io;

/// Prefixes an error with its subject, and keeps its kind.
pub fn with_context(label: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{label}: {error}"))
}
