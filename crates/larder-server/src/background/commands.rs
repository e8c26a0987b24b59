//! Learns which commands the store has, once in each epoch: behind the same address there may be
//! another server.

use super::ticker::every;
use crate::app::App;
use larder_resp::{
    command::Table,
    reply::{Frame, Items},
};
use std::{sync::Weak, time::Duration};

/// How often to check for a new epoch.
const PERIOD: Duration = Duration::from_millis(250);

pub(super) async fn run(app: Weak<App>) {
    let mut known_epoch = 0;
    every(PERIOD, app, async move |app| learn_commands(&app, &mut known_epoch).await).await;
}

/// Returns whether the store asks for a password before it looks a command up, as Valkey 9 does.
async fn checks_auth_first(app: &App) -> bool {
    let Ok(Some(reply)) = app.backend().describe_server().await else { return false };
    let fields = || Frame::parse(&reply).ok()?.items();
    let field = |name: &[u8]| {
        let mut pairs = fields().into_iter().flat_map(Items::pairs);
        let (_, value) = pairs.find(|(field, _)| field.as_str_bytes() == Some(name))?;
        Some(String::from_utf8_lossy(value.as_str_bytes()?).into_owned())
    };
    let major =
        field(b"version").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    field(b"server").as_deref() == Some("valkey") && major >= Some(9)
}

async fn learn_commands(app: &App, known_epoch: &mut u64) {
    let epoch = app.engine().feed().epochs_begun();
    if epoch == *known_epoch {
        return;
    }
    match app.backend().describe_commands().await {
        Ok(None) => *known_epoch = epoch,
        Ok(Some(reply)) => {
            *known_epoch = epoch;
            let mut table = Table::builtin();
            if let Err(error) = table.merge_command_reply(&reply) {
                tracing::warn!(%error, "cannot read the store's reply to COMMAND");
                return;
            }
            app.set_checks_auth_first(checks_auth_first(app).await);
            app.set_commands(table);
        }
        Err(error) => tracing::debug!(%error, "the store does not describe its commands"),
    }
}
