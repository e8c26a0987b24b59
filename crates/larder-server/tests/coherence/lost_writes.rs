//! Writes whose answer is lost: the client is told that the outcome is not known, and nothing is
//! written twice (R14).

use std::thread;

use larder_testkit::Direction::ToClient;
use larder_testkit::Which::{self, Sent};
use larder_testkit::{eventually, http};

use crate::monitor::Monitor;
use crate::stand::{LIMIT, Stand, path};

const WRITES: usize = 200;
/// The connection that writes go out on.
const PLAIN: Which = Sent("larder-plain");

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The connection is cut at about the time of the write.
    Cut,
    /// It is carried out, then the connection is cut before the reply arrives.
    ReplyCut,
    /// It is carried out, and the reply never arrives.
    ReplySwallowed,
}

impl Fault {
    fn of(write: usize) -> Self {
        match write % 20 {
            1 | 7 | 8 | 13 => Self::Cut,
            3 | 9 | 15 | 16 => Self::ReplyCut,
            5 => Self::ReplySwallowed,
            _ => Self::None,
        }
    }
}

#[test]
fn a_write_is_never_sent_twice_and_a_lost_one_is_said_to_be_lost() {
    let Some(stand) = Stand::start(&["--store-timeout", "300ms"]) else { return };
    let monitor = Monitor::of(&stand.redis);
    let mut reader = stand.reader();
    let (mut acknowledged, mut lost) = (0, 0);
    for write in 1..=WRITES {
        let times = || monitor.times(&set(write));
        let status = put(&stand, &monitor, write);
        match status {
            204 => {
                acknowledged += 1;
                eventually(LIMIT, "MONITOR to show what was acknowledged", || times() == 1);
            }
            502 | 504 => lost += 1,
            503 => {}
            _ => panic!("write {write}: status {status}"),
        }
        if status == 204 || times() == 1 {
            // Carried out, acknowledged or not: Larder no longer serves what was there before.
            let found = reader.get(&path("k"));
            assert_eq!(found.value(), Some(&*write.to_string()), "{found:?}");
        }
        assert!(reader.get(&path("k")).status == 200, "kept, for the next write to replace");
    }
    for write in 1..=WRITES {
        let times = monitor.times(&set(write));
        assert!(times <= 1, "write {write} was carried out {times} times");
    }
    println!("{acknowledged} acknowledged, {lost} lost");
    assert!(acknowledged >= WRITES / 2, "{acknowledged} acknowledged");
    assert!(lost >= WRITES / 5, "{lost} lost");
}

/// Writes through Larder, with this write's fault; gives the status.
fn put(stand: &Stand, monitor: &Monitor, write: usize) -> u16 {
    eventually(LIMIT, "the plain connection to be there", || {
        let past_near = [("cache-control", "no-cache")];
        http::get(&stand.larder.url(&path("k")), &past_near).status != 503
    });
    let value = write.to_string();
    let carried_out = || eventually(LIMIT, &set(write), || monitor.times(&set(write)) == 1);
    let relay = &stand.relay;
    thread::scope(|threads| match Fault::of(write) {
        Fault::None => stand.put("k", &value),
        Fault::Cut => {
            let put = threads.spawn(|| stand.put("k", &value));
            relay.cut(PLAIN);
            put.join().unwrap()
        }
        Fault::ReplyCut => {
            relay.hold(PLAIN, ToClient);
            let put = threads.spawn(|| stand.put("k", &value));
            carried_out();
            relay.cut(PLAIN);
            relay.release(PLAIN, ToClient);
            let status = put.join().unwrap();
            assert_eq!(status, 502, "write {write}");
            status
        }
        Fault::ReplySwallowed => {
            relay.blackhole(PLAIN, ToClient);
            let put = threads.spawn(|| stand.put("k", &value));
            carried_out();
            let status = put.join().unwrap();
            assert_eq!(status, 504, "write {write}");
            relay.heal();
            relay.cut(PLAIN);
            status
        }
    })
}

fn set(write: usize) -> String {
    format!(r#""SET" "k" "{write}""#)
}
