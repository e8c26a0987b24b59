//! The promises of the engine over a model of Redis whose every step the test takes: in scripts for
//! each rule ([`rules`], [`loads`]), and in random order (here).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop where it fails"
)]
#![allow(clippy::indexing_slicing, reason = "a test may stop where it fails")]

mod loads;
#[path = "../support/origin.rs"]
#[allow(dead_code, reason = "each test uses the steps that it needs")]
mod origin;
#[path = "../support/redis.rs"]
#[allow(dead_code, reason = "each test uses the steps that it needs")]
mod redis;
mod rules;
#[path = "../support/server.rs"]
mod server;
mod world;

use proptest::prelude::*;
use server::{Command, KeyId};
use std::time::Duration;
use world::{World, id};

/// What may happen next. A number chooses a key, or one of those that wait.
#[derive(Clone, Copy, Debug)]
enum Op {
    Fetch(usize),
    Load(usize),
    Bypass(usize),
    DropReader(usize),
    Put(usize, Option<Duration>),
    Delete(usize),
    RowChangesAndDelete(usize),
    OtherSets(usize, Option<Duration>),
    OtherDeletes(usize),
    OtherExpires(usize, Duration),
    OtherFlushes,
    RowChanges(usize, bool),
    OriginAnswers(usize),
    Execute,
    Receive,
    RunCall(usize),
    AnswerCall(usize),
    Beat,
    Tick(Duration),
    Cut(usize),
    Connect,
    ExecuteAndReceiveAll,
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    let at = || 0..3_usize;
    let life = || (1..400_u64).prop_map(|tenths| Duration::from_micros(tenths * 100));
    prop_oneof![
        16 => at().prop_map(Op::Fetch),
        10 => at().prop_map(Op::Load),
        2 => at().prop_map(Op::Bypass),
        1 => at().prop_map(Op::DropReader),
        4 => (at(), proptest::option::of(life())).prop_map(|(at, ttl)| Op::Put(at, ttl)),
        2 => at().prop_map(Op::Delete),
        3 => at().prop_map(Op::RowChangesAndDelete),
        8 => (at(), proptest::option::of(life())).prop_map(|(at, ttl)| Op::OtherSets(at, ttl)),
        2 => at().prop_map(Op::OtherDeletes),
        2 => (at(), life()).prop_map(|(at, ttl)| Op::OtherExpires(at, ttl)),
        1 => Just(Op::OtherFlushes),
        2 => (at(), any::<bool>()).prop_map(|(at, there)| Op::RowChanges(at, there)),
        6 => at().prop_map(Op::OriginAnswers),
        16 => Just(Op::Execute),
        16 => Just(Op::Receive),
        6 => at().prop_map(Op::RunCall),
        6 => at().prop_map(Op::AnswerCall),
        5 => Just(Op::Beat),
        3 => (0..100_u64).prop_map(|tenths| Op::Tick(Duration::from_micros(tenths * 100))),
        1 => (0..4_usize).prop_map(Op::Cut),
        2 => Just(Op::Connect),
        4 => Just(Op::ExecuteAndReceiveAll),
        1 => Just(Op::Sweep),
    ]
}

/// The same name in two databases, and another name.
fn key_ids() -> [KeyId; 3] {
    [(0, b"a".to_vec()), (1, b"a".to_vec()), (0, b"b".to_vec())]
}

fn step(world: &mut World, key_ids: &[KeyId; 3], op: Op, number: usize) {
    let value = format!("value {number}");
    match op {
        Op::Fetch(at) => drop(world.fetch(&key_ids[at])),
        Op::Load(at) => drop(world.load(&key_ids[at])),
        Op::DropReader(at) => world.leave(at),
        Op::Bypass(at) => drop(world.bypass(&key_ids[at])),
        Op::Put(at, ttl) => world.put(&key_ids[at], &value, ttl),
        Op::Delete(at) => world.delete(&key_ids[at]),
        Op::RowChangesAndDelete(at) => {
            world.rows.change(&id(&key_ids[at]), true);
            world.delete(&key_ids[at]);
        }
        Op::OtherSets(at, ttl) => world.other_sets(&key_ids[at], &value, ttl),
        Op::OtherDeletes(at) => world.other(&Command::Delete(key_ids[at].clone())),
        Op::OtherExpires(at, ttl) => {
            world.other(&Command::Expire { key_id: key_ids[at].clone(), ttl });
        }
        Op::OtherFlushes => world.other(&Command::FlushAll),
        Op::RowChanges(at, there) => drop(world.rows.change(&id(&key_ids[at]), there)),
        Op::OriginAnswers(at) => drop(world.origin_answers(at)),
        Op::Execute => drop(world.execute()),
        Op::Receive => drop(world.receive()),
        Op::RunCall(at) => world.run_call(at),
        Op::AnswerCall(at) => drop(world.answer_call(at)),
        Op::Beat => world.beat(),
        Op::Tick(span) => world.tick(span),
        Op::Cut(executed) => world.cut(executed),
        Op::Connect => world.connect(),
        Op::ExecuteAndReceiveAll => world.execute_and_receive_all(),
        Op::Sweep => world.engine().sweep(usize::MAX),
    }
    for key_id in key_ids {
        world.get(key_id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_promise_holds_in_any_order_of_events(ops in prop::collection::vec(op(), 1..150)) {
        let (key_ids, mut world) = (key_ids(), World::fresh());
        for (number, op) in ops.into_iter().enumerate() {
            step(&mut world, &key_ids, op, number);
        }
        world.settle(&key_ids);
    }
}
