//! Credentials and database of the Redis URL, and what happens when Redis rejects them.

use larder_testkit::{Exception, LIMIT, Larder, RedisServer, eventually, http, require_redis};

use crate::http_client::HttpClient;
use crate::setup::{larder, path, warm_up};

/// Asserts that reads and writes work, that each read goes to Redis, and that health gives the
/// reason.
fn assert_passes_through(larder: &Larder, redis: &RedisServer, why: &str) {
    let link = || larder.stats()["feed"]["state"] == "pass-through";
    eventually(LIMIT, "larder to pass through", link);
    assert!(larder.stats()["feed"]["reason"].as_str().unwrap().contains(why), "{}", larder.stats());
    let ready = http::get(&larder.url("/readyz"), &[]);
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("degraded")));
    assert!(ready.json()["problems"][0].as_str().unwrap().contains(why), "{}", ready.text());

    let mut reader = HttpClient::connect(larder.port());
    for value in ["one", "two"] {
        redis.cmd(&["SET", "k", value]);
        let found = reader.get(&path("k"));
        assert_eq!(found.value(), Some(value));
        assert_eq!(found.cache_status, "larder; fwd=bypass; detail=not-coherent");
    }
    assert_eq!(http::put(&larder.url(&path("k")), &[], "put").status, 204);
    assert_eq!(reader.get(&path("k")).value(), Some("put"));
}

#[test]
fn a_user_without_permission_to_track_passes_through() {
    if !require_redis() {
        return;
    }
    let redis =
        RedisServer::builder().user_acl("app on >secret ~* &* +@all -client|tracking").start();
    let larder = larder(&redis.url_for("app", "secret")).start();
    assert_passes_through(&larder, &redis, "CLIENT TRACKING: NOPERM");
    // It retries every second, but logs the error only once.
    let attempts = || redis.command_calls("hello");
    let before = attempts();
    eventually(LIMIT, "larder to try again", || attempts() >= before + 2);
    let logged = larder.log().matches("everything passes through").count();
    assert_eq!(logged, 1, "{}", larder.log());
    assert!(!larder.log().contains("secret"), "{}", larder.log());
}

#[test]
fn a_server_without_hello_is_used_in_pass_through() {
    if !require_redis() || Exception::UnknownCommandBeforeAuth.applies() {
        return;
    }
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&settings, "rename-command HELLO ''\n").unwrap();
    let redis = RedisServer::builder()
        .arg("--include", settings.path().to_str().unwrap())
        .password("secret")
        .start();
    let larder = larder(&redis.url()).start();
    assert_passes_through(&larder, &redis, "HELLO 3: ERR unknown command");
    // The error from Redis contains the arguments it was sent.
    let logged = [larder.log(), larder.stats().to_string()].concat();
    assert!(!logged.contains("secret"), "{logged}");
}

#[test]
fn tracking_starts_once_it_is_permitted_without_a_restart() {
    if !require_redis() {
        return;
    }
    let redis =
        RedisServer::builder().user_acl("app on >secret ~* &* +@all -client|tracking").start();
    let larder = larder(&redis.url_for("app", "secret")).start();
    assert_passes_through(&larder, &redis, "NOPERM");
    redis.cmd(&["ACL", "SETUSER", "app", "+client|tracking"]);
    larder.wait_until_coherent();
    warm_up(&larder, "k", "put");
}

#[test]
fn a_wrong_password_is_an_outage_until_redis_accepts_it() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder().user_acl("app on >secret ~* &* +@all").start();
    let larder = larder(&redis.url_for("app", "hunter2")).start();
    eventually(LIMIT, "larder to try again", || redis.command_calls("auth") >= 6);
    let why = larder.stats()["feed"]["reason"].to_string();
    assert!(why.contains("WRONGPASS"), "{why}");
    assert_eq!(larder.stats()["feed"]["state"], "down", "nothing passes through");
    let response = http::get(&larder.url(&path("k")), &[]);
    assert_eq!(response.status, 503);
    assert!(response.text().contains("WRONGPASS"), "{}", response.text());
    let log = larder.log();
    assert_eq!(log.matches("WRONGPASS").count(), 1, "{log}");
    assert!(!log.contains("hunter2"), "{log}");

    redis.cmd(&["ACL", "SETUSER", "app", ">hunter2"]);
    redis.cmd(&["SET", "k", "v"]);
    warm_up(&larder, "k", "v");
}

/// Returns the problems in `/readyz`.
fn problems(larder: &Larder) -> String {
    http::get(&larder.url("/readyz"), &[]).json()["problems"].to_string()
}

#[test]
fn a_password_that_redis_does_not_need_is_no_problem() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let url = redis.url().replacen("redis://", "redis://:any@", 1);
    let larder = Larder::builder(env!("CARGO_BIN_EXE_larder")).env("REDIS_URL", url).resp().start();
    larder.wait_until_coherent();
    assert_eq!(http::put(&larder.url(&path("k")), &[], "put").status, 204);
    warm_up(&larder, "k", "put");
    assert_eq!(resp(&larder, &["SET", "k", "v"]), Ok("OK".into()));
    assert_eq!(problems(&larder), "[]");
}

