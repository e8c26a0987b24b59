//! Compares the memory that the near cache counts with the memory that the process takes. This test
//! is a process of its own, so that nothing else takes memory meanwhile.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder_core::{
    Clock, Engine, EngineConfig, Fill, FillOutcome, Key, KeyFilter, ReadStore, StoreError, Tiers,
    expiry::Ttl,
    near::{NearConfig, Policy},
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
const PAGE_BYTES: u64 = 4096;
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn the_process_takes_the_memory_that_is_counted() {
    let before = resident_bytes();
    let tiers = tiers();
    std::thread::scope(|scope| {
        for half in [0..NAMES / 2, NAMES / 2..NAMES] {
            let tiers = &tiers;
            scope.spawn(|| half.for_each(|n| fetch(tiers, &format!("user:{n}:profile"))));
        }
    });
    let taken = resident_bytes() - before;
    let counts = tiers.engine().counts().near;
    println!("{} items, {} bytes counted, {taken} bytes taken", counts.items, counts.bytes);
    assert!(counts.bytes <= BYTES_MAX);
    assert!(counts.items > 500_000, "{} items", counts.items);
    assert!(taken <= BYTES_MAX * 13 / 10 + 50 * MIB, "{} MiB taken", taken / MIB);
    let (low, high) = (counts.bytes / 5 * 4, counts.bytes / 5 * 6);
    assert!((low..high).contains(&taken), "{taken} bytes taken, {} counted", counts.bytes);
}

fn tiers() -> Tiers<Payload, Generated> {
    let near = NearConfig {
        bytes_max: BYTES_MAX,
        entries_max: 0,
        value_bytes_max: 1 << 20,
        policy: Policy::default(),
    };
    let config =
        EngineConfig { near, near_ttl: HOUR, staleness_bound: HOUR, keys: KeyFilter::default() };
    let engine = Engine::new(&config, Clock::System);
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
    Tiers::new(engine, Generated)
}

fn fetch(tiers: &Tiers<Payload, Generated>, name: &str) {
    let fetched = pin!(tiers.fetch(Key::plain(name.as_bytes(), 0)));
    let fetched = fetched.poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(fetched, Poll::Ready(Ok(_))), "the store replies immediately");
}

/// Returns the resident memory of this process.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE_BYTES
}

/// A store that has a value of 20 bytes for every name.
struct Generated;

impl ReadStore<Payload> for Generated {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        let mut value = [b'.'; 20];
        value.iter_mut().zip(fill.key().name).for_each(|(byte, of_name)| *byte = *of_name);
        fill.complete(Some(value.as_slice().into()), Ttl::Forever)
    }

    async fn read(&self, _: Key<'_>) -> Result<Payload, StoreError> {
        Err(StoreError::Unreachable("only fills are supported".into()))
    }
}
