//! Transactions on the memory store: random ones against a plain model, and single properties.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it fails")]
#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test may stop where it fails")]

use larder_core::{
    Clock, MemoryStore, StoreError,
    memory_store::{Change, Entry, Expiry, Journal, OutOfMemory, Txn, Watch},
};
use proptest::{prelude::*, sample::select};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What an entry counts for beside its name and its payload, at least.
const ENTRY_BYTES_MIN: u64 = 64;
const KEYSPACES: [u32; 2] = [0, 1];
const NAMES: [&[u8]; 4] = [b"a", b"b", b"c", b"a longer name"];

fn store(bytes_max: u64) -> (MemoryStore, Clock) {
    let clock = Clock::manual();
    (MemoryStore::new(clock.clone(), bytes_max), clock)
}

/// Runs a function in a transaction and commits it.
fn commit<R>(store: &MemoryStore, run: impl FnOnce(&mut Txn<'_>) -> R) -> R {
    let mut txn = store.begin();
    let result = run(&mut txn);
    txn.commit().unwrap();
    result
}

fn set(store: &MemoryStore, name: &[u8], payload: &[u8]) {
    commit(store, |txn| txn.set(0, name, payload, Expiry::Never).unwrap());
}

fn flush_all(store: &MemoryStore) {
    let mut txn = store.begin();
    txn.flush_all();
    txn.commit().unwrap();
}

fn names(txn: &Txn<'_>, keyspace: u32) -> BTreeSet<Vec<u8>> {
    txn.names(keyspace).map(<[u8]>::to_vec).collect()
}

/// One step of a transaction.
#[derive(Clone, Debug)]
enum Op {
    Set(u32, Name, usize, Span),
    WriteAt(u32, Name, usize, usize),
    SetExpiry(u32, Name, Span),
    Remove(u32, Name),
    Rename(u32, Name, u32, Name),
    Flush(u32),
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Op>),
    Drop(Vec<Op>),
    /// Time passes.
    Pass(u64),
    RemoveExpired(usize),
}

type Name = &'static [u8];

/// When a key expires, from now on.
#[derive(Clone, Copy, Debug)]
enum Span {
    Never,
    Keep,
    Millis(i64),
}

impl Span {
    fn expiry(self, now: i64) -> Expiry {
        match self {
            Self::Never => Expiry::Never,
            Self::Keep => Expiry::Keep,
            Self::Millis(millis) => Expiry::At(now + millis),
        }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let keyspace = || select(KEYSPACES.to_vec());
    let name = || select(NAMES.to_vec());
    let span =
        || prop_oneof![Just(Span::Never), Just(Span::Keep), (-1..20_i64).prop_map(Span::Millis)];
    // Few lengths, so that payloads are often overwritten in place.
    let len = || prop_oneof![0..300_usize, select(vec![10, 20])];
    prop_oneof![
        6 => (keyspace(), name(), len(), span()).prop_map(|(k, n, len, s)| Op::Set(k, n, len, s)),
        3 => (keyspace(), name(), 0..200_usize, 0..100_usize)
            .prop_map(|(k, n, start, len)| Op::WriteAt(k, n, start, len)),
        2 => (keyspace(), name(), span()).prop_map(|(k, n, s)| Op::SetExpiry(k, n, s)),
        2 => (keyspace(), name()).prop_map(|(k, n)| Op::Remove(k, n)),
        2 => (keyspace(), name(), keyspace(), name())
            .prop_map(|(k, n, l, m)| Op::Rename(k, n, l, m)),
        1 => keyspace().prop_map(Op::Flush),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let ops = || prop::collection::vec(op(), 0..6);
    prop_oneof![
        5 => ops().prop_map(Step::Commit),
        5 => ops().prop_map(Step::Drop),
        2 => (0..10_u64).prop_map(Step::Pass),
        1 => (0..6_usize).prop_map(Step::RemoveExpired),
    ]
}

/// The same without a bound: payloads and deadlines. Expired keys are not removed.
#[derive(Clone, Default)]
struct Model(BTreeMap<(u32, Name), (Vec<u8>, Option<i64>)>);

impl Model {
    fn get(&self, keyspace: u32, name: Name, now: i64) -> Option<&(Vec<u8>, Option<i64>)> {
        let is_live = |deadline: &Option<i64>| deadline.is_none_or(|deadline| deadline > now);
        self.0.get(&(keyspace, name)).filter(|(_, deadline)| is_live(deadline))
    }

    fn deadline(&self, keyspace: u32, name: Name, span: Span, now: i64) -> Option<i64> {
        match span {
            Span::Never => None,
            Span::Keep => self.get(keyspace, name, now).and_then(|(_, deadline)| *deadline),
            Span::Millis(millis) => Some(now + millis),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..Default::default() })]

    #[test]
    fn transactions_do_what_the_model_does(steps in prop::collection::vec(step(), 1..40)) {
        const BYTES_MAX: u64 = 1500;
        let (store, clock) = store(BYTES_MAX);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Pass(millis) => clock.advance(Duration::from_millis(millis)),
                Step::RemoveExpired(visits) => { store.remove_expired(visits); }
                Step::Commit(ops) => {
                    let mut txn = store.begin();
                    let before = model.clone();
                    for (number, op) in ops.iter().enumerate() {
                        apply(op, number, &mut txn, &mut model)?;
                    }
                    names_every_change(&txn, &before, &model)?;
                    txn.commit().unwrap();
                }
                Step::Drop(ops) => drop_leaves_no_trace(&store, &ops, &model)?,
            }
            agree(&store.begin(), &model)?;
            prop_assert!(store.begin().bytes() <= BYTES_MAX);
        }
        flush_all(&store);
        prop_assert_eq!(store.begin().bytes(), 0);
    }
}

