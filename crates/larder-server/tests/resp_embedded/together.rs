//! Several clients at once.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use larder_resp::reply::Frame;
use redis::{Commands, Connection};

use crate::pair::Alone;
use crate::wire::Wire;

const CLIENTS: i64 = 8;

fn connect(alone: &Alone) -> Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", alone.port)).unwrap();
    client.get_connection().unwrap()
}

#[test]
fn no_increment_is_lost() {
    const EACH: i64 = 500;
    let alone = Alone::start(&["--io-threads", "4"]);
    let seen: Vec<HashSet<i64>> = thread::scope(|scope| {
        let count = || {
            let mut connection = connect(&alone);
            (0..EACH).map(|_| connection.incr("n", 1).unwrap()).collect()
        };
        let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(connect(&alone).get::<_, i64>("n").unwrap(), CLIENTS * EACH);
    let all: HashSet<i64> = seen.iter().flatten().copied().collect();
    assert_eq!(all, (1..=CLIENTS * EACH).collect(), "each value is answered to one client");
}

#[test]
fn nobody_sees_a_part_of_a_transaction() {
    let alone = Alone::start(&["--io-threads", "4"]);
    let over = AtomicBool::new(false);
    alone.wire().expect("MSET left 1000 right 0", "+OK");
    thread::scope(|scope| {
        let transfer = || {
            let mut wire = alone.wire();
            for _ in 0..300 {
                wire.expect("MULTI", "+OK");
                wire.expect("DECR left", "+QUEUED");
                wire.expect("INCR right", "+QUEUED");
                wire.line("EXEC");
            }
        };
        let look = || {
            let mut connection = connect(&alone);
            while !over.load(Relaxed) {
                let (left, right): (i64, i64) = connection.mget(&["left", "right"]).unwrap();
                assert_eq!(left + right, 1000);
            }
        };
        let watchers = [scope.spawn(look), scope.spawn(look)];
        let writers = [scope.spawn(transfer), scope.spawn(transfer)];
        for thread in writers {
            thread.join().unwrap();
        }
        over.store(true, Relaxed);
        for thread in watchers {
            thread.join().unwrap();
        }
    });
    alone.wire().expect("MGET left right", "*2 $3 400 $3 600");
}

#[test]
fn who_watches_never_overwrites_another() {
    const EACH: i64 = 50;
    let alone = Alone::start(&["--io-threads", "4"]);
    alone.wire().expect("SET n 0", "+OK");
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut wire = alone.wire();
                (0..EACH).for_each(|_| while !incremented(&mut wire) {});
            });
        }
    });
    let expected = (CLIENTS * EACH).to_string();
    alone.wire().expect("GET n", &format!("${} {expected}", expected.len()));
}

/// Increments by hand. False when another client came between.
fn incremented(wire: &mut Wire) -> bool {
    wire.expect("WATCH n", "+OK");
    let value = wire.line("GET n");
    let value = Frame::parse(&value).unwrap().as_str_bytes().unwrap().to_vec();
    let value: i64 = String::from_utf8(value).unwrap().parse().unwrap();
    wire.expect("MULTI", "+OK");
    wire.expect(&format!("SET n {}", value + 1), "+QUEUED");
    match wire.line("EXEC").as_slice() {
        b"*1\r\n+OK\r\n" => true,
        b"*-1\r\n" => false,
        other => panic!("{}", other.escape_ascii()),
    }
}

#[test]
fn a_scan_meets_every_key_that_is_there_all_the_time() {
    const STAYING: usize = 1000;
    let alone = Alone::start(&["--io-threads", "4"]);
    let over = AtomicBool::new(false);
    let mut connection = connect(&alone);
    for key in 0..STAYING {
        connection.set::<_, _, ()>(format!("stays:{key}"), "x").unwrap();
        connection.set::<_, _, ()>(format!("goes:{key}"), "x").unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut connection = connect(&alone);
            let mut turn = 0;
            while !over.load(Relaxed) {
                turn += 1;
                connection.del::<_, ()>(format!("goes:{}", turn * 7 % STAYING)).unwrap();
                connection.set::<_, _, ()>(format!("comes:{}", turn % 500), "x").unwrap();
                connection.del::<_, ()>(format!("comes:{}", (turn + 250) % 500)).unwrap();
            }
        });
        for count in [1, 7, 100] {
            let mut found = HashSet::new();
            let mut cursor = 0_u64;
            loop {
                let mut scan = redis::cmd("SCAN");
                scan.arg(cursor).arg("COUNT").arg(count).arg("MATCH").arg("stays:*");
                let (next, keys): (u64, Vec<String>) = scan.query(&mut connection).unwrap();
                found.extend(keys);
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(found.len(), STAYING, "with COUNT {count}");
        }
        over.store(true, Relaxed);
    });
}

#[test]
fn a_client_that_dies_leaves_nothing_behind() {
    let alone = Alone::start(&[]);
    for _ in 0..20 {
        let mut wire = alone.wire();
        wire.expect("SELECT 5", "+OK");
        wire.expect("WATCH a b c", "+OK");
        wire.expect("MULTI", "+OK");
        wire.expect("SET a 1", "+QUEUED");
    }
    let mut wire = alone.wire();
    wire.expect("GET a", "$-1");
    wire.expect("SELECT 5", "+OK");
    wire.expect("GET a", "$-1");
    larder_testkit::eventually(crate::pair::LIMIT, "only this client to be listed", || {
        String::from_utf8(wire.line("CLIENT LIST")).unwrap().matches("id=").count() == 1
    });
}
