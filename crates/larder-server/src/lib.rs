//! The Larder server: settings to a plan, a plan to running parts, parts to listeners.
//!
//! [`serve()`] is the table of contents.

mod app;
mod backend;
pub mod cli;
pub mod config;
mod health;
mod listeners;
pub mod logging;
mod metrics;
mod origins;
mod rlimit;
mod serve;
mod stats;
mod upkeep;
mod users;
mod verify;

pub use serve::serve;
