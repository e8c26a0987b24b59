//! Tasks that run beside the requests, from the start of the server to its end.

mod access;
mod acl;
mod commands;
mod origins;
mod sweep;
mod ticker;
mod tracking;
mod verify;

use crate::{app::App, verify::Sample};
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;

/// Starts every task. None of them keeps the server alive.
pub(crate) fn start(app: &Arc<App>, samples: Option<Receiver<Sample>>) {
    let weak = || Arc::downgrade(app);
    tokio::spawn(sweep::run(weak()));
    tokio::spawn(access::run(weak()));
    tokio::spawn(acl::run(weak()));
    tokio::spawn(commands::run(weak()));
    tokio::spawn(tracking::run(weak()));
    for origin in app.origins() {
        tokio::spawn(origins::run(weak(), Arc::clone(origin)));
    }
    if let Some(samples) = samples {
        tokio::spawn(verify::run(weak(), samples));
    }
}
