//! A TCP relay between Larder and Redis that injects faults: it delays, holds, drops or cuts
//! traffic.
//!
//! A rule applies to all connections or to those that sent a given text ([`ConnectionFilter`]). It
//! applies to open and to later connections until it is changed. If two rules for a connection
//! contradict each other, the later one wins.
//!
//! The client connects to the relay, not to the server: if the server is down, the connection is
//! accepted and then closed at once.

mod connection;
mod pipe;
mod rules;
mod transcript;

use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use connection::Connection;
use rules::{Change, Rule, Rules};
pub use rules::{ConnectionFilter, Direction};

/// Limit for connecting to the server for a new client.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A running relay. Dropping it closes its port and all connections.
pub struct Relay {
    addr: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: Rules,
    new_clients: NewClients,
    connections: Vec<Arc<Connection>>,
    /// Clients that were accepted and are not served.
    ignored: Vec<TcpStream>,
}

/// What happens to a new client.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum NewClients {
    #[default]
    Served,
    Refused,
    Ignored,
    /// The relay is shutting down.
    ShutDown,
}

impl Relay {
    /// Starts a relay to this server on a free port of 127.0.0.1.
    pub fn to(server: impl ToSocketAddrs) -> Self {
        let mut addrs = server.to_socket_addrs().expect("an address that resolves");
        let server = addrs.next().expect("at least one address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on 127.0.0.1");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared { server, state: Mutex::default() });
        let acceptor = Some(thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        }));
        Self { addr, shared, acceptor }
    }

    /// Returns the address to which clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the URL `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Delivers each byte this long after it was read. The order is kept, and any number of bytes
    /// may be in transit. Bytes read earlier keep their earlier delay.
    pub fn delay(&self, filter: ConnectionFilter, direction: Direction, delay: Duration) {
        self.rule(filter, direction, Change::Delay(delay));
    }

    /// Holds bytes back until [`Self::release`]. After 64 MiB the relay stops reading from that
    /// direction.
    pub fn hold(&self, filter: ConnectionFilter, direction: Direction) {
        self.rule(filter, direction, Change::Hold(true));
    }

    /// Delivers the held bytes in order and stops holding.
    pub fn release(&self, filter: ConnectionFilter, direction: Direction) {
        self.rule(filter, direction, Change::Hold(false));
    }

    /// Drops bytes not yet delivered and all that arrive, including the end of a stream. Sockets
    /// stay open, and new ones are accepted.
    pub fn blackhole(&self, filter: ConnectionFilter, direction: Direction) {
        self.rule(filter, direction, Change::Drop);
    }

    /// Ends all black holes and no other rule. Dropped bytes stay lost.
    pub fn heal(&self) {
        self.change(|state| state.rules.heal());
    }

    /// Delivers at most `bytes_per_write` bytes in one write, with a short pause between writes.
    /// `usize::MAX` ends it.
    pub fn trickle(&self, filter: ConnectionFilter, direction: Direction, bytes_per_write: usize) {
        assert!(bytes_per_write > 0, "a write has at least one byte");
        self.rule(filter, direction, Change::Trickle(bytes_per_write));
    }

    /// Closes both ends of these connections. Bytes in transit are lost.
    pub fn cut(&self, filter: ConnectionFilter) {
        self.matching(filter).iter().for_each(|connection| connection.cut());
    }

    /// Sets whether new connections are closed as soon as they are accepted.
    pub fn refuse(&self, refuse: bool) {
        self.new_clients(if refuse { NewClients::Refused } else { NewClients::Served });
    }

    /// Sets whether new connections are accepted but not served. Connections that wait are closed
    /// when this changes.
    pub fn ignore(&self, ignore: bool) {
        self.new_clients(if ignore { NewClients::Ignored } else { NewClients::Served });
    }

    /// Returns how many connections are open on the client's side.
    pub fn connections(&self, filter: ConnectionFilter) -> usize {
        self.matching(filter).iter().filter(|connection| connection.is_open()).count()
    }

    /// Returns how many bytes have been read but not delivered. Tests that hold traffic wait for
    /// this, to know that it has reached the relay.
    pub fn buffered_bytes(&self, filter: ConnectionFilter, direction: Direction) -> usize {
        let all = self.matching(filter);
        all.iter().map(|connection| connection.buffered_bytes(direction)).sum()
    }

    /// Returns how many bytes were dropped by black holes in connections that still exist.
    pub fn dropped_bytes(&self, filter: ConnectionFilter, direction: Direction) -> usize {
        let all = self.matching(filter);
        all.iter().map(|connection| connection.dropped_bytes(direction)).sum()
    }

    fn rule(&self, filter: ConnectionFilter, direction: Direction, change: Change) {
        self.change(|state| state.rules.add(Rule { filter, direction, change }));
    }

    /// Changes the rules and applies them to all connections before it returns.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.lock();
        change(&mut state);
        state.connections.iter().for_each(|connection| connection.impair(&state.rules));
    }

    fn new_clients(&self, new_clients: NewClients) {
        let mut state = self.shared.lock();
        state.new_clients = new_clients;
        state.ignored.clear();
    }

    fn matching(&self, filter: ConnectionFilter) -> Vec<Arc<Connection>> {
        let state = self.shared.lock();
        state.connections.iter().filter(|connection| connection.is(filter)).cloned().collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.new_clients(NewClients::ShutDown);
        self.cut(ConnectionFilter::All);
        // Wakes the accept loop, which then ends.
        TcpStream::connect(self.addr).ok();
        self.acceptor.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// Ignores poisoning: the state is consistent after every change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Forwards one client's traffic until the connection ends.
    fn serve(&self, client: TcpStream) {
        let server = TcpStream::connect_timeout(&self.server, CONNECT_LIMIT);
        let Ok(connection) = server.and_then(|server| Connection::between(client, server)) else {
            return;
        };
        let connection = Arc::new(connection);
        if self.register(&connection) {
            connection.run(|bytes| self.client_sent(&connection, bytes));
            self.lock().connections.retain(|other| !Arc::ptr_eq(other, &connection));
        }
    }

    /// Registers a connection and applies the rules to it. Returns false if the relay is shutting
    /// down.
    fn register(&self, connection: &Arc<Connection>) -> bool {
        let mut state = self.lock();
        if state.new_clients == NewClients::ShutDown {
            return false;
        }
        connection.impair(&state.rules);
        state.connections.push(Arc::clone(connection));
        true
    }

    /// Records what a client sent and applies the rules again: from these bytes on, the connection
    /// may match other filters.
    fn client_sent(&self, connection: &Connection, bytes: &[u8]) {
        let state = self.lock();
        connection.record_sent(bytes);
        connection.impair(&state.rules);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().map_while(Result::ok) {
        let mut state = shared.lock();
        match state.new_clients {
            NewClients::Served => {
                let shared = Arc::clone(shared);
                thread::spawn(move || shared.serve(client));
            }
            NewClients::Refused => drop(client),
            NewClients::Ignored => state.ignored.push(client),
            NewClients::ShutDown => return,
        }
    }
}
