//! The HTTP servers of one run, filled and warmed up.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::client::Client;
use crate::clock::now;
use crate::cores::Cores;
use crate::error::with_context;
use crate::generator::http::Exchange;
use crate::generator::{Generator, Protocol, Target};
use crate::http::{HttpKind, HttpRequest, HttpSetup};
use crate::keys::{KeySequence, KeySpace};
use crate::plan::Plan;
use crate::servers::{Server, ServerKind, ServerProcess, Setup};
use crate::stop::Stop;

/// How long a server may take until it has cached all hot keys. Larder caches none before its feed
/// is live.
const WARM_LIMIT: Duration = Duration::from_mins(1);

/// A running server.
pub(super) struct HttpServer {
    kind: HttpKind,
    process: ServerProcess,
}

impl HttpServer {
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn target(&self) -> Target {
        Target::Tcp(self.process.port())
    }
}

/// A server that takes part in a case, and its request and response.
pub(super) struct Member<'a> {
    pub(super) server: &'a HttpServer,
    pub(super) exchange: Exchange,
}

impl Member<'_> {
    pub(super) fn kind(&self) -> HttpKind {
        self.server.kind
    }
}

/// The running servers.
pub(super) struct Fleet {
    setup: HttpSetup,
    servers: Vec<HttpServer>,
    /// The `ETag` of the first hot key, of the servers that send one.
    etags: Vec<(HttpKind, String)>,
    // Dropped last, as the others depend on it.
    backend: Server,
}

impl Fleet {
    pub(super) fn start(
        setup: &HttpSetup,
        plan: &Plan,
        cores: Cores,
        stop: &Stop,
    ) -> io::Result<Self> {
        let backend = Server::start(ServerKind::Backend, &backend_setup(setup), cores)?;
        Client::connect(backend.port())?.fill(
            Protocol::Resp,
            KeySpace::HOT,
            0..plan.hot_keys,
            stop,
        )?;
        let setup = HttpSetup { backend_port: backend.port(), ..setup.clone() };
        let mut servers = Vec::new();
        let mut etags = Vec::new();
        for kind in setup.kinds() {
            let server = start(kind, &setup, plan, cores)?;
            warm(&server, plan, stop).map_err(|error| with_context(kind.name(), &error))?;
            if kind.has_etags() {
                etags.push((kind, etag(&server)?));
            }
            servers.push(server);
        }
        Ok(Self { setup, servers, etags, backend })
    }

    /// Returns the servers that take part in a case with this request.
    pub(super) fn members(&self, request: HttpRequest) -> Vec<Member<'_>> {
        let exchange = |kind: HttpKind| match request {
            HttpRequest::Get => Some(kind.exchange()),
            HttpRequest::Revalidate => {
                let (_, etag) = self.etags.iter().find(|(other, _)| *other == kind)?;
                Some(kind.exchange().if_none_match(etag))
            }
        };
        let servers = self.servers.iter();
        servers
            .filter_map(|server| Some(Member { server, exchange: exchange(server.kind)? }))
            .collect()
    }

    /// Returns the backend of a server, if it has one.
    pub(super) fn backend_of(&self, kind: HttpKind) -> Option<&Server> {
        kind.has_backend().then_some(&self.backend)
    }

    /// Returns the name and version of each program.
    pub(super) fn versions(&self) -> io::Result<Vec<(String, String)>> {
        let version = |server: &HttpServer| {
            Ok((server.kind.name().to_owned(), self.setup.version(server.kind)?))
        };
        let redis = backend_setup(&self.setup).version(ServerKind::Backend)?;
        let all = self.servers.iter().map(version);
        all.chain([Ok((ServerKind::Backend.name().to_owned(), redis))]).collect()
    }

    /// Returns the name and command line of each server.
    pub(super) fn commands(&self) -> Vec<(String, String)> {
        let own = self.servers.iter().map(|server| (server.kind.name(), &*server.process.command));
        let all = own.chain([(ServerKind::Backend.name(), self.backend.command())]);
        all.map(|(name, command)| (name.to_owned(), command.to_owned())).collect()
    }
}

/// Returns the setup to start the backend with.
fn backend_setup(setup: &HttpSetup) -> Setup {
    Setup::new(setup.bench.clone(), setup.redis.clone())
}

fn start(kind: HttpKind, setup: &HttpSetup, plan: &Plan, cores: Cores) -> io::Result<HttpServer> {
    let probe = kind.exchange().request();
    let launch = |folder: &_, port| kind.launch(setup, plan.hot_keys, folder, port);
    let process = ServerProcess::start(kind.name(), cores, probe.as_bytes(), launch)?;
    Ok(HttpServer { kind, process })
}

/// Reads the hot keys once, or from Larder until it has cached all of them.
fn warm(server: &HttpServer, plan: &Plan, stop: &Stop) -> io::Result<()> {
    let exchange = server.kind.exchange();
    let mut generator = Generator::connect_http(&server.target(), 1, &exchange, stop)?;
    let deadline = now() + WARM_LIMIT;
    loop {
        generator.run(&mut KeySequence::once(0..plan.hot_keys), WARM_LIMIT)?.checked()?;
        if server.kind != HttpKind::Larder || items(server)? >= plan.hot_keys {
            return Ok(());
        }
        if now() > deadline {
            return Err(io::Error::other("does not cache what it reads"));
        }
    }
}

/// Returns the number of entries of a Larder.
fn items(larder: &HttpServer) -> io::Result<u64> {
    let response = fetch(larder, "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\n")?;
    let (_, body) = response.split_once("\r\n\r\n").unwrap_or_default();
    let stats: serde_json::Value = serde_json::from_str(body)?;
    let items = stats.pointer("/near/items").and_then(serde_json::Value::as_u64);
    items.ok_or_else(|| io::Error::other("the statistics have no /near/items"))
}

/// Returns the `ETag` of key 0.
fn etag(server: &HttpServer) -> io::Result<String> {
    let response = fetch(server, server.kind.exchange().request().trim_end())?;
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("etag").then(|| value.trim().to_owned())
    };
    let etag = response.lines().find_map(header);
    etag.ok_or_else(|| io::Error::other(format!("{} sends no ETag", server.kind.name())))
}

/// Sends a request on a connection of its own, and returns the whole response.
fn fetch(server: &HttpServer, request: &str) -> io::Result<String> {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, server.process.port()))?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(socket, "{}\r\nConnection: close\r\n\r\n", request.trim_end())?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    Ok(text)
}
