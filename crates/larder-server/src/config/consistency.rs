//! Checks of values that are valid by themselves and contradict each other.

use std::net::{IpAddr, SocketAddr};

use larder_redis::Endpoint;

use super::error::Source;
use super::raw::RawSettings;
use super::table::{
    AnySetting, BIND, HTTP_BIND, HTTP_PORT, HTTP_TOKEN, MAXMEMORY, NEAR_MAX_VALUE, PORT,
    PROTECTED_MODE, REQUIREPASS, STORE, Setting, TLS_PORT, UNIXSOCKET,
};
use super::types::StoreKind;
use super::units::show_size;

/// The near cache holds at least this many of the largest values. With fewer, a handful of large
/// values would evict everything else.
const VALUES_PER_NEAR_MIN: u64 = 8;

/// Adds an error for each contradiction between settings of the near cache.
pub(crate) fn check_near(settings: &mut RawSettings) {
    if settings.are_valid(&[&NEAR_MAX_VALUE, &MAXMEMORY]) {
        check_value_limit(settings);
    }
}

/// Adds an error for each contradiction between settings of the listeners.
pub(crate) fn check_listeners(settings: &mut RawSettings) {
    if settings.are_valid(&[&HTTP_PORT, &PORT, &TLS_PORT, &UNIXSOCKET]) {
        check_any_listener(settings);
    }
    if settings.are_valid(&[&HTTP_BIND, &HTTP_PORT, &BIND, &PORT, &TLS_PORT]) {
        check_ports(settings);
    }
    if settings.are_valid(&[&STORE, &BIND, &PORT, &UNIXSOCKET]) && store_is_own_listener(settings) {
        let text = "this is the address on which this Larder listens for Redis clients: set the \
                    address of the Redis behind it, or choose another --port or --unixsocket";
        settings.error(settings.source(&STORE), text);
    }
    for listener in exposed_listeners(settings) {
        check_exposure(settings, &listener);
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
        with_source(settings, &NEAR_MAX_VALUE),
        with_source(settings, &MAXMEMORY),
        show_size(near / VALUES_PER_NEAR_MIN),
        show_size(value * VALUES_PER_NEAR_MIN),
    );
    let at = match settings.source(&NEAR_MAX_VALUE) {
        Source::Default => settings.source(&MAXMEMORY),
        source => source,
    };
    settings.error(at, text);
}

/// Formats a value and its source: `2mb, larder.toml:3`.
fn with_source(settings: &RawSettings, setting: &dyn AnySetting) -> String {
    format!("{}, {}", settings.show(setting), settings.source(setting))
}

fn check_any_listener(settings: &mut RawSettings) {
    let is_off = [&HTTP_PORT, &PORT, &TLS_PORT].iter().all(|port| settings.get(port) == 0);
    if is_off && settings.get(&UNIXSOCKET).is_none() {
        let text = "every listener is off: set http-port, port, tls-port or unixsocket";
        settings.error(settings.source(&HTTP_PORT), text);
    }
}

/// A listener by its settings.
type Port = (&'static Setting<IpAddr>, &'static Setting<u16>);

/// Pairs of listeners, the one whose port is more likely to be a default first.
const PORT_PAIRS: [[Port; 2]; 3] = [
    [(&HTTP_BIND, &HTTP_PORT), (&BIND, &PORT)],
    [(&HTTP_BIND, &HTTP_PORT), (&BIND, &TLS_PORT)],
    [(&BIND, &PORT), (&BIND, &TLS_PORT)],
];

/// Two listeners cannot share a port.
fn check_ports(settings: &mut RawSettings) {
    for [one, other] in PORT_PAIRS {
        let address = |(bind, port): Port| SocketAddr::new(settings.get(bind), settings.get(port));
        if !collide(address(one), address(other)) {
            continue;
        }
        let (one, other) = (one.1, other.1);
        let text = format!(
            "{} ({}) and {} ({}) are the same: choose another port for one of them, or set it to \
             0 to turn that listener off",
            one.flag,
            with_source(settings, one),
            other.flag,
            with_source(settings, other),
        );
        let at = match settings.source(other) {
            Source::Default => settings.source(one),
            source => source,
        };
        settings.error(at, text);
    }
}

/// Returns whether only one of two addresses can be bound. `::` takes the port of IPv4 as well.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |all: IpAddr, ip: IpAddr| all.is_unspecified() && (all.is_ipv6() || ip.is_ipv4());
    let (ip, other_ip) = (one.ip(), other.ip());
    one.port() != 0
        && one.port() == other.port()
        && (ip.to_canonical() == other_ip.to_canonical()
            || covers(ip, other_ip)
            || covers(other_ip, ip))
}

/// Returns whether the store is this server's own RESP listener, as far as the address tells. Each
/// connection to it would open another.
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

/// A listener that other machines can reach without a secret.
pub(crate) struct ExposedListener {
    pub(crate) bind: &'static Setting<IpAddr>,
    /// The flag of the secret that would protect it.
    pub(crate) secret: &'static str,
}

/// Returns the listeners that other machines can reach without a secret. Leaves out listeners whose
/// settings are invalid.
pub(crate) fn exposed_listeners(settings: &RawSettings) -> Vec<ExposedListener> {
    let is_remote = |bind: &Setting<IpAddr>| !settings.get(bind).to_canonical().is_loopback();
    let listens = |ports: &[&Setting<u16>]| ports.iter().any(|port| settings.get(port) != 0);
    let mut exposed = Vec::new();
    if settings.are_valid(&[&HTTP_BIND, &HTTP_TOKEN, &PROTECTED_MODE])
        && is_remote(&HTTP_BIND)
        && listens(&[&HTTP_PORT])
        && settings.get(&HTTP_TOKEN).0.is_none()
    {
        exposed.push(ExposedListener { bind: &HTTP_BIND, secret: HTTP_TOKEN.flag });
    }
    if settings.are_valid(&[&BIND, &REQUIREPASS, &PROTECTED_MODE])
        && is_remote(&BIND)
        && listens(&[&PORT, &TLS_PORT])
        && settings.get(&REQUIREPASS).is_none()
    {
        exposed.push(ExposedListener { bind: &BIND, secret: REQUIREPASS.flag });
    }
    exposed
}

/// Refuses an exposed listener unless protected mode is off.
fn check_exposure(settings: &mut RawSettings, listener: &ExposedListener) {
    if !settings.get(&PROTECTED_MODE) {
        return;
    }
    let (bind, secret) = (listener.bind.flag, listener.secret);
    let text = format!(
        "{bind} {} is reachable from other machines and {secret} is not set, so anyone could read \
         and write all data: set {secret}, set {bind} to 127.0.0.1, or set protected-mode to no",
        settings.get(listener.bind)
    );
    settings.error(settings.source(listener.bind), text);
}
