//! The commands that Redis executes, as reported by MONITOR.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::RedisServer;

/// A connection in MONITOR mode, closed on drop.
pub struct Monitor {
    socket: TcpStream,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Monitor {
    /// Records all commands from now on.
    pub fn start(redis: &RedisServer) -> Self {
        let mut socket = TcpStream::connect(redis.addr()).unwrap();
        socket.write_all(b"MONITOR\r\n").unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        assert_eq!(first, "+OK\r\n");
        let lines = Arc::default();
        let seen: Arc<Mutex<Vec<String>>> = Arc::clone(&lines);
        thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                seen.lock().unwrap().push(line);
            }
        });
        Self { socket, lines }
    }

    /// Returns how often a command was executed: `count(r#""SET" "k" "1""#)`.
    pub fn count(&self, command: &str) -> usize {
        self.lines.lock().unwrap().iter().filter(|line| line.contains(command)).count()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.socket.shutdown(Shutdown::Both).ok();
    }
}
