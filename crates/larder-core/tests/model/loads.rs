//! Scripts for each way in which a load from the origin can go wrong (R16).

use crate::world::{
    BOUND, LOAD_TTL, NEGATIVE_TTL, VALUE_BYTES_MAX, World, a, cached_by, id, in_redis, text, value,
};
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A world in which only the origin has `a`, and a load waits for its answer.
fn loading() -> (World, usize) {
    let mut world = World::fresh();
    world.rows.change(&id(&a()), true);
    let reader = world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(world.rows.asked(), 1);
    (world, reader)
}

#[test]
fn r1_without_a_feed_a_load_older_than_the_bound_is_not_joined() {
    let mut world = World::new();
    world.rows.change(&id(&a()), true);
    let old = world.load(&a());
    world.run_call(0);
    world.tick(BOUND + MS);
    world.rows.change(&id(&a()), true);
    let late = world.load(&a());
    world.run_and_answer_calls();
    assert_eq!(world.rows.asked(), 2);
    while world.origin_answers(0) {}
    world.run_and_answer_calls();
    assert!([old, late].iter().all(|&reader| value(&world, reader) == text("row 2")));
}

#[test]
fn r3_a_write_invalidates_its_name_before_it_is_sent() {
    let (mut world, reader) = loading();
    world.rows.change(&id(&a()), true);
    world.delete(&a());
    world.origin_answers(0);
    world.run_call(0);
    world.execute_and_receive_all();
    world.run_and_answer_calls();
    assert_eq!(value(&world, reader), text("row 1"));
    assert_eq!(in_redis(&world), None, "row 1 must not be written after the delete");
}

#[test]
fn r7_a_load_of_an_ended_epoch_is_not_joined_and_not_put() {
    let (mut world, before) = loading();
    world.connect();
    world.rows.change(&id(&a()), true);
    let after = world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(world.rows.asked(), 2);
    world.origin_answers(0);
    world.execute_and_receive_all();
    assert_eq!((value(&world, before), in_redis(&world)), (text("row 1"), None));
    world.origin_answers(0);
    world.execute_and_receive_all();
    assert_eq!((value(&world, after), in_redis(&world)), (text("row 2"), text("row 2")));
}

#[test]
fn r7_a_load_that_began_without_a_feed_is_not_joined_by_a_reader_with_one() {
    let mut world = World::new();
    world.rows.change(&id(&a()), true);
    world.load(&a());
    world.connect();
    world.load(&a());
    world.run_and_answer_calls();
    world.execute_and_receive_all();
    assert_eq!(world.rows.asked(), 2);
}

#[test]
fn r13_a_read_on_another_connection_invalidates_older_loads() {
    let mut world = World::fresh();
    world.other_sets(&a(), "1", None);
    world.load(&a());
    assert!(world.execute() && world.execute());
    world.other_sets(&a(), "2", None);
    world.bypass(&a());
    world.run_and_answer_calls();
    let after = world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(value(&world, after), text("2"));
}

#[test]
fn r13_a_miss_of_the_origin_is_not_cached_after_a_value_was_read_on_another_connection() {
    let mut world = World::fresh();
    world.load(&a());
    world.execute_and_receive_all();
    world.other_sets(&a(), "1", None);
    world.bypass(&a());
    world.run_and_answer_calls();
    world.origin_answers(0);
    let after = world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(value(&world, after), text("1"));
}

#[test]
fn r16_a_load_that_began_with_a_stale_feed_is_not_joined_by_a_reader_with_a_fresh_one() {
    let mut world = World::fresh();
    world.tick(BOUND);
    world.load(&a());
    world.run_and_answer_calls();
    world.beat_and_receive();
    let large = "x".repeat(VALUE_BYTES_MAX + 1);
    world.other_sets(&a(), &large, None);
    world.fetch(&a());
    world.execute_and_receive_all();
    let after = world.load(&a());
    world.run_and_answer_calls();
    world.origin_answers(0);
    assert_eq!(value(&world, after), text(&large));
}

#[test]
fn a_load_that_itself_reads_on_another_connection_can_still_be_joined() {
    let mut world = World::new();
    world.rows.change(&id(&a()), true);
    world.load(&a());
    world.run_and_answer_calls();
    let joined = world.load(&a());
    world.origin_answers(0);
    world.run_and_answer_calls();
    assert_eq!((value(&world, joined), world.rows.asked()), (text("row 1"), 1));
    assert_eq!(in_redis(&world), text("row 1"));
}

#[test]
fn r16_a_load_caches_what_the_store_returned() {
    let (mut world, reader) = loading();
    world.origin_answers(0);
    world.execute_and_receive_all();
    assert_eq!((value(&world, reader), cached_by(&world, reader)), (text("row 1"), Ok(())));
    assert_eq!(world.get(&a()), Some(text("row 1")));
    world.other_sets(&a(), "2", None);
    world.execute_and_receive_all();
    assert_eq!(world.get(&a()), None, "the change was pushed");
}

