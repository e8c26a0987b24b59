use super::*;

fn url(text: &str) -> RedisUrl {
    text.parse().unwrap()
}

fn parse_error(text: &str) -> RedisUrlError {
    text.parse::<RedisUrl>().unwrap_err()
}

fn tcp_to(host: &str, port: u16) -> Endpoint {
    Endpoint::Tcp { host: host.into(), port }
}

#[test]
fn every_part_is_parsed() {
    let all = url("redis://app:pa%3Ass%2F%40@cache.example:6380/3");
    assert_eq!(all.endpoint, tcp_to("cache.example", 6380));
    assert_eq!(all.username.as_deref(), Some("app"));
    assert_eq!(all.password.as_ref().map(Secret::reveal), Some("pa:ss/@"));
    assert_eq!(all.db, 3);
}

#[test]
fn missing_parts_have_defaults() {
    for text in ["redis://cache", "valkey://cache/", "redis://cache:6379", "REDIS://cache/0"] {
        let bare = RedisUrl {
            endpoint: tcp_to("cache", 6379),
            username: None,
            password: None,
            db: 0,
            tls: None,
        };
        assert_eq!(url(text), bare, "{text}");
    }
}

#[test]
fn rediss_and_valkeys_use_tls() {
    for text in ["rediss://app:hunter2@[::1]:6390/3", "VALKEYS://app:hunter2@[::1]:6390/3"] {
        let url = url(text);
        assert_eq!(url.endpoint, Endpoint::Tls { host: "::1".into(), port: 6390 });
        assert!(url.is_tls());
        assert_eq!((url.user(), url.db), (Some("app"), 3));
        assert_eq!(url.to_string(), "rediss://app:***@[::1]:6390/3");
    }
    assert!(!url("redis://cache").is_tls());
    assert_eq!(url("rediss://cache").to_string(), "rediss://cache:6379/0");
}

#[test]
fn the_user_name_and_the_password_are_independent() {
    let default_user = url("redis://:secret@cache");
    assert_eq!(default_user.username, None);
    assert_eq!(default_user.password, Some(Secret::new("secret")));
    let no_password = url("redis://app@cache");
    assert_eq!(no_password.username.as_deref(), Some("app"));
    assert_eq!(no_password.password, None);
}

#[test]
fn ipv6_brackets_are_removed_and_displayed_again() {
    let v6 = url("redis://[::1]:7000/1");
    assert_eq!(v6.endpoint, tcp_to("::1", 7000));
    assert_eq!(v6.to_string(), "redis://[::1]:7000/1");
}

#[test]
fn unix_urls_are_parsed() {
    let socket = url("unix:///run/my%20redis.sock?db=2&username=app&password=a+b%26c");
    assert_eq!(socket.endpoint, Endpoint::Unix("/run/my redis.sock".into()));
    assert_eq!(socket.db, 2);
    assert_eq!(socket.username.as_deref(), Some("app"));
    assert_eq!(socket.password, Some(Secret::new("a+b&c")));
    assert_eq!(url("unix:/tmp/r.sock"), url("unix:///tmp/r.sock"));
}

#[test]
fn unix_urls_of_other_clients_are_parsed() {
    let socket = url("unix:///run/redis.sock?db=2&username=app&password=pa:ss/@");
    for text in [
        "unix://app:pa%3Ass%2F@@/run/redis.sock?db=2",
        "UNIX://app@/run/redis.sock?password=pa:ss/@&db=2",
        "redis+unix:///run/redis.sock?db=2&user=app&pass=pa:ss/@",
        "valkey+unix:///run/redis.sock?db=2&user=app&pass=pa:ss/@",
        "redis-socket://app:pa:ss%2F@@/run/redis.sock?db=2",
        "redis+socket:///run/redis.sock?db=2&username=app&password=pa:ss/@",
    ] {
        assert_eq!(url(text), socket, "{text}");
    }
    let default_user = url("unix://:p@/tmp/x.sock");
    assert_eq!((default_user.user(), default_user.db), (None, 0));
    assert_eq!(default_user.password, Some(Secret::new("p")));
    assert_eq!(default_user.to_string(), "unix:///tmp/x.sock?db=0&password=***");
}

