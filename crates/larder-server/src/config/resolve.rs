//! From settings to a plan: defaults filled in, contradictions found.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    num::{NonZero, NonZeroU64},
};

use larder_core::{EngineConfig, KeyFilter, near::NearConfig};

use super::environment::Environment;
use super::error::Source;
use super::raw::RawSettings;
use super::table::{
    self, AnySetting, BIND, CLIENT_QUERY_BUFFER_LIMIT, DRAIN_TIMEOUT, HTTP_ALLOWED_HOSTS,
    HTTP_BIND, HTTP_CONCURRENCY, HTTP_MAX_BODY, HTTP_PORT, HTTP_QUEUE, HTTP_TOKEN, IO_THREADS,
    MAXCLIENTS, MAXMEMORY, NEAR_ALLOW, NEAR_DENY, NEAR_MAX_ENTRIES, NEAR_MAX_VALUE, NEAR_POLICY,
    NEAR_TTL, NEAR_VERIFY, PORT, PROTECTED_MODE, PROTO_INLINE_MAX_SIZE, PROTO_MAX_BULK_LEN,
    PROTO_MAX_MULTIBULK_LEN, REQUIREPASS, STALENESS_BOUND, STORE, STORE_MAXMEMORY, STORE_TIMEOUT,
    Setting, TIMEOUT, TLS_PORT, UNIXSOCKET, URL,
};
use super::types::{Config, HttpConfig, RespConfig, StoreConfig, StoreKind, TlsConfig};
use super::units::show_size;
use super::value::SampleRate;
use crate::logging::LogConfig;
use larder_redis::{Endpoint, RedisUrl, Secret};
use larder_resp::Limits;

/// A value takes at most this part of the near tier, or a few of them would empty it.
const VALUES_PER_NEAR_MIN: u64 = 8;

