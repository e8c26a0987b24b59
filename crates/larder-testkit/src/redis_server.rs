//! A real Redis as a child process, on a free port of 127.0.0.1.

use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use redis::{Client, Cmd, Connection, RedisResult, ToRedisArgs, Value};
use tempfile::TempDir;

use crate::certificates::{CertificateAuthority, CertificateFiles};
use crate::exception::Exception;
use crate::free_port;
use crate::process::Process;
use crate::test_server::TestServer;
use crate::wait::poll;

/// Limit from the start of the server to its first reply, over all attempts.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Limit for the server to exit after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Limit for replies on the testkit's own connections.
const RESPONSE_LIMIT: Duration = Duration::from_secs(10);

/// Returns whether this machine has a Redis to test with. If not, it logs that the test is skipped,
/// and the test returns early:
///
/// ```
/// if !larder_testkit::require_redis() {
///     return;
/// }
/// ```
///
/// # Panics
/// If there is none and `LARDER_REQUIRE_ALL=1`, as in CI, where a skipped test is a failure.
#[must_use]
pub fn require_redis() -> bool {
    require_server(&TestServer::from_environment())
}

/// Like [`require_redis`], for one server in particular.
///
/// # Panics
/// If there is none and `LARDER_REQUIRE_ALL=1`.
#[must_use]
pub fn require_server(server: &TestServer) -> bool {
    let program = server.program();
    let found = Command::new(&program).arg("--version").output().is_ok();
    let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(found || !all, "{} not found, and LARDER_REQUIRE_ALL=1", program.display());
    if !found {
        eprintln!("skipped: {} not found", program.display());
    }
    found
}

/// Like [`require_redis`], for a Redis that was built with TLS.
///
/// # Panics
/// If there is none and `LARDER_REQUIRE_ALL=1`, unless [`Exception::Tls`] applies.
#[must_use]
pub fn require_redis_tls() -> bool {
    if !require_redis() || Exception::Tls.applies() {
        return false;
    }
    let program = TestServer::from_environment().program();
    // With no port to listen on, Redis exits. Without TLS it exits earlier, because it does not
    // know the option.
    let tried = Command::new(&program).args(["--port", "0", "--tls-port", "0"]).output();
    let said = tried.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let found = !String::from_utf8_lossy(&said).contains("Bad directive");
    let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(found || !all, "{} has no TLS, and LARDER_REQUIRE_ALL=1", program.display());
    if !found {
        eprintln!("skipped: {} was built without TLS", program.display());
    }
    found
}

/// A running Redis without persistence, killed on drop.
pub struct RedisServer {
    // Declared before the folder, so that the process has ended when its folder is removed.
    process: Mutex<Process>,
    folder: TempDir,
    port: u16,
    plan: RedisBuilder,
}

impl RedisServer {
    /// Starts a Redis without a password and with default settings.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Returns a builder for other settings.
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// Returns the URL `redis://127.0.0.1:port`, with the password if there is one.
    pub fn url(&self) -> String {
        url_of(self.plan.password.as_deref(), self.port)
    }

