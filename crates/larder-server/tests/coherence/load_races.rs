//! A load stores its row in Redis, and deletes it again if the key has changed meanwhile. A value
//! that another client has written stays, even if it equals the row.

use std::io::Write;
use std::net::TcpStream;

use larder_testkit::{Harness, LIMIT, eventually};

use crate::http_client::HttpClient;
use crate::setup::{HttpHarness, start_with_config};
use crate::users::Users;

const ROW: &str = r#"{"v":1}"#;

#[test]
fn a_foreign_write_before_the_load_stores_its_row_stays() {
    let Some(mut pause) = PausedRedis::start() else { return };
    pause.write(&format!("SET users:1 {ROW}"));
    pause.load();
    assert_eq!(pause.resume(), (Some(ROW.to_owned()), -1));
}

#[test]
fn a_foreign_write_over_the_stored_row_stays() {
    let Some(mut pause) = PausedRedis::start() else { return };
    pause.write("SET users:1 another");
    pause.write("DEL users:1");
    pause.load();
    pause.write(&format!("SET users:1 {ROW}"));
    assert_eq!(pause.resume(), (Some(ROW.to_owned()), -1));
}

#[test]
fn a_row_stored_after_a_foreign_change_is_deleted_again() {
    let Some(mut pause) = PausedRedis::start() else { return };
    pause.write("SET users:1 another");
    pause.write("DEL users:1");
    pause.load();
    assert_eq!(pause.resume(), (None, -2));
}

/// A Redis that queues writes (CLIENT PAUSE) and later executes them in order of arrival.
struct PausedRedis {
    harness: Harness,
    _users: Users,
    writers: Vec<TcpStream>,
    reader: Option<HttpClient>,
}

impl PausedRedis {
    /// Starts the pause. Returns `None` if this machine has no Redis.
    fn start() -> Option<Self> {
        let users = Users::new(&format!(r#"{{"1": {ROW}}}"#));
        let harness = start_with_config(&[], &users.config(""))?;
        harness.foreign(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        Some(Self { harness, _users: users, writers: Vec::new(), reader: None })
    }

    /// Queues a foreign write.
    fn write(&mut self, command: &str) {
        let mut writer = TcpStream::connect(self.harness.redis.addr()).unwrap();
        let mut packed = redis::Cmd::new();
        packed.arg(command.split(' ').collect::<Vec<_>>());
        writer.write_all(&packed.get_packed_command()).unwrap();
        self.writers.push(writer);
        self.wait_until_all_are_blocked();
    }

    /// Makes Larder load the row and queue its SET.
    fn load(&mut self) {
        let mut reader = self.harness.reader();
        reader.send_request("/users/1");
        self.reader = Some(reader);
        self.wait_until_all_are_blocked();
    }

    fn wait_until_all_are_blocked(&self) {
        let blocked = self.writers.len() + usize::from(self.reader.is_some());
        eventually(LIMIT, &format!("{blocked} clients to be blocked"), || {
            let clients = self.harness.redis.cmd(&["CLIENT", "LIST"]);
            let clients: String = redis::from_redis_value(clients).unwrap();
            let is_blocked = |client: &&str| {
                let flags = client.split(' ').find_map(|field| field.strip_prefix("flags="));
                flags.is_some_and(|flags| flags.contains('b'))
            };
            clients.lines().filter(is_blocked).count() == blocked
        });
    }

    /// Executes everything. Returns the value once the reader has its row, and its `PTTL`.
    fn resume(mut self) -> (Option<String>, i64) {
        self.harness.foreign(&["CLIENT", "UNPAUSE"]);
        let reader = self.reader.as_mut().unwrap();
        assert_eq!(reader.read_response().value(), Some(ROW));
        let ask = |command| self.harness.redis.cmd(&[command, "users:1"]);
        let stored = (redis::from_redis_value(ask("GET")), redis::from_redis_value(ask("PTTL")));
        (stored.0.unwrap(), stored.1.unwrap())
    }
}
