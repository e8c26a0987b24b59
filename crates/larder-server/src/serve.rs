//! From a plan to a server, and from a signal to its end.

use crate::{
    larder::Larder,
    listeners::http,
    logging,
    origins::{self, BadOrigin},
    settings::Plan,
    upkeep,
};
use std::{io, process::ExitCode, sync::Arc};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// `EX_CONFIG` of `sysexits.h`.
const BAD_CONFIGURATION: u8 = 78;

/// Serves by this plan until a signal ends it.
pub fn serve(plan: &Plan) -> ExitCode {
    if let Err(error) = logging::start(&plan.logs) {
        // Whoever embeds this has set up logging of their own, which will do.
        tracing::debug!(%error, "logging was set up before");
    }
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)
        .and_then(|runtime| runtime.block_on(run(plan)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit_code()
        }
    }
}

async fn run(plan: &Plan) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(Failure::Signals)?;
    let origins = origins::open(&plan.origins).await.map_err(Failure::Origin)?;
    let address = plan.http.address;
    let listener =
        TcpListener::bind(address).await.map_err(|error| Failure::Bind(address, error))?;
    let larder = Arc::new(Larder::start(plan, origins));
    for notice in &plan.notices {
        tracing::warn!("{notice}");
    }
    upkeep::start(&larder);
    let (drain, draining) = watch::channel(false);
    let mut served = tokio::spawn(http::serve(listener, Arc::clone(&larder), draining));
    tracing::info!(%address, store = %larder.backend().describe(), "serving http://{address}/docs");

    signals.next().await;
    tracing::info!(limit = ?plan.drain_timeout, "draining: requests at work may finish");
    larder.health().drain();
    // The listener holds the other end until it has drained.
    drain.send(true).ok();
    tokio::select! {
        _ = &mut served => tracing::info!("drained"),
        () = tokio::time::sleep(plan.drain_timeout) => tracing::warn!("drain-timeout is over"),
        () = signals.next() => tracing::warn!("second signal: stopping at once"),
    }
    Ok(())
}

/// What asks the server to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Why the server did not come up.
enum Failure {
    Runtime(io::Error),
    Signals(io::Error),
    Origin(BadOrigin),
    Bind(std::net::SocketAddr, io::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Origin(_) => BAD_CONFIGURATION.into(),
            Self::Runtime(_) | Self::Signals(_) | Self::Bind(..) => ExitCode::FAILURE,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runtime(error) => write!(f, "the runtime does not start: {error}"),
            Self::Signals(error) => write!(f, "signals cannot be waited for: {error}"),
            Self::Origin(error) => error.fmt(f),
            Self::Bind(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{address} is taken by another program: choose another --http-port")
            }
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}
