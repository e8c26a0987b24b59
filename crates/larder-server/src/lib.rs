//! The Larder server: settings to a plan, a plan to running parts, parts to listeners.
//!
//! [`serve()`] is the table of contents.

mod backend;
pub mod cli;
mod health;
mod larder;
mod listeners;
pub mod logging;
mod metrics;
mod open_files;
mod origins;
mod serve;
pub mod settings;
mod upkeep;
mod users;
mod verify;

pub use serve::serve;
