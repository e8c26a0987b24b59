//! The clients of a Larder without a Redis, for `CLIENT LIST`.

use super::session::CommandCounts;
use larder_core::Moment;
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Who is here.
#[derive(Default)]
pub(crate) struct ClientRegistry {
    last: AtomicU64,
    commands: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    present: Mutex<BTreeMap<u64, Arc<Client>>>,
}

/// The addresses of both ends of a connection.
pub(crate) struct PeerAddrs {
    pub(crate) remote: String,
    pub(crate) local: String,
}

/// One client, as others see it.
struct Client {
    id: u64,
    addrs: PeerAddrs,
    came: Moment,
    shown: Mutex<ClientInfo>,
}

#[derive(Clone)]
struct ClientInfo {
    seen: Seen,
    name: Vec<u8>,
    library: Vec<u8>,
    library_version: Vec<u8>,
}

/// What a client's last commands show of it.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) active: Moment,
    pub(super) db: u32,
    pub(super) resp3: bool,
    /// Commands since MULTI.
    pub(super) queued: Option<usize>,
    pub(super) command: &'static str,
}

/// A client's place among the others, until it is dropped.
pub(super) struct ClientHandle {
    registry: Arc<ClientRegistry>,
    client: Arc<Client>,
}

/// What a client says about itself, of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Name,
    Library,
    LibraryVersion,
}

impl ClientRegistry {
    pub(super) fn enter(registry: &Arc<Self>, addrs: PeerAddrs, now: Moment) -> ClientHandle {
        let seen = Seen { active: now, db: 0, resp3: false, queued: None, command: "NULL" };
        let (name, library, library_version) = (Vec::new(), Vec::new(), Vec::new());
        let shown = ClientInfo { seen, name, library, library_version };
        let id = registry.last.fetch_add(1, Relaxed) + 1;
        let client = Arc::new(Client { id, addrs, came: now, shown: Mutex::new(shown) });
        registry.present().insert(id, Arc::clone(&client));
        ClientHandle { registry: Arc::clone(registry), client }
    }

    pub(super) fn count(&self, counts: CommandCounts) {
        self.commands.fetch_add(counts.commands, Relaxed);
        self.hits.fetch_add(counts.hits, Relaxed);
        self.misses.fetch_add(counts.misses, Relaxed);
    }

    /// All that was counted.
    pub(super) fn counts(&self) -> CommandCounts {
        CommandCounts {
            commands: self.commands.load(Relaxed),
            hits: self.hits.load(Relaxed),
            misses: self.misses.load(Relaxed),
        }
    }

    /// A line for each client that is wanted.
    pub(super) fn list(&self, now: Moment, wanted: impl Fn(u64) -> bool) -> Vec<u8> {
        let present = self.present();
        present
            .values()
            .filter(|client| wanted(client.id))
            .flat_map(|client| client.line(now))
            .collect()
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Client>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.client.shown().name.clone()
    }

    /// The client tells about itself.
    pub(super) fn tell(&self, about: About, text: &[u8]) {
        let mut shown = self.client.shown();
        let place = match about {
            About::Name => &mut shown.name,
            About::Library => &mut shown.library,
            About::LibraryVersion => &mut shown.library_version,
        };
        *place = text.to_vec();
    }

    pub(super) fn forget_name(&self) {
        self.tell(About::Name, b"");
    }

    pub(super) fn show(&self, seen: Seen) {
        self.client.shown().seen = seen;
    }

    /// Its own line.
    pub(super) fn line(&self, now: Moment) -> Vec<u8> {
        self.client.line(now)
    }
}

impl Drop for ClientHandle {
    fn drop(&mut self) {
        self.registry.present().remove(&self.client.id);
    }
}

impl Client {
    fn shown(&self) -> MutexGuard<'_, ClientInfo> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As Redis 7.2 writes it; what has no meaning here is 0.
    fn line(&self, now: Moment) -> Vec<u8> {
        let ClientInfo { seen, name, library, library_version } = self.shown().clone();
        let Seen { active, db, resp3, queued, command } = seen;
        let mut before =
            format!("id={} addr={} laddr={}", self.id, self.addrs.remote, self.addrs.local);
        before.push_str(" fd=0 name=");
        let mut after = format!(
            " age={} idle={} flags={} db={db} sub=0 psub=0 ssub=0 multi={}",
            now.since(self.came).as_secs(),
            now.since(active).as_secs(),
            if queued.is_some() { "x" } else { "N" },
            queued.map_or(-1, |count| i64::try_from(count).unwrap_or(i64::MAX)),
        );
        // Writing to a string does not fail.
        write!(
            after,
            " qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 \
             events=r cmd={} user=default redir=-1 resp={} lib-name=",
            command.to_ascii_lowercase(),
            if resp3 { 3 } else { 2 },
        )
        .ok();
        let parts = [before.as_bytes(), &name, after.as_bytes(), &library, b" lib-ver="];
        [&parts.concat(), library_version.as_slice(), b"\n"].concat()
    }
}
