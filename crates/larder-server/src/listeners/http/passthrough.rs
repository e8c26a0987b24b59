//! The switch that operators ask for first: with pass-through on, every read goes to the store.

use super::{Shared, problem::Problem};
use axum::{
    Json,
    extract::{Path, State},
};
use larder_core::Engine;
use larder_redis::Reply;
use serde::Serialize;
use utoipa::ToSchema;

/// How the switch stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Passthrough {
    /// Whether every read goes to the store.
    passthrough: bool,
}

pub(super) async fn get(State(app): State<Shared>) -> Json<Passthrough> {
    state(app.engine())
}

pub(super) async fn put(
    State(app): State<Shared>,
    Path(switch): Path<String>,
) -> Result<Json<Passthrough>, Problem> {
    let on = match &*switch {
        "on" => true,
        "off" => false,
        _ => return Err(not_a_switch()),
    };
    if on != app.engine().feed().is_passthrough() {
        app.engine().set_passthrough(on);
        tracing::warn!("pass-through is {switch}");
    }
    Ok(state(app.engine()))
}

pub(super) fn not_a_switch() -> Problem {
    Problem::bad_request("pass-through can be turned on or off: end the path with either")
}

fn state(engine: &Engine<Reply>) -> Json<Passthrough> {
    Json(Passthrough { passthrough: engine.feed().is_passthrough() })
}
