//! Reads through Larder with the `redis` crate. A client of Redis changes its port, and nothing
//! else.
//!
//! ```sh
//! client [URL of Larder] [URL of Redis]
//! ```
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an ordinary client reads the clock and prints"
)]

use redis::{Client, Commands, Connection, InfoDict, RedisResult};
use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

const KEY: &str = "example:rust";

fn main() -> Result<(), Box<dyn Error>> {
    let mut urls = env::args().skip(1);
    let mut larder = connect(urls.next().as_deref(), "redis://127.0.0.1:6380")?;
    let mut direct = connect(urls.next().as_deref(), "redis://127.0.0.1:6379")?;

    // Another program writes a value, directly to Redis.
    let () = direct.set_ex(KEY, "one", 60)?;

    let before = hits(&mut larder)?;
    println!("first read:  {}", larder.get::<_, String>(KEY)?);
    println!("second read: {}", larder.get::<_, String>(KEY)?);
    let answered = hits(&mut larder)? - before;
    println!("answered from memory: {answered}");
    assert!(answered > 0, "the second read was not a hit");

    // The value changes in Redis. Redis tells Larder, which forgets its copy.
    let () = direct.set_ex(KEY, "two", 60)?;
    let changed = Instant::now();
    let mut value: String = larder.get(KEY)?;
    while value != "two" {
        assert!(changed.elapsed() < Duration::from_secs(1), "still {value} after a second");
        value = larder.get(KEY)?;
    }
    println!("changed in Redis, read through Larder {:.1?} later: {value}", changed.elapsed());

    let () = direct.del(KEY)?;
    Ok(())
}

fn connect(url: Option<&str>, default: &str) -> RedisResult<Connection> {
    Client::open(url.unwrap_or(default))?.get_connection()
}

/// How many reads Larder has answered from memory.
fn hits(larder: &mut Connection) -> RedisResult<u64> {
    let info: InfoDict = redis::cmd("INFO").arg("larder").query(larder)?;
    Ok(info.get("larder_hits").unwrap_or_default())
}