#[test]
fn r16_a_loaded_entry_expires_with_its_key() {
    let (mut world, _) = loading();
    world.origin_answers(0);
    world.execute_and_receive_all();
    world.tick(LOAD_TTL);
    world.beat_and_receive();
    assert_eq!((world.get(&a()), in_redis(&world)), (None, None));
}

#[test]
fn r16_a_load_does_not_replace_what_another_client_set_meanwhile() {
    let (mut world, reader) = loading();
    world.origin_answers(0);
    world.other_sets(&a(), "theirs", None);
    world.execute_and_receive_all();
    world.run_and_answer_calls();
    assert_eq!((value(&world, reader), in_redis(&world)), (text("row 1"), text("theirs")));
    let after = world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(value(&world, after), text("theirs"));
}

#[test]
fn r16_a_load_that_a_change_overtook_is_not_put() {
    let (mut world, reader) = loading();
    world.rows.change(&id(&a()), true);
    world.delete(&a());
    world.run_and_answer_calls();
    let after = world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(world.rows.asked(), 2, "a load after the delete asks again");
    world.origin_answers(0);
    world.execute_and_receive_all();
    assert_eq!((value(&world, reader), in_redis(&world)), (text("row 1"), None));
    world.origin_answers(0);
    world.execute_and_receive_all();
    assert_eq!((value(&world, after), in_redis(&world)), (text("row 2"), text("row 2")));
}

#[test]
fn r16_a_put_that_a_delete_overtook_is_deleted_again() {
    let (mut world, reader) = loading();
    world.rows.change(&id(&a()), true);
    world.origin_answers(0);
    world.delete(&a());
    world.run_and_answer_calls();
    world.execute_and_receive_all();
    assert_eq!(in_redis(&world), text("row 1"), "the put came after the delete");
    assert!(world.is_writing(), "the delete is not done before the row is deleted");
    world.run_and_answer_calls();
    assert!(!world.is_writing());
    assert_eq!((value(&world, reader), in_redis(&world)), (text("row 1"), None));
}

#[test]
fn r16_a_put_whose_reply_was_lost_is_deleted_again() {
    let (mut world, reader) = loading();
    world.origin_answers(0);
    world.cut(1);
    assert_eq!(in_redis(&world), text("row 1"));
    world.run_and_answer_calls();
    assert_eq!((value(&world, reader), in_redis(&world)), (text("row 1"), None));
}

#[test]
fn r16_an_equal_value_that_another_client_wrote_is_not_deleted() {
    // The put finds the other client's row, or is overwritten by it.
    let cases = [(0, Some(LOAD_TTL)), (0, None), (1, Some(LOAD_TTL + MS)), (1, None)];
    for (executed, ttl) in cases {
        let (mut world, reader) = loading();
        world.origin_answers(0);
        (0..executed).for_each(|_| assert!(world.execute()));
        world.other_sets(&a(), "row 1", ttl);
        world.execute_and_receive_all();
        world.run_and_answer_calls();
        assert_eq!(value(&world, reader), text("row 1"), "{executed} {ttl:?}");
        assert_eq!(in_redis(&world), text("row 1"), "{executed} {ttl:?}");
    }
}

#[test]
fn r16_a_miss_of_the_origin_is_cached_for_the_negative_ttl() {
    let mut world = World::fresh();
    world.load(&a());
    world.execute_and_receive_all();
    world.origin_answers(0);
    let again = world.load(&a());
    assert_eq!((value(&world, again), world.rows.asked()), (None, 1));
    world.tick(NEGATIVE_TTL);
    world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(world.rows.asked(), 2);
}

#[test]
fn r16_a_cached_miss_ends_when_the_key_appears() {
    let mut world = World::fresh();
    world.load(&a());
    world.execute_and_receive_all();
    world.origin_answers(0);
    world.other_sets(&a(), "1", None);
    world.execute_and_receive_all();
    let after = world.load(&a());
    world.execute_and_receive_all();
    assert_eq!(value(&world, after), text("1"));
}

#[test]
fn r16_a_waiter_takes_over_when_the_leader_is_dropped() {
    let (mut world, _) = loading();
    let waiter = world.load(&a());
    world.leave(0);
    assert_eq!(world.rows.asked(), 2, "the waiter asks for itself");
    world.origin_answers(0);
    assert!(world.is_waiting(waiter), "this answer was for the dropped leader");
    world.origin_answers(0);
    world.execute_and_receive_all();
    assert_eq!((value(&world, waiter), cached_by(&world, waiter)), (text("row 1"), Ok(())));
}
