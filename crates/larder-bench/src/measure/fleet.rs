//! The servers of one run, filled and warm.

use std::io;
use std::time::Duration;

use crate::client::Client;
use crate::clock::now;
use crate::cores::Cores;
use crate::cpu::resident_bytes;
use crate::generator::{Generator, Target};
use crate::keys::{Family, Order};
use crate::measure::{Case, Reads, Transport, shape};
use crate::plan::Plan;
use crate::servers::{Kind, Server, Setup};
use crate::stop::Stop;

/// How long Larder may take until it keeps all hot keys: it keeps none before its feed is fresh.
const WARM_LIMIT: Duration = Duration::from_secs(20);

/// All servers.
pub(super) struct Fleet {
    /// With what more can be started.
    setup: Setup,
    cores: Cores,
    /// Of each kind one, in the order of [`Kind`].
    servers: Vec<Server>,
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
        let fleet = Self { setup, cores, servers, cold, backend };
        fleet.fill(plan, stop)?;
        Ok(fleet)
    }

    fn fill(&self, plan: &Plan, stop: &Stop) -> io::Result<()> {
        fill(&self.backend, Family::HOT, plan.hot_keys, stop)?;
        if self.setup.larder.is_some() || self.setup.nutcracker.is_some() {
            fill(&self.backend, Family::COLD, plan.cold_keys, stop)?;
        }
        for server in &self.servers {
            match server.kind {
                Kind::Redis | Kind::Memcached => {
                    fill(server, Family::HOT, plan.hot_keys, stop)?;
                }
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
        let proxy = |server: &&Server| server.kind == Kind::Nutcracker;
        let servers: Vec<&Server> = match case.reads {
            Reads::Hits => self.servers.iter().collect(),
            Reads::Misses => self.servers.iter().filter(proxy).chain(&self.cold).collect(),
        };
        servers.into_iter().filter_map(|server| Some((server, asked_at(server)?))).collect()
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

/// Sets the first keys of a family.
fn fill(server: &Server, family: Family, keys: u64, stop: &Stop) -> io::Result<()> {
    Client::connect(server.port())?.fill(server.protocol(), family, 0..keys, stop)
}

/// Reads the hot keys until Larder keeps them all.
fn warm(larder: &Server, plan: &Plan, stop: &Stop) -> io::Result<()> {
    let shape = shape(larder, Family::HOT, 1, 1);
    let mut generator = Generator::connect(&larder.tcp(), shape, stop)?;
    let end = now() + WARM_LIMIT;
    while memory(larder)?.items < plan.hot_keys {
        if now() > end {
            return Err(io::Error::other("larder does not keep what it reads"));
        }
        generator.run(&mut Order::Once(0..plan.hot_keys), WARM_LIMIT)?.all_right()?;
    }
    Ok(())
}

/// Asks a Larder what it holds, and the kernel what that takes.
pub(super) fn memory(larder: &Server) -> io::Result<Memory> {
    let info = Client::connect(larder.port())?.ask(&["INFO", "larder"])?;
    let items = info.lines().find_map(|line| line.strip_prefix("larder_near_items:"));
    let items = items.and_then(|digits| digits.parse().ok());
    let items = items.ok_or_else(|| io::Error::other("larder does not say what it holds"))?;
    Ok(Memory { items, resident_bytes: resident_bytes(larder.pid())? })
}
