//! A TCP relay between Larder and Redis that delays, holds, swallows or cuts what passes.
//!
//! A control is for all connections or for those that sent a given text ([`ConnectionFilter`]); it holds for
//! connections open now and for later ones until it is changed; where two controls say different
//! things about a connection, the one called last wins.
//!
//! The client connects to the relay, not to the server: it is accepted even when the server is
//! down, and closed at once then.

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

/// How long the relay tries to reach the server for a new client.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A running relay. Dropping it closes its port and every connection.
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
    /// Clients that were accepted and are not answered.
    ignored: Vec<TcpStream>,
}

/// What becomes of a new client.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum NewClients {
    #[default]
    Served,
    Refused,
    Ignored,
    /// The relay has ended.
    Gone,
}

impl Relay {
    /// A relay to this server, on a free port of 127.0.0.1.
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

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Delivers each byte this long after it was read. Order is kept, and any number of bytes is
    /// under way at once. Bytes already read keep the time they had.
    pub fn delay(&self, filter: ConnectionFilter, direction: Direction, delay: Duration) {
        self.rule(filter, direction, Change::Delay(delay));
    }

    /// Keeps bytes back until [`Self::release`]; past 64 MiB a direction is no longer read.
    pub fn hold(&self, filter: ConnectionFilter, direction: Direction) {
        self.rule(filter, direction, Change::Hold(true));
    }

    /// Delivers what was held, in order, and holds no more.
    pub fn release(&self, filter: ConnectionFilter, direction: Direction) {
        self.rule(filter, direction, Change::Hold(false));
    }

    /// Swallows bytes not yet delivered and all that come, ends of streams included; sockets stay
    /// open, and new ones open.
    pub fn blackhole(&self, filter: ConnectionFilter, direction: Direction) {
        self.rule(filter, direction, Change::Drop);
    }

    /// Ends every black hole, and no other control. What was swallowed stays lost.
    pub fn heal(&self) {
        self.change(|state| state.rules.heal());
    }

    /// Delivers at most so many bytes in one write, with a short pause between writes;
    /// `usize::MAX` ends it.
    pub fn trickle(&self, filter: ConnectionFilter, direction: Direction, bytes_per_write: usize) {
        assert!(bytes_per_write > 0, "a write has at least one byte");
        self.rule(filter, direction, Change::Trickle(bytes_per_write));
    }

    /// Closes both ends of these connections now; what was under way is lost.
    pub fn cut(&self, filter: ConnectionFilter) {
        self.matching(filter).iter().for_each(|connection| connection.cut());
    }

    /// Whether new connections are accepted and closed at once.
    pub fn refuse(&self, refuse: bool) {
        self.new_clients(if refuse { NewClients::Refused } else { NewClients::Served });
    }

    /// Whether new connections are accepted and not answered. Those that wait are closed when
    /// this changes.
    pub fn ignore(&self, ignore: bool) {
        self.new_clients(if ignore { NewClients::Ignored } else { NewClients::Served });
    }

    /// How many connections are open on the client's side.
    pub fn connections(&self, filter: ConnectionFilter) -> usize {
        self.matching(filter).iter().filter(|connection| connection.is_open()).count()
    }

    /// How many bytes have been read and not yet delivered. A test that holds waits for this, to
    /// know that what it provoked has reached the relay.
    pub fn buffered_bytes(&self, filter: ConnectionFilter, direction: Direction) -> usize {
        let all = self.matching(filter);
        all.iter().map(|connection| connection.buffered_bytes(direction)).sum()
    }

    /// How many bytes black holes have swallowed, in connections that still exist.
    pub fn dropped_bytes(&self, filter: ConnectionFilter, direction: Direction) -> usize {
        let all = self.matching(filter);
        all.iter().map(|connection| connection.dropped_bytes(direction)).sum()
    }

    fn rule(&self, filter: ConnectionFilter, direction: Direction, change: Change) {
        self.change(|state| state.rules.add(Rule { filter, direction, change }));
    }

    /// Changes the rules and puts them in force everywhere before it returns.
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
        self.new_clients(NewClients::Gone);
        self.cut(ConnectionFilter::All);
        // Wakes the acceptor, which then sees that it is to end.
        TcpStream::connect(self.addr).ok();
        self.acceptor.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// The state is whole after every change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Carries one client's bytes until its end.
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

    /// Puts a connection under the rules; false when the relay has ended meanwhile.
    fn register(&self, connection: &Arc<Connection>) -> bool {
        let mut state = self.lock();
        if state.new_clients == NewClients::Gone {
            return false;
        }
        connection.impair(&state.rules);
        state.connections.push(Arc::clone(connection));
        true
    }

    /// What a client sends may put its connection under other rules, from these bytes on.
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
            NewClients::Gone => return,
        }
    }
}
