//! Measures Larder beside other programs, in one run on one machine, and writes the report.
//!
//! A slow figure is a result. A wrong reply is an error and ends the run.
//!
//! - [`resp`] compares GET over RESP with Redis, memcached, plain proxies and the [`baseline`]. The
//!   main figure is the server's CPU time per request, which a shared machine disturbs least.
//!   [`servers`] starts each server pinned to one core; [`generator`] sends the load from another
//!   core and checks every reply.
//! - [`http`] does the same for Larder's HTTP route beside nginx, webdis and Python services.
//! - [`count`] counts instructions per hit with callgrind, which other load on the machine does not
//!   change.
//! - [`libraries`] and [`hit_ratio`] hold the results of comparing the near cache with other cache
//!   libraries. The crate `larder-bench-compare` measures those, as it alone depends on them.
//!
//! Everything that is timed runs in interleaved [`rounds`], so that a slow minute of the machine
//! affects all subjects alike. [`report`] computes ratios within each round and checks the goals.

pub mod baseline;
pub mod cache_kind;
pub mod caches;
pub mod cli;
mod client;
pub mod clock;
pub mod cores;
pub mod count;
pub mod cpu;
pub mod environment;
pub mod error;
pub mod generator;
mod goals;
pub mod hit_ratio;
pub mod http;
pub mod keys;
pub mod libraries;
pub mod numbers;
pub mod plan;
pub mod progress;
pub mod report;
pub mod resp;
pub mod rounds;
pub mod servers;
pub mod stop;
