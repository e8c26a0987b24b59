//! When Redis last served a client's own connection, and whether it was killed after that.

use super::context::ProxyContext;
use larder_core::{Engine, Moment, StoreError};
use larder_redis::Reply;
use std::time::Duration;

/// The idle timeout that is assumed where Larder's user may not ask for it. Hardly any server has a
/// shorter one.
const UNKNOWN_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Redis counts idle time in whole seconds, and a reply may have been read late.
const IDLE_TIMEOUT_SLACK: Duration = Duration::from_secs(1);

/// The last time that Redis served a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Served {
    at: Moment,
    /// How many epochs of the feed had begun by then.
    epochs: u64,
}

impl Served {
    pub(super) fn now(engine: &Engine<Reply>) -> Self {
        Self { at: engine.clock().now(), epochs: engine.feed().epochs_begun() }
    }

    pub(super) fn since(&self, earlier: Moment) -> Duration {
        self.at.since(earlier)
    }

    /// Returns whether a connection that has ended was killed: the tracking connection lives on, so
    /// Redis has not died, and Redis had no reason to close this one because it was idle. False if
    /// that cannot be told.
    pub(super) async fn was_killed(self, context: &ProxyContext) -> bool {
        let (engine, backend) = (context.engine(), context.backend());
        let unused = engine.clock().now().since(self.at);
        // After a restart of Redis, the fence may pass in the next epoch.
        if !backend.fence().await || engine.feed().epochs_begun() != self.epochs {
            return false;
        }
        let timeout = match backend.idle_timeout().await {
            Ok(timeout) => timeout,
            Err(StoreError::Refused(_)) => Some(UNKNOWN_IDLE_TIMEOUT),
            Err(_) => return false,
        };
        timeout.is_none_or(|timeout| unused + IDLE_TIMEOUT_SLACK < timeout)
    }
}
