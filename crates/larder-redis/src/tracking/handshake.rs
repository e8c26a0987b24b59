//! From an open socket to a tracked connection, or to the reason why there can be none.

use crate::{
    RedisUrl,
    connection::{ConnectionError, RespConnection},
    reply::redact_error,
};
use larder_core::is_not_ready;
use larder_resp::reply::Frame;

/// Tracking loses pushes inside replies before this.
const VERSION_MIN: u64 = 7;

/// Why the tracked connection did not come about.
#[derive(Clone, Debug)]
pub(crate) enum HandshakeError {
    /// Try again soon: no connection, no entry, or the server does not serve yet.
    Transient(String),
    /// The server will not have it: until that changes, everything passes through.
    Permanent(String),
}

/// Shakes hands: RESP3, credentials, db, tracking, no eviction. Gives the server's version.
pub(super) async fn handshake(
    connection: &mut RespConnection,
    url: &RedisUrl,
) -> Result<String, HandshakeError> {
    let version = hello(connection, url).await?;
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    if major.is_none_or(|major| major < VERSION_MIN) {
        return Err(HandshakeError::Permanent(format!(
            "the server is version {version}; the near tier needs {VERSION_MIN}.0 or later"
        )));
    }
    call_ok(connection, &[b"CLIENT", b"TRACKING", b"ON"]).await?;
    if url.db != 0 {
        // Without its db no connection is of use, not even to pass through.
        let selected = call_ok(connection, &[b"SELECT", url.db.to_string().as_bytes()]).await;
        selected.map_err(|(HandshakeError::Permanent(why) | HandshakeError::Transient(why))| {
            HandshakeError::Transient(why)
        })?;
    }
    // Where it is refused, the server may drop this connection under memory pressure: an epoch's
    // end like any other.
    call(connection, &[b"CLIENT", b"NO-EVICT", b"ON"]).await?;
    call(connection, &[b"CLIENT", b"SETNAME", b"larder-tracked"]).await?;
    call_ok(connection, &[b"PING"]).await?;
    let reply = call_ok(connection, &[b"ROLE"]).await?;
    match role(&reply).as_deref() {
        Some("master") => Ok(version),
        role => Err(HandshakeError::Permanent(format!(
            "the server's role is {}; the near tier needs a primary",
            role.unwrap_or("unknown")
        ))),
    }
}

async fn hello(connection: &mut RespConnection, url: &RedisUrl) -> Result<String, HandshakeError> {
    let user = url.username.as_deref().unwrap_or("default");
    let password = url.password.as_ref().map_or("", |password| password.reveal());
    let reply = if url.username.is_some() || url.password.is_some() {
        call_ok(connection, &[b"HELLO", b"3", b"AUTH", user.as_bytes(), password.as_bytes()])
            .await?
    } else {
        call_ok(connection, &[b"HELLO", b"3"]).await?
    };
    version(&reply).ok_or_else(|| HandshakeError::Permanent("HELLO 3 named no version".into()))
}

fn version(reply: &[u8]) -> Option<String> {
    let fields = Frame::parse(reply).ok()?.items()?;
    let (_, version) = fields.pairs().find(|(name, _)| name.as_str_bytes() == Some(b"version"))?;
    Some(String::from_utf8_lossy(version.as_str_bytes()?).into_owned())
}

fn role(reply: &[u8]) -> Option<String> {
    let role = Frame::parse(reply).ok()?.items()?.next()?;
    Some(String::from_utf8_lossy(role.as_str_bytes()?).into_owned())
}

/// A command that the tracked connection cannot do without.
async fn call_ok(
    connection: &mut RespConnection,
    command: &[&[u8]],
) -> Result<Vec<u8>, HandshakeError> {
    let reply = call(connection, command).await?;
    let Some(error) = Frame::parse(&reply).ok().and_then(|frame| frame.as_error()) else {
        return Ok(reply);
    };
    // Only the command's own words are named: what follows HELLO is a password.
    let words = command.iter().take(2).map(|word| String::from_utf8_lossy(word));
    let words = words.collect::<Vec<_>>().join(" ");
    let why = format!("{words}: {}", redact_error(error));
    match is_not_ready(error) || is_auth_error(error) {
        true => Err(HandshakeError::Transient(why)),
        false => Err(HandshakeError::Permanent(why)),
    }
}

/// Whether an error reply says that nobody gets in like this, on whatever connection.
fn is_auth_error(error: &[u8]) -> bool {
    const CODES: [&[u8]; 3] = [b"WRONGPASS", b"NOAUTH", b"DENIED"];
    CODES.iter().any(|code| error.starts_with(code))
}

/// A command whose refusal is borne.
async fn call(
    connection: &mut RespConnection,
    command: &[&[u8]],
) -> Result<Vec<u8>, HandshakeError> {
    Ok(connection.call(command).await?.to_vec())
}

impl From<ConnectionError> for HandshakeError {
    fn from(error: ConnectionError) -> Self {
        Self::Transient(error.to_string())
    }
}
