//! An origin that counts how often it is asked, and answers when the test says so.

use bytes::Bytes;
use larder_core::{BoxFuture, Origin, OriginError};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};
use tokio::sync::oneshot;

type Row = Option<Bytes>;

/// Holds versions of rows: `row 1`, `row 2`... of each id.
#[derive(Default)]
pub(crate) struct Rows {
    state: Mutex<State>,
    /// Whether a load waits for [`Rows::answer`].
    waits: bool,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<String, Vec<Row>>,
    waiting: Vec<(Row, oneshot::Sender<Row>)>,
    asked: usize,
    broken: bool,
}

impl Rows {
    pub(crate) fn slow() -> Self {
        Self { waits: true, ..Self::default() }
    }

    /// Adds a version of a row, or deletes it. Returns the version's number.
    pub(crate) fn change(&self, id: &str, exists: bool) -> usize {
        let mut state = self.state();
        let versions = state.rows.entry(id.to_owned()).or_insert_with(|| vec![None]);
        let number = versions.len();
        versions.push(exists.then(|| format!("row {number}").into()));
        number
    }

    /// Returns the number of the newest version.
    pub(crate) fn newest(&self, id: &str) -> usize {
        self.state().rows.get(id).map_or(0, |versions| versions.len() - 1)
    }

    /// Whether `row` is a version with the number `since` or a later one.
    pub(crate) fn had(&self, id: &str, since: usize, row: Option<&[u8]>) -> bool {
        let state = self.state();
        let versions = state.rows.get(id).map_or(&[None][..], Vec::as_slice);
        versions.iter().skip(since).any(|version| version.as_deref() == row)
    }

    /// Returns how often the origin was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// Sets whether the origin answers with an error.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.state().broken = broken;
    }

    /// Answers one waiting load, with the row as it was when the load began. Returns false when none
    /// waits.
    pub(crate) fn answer(&self, at: usize) -> bool {
        let mut state = self.state();
        if at >= state.waiting.len() {
            return false;
        }
        let (row, answer) = state.waiting.remove(at);
        drop(state);
        // The reader may have left.
        answer.send(row).ok();
        true
    }

    async fn ask(&self, id: &str) -> Result<Row, OriginError> {
        let waits = {
            let mut state = self.state();
            state.asked += 1;
            if state.broken {
                return Err(broken());
            }
            let row = state.rows.get(id).and_then(|versions| versions.last().cloned()).flatten();
            if !self.waits {
                return Ok(row);
            }
            let (answer, waits) = oneshot::channel();
            state.waiting.push((row, answer));
            waits
        };
        waits.await.map_err(|_| broken())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test goes on after a panic")
    }
}

fn broken() -> OriginError {
    OriginError { origin: "rows".into(), reason: "broken".into(), cause: None }
}

impl Origin for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Row, OriginError>> {
        Box::pin(self.ask(id))
    }
}
