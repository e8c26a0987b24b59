//! What every kind of origin implements.

use bytes::Bytes;
use larder_core::BoxFuture;

/// A place that rows come from, by their ids: a file, a table, a service.
///
/// A source only finds rows and reports changes. Loading a row once for all concurrent readers,
/// putting it into the store and remembering that a row is absent are the engine's work.
pub(super) trait Source: Send + Sync {
    /// Returns the row of an id as compact JSON, or `None` if there is no such row. A source that
    /// waits for something bounds the time itself; the error says what went wrong, for people.
    fn find<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, String>>;

    /// Waits until rows were added, removed or changed, and returns their ids. Between two calls no
    /// change is lost. The future must be polled to its end: a source may have recorded changes that
    /// it has not returned yet, and dropping the future would lose them. A source that learns of no
    /// changes never returns: its rows live until their TTL ends.
    fn changes(&self) -> BoxFuture<'_, Vec<Box<str>>>;

    /// Returns what does not work at the moment, for `/readyz`.
    fn problem(&self) -> Option<String>;

    /// Returns the number of rows, if it is known.
    fn rows(&self) -> Option<usize>;

    /// Returns a row that exists, with its id, for the examples in the API documentation.
    fn example(&self) -> Option<(String, Bytes)>;
}
