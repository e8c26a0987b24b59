//! Rust clients that put all callers of a process on one connection.

use std::collections::HashMap;
use std::time::Duration;

use fred::prelude::{Builder, Client, ClientLike, Config, KeysInterface};
use larder_testkit::Harness;
use redis::aio::MultiplexedConnection;
use tokio::task::JoinSet;

use crate::setup::{over_bad_network, start, start_with_relay};

const CALLERS: usize = 64;
const OWN_KEYS: usize = 8;
const SHARED_KEYS: usize = 200;

/// A client that may be cloned, and sends everything on one connection.
trait Multiplexed: Clone + Send + Sync + 'static {
    fn connect(port: u16) -> impl Future<Output = Self>;
    fn get(&self, key: &str) -> impl Future<Output = Option<String>> + Send;
    fn set(&self, key: &str, value: &str) -> impl Future<Output = ()> + Send;
}

impl Multiplexed for MultiplexedConnection {
    async fn connect(port: u16) -> Self {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
        let mut config = redis::AsyncConnectionConfig::new();
        config = config.set_response_timeout(Some(Duration::from_secs(30)));
        client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
    }

    async fn get(&self, key: &str) -> Option<String> {
        redis::cmd("GET").arg(key).query_async(&mut self.clone()).await.unwrap()
    }

    async fn set(&self, key: &str, value: &str) {
        redis::cmd("SET").arg(key).arg(value).exec_async(&mut self.clone()).await.unwrap();
    }
}

impl Multiplexed for Client {
    async fn connect(port: u16) -> Self {
        let config = Config::from_url(&format!("redis://127.0.0.1:{port}")).unwrap();
        let client = Builder::from_config(config).build().unwrap();
        client.init().await.unwrap();
        client
    }

    async fn get(&self, key: &str) -> Option<String> {
        KeysInterface::get(self, key).await.unwrap()
    }

    async fn set(&self, key: &str, value: &str) {
        let set = KeysInterface::set::<(), _, _>(self, key, value, None, None, false);
        set.await.unwrap();
    }
}

/// Has 64 callers send so many commands each, of which one in ten is a write. Every reply is the one
/// that the caller must get. Returns the number of reads.
async fn run<C: Multiplexed>(port: u16, commands: usize) -> u64 {
    let client = C::connect(port).await;
    for number in 0..SHARED_KEYS {
        client.set(&format!("shared:{number}"), &format!("value of {number}")).await;
    }
    let callers = (0..CALLERS).map(|caller| call(client.clone(), caller, commands));
    callers.collect::<JoinSet<_>>().join_all().await.into_iter().sum()
}

async fn call<C: Multiplexed>(client: C, caller: usize, commands: usize) -> u64 {
    let (mut written, mut reads) = (HashMap::new(), 0);
    for number in 0..commands {
        let own = (number * 7 + caller) % OWN_KEYS;
        let key = format!("{}:{caller}:{own}", std::any::type_name::<C>());
        if (number + caller).is_multiple_of(10) {
            let value = format!("{key}={number}");
            client.set(&key, &value).await;
            written.insert(own, value);
            continue;
        }
        reads += 1;
        if number.is_multiple_of(2) {
            assert_eq!(client.get(&key).await.as_ref(), written.get(&own), "{key}");
        } else {
            let shared = (number * 31 + caller * 17) % SHARED_KEYS;
            let value = client.get(&format!("shared:{shared}")).await;
            assert_eq!(value, Some(format!("value of {shared}")));
        }
    }
    reads
}

fn run_each(harness: &Harness, commands: usize, check: impl Fn(&str, u64)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let port = harness.resp_port();
    check("redis-rs", runtime.block_on(run::<MultiplexedConnection>(port, commands)));
    check("fred", runtime.block_on(run::<Client>(port, commands)));
}

#[test]
fn callers_that_share_a_connection_read_from_memory() {
    let Some(harness) = start(&[]) else { return };
    let before = std::cell::Cell::new(0);
    run_each(&harness, 400, |library, reads| {
        let hits = harness.larder.resp_hits() - before.replace(harness.larder.resp_hits());
        assert!(hits * 100 > reads * 85, "{library}: {hits} hits of {reads} reads");
    });
}

#[test]
fn callers_that_share_a_connection_read_their_writes_over_a_bad_network() {
    let Some(harness) = start_with_relay(&[]) else { return };
    over_bad_network(&harness, || run_each(&harness, 60, |_, reads| assert!(reads > 0)));
}
