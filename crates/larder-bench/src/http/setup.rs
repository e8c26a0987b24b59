//! What there is on this machine to be measured over HTTP.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::http::HttpKind;
use crate::servers::first_line;

/// What a run over HTTP has to start servers with.
#[derive(Clone, Debug)]
pub struct HttpSetup {
    /// This program, which is the floor too.
    pub floor: PathBuf,
    /// `redis-server`.
    pub redis: PathBuf,
    /// `nginx`, where there is one.
    pub nginx: Option<PathBuf>,
    /// `webdis`, where there is one.
    pub webdis: Option<PathBuf>,
    /// A Python that has what `peers/requirements.txt` names.
    pub python: Option<PathBuf>,
    /// `larder`, unless the others are measured alone.
    pub larder: Option<PathBuf>,
    /// The port of the redis behind them, once it runs.
    pub backend_port: u16,
}

impl HttpSetup {
    /// The kinds that can be measured.
    pub fn kinds(&self) -> Vec<HttpKind> {
        HttpKind::ALL.into_iter().filter(|kind| self.found(*kind).is_some()).collect()
    }

    /// Those that cannot.
    pub fn missing(&self) -> Vec<HttpKind> {
        HttpKind::ALL.into_iter().filter(|kind| self.found(*kind).is_none()).collect()
    }

    pub(super) fn program(&self, kind: HttpKind) -> io::Result<&Path> {
        let missing = || io::Error::other(format!("no program for {}", kind.name()));
        self.found(kind).ok_or_else(missing)
    }

    fn found(&self, kind: HttpKind) -> Option<&Path> {
        let program = match kind {
            HttpKind::Floor => Some(&self.floor),
            HttpKind::NginxReturn | HttpKind::NginxFile => self.nginx.as_ref(),
            HttpKind::Webdis => self.webdis.as_ref(),
            HttpKind::FastapiDict | HttpKind::FastapiRedis | HttpKind::FlaskCachetools => {
                self.python.as_ref()
            }
            HttpKind::Larder => self.larder.as_ref(),
        };
        program.map(PathBuf::as_path)
    }

    /// What a program says of itself.
    pub(super) fn version(&self, kind: HttpKind) -> io::Result<String> {
        let mut command = Command::new(self.program(kind)?);
        let packages = |names: &str| {
            let [print, import] = ["print", "from importlib.metadata import version"];
            format!("{import}; {print}(*(f'{{it}} {{version(it)}}' for it in {names:?}.split()))")
        };
        match kind {
            HttpKind::NginxReturn | HttpKind::NginxFile => command.arg("-v"),
            // It would serve if it were asked.
            HttpKind::Webdis => return Ok("says no version".to_owned()),
            HttpKind::FastapiDict | HttpKind::FastapiRedis => {
                command.args(["-c", &packages("fastapi uvicorn uvloop httptools redis hiredis")])
            }
            HttpKind::FlaskCachetools => {
                command.args(["-c", &packages("flask gunicorn cachetools redis hiredis")])
            }
            HttpKind::Floor | HttpKind::Larder => command.arg("--version"),
        };
        first_line(&mut command)
    }
}
