//! Larder measured beside others, in one run on one machine. A slow figure is a result; a wrong
//! reply is an error, and ends the run.
//!
//! **Over RESP**, beside Redis, memcached, plain proxies and the floor: the figure that counts is the CPU time
//! of the server per request, as on a shared machine it is the only one that stays put. [`servers`]
//! starts what is measured, each pinned to one core; [`generator`] asks from another core and checks
//! every reply; [`measure`] brings them together.
//!
//! **Over HTTP**, in the same way ([`http`]): Larder's route beside nginx, webdis, the services that
//! one writes in Python for want of it, and the floor.
//!
//! **In one process**, the near tier beside other caches: [`caches`] asks all of them in the same
//! way; [`libraries`] measures time and memory; [`hit_ratio`] counts what they have of real traces.
//!
//! **Without a clock**, instructions per hit ([`count`]), which the machine's other work leaves alone.
//!
//! All that takes time has its turns in [`rounds`], so that a slow minute of the machine hits everybody;
//! [`report`] compares within each round and says which goals are met.

pub mod caches;
pub mod cli;
mod client;
mod clock;
pub mod cores;
pub mod count;
mod cpu;
mod facts;
pub mod floor;
pub mod generator;
mod goals;
pub mod hit_ratio;
pub mod http;
pub mod keys;
pub mod libraries;
pub mod measure;
mod numbers;
pub mod plan;
mod progress;
pub mod report;
pub mod rounds;
pub mod servers;
pub mod stop;
