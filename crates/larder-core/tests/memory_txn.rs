//! Transactions on the map: random ones against a plain model, and what each owes.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use larder_core::{
    Clock, MemoryStore,
    memory_store::{Entry, Expiry, OutOfMemory, Txn},
};
use proptest::{prelude::*, sample::select};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What one entry counts for beside its name and its payload, at least.
const ENTRY_BYTES_MIN: u64 = 64;

fn store(bytes_max: u64) -> (MemoryStore, Clock) {
    let clock = Clock::manual();
    (MemoryStore::new(clock.clone(), bytes_max), clock)
}

fn names(txn: &Txn<'_>, db: u32) -> BTreeSet<Vec<u8>> {
    txn.names(db).map(<[u8]>::to_vec).collect()
}

#[derive(Clone, Debug)]
enum Op {
    Set(u32, Name, usize, Span),
    Grow(u32, Name, usize),
    Live(u32, Name, Span),
    Remove(u32, Name),
    Rename(u32, Name, u32, Name),
    Flush(u32),
    Pass(u64),
    Purge(usize),
}

type Name = &'static [u8];

/// Until when a key lives, from now on.
#[derive(Clone, Copy, Debug)]
enum Span {
    Forever,
    Kept,
    Millis(i64),
}

impl Span {
    fn life(self, now: i64) -> Expiry {
        match self {
            Self::Forever => Expiry::Never,
            Self::Kept => Expiry::Keep,
            Self::Millis(millis) => Expiry::At(now + millis),
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let db = || 0..2_u32;
    let name = || select(vec![&b"a"[..], b"b", b"c", b"a longer name"]);
    let span =
        || prop_oneof![Just(Span::Forever), Just(Span::Kept), (-1..20_i64).prop_map(Span::Millis)];
    prop_oneof![
        4 => (db(), name(), 0..300_usize, span()).prop_map(|(d, n, len, s)| Op::Set(d, n, len, s)),
        2 => (db(), name(), 0..300_usize).prop_map(|(d, n, len)| Op::Grow(d, n, len)),
        2 => (db(), name(), span()).prop_map(|(d, n, s)| Op::Live(d, n, s)),
        2 => (db(), name()).prop_map(|(d, n)| Op::Remove(d, n)),
        2 => (db(), name(), db(), name()).prop_map(|(d, n, e, m)| Op::Rename(d, n, e, m)),
        1 => db().prop_map(Op::Flush),
        2 => (0..10_u64).prop_map(Op::Pass),
        1 => (0..6_usize).prop_map(Op::Purge),
    ]
}

/// The same without a bound: payloads and deadlines, which do not go away by themselves.
#[derive(Default)]
struct Model(BTreeMap<(u32, Name), (Vec<u8>, Option<i64>)>);

impl Model {
    fn get(&self, db: u32, name: Name, now: i64) -> Option<&(Vec<u8>, Option<i64>)> {
        let alive = |deadline: &Option<i64>| deadline.is_none_or(|deadline| deadline > now);
        self.0.get(&(db, name)).filter(|(_, deadline)| alive(deadline))
    }

    fn deadline(&self, db: u32, name: Name, span: Span, now: i64) -> Option<i64> {
        match span {
            Span::Forever => None,
            Span::Kept => self.get(db, name, now).and_then(|(_, deadline)| *deadline),
            Span::Millis(millis) => Some(now + millis),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..Default::default() })]

    #[test]
    fn what_is_done_is_what_was_meant(ops in prop::collection::vec(op(), 1..60)) {
        const BYTES_MAX: u64 = 1500;
        let (store, clock) = store(BYTES_MAX);
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Pass(millis) => clock.advance(Duration::from_millis(millis)),
                Op::Purge(visits) => { store.remove_expired(visits); }
                op => apply(&op, &mut store.begin(), &mut model)?,
            }
            agree(&store.begin(), &model)?;
            prop_assert!(store.begin().bytes() <= BYTES_MAX);
        }
        let mut txn = store.begin();
        txn.flush_all();
        prop_assert_eq!(txn.bytes(), 0);
    }
}

