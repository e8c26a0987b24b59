//! The clients of a Larder without a Redis, for `CLIENT LIST`.

use super::session::Tally;
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
pub(crate) struct Guests {
    last: AtomicU64,
    commands: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    present: Mutex<BTreeMap<u64, Arc<Guest>>>,
}

/// The addresses of both ends of a connection.
pub(crate) struct Ends {
    pub(crate) theirs: String,
    pub(crate) ours: String,
}

/// One client, as others see it.
struct Guest {
    id: u64,
    ends: Ends,
    came: Moment,
    shown: Mutex<Shown>,
}

#[derive(Clone)]
struct Shown {
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
pub(super) struct Presence {
    guests: Arc<Guests>,
    guest: Arc<Guest>,
}

/// What a client says about itself, of its own accord.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Name,
    Library,
    LibraryVersion,
}

impl Guests {
    pub(super) fn enter(guests: &Arc<Self>, ends: Ends, now: Moment) -> Presence {
        let seen = Seen { active: now, db: 0, resp3: false, queued: None, command: "NULL" };
        let (name, library, library_version) = (Vec::new(), Vec::new(), Vec::new());
        let shown = Shown { seen, name, library, library_version };
        let id = guests.last.fetch_add(1, Relaxed) + 1;
        let guest = Arc::new(Guest { id, ends, came: now, shown: Mutex::new(shown) });
        guests.present().insert(id, Arc::clone(&guest));
        Presence { guests: Arc::clone(guests), guest }
    }

    pub(super) fn count(&self, tally: Tally) {
        self.commands.fetch_add(tally.commands, Relaxed);
        self.hits.fetch_add(tally.hits, Relaxed);
        self.misses.fetch_add(tally.misses, Relaxed);
    }

    /// All that was counted.
    pub(super) fn tally(&self) -> Tally {
        Tally {
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
            .filter(|guest| wanted(guest.id))
            .flat_map(|guest| guest.line(now))
            .collect()
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Guest>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Presence {
    pub(super) fn guests(&self) -> &Guests {
        &self.guests
    }

    pub(super) fn id(&self) -> u64 {
        self.guest.id
    }

    pub(super) fn name(&self) -> Vec<u8> {
        self.guest.shown().name.clone()
    }

    /// The client tells about itself.
    pub(super) fn tell(&self, about: About, text: &[u8]) {
        let mut shown = self.guest.shown();
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
        self.guest.shown().seen = seen;
    }

    /// Its own line.
    pub(super) fn line(&self, now: Moment) -> Vec<u8> {
        self.guest.line(now)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.guests.present().remove(&self.guest.id);
    }
}

impl Guest {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As Redis 7.2 writes it; what has no meaning here is 0.
    fn line(&self, now: Moment) -> Vec<u8> {
        let Shown { seen, name, library, library_version } = self.shown().clone();
        let Seen { active, db, resp3, queued, command } = seen;
        let mut before =
            format!("id={} addr={} laddr={}", self.id, self.ends.theirs, self.ends.ours);
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
