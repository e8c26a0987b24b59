//! The clients of a Larder without a Redis, for `CLIENT LIST`.

use crate::listeners::resp::proxy::{client::PeerAddrs, read_context::Protocol};
use larder_core::Moment;
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// See the [module](self).
#[derive(Default)]
pub(crate) struct ClientRegistry {
    last_id: AtomicU64,
    commands: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    clients: Mutex<BTreeMap<u64, Arc<Client>>>,
}

/// Counts of commands, of keys read that were there or not, and of writes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CommandCounts {
    pub(super) commands: u64,
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) writes: u64,
    pub(super) writes_refused: u64,
}

/// One client, as others see it.
struct Client {
    id: u64,
    addrs: PeerAddrs,
    connected: Moment,
    info: Mutex<ClientInfo>,
}

#[derive(Clone)]
struct ClientInfo {
    activity: Activity,
    name: Vec<u8>,
    library: Vec<u8>,
    library_version: Vec<u8>,
}

/// What a client's last commands reveal of its state.
#[derive(Clone, Copy)]
pub(super) struct Activity {
    pub(super) at: Moment,
    pub(super) db: u32,
    pub(super) protocol: Protocol,
    /// The number of commands since MULTI.
    pub(super) queued: Option<usize>,
    pub(super) command: &'static str,
}

/// A client's entry in the registry. Dropping it removes the client.
pub(super) struct ClientHandle {
    registry: Arc<ClientRegistry>,
    client: Arc<Client>,
}

/// What a client may say about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    Name,
    Library,
    LibraryVersion,
}

impl CommandCounts {
    /// Counts a read.
    pub(super) fn read(&mut self, found: bool) {
        self.hits += u64::from(found);
        self.misses += u64::from(!found);
    }

    /// Counts a write.
    pub(super) fn wrote(&mut self, done: bool) {
        self.writes += u64::from(done);
        self.writes_refused += u64::from(!done);
    }
}

impl ClientRegistry {
    pub(super) fn register(registry: &Arc<Self>, addrs: PeerAddrs, now: Moment) -> ClientHandle {
        let protocol = Protocol::default();
        let activity = Activity { at: now, db: 0, protocol, queued: None, command: "NULL" };
        let (name, library, library_version) = (Vec::new(), Vec::new(), Vec::new());
        let info = ClientInfo { activity, name, library, library_version };
        let id = registry.last_id.fetch_add(1, Relaxed) + 1;
        let client = Arc::new(Client { id, addrs, connected: now, info: Mutex::new(info) });
        registry.clients().insert(id, Arc::clone(&client));
        ClientHandle { registry: Arc::clone(registry), client }
    }

    /// Adds to the counts of all clients.
    pub(super) fn count(&self, counts: CommandCounts) {
        self.commands.fetch_add(counts.commands, Relaxed);
        self.hits.fetch_add(counts.hits, Relaxed);
        self.misses.fetch_add(counts.misses, Relaxed);
    }

    /// Returns the counts of all clients.
    pub(super) fn counts(&self) -> CommandCounts {
        CommandCounts {
            commands: self.commands.load(Relaxed),
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
            ..CommandCounts::default()
        }
    }

    /// Returns a line for each client whose id is `wanted`.
    pub(super) fn list(&self, now: Moment, wanted: impl Fn(u64) -> bool) -> Vec<u8> {
        let clients = self.clients();
        clients
            .values()
            .filter(|client| wanted(client.id))
            .flat_map(|client| client.line(now))
            .collect()
    }

    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientHandle {
    pub(super) fn registry(&self) -> &ClientRegistry {
        &self.registry
    }

    pub(super) fn id(&self) -> u64 {
        self.client.id
    }

    pub(super) fn name(&self) -> Vec<u8> {
        self.client.info().name.clone()
    }

    pub(super) fn set(&self, attribute: Attribute, text: &[u8]) {
        let mut info = self.client.info();
        let field = match attribute {
            Attribute::Name => &mut info.name,
            Attribute::Library => &mut info.library,
            Attribute::LibraryVersion => &mut info.library_version,
        };
        *field = text.to_vec();
    }

    pub(super) fn clear_name(&self) {
        self.set(Attribute::Name, b"");
    }

    pub(super) fn publish(&self, activity: Activity) {
        self.client.info().activity = activity;
    }

    /// Returns the client's own line.
    pub(super) fn line(&self, now: Moment) -> Vec<u8> {
        self.client.line(now)
    }
}

impl Drop for ClientHandle {
    fn drop(&mut self) {
        self.registry.clients().remove(&self.client.id);
    }
}

impl Client {
    fn info(&self) -> MutexGuard<'_, ClientInfo> {
        self.info.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the line as Redis 7.2 writes it. Fields without a meaning here are 0.
    fn line(&self, now: Moment) -> Vec<u8> {
        let ClientInfo { activity, name, library, library_version } = self.info().clone();
        let Activity { at, db, protocol, queued, command } = activity;
        let mut before =
            format!("id={} addr={} laddr={}", self.id, self.addrs.remote, self.addrs.local);
        before.push_str(" fd=0 name=");
        let mut after = format!(
            " age={} idle={} flags={} db={db} sub=0 psub=0 ssub=0 multi={}",
            now.since(self.connected).as_secs(),
            now.since(at).as_secs(),
            if queued.is_some() { "x" } else { "N" },
            queued.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        );
        // Writing to a string does not fail.
        write!(
            after,
            " qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 \
             events=r cmd={} user=default redir=-1 resp={} lib-name=",
            command.to_ascii_lowercase(),
            protocol.number(),
        )
        .ok();
        let parts = [before.as_bytes(), &name, after.as_bytes(), &library, b" lib-ver="];
        [&parts.concat(), library_version.as_slice(), b"\n"].concat()
    }
}
