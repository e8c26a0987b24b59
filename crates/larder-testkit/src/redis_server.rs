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
use crate::free_port;
use crate::process::Process;
use crate::wait::poll;

/// How long a server may take from its start to its first answer, all attempts together.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a server may take to leave after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long a test's own connection waits for a server before the test fails.
const RESPONSE_LIMIT: Duration = Duration::from_secs(10);

/// Whether this machine has a Redis to test with. When it has none a line says that the test is
/// skipped, and the test returns early:
///
/// ```
/// if !larder_testkit::require_redis() {
///     return;
/// }
/// ```
///
/// # Panics
/// When there is none and `LARDER_REQUIRE_ALL=1`, as in CI: there a skipped test is a failed one.
#[must_use]
pub fn require_redis() -> bool {
    let program = program();
    let found = Command::new(&program).arg("--version").output().is_ok();
    let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(found || !all, "{} not found, and LARDER_REQUIRE_ALL=1", program.display());
    if !found {
        eprintln!("skipped: {} not found", program.display());
    }
    found
}

/// As [`require_redis`], for a Redis that was built with TLS.
///
/// # Panics
/// When there is none and `LARDER_REQUIRE_ALL=1`.
#[must_use]
pub fn require_redis_tls() -> bool {
    if !require_redis() {
        return false;
    }
    // It listens nowhere, so it ends; one without TLS ends before, as it does not know the option.
    let tried = Command::new(program()).args(["--port", "0", "--tls-port", "0"]).output();
    let said = tried.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let found = !String::from_utf8_lossy(&said).contains("Bad directive");
    let all = env::var("LARDER_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(found || !all, "{} has no TLS, and LARDER_REQUIRE_ALL=1", program().display());
    if !found {
        eprintln!("skipped: {} was built without TLS", program().display());
    }
    found
}

/// A running Redis. It forgets everything when it ends, and ends when this is dropped.
pub struct RedisServer {
    // Before the folder: what runs in it must be gone when it is removed.
    process: Mutex<Process>,
    folder: TempDir,
    port: u16,
    plan: RedisBuilder,
}

impl RedisServer {
    /// Starts a Redis without password and with default settings.
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// A Redis with other settings.
    pub fn builder() -> RedisBuilder {
        RedisBuilder::default()
    }

    /// `redis://127.0.0.1:port`, with the password when there is one.
    pub fn url(&self) -> String {
        url_of(self.plan.password.as_deref(), self.port)
    }

    /// The URL of another user of this server.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        format!("redis://{}:{}@{}", escaped(user), escaped(password), self.addr())
    }

    /// `unix://` and the path of its socket, which [`RedisBuilder::unix_socket`] asked for.
    pub fn unix_url(&self) -> String {
        assert!(self.plan.unix_socket, "this server was started without a unix socket");
        format!("unix://{}", self.folder.path().join("redis.sock").display())
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        addr_of(self.port)
    }

    /// Where it listens for TLS, which [`RedisBuilder::tls`] asked for.
    pub fn tls_addr(&self) -> SocketAddr {
        addr_of(self.plan.tls.expect("this server was started without TLS"))
    }

    /// Its TCP port, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process, another after a restart.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// What it logged so far, in all its lives.
    pub fn log(&self) -> String {
        self.process().stdout()
    }

    /// A connection of its own, past Larder: a foreign client. An answer that takes longer than
    /// 10 s is an error; `set_read_timeout` on the connection changes that.
    pub fn client(&self) -> Connection {
        connect(&self.url()).expect("a connection to redis-server")
    }

    /// One command on a new connection, in database 0.
    ///
    /// # Panics
    /// When the server refuses it; see [`Self::try_cmd`].
    pub fn cmd<A: ToRedisArgs>(&self, words: &[A]) -> Value {
        self.try_cmd(words).expect("redis-server accepts the command")
    }

    /// One command on a new connection, in database 0.
    pub fn try_cmd<A: ToRedisArgs>(&self, words: &[A]) -> RedisResult<Value> {
        let mut command = Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query(&mut connect(&self.url())?)
    }

    /// A field of INFO, such as `("stats", "keyspace_hits")`.
    pub fn info(&self, section: &str, field: &str) -> Option<String> {
        info(&mut self.client(), section, field).expect("INFO is allowed")
    }

    /// How often this life of the server has run a command, such as `get` or `client|tracking`.
    pub fn command_calls(&self, command: &str) -> u64 {
        let field = format!("cmdstat_{}", command.to_lowercase());
        self.info("commandstats", &field).map_or(0, |stats| calls(&stats))
    }

    /// Closes every client connection but pub/sub and replication ones. Returns how many.
    pub fn kill_clients(&self) -> u64 {
        let killed = self.cmd(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        redis::from_redis_value(killed).expect("CLIENT KILL answers a count")
    }

    /// SIGSTOP: connections stay open and the kernel still accepts new ones, nothing answers.
    pub fn pause(&self) {
        self.process().pause();
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process().resume();
    }

    /// SIGKILL: connections are reset or closed, the port refuses.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// SIGTERM, as an orderly shutdown; returns once it is gone.
    pub fn stop(&self) {
        let mut process = self.process();
        process.signal(crate::Signal::TERM);
        let status = process.exits_within(STOP_LIMIT);
        assert!(status.is_some(), "redis-server ignores SIGTERM:\n{}", process.stdout());
    }

    /// Kills it when it still runs, and starts an empty one on the same port.
    pub fn restart(&self) {
        let mut process = self.process();
        process.kill();
        (*process, _) = self.plan.launch(&self.folder, || self.port);
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().expect("no earlier panic in the testkit")
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
}

impl RedisBuilder {
    /// `requirepass`: the password of the user `default`.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// One more user, as in an ACL file: `"reader on >secret ~* +@read"`. The user `default` must
    /// stay as it is, for the testkit's own use.
    #[must_use]
    pub fn user_acl(mut self, rules: &str) -> Self {
        self.users.push(rules.to_owned());
        self
    }

    /// How many databases (16 by default).
    #[must_use]
    pub fn databases(mut self, count: u16) -> Self {
        self.databases = Some(count);
        self
    }

    /// Listens on a unix socket as well.
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// Listens for TLS as well, on a port that was free a moment ago, as who is `signed`; clients
    /// need a certificate of the authority if `asks`. See [`RedisServer::tls_addr`].
    #[must_use]
    pub fn tls(
        mut self,
        authority: &CertificateAuthority,
        signed: &CertificateFiles,
        asks: bool,
    ) -> Self {
        let port = free_port();
        self.tls = Some(port);
        self.arg("--tls-port", &port.to_string())
            .arg("--tls-cert-file", &signed.certificate.display().to_string())
            .arg("--tls-key-file", &signed.key.display().to_string())
            .arg("--tls-ca-cert-file", &authority.file().display().to_string())
            .arg("--tls-auth-clients", if asks { "yes" } else { "no" })
    }

    /// Any other setting: `("--maxmemory", "10mb")`.
    #[must_use]
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.args.extend([name.to_owned(), value.to_owned()]);
        self
    }

    /// Starts it and waits for its first answer.
    ///
    /// # Panics
    /// With the server's log when it does not answer within 20 s.
    pub fn start(self) -> RedisServer {
        let folder = TempDir::with_prefix("larder-redis-").expect("a temporary folder");
        let (process, port) = self.launch(&folder, free_port);
        RedisServer { process: Mutex::new(process), folder, port, plan: self }
    }

    /// Tries the ports it is given until the server has one.
    fn launch(&self, folder: &TempDir, port: impl Fn() -> u16) -> (Process, u16) {
        let start = Instant::now();
        loop {
            let port = port();
            let mut process = Process::spawn(self.command(folder, port), folder.path())
                .unwrap_or_else(|error| panic!("{}: {error}", program().display()));
            if self.answers(&mut process, port) {
                return (process, port);
            }
            let log = process.stdout();
            let again = log.contains("in use") && start.elapsed() < START_LIMIT;
            assert!(again, "redis-server does not start on port {port}:\n{log}");
        }
    }

    fn command(&self, folder: &TempDir, port: u16) -> Command {
        let mut command = Command::new(program());
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

    /// Waits for an answer from this very process (another server may have been quicker to take
    /// the port), or for its end.
    fn answers(&self, process: &mut Process, port: u16) -> bool {
        let url = url_of(self.password.as_deref(), port);
        let pid = process.pid().to_string();
        let answered = || {
            let mut connection = connect(&url).ok()?;
            redis::cmd("PING").exec(&mut connection).ok()?;
            info(&mut connection, "server", "process_id").ok()?
        };
        poll(START_LIMIT, || match process.exited() {
            Some(_) => Some(false),
            None => (answered()? == pid).then_some(true),
        })
        .unwrap_or(false)
    }
}

/// `redis-server`, or what `LARDER_TEST_REDIS_SERVER` names.
fn program() -> PathBuf {
    env::var_os("LARDER_TEST_REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}

fn addr_of(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn url_of(password: Option<&str>, port: u16) -> String {
    let login = password.map(|word| format!(":{}@", escaped(word))).unwrap_or_default();
    format!("redis://{login}{}", addr_of(port))
}

/// A user name or password as it may stand in a URL.
fn escaped(word: &str) -> String {
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

/// The count in `calls=3,usec=12,...`.
fn calls(stats: &str) -> u64 {
    let count = stats.split(',').find_map(|part| part.strip_prefix("calls="));
    count.and_then(|digits| digits.parse().ok()).expect("commandstats start with calls=")
}