#[test]
fn new_clients_are_refused_after_the_password_was_changed_until_redis_accepts_it_again() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder().user_acl("app on >secret ~* &* +@all").start();
    let larder = Larder::builder(env!("CARGO_BIN_EXE_larder"))
        .env("REDIS_URL", redis.url_for("app", "secret"))
        .resp()
        .start();
    larder.wait_until_coherent();
    let connect = || {
        let url = format!("redis://127.0.0.1:{}", larder.resp_port());
        redis::Client::open(url).unwrap().get_connection().unwrap()
    };
    let mut old = connect();
    let set = |client: &mut redis::Connection| {
        redis::cmd("SET").arg("k").arg("v").query::<String>(client).map_err(|e| e.to_string())
    };
    set(&mut old).unwrap();
    for _ in 0..2 {
        redis.cmd(&["ACL", "SETUSER", "app", "<secret", ">other"]);
        for _ in 0..3 {
            let error = set(&mut connect()).unwrap_err();
            assert!(error.contains("WRONGPASS") && !error.contains("LOADING"), "{error}");
        }
        set(&mut old).unwrap();
        assert!(problems(&larder).contains("AUTH: WRONGPASS"), "{}", problems(&larder));
        redis.cmd(&["ACL", "SETUSER", "app", ">secret"]);
        set(&mut connect()).unwrap();
        eventually(LIMIT, "the problem to end", || problems(&larder) == "[]");
    }
    let log = larder.log();
    assert_eq!(log.matches("Redis refuses Larder's connections").count(), 2, "{log}");
    assert_eq!(log.matches("accepts Larder's connections again").count(), 2, "{log}");
    assert!(!log.contains("secret"), "{log}");
}

#[test]
fn redis_may_begin_to_ask_for_a_password() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::start();
    let larder =
        Larder::builder(env!("CARGO_BIN_EXE_larder")).env("REDIS_URL", redis.url()).resp().start();
    larder.wait_until_coherent();
    let mut admin = redis.client();
    let mut require = |password: &str| {
        let command = ["SET", "requirepass", password];
        redis::cmd("CONFIG").arg(&command).exec(&mut admin).unwrap();
    };
    require("secret");
    let error = resp(&larder, &["SET", "k", "v"]).unwrap_err();
    assert!(error.to_uppercase().contains("AUTH"), "{error}");
    assert!(problems(&larder).contains("NOAUTH"), "{}", problems(&larder));
    require("");
    eventually(LIMIT, "the problem to end", || problems(&larder) == "[]");
    assert_eq!(resp(&larder, &["SET", "k", "v"]), Ok("OK".into()));
    let log = larder.log();
    assert_eq!(log.matches("Redis refuses Larder's connections").count(), 1, "{log}");
}

/// Runs a command of a new Redis client.
fn resp(larder: &Larder, words: &[&str]) -> Result<String, String> {
    let url = format!("redis://127.0.0.1:{}", larder.resp_port());
    let mut client = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query(&mut client).map_err(|error| error.to_string())
}

#[test]
fn user_password_and_database_of_the_url_are_used() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder()
        .password("p:ss/w@rd")
        .user_acl("app on >s3:cr/t ~* &* +@all")
        .start();
    for url in [redis.url(), redis.url_for("app", "s3:cr/t")] {
        let larder = larder(&format!("{url}/3")).start();
        let mut foreign = redis.client();
        redis::cmd("SELECT").arg(3).exec(&mut foreign).unwrap();
        let mut foreign = |words: &[&str]| {
            redis::cmd(words[0]).arg(&words[1..]).exec(&mut foreign).unwrap();
        };
        larder.wait_until_coherent();
        redis.cmd(&["SET", "k", "of db 0"]);
        foreign(&["SET", "k", "of db 3"]);
        warm_up(&larder, "k", "of db 3");
        assert_eq!(http::put(&larder.url(&path("k")), &[], "put").status, 204);
        foreign(&["RENAME", "k", "l"]);
        warm_up(&larder, "l", "put");
        foreign(&["FLUSHDB"]);
        let mut reader = HttpClient::connect(larder.port());
        eventually(LIMIT, "the flush to be visible", || reader.get(&path("l")).value().is_none());
        let of_db_0: String = redis::cmd("GET").arg("k").query(&mut redis.client()).unwrap();
        assert_eq!(of_db_0, "of db 0");
    }
}

#[test]
fn no_command_reaches_another_database_if_select_fails() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder().databases(2).start();
    let larder = larder(&format!("{}/7", redis.url())).start();
    redis.cmd(&["SET", "k", "of db 0"]);
    let why = || larder.stats()["feed"]["reason"].to_string();
    eventually(LIMIT, "health to report the reason", || why().contains("SELECT 7"));
    assert_eq!(larder.stats()["feed"]["state"], "down", "nothing passes through");
    let read = http::get(&larder.url(&path("k")), &[]);
    assert_eq!(read.status, 503, "{}", read.text());
    assert_eq!(http::put(&larder.url(&path("k")), &[], "put").status, 503);
    let value: String = redis::cmd("GET").arg("k").query(&mut redis.client()).unwrap();
    assert_eq!(value, "of db 0");
}

#[test]
fn redis_is_reached_over_a_unix_socket() {
    if !require_redis() {
        return;
    }
    let redis = RedisServer::builder().unix_socket().password("p:ss/w@rd").start();
    let url = redis.unix_url().replacen("unix://", "unix://:p:ss%2Fw@rd@", 1);
    let larder = larder(&url).start();
    larder.wait_until_coherent();
    for value in ["one", "two"] {
        redis.cmd(&["SET", "k", value]);
        warm_up(&larder, "k", value);
    }
    assert_eq!(http::put(&larder.url(&path("k")), &[], "put").status, 204);
    warm_up(&larder, "k", "put");
    redis.restart();
    let mut reader = HttpClient::connect(larder.port());
    eventually(LIMIT, "larder to recover from the restart", || {
        let found = reader.get(&path("k"));
        found.status == 404 && found.is_hit()
    });
}
