//! From a plan to a server, and from a signal to its end.

use crate::{
    app::App,
    config::{Config, RespConfig},
    listeners::{http, listen, resp},
    logging,
    origins::{self, BadOrigin},
    rlimit, upkeep,
};
use std::{io, net::SocketAddr, process::ExitCode, sync::Arc};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

/// A worker of the runtime has room for 256 tasks that are ready; what is past that waits where all
/// workers look, each after so many tasks. With a thousand clients that ask again and again those
/// must not wait behind the others for ever.
const QUEUE_INTERVAL: u32 = 2;

/// `EX_CONFIG` of `sysexits.h`.
const BAD_CONFIGURATION: u8 = 78;

/// Serves by this plan until a signal ends it.
pub fn serve(config: &Config) -> ExitCode {
    if let Err(error) = logging::start(&config.logs) {
        // Whoever embeds this has set up logging of their own, which will do.
        tracing::debug!(%error, "logging was set up before");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .global_queue_interval(QUEUE_INTERVAL)
        .build();
    let outcome = runtime.map_err(Failure::Runtime).and_then(|runtime| {
        let outcome = runtime.block_on(run(config));
        // Whoever has not ended by now, as a client that waits for a key, does not keep us.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit_code()
        }
    }
}

async fn run(config: &Config) -> Result<(), Failure> {
    let mut signals = Signals::listen().map_err(Failure::Signals)?;
    let origins = origins::open(&config.origins).await.map_err(Failure::Origin)?;
    rlimit::allow(config.maxclients);
    let listeners = BoundListeners::open(config)?;
    let (app, samples) = {
        let _guard = listeners.resp.as_ref().and_then(|(_, workers)| workers.enter_first());
        App::start(config, origins)
    };
    let app = Arc::new(app);
    if let Some(samples) = samples {
        tokio::spawn(samples.verify(Arc::downgrade(&app)));
    }
    for notice in &config.notices {
        tracing::warn!("{notice}");
    }
    upkeep::start(&app);
    let (drain, draining) = watch::channel(false);
    let mut served = listeners.serve(&app, &draining);

    signals.next().await;
    tracing::info!(limit = ?config.drain_timeout, "draining: requests at work may finish");
    app.health().drain();
    // The listener holds the other end until it has drained.
    drain.send(true).ok();
    tokio::select! {
        () = async { while served.join_next().await.is_some() {} } => tracing::info!("drained"),
        () = tokio::time::sleep(config.drain_timeout) => tracing::warn!("drain-timeout is over"),
        () = signals.next() => tracing::warn!("second signal: stopping at once"),
    }
    Ok(())
}

/// The open listeners.
struct BoundListeners {
    http: Option<TcpListener>,
    resp: Option<(resp::Listeners, resp::Workers)>,
}

impl BoundListeners {
    fn open(config: &Config) -> Result<Self, Failure> {
        let http = match config.http.address {
            Some(address) => {
                let listener = listen(address);
                Some(listener.map_err(|error| Failure::Bind(address, "http-port", error))?)
            }
            None => None,
        };
        let resp = match Self::open_resp(&config.resp)? {
            Some(listeners) => {
                let workers = resp::Workers::new(config.resp.workers).map_err(Failure::Runtime)?;
                Some((listeners, workers))
            }
            None => None,
        };
        Ok(Self { http, resp })
    }

    /// An address that nobody asked for may be another program's.
    fn open_resp(config: &RespConfig) -> Result<Option<resp::Listeners>, Failure> {
        match resp::Listeners::bind(config) {
            Ok(listeners) => Ok(Some(listeners)),
            Err(error) if !config.address_is_wanted && error.kind() == io::ErrorKind::AddrInUse => {
                tracing::warn!("the default port is taken: the RESP listener is off; see --port");
                Ok(None)
            }
            Err(error) => Err(Failure::BindResp(error)),
        }
    }

    /// Serves every listener in tasks that end when `draining` turns true.
    fn serve(self, app: &Arc<App>, draining: &watch::Receiver<bool>) -> JoinSet<()> {
        let store = app.backend().describe();
        let mut served = JoinSet::new();
        if let Some((http, address)) = self.http.zip(app.config().http.address) {
            served.spawn(http::serve(http, Arc::clone(app), draining.clone()));
            tracing::info!(%address, %store, "serving http://{address}/docs");
        }
        if let Some(listeners) = self.resp {
            let (app, draining) = (Arc::clone(app), draining.clone());
            let config = &app.config().resp;
            let address = config.address.map(tracing::field::display);
            let tls = config.tls.as_ref().map(|tls| tracing::field::display(tls.address));
            tracing::info!(address, tls, "serving Redis clients");
            served.spawn(resp::serve(listeners, app, draining));
        }
        served
    }
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
    BindResp(io::Error),
    Bind(SocketAddr, &'static str, io::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Origin(_) => BAD_CONFIGURATION.into(),
            Self::Runtime(_) | Self::Signals(_) | Self::Bind(..) | Self::BindResp(_) => {
                ExitCode::FAILURE
            }
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Runtime(error) => write!(f, "the runtime does not start: {error}"),
            Self::Signals(error) => write!(f, "signals cannot be waited for: {error}"),
            Self::Origin(error) => error.fmt(f),
            Self::Bind(address, flag, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "{address} is taken by another program: choose another --{flag}")
            }
            Self::BindResp(error) => {
                write!(
                    f,
                    "cannot listen for Redis clients: {error}; see --port, --tls-port and --unixsocket"
                )
            }
            Self::Bind(address, _, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}
