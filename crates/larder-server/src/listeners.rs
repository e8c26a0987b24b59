//! The listeners, and how their ports are opened.

pub(crate) mod http;
pub(crate) mod resp;

use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket},
    time::Instant,
};

/// Maximum connections that wait to be accepted. Beyond it the client retries after a second.
const BACKLOG: u32 = 1024;

/// Opens a TCP port.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Without it, connections of an earlier run block the port for a minute.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How often a listener logs that it turns clients away.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// Counts what may happen to very many clients, so that it is not logged for each.
#[derive(Default)]
pub(crate) struct LogLimit {
    /// How often it happened since it was last logged.
    times: u64,
    logged: Option<Instant>,
}

impl LogLimit {
    /// Counts one more. Returns the number to log, if a line is due.
    pub(crate) fn count(&mut self) -> Option<u64> {
        self.times += 1;
        if self.logged.is_some_and(|logged| logged.elapsed() < LOG_PERIOD) {
            return None;
        }
        self.logged = Some(Instant::now());
        Some(std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_stands_for_all_that_happened_since_the_last() {
        let mut limit = LogLimit::default();
        assert_eq!(limit.count(), Some(1));
        for _ in 0..500 {
            assert_eq!(limit.count(), None);
        }
        tokio::time::advance(LOG_PERIOD).await;
        assert_eq!(limit.count(), Some(501));
        assert_eq!(limit.count(), None);
    }
}
