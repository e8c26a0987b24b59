//! What is measured: child processes on free ports of 127.0.0.1 and on unix sockets, all on one
//! core. They end with this program, however it ends (`larder_testkit::Process`).

mod kind;
mod launch;

use std::io;
use std::path::PathBuf;

use crate::cores::Cores;
use crate::generator::{Answers, Protocol, Target};

pub(crate) use kind::first_line;
pub use kind::{Kind, Setup};
pub(crate) use launch::{Launch, Launched};

/// The unix socket, in the folder of its server.
pub(crate) const SOCKET: &str = "socket";

/// A running server. It is killed when this is dropped.
pub struct Server {
    /// What it is.
    pub kind: Kind,
    launched: Launched,
}

impl Server {
    /// Starts it and waits for its first answer.
    pub fn start(kind: Kind, setup: &Setup, cores: Cores) -> io::Result<Self> {
        let question = kind.protocol().get("ready");
        let launch = |folder: &_, port| kind.launch(setup, folder, port);
        Ok(Self { kind, launched: Launched::start(kind.name(), cores, &question, launch)? })
    }

    /// How it was started; paths are relative to its temporary folder.
    pub fn command(&self) -> &str {
        &self.launched.command
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.launched.pid()
    }

    /// Its port of 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.launched.port()
    }

    /// Where it listens for TCP.
    pub fn tcp(&self) -> Target {
        Target::Tcp(self.port())
    }

    /// Where it listens on a unix socket; `None` if it does not.
    pub fn unix(&self) -> Option<Target> {
        let path: PathBuf = self.launched.folder().join(SOCKET);
        path.exists().then_some(Target::Unix(path))
    }

    /// What it is asked in.
    pub fn protocol(&self) -> Protocol {
        self.kind.protocol()
    }

    /// What its replies must be.
    pub fn answers(&self) -> Answers {
        match self.kind {
            Kind::Floor => Answers::OfLength,
            _ => Answers::OfKey,
        }
    }
}

/// An error that says what it is about.
pub(crate) fn named(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
