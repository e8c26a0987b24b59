//! The compared servers: child processes on free ports of 127.0.0.1 and on unix sockets, all on one
//! core. They end with this program, however it ends (`larder_testkit::Process`).

mod kind;
mod launch;

use std::io;
use std::path::PathBuf;

use crate::cores::Cores;
use crate::generator::{LoadConfig, Protocol, ReplyCheck, Target};
use crate::keys::KeySpace;

pub(crate) use kind::first_line;
pub use kind::{ServerKind, Setup};
pub(crate) use launch::{LaunchCommand, ServerProcess};

/// The name of the unix socket in the folder of its server.
pub(crate) const SOCKET: &str = "socket";

/// A running server, which is killed on drop.
pub struct Server {
    /// The kind of the server.
    pub kind: ServerKind,
    process: ServerProcess,
}

impl Server {
    /// Starts a server and waits for its first reply.
    pub fn start(kind: ServerKind, setup: &Setup, cores: Cores) -> io::Result<Self> {
        let probe = kind.protocol().get("ready");
        let launch = |folder: &_, port| kind.launch(setup, folder, port);
        Ok(Self { kind, process: ServerProcess::start(kind.name(), cores, &probe, launch)? })
    }

    /// Returns its command line, whose paths are relative to its temporary folder.
    pub fn command(&self) -> &str {
        &self.process.command
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.process.port()
    }

    /// Returns its TCP address.
    pub fn tcp(&self) -> Target {
        Target::Tcp(self.port())
    }

    /// Returns its unix socket, if it has one.
    pub fn unix(&self) -> Option<Target> {
        let path: PathBuf = self.process.folder().join(SOCKET);
        path.exists().then_some(Target::Unix(path))
    }

    /// Returns the protocol of its requests.
    pub fn protocol(&self) -> Protocol {
        self.kind.protocol()
    }

    /// Returns how its replies are checked.
    pub fn check(&self) -> ReplyCheck {
        match self.kind {
            ServerKind::Baseline => ReplyCheck::Length,
            _ => ReplyCheck::Value,
        }
    }

    /// Returns a load of these keys in its protocol, and with the check of its replies.
    pub fn load_config(
        &self,
        key_space: KeySpace,
        connections: usize,
        pipeline: usize,
    ) -> LoadConfig {
        let (protocol, check) = (self.protocol(), self.check());
        LoadConfig { connections, pipeline, protocol, key_space, check }
    }
}
