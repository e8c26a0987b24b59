//! The HTTP servers of one run, filled and warm.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::client::Client;
use crate::clock::now;
use crate::cores::Cores;
use crate::generator::http::Exchange;
use crate::generator::{Generator, Protocol, Target};
use crate::http::{Ask, HttpKind, HttpSetup};
use crate::keys::{Family, Order};
use crate::plan::Plan;
use crate::servers::{Kind, Launched, Server, Setup, named};
use crate::stop::Stop;

/// How long a server may take until it keeps all hot keys: Larder keeps none before its feed is
/// fresh.
const WARM_LIMIT: Duration = Duration::from_mins(1);

/// A running server.
pub(super) struct HttpServer {
    kind: HttpKind,
    launched: Launched,
}

impl HttpServer {
    pub(super) fn pid(&self) -> u32 {
        self.launched.pid()
    }

    pub(super) fn target(&self) -> Target {
        Target::Tcp(self.launched.port())
    }
}

/// Who takes part in a case, and what is said.
pub(super) struct Member<'a> {
    pub(super) server: &'a HttpServer,
    pub(super) exchange: Exchange,
}

impl Member<'_> {
    pub(super) fn kind(&self) -> HttpKind {
        self.server.kind
    }
}

/// All servers.
pub(super) struct Fleet {
    setup: HttpSetup,
    servers: Vec<HttpServer>,
    /// The first hot key's `ETag`, of those that know it.
    etags: Vec<(HttpKind, String)>,
    // Last, as the others hang on it.
    backend: Server,
}

impl Fleet {
    pub(super) fn start(
        setup: &HttpSetup,
        plan: &Plan,
        cores: Cores,
        stop: &Stop,
    ) -> io::Result<Self> {
        let backend = Server::start(Kind::Backend, &behind(setup), cores)?;
        Client::connect(backend.port())?.fill(
            Protocol::Resp,
            Family::HOT,
            0..plan.hot_keys,
            stop,
        )?;
        let setup = HttpSetup { backend_port: backend.port(), ..setup.clone() };
        let mut servers = Vec::new();
        let mut etags = Vec::new();
        for kind in setup.kinds() {
            let server = start(kind, &setup, plan, cores)?;
            warm(&server, plan, stop).map_err(|error| named(kind.name(), &error))?;
            if kind.knows_etags() {
                etags.push((kind, etag(&server)?));
            }
            servers.push(server);
        }
        Ok(Self { setup, servers, etags, backend })
    }

    /// Who takes part.
    pub(super) fn members(&self, ask: Ask) -> Vec<Member<'_>> {
        let exchange = |kind: HttpKind| match ask {
            Ask::Value => Some(kind.exchange()),
            Ask::Change => {
                let (_, etag) = self.etags.iter().find(|(other, _)| *other == kind)?;
                Some(kind.exchange().unless(etag))
            }
        };
        let servers = self.servers.iter();
        servers
            .filter_map(|server| Some(Member { server, exchange: exchange(server.kind)? }))
            .collect()
    }

    /// The Redis that a server asks.
    pub(super) fn behind(&self, kind: HttpKind) -> Option<&Server> {
        kind.has_redis_behind().then_some(&self.backend)
    }

    /// Name and version of each program.
    pub(super) fn versions(&self) -> io::Result<Vec<(String, String)>> {
        let version = |server: &HttpServer| {
            Ok((server.kind.name().to_owned(), self.setup.version(server.kind)?))
        };
        let redis = behind(&self.setup).version(Kind::Backend)?;
        let all = self.servers.iter().map(version);
        all.chain([Ok((Kind::Backend.name().to_owned(), redis))]).collect()
    }

    /// Name and command of each server.
    pub(super) fn commands(&self) -> Vec<(String, String)> {
        let own = self.servers.iter().map(|server| (server.kind.name(), &*server.launched.command));
        let all = own.chain([(Kind::Backend.name(), self.backend.command())]);
        all.map(|(name, command)| (name.to_owned(), command.to_owned())).collect()
    }
}

/// What the Redis behind them is started with.
fn behind(setup: &HttpSetup) -> Setup {
    Setup::new(setup.floor.clone(), setup.redis.clone())
}

fn start(kind: HttpKind, setup: &HttpSetup, plan: &Plan, cores: Cores) -> io::Result<HttpServer> {
    let question = kind.exchange().request();
    let launch = |folder: &_, port| kind.launch(setup, plan.hot_keys, folder, port);
    let launched = Launched::start(kind.name(), cores, question.as_bytes(), launch)?;
    Ok(HttpServer { kind, launched })
}

/// Reads the hot keys once; from Larder until it keeps them all.
fn warm(server: &HttpServer, plan: &Plan, stop: &Stop) -> io::Result<()> {
    let exchange = server.kind.exchange();
    let mut generator = Generator::connect_http(&server.target(), 1, &exchange, stop)?;
    let end = now() + WARM_LIMIT;
    loop {
        generator.run(&mut Order::once(0..plan.hot_keys), WARM_LIMIT)?.all_right()?;
        if server.kind != HttpKind::Larder || items(server)? >= plan.hot_keys {
            return Ok(());
        }
        if now() > end {
            return Err(io::Error::other("does not keep what it reads"));
        }
    }
}

/// How many entries a Larder holds.
fn items(larder: &HttpServer) -> io::Result<u64> {
    let answer = answer(larder, "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\n")?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let stats: serde_json::Value = serde_json::from_str(body)?;
    let items = stats.pointer("/near/items").and_then(serde_json::Value::as_u64);
    items.ok_or_else(|| io::Error::other("does not say what it holds"))
}

/// The version of key 0.
fn etag(server: &HttpServer) -> io::Result<String> {
    let answer = answer(server, server.kind.exchange().request().trim_end())?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("etag").then(|| value.trim().to_owned())
    };
    let etag = answer.lines().find_map(header);
    etag.ok_or_else(|| io::Error::other(format!("{} gives no ETag", server.kind.name())))
}

/// The whole answer to a request, on a connection of its own.
fn answer(server: &HttpServer, head: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, server.launched.port()))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(socket, "{}\r\nConnection: close\r\n\r\n", head.trim_end())?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text)
}
