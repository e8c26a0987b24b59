//! The pass-through switch: while it is on, every read goes to the store.

use super::{
    path,
    problem::Problem,
    response::{Response, json},
};
use larder_core::Engine;
use larder_redis::Reply;
use serde::Serialize;
use utoipa::ToSchema;

/// The state of the switch.
#[derive(Serialize, ToSchema)]
pub(super) struct Passthrough {
    /// Whether every read goes to the store.
    passthrough: bool,
}

pub(super) fn get(engine: &Engine<Reply>) -> Response {
    json(&Passthrough { passthrough: engine.feed().is_passthrough() })
}

pub(super) fn put(engine: &Engine<Reply>, switch: &str) -> Result<Response, Problem> {
    let on = match &*path::decode(switch)? {
        b"on" => true,
        b"off" => false,
        _ => return Err(not_a_switch()),
    };
    if on != engine.feed().is_passthrough() {
        engine.set_passthrough(on);
        tracing::warn!("pass-through is {}", if on { "on" } else { "off" });
    }
    Ok(get(engine))
}

pub(super) fn not_a_switch() -> Problem {
    Problem::bad_request("pass-through is either on or off: end the path with one of them")
}