#[test]
fn every_mistake_has_its_error() {
    let table = [
        ("cache:6379", RedisUrlError::Scheme),
        ("", RedisUrlError::Scheme),
        ("http://cache", RedisUrlError::Scheme),
        ("redisss://cache", RedisUrlError::Scheme),
        ("rediss://", RedisUrlError::Host),
        ("redis:cache", RedisUrlError::Malformed),
        ("redis://ca che", RedisUrlError::Malformed),
        ("redis://:pass\tword@cache", RedisUrlError::Malformed),
        ("redis://", RedisUrlError::Host),
        ("redis:///2", RedisUrlError::Host),
        ("redis://:pw@", RedisUrlError::Host),
        ("redis://ca%20che", RedisUrlError::Host),
        ("redis://[::1", RedisUrlError::Host),
        ("redis://cache:port", RedisUrlError::Port),
        ("redis://cache:70000", RedisUrlError::Port),
        ("redis://cache:0", RedisUrlError::Port),
        ("redis://cache/two", RedisUrlError::Database),
        ("redis://cache/-1", RedisUrlError::Database),
        ("redis://cache/1/2", RedisUrlError::Database),
        ("redis://cache/1?db=2", RedisUrlError::Database),
        ("redis://cache?tls=yes", RedisUrlError::Options),
        ("redis://cache?password=x", RedisUrlError::Options),
        ("redis://cache#2", RedisUrlError::Options),
        ("redis://:%ff@cache", RedisUrlError::Encoding),
        ("unix:tmp/r.sock", RedisUrlError::SocketPath),
        ("unix://run/redis.sock", RedisUrlError::SocketPath),
        ("unix:///", RedisUrlError::SocketPath),
        ("unix://", RedisUrlError::SocketPath),
        ("unix://localhost/tmp/x.sock", RedisUrlError::SocketPath),
        ("unix://:p@localhost/tmp/x.sock", RedisUrlError::SocketPath),
        ("unix://:p/w@/tmp/x.sock", RedisUrlError::SocketPath),
        ("unix://:p?w@/tmp/x.sock", RedisUrlError::Options),
        ("unix://:p#w@/tmp/x.sock", RedisUrlError::Options),
        ("unix://:p@/tmp/x.sock?password=p", RedisUrlError::Credentials),
        ("unix://u@/tmp/x.sock?user=u", RedisUrlError::Credentials),
        ("unix://:%ff@/tmp/x.sock", RedisUrlError::Encoding),
        ("unix:///tmp/x.sock?db=two", RedisUrlError::Database),
        ("redis+unix://", RedisUrlError::SocketPath),
        ("redis+tls://cache", RedisUrlError::Scheme),
        ("redis-sentinel://cache/primary", RedisUrlError::Scheme),
    ];
    for (text, error) in table {
        assert_eq!(parse_error(text), error, "{text}");
    }
}

#[test]
fn a_password_with_unescaped_characters_is_never_shown_in_an_error() {
    for text in [
        "redis://app:12/hunter2@cache:6379/0",
        "redis://app:12?hunter2@cache:6379/0",
        "redis://app:12#hunter2@cache:6379/0",
        "redis://app:12?db=hunter2@cache",
        "unix://app:12/hunter2@/r.sock",
        "unix://app:12?hunter2@/r.sock",
        "unix://app:12#hunter2@/r.sock",
        "unix://app:hunter2@host/r.sock",
    ] {
        let message = parse_error(text).to_string();
        assert!(!message.contains("hunter2"), "{message}");
    }
    // An unescaped `@` is accepted: the last one ends the credentials.
    assert_eq!(url("redis://:p@ss@cache").password, Some(Secret::new("p@ss")));
}

#[test]
fn neither_debug_nor_display_shows_the_password() {
    for text in [
        "redis://app:hunter2@cache:1/2",
        "unix:///r.sock?username=app&password=hunter2",
        "unix://app:hunter2@/r.sock",
    ] {
        let url = url(text);
        assert!(!format!("{url:?} {url}").contains("hunter2"));
    }
    assert_eq!(url("redis://app:hunter2@cache:1/2").to_string(), "redis://app:***@cache:1/2");
    assert_eq!(url("redis://:hunter2@cache").to_string(), "redis://:***@cache:6379/0");
    assert_eq!(
        url("unix:/r.sock?db=1&password=hunter2").to_string(),
        "unix:///r.sock?db=1&password=***"
    );
}
