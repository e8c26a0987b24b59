//! From settings without errors to a [`Config`]: defaults are filled in.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::{NonZero, NonZeroU64},
};

use larder_core::{EngineConfig, KeyFilter, near::NearConfig};
use larder_redis::RedisUrl;
use larder_resp::Limits;

use super::consistency::exposed_listeners;
use super::environment::Environment;
use super::error::Source;
use super::logs;
use super::raw::RawSettings;
use super::table::{
    BIND, CLIENT_QUERY_BUFFER_LIMIT, DRAIN_TIMEOUT, HTTP_ALLOWED_HOSTS, HTTP_BIND,
    HTTP_CONCURRENCY, HTTP_MAX_BODY, HTTP_PORT, HTTP_QUEUE, HTTP_TOKEN, IO_THREADS, MAXCLIENTS,
    MAXMEMORY, NEAR_ALLOW, NEAR_DENY, NEAR_MAX_ENTRIES, NEAR_MAX_VALUE, NEAR_POLICY, NEAR_TTL,
    NEAR_VERIFY, PORT, PROTO_INLINE_MAX_SIZE, PROTO_MAX_BULK_LEN, PROTO_MAX_MULTIBULK_LEN,
    REQUIREPASS, STALENESS_BOUND, STORE, STORE_MAXMEMORY, STORE_TIMEOUT, TIMEOUT, TLS_PORT,
    UNIXSOCKET, URL,
};
use super::types::{Config, HttpConfig, RespConfig, StoreConfig, StoreKind, TlsConfig};
use super::value::SampleRate;

/// Builds the configuration.
pub(crate) fn config(settings: &RawSettings, environment: &Environment) -> Config {
    let mut notices = settings.notices.clone();
    notices.extend(no_store_notice(settings));
    notices.extend(exposed_notices(settings));
    let (logs, wrong_filter) = logs::read(environment);
    notices.extend(wrong_filter);
    Config {
        engine: engine(settings),
        store: store(settings),
        resp: resp(settings),
        http: http(settings),
        url: url(settings),
        origins: settings.origins.iter().map(|origin| origin.config.clone()).collect(),
        maxclients: settings.get(&MAXCLIENTS),
        drain_timeout: settings.get(&DRAIN_TIMEOUT),
        verify_every: verify_every(settings.get(&NEAR_VERIFY)),
        logs,
        notices,
    }
}

fn engine(settings: &RawSettings) -> EngineConfig {
    EngineConfig {
        near: NearConfig {
            bytes_max: settings.get(&MAXMEMORY).0,
            entries_max: settings.get(&NEAR_MAX_ENTRIES) as u64,
            value_bytes_max: in_memory(settings.get(&NEAR_MAX_VALUE).0),
            policy: settings.get(&NEAR_POLICY),
        },
        near_ttl: settings.get(&NEAR_TTL),
        staleness_bound: settings.get(&STALENESS_BOUND),
        keys: KeyFilter::new(&settings.get(&NEAR_ALLOW).0, &settings.get(&NEAR_DENY).0),
    }
}

fn store(settings: &RawSettings) -> StoreConfig {
    StoreConfig {
        kind: match settings.get(&STORE) {
            StoreKind::Redis(url) => {
                StoreKind::Redis(RedisUrl { tls: settings.store_tls.clone(), ..url })
            }
            StoreKind::Memory => StoreKind::Memory,
        },
        timeout: settings.get(&STORE_TIMEOUT),
        maxmemory: settings.get(&STORE_MAXMEMORY).0,
    }
}

fn resp(settings: &RawSettings) -> RespConfig {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let tls = address(settings.get(&BIND), settings.get(&TLS_PORT));
    RespConfig {
        address: address(settings.get(&BIND), settings.get(&PORT)),
        address_is_explicit: settings.source(&PORT) != Source::Default,
        tls: tls
            .zip(settings.server_tls.clone())
            .map(|(address, server)| TlsConfig { address, server }),
        unixsocket: settings.get(&UNIXSOCKET),
        requirepass: settings.get(&REQUIREPASS),
        timeout: settings.get(&TIMEOUT),
        limits: Limits {
            bulk_bytes_max: in_memory(settings.get(&PROTO_MAX_BULK_LEN).0),
            elements_max: settings.get(&PROTO_MAX_MULTIBULK_LEN),
            inline_bytes_max: in_memory(settings.get(&PROTO_INLINE_MAX_SIZE).0),
            ..Limits::default()
        },
        input_bytes_max: in_memory(settings.get(&CLIENT_QUERY_BUFFER_LIMIT).0),
        workers: match settings.get(&IO_THREADS) {
            0 => cores(),
            threads => threads,
        },
    }
}

/// Converts a rate to an interval: one hit in so many is compared.
fn verify_every(rate: SampleRate) -> Option<NonZeroU64> {
    NonZeroU64::new(rate.0.into()).map(|rate| NonZeroU64::MIN.saturating_add(999_999 / rate))
}

/// Returns the address to bind, or `None` for port 0, which turns a listener off.
fn address(bind: IpAddr, port: u16) -> Option<SocketAddr> {
    (port != 0).then(|| SocketAddr::new(bind, port))
}

fn http(settings: &RawSettings) -> HttpConfig {
    HttpConfig {
        address: address(settings.get(&HTTP_BIND), settings.get(&HTTP_PORT)),
        token: settings.get(&HTTP_TOKEN).0,
        allowed_hosts: settings.get(&HTTP_ALLOWED_HOSTS),
        max_body: in_memory(settings.get(&HTTP_MAX_BODY).0),
        concurrency: settings.get(&HTTP_CONCURRENCY),
        queue: settings.get(&HTTP_QUEUE),
    }
}

/// Returns `url`, or else the address of the HTTP listener. A listener on every address is reached
/// at the loopback address.
fn url(settings: &RawSettings) -> Option<String> {
    let explicit = Some(settings.get(&URL)).filter(|url| !url.is_empty());
    explicit.or_else(|| {
        let mut address = address(settings.get(&HTTP_BIND), settings.get(&HTTP_PORT))?;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Some(format!("http://{address}"))
    })
}

/// Converts a size that has an upper limit, so it fits into any address space.
fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn no_store_notice(settings: &RawSettings) -> Option<String> {
    (settings.source(&STORE) == Source::Default).then(|| {
        "no store is set, so values are stored in the memory of this process and lost when it \
         ends; for a shared store, set --store redis://host:6379 or REDIS_URL"
            .to_owned()
    })
}

/// Listeners that are exposed without errors are so because protected mode is off.
fn exposed_notices(settings: &RawSettings) -> impl Iterator<Item = String> {
    exposed_listeners(settings).into_iter().map(|listener| {
        format!(
            "protected-mode is off and {} is not set: anyone who can reach {} {} can read and \
             write all data",
            listener.secret,
            listener.bind.flag,
            settings.get(listener.bind)
        )
    })
}