/// Applies an operation to both. Where the store has no room, it is applied to neither.
fn apply(
    op: &Op,
    number: usize,
    txn: &mut Txn<'_>,
    model: &mut Model,
) -> Result<(), TestCaseError> {
    let now = txn.now();
    let before = txn.bytes();
    let byte = u8::try_from(number).unwrap() + 1;
    let full = match *op {
        Op::Set(keyspace, name, len, span) => {
            let deadline = model.deadline(keyspace, name, span, now);
            let done = txn.set(keyspace, name, &vec![byte; len], span.expiry(now));
            if done.is_ok() {
                model.0.insert((keyspace, name), (vec![byte; len], deadline));
            }
            done.err()
        }
        Op::WriteAt(keyspace, name, start, len) => {
            let (mut payload, deadline) =
                model.get(keyspace, name, now).cloned().unwrap_or_default();
            match txn.write_at(keyspace, name, start, &vec![byte; len]) {
                Ok(len_after) => {
                    payload.resize(payload.len().max(start + len), 0);
                    payload[start..start + len].fill(byte);
                    prop_assert_eq!(len_after, payload.len());
                    model.0.insert((keyspace, name), (payload, deadline));
                    None
                }
                Err(full) => Some(full),
            }
        }
        Op::SetExpiry(keyspace, name, span) => {
            let deadline = model.deadline(keyspace, name, span, now);
            let exists = model.get(keyspace, name, now).is_some();
            prop_assert_eq!(txn.set_expiry(keyspace, name, span.expiry(now)), exists);
            if let Some(entry) = model.0.get_mut(&(keyspace, name)).filter(|_| exists) {
                entry.1 = deadline;
            }
            None
        }
        Op::Remove(keyspace, name) => {
            let exists = model.get(keyspace, name, now).is_some();
            prop_assert_eq!(txn.remove(keyspace, name), exists);
            model.0.remove(&(keyspace, name));
            None
        }
        Op::Rename(keyspace, name, to, new) => match txn.rename((keyspace, name), (to, new)) {
            Ok(done) => {
                let entry = model.get(keyspace, name, now).cloned();
                prop_assert_eq!(done, entry.is_some());
                if let Some(entry) = entry {
                    model.0.remove(&(keyspace, name));
                    model.0.insert((to, new), entry);
                }
                None
            }
            Err(full) => Some(full),
        },
        Op::Flush(keyspace) => {
            txn.flush(keyspace);
            model.0.retain(|(of, _), _| *of != keyspace);
            None
        }
    };
    // What was refused left no trace, but for an expired key that was in the way.
    prop_assert!(full != Some(OutOfMemory) || txn.bytes() <= before);
    Ok(())
}