    /// Returns the URL for another user of this server.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        format!("redis://{}:{}@{}", percent_encoded(user), percent_encoded(password), self.addr())
    }

    /// Returns the URL of the unix socket, which [`RedisBuilder::unix_socket`] enables.
    pub fn unix_url(&self) -> String {
        assert!(self.plan.unix_socket, "this server was started without a unix socket");
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }

    /// Returns the address of its TCP port.
    pub fn addr(&self) -> SocketAddr {
        addr_of(self.port)
    }

    /// Returns the address of its TLS port, which [`RedisBuilder::tls`] enables.
    pub fn tls_addr(&self) -> SocketAddr {
        addr_of(self.plan.tls.expect("this server was started without TLS"))
    }

    /// Returns its TCP port, which stays the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the process id, which changes after a restart.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Returns its log, including that of processes before a restart.
    pub fn log(&self) -> String {
        self.process().stdout()
    }

    /// Returns a connection to Redis itself, bypassing Larder: a foreign client. A reply that takes
    /// longer than 10 s is an error; `set_read_timeout` on the connection changes that.
    pub fn client(&self) -> Connection {
        connect(&self.url()).expect("a connection to redis-server")
    }

    /// Runs a command on a new connection, in database 0.
    ///
    /// # Panics
    /// If the server returns an error; see [`Self::try_cmd`].
    pub fn cmd<A: ToRedisArgs>(&self, words: &[A]) -> Value {
        self.try_cmd(words).expect("redis-server accepts the command")
    }

    /// Runs a command on a new connection, in database 0.
    pub fn try_cmd<A: ToRedisArgs>(&self, words: &[A]) -> RedisResult<Value> {
        let mut command = Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query(&mut connect(&self.url())?)
    }

    /// Returns a field of INFO, such as `("stats", "keyspace_hits")`.
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        info(&mut self.client(), section, field).expect("INFO is allowed")
    }

    /// Returns how often a command, such as `get` or `client|tracking`, was executed since the last
    /// start.
    pub fn command_calls(&self, command: &str) -> u64 {
        let field = format!("cmdstat_{}", command.to_lowercase());
        self.info("commandstats", &field).map_or(0, |stats| calls(&stats))
    }

    /// Closes all client connections except pub/sub and replication ones. Returns how many.
    pub fn kill_clients(&self) -> u64 {
        let killed = self.cmd(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        redis::from_redis_value(killed).expect("CLIENT KILL answers a count")
    }

    /// Sends SIGSTOP: connections stay open and the kernel still accepts new ones, but nothing
    /// replies.
    pub fn pause(&self) {
        self.process().pause();
    }

    /// Sends SIGCONT.
    pub fn resume(&self) {
        self.process().resume();
    }

    /// Sends SIGKILL: connections are reset or closed, and the port refuses new ones.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Sends SIGTERM for an orderly shutdown, and waits for the exit.
    pub fn stop(&self) {
        let mut process = self.process();
        process.signal(crate::Signal::TERM);
        let status = process.exits_within(STOP_LIMIT);
        assert!(status.is_some(), "redis-server ignores SIGTERM:\n{}", process.stdout());
    }

    /// Kills the server if it still runs, and starts an empty one on the same port.
    pub fn restart(&self) {
        let mut process = self.process();
        process.kill();
        (*process, _) = self.plan.launch(&self.folder, || self.port);
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no thread panicked while holding the lock")
    }
}

/// Settings of a [`RedisServer`].
#[derive(Clone, Debug, Default)]
pub struct RedisBuilder {
    password: Option<String>,
    users: Vec<String>,
    databases: Option<u16>,
    unix_socket: bool,
    tls: Option<u16>,
    args: Vec<String>,
    server: Option<TestServer>,
}

impl RedisBuilder {
    /// Starts this server instead of that of the environment.
    #[must_use]
    pub fn server(mut self, server: TestServer) -> Self {
        self.server = Some(server);
        self
    }

    /// Sets `requirepass`, the password of the user `default`.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Adds a user, as in an ACL file: `"reader on >secret ~* +@read"`. The user `default` must
    /// stay unchanged, because the testkit uses it.
    #[must_use]
    pub fn user_acl(mut self, rules: &str) -> Self {
        self.users.push(rules.to_owned());
        self
    }

    /// Sets the number of databases (16 by default).
    #[must_use]
    pub fn databases(mut self, count: u16) -> Self {
        self.databases = Some(count);
        self
    }

    /// Enables a unix socket as well.
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// Enables TLS on a second port, free a moment ago, with this server certificate. Clients need
    /// a certificate of the authority if `requires_certificate`. See [`RedisServer::tls_addr`].
    #[must_use]
    pub fn tls(
        mut self,
        authority: &CertificateAuthority,
        certificate: &CertificateFiles,
        requires_certificate: bool,
    ) -> Self {
        let port = free_port();
        self.tls = Some(port);
        self.arg("--tls-port", &port.to_string())
            .arg("--tls-cert-file", &certificate.certificate.display().to_string())
            .arg("--tls-key-file", &certificate.key.display().to_string())
            .arg("--tls-ca-cert-file", &authority.file().display().to_string())
            .arg("--tls-auth-clients", if requires_certificate { "yes" } else { "no" })
    }

