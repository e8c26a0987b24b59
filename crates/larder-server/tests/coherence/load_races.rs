//! A load puts its row into Redis, and takes it back when the key has changed meanwhile. What
//! somebody else has written stays, be it the very row.

use std::io::Write;
use std::net::TcpStream;

use larder_testkit::{Harness, LIMIT, eventually};

use crate::http_client::Reader;
use crate::setup::{HttpHarness, start_with_config};
use crate::users::Users;

const ROW: &str = r#"{"v":1}"#;

#[test]
fn what_somebody_else_wrote_before_the_put_stays() {
    let Some(mut pause) = PausedRedis::begin() else { return };
    pause.write(&format!("SET users:1 {ROW}"));
    pause.load();
    assert_eq!(pause.end(), (Some(ROW.to_owned()), -1));
}

#[test]
fn what_somebody_else_wrote_over_the_put_stays() {
    let Some(mut pause) = PausedRedis::begin() else { return };
    pause.write("SET users:1 another");
    pause.write("DEL users:1");
    pause.load();
    pause.write(&format!("SET users:1 {ROW}"));
    assert_eq!(pause.end(), (Some(ROW.to_owned()), -1));
}

#[test]
fn what_was_put_after_a_change_is_taken_back() {
    let Some(mut pause) = PausedRedis::begin() else { return };
    pause.write("SET users:1 another");
    pause.write("DEL users:1");
    pause.load();
    assert_eq!(pause.end(), (None, -2));
}

/// Redis takes writes in, and executes them later, in the order in which they came.
struct PausedRedis {
    harness: Harness,
    _users: Users,
    writers: Vec<TcpStream>,
    reader: Option<Reader>,
}

impl PausedRedis {
    /// `None` where there is no Redis to test with.
    fn begin() -> Option<Self> {
        let users = Users::new(&format!(r#"{{"1": {ROW}}}"#));
        let harness = start_with_config(&[], &users.config(""))?;
        harness.foreign(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        Some(Self { harness, _users: users, writers: Vec::new(), reader: None })
    }

    /// Somebody else writes.
    fn write(&mut self, command: &str) {
        let mut writer = TcpStream::connect(self.harness.redis.addr()).unwrap();
        let mut packed = redis::Cmd::new();
        packed.arg(command.split(' ').collect::<Vec<_>>());
        writer.write_all(&packed.get_packed_command()).unwrap();
        self.writers.push(writer);
        self.until_all_wait();
    }

    /// Larder loads the row, and puts it.
    fn load(&mut self) {
        let mut reader = self.harness.reader();
        reader.ask("/users/1");
        self.reader = Some(reader);
        self.until_all_wait();
    }

    fn until_all_wait(&self) {
        let waiting = self.writers.len() + usize::from(self.reader.is_some());
        eventually(LIMIT, &format!("{waiting} clients to wait"), || {
            let clients = self.harness.redis.cmd(&["CLIENT", "LIST"]);
            let clients: String = redis::from_redis_value(clients).unwrap();
            let is_blocked = |client: &&str| {
                let flags = client.split(' ').find_map(|field| field.strip_prefix("flags="));
                flags.is_some_and(|flags| flags.contains('b'))
            };
            clients.lines().filter(is_blocked).count() == waiting
        });
    }

    /// Executes everything. Gives what is there when the reader has its row, and its `PTTL`.
    fn end(mut self) -> (Option<String>, i64) {
        self.harness.foreign(&["CLIENT", "UNPAUSE"]);
        let reader = self.reader.as_mut().unwrap();
        assert_eq!(reader.answer().value(), Some(ROW));
        let ask = |command| self.harness.redis.cmd(&[command, "users:1"]);
        let there = (redis::from_redis_value(ask("GET")), redis::from_redis_value(ask("PTTL")));
        (there.0.unwrap(), there.1.unwrap())
    }
}
