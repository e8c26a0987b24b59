//! Scripts for what each rule of coherence forbids.

use crate::{
    server::Command,
    world::{BOUND, NEAR_TTL, VALUE_BYTES_MAX, World, a, cached_by, in_redis, text, value},
};
use larder_core::{Bypass, Found, NotCached};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A world in which `a` is 1 and cached.
fn with_entry() -> World {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!(world.get(&a()), Some(text("1")));
    world
}

#[test]
fn r1_readers_of_one_key_share_a_flight() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    let readers: Vec<_> = (0..200).map(|_| world.fetch(&a())).collect();
    assert_eq!(world.counts().fills_in_flight, 1);
    world.execute_and_receive_all();
    assert!(readers.iter().all(|&reader| value(&world, reader) == text("1")));
    assert_eq!(world.counts().flights_joined, 199);
}

#[test]
fn r1_a_late_reply_to_an_earlier_fill_is_not_cached() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    let first = world.fetch(&a());
    assert!(world.execute() && world.execute(), "the read and its PTTL see 1");
    world.put(&a(), "2", None);
    world.run_and_answer_calls();
    let second = world.fetch(&a());
    assert!(world.receive() && world.receive(), "the first reply arrives late");
    assert_eq!(value(&world, first), text("1"));
    assert_eq!(cached_by(&world, first), Err(NotCached::LeaseInvalidated));
    assert_eq!(world.get(&a()), None);
    assert!(world.is_waiting(second));
    world.execute_and_receive_all();
    assert_eq!(value(&world, second), text("2"));
}

#[test]
fn r1_a_reader_after_a_change_starts_a_new_flight() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    let before = world.fetch(&a());
    assert!(world.execute() && world.execute());
    world.put(&a(), "2", None);
    world.run_and_answer_calls();
    let after = world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!(value(&world, before), text("1"), "the earlier reader keeps its flight");
    assert_eq!(value(&world, after), text("2"));
}

#[test]
fn r2_a_push_removes_the_entry_of_the_reply_before_it() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    let reader = world.fetch(&a());
    assert!(world.execute() && world.execute());
    world.other_sets(&a(), "2", None);
    assert!(world.receive() && world.receive());
    assert_eq!(value(&world, reader), text("1"));
    assert_eq!(world.get(&a()), Some(text("1")), "the change has not arrived yet");
    assert!(world.receive());
    assert_eq!(world.get(&a()), None);
    assert_eq!(world.counts().invalidations, 1);
}

#[test]
fn r3_a_write_invalidates_its_name_after_its_reply() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    world.put(&a(), "2", None);
    world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!(world.get(&a()), Some(text("1")), "read after the write began, before it was done");
    world.run_and_answer_calls();
    assert_eq!(world.get(&a()), None, "the push has not arrived");
}

#[test]
fn r3_a_dropped_write_invalidates_its_name() {
    let mut world = with_entry();
    let guard = world.tiers.engine().write([b"a".as_slice()]);
    world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!(world.get(&a()), Some(text("1")));
    drop(guard);
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r6_an_entry_expires_before_its_key() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", Some(MS * 10));
    world.fetch(&a());
    world.execute_and_receive_all();
    world.tick(Duration::from_nanos(8_999_999));
    assert_eq!(world.get(&a()), Some(text("1")));
    world.tick(Duration::from_nanos(1));
    assert_eq!(world.get(&a()), None);
    world.tick(MS);
    assert_eq!(in_redis(&world), None);
}

#[test]
fn r6_a_time_to_live_counts_from_before_the_read_was_sent() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", Some(MS * 10));
    let reader = world.fetch(&a());
    assert!(world.execute() && world.execute());
    world.tick(MS * 9);
    assert!(world.receive() && world.receive());
    assert_eq!(cached_by(&world, reader), Err(NotCached::TtlGone));
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r6_a_reader_that_joined_after_the_deadline_reads_for_itself() {
    for changed in [false, true] {
        let mut world = World::fresh();
        world.other_sets(&a(), "1", Some(MS * 10));
        let leader = world.fetch(&a());
        assert!(world.execute() && world.execute());
        world.tick(MS * 10);
        let joined = world.fetch(&a());
        if changed {
            world.other_sets(&a(), "2", None);
        }
        world.execute_and_receive_all();
        assert!(world.is_waiting(joined));
        world.run_call(0);
        assert!(world.answer_call(0));
        assert_eq!(value(&world, leader), text("1"), "it began while the key was there");
        assert_eq!(value(&world, joined), if changed { text("2") } else { None });
        let found = world.outcome(joined).as_ref().unwrap().found;
        assert_eq!(found, Found::Bypass(Bypass::Expired), "it is newer than what others wait for");
    }
}

#[test]
fn r6_the_near_ttl_bounds_an_entry_whose_key_never_expires() {
    let mut world = with_entry();
    world.tick(NEAR_TTL);
    world.beat_and_receive();
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r6_a_value_whose_key_vanished_after_it_was_read_is_not_cached() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", Some(MS));
    let reader = world.fetch(&a());
    assert!(world.execute());
    world.tick(MS);
    world.execute_and_receive_all();
    assert_eq!(cached_by(&world, reader), Err(NotCached::TtlGone));
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r6_a_change_between_a_read_and_its_pttl_invalidates_the_lease() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    let reader = world.fetch(&a());
    assert!(world.execute());
    world.other_sets(&a(), "2", None);
    world.execute_and_receive_all();
    assert_eq!(
        (value(&world, reader), cached_by(&world, reader)),
        (text("1"), Err(NotCached::LeaseInvalidated))
    );
}

