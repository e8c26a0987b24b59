//! An origin that counts how often it is asked and answers when told.

use bytes::Bytes;
use larder_core::{BoxFuture, Origin, OriginError};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};
use tokio::sync::oneshot;

type Row = Option<Bytes>;

/// Its rows have versions: `row 1`, `row 2`... of each id.
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

    /// A newer version of a row, or none. Gives its number.
    pub(crate) fn change(&self, id: &str, there: bool) -> usize {
        let mut state = self.state();
        let versions = state.rows.entry(id.to_owned()).or_insert_with(|| vec![None]);
        let number = versions.len();
        versions.push(there.then(|| format!("row {number}").into()));
        number
    }

    /// The number of the newest version.
    pub(crate) fn newest(&self, id: &str) -> usize {
        self.state().rows.get(id).map_or(0, |versions| versions.len() - 1)
    }

    /// Whether a version from `since` on is `row`.
    pub(crate) fn had(&self, id: &str, since: usize, row: Option<&[u8]>) -> bool {
        let state = self.state();
        let versions = state.rows.get(id).map_or(&[None][..], Vec::as_slice);
        versions.iter().skip(since).any(|version| version.as_deref() == row)
    }

    /// How often it was asked.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// Whether it answers with an error.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.state().broken = broken;
    }

    /// Answers one of those who wait, with the row of the time when it asked. False when there is
    /// none.
    pub(crate) fn answer(&self, at: usize) -> bool {
        let mut state = self.state();
        if at >= state.waiting.len() {
            return false;
        }
        let (row, answer) = state.waiting.remove(at);
        drop(state);
        // Who asked may have left.
        answer.send(row).ok();
        true
    }

    async fn ask(&self, id: &str) -> Result<Row, OriginError> {
        let waits = {
            let mut state = self.state();
            state.asked += 1;
            if state.broken {
                return Err(gone());
            }
            let row = state.rows.get(id).and_then(|versions| versions.last().cloned()).flatten();
            if !self.waits {
                return Ok(row);
            }
            let (answer, waits) = oneshot::channel();
            state.waiting.push((row, answer));
            waits
        };
        waits.await.map_err(|_| gone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test goes on after a panic")
    }
}

fn gone() -> OriginError {
    OriginError { origin: "rows".into(), reason: "broken".into() }
}

impl Origin for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn load<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Row, OriginError>> {
        Box::pin(self.ask(id))
    }
}
