//! Measures the near cache inside one process, through the engine.
//!
//! ```text
//! near bytes 1000000            memory per entry, new and after all entries have changed
//! near hits 10000 20000000      time per hit: 20,000,000 hits on 10,000 names
//! near misses 10000 20000000    time per miss, insertion included: 20,000,000 misses in a cache
//!                               for 10,000 entries
//! zcat TRACE.gz | near trace 500 1000 [be32]
//!                               hit ratio with 500 and with 1000 entries
//! ```

#![allow(clippy::print_stdout, reason = "it prints its results")]
#![allow(clippy::cast_precision_loss, reason = "rounded for display")]
#![allow(clippy::unwrap_used, reason = "a measurement may stop where it fails")]

use larder_core::{
    CachedRef, Clock, Engine, EngineConfig, Fill, FillOutcome, Found, Key, KeyFilter, ReadStore,
    StoreError, Tiers,
    expiry::Ttl,
    near::{NearConfig, Policy},
};
use std::{
    env,
    hint::black_box,
    io::{BufRead, Read, stdin},
    sync::Arc,
    time::Duration,
};

type Payload = Option<Arc<[u8]>>;

const VALUE_BYTES: usize = 100;
const NAME_BYTES: u64 = 20;
const PAGE_BYTES: u64 = 4096;
const GIB: u64 = 1 << 30;
const HOUR: Duration = Duration::from_hours(1);

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let numbers: Vec<u64> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    match (args.first().map(String::as_str), &*numbers) {
        (Some("bytes"), &[entries]) => measure_bytes(entries),
        (Some("hits"), &[entries, hits]) => measure_hits(entries, hits, &clock(&args)),
        (Some("misses"), &[entries, misses]) => measure_misses(entries, misses, &clock(&args)),
        (Some("trace"), sizes) if !sizes.is_empty() => {
            let ids = match args.iter().any(|arg| arg == "be32") {
                true => big_endian_ids(),
                false => decimal_ids(),
            };
            for &size in sizes {
                replay(&ids, size);
            }
        }
        _ => {
            println!("near bytes N | near hits N HITS | near misses N MISSES | near trace SIZE...");
        }
    }
}

/// Returns the machine's clock, or one that stands still with the argument `untimed`: Valgrind does
/// not support the former.
fn clock(args: &[String]) -> Clock {
    let untimed = args.iter().any(|arg| arg == "untimed");
    if untimed { Clock::manual() } else { Clock::System }
}

/// Measures the memory per entry beyond its name of 20 bytes and its value of 100 bytes.
fn measure_bytes(entries: u64) {
    let tiers = tiers(4 * GIB, 0, Policy::default());
    let names: Vec<String> = (0..entries).map(name).collect();
    let before = resident_bytes();
    let report = |when| {
        let counts = tiers.engine().counts().near;
        let per_entry =
            |bytes: u64| (bytes / counts.items).saturating_sub(NAME_BYTES + VALUE_BYTES as u64);
        let grown = resident_bytes().saturating_sub(before);
        let (taken, counted) = (per_entry(grown), per_entry(counts.bytes));
        println!(
            "{when}: {} entries, overhead of {taken} bytes per entry, {counted} counted",
            counts.items
        );
    };
    let fetch_all = |names: &[String]| names.iter().for_each(|name| assert!(!fetch(&tiers, name)));
    fetch_all(&names);
    report("new");
    for _ in 0..2 {
        for name in &names {
            tiers.engine().on_invalidation(name.as_bytes());
            assert!(!fetch(&tiers, name));
        }
    }
    report("after two overwrites");
    let half = || names.iter().step_by(2);
    half().for_each(|name| tiers.engine().on_invalidation(name.as_bytes()));
    half().for_each(|name| assert!(!fetch(&tiers, name)));
    report("after half was deleted and refilled");
}

