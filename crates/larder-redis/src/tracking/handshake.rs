//! The handshake of the tracking connection.

use crate::{
    connection::{ConnectionError, RespConnection},
    error_reply::is_not_ready,
    reply::redact_error,
    upstream::{UpstreamError, authenticate, select},
    url::RedisUrl,
};
use bytes::BytesMut;
use larder_resp::reply::Frame;

/// Earlier versions can lose pushes inside replies.
const VERSION_MIN: u64 = 7;

/// Commands for TTLs of hash fields: those of Redis 7.4 and Valkey 9, and older ones of servers that
/// speak the same protocol. With any of them, fields can expire.
const FIELD_TTL_COMMANDS: [&[u8]; 10] = [
    b"HPTTL",
    b"HEXPIRE",
    b"HPEXPIRE",
    b"HEXPIREAT",
    b"HPEXPIREAT",
    b"HSETEX",
    b"HGETEX",
    b"HTTL",
    b"FIELDEXPIRE",
    b"EXPIREMEMBER",
];

/// What the handshake finds out about the server.
pub(super) struct Server {
    pub(super) version: String,
    /// Whether fields of hashes can expire by themselves.
    pub(super) fields_expire: bool,
}

/// Why the handshake failed.
#[derive(Clone, Debug)]
pub(crate) enum HandshakeError {
    /// Worth another attempt soon: no connection, or the server does not serve yet.
    Transient(String),
    /// The server refuses every connection: it rejects the credentials, or lacks the db. Worth
    /// another attempt soon.
    Refused(String),
    /// The server cannot or must not be tracked. Until that changes, nothing is cached.
    Permanent(String),
}

/// Sets up RESP3, authentication, tracking, the db and protection from client eviction.
pub(super) async fn handshake(
    connection: &mut RespConnection,
    url: &RedisUrl,
) -> Result<Server, HandshakeError> {
    authenticate(connection, url).await?;
    let ServerInfo { version, mode } = hello(connection).await?;
    check_version(&version)?;
    check_mode(&mode)?;
    call_ok(connection, &[b"CLIENT", b"TRACKING", b"ON"]).await?;
    select(connection, url).await?;
    // Where NO-EVICT is refused, the server may close this connection under memory pressure. That
    // ends the epoch like any other disconnect.
    call(connection, &[b"CLIENT", b"NO-EVICT", b"ON"]).await?;
    call(connection, &[b"CLIENT", b"SETNAME", b"larder-tracking"]).await?;
    call_ok(connection, &[b"PING"]).await?;
    check_role(&call_ok(connection, &[b"ROLE"]).await?)?;
    let command = [&[&b"COMMAND"[..], b"INFO"], &FIELD_TTL_COMMANDS[..]].concat();
    let fields_expire = knows_any(&call(connection, &command).await?);
    Ok(Server { version, fields_expire })
}

/// Returns whether the server knows any of the commands of a `COMMAND INFO`, or does not say.
fn knows_any(reply: &[u8]) -> bool {
    let commands = Frame::parse(reply).ok().and_then(|frame| frame.items());
    commands.is_none_or(|mut commands| !commands.all(|command| command == Frame::Null))
}

/// What the server says about itself in its reply to `HELLO`.
struct ServerInfo {
    version: String,
    mode: String,
}

async fn hello(connection: &mut RespConnection) -> Result<ServerInfo, HandshakeError> {
    let reply = call_ok(connection, &[b"HELLO", b"3"]).await?;
    let version = field(&reply, b"version")
        .ok_or_else(|| HandshakeError::Permanent("the reply to HELLO 3 has no version".into()))?;
    Ok(ServerInfo { version, mode: field(&reply, b"mode").unwrap_or_default() })
}

fn field(reply: &[u8], name: &[u8]) -> Option<String> {
    let fields = Frame::parse(reply).ok()?.items()?;
    let (_, value) = fields.pairs().find(|(field, _)| field.as_str_bytes() == Some(name))?;
    Some(String::from_utf8_lossy(value.as_str_bytes()?).into_owned())
}

fn check_version(version: &str) -> Result<(), HandshakeError> {
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    match major {
        Some(VERSION_MIN..) => Ok(()),
        Some(_) | None => Err(HandshakeError::Permanent(format!(
            "the server's version is {version}; the near cache needs {VERSION_MIN}.0 or later"
        ))),
    }
}

/// A cluster moves slots between its nodes without an invalidation, for keys that do not exist at
/// least, and each node refuses commands that name keys of several slots.
fn check_mode(mode: &str) -> Result<(), HandshakeError> {
    match mode {
        "cluster" => Err(HandshakeError::Permanent(
            "the server is a node of a cluster (cluster-enabled yes); Larder caches nothing of it, \
             and commands with keys of other nodes fail"
                .into(),
        )),
        _ => Ok(()),
    }
}

fn check_role(reply: &[u8]) -> Result<(), HandshakeError> {
    match role(reply).as_deref() {
        Some("master") => Ok(()),
        role => Err(HandshakeError::Permanent(format!(
            "the server's role is {}; the near cache needs a primary",
            role.unwrap_or("unknown")
        ))),
    }
}

fn role(reply: &[u8]) -> Option<String> {
    let role = Frame::parse(reply).ok()?.items()?.next()?;
    Some(String::from_utf8_lossy(role.as_str_bytes()?).into_owned())
}

/// Sends a command that the tracking connection cannot do without; an error reply is an error.
async fn call_ok(
    connection: &mut RespConnection,
    command: &[&[u8]],
) -> Result<BytesMut, HandshakeError> {
    let reply = call(connection, command).await?;
    let Some(error) = Frame::parse(&reply).ok().and_then(|frame| frame.as_error()) else {
        return Ok(reply);
    };
    // The message names the first two words only: a password follows HELLO.
    let words = command.iter().take(2).map(|word| String::from_utf8_lossy(word));
    let words = words.collect::<Vec<_>>().join(" ");
    let why = format!("{words}: {}", redact_error(error));
    Err(match error {
        _ if is_not_ready(error) => HandshakeError::Transient(why),
        _ if is_auth_error(error) => HandshakeError::Refused(why),
        _ => HandshakeError::Permanent(why),
    })
}

/// Returns whether the server refuses these credentials, or this client, on every connection.
fn is_auth_error(error: &[u8]) -> bool {
    const CODES: [&[u8]; 3] = [b"WRONGPASS", b"NOAUTH", b"DENIED"];
    CODES.iter().any(|code| error.starts_with(code))
}

/// Sends a command and returns its reply, which may be an error reply.
async fn call(
    connection: &mut RespConnection,
    command: &[&[u8]],
) -> Result<BytesMut, HandshakeError> {
    Ok(connection.call(command).await?)
}

impl From<UpstreamError> for HandshakeError {
    fn from(error: UpstreamError) -> Self {
        match error.is_refusal() {
            true => Self::Refused(error.to_string()),
            false => Self::Transient(error.to_string()),
        }
    }
}

impl From<ConnectionError> for HandshakeError {
    fn from(error: ConnectionError) -> Self {
        Self::Transient(error.to_string())
    }
}
