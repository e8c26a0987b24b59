//! The kinds of HTTP server, how each is started, and what each returns.

use std::fs::{create_dir_all, write};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::generator::http::Exchange;
use crate::http::HttpSetup;
use crate::keys::{FILLER, KeySpace, VALUE_BYTES};
use crate::servers::LaunchCommand;

const FLASK: &str = include_str!("../../peers/flask_service.py");
const FASTAPI: &str = include_str!("../../peers/fastapi_service.py");

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpKind {
    /// The baseline.
    Baseline,
    /// nginx with one text for all keys, from its configuration.
    NginxReturn,
    /// nginx with a file per key.
    NginxFile,
    /// webdis in front of Redis.
    Webdis,
    /// `FastAPI` under uvicorn, with a dict.
    FastapiDict,
    /// `FastAPI` under uvicorn, with Redis and without a cache.
    FastapiRedis,
    /// Flask under gunicorn, with cachetools in front of Redis.
    FlaskCachetools,
    /// Larder in front of Redis.
    Larder,
}

impl HttpKind {
    /// All kinds, in the order of the report.
    pub const ALL: [Self; 8] = [
        Self::Baseline,
        Self::NginxReturn,
        Self::NginxFile,
        Self::Webdis,
        Self::FastapiDict,
        Self::FastapiRedis,
        Self::FlaskCachetools,
        Self::Larder,
    ];

    /// Returns the name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::NginxReturn => "nginx return",
            Self::NginxFile => "nginx file",
            Self::Webdis => "webdis",
            Self::FastapiDict => "fastapi + dict",
            Self::FastapiRedis => "fastapi + redis",
            Self::FlaskCachetools => "flask + cachetools",
            Self::Larder => "larder",
        }
    }

    /// Whether it has a Redis as its backend.
    pub(super) const fn has_backend(self) -> bool {
        !matches!(self, Self::Baseline | Self::NginxReturn | Self::NginxFile)
    }

    /// Whether it sends an `ETag` and answers 304.
    pub(super) const fn has_etags(self) -> bool {
        matches!(self, Self::NginxFile | Self::Larder)
    }

    /// Returns its request and the expected response.
    pub(crate) fn exchange(self) -> Exchange {
        let key = KeySpace::HOT.key(0);
        let value = || String::from_utf8_lossy(&KeySpace::HOT.value(0)).into_owned();
        let json = || format!(r#"{{"key":"{key}","value":"{}"}}"#, value());
        match self {
            Self::Baseline | Self::NginxReturn => Exchange::get("/get/", filler()),
            Self::NginxFile => Exchange::get("/get/", value()),
            Self::Webdis => Exchange::get("/GET/", format!(r#"{{"GET":"{}"}}"#, value())),
            Self::FastapiDict | Self::FastapiRedis | Self::Larder => Exchange::get("/get/", json()),
            Self::FlaskCachetools => Exchange::get("/get/", json() + "\n"),
        }
    }

    /// Returns the command line, to be run in `folder`.
    pub(super) fn launch(
        self,
        setup: &HttpSetup,
        hot_keys: u64,
        folder: &Path,
        port: u16,
    ) -> io::Result<LaunchCommand> {
        let args = match self {
            Self::Baseline => format!("baseline --http --port {port} --value-bytes {VALUE_BYTES}"),
            Self::NginxReturn => {
                nginx(folder, port, &format!("location / {{ return 200 {}; }}", filler()))?
            }
            Self::NginxFile => {
                write_files(&folder.join("files/get"), hot_keys)?;
                nginx(folder, port, "root files;")?
            }
            Self::Webdis => {
                write(folder.join("webdis.json"), webdis_config(port, setup.backend_port))?;
                "webdis.json".to_owned()
            }
            Self::FastapiDict | Self::FastapiRedis => {
                write(folder.join("service.py"), FASTAPI)?;
                format!("-m uvicorn service:app --port {port} --no-access-log")
            }
            Self::FlaskCachetools => {
                write(folder.join("service.py"), FLASK)?;
                format!("-m gunicorn service:app --bind 127.0.0.1:{port} {GUNICORN}")
            }
            Self::Larder => larder(port, setup.backend_port),
        };
        let mut launch = LaunchCommand::new(setup.program(self)?, &args)?;
        if matches!(self, Self::FastapiDict | Self::FastapiRedis | Self::FlaskCachetools) {
            let caches = u8::from(self != Self::FastapiRedis).to_string();
            let url = format!("redis://127.0.0.1:{}/0", setup.backend_port);
            launch.variables = vec![("REDIS_URL", url), ("CACHES", caches)];
        }
        Ok(launch)
    }
}

/// One worker of the kind that keeps connections open, which the default kind does not.
const GUNICORN: &str =
    "--workers 1 --worker-class gthread --threads 4 --worker-connections 2000 --keep-alive 3600";

fn filler() -> String {
    char::from(FILLER).to_string().repeat(VALUE_BYTES)
}

fn write_files(folder: &Path, hot_keys: u64) -> io::Result<()> {
    create_dir_all(folder)?;
    (0..hot_keys).try_for_each(|number| {
        write(folder.join(KeySpace::HOT.key(number)), KeySpace::HOT.value(number))
    })
}

/// Writes the configuration and returns the arguments. A single process equals one worker, and
/// leaves nothing behind when it is killed.
fn nginx(folder: &Path, port: u16, location: &str) -> io::Result<String> {
    let config = format!(
        "daemon off;\nmaster_process off;\nerror_log error.log;\npid pid;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\n    access_log off;\n    keepalive_requests 1000000000;\n    \
         keepalive_timeout 1h;\n    default_type text/plain;\n    \
         server {{\n        listen 127.0.0.1:{port} backlog=4096;\n        {location}\n    }}\n}}\n"
    );
    write(folder.join("nginx.conf"), config)?;
    Ok("-p ./ -c nginx.conf -e error.log".to_owned())
}

fn webdis_config(port: u16, backend: u16) -> String {
    format!(
        r#"{{"redis_host": "127.0.0.1", "redis_port": {backend}, "http_host": "127.0.0.1",
"http_port": {port}, "threads": 1, "pool_size": 20, "daemonize": false, "database": 0,
"verbosity": 0, "logfile": "webdis.log"}}"#
    )
}

/// One thread, as there is one core, and room for every entry.
fn larder(port: u16, backend: u16) -> String {
    format!(
        "serve --store redis://127.0.0.1:{backend} --port 0 --http-bind 127.0.0.1 \
         --http-port {port} --io-threads 1 --maxmemory 2gb --near-ttl 1h"
    )
}
