//! A TCP relay between Larder and Redis that delays, holds, swallows or cuts what passes.
//!
//! A control is for all connections or for those that sent a given text ([`Which`]); it holds for
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
pub use rules::{Direction, Which};

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
    newcomers: Newcomers,
    connections: Vec<Arc<Connection>>,
    /// Clients that were accepted and are not answered.
    ignored: Vec<TcpStream>,
}

/// What becomes of a new client.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Newcomers {
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
    pub fn delay(&self, which: Which, direction: Direction, delay: Duration) {
        self.rule(which, direction, Change::Delay(delay));
    }

    /// Keeps bytes back until [`Self::release`]; past 64 MiB a direction is no longer read.
    pub fn hold(&self, which: Which, direction: Direction) {
        self.rule(which, direction, Change::Hold(true));
    }

    /// Delivers what was held, in order, and holds no more.
    pub fn release(&self, which: Which, direction: Direction) {
        self.rule(which, direction, Change::Hold(false));
    }

    /// Swallows bytes not yet delivered and all that come, ends of streams included; sockets stay
    /// open, and new ones open.
    pub fn blackhole(&self, which: Which, direction: Direction) {
        self.rule(which, direction, Change::Swallow);
    }

    /// Ends every black hole, and no other control. What was swallowed stays lost.
    pub fn heal(&self) {
        self.change(|state| state.rules.heal());
    }

    /// Delivers at most so many bytes in one write, with a short pause between writes;
    /// `usize::MAX` ends it.
    pub fn trickle(&self, which: Which, direction: Direction, bytes_per_write: usize) {
        assert!(bytes_per_write > 0, "a write has at least one byte");
        self.rule(which, direction, Change::Trickle(bytes_per_write));
    }

    /// Closes both ends of these connections now; what was under way is lost.
    pub fn cut(&self, which: Which) {
        self.matching(which).iter().for_each(|connection| connection.cut());
    }

    /// Whether new connections are accepted and closed at once.
    pub fn refuse(&self, refuse: bool) {
        self.newcomers(if refuse { Newcomers::Refused } else { Newcomers::Served });
    }

    /// Whether new connections are accepted and not answered. Those that wait are closed when
    /// this changes.
    pub fn ignore(&self, ignore: bool) {
        self.newcomers(if ignore { Newcomers::Ignored } else { Newcomers::Served });
    }

    /// How many connections are open on the client's side.
    pub fn connections(&self, which: Which) -> usize {
        self.matching(which).iter().filter(|connection| connection.is_open()).count()
    }

    /// How many bytes have been read and not yet delivered. A test that holds waits for this, to
    /// know that what it provoked has reached the relay.
    pub fn waiting_bytes(&self, which: Which, direction: Direction) -> usize {
        let all = self.matching(which);
        all.iter().map(|connection| connection.waiting_bytes(direction)).sum()
    }

    /// How many bytes black holes have swallowed, in connections that still exist.
    pub fn swallowed_bytes(&self, which: Which, direction: Direction) -> usize {
        let all = self.matching(which);
        all.iter().map(|connection| connection.swallowed_bytes(direction)).sum()
    }

    fn rule(&self, which: Which, direction: Direction, change: Change) {
        self.change(|state| state.rules.add(Rule { which, direction, change }));
    }

    /// Changes the rules and puts them in force everywhere before it returns.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.shared.lock();
        change(&mut state);
        state.connections.iter().for_each(|connection| connection.treat(&state.rules));
    }

    fn newcomers(&self, newcomers: Newcomers) {
        let mut state = self.shared.lock();
        state.newcomers = newcomers;
        state.ignored.clear();
    }

    fn matching(&self, which: Which) -> Vec<Arc<Connection>> {
        let state = self.shared.lock();
        state.connections.iter().filter(|connection| connection.is(which)).cloned().collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.newcomers(Newcomers::Gone);
        self.cut(Which::All);
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
        if self.enter(&connection) {
            connection.run(|bytes| self.heard(&connection, bytes));
            self.lock().connections.retain(|other| !Arc::ptr_eq(other, &connection));
        }
    }

    /// Puts a connection under the rules; false when the relay has ended meanwhile.
    fn enter(&self, connection: &Arc<Connection>) -> bool {
        let mut state = self.lock();
        if state.newcomers == Newcomers::Gone {
            return false;
        }
        connection.treat(&state.rules);
        state.connections.push(Arc::clone(connection));
        true
    }

    /// What a client sends may put its connection under other rules, from these bytes on.
    fn heard(&self, connection: &Connection, bytes: &[u8]) {
        let state = self.lock();
        connection.note_sent(bytes);
        connection.treat(&state.rules);
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().map_while(Result::ok) {
        let mut state = shared.lock();
        match state.newcomers {
            Newcomers::Served => {
                let shared = Arc::clone(shared);
                thread::spawn(move || shared.serve(client));
            }
            Newcomers::Refused => drop(client),
            Newcomers::Ignored => state.ignored.push(client),
            Newcomers::Gone => return,
        }
    }
}
