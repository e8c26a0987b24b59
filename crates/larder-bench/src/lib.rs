//! Larder measured beside Redis, a plain proxy and the floor, in one run on one machine.
//!
//! The figure that counts is the CPU time of the server per request: on a shared machine it is the
//! only one that stays put. [`servers`] starts what is measured, each pinned to one core;
//! [`generator`] asks from another core and checks every reply; [`measure`] takes all of them in
//! turn, round by round, so that a slow minute of the machine hits everybody; [`report`] compares
//! within each round and says which goals are met.
//!
//! A slow figure is a result. A wrong reply is an error, and ends the run.

pub mod cli;
mod client;
mod clock;
pub mod cores;
mod cpu;
mod facts;
pub mod floor;
pub mod generator;
mod goals;
pub mod keys;
pub mod measure;
mod numbers;
pub mod plan;
mod progress;
pub mod report;
pub mod servers;
pub mod stop;
