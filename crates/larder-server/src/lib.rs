//! The Larder server: configuration, wiring, listeners and command line.
//!
//! [`serve()`] is the table of contents.

mod app;
mod backend;
mod background;
mod bound;
pub mod cli;
mod commands;
pub mod config;
mod listeners;
mod load_refusals;
pub mod logging;
mod ops;
mod origins;
mod rlimit;
mod serve;
mod signals;
mod stats;
mod users;
mod verify;

pub use serve::serve;