    /// Sets any other option: `("--maxmemory", "10mb")`.
    #[must_use]
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.args.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Starts the server and waits for its first reply.
    ///
    /// # Panics
    /// With the server's log if it does not reply within 20 s.
    pub fn start(self) -> RedisServer {
        let folder = TempDir::with_prefix("larder-redis-").expect("a temporary folder");
        let (process, port) = self.launch(&folder, free_port);
        RedisServer { process: Mutex::new(process), folder, port, plan: self }
    }

    /// Starts the server, trying one port after another until one is free.
    fn launch(&self, folder: &TempDir, port: impl Fn() -> u16) -> (Process, u16) {
        let start = Instant::now();
        loop {
            let port = port();
            let mut process = Process::spawn(self.command(folder, port), folder.path())
                .unwrap_or_else(|error| panic!("{}: {error}", self.program().display()));
            if self.replies(&mut process, port) {
                return (process, port);
            }
            let log = process.stdout();
            let again = log.contains("in use") && start.elapsed() < START_LIMIT;
            assert!(again, "redis-server does not start on port {port}:\n{log}");
        }
    }

    fn program(&self) -> PathBuf {
        self.server.clone().unwrap_or_else(TestServer::from_environment).program()
    }

    fn command(&self, folder: &TempDir, port: u16) -> Command {
        let mut command = Command::new(self.program());
        command.current_dir(folder).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]);
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        for user in &self.users {
            command.arg("--user").args(user.split_whitespace());
        }
        if let Some(count) = self.databases {
            command.args(["--databases", &count.to_string()]);
        }
        if self.unix_socket {
            command.args(["--unixsocket", "redis.sock"]);
        }
        command.args(&self.args);
        command
    }

    /// Waits until this very process replies; another server may have taken the port first. Returns
    /// false if the process exits.
    fn replies(&self, process: &mut Process, port: u16) -> bool {
        let url = url_of(self.password.as_deref(), port);
        let pid = process.pid().to_string();
        let reply_pid = || {
            let mut connection = connect(&url).ok()?;
            redis::cmd("PING").exec(&mut connection).ok()?;
            info(&mut connection, "server", "process_id").ok()?
        };
        poll(START_LIMIT, || match process.exited() {
            Some(_) => Some(false),
            None => (reply_pid()? == pid).then_some(true),
        })
        .unwrap_or(false)
    }
}

fn addr_of(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn url_of(password: Option<&str>, port: u16) -> String {
    let login = password.map(|word| format!(":{}@", percent_encoded(word))).unwrap_or_default();
    format!("redis://{login}{}", addr_of(port))
}

/// Percent-encodes a user name or password for a URL.
fn percent_encoded(word: &str) -> String {
    let escape = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    word.bytes().map(escape).collect()
}

fn connect(url: &str) -> RedisResult<Connection> {
    let connection = Client::open(url)?.get_connection_with_timeout(RESPONSE_LIMIT)?;
    connection.set_read_timeout(Some(RESPONSE_LIMIT))?;
    connection.set_write_timeout(Some(RESPONSE_LIMIT))?;
    Ok(connection)
}

fn info(connection: &mut Connection, section: &str, field: &str) -> RedisResult<Option<String>> {
    let text: String = redis::cmd("INFO").arg(section).query(connection)?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    Ok(fields.find(|(name, _)| *name == field).map(|(_, value)| value.to_owned()))
}

/// Returns the count in `calls=3,usec=12,...`.
fn calls(stats: &str) -> u64 {
    let count = stats.split(',').find_map(|part| part.strip_prefix("calls="));
    count.and_then(|digits| digits.parse().ok()).expect("commandstats start with calls=")
}
