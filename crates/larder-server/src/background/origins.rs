//! Deletes cached rows when they change in their origin.

use crate::{app::App, origins::DeclaredOrigin};
use larder_core::Origin;
use std::sync::{Arc, Weak};

/// Follows the changes of one origin until the server ends.
pub(super) async fn run(app: Weak<App>, origin: Arc<DeclaredOrigin>) {
    loop {
        let changed = origin.changed_keys().await;
        let Some(app) = app.upgrade() else { return };
        for key in changed {
            if let Err(error) = app.delete(key.as_bytes()).await {
                tracing::warn!(
                    origin = origin.name(), %error,
                    "cannot delete a changed row; it may be served until its ttl ends"
                );
            }
        }
    }
}
