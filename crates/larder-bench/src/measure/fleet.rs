//! The servers of one run, filled and warm.

use std::io;
use std::time::Duration;

use crate::client::Client;
use crate::clock::now;
use crate::cores::Cores;
use crate::cpu::resident_bytes;
use crate::generator::{Generator, Target};
use crate::keys::{Family, Order, ValueSize};
use crate::measure::gauges::count;
use crate::measure::{Case, Reads, Transport, shape};
use crate::plan::{Large, Plan};
use crate::servers::{Kind, Server, Setup};
use crate::stop::Stop;

/// How long Larder may take until it keeps all hot keys: it keeps none before its feed is fresh.
const WARM_LIMIT: Duration = Duration::from_secs(20);

/// All servers.
pub(super) struct Fleet {
    /// With what more can be started.
    setup: Setup,
    cores: Cores,
    /// Of each kind one, in the order of [`Kind::MEASURED`].
    servers: Vec<Server>,
    /// The floor knows one value; here are others of it, with larger ones.
    floors: Vec<(ValueSize, Server)>,
    /// A second Larder, for misses: what they leave behind would change the hits of the first.
    cold: Option<Server>,
    // Last, as the proxies hang on it.
    backend: Server,
}

/// What a Larder holds.
pub(super) struct Memory {
    pub(super) items: u64,
    pub(super) resident_bytes: u64,
}

impl Fleet {
    pub(super) fn start(setup: &Setup, plan: &Plan, cores: Cores, stop: &Stop) -> io::Result<Self> {
        let backend = Server::start(Kind::Backend, setup, cores)?;
        let setup = Setup { backend_port: backend.port(), ..setup.clone() };
        let start = |kind| Server::start(kind, &setup, cores);
        let servers = setup.kinds().into_iter().map(start).collect::<io::Result<_>>()?;
        let cold = setup.larder.is_some().then(|| start(Kind::Larder)).transpose()?;
        let floors = floors(&setup, plan, cores)?;
        let fleet = Self { setup, cores, servers, floors, cold, backend };
        fleet.fill(plan, stop)?;
        Ok(fleet)
    }

    fn fill(&self, plan: &Plan, stop: &Stop) -> io::Result<()> {
        fill_hot(&self.backend, plan, stop)?;
        fill(&self.backend, Family::MIXED_APART, plan.hot_keys, stop)?;
        if self.setup.larder.is_some() || self.setup.nutcracker.is_some() {
            fill(&self.backend, Family::COLD, plan.cold_keys, stop)?;
        }
        for server in &self.servers {
            match server.kind {
                Kind::Redis => fill_hot(server, plan, stop)?,
                Kind::Memcached => fill(server, Family::HOT, plan.hot_keys, stop)?,
                Kind::Larder => warm(server, plan, stop)?,
                Kind::Floor | Kind::Nutcracker | Kind::Haproxy | Kind::Backend => {}
            }
        }
        Ok(())
    }

    /// Who takes part in a case, and where they are asked.
    pub(super) fn members(&self, case: &Case) -> Vec<(&Server, Target)> {
        let asked_at = |server| match case.transport {
            Transport::Tcp => Some(Server::tcp(server)),
            Transport::Unix => Server::unix(server),
        };
        let servers = self.servers.iter().filter(|server| case.is_for(server.kind));
        let servers = servers.map(|server| self.for_case(server, case));
        servers.filter_map(|server| Some((server, asked_at(server)?))).collect()
    }

    /// The server of the same kind that this case is for.
    fn for_case<'a>(&'a self, server: &'a Server, case: &Case) -> &'a Server {
        let other = match (server.kind, case.reads) {
            (Kind::Larder, Reads::Misses) => self.cold.as_ref(),
            (Kind::Floor, _) => {
                let floor = self.floors.iter().find(|(size, _)| *size == case.size);
                floor.map(|(_, floor)| floor)
            }
            _ => None,
        };
        other.unwrap_or(server)
    }

    /// The Redis that a server asks.
    pub(super) fn behind(&self, server: &Server) -> Option<&Server> {
        server.kind.has_redis_behind().then_some(&self.backend)
    }

    /// A Larder that has read nothing; `None` if there is no program for it.
    pub(super) fn another_larder(&self) -> io::Result<Option<Server>> {
        let start = || Server::start(Kind::Larder, &self.setup, self.cores);
        self.setup.larder.is_some().then(start).transpose()
    }

    /// Name and version of each program.
    pub(super) fn versions(&self) -> io::Result<Vec<(String, String)>> {
        let version =
            |server: &Server| Ok((server.kind.name().to_owned(), self.setup.version(server.kind)?));
        self.servers.iter().map(version).collect()
    }

    /// Name and command of each server.
    pub(super) fn commands(&self) -> Vec<(String, String)> {
        let all = self.servers.iter().chain([&self.backend]);
        all.map(|server| (server.kind.name().to_owned(), server.command().to_owned())).collect()
    }
}

/// Floors whose value is larger.
fn floors(setup: &Setup, plan: &Plan, cores: Cores) -> io::Result<Vec<(ValueSize, Server)>> {
    let start = |size| {
        let floor_bytes = Family::with_values_of(size).value_bytes();
        let setup = Setup { floor_bytes, ..setup.clone() };
        Ok((size, Server::start(Kind::Floor, &setup, cores)?))
    };
    plan.large.iter().map(|large| start(large.size)).collect()
}

/// The keys that are read over and over, of each family so many.
fn hot_families(plan: &Plan) -> impl Iterator<Item = (Family, u64)> {
    let large = |it: &Large| (Family::with_values_of(it.size), it.keys);
    let usual = [Family::HOT, Family::MIXED].map(|family| (family, plan.hot_keys));
    usual.into_iter().chain(plan.large.iter().map(large))
}

/// Sets all keys that are read over and over.
fn fill_hot(server: &Server, plan: &Plan, stop: &Stop) -> io::Result<()> {
    hot_families(plan).try_for_each(|(family, keys)| fill(server, family, keys, stop))
}

/// Sets the first keys of a family.
fn fill(server: &Server, family: Family, keys: u64, stop: &Stop) -> io::Result<()> {
    Client::connect(server.port())?.fill(server.protocol(), family, 0..keys, stop)
}

/// Reads all keys that are read over and over, until Larder keeps them.
fn warm(larder: &Server, plan: &Plan, stop: &Stop) -> io::Result<()> {
    let end = now() + WARM_LIMIT;
    let mut wanted = 0;
    for (family, keys) in hot_families(plan) {
        wanted += keys;
        let shape = shape(larder, family, 1, 1);
        let mut generator = Generator::connect(&larder.tcp(), shape, stop)?;
        while memory(larder)?.items < wanted {
            if now() > end {
                let what = format!("larder does not keep what it reads, as {}", family.key(0));
                return Err(io::Error::other(what));
            }
            generator.run(&mut Order::once(0..keys), WARM_LIMIT)?.all_right()?;
        }
    }
    Ok(())
}

/// Asks a Larder what it holds, and the kernel what that takes.
pub(super) fn memory(larder: &Server) -> io::Result<Memory> {
    let items = count(larder, "larder", "larder_near_items:")?;
    Ok(Memory { items, resident_bytes: resident_bytes(larder.pid())? })
}
