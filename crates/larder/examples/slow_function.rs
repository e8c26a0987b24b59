//! A slow function becomes fast: the first call runs it, the second is answered from the cache, and
//! another argument runs it again.
//!
//! `cargo run -p larder --example slow_function`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use larder::cached;
use std::{collections::BTreeMap, thread::sleep, time::Duration};

/// How long the function takes. Anything that is worth caching takes longer.
const SLOW: Duration = Duration::from_millis(300);

/// The result is cached for a day under `expensive_function:<username>`.
#[cached(ttl = "24h")]
pub(crate) fn expensive_function(username: &str) -> BTreeMap<String, String> {
    sleep(SLOW);
    BTreeMap::from([("username_extended".to_owned(), format!("{username}_123"))])
}

pub(crate) fn main() {
    for username in ["Maxim", "Maxim", "Pierre", "Maxim", "Louis"] {
        let before = expensive_function_cache().stats().loads;
        let result = expensive_function(username);
        let ran = expensive_function_cache().stats().loads > before;
        println!("{username}: {result:?} ({})", if ran { "computed" } else { "from the cache" });
    }
}