fn measure_hits(entries: u64, hits: u64, clock: &Clock) {
    let tiers = tiers(4 * GIB, 0, Policy::default());
    let names: Vec<String> = (0..entries).map(name).collect();
    for name in &names {
        assert!(!fetch(&tiers, name));
    }
    let view = tiers.engine().feed().read_view(tiers.engine().clock().now()).unwrap();
    let mut reader = tiers.engine().reader(view);
    let mut output = Vec::with_capacity(1 << 16);
    let (mut at, mut found, start) = (0, 0, clock.now());
    for _ in 0..hits {
        // A large odd step, so that consecutive hits share no cache line.
        at = (at + 7_368_787) % names.len();
        let copy = |cached: CachedRef<'_, Payload>, _| match cached {
            CachedRef::Bytes(bytes) => output.extend_from_slice(bytes),
            CachedRef::Value(_) => (),
        };
        let name = names.get(at).unwrap().as_bytes();
        found += u64::from(reader.get(Key::plain(name, 0), copy).is_some());
        if output.len() > 1 << 14 {
            black_box(&mut output).clear();
        }
    }
    let nanos = clock.now().since(start).as_nanos();
    println!("{entries} names: {:.1} ns per hit, {found} found", nanos as f64 / hits as f64);
}

fn measure_misses(entries: u64, misses: u64, clock: &Clock) {
    let near = NearConfig {
        bytes_max: 4 * GIB,
        entries_max: entries,
        value_bytes_max: 1 << 20,
        policy: Policy::default(),
    };
    let tiers = tiers_on(near, clock.clone());
    let mut name = *b"00000000000000000000";
    let mut fetch_next = || {
        count_up(&mut name);
        fetch(&tiers, str::from_utf8(&name).unwrap())
    };
    (0..entries).for_each(|_| assert!(!fetch_next()));
    let start = clock.now();
    (0..misses).for_each(|_| assert!(!fetch_next()));
    let nanos = clock.now().since(start).as_nanos();
    println!("{entries} names: {:.1} ns per miss", nanos as f64 / misses as f64);
}

fn count_up(digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
}

/// Replays a trace on the near cache, which is filled on every miss.
fn replay(ids: &[u64], size: u64) {
    let tiers = tiers(GIB, size, Policy::default());
    let hits = ids.iter().filter(|id| fetch(&tiers, &name(**id))).count();
    println!("{size:>6} entries: {:.4}", hits as f64 / ids.len() as f64);
}

fn decimal_ids() -> Vec<u64> {
    stdin().lock().lines().filter_map(|line| line.unwrap().trim().parse().ok()).collect()
}

fn big_endian_ids() -> Vec<u64> {
    let mut bytes = Vec::new();
    stdin().lock().read_to_end(&mut bytes).unwrap();
    bytes.as_chunks().0.iter().map(|id| u32::from_be_bytes(*id).into()).collect()
}

fn name(id: u64) -> String {
    format!("{id:020}")
}

/// Creates tiers whose cache has one shard if its entries are bounded, so that only the policy
/// affects the result.
fn tiers(bytes_max: u64, entries_max: u64, policy: Policy) -> Tiers<Payload, Generated> {
    let value_bytes_max = if entries_max == 0 { 1 << 20 } else { bytes_max / 2 };
    let near = NearConfig {
        bytes_max,
        entries_max,
        value_bytes_max: usize::try_from(value_bytes_max).unwrap(),
        policy,
    };
    tiers_on(near, Clock::manual())
}

fn tiers_on(near: NearConfig, clock: Clock) -> Tiers<Payload, Generated> {
    let config =
        EngineConfig { near, near_ttl: HOUR, staleness_bound: HOUR, keys: KeyFilter::default() };
    let engine = Engine::new(&config, clock);
    let epoch = engine.begin_epoch();
    engine.feed().always_fresh(epoch);
    Tiers::new(engine, Generated)
}

/// Fetches a name. Returns whether it was cached; it is afterwards.
fn fetch(tiers: &Tiers<Payload, Generated>, name: &str) -> bool {
    let Ok(fetched) = tiers.start(Key::plain(name.as_bytes(), 0)).into_answer() else {
        panic!("the store replies immediately");
    };
    matches!(fetched.found, Found::Near(_))
}

/// Returns the resident memory of this process.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * PAGE_BYTES
}

/// A store with the same value for every name.
struct Generated;

impl ReadStore<Payload> for Generated {
    fn fill(&self, fill: Fill<'_, Payload>) -> FillOutcome<Payload> {
        // 100 bytes as Redis frames them.
        let value = [b'.'; VALUE_BYTES + 8];
        fill.complete(Some(value.as_slice().into()), Ttl::Forever)
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    async fn read(&self, _: Key<'_>) -> Result<Payload, StoreError> {
        Err(StoreError::Unreachable("only fills are supported".into()))
    }
}