/// Does the same to both; what there is no room for is done to neither.
fn apply(op: &Op, txn: &mut Txn<'_>, model: &mut Model) -> Result<(), TestCaseError> {
    let now = txn.now();
    let before = txn.bytes();
    let full = match *op {
        Op::Set(db, name, len, span) => {
            let deadline = model.deadline(db, name, span, now);
            let done = txn.set(db, name, &vec![7; len], span.life(now));
            if done.is_ok() {
                model.0.insert((db, name), (vec![7; len], deadline));
            }
            done.err()
        }
        Op::Grow(db, name, len) => {
            let (mut payload, deadline) = model.get(db, name, now).cloned().unwrap_or_default();
            match txn.grow(db, name, len) {
                Ok(grown) => {
                    payload.resize(payload.len().max(len), 0);
                    prop_assert_eq!(&*grown, &*payload);
                    model.0.insert((db, name), (payload, deadline));
                    None
                }
                Err(full) => Some(full),
            }
        }
        Op::Live(db, name, span) => {
            let deadline = model.deadline(db, name, span, now);
            let is_there = model.get(db, name, now).is_some();
            prop_assert_eq!(txn.set_expiry(db, name, span.life(now)), is_there);
            if let Some(entry) = model.0.get_mut(&(db, name)).filter(|_| is_there) {
                entry.1 = deadline;
            }
            None
        }
        Op::Remove(db, name) => {
            prop_assert_eq!(txn.remove(db, name), model.get(db, name, now).is_some());
            model.0.remove(&(db, name));
            None
        }
        Op::Rename(db, name, to, new) => match txn.rename((db, name), (to, new)) {
            Ok(done) => {
                let entry = model.get(db, name, now).cloned();
                prop_assert_eq!(done, entry.is_some());
                if let Some(entry) = entry {
                    model.0.remove(&(db, name));
                    model.0.insert((to, new), entry);
                }
                None
            }
            Err(full) => Some(full),
        },
        Op::Flush(db) => {
            txn.flush(db);
            model.0.retain(|(of, _), _| *of != db);
            None
        }
        Op::Pass(_) | Op::Purge(_) => None,
    };
    // Nothing that was refused left a trace, but for what had expired before.
    prop_assert!(full != Some(OutOfMemory) || txn.bytes() <= before);
    Ok(())
}

fn agree(txn: &Txn<'_>, model: &Model) -> Result<(), TestCaseError> {
    let now = txn.now();
    let mut bytes = 0;
    for db in 0..2 {
        let mut expected = BTreeSet::new();
        for &(of, name) in model.0.keys().filter(|(of, _)| *of == db) {
            let entry = model.get(of, name, now);
            let entry = entry.map(|(payload, expires)| Entry { payload, expires: *expires });
            prop_assert_eq!(txn.get(of, name), entry);
            if let Some(Entry { payload, .. }) = entry {
                expected.insert(name.to_vec());
                bytes += (name.len() + payload.len()) as u64 + ENTRY_BYTES_MIN;
            }
        }
        prop_assert!(txn.len(db) >= expected.len());
        prop_assert_eq!(txn.random(db).is_some(), !expected.is_empty());
        prop_assert_eq!(names(txn, db), expected);
        let size = txn.sizes().into_iter().find(|size| size.db == db);
        prop_assert_eq!(size.map_or(0, |size| size.keys), txn.len(db));
        prop_assert!(size.is_none_or(|size| size.volatile <= size.keys));
    }
    prop_assert!(txn.bytes() >= bytes, "{} for at least {bytes}", txn.bytes());
    Ok(())
}

#[test]
fn a_walk_meets_every_key_that_stays_whatever_goes_and_comes() {
    let (store, _) = store(1 << 20);
    let stays = |n: usize| format!("stays {n}").into_bytes();
    let goes = |n: usize| format!("goes {n}").into_bytes();
    let set = |name: Vec<u8>| store.begin().set(0, &name, b"", Expiry::Never).unwrap();
    for seed in 0..20_usize {
        store.begin().flush_all();
        for n in 0..50 {
            set(goes(n));
            set(stays(n));
        }
        let (mut met, mut cursor, mut step) = (BTreeSet::new(), 0, 0);
        loop {
            let (next, names) = {
                let txn = store.begin();
                let (next, names) = txn.scan(0, cursor, 3);
                (next, names.map(<[u8]>::to_vec).collect::<Vec<_>>())
            };
            met.extend(names);
            cursor = next;
            if cursor == 0 {
                break;
            }
            step += 1;
            store.begin().remove(0, &goes((step * 7 + seed) % 50));
            store.begin().remove(0, &goes((step * 11 + seed * 3) % 50));
            if step % 2 == seed % 2 {
                set(format!("comes {step}").into_bytes());
            }
        }
        assert!((0..50).all(|n| met.contains(&stays(n))), "{seed}");
    }
}