/// Checks that every key which differs between the two is among the changes.
fn names_every_change(txn: &Txn<'_>, before: &Model, after: &Model) -> Result<(), TestCaseError> {
    let changes: Vec<Change<'_>> = txn.changes().collect();
    for keyspace in KEYSPACES {
        for name in NAMES {
            let is_same =
                before.get(keyspace, name, txn.now()) == after.get(keyspace, name, txn.now());
            let is_named = changes.contains(&Change::Key { keyspace, name })
                || changes.contains(&Change::Flush { keyspace });
            prop_assert!(is_same || is_named, "{} {:?}", keyspace, name);
        }
    }
    Ok(())
}

/// Drops a transaction, and checks that the store is what it was: entries, their order, their bytes,
/// and the counts of watched keys.
fn drop_leaves_no_trace(
    store: &MemoryStore,
    ops: &[Op],
    model: &Model,
) -> Result<(), TestCaseError> {
    let every_key = || KEYSPACES.into_iter().flat_map(|k| NAMES.map(|name| (k, name)));
    let mut txn = store.begin();
    let watches: Vec<Watch> = every_key().map(|(k, name)| txn.watch(k, name)).collect();
    let before = snapshot(&txn);
    drop(txn);

    let mut txn = store.begin();
    let mut scratch = model.clone();
    for (number, op) in ops.iter().enumerate() {
        apply(op, number, &mut txn, &mut scratch)?;
    }
    drop(txn);

    let mut txn = store.begin();
    prop_assert_eq!(snapshot(&txn), before);
    prop_assert_eq!(txn.changes().count(), 0);
    for watch in &watches {
        prop_assert!(!txn.is_changed(watch));
        txn.unwatch(watch);
    }
    Ok(())
}

type Snapshot = (u64, Vec<(u32, Vec<u8>, Vec<u8>, Option<i64>)>);

fn snapshot(txn: &Txn<'_>) -> Snapshot {
    let of_keyspace = |keyspace| {
        txn.names(keyspace).map(move |name| {
            let entry = txn.get(keyspace, name).unwrap();
            (keyspace, name.to_vec(), entry.payload.to_vec(), entry.expires)
        })
    };
    (txn.bytes(), KEYSPACES.into_iter().flat_map(of_keyspace).collect())
}

fn agree(txn: &Txn<'_>, model: &Model) -> Result<(), TestCaseError> {
    let now = txn.now();
    let mut bytes = 0;
    for keyspace in KEYSPACES {
        let mut expected = BTreeSet::new();
        for &(of, name) in model.0.keys().filter(|(of, _)| *of == keyspace) {
            let entry = model.get(of, name, now);
            let entry = entry.map(|(payload, expires)| Entry { payload, expires: *expires });
            prop_assert_eq!(txn.get(of, name), entry);
            if let Some(Entry { payload, .. }) = entry {
                expected.insert(name.to_vec());
                bytes += (name.len() + payload.len()) as u64 + ENTRY_BYTES_MIN;
            }
        }
        prop_assert!(txn.len(keyspace) >= expected.len());
        prop_assert_eq!(txn.random(keyspace).is_some(), !expected.is_empty());
        prop_assert_eq!(names(txn, keyspace), expected);
        let size = txn.sizes().into_iter().find(|size| size.keyspace == keyspace);
        prop_assert_eq!(size.map_or(0, |size| size.keys), txn.len(keyspace));
        prop_assert!(size.is_none_or(|size| size.volatile <= size.keys));
    }
    prop_assert!(txn.bytes() >= bytes, "{} for at least {bytes}", txn.bytes());
    Ok(())
}

/// A journal that records the names of the changed keys, or fails.
#[derive(Clone, Default)]
struct TestJournal(Arc<Mutex<JournalState>>);

