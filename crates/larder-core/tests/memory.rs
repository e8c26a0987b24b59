//! What the near tier says it takes is what the process takes.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder_core::{
    Clock, Engine, EnginePlan, Fill, Key, Put, Store, StoreError, Tiers,
    expiry::Ttl,
    near::{NearPlan, Policy},
};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

type Payload = Option<Arc<[u8]>>;

const MIB: u64 = 1 << 20;
const BYTES_MAX: u64 = 256 * MIB;
const NAMES: u64 = 5_000_000;
const VALUE_BYTES: usize = 20;

/// A store that has a value of its own for every name.
struct Generated {
    value_bytes: usize,
}

impl Store<Payload> for Generated {
    fn fill(&self, fill: Fill<Payload>) {
        let mut value = vec![b'.'; self.value_bytes];
        let name = fill.key().name;
        let shared = name.len().min(value.len());
        value[..shared].copy_from_slice(&name[..shared]);
        fill.land(Some(value.into()), Ttl::Forever);
    }

    async fn read(&self, _: Key<'_>) -> Result<Payload, StoreError> {
        Err(StoreError::Away("it only fills".into()))
    }

    async fn put(&self, _: &[u8], _: u32, _: &[u8], _: Option<Duration>) -> Result<(), StoreError> {
        Err(StoreError::Full)
    }

    async fn delete(&self, _: &[u8], _: u32) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn put_loaded(
        &self,
        _: &Fill<Payload>,
        _: &[u8],
        _: Duration,
    ) -> Result<Put, StoreError> {
        Err(StoreError::Full)
    }

    async fn take_back(&self, _: &[u8], _: u32, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

fn tiers(policy: Policy, bytes_max: u64, value_bytes: usize) -> Tiers<Payload, Generated> {
    let near = NearPlan { bytes_max, entries_max: 0, value_bytes_max: 1 << 20, policy };
    let hour = Duration::from_secs(3600);
    let plan = EnginePlan { near, near_ttl: hour, staleness_bound: hour };
    let engine = Engine::new(&plan, Clock::System);
    let epoch = engine.begin_epoch();
    engine.feed().beat_for_ever(epoch);
    Tiers::new(engine, Generated { value_bytes })
}

fn fetch(tiers: &Tiers<Payload, Generated>, name: &str) {
    let fetched = pin!(tiers.fetch(Key::get(name.as_bytes(), 0)));
    let fetched = fetched.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(fetched, Poll::Ready(Ok(_))), "the store answers at once");
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[test]
fn resident_memory_follows_the_bound() {
    let before = resident();
    let tiers = tiers(Policy::default(), BYTES_MAX, VALUE_BYTES);
    let start = Clock::System.now();
    for n in 0..NAMES {
        fetch(&tiers, &format!("user:{n:07}:{}", n % 1_000_000));
    }
    let grown = resident() - before;
    let counts = tiers.engine().counts().near;
    println!(
        "{:?} grown {grown} bytes {} items {}",
        Clock::System.now().since(start),
        counts.bytes,
        counts.items
    );
    assert!(counts.bytes <= BYTES_MAX);
    assert!(counts.items > 500_000, "{} items", counts.items);
    assert!(grown <= BYTES_MAX * 13 / 10 + 50 * MIB, "{} MiB", grown / MIB);
}
