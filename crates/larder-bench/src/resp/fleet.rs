//! The servers of one run, filled and warmed up.

use std::io;
use std::time::Duration;

use crate::client::Client;
use crate::clock::now;
use crate::cores::Cores;
use crate::cpu::resident_bytes;
use crate::generator::{Generator, Target};
use crate::keys::{KeySequence, KeySpace, ValueSize};
use crate::plan::{LargeValues, Plan};
use crate::resp::case::{Case, Transport, Workload};
use crate::resp::usage::info_counter;
use crate::servers::{Server, ServerKind, Setup};
use crate::stop::Stop;

/// How long Larder may take until it has cached all hot keys. It caches none before its feed is
/// live.
const WARM_LIMIT: Duration = Duration::from_secs(20);

/// The running servers.
pub(super) struct Fleet {
    /// The programs to start further servers with.
    setup: Setup,
    cores: Cores,
    /// One of each kind, in the order of [`ServerKind::MEASURED`].
    servers: Vec<Server>,
    /// Further baselines with larger values, as each has one fixed value.
    baselines: Vec<(ValueSize, Server)>,
    /// A second Larder for misses, as they would fill the near cache of the first.
    cold: Option<Server>,
    // Dropped last, as the proxies depend on it.
    backend: Server,
}

/// The entries and the memory of a Larder.
pub(super) struct Memory {
    pub(super) items: u64,
    pub(super) resident_bytes: u64,
}

impl Fleet {
    pub(super) fn start(setup: &Setup, plan: &Plan, cores: Cores, stop: &Stop) -> io::Result<Self> {
        let backend = Server::start(ServerKind::Backend, setup, cores)?;
        let setup = Setup { backend_port: backend.port(), ..setup.clone() };
        let start = |kind| Server::start(kind, &setup, cores);
        let servers = setup.kinds().into_iter().map(start).collect::<io::Result<_>>()?;
        let cold = setup.larder.is_some().then(|| start(ServerKind::Larder)).transpose()?;
        let baselines = baselines(&setup, plan, cores)?;
        let fleet = Self { setup, cores, servers, baselines, cold, backend };
        fleet.fill(plan, stop)?;
        Ok(fleet)
    }

    fn fill(&self, plan: &Plan, stop: &Stop) -> io::Result<()> {
        fill_hot(&self.backend, plan, stop)?;
        fill(&self.backend, KeySpace::MIXED_SEPARATE, plan.hot_keys, stop)?;
        if self.setup.larder.is_some() || self.setup.nutcracker.is_some() {
            fill(&self.backend, KeySpace::COLD, plan.cold_keys, stop)?;
        }
        for server in &self.servers {
            match server.kind {
                ServerKind::Redis => fill_hot(server, plan, stop)?,
                ServerKind::Memcached => fill(server, KeySpace::HOT, plan.hot_keys, stop)?,
                ServerKind::Larder => warm(server, plan, stop)?,
                ServerKind::Baseline
                | ServerKind::Nutcracker
                | ServerKind::Haproxy
                | ServerKind::Backend => {}
            }
        }
        Ok(())
    }

    /// Returns the servers that take part in a case, with their addresses.
    pub(super) fn members(&self, case: &Case) -> Vec<(&Server, Target)> {
        let address = |server| match case.transport {
            Transport::Tcp => Some(Server::tcp(server)),
            Transport::Unix => Server::unix(server),
        };
        let servers = self.servers.iter().filter(|server| case.is_for(server.kind));
        let servers = servers.map(|server| self.for_case(server, case));
        servers.filter_map(|server| Some((server, address(server)?))).collect()
    }

    /// Returns the server of the same kind that this case is measured with.
    fn for_case<'a>(&'a self, server: &'a Server, case: &Case) -> &'a Server {
        let other = match (server.kind, case.workload) {
            (ServerKind::Larder, Workload::Misses) => self.cold.as_ref(),
            (ServerKind::Baseline, _) => {
                let baseline = self.baselines.iter().find(|(size, _)| *size == case.size);
                baseline.map(|(_, baseline)| baseline)
            }
            _ => None,
        };
        other.unwrap_or(server)
    }

    /// Returns the backend of a server, if it has one.
    pub(super) fn backend_of(&self, server: &Server) -> Option<&Server> {
        server.kind.has_backend().then_some(&self.backend)
    }

    /// Starts a Larder with an empty near cache; `None` without a program for it.
    pub(super) fn start_another_larder(&self) -> io::Result<Option<Server>> {
        let start = || Server::start(ServerKind::Larder, &self.setup, self.cores);
        self.setup.larder.is_some().then(start).transpose()
    }

    /// Returns the name and version of each program.
    pub(super) fn versions(&self) -> io::Result<Vec<(String, String)>> {
        let version =
            |server: &Server| Ok((server.kind.name().to_owned(), self.setup.version(server.kind)?));
        self.servers.iter().map(version).collect()
    }

    /// Returns the name and command line of each server.
    pub(super) fn commands(&self) -> Vec<(String, String)> {
        let all = self.servers.iter().chain([&self.backend]);
        all.map(|server| (server.kind.name().to_owned(), server.command().to_owned())).collect()
    }
}

/// Starts baselines with larger values.
fn baselines(setup: &Setup, plan: &Plan, cores: Cores) -> io::Result<Vec<(ValueSize, Server)>> {
    let start = |size| {
        let baseline_bytes = KeySpace::with_values_of(size).value_bytes();
        let setup = Setup { baseline_bytes, ..setup.clone() };
        Ok((size, Server::start(ServerKind::Baseline, &setup, cores)?))
    };
    plan.large.iter().map(|large| start(large.size)).collect()
}

/// Returns the key spaces of hot keys, each with its number of keys.
fn hot_key_spaces(plan: &Plan) -> impl Iterator<Item = (KeySpace, u64)> {
    let large = |it: &LargeValues| (KeySpace::with_values_of(it.size), it.keys);
    let usual = [KeySpace::HOT, KeySpace::MIXED].map(|key_space| (key_space, plan.hot_keys));
    usual.into_iter().chain(plan.large.iter().map(large))
}

/// Sets all hot keys.
fn fill_hot(server: &Server, plan: &Plan, stop: &Stop) -> io::Result<()> {
    hot_key_spaces(plan).try_for_each(|(key_space, keys)| fill(server, key_space, keys, stop))
}

/// Sets the first keys of a key space.
fn fill(server: &Server, key_space: KeySpace, keys: u64, stop: &Stop) -> io::Result<()> {
    Client::connect(server.port())?.fill(server.protocol(), key_space, 0..keys, stop)
}

/// Reads all hot keys until Larder has cached them.
fn warm(larder: &Server, plan: &Plan, stop: &Stop) -> io::Result<()> {
    let deadline = now() + WARM_LIMIT;
    let mut wanted = 0;
    for (key_space, keys) in hot_key_spaces(plan) {
        wanted += keys;
        let config = larder.load_config(key_space, 1, 1);
        let mut generator = Generator::connect(&larder.tcp(), config, stop)?;
        while memory(larder)?.items < wanted {
            if now() > deadline {
                let text = format!("larder does not cache keys such as {}", key_space.key(0));
                return Err(io::Error::other(text));
            }
            generator.run(&mut KeySequence::once(0..keys), WARM_LIMIT)?.checked()?;
        }
    }
    Ok(())
}

/// Reads the number of entries from a Larder, and its memory from the kernel.
pub(super) fn memory(larder: &Server) -> io::Result<Memory> {
    let items = info_counter(larder, "larder", "larder_near_items:")?;
    Ok(Memory { items, resident_bytes: resident_bytes(larder.pid())? })
}