#[test]
fn what_many_keys_took_is_given_back_and_the_rest_is_found() {
    let (store, clock) = store(1 << 30);
    let mut txn = store.begin();
    for n in 0..20_000_u32 {
        let life = if n % 100 == 0 { Expiry::Never } else { Expiry::At(txn.now() + 1) };
        txn.set(0, &n.to_be_bytes(), b"x", life).unwrap();
    }
    assert_eq!((txn.sizes()[0].keys, txn.sizes()[0].volatile), (20_000, 19_800));
    drop(txn);
    clock.advance(Duration::from_millis(1));
    assert_eq!(store.remove_expired(usize::MAX), 19_800);
    let txn = store.begin();
    assert!((0..200_u32).all(|n| txn.contains(0, &(n * 100).to_be_bytes())));
    assert_eq!((txn.len(0), txn.sizes()[0].volatile), (200, 0));
}

#[test]
fn a_purge_in_slices_comes_round_to_every_key() {
    let (store, clock) = store(1 << 20);
    for n in 0..100_u32 {
        let mut txn = store.begin();
        let life = if n % 3 == 0 { Expiry::Never } else { Expiry::At(txn.now() + 1) };
        txn.set(n % 2, &n.to_be_bytes(), b"x", life).unwrap();
    }
    clock.advance(Duration::from_millis(1));
    let purged: usize = (0..30).map(|_| store.remove_expired(7)).sum();
    assert_eq!((purged, store.len()), (66, 34));
}

type Change = fn(&mut Txn<'_>);

#[test]
fn a_watch_tells_a_change_from_a_look() {
    let (store, clock) = store(1 << 20);
    let mut txn = store.begin();
    txn.set(0, b"there", b"1", Expiry::Never).unwrap();
    txn.set(0, b"soon gone", b"1", Expiry::At(txn.now() + 5)).unwrap();
    drop(txn);
    let changes: [(&[u8], bool, Change); 13] = [
        (b"there", false, |txn| assert!(txn.contains(0, b"there"))),
        (b"there", false, |txn| txn.set(1, b"there", b"2", Expiry::Never).unwrap()),
        (b"there", false, |txn| txn.set(0, b"other", b"2", Expiry::Never).unwrap()),
        (b"there", false, |txn| txn.flush(1)),
        (b"absent", false, |txn| assert!(!txn.remove(0, b"absent"))),
        (b"absent", false, |txn| assert!(!txn.set_expiry(0, b"absent", Expiry::Never))),
        (b"there", true, |txn| txn.set(0, b"there", b"1", Expiry::Never).unwrap()),
        (b"there", true, |txn| assert!(txn.set_expiry(0, b"there", Expiry::Never))),
        (b"there", true, |txn| txn.grow(0, b"there", 5).unwrap().fill(b'x')),
        (b"there", true, |txn| assert!(txn.rename((0, b"there"), (0, b"moved")).unwrap())),
        (b"there", true, |txn| assert!(txn.rename((0, b"moved"), (0, b"there")).unwrap())),
        (b"there", true, |txn| txn.flush_all()),
        (b"absent", true, |txn| {
            txn.set(0, b"absent", b"1", Expiry::Never).unwrap();
            assert!(txn.remove(0, b"absent"));
        }),
    ];
    for (number, (name, changed, change)) in changes.into_iter().enumerate() {
        let watch = store.begin().watch(0, name);
        change(&mut store.begin());
        assert_eq!(store.begin().is_changed(&watch), changed, "change {number}");
        store.begin().unwatch(&watch);
    }
    let mut txn = store.begin();
    txn.set(0, b"soon gone", b"1", Expiry::At(txn.now() + 5)).unwrap();
    let (soon_gone, absent) = (txn.watch(0, b"soon gone"), txn.watch(0, b"absent"));
    drop(txn);
    clock.advance(Duration::from_millis(5));
    store.remove_expired(usize::MAX);
    let txn = store.begin();
    assert!(txn.is_changed(&soon_gone) && !txn.is_changed(&absent), "expiry is a change");
}