#[derive(Default)]
struct JournalState {
    fails: bool,
    appended: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Journal for TestJournal {
    fn append(&self, txn: &Txn<'_>) -> Result<(), StoreError> {
        let mut state = self.0.lock().unwrap();
        if state.fails {
            return Err(StoreError::NotDurable("no space left on device".into()));
        }
        for change in txn.changes() {
            let Change::Key { keyspace, name } = change else { continue };
            let payload = txn.get(keyspace, name).map(|entry| entry.payload.to_vec());
            state.appended.push((name.to_vec(), payload));
        }
        Ok(())
    }
}

#[test]
fn a_commit_appends_what_the_changed_keys_hold_to_the_journal() {
    let journal = TestJournal::default();
    let (store, _) = store(1 << 20);
    let store = store.with_journal(Box::new(journal.clone()));
    commit(&store, |txn| {
        txn.set(0, b"a", b"1", Expiry::Never).unwrap();
        txn.set(0, b"b", b"2", Expiry::Never).unwrap();
        txn.remove(0, b"a");
    });
    store.begin().set(0, b"dropped", b"1", Expiry::Never).unwrap();
    assert!(commit(&store, |txn| txn.contains(0, b"b")));
    let appended = journal.0.lock().unwrap().appended.clone();
    let (a, b) = ((b"a".to_vec(), None), (b"b".to_vec(), Some(b"2".to_vec())));
    assert_eq!(appended, [a.clone(), b, a]);
}

#[test]
fn a_commit_whose_journal_fails_is_rolled_back() {
    let journal = TestJournal::default();
    let (store, _) = store(1 << 20);
    let store = store.with_journal(Box::new(journal.clone()));
    set(&store, b"a", b"1");
    journal.0.lock().unwrap().fails = true;
    let mut txn = store.begin();
    txn.set(0, b"a", b"2", Expiry::Never).unwrap();
    txn.set(0, b"b", b"2", Expiry::Never).unwrap();
    assert!(matches!(txn.commit(), Err(StoreError::NotDurable(_))));
    let txn = store.begin();
    assert_eq!(txn.get(0, b"a").map(|entry| entry.payload), Some(&b"1"[..]));
    assert!(!txn.contains(0, b"b"));
    txn.commit().expect("nothing was changed, so nothing is appended");
}

#[test]
fn a_panic_rolls_the_transaction_back() {
    let (store, _) = store(1 << 20);
    set(&store, b"a", b"1");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut txn = store.begin();
        txn.remove(0, b"a");
        panic!("as a command might");
    }));
    assert!(panicked.is_err() && store.begin().contains(0, b"a"));
}

#[test]
fn a_rolled_back_keyspace_flush_keeps_large_values_and_watches() {
    let (store, _) = store(64 << 20);
    set(&store, b"large", &vec![b'x'; 2 << 20]);
    let watch = store.begin().watch(0, b"large");
    let bytes = store.begin().bytes();
    let mut txn = store.begin();
    txn.flush_all();
    txn.set(0, b"large", b"", Expiry::Never).unwrap();
    assert!(txn.is_changed(&watch));
    drop(txn);
    let mut txn = store.begin();
    assert_eq!(txn.get(0, b"large").map(|entry| entry.payload.len()), Some(2 << 20));
    assert!(txn.bytes() == bytes && !txn.is_changed(&watch));
    txn.unwatch(&watch);
}

#[test]
fn a_watch_from_a_rolled_back_transaction_notices_the_next_change() {
    let (store, _) = store(1 << 20);
    set(&store, b"k", b"1");
    let earlier = store.begin().watch(0, b"k");
    let mut txn = store.begin();
    txn.set(0, b"k", b"2", Expiry::Never).unwrap();
    let watch = txn.watch(0, b"k");
    drop(txn);
    set(&store, b"k", b"3");
    let mut txn = store.begin();
    assert!(txn.is_changed(&earlier) && txn.is_changed(&watch));
    txn.unwatch(&earlier);
    txn.unwatch(&watch);
}