#[test]
fn r6_an_absent_key_is_cached_until_it_appears() {
    let mut world = World::fresh();
    world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!(world.get(&a()), Some(None));
    world.other_sets(&a(), "1", None);
    world.execute_and_receive_all();
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r7_nothing_of_an_ended_epoch_is_served() {
    let mut world = with_entry();
    world.cut(0);
    assert_eq!(world.get(&a()), None);
    world.other_sets(&a(), "2", None);
    world.connect();
    assert_eq!(world.get(&a()), None, "2 was never pushed");
}

#[test]
fn r7_a_fill_pending_at_the_end_of_an_epoch_is_read_elsewhere_and_not_cached() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    let reader = world.fetch(&a());
    assert!(world.execute() && world.receive(), "the value has arrived, its PTTL has not");
    world.connect();
    world.run_and_answer_calls();
    let fetched = world.outcome(reader).as_ref().unwrap();
    assert_eq!(fetched.value, text("1"));
    assert_eq!(fetched.found, Found::Bypass(Bypass::FeedLost));
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r8_nothing_is_served_past_the_bound() {
    let mut world = with_entry();
    world.tick(BOUND.saturating_sub(Duration::from_nanos(1)));
    assert_eq!(world.get(&a()), Some(text("1")));
    world.tick(Duration::from_nanos(1));
    assert_eq!(world.get(&a()), None);
    let reader = world.fetch(&a());
    world.run_and_answer_calls();
    let fetched = world.outcome(reader).as_ref().unwrap();
    assert_eq!(fetched.found, Found::Bypass(Bypass::NotCoherent));
}

#[test]
fn r8_freshness_counts_from_the_sending_of_the_heartbeat() {
    let mut world = with_entry();
    world.beat();
    world.tick(BOUND / 2);
    world.execute_and_receive_all();
    world.tick(BOUND / 2);
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r8_a_late_heartbeat_suspends_hits_and_does_not_end_the_epoch() {
    let mut world = with_entry();
    world.tick(BOUND * 2);
    assert_eq!(world.get(&a()), None);
    world.beat_and_receive();
    assert_eq!(world.get(&a()), Some(text("1")));
}

#[test]
fn r9_a_flush_empties_every_keyspace_and_invalidates_every_lease() {
    let mut world = with_entry();
    let key_ids = [(0, b"b".to_vec()), (1, b"a".to_vec()), (2, b"c".to_vec())];
    for key_id in &key_ids {
        world.other_sets(key_id, "1", None);
    }
    world.fetch(&key_ids[0]);
    world.execute_and_receive_all();
    let late = world.fetch(&key_ids[1]);
    assert!(world.execute() && world.execute());
    world.other(&Command::FlushAll);
    let after = world.fetch(&key_ids[2]);
    world.execute_and_receive_all();
    assert_eq!((world.get(&a()), world.get(&key_ids[0])), (None, None));
    assert_eq!(value(&world, late), text("1"));
    assert_eq!(world.get(&key_ids[1]), None);
    assert_eq!(
        cached_by(&world, after),
        Err(NotCached::LeaseInvalidated),
        "sent before the flush was received"
    );
}

#[test]
fn r9_a_flush_invalidates_the_lease_of_a_value_read_before_it() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    let reader = world.fetch(&a());
    assert!(world.execute());
    world.other(&Command::FlushAll);
    world.other_sets(&a(), "2", None);
    world.execute_and_receive_all();
    assert_eq!(
        (value(&world, reader), cached_by(&world, reader)),
        (text("1"), Err(NotCached::LeaseInvalidated))
    );
    assert_eq!(world.get(&a()), None);
}

#[test]
fn r10_a_push_invalidates_a_name_in_every_keyspace() {
    let mut world = with_entry();
    let elsewhere = (1, b"a".to_vec());
    world.other_sets(&elsewhere, "1", None);
    world.fetch(&elsewhere);
    world.execute_and_receive_all();
    world.other_sets(&a(), "2", None);
    world.execute_and_receive_all();
    assert_eq!((world.get(&a()), world.get(&elsewhere)), (None, None));
}

#[test]
fn r13_a_read_on_another_connection_removes_an_entry_that_may_be_older() {
    let mut world = with_entry();
    world.other_sets(&a(), "2", None);
    let past = world.bypass(&a());
    world.run_and_answer_calls();
    assert_eq!(value(&world, past), text("2"));
    assert_eq!(world.get(&a()), None, "the push has not arrived");
}

#[test]
fn r13_a_read_on_another_connection_invalidates_older_flights() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    world.fetch(&a());
    assert!(world.execute() && world.execute());
    world.other_sets(&a(), "2", None);
    world.bypass(&a());
    world.run_and_answer_calls();
    let after = world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!(value(&world, after), text("2"));
}

#[test]
fn a_value_too_large_is_read_once_on_the_tracked_connection_until_it_changes() {
    let mut world = World::fresh();
    let large = "x".repeat(VALUE_BYTES_MAX + 1);
    world.other_sets(&a(), &large, None);
    let first = world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!(cached_by(&world, first), Err(NotCached::TooLarge));
    let second = world.fetch(&a());
    world.run_and_answer_calls();
    let fetched = world.outcome(second).as_ref().unwrap();
    assert_eq!((&fetched.value, fetched.found), (&text(&large), Found::Bypass(Bypass::TooLarge)));
    world.other_sets(&a(), "small", None);
    world.execute_and_receive_all();
    let third = world.fetch(&a());
    world.execute_and_receive_all();
    assert_eq!((value(&world, third), cached_by(&world, third)), (text("small"), Ok(())));
}
