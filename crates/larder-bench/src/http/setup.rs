//! The programs on this machine that are compared over HTTP.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::HttpKind;
use crate::servers::first_line;

/// The programs to start HTTP servers with.
#[derive(Clone, Debug)]
pub struct HttpSetup {
    /// This program, which also serves as the baseline.
    pub bench: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// `nginx`, if installed.
    pub nginx: Option<PathBuf>,
    /// `webdis`, if installed.
    pub webdis: Option<PathBuf>,
    /// A Python interpreter with the packages of `peers/requirements.txt`.
    pub python: Option<PathBuf>,
    /// `larder`; `None` measures the others alone.
    pub larder: Option<PathBuf>,
    /// The port of the backend, once it runs.
    pub backend_port: u16,
}

impl HttpSetup {
    /// Returns the kinds that can be measured.
    pub fn kinds(&self) -> Vec<HttpKind> {
        HttpKind::ALL.into_iter().filter(|kind| self.found(*kind).is_some()).collect()
    }

    /// Returns the kinds that cannot be measured.
    pub fn missing(&self) -> Vec<HttpKind> {
        HttpKind::ALL.into_iter().filter(|kind| self.found(*kind).is_none()).collect()
    }

    pub(super) fn program(&self, kind: HttpKind) -> io::Result<&Path> {
        let missing = || io::Error::other(format!("no program for {}", kind.name()));
        self.found(kind).ok_or_else(missing)
    }

    fn found(&self, kind: HttpKind) -> Option<&Path> {
        let program = match kind {
            HttpKind::Baseline => Some(&self.bench),
            HttpKind::NginxReturn | HttpKind::NginxFile => self.nginx.as_ref(),
            HttpKind::Webdis => self.webdis.as_ref(),
            HttpKind::FastapiDict | HttpKind::FastapiRedis | HttpKind::FlaskCachetools => {
                self.python.as_ref()
            }
            HttpKind::Larder => self.larder.as_ref(),
        };
        program.map(PathBuf::as_path)
    }

    /// Returns the version that a program prints.
    pub(super) fn version(&self, kind: HttpKind) -> io::Result<String> {
        let mut command = Command::new(self.program(kind)?);
        let packages = |names: &str| {
            let [print, import] = ["print", "from importlib.metadata import version"];
            format!("{import}; {print}(*(f'{{it}} {{version(it)}}' for it in {names:?}.split()))")
        };
        match kind {
            HttpKind::NginxReturn | HttpKind::NginxFile => command.arg("-v"),
            // webdis has no --version: it starts to serve.
            HttpKind::Webdis => return Ok("not reported".to_owned()),
            HttpKind::FastapiDict | HttpKind::FastapiRedis => {
                command.args(["-c", &packages("fastapi uvicorn uvloop httptools redis hiredis")])
            }
            HttpKind::FlaskCachetools => {
                command.args(["-c", &packages("flask gunicorn cachetools redis hiredis")])
            }
            HttpKind::Baseline | HttpKind::Larder => command.arg("--version"),
        };
        first_line(&mut command)
    }
}