#[test]
fn a_scan_meets_every_key_that_stays_while_others_come_and_go() {
    let (store, _) = store(1 << 20);
    let stays = |n: usize| format!("stays {n}").into_bytes();
    let goes = |n: usize| format!("goes {n}").into_bytes();
    for seed in 0..20_usize {
        flush_all(&store);
        for n in 0..50 {
            set(&store, &goes(n), b"");
            set(&store, &stays(n), b"");
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
            // A transaction that is rolled back moves no key.
            let mut txn = store.begin();
            assert!((0..50).all(|n| txn.remove(0, &stays(n))));
            drop(txn);
            commit(&store, |txn| txn.remove(0, &goes((step * 7 + seed) % 50)));
            commit(&store, |txn| txn.remove(0, &goes((step * 11 + seed * 3) % 50)));
            if step % 2 == seed % 2 {
                set(&store, format!("comes {step}").as_bytes(), b"");
            }
        }
        assert!((0..50).all(|n| met.contains(&stays(n))), "{seed}");
    }
}

#[test]
fn removing_most_keys_frees_memory_and_keeps_the_rest() {
    let (store, clock) = store(1 << 30);
    let mut txn = store.begin();
    for n in 0..20_000_u32 {
        let expiry = if n % 100 == 0 { Expiry::Never } else { Expiry::At(txn.now() + 1) };
        txn.set(0, &n.to_be_bytes(), b"x", expiry).unwrap();
    }
    assert_eq!((txn.sizes()[0].keys, txn.sizes()[0].volatile), (20_000, 19_800));
    txn.commit().unwrap();
    clock.advance(Duration::from_millis(1));
    assert_eq!(store.remove_expired(usize::MAX), 19_800);
    let txn = store.begin();
    assert!((0..200_u32).all(|n| txn.contains(0, &(n * 100).to_be_bytes())));
    assert_eq!((txn.len(0), txn.sizes()[0].volatile), (200, 0));
}

#[test]
fn removing_expired_keys_in_slices_visits_every_key() {
    let (store, clock) = store(1 << 20);
    for n in 0..100_u32 {
        let mut txn = store.begin();
        let expiry = if n % 3 == 0 { Expiry::Never } else { Expiry::At(txn.now() + 1) };
        txn.set(n % 2, &n.to_be_bytes(), b"x", expiry).unwrap();
        txn.commit().unwrap();
    }
    clock.advance(Duration::from_millis(1));
    let removed: usize = (0..30).map(|_| store.remove_expired(7)).sum();
    assert_eq!((removed, store.len()), (66, 34));
}

type Run = fn(&mut Txn<'_>);

#[test]
fn a_watch_notices_changes_and_ignores_reads() {
    let (store, clock) = store(1 << 20);
    commit(&store, |txn| {
        txn.set(0, b"there", b"1", Expiry::Never).unwrap();
        txn.set(0, b"soon gone", b"1", Expiry::At(txn.now() + 5)).unwrap();
    });
    let changes: [(&[u8], bool, Run); 13] = [
        (b"there", false, |txn| assert!(txn.contains(0, b"there"))),
        (b"there", false, |txn| txn.set(1, b"there", b"2", Expiry::Never).unwrap()),
        (b"there", false, |txn| txn.set(0, b"other", b"2", Expiry::Never).unwrap()),
        (b"there", false, |txn| txn.flush(1)),
        (b"absent", false, |txn| assert!(!txn.remove(0, b"absent"))),
        (b"absent", false, |txn| assert!(!txn.set_expiry(0, b"absent", Expiry::Never))),
        (b"there", true, |txn| txn.set(0, b"there", b"1", Expiry::Never).unwrap()),
        (b"there", true, |txn| assert!(txn.set_expiry(0, b"there", Expiry::Never))),
        (b"there", true, |txn| assert_eq!(txn.write_at(0, b"there", 0, b"xxxxx"), Ok(5))),
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
        commit(&store, change);
        assert_eq!(store.begin().is_changed(&watch), changed, "change {number}");
        store.begin().unwatch(&watch);
    }
    let mut txn = store.begin();
    txn.set(0, b"soon gone", b"1", Expiry::At(txn.now() + 5)).unwrap();
    let (soon_gone, absent) = (txn.watch(0, b"soon gone"), txn.watch(0, b"absent"));
    txn.commit().unwrap();
    clock.advance(Duration::from_millis(5));
    store.remove_expired(usize::MAX);
    let txn = store.begin();
    assert!(txn.is_changed(&soon_gone) && !txn.is_changed(&absent), "expiry is a change");
}