/// The plan of settings that have no mistakes.
pub(crate) fn config(settings: &RawSettings, environment: &Environment) -> Config {
    let mut notices = settings.notices.clone();
    notices.extend(no_store_notice(settings));
    notices.extend(unprotected_notices(settings));
    let (logs, wrong_filter) = LogConfig::of(environment);
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
        address_is_explicit: settings.source(&PORT) != Source::Default || tls.is_some(),
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

/// One hit in how many is compared.
fn verify_every(share: SampleRate) -> Option<NonZeroU64> {
    NonZeroU64::new(share.0.into()).map(|share| NonZeroU64::MIN.saturating_add(999_999 / share))
}

/// Port 0 turns a listener off.
fn address(bind: IpAddr, port: u16) -> Option<SocketAddr> {
    (port != 0).then(|| SocketAddr::new(bind, port))
}

fn http(settings: &RawSettings) -> HttpConfig {
    HttpConfig {
        address: address(settings.get(&HTTP_BIND), settings.get(&HTTP_PORT)),
        token: settings.get(&HTTP_TOKEN),
        allowed_hosts: settings.get(&HTTP_ALLOWED_HOSTS),
        max_body: in_memory(settings.get(&HTTP_MAX_BODY).0),
        concurrency: settings.get(&HTTP_CONCURRENCY),
        queue: settings.get(&HTTP_QUEUE),
    }
}

/// Where the HTTP listener is, unless something else was said. What listens on every address
/// answers on this machine's own.
fn url(settings: &RawSettings) -> Option<String> {
    let said = Some(settings.get(&URL)).filter(|url| !url.is_empty());
    said.or_else(|| {
        let mut address = address(settings.get(&HTTP_BIND), settings.get(&HTTP_PORT))?;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Some(format!("http://{address}"))
    })
}

/// Sizes with an upper limit fit into any address space.
fn in_memory(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn no_store_notice(settings: &RawSettings) -> Option<String> {
    (settings.source(&STORE) == Source::Default).then(|| {
        "no store is set, so values live in this process alone and end with it; for a shared one, \
         set --store redis://host:6379 or REDIS_URL"
            .to_owned()
    })
}

fn unprotected_notices(settings: &RawSettings) -> impl Iterator<Item = String> {
    [&HTTP_LISTENER, &RESP_LISTENER].into_iter().filter(|listener| listener.is_open(settings)).map(|listener| {
        format!(
            "protected-mode is off and there is no {}: whoever reaches {} {} can read and write \
             everything",
            listener.secret.flag,
            listener.bind.flag,
            settings.get(listener.bind)
        )
    })
}

/// Finds what is right by itself and wrong together.
pub(crate) fn check_consistency(settings: &mut RawSettings) {
    if settings.are_valid(&[&NEAR_MAX_VALUE, &MAXMEMORY]) {
        check_value_limit(settings);
    }
    if settings.are_valid(&[&HTTP_PORT, &PORT, &TLS_PORT, &UNIXSOCKET]) && serves_nothing(settings)
    {
        let text = "http-port 0 turns the HTTP listener off, and there is no other: nothing is \
                    left to serve";
        settings.error(settings.source(&HTTP_PORT), text);
    }
    if settings.are_valid(&[&STORE, &BIND, &PORT, &UNIXSOCKET]) && store_is_own_listener(settings) {
        let text = "this is where this Larder itself listens for Redis clients: name the Redis \
                    behind it, or choose another --port or --unixsocket";
        settings.error(settings.source(&STORE), text);
    }
    for listener in [&HTTP_LISTENER, &RESP_LISTENER] {
        if settings.are_valid(&[listener.bind, listener.secret, &PROTECTED_MODE]) {
            check_exposure(settings, listener);
        }
    }
}

/// Whether the store is the own RESP listener, as far as names tell: each connection would open
/// another.
fn store_is_own_listener(settings: &RawSettings) -> bool {
    let StoreKind::Redis(url) = settings.get(&STORE) else { return false };
    match url.endpoint {
        Endpoint::Tcp { host, port } => {
            let address = host.parse::<IpAddr>().ok();
            let is_here = host == "localhost"
                || address.is_some_and(|ip| ip.is_loopback() || ip == settings.get(&BIND));
            is_here && port == settings.get(&PORT)
        }
        Endpoint::Unix(path) => Some(path) == settings.get(&UNIXSOCKET),
        Endpoint::Tls { .. } => false,
    }
}

fn check_value_limit(settings: &mut RawSettings) {
    let (value, near) = (settings.get(&NEAR_MAX_VALUE).0, settings.get(&MAXMEMORY).0);
    if value <= near / VALUES_PER_NEAR_MIN {
        return;
    }
    let text = format!(
        "near-max-value ({}) is more than an eighth of maxmemory ({}): set near-max-value to {} or \
         less, or maxmemory to {} or more",
        shown(settings, &NEAR_MAX_VALUE),
        shown(settings, &MAXMEMORY),
        show_size(near / VALUES_PER_NEAR_MIN),
        show_size(value * VALUES_PER_NEAR_MIN),
    );
    let at = match settings.source(&NEAR_MAX_VALUE) {
        Source::Default => settings.source(&MAXMEMORY),
        source => source,
    };
    settings.error(at, text);
}

/// `2mb, larder.toml:3`
fn shown(settings: &RawSettings, setting: &dyn AnySetting) -> String {
    format!("{}, {}", settings.show(setting), settings.source(setting))
}

/// Whether nothing listens.
fn serves_nothing(settings: &RawSettings) -> bool {
    [&HTTP_PORT, &PORT, &TLS_PORT].iter().all(|port| settings.get(port) == 0)
        && settings.get(&UNIXSOCKET).is_none()
}

/// A listener, and the secret that lets it be open to other machines.
struct ExposedListener {
    bind: &'static Setting<IpAddr>,
    ports: &'static [&'static Setting<u16>],
    secret: &'static Setting<Option<Secret>>,
}

static HTTP_LISTENER: ExposedListener =
    ExposedListener { bind: &HTTP_BIND, ports: &[&HTTP_PORT], secret: &HTTP_TOKEN };
static RESP_LISTENER: ExposedListener =
    ExposedListener { bind: &BIND, ports: &[&PORT, &TLS_PORT], secret: &REQUIREPASS };

impl ExposedListener {
    /// Whether other machines reach it without a secret.
    fn is_open(&self, settings: &RawSettings) -> bool {
        let is_loopback = settings.get(self.bind).to_canonical().is_loopback();
        let listens = self.ports.iter().any(|port| settings.get(port) != 0);
        !is_loopback && listens && settings.get(self.secret).is_none()
    }
}

fn check_exposure(settings: &mut RawSettings, listener: &ExposedListener) {
    if !settings.get(&PROTECTED_MODE) || !listener.is_open(settings) {
        return;
    }
    let (bind, secret) = (listener.bind.flag, listener.secret.flag);
    let text = format!(
        "{bind} {} is reached from other machines and no {secret} is set, so anyone there could \
         read and write everything: set {secret}, or set {bind} to 127.0.0.1, or set \
         protected-mode to no",
        settings.get(listener.bind)
    );
    settings.error(settings.source(listener.bind), text);
}

/// A line of `check-config`: a name, its value, where that came from.
pub(crate) struct ConfigLine {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: String,
}

/// The plan for people to read, secrets as `***`.
pub(crate) fn lines(settings: &RawSettings) -> Vec<ConfigLine> {
    let rows = table::all().map(|setting| ConfigLine {
        name: setting.info().flag.to_owned(),
        value: settings.show(setting),
        source: described(&settings.source(setting)),
    });
    let origins = settings.origins.iter().map(|origin| ConfigLine {
        name: format!("origin {}", origin.config.name),
        value: origin.show(),
        source: origin.source.to_string(),
    });
    rows.chain(origins).collect()
}

fn described(source: &Source) -> String {
    match source {
        Source::Flag(_) => format!("flag {source}"),
        Source::Variable(_) => format!("env {source}"),
        Source::File { .. } | Source::Default => source.to_string(),
    }
}
